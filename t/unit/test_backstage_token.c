/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of user tokens, one at a time. */
#include "base.h"

#include "backstage_rig.h"
#include "backstage_token.h"
#include "cluster.h"

#define USER "vnd.backstage.user"
#define LIMITED "vnd.backstage.limited-user"
#define NOW 1000000
#define GOOD "\"sub\":\"user:default/jane\",\"iat\":999990,\"exp\":1000100"

static struct rig_key key, other;
static struct arena *arena;
static struct jwk_set *set;
static struct backstage_token_rules rules;

static int
make_keys(void **state UNUSED)
{
	char *text;

	rig_key_make(&key);
	rig_key_make(&other);
	arena = arena_new();
	text = rig_key_set(arena, &key, "k1");
	return jwk_set_parse(text, strlen(text), &set, NULL);
}

static int
free_keys(void **state UNUSED)
{
	jwk_set_free(set);
	rig_key_free(&key);
	rig_key_free(&other);
	arena_free(arena);
	return 0;
}

static int
fresh(void **state UNUSED)
{
	rules = (struct backstage_token_rules){ .audience = "backstage",
	    .algorithms = JWT_ALLOW(JWT_ES256), .now = NOW * INT64_C(1000) };
	return 0;
}

static int
check(const char *token)
{
	struct backstage_token t;
	struct err err = ERR_INIT;
	int r = backstage_token_check(token, &rules, set, &t,
	    &err);

	if (r == 0)
		backstage_token_release(&t);
	else
		assert_null(strstr(err.text, token));
	return r;
}

/* A token of our key with these claims. */
static int
claims(const char *typ, const char *text)
{
	return check(rig_token(arena, &key, "k1", typ, text));
}

static enum backstage_token_kind
kind(const char *token)
{
	return backstage_token_kind(token, "backstage");
}

static void
kinds(void **state UNUSED)
{
	char *user = rig_token(arena, &key, "k1", USER, GOOD);

	assert_int_equal(kind(user), BACKSTAGE_TOKEN_USER);
	assert_int_equal(kind(rig_token(arena, &other, "x", LIMITED, "")),
	    BACKSTAGE_TOKEN_LIMITED);
	assert_int_equal(kind(rig_token(arena, &key, "k1", NULL,
	    "\"aud\":\"backstage\"")), BACKSTAGE_TOKEN_USER);
	assert_int_equal(kind(rig_token(arena, &key, "k1", NULL,
	    "\"aud\":[\"backstage\"]")), BACKSTAGE_TOKEN_NONE);
	assert_int_equal(kind(rig_token(arena, &key, "k1", NULL, GOOD)),
	    BACKSTAGE_TOKEN_NONE);
	assert_int_equal(kind(rig_token(arena, &key, "k1",
	    "vnd.backstage.plugin", "\"aud\":\"backstage\"")),
	    BACKSTAGE_TOKEN_NONE);
	assert_int_equal(kind(rig_token(arena, &key, "k1", "JWT",
	    "\"aud\":\"backstage\"")), BACKSTAGE_TOKEN_NONE);
	assert_int_equal(kind(""), BACKSTAGE_TOKEN_NONE);
	assert_int_equal(kind("."), BACKSTAGE_TOKEN_NONE);
	assert_int_equal(kind(".."), BACKSTAGE_TOKEN_NONE);
	assert_int_equal(kind("a.b.c"), BACKSTAGE_TOKEN_NONE);
	user[strcspn(user, ".")] = '\0';
	assert_int_equal(kind(user), BACKSTAGE_TOKEN_NONE);
}

static void
claims_that_must_be_there(void **state UNUSED)
{
	assert_int_equal(claims(USER, GOOD), 0);
	assert_int_equal(claims(LIMITED, GOOD), 0);
	assert_int_equal(claims(USER, "\"iat\":999990,\"exp\":1000100"),
	    E_AUTH);
	assert_int_equal(claims(USER, "\"sub\":\"\",\"iat\":999990,"
	    "\"exp\":1000100"), E_AUTH);
	assert_int_equal(claims(USER, "\"sub\":1,\"iat\":999990,"
	    "\"exp\":1000100"), E_AUTH);
	assert_int_equal(claims(USER, "\"sub\":\"user:a/b\","
	    "\"iat\":999990"), E_AUTH);
	assert_int_equal(claims(USER, "\"sub\":\"user:a/b\","
	    "\"exp\":1000100"), E_AUTH);
	assert_int_equal(claims(USER, "\"sub\":\"user:a/b\",\"iat\":\"1\","
	    "\"exp\":1000100"), E_AUTH);
	assert_int_equal(claims(NULL, "\"sub\":\"user:a/b\","
	    "\"aud\":\"backstage\",\"exp\":1000100"), 0);
	assert_int_equal(claims(NULL, "\"aud\":\"backstage\","
	    "\"exp\":1000100"), E_AUTH);
	assert_int_equal(claims(NULL, GOOD), E_AUTH);
}

static void
times(void **state UNUSED)
{
	rules.now = INT64_C(1000099999);
	assert_int_equal(claims(USER, GOOD), 0);
	rules.now = INT64_C(1000100000);
	assert_int_equal(claims(USER, GOOD), E_AUTH);
	rules.leeway = 1;
	assert_int_equal(claims(USER, GOOD), 0);
	rules = (struct backstage_token_rules){ .audience = "backstage",
	    .algorithms = rules.algorithms, .now = NOW * INT64_C(1000) };
	assert_int_equal(claims(USER, GOOD ",\"nbf\":1000000"), 0);
	assert_int_equal(claims(USER, GOOD ",\"nbf\":1000001"), E_AUTH);
	assert_int_equal(claims(USER, GOOD ",\"nbf\":\"soon\""), E_AUTH);
}

static void
issuer_and_audience_where_set(void **state UNUSED)
{
	rules.issuer = "https://a.test/api/auth";
	assert_int_equal(claims(USER, GOOD), E_AUTH);
	assert_int_equal(claims(USER, GOOD
	    ",\"iss\":\"https://a.test/api/auth/\""), E_AUTH);
	assert_int_equal(claims(USER, GOOD
	    ",\"iss\":\"https://a.test/api/auth\""), 0);
	assert_int_equal(claims(LIMITED, GOOD), 0);	/* it has no iss */
	rules.issuer = NULL;
	assert_int_equal(claims(USER, GOOD ",\"aud\":\"elsewhere\""), 0);
	rules.audience = "portal";
	rules.audience_always = true;
	assert_int_equal(claims(USER, GOOD ",\"aud\":\"backstage\""), E_AUTH);
	assert_int_equal(claims(USER, GOOD ",\"aud\":[\"x\",\"portal\"]"), 0);
	assert_int_equal(claims(USER, GOOD ",\"aud\":[]"), E_AUTH);
	assert_int_equal(claims(USER, GOOD ",\"aud\":null"), E_AUTH);
	assert_int_equal(claims(USER, GOOD), E_AUTH);
	assert_int_equal(claims(LIMITED, GOOD), 0);	/* nor an aud */
}

static void
signatures(void **state UNUSED)
{
	char *token = rig_token(arena, &key, "k1", USER, GOOD);
	char *end = token + strlen(token) - 4;

	assert_int_equal(check(rig_token(arena, &other, "k1", USER, GOOD)),
	    E_AUTH);
	assert_int_equal(check(rig_token(arena, &key, "k2", USER, GOOD)),
	    E_NOTFOUND);
	*end = *end == 'A' ? 'B' : 'A';
	assert_int_equal(check(token), E_AUTH);
	rules.algorithms = JWT_ALLOW(JWT_RS256);
	assert_int_equal(claims(USER, GOOD), E_AUTH);
}

static void
owned_refs(void **state UNUSED)
{
	char *token = rig_token(arena, &key, "k1", USER, GOOD ",\"ent\":["
	    "\"user:default/jane\",7,\"group:x/Y\"]");
	struct backstage_token t;
	struct string_list refs;

	assert_int_equal(backstage_token_check(token, &rules,
	    set, &t, NULL), 0);
	assert_true(backstage_token_ownership(&t, arena, &refs));
	assert_int_equal(refs.n, 2);
	assert_string_equal(refs.items[1], "group:x/Y");
	assert_null(backstage_token_limited(&t, arena));
	backstage_token_release(&t);
}

/* The signature in it is the auth back end's, over these very bytes. */
static void
limited_token_of_a_user_token(void **state UNUSED)
{
	char *limited = rig_token(arena, &key, "k1", LIMITED, GOOD);
	char *token = rig_token(arena, &key, "k1", USER, arena_printf(arena,
	    "\"x\":1,\"exp\":1000100,\"iat\":999990,"
	    "\"sub\":\"user:default/jane\",\"uip\":\"%s\"",
	    strrchr(limited, '.') + 1));
	struct backstage_token t;

	assert_int_equal(backstage_token_check(token, &rules,
	    set, &t, NULL), 0);
	assert_string_equal(backstage_token_limited(&t, arena), limited);
	backstage_token_release(&t);
	assert_int_equal(check(limited), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(kinds, fresh),
		cmocka_unit_test_setup(claims_that_must_be_there, fresh),
		cmocka_unit_test_setup(times, fresh),
		cmocka_unit_test_setup(issuer_and_audience_where_set, fresh),
		cmocka_unit_test_setup(signatures, fresh),
		cmocka_unit_test_setup(owned_refs, fresh),
		cmocka_unit_test_setup(limited_token_of_a_user_token, fresh),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make_keys, free_keys);
}
