/* SPDX-License-Identifier: Apache-2.0 */
/* Kept sign-ins as they are told: in order, in columns, and no token. */
#include "base.h"

#include <setjmp.h>
#include <cmocka.h>

#include "arena.h"
#include "clock.h"
#include "settings.h"
#include "strbuf.h"
#include "tokens.h"
#include "tokens_told.h"

#define DAY INT64_C(86400000)
#define THEN INT64_C(1700000000123)	/* 2023-11-14T22:13:20.123Z */

static struct login_settings logins[] = {
	{ .provider = LOGIN_OIDC, .name = "corp" },
	{ .provider = LOGIN_AKS },
};
static const struct settings settings = { .logins = logins,
    .nlogins = ARRAY_LEN(logins) };

static struct tokens_told told;
static struct strbuf out = STRBUF_INIT(STRBUF_UNLIMITED);

static int
begin(void **state UNUSED)
{
	setenv("TZ", "UTC", 1);
	told = (struct tokens_told){ .arena = arena_new() };
	return 0;
}

static int
end(void **state UNUSED)
{
	tokens_told_release(&told);
	arena_free(told.arena);
	strbuf_release(&out);
	return 0;
}

/* A set of that user's; id and access tokens end apart. */
static void
add(const char *user, const char *provider, const char *name,
    const char *account, const char *ended)
{
	char text[] = "a-secret-token";
	struct token_set ts = {
		.user = xstrdup(user), .provider = xstrdup(provider),
		.name = xstrdup(name), .subject = xstrdup("s-1"),
		.account = account != NULL ? xstrdup(account) : NULL,
		.signed_in = THEN, .refreshed = THEN + 1000,
		.id_expires = THEN + 60000, .access_expires = THEN + 90000,
	};

	secret_set(&ts.id_token, text, strlen(text));
	secret_set(&ts.access_token, text, strlen(text));
	if (account != NULL)
		secret_set(&ts.refresh_token, text, strlen(text));
	if (ended != NULL)
		token_set_end(&ts, ended);
	tokens_told_add(&told, &settings, &ts);
	token_set_release(&ts);
}

static void
is_a_table_in_order(void **state UNUSED)
{
	add("user:default/bob", "oidc", "corp", NULL, NULL);
	add("user:default/ann", "oidc", "corp", "ann@example.org",
	    "the issuer refused: invalid_grant");
	add("user:default/ann", "aks", "", "ann@example.org", NULL);
	tokens_told_sort(&told);
	tokens_told_table(&told, &out);
	assert_string_equal(out.buf,
"USER              PROVIDER  NAME  ACCOUNT          SIGNED IN            "
    "RENEWED              UNTIL                STATE\n"
"user:default/ann  aks       -     ann@example.org  2023-11-14 22:13:20  "
    "2023-11-14 22:13:21  2023-11-14 22:14:50  renewed by itself\n"
"user:default/ann  oidc      corp  ann@example.org  2023-11-14 22:13:20  "
    "2023-11-14 22:13:21  -                    "
    "ended: the issuer refused: invalid_grant\n"
"user:default/bob  oidc      corp  -                2023-11-14 22:13:20  "
    "2023-11-14 22:13:21  2023-11-14 22:14:20  has run out\n");
	assert_null(strstr(out.buf, "secret"));
}

static void
lets_nobody_write_on_a_terminal(void **state UNUSED)
{
	add("user:default/\x1b[2Jx", "oidc", "corp",
	    "a\nroot\r\xc2\x9b" "b", "why\x07\n\x7f");
	tokens_told_table(&told, &out);
	assert_null(strpbrk(out.buf, "\x1b\r\x07\x7f"));
	assert_null(strstr(out.buf, "\xc2\x9b"));
	assert_non_null(strstr(out.buf, "a\\x0aroot"));
	/* the heading and one line */
	assert_string_equal(strchr(strchr(out.buf, '\n') + 1, '\n'), "\n");
}

static void
is_json_a_line(void **state UNUSED)
{
	add("user:default/ann", "oidc", "corp", "a\"\nb", NULL);
	add("user:default/bob", "oidc", "gone", NULL, "why");
	tokens_told_json(&told, &out);
	assert_string_equal(out.buf,
	    "{\"user\":\"user:default/ann\",\"provider\":\"oidc\","
	    "\"name\":\"corp\",\"account\":\"a\\\"\\nb\","
	    "\"subject\":\"s-1\","
	    "\"signedIn\":\"2023-11-14T22:13:20.123Z\","
	    "\"renewed\":\"2023-11-14T22:13:21.123Z\","
	    "\"expires\":\"2023-11-14T22:14:20.123Z\",\"renews\":true}\n"
	    "{\"user\":\"user:default/bob\",\"provider\":\"oidc\","
	    "\"name\":\"gone\",\"subject\":\"s-1\","
	    "\"signedIn\":\"2023-11-14T22:13:20.123Z\","
	    "\"renewed\":\"2023-11-14T22:13:21.123Z\",\"renews\":false,"
	    "\"ended\":\"why\"}\n");
}

/* A login that the settings have no more: the later of both ends. */
static void
knows_what_it_can_of_others(void **state UNUSED)
{
	add("user:default/ann", "oidc", "gone", "ann", NULL);
	assert_int_equal(told.items[0].expires, THEN + 90000);
	told.items[0].expires = clock_wall_ms() + DAY;
	told.items[0].renews = false;
	assert_string_equal(token_told_state(told.arena, &told.items[0]),
	    "until then");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)
		T(is_a_table_in_order), T(lets_nobody_write_on_a_terminal),
		T(is_json_a_line), T(knows_what_it_can_of_others),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
