/* SPDX-License-Identifier: Apache-2.0 */
/* What is said after a redirect: words out of a list, and sealed ones. */
#include "base.h"

#include "connect_rig.h"
#include "notice.h"

static struct notice
parse(const char *query)
{
	struct notice n;

	notice_parse(&rig.rt, rig.arena, query, &n);
	return n;
}

/* Each code finds its way through an address, with its login or without. */
static void
there_and_back(void **state UNUSED)
{
	enum notice_code code;
	size_t i;

	for (code = NOTICE_CONNECTED; code <= NOTICE_GARBLED; code++)
		for (i = 0; i <= 3; i++) {
			const struct notice n = { .code = code,
			    .login = i < 3 ? &rig.logins[i] : NULL };
			const char *query = notice_query(rig.arena, &n);
			const struct notice back = parse(query);

			assert_int_equal(back.code, code);
			assert_ptr_equal(back.login, n.login);
			assert_null(back.words);
			assert_int_equal(str_starts(query, "failed="),
			    notice_failed(code));
		}
	assert_string_equal(notice_query(rig.arena, &(struct notice){
	    .code = NOTICE_DENIED, .login = &rig.logins[0] }),
	    "failed=denied&login=oidc/okta");
}

static void
nothing_else(void **state UNUSED)
{
	static const char *const rows[] = { NULL, "", "failed=",
	    "failed=<script>", "done=denied", "failed=connected",
	    "failed=denied&failed=denied", "x=denied",
	    "failed=Denied", "failed=denied%00", "state=abc",
	    "failed=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" };
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(parse(rows[i]).code, NOTICE_NONE);
	assert_null(parse("failed=denied&login=oidc/evil").login);
	assert_null(parse("failed=denied&login=%3Cb%3E").login);
	assert_null(parse("failed=denied&login=").login);
}

static void
sentences(void **state UNUSED)
{
	enum notice_code code;

	for (code = NOTICE_CONNECTED; code <= NOTICE_GARBLED; code++) {
		const char *title = notice_title(rig.arena, code, "Okta");
		const char *text = notice_text(rig.arena, code, "Okta");

		assert_true(strlen(title) > 10 && strlen(text) > 10);
		assert_null(strchr(title, '%'));
		assert_null(strchr(text, '%'));
		assert_int_equal(text[strlen(text) - 1], '.');
	}
	assert_string_equal(notice_title(rig.arena, NOTICE_DENIED, "Okta"),
	    "You were not let in at Okta");
	assert_string_equal(notice_title(rig.arena, NOTICE_AWAY,
	    "the issuer"), "The issuer does not answer");
	assert_string_equal(notice_title(rig.arena, NOTICE_AWAY,
	    "id.example.org"), "id.example.org does not answer");
}

static const char *
words_of(const struct notice *sealed, enum notice_code code,
    const char *user)
{
	struct notice n = { .code = code };
	const char *value = notice_seal(&rig.rt, rig.arena, sealed,
	    rig.ann.user, clock_wall_ms());

	assert_non_null(value);
	notice_open(&rig.rt, rig.arena, &n, user, value);
	return n.words;
}

static void
words_of_others(void **state UNUSED)
{
	struct notice n = { .code = NOTICE_DENIED,
	    .words = "access_denied: <b>no</b>" };
	char big[2000];

	assert_string_equal(words_of(&n, NOTICE_DENIED, rig.ann.user),
	    "access_denied: <b>no</b>");
	/* For this user and this code. */
	assert_null(words_of(&n, NOTICE_REFUSED, rig.ann.user));
	assert_null(words_of(&n, NOTICE_DENIED, "user:default/bob"));
	/* What looks like a secret goes, what is long is cut. */
	n.words = "no: token=abcdefgh1234";
	assert_null(strstr(words_of(&n, NOTICE_DENIED, rig.ann.user),
	    "abcdefgh1234"));
	memset(big, '.', sizeof(big));
	big[sizeof(big) - 1] = '\0';
	n.words = big;
	assert_int_equal(strlen(words_of(&n, NOTICE_DENIED, rig.ann.user)),
	    NOTICE_WORDS_MAX);
	n.words = "";
	assert_null(notice_seal(&rig.rt, rig.arena, &n, rig.ann.user, 1));
	n.words = NULL;
	assert_null(notice_seal(&rig.rt, rig.arena, &n, rig.ann.user, 1));
}

static void
words_that_are_old_or_forged(void **state UNUSED)
{
	struct notice n = { .code = NOTICE_DENIED, .words = "no" };
	const char *value = notice_seal(&rig.rt, rig.arena, &n, rig.ann.user,
	    clock_wall_ms() - NOTICE_MS - 1);

	notice_open(&rig.rt, rig.arena, &n, rig.ann.user, value);
	assert_null(n.words);
	notice_open(&rig.rt, rig.arena, &n, rig.ann.user, "1.QUJD");
	assert_null(n.words);
	notice_open(&rig.rt, rig.arena, &n, rig.ann.user, "Call 555");
	assert_null(n.words);
}

static void
codes_of_errors(void **state UNUSED)
{
	assert_int_equal(notice_of(E_AUTH), NOTICE_REFUSED);
	assert_int_equal(notice_of(E_STORE), NOTICE_NOT_KEPT);
	assert_int_equal(notice_of(E_CONFIG), NOTICE_SETUP);
	assert_int_equal(notice_of(E_DENIED), NOTICE_SETUP);
	assert_int_equal(notice_of(E_CONNECT), NOTICE_AWAY);
	assert_int_equal(notice_of(E_TIMEOUT), NOTICE_AWAY);
	assert_int_equal(notice_of(E_PROTOCOL), NOTICE_AWAY);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CONNECT_TEST(there_and_back),
		CONNECT_TEST(nothing_else),
		CONNECT_TEST(sentences),
		CONNECT_TEST(words_of_others),
		CONNECT_TEST(words_that_are_old_or_forged),
		CONNECT_TEST(codes_of_errors),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
