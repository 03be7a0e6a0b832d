/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sign-ins that have begun: the cookie opens for its own state, for ten
 * minutes, unchanged; it is used once; and what may be come back to.
 */
#include "base.h"

#include "store_rig.h"

#include "arena.h"
#include "sealed_cookie.h"
#include "signin.h"

#define NOW INT64_C(1700000000000)
#define STATE "state-state-state-state-state-state-state-A"

static struct arena *arena;
static struct store *st;

static int
setup(void **state)
{
	if (rig_set_up(state) != 0)
		return -1;
	rig_now = NOW;
	arena = arena_new();
	st = rig_open();
	return 0;
}

static int
teardown(void **state)
{
	store_close(st);
	arena_free(arena);
	return rig_tear_down(state);
}

static struct signin
begun(void)
{
	struct signin s = { .user = "user:default/ann", .provider = "oidc",
	    .name = "okta", .after = "/catalog?a=b#c" };

	snprintf(s.begun.state, sizeof(s.begun.state), "%s", STATE);
	snprintf(s.begun.nonce, sizeof(s.begun.nonce), "the-nonce");
	snprintf(s.begun.verifier, sizeof(s.begun.verifier), "the-verifier");
	return s;
}

static const char *
sealed(void)
{
	const struct signin s = begun();
	const char *value;

	assert_int_equal(signin_seal(st, arena, &s, NOW, &value), 0);
	return value;
}

static int
opens(const char *state, const char *value)
{
	struct signin s;

	return signin_open(st, arena, state, value, &s);
}

static void
there_and_back(void **state UNUSED)
{
	const char *value = sealed();
	struct signin s;

	assert_int_equal(signin_open(st, arena, STATE, value, &s), 0);
	assert_string_equal(s.begun.state, STATE);
	assert_string_equal(s.begun.nonce, "the-nonce");
	assert_string_equal(s.begun.verifier, "the-verifier");
	assert_string_equal(s.user, "user:default/ann");
	assert_string_equal(s.provider, "oidc");
	assert_string_equal(s.name, "okta");
	assert_string_equal(s.after, "/catalog?a=b#c");
	/* What a cookie may hold, and nothing of what is in it. */
	assert_int_equal(strspn(value, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghij"
	    "klmnopqrstuvwxyz0123456789._-"), strlen(value));
	assert_null(strstr(value, "nonce"));
}

static void
without_name_and_way_back(void **state UNUSED)
{
	struct signin s = begun(), out;
	const char *value;

	s.name = s.after = "";
	assert_int_equal(signin_seal(st, arena, &s, NOW, &value), 0);
	assert_int_equal(signin_open(st, arena, STATE, value, &out), 0);
	assert_string_equal(out.name, "");
	assert_string_equal(out.after, "");
}

static void
not_for_another_state(void **state UNUSED)
{
	const char *value = sealed();

	assert_int_equal(opens("another", value), E_STORE);
	assert_int_equal(opens("", value), E_STORE);
}

static void
for_ten_minutes(void **state UNUSED)
{
	const char *value = sealed();

	rig_now = NOW + SIGNIN_MS - 1;
	assert_int_equal(opens(STATE, value), 0);
	rig_now = NOW + SIGNIN_MS;
	assert_int_equal(opens(STATE, value), E_NOTFOUND);
}

/* No one byte of it may differ, and nothing may be added or cut. */
static void
unchanged(void **state UNUSED)
{
	const char *value = sealed();
	char *other = arena_strdup(arena, value);
	size_t i, len = strlen(value);

	for (i = 0; i < len; i++) {
		other[i] ^= 1;
		if (opens(STATE, other) == 0)
			fail_msg("opens with byte %zu changed", i);
		other[i] ^= 1;
	}
	for (i = 0; i < len; i++)
		if (opens(STATE, arena_strndup(arena, value, i)) == 0)
			fail_msg("opens with %zu bytes", i);
	assert_int_not_equal(opens(STATE, arena_printf(arena, "%sA", value)),
	    0);
	/* A later end is part of what is sealed. */
	assert_int_not_equal(opens(STATE, arena_printf(arena, "9%s", value)),
	    0);
	assert_int_equal(opens(STATE, value), 0);
}

static void
nonsense(void **state UNUSED)
{
	static const char *const rows[] = { "", ".", "1", "1.", ".A", "x.AAAA",
	    "-1.AAAA", "0.AAAA", " 1.AAAA", "99999999999999999999.AAAA",
	    "1700000000001.A", "1700000000001.AAAA", "1700000000001.====" };
	char *big = arena_alloc(arena, 10001);
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_not_equal(opens(STATE, rows[i]), 0);
	memset(big, 'A', 10000);
	memcpy(big, "1700000000001.", 14);
	assert_int_not_equal(opens(STATE, big), 0);
}

/* Another store's key opens nothing. */
static void
of_another_key(void **state UNUSED)
{
	const char *value = sealed();

	store_close(st);
	rig_write(rig_keys, RIG_OTHER_KEY, sizeof(RIG_OTHER_KEY) - 1);
	st = rig_open();
	assert_int_equal(opens(STATE, value), E_NOTFOUND);
}

static void
too_long(void **state UNUSED)
{
	struct signin s = begun();
	char *user = arena_alloc(arena, 4001);
	const char *value;

	memset(user, 'u', 4000);
	s.user = user;
	assert_int_equal(signin_seal(st, arena, &s, NOW, &value), E_TOOLARGE);
}

static void
used_once(void **state UNUSED)
{
	struct err err = ERR_INIT;

	assert_int_equal(signin_use(st, STATE, &err), 0);
	assert_int_equal(signin_use(st, STATE, &err), E_BUSY);
	assert_int_equal(signin_use(st, "another", &err), 0);
	/* As long as its cookie lives. */
	rig_now = NOW + SIGNIN_MS;
	assert_int_equal(signin_use(st, STATE, &err), E_BUSY);
}

static void
names(void **state UNUSED)
{
	char a[SIGNIN_COOKIE_NAME], b[SIGNIN_COOKIE_NAME];

	signin_cookie("abc", false, a);	/* SHA-256 of "abc": FIPS 180-2 */
	assert_string_equal(a, "stagedoor-signin-ba7816bf8f01cfea");
	signin_cookie("abc", true, b);
	assert_string_equal(b,
	    "__Secure-stagedoor-signin-ba7816bf8f01cfea");
}

static void
ways_back(void **state UNUSED)
{
	static const char *const good[] = { "/", "/catalog",
	    "/catalog/default/component/shop?tab=k8s&x=a%20b#pods",
	    "/a//b", "/.", "/%2f%2fevil.example", "/@evil.example",
	    "/https://evil.example", "/a:b", "/?u=//evil.example",
	    "/a[b]=c" };
	static const char *const bad[] = { "", "a", "catalog", "./a", "../a",
	    "//", "//evil.example", "///evil.example", "/\\evil.example",
	    "\\/evil.example", "\\\\evil.example", "/a\\b",
	    "https://evil.example", "http:/evil.example", "https:evil",
	    "javascript:alert(1)", "data:text/html,x", " /a", "/ a", "/a ",
	    "\t/a", "/\t/evil.example", "/\n/evil.example", "/\r/a",
	    "/a\r\nSet-Cookie: x=y", "/a\x7f", "/\xc2\xa0", "/a\"b", "/a<b",
	    "?a", "#a", ("/\xef\xbc\x8f" "evil.example"), ".//evil.example" };
	char *big = arena_alloc(arena, SIGNIN_RETURN_MAX + 2);
	size_t i;

	for (i = 0; i < ARRAY_LEN(good); i++)
		if (!signin_local(good[i]))
			fail_msg("'%s' is refused", good[i]);
	for (i = 0; i < ARRAY_LEN(bad); i++)
		if (signin_local(bad[i]))
			fail_msg("'%s' is let pass", bad[i]);
	memset(big, '/', SIGNIN_RETURN_MAX + 1);
	big[1] = 'a';
	assert_false(signin_local(big));
	big[SIGNIN_RETURN_MAX] = '\0';
	assert_true(signin_local(big));
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(there_and_back),
		T(without_name_and_way_back),
		T(not_for_another_state),
		T(for_ten_minutes),
		T(unchanged),
		T(nonsense),
		T(of_another_key),
		T(too_long),
		T(used_once),
		T(names),
		T(ways_back),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
