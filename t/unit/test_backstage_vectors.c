/* SPDX-License-Identifier: Apache-2.0 */
/*
 * User tokens as Backstage's own back ends take them, with what they make of
 * each, recorded. Which algorithms count is a setting, so all do here.
 */
#include "base.h"

#include "arena_rig.h"
#include "backstage_token.h"
#include "cluster.h"
#include "err.h"
#include "jwk.h"
#include "vectors.h"

static struct jwk_set *
set_of(struct json_object *in)
{
	const char *text = json_object_to_json_string(jsonx_get(in, "jwks"));
	struct jwk_set *set;
	struct err err = ERR_INIT;

	if (jwk_set_parse(text, strlen(text), &set, &err) != 0)
		fail_msg("%s", err.text);
	return set;
}

static bool
same_list(struct json_object *want, const struct string_list *got)
{
	struct json_object *list = json_object_new_array();
	bool same;
	size_t i;

	for (i = 0; i < got->n; i++)
		json_object_array_add(list,
		    json_object_new_string(got->items[i]));
	same = vectors_same_json("ownership", want, list);
	json_object_put(list);
	return same;
}

static bool
as_expected(const struct backstage_token *t, struct json_object *expected)
{
	struct json_object *want;
	struct string_list refs;
	bool ok = vectors_same("user", jsonx_str(expected, "user_entity_ref"),
	    t->user);

	backstage_token_ownership(t, rig.arena, &refs);
	if ((want = jsonx_get(expected, "ownership")) != NULL)
		ok &= same_list(want, &refs);
	if ((want = jsonx_get(expected, "limited")) != NULL &&
	    (t->kind == BACKSTAGE_TOKEN_LIMITED) !=
	    json_object_get_boolean(want)) {
		print_error("limited or not: it is the other\n");
		ok = false;
	}
	if ((want = jsonx_get(expected, "limited_user_token")) != NULL)
		ok &= vectors_same("limited token",
		    json_object_get_string(want),
		    backstage_token_limited(t, rig.arena));
	return ok;
}

static int64_t
milliseconds(struct json_object *in, const char *name)
{
	return (int64_t)(json_object_get_double(jsonx_get(in, name)) * 1000);
}

static bool
token_case(struct json_object *in, struct json_object *expected)
{
	const struct backstage_token_rules rules = {
		.audience = "backstage", .algorithms = JWT_ALLOW(JWT_RS256) |
		    JWT_ALLOW(JWT_PS256) | JWT_ALLOW(JWT_ES256),
		.now = milliseconds(in, "now"),
		.leeway = milliseconds(in, "leeway_s") };
	bool good = json_object_get_boolean(jsonx_get(expected, "accept"));
	const char *token = jsonx_str(in, "token");
	struct jwk_set *set = set_of(in);
	struct backstage_token t;
	struct err err = ERR_INIT;
	int r = backstage_token_check(token, &rules, set, &t,
	    &err);
	bool ok = (r == 0) == good;

	if (!ok)
		print_error("%s: %s\n", r == 0 ? "accepted" : "refused",
		    err.text);
	if (r == 0) {
		ok &= !good || as_expected(&t, expected);
		backstage_token_release(&t);
	}
	jwk_set_free(set);
	return ok;
}

static void
user_tokens(void **state UNUSED)
{
	vectors_each("backstage_user_token", token_case);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(user_tokens),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
