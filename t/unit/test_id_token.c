/* SPDX-License-Identifier: Apache-2.0 */
/* The claims of id tokens, one broken at a time. */
#include "base.h"

#include "id_token.h"
#include "jwt_rig.h"

#define NOW INT64_C(1741964966)		/* s */

static const struct id_token_rules usual = {
	.issuer = "https://idp.example.test",
	.client_id = "stagedoor",
	.nonce = "n-1",
	.access_token = NULL,
	.now = NOW * 1000,
	.leeway = ID_TOKEN_LEEWAY_MS,
};

/* What the rules make of these claims, whoever signed them. */
static int
check(const char *claims, const struct id_token_rules *rules, struct err *err)
{
	struct jwt_parts parts = { .claims = NULL };
	char *token = arena_printf(rig.arena, "%s.%s.AAAA",
	    jwt_base64url(rig.arena, "{\"alg\":\"RS256\"}", 15),
	    jwt_base64url(rig.arena, claims, strlen(claims)));
	int r;

	if (jwt_parse(token, strlen(token), RIG_ALL, &parts, err) != 0)
		fail_msg("%s: %s", claims, err->text);
	r = id_token_check(&parts, rules, err);
	jwt_parts_release(&parts);
	return r;
}

/* Good claims but for those given: each a name with its value, or with ""
   to leave it out; NULL ends them. */
struct change {
	const char *name, *value;
};

static char *
claims_with(const struct change *changes)
{
	static const struct change good[] = {
		{ "iss", "\"https://idp.example.test\"" },
		{ "aud", "\"stagedoor\"" }, { "sub", "\"jane\"" },
		{ "exp", "1741968566" }, { "iat", "1741964961" },
		{ "nonce", "\"n-1\"" },
	};
	char *out = arena_strdup(rig.arena, "{\"x\":1");
	const struct change *c;
	size_t i;

	for (i = 0; i < ARRAY_LEN(good); i++) {
		for (c = changes; c->name != NULL; c++)
			if (strcmp(c->name, good[i].name) == 0)
				break;
		if (c->name == NULL)
			out = arena_printf(rig.arena, "%s,\"%s\":%s", out,
			    good[i].name, good[i].value);
	}
	for (c = changes; c->name != NULL; c++)
		if (*c->value != '\0')
			out = arena_printf(rig.arena, "%s,\"%s\":%s", out,
			    c->name, c->value);
	return arena_printf(rig.arena, "%s}", out);
}

struct row {
	const char *wrong;	/* which claim err names; NULL: it is good */
	struct change changes[3];
};

static void
judge(const struct row *row, const struct id_token_rules *rules)
{
	char *claims = claims_with(row->changes);
	struct err err = ERR_INIT;
	int r = check(claims, rules, &err);

	if (r != (row->wrong != NULL ? E_AUTH : 0))
		fail_msg("%s: %d %s", claims, r, err.text);
	if (row->wrong == NULL)
		return;
	if (strstr(err.text, arena_printf(rig.arena, "(%s)",
	    row->wrong)) == NULL)
		fail_msg("%s: '%s' does not name %s", claims, err.text,
		    row->wrong);
	assert_null(strstr(err.text, "evil"));
	assert_null(strstr(err.text, "n-1"));
}

static void
whose_and_for_whom(void **state UNUSED)
{
	static const struct row rows[] = {
		{ NULL, { { NULL, NULL } } },
		{ "iss", { { "iss", "" } } },
		{ "iss", { { "iss", "null" } } },
		{ "iss", { { "iss", "\"https://idp.example.test/\"" } } },
		{ "iss", { { "iss", "\"https://IDP.example.test\"" } } },
		{ "iss", { { "iss", "[\"https://idp.example.test\"]" } } },
		{ "iss", { { "iss", "\"\"" } } },
		{ "sub", { { "sub", "" } } },
		{ "sub", { { "sub", "\"\"" } } },
		{ "sub", { { "sub", "7" } } },
		{ "aud", { { "aud", "" } } },
		{ "aud", { { "aud", "null" } } },
		{ "aud", { { "aud", "\"evil\"" } } },
		{ "aud", { { "aud", "\"stagedoor2\"" } } },
		{ "aud", { { "aud", "\"stagedoo\"" } } },
		{ "aud", { { "aud", "[]" } } },
		{ "aud", { { "aud", "[\"evil\"]" } } },
		{ "aud", { { "aud", "{\"stagedoor\":1}" } } },
		{ "aud", { { "aud", "[\"stagedoor\",1]" },
		    { "azp", "\"stagedoor\"" } } },
		{ NULL, { { "aud", "[\"stagedoor\"]" } } },
		{ NULL, { { "aud", "[\"evil\",\"stagedoor\"]" },
		    { "azp", "\"stagedoor\"" } } },
		{ "azp", { { "aud", "[\"stagedoor\",\"evil\"]" } } },
		{ "azp", { { "aud", "[\"stagedoor\",\"evil\"]" },
		    { "azp", "\"evil\"" } } },
		{ "azp", { { "azp", "\"evil\"" } } },
		{ "azp", { { "azp", "null" } } },
		{ "azp", { { "azp", "[\"stagedoor\"]" } } },
		{ NULL, { { "azp", "\"stagedoor\"" } } },
		{ "nonce", { { "nonce", "" } } },
		{ "nonce", { { "nonce", "\"n-2\"" } } },
		{ "nonce", { { "nonce", "\"\"" } } },
		{ "nonce", { { "nonce", "null" } } },
		{ "nonce", { { "nonce", "[\"n-1\"]" } } },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++)
		judge(&rows[i], &usual);
}

/* 60 seconds of leeway: 1741964906 to 1741965026. */
static void
times_at_their_bounds(void **state UNUSED)
{
	static const struct row rows[] = {
		{ "exp", { { "exp", "" } } },
		{ "exp", { { "exp", "null" } } },
		{ "exp", { { "exp", "\"1741968566\"" } } },
		{ "exp", { { "exp", "1741964906" } } },
		{ NULL, { { "exp", "1741964907" } } },
		{ NULL, { { "exp", "1741964906.5" } } },
		{ "exp", { { "exp", "1741964905.5" } } },
		{ "exp", { { "exp", "-1" } } },
		{ NULL, { { "exp", "99999999999999999999" } } },
		{ "iat", { { "iat", "" } } },
		{ "iat", { { "iat", "true" } } },
		{ "iat", { { "iat", "\"1741964961\"" } } },
		{ NULL, { { "iat", "1741965026" } } },
		{ "iat", { { "iat", "1741965026.5" } } },
		{ "iat", { { "iat", "1741965027" } } },
		{ NULL, { { "iat", "0" } } },
		{ "iat", { { "iat", "1e300" } } },
		{ NULL, { { "nbf", "1741965026" } } },
		{ "nbf", { { "nbf", "1741965027" } } },
		{ "nbf", { { "nbf", "\"1741964961\"" } } },
		{ "nbf", { { "nbf", "null" } } },
		{ NULL, { { "nbf", "1741964961.75" } } },
	};
	struct id_token_rules strict = usual;
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++)
		judge(&rows[i], &usual);
	strict.leeway = 0;
	judge(&(struct row){ "exp", { { "exp", "1741964966" } } }, &strict);
	judge(&(struct row){ NULL, { { "exp", "1741964967" } } }, &strict);
	judge(&(struct row){ NULL, { { "iat", "1741964966" } } }, &strict);
	judge(&(struct row){ "iat", { { "iat", "1741964967" } } }, &strict);
}

static void
the_access_token_it_came_with(void **state UNUSED)
{
	/* BASE64URL of the first 16 bytes of SHA-256("accessToken123") */
	static const struct row rows[] = {
		{ NULL, { { "x-none", "1" } } },
		{ NULL, { { "at_hash", "\"TUZpTo_WYQFzYTzb1wOKmw\"" } } },
		{ "at_hash", { { "at_hash", "\"AAAAAAAAAAAAAAAAAAAAAA\"" } } },
		{ "at_hash", { { "at_hash",
		    "\"TUZpTo_WYQFzYTzb1wOKmw==\"" } } },
		{ "at_hash", { { "at_hash", "\"\"" } } },
		{ "at_hash", { { "at_hash", "null" } } },
		{ "at_hash", { { "at_hash", "7" } } },
	};
	struct id_token_rules rules = usual;
	size_t i;

	rules.access_token = "accessToken123";
	for (i = 0; i < ARRAY_LEN(rows); i++)
		judge(&rows[i], &rules);
	/* Where there is none it says nothing. */
	for (i = 0; i < ARRAY_LEN(rows); i++)
		judge(&(struct row){ NULL, { rows[i].changes[0] } }, &usual);
}

static void
rules_that_are_left_out(void **state UNUSED)
{
	static const struct row rows[] = {
		{ NULL, { { "iss", "\"evil\"" } } },
		{ NULL, { { "iss", "" } } },
		{ NULL, { { "nonce", "" } } },
		{ NULL, { { "nonce", "\"another\"" } } },
		{ "aud", { { "aud", "\"evil\"" } } },
	};
	struct id_token_rules rules = usual;
	size_t i;

	rules.issuer = rules.nonce = NULL;
	for (i = 0; i < ARRAY_LEN(rows); i++)
		judge(&rows[i], &rules);
	/* An empty client or nonce is met by nobody. */
	rules.client_id = "";
	judge(&(struct row){ "aud", { { "aud", "\"\"" } } }, &rules);
	rules = usual;
	rules.nonce = "";
	judge(&(struct row){ "nonce", { { "nonce", "\"\"" } } }, &rules);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(whose_and_for_whom),
		TEST(times_at_their_bounds),
		TEST(the_access_token_it_came_with),
		TEST(rules_that_are_left_out),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
