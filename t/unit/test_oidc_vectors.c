/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Id tokens that a library of others takes or refuses, under a fixed clock
 * and with the keys of one issuer.
 */
#include "base.h"

#include "arena_rig.h"
#include "id_token.h"
#include "jwk.h"
#include "vectors.h"

static unsigned
allowed_of(struct json_object *list)
{
	size_t i, n = json_object_array_length(list);
	const char **names = arena_alloc(rig.arena, n * sizeof(*names));

	for (i = 0; i < n; i++)
		names[i] = json_object_get_string(json_object_array_get_idx(
		    list, i));
	return jwt_allowed(names, n);
}

static int
judge(struct json_object *in, const struct jwk_set *set, struct err *err)
{
	const struct id_token_rules rules = {
		.issuer = jsonx_str(in, "issuer"),
		.client_id = jsonx_str(in, "client_id"),
		.nonce = jsonx_str(in, "nonce"),
		.access_token = jsonx_str(in, "access_token"),
		.now = json_object_get_int64(jsonx_get(in, "now")) * 1000,
		.leeway = json_object_get_int64(jsonx_get(in, "leeway_s")) *
		    1000,
	};
	const char *token = jsonx_str(in, "token");
	struct jwt_parts parts;
	int r;

	r = jwt_parse(token, strlen(token), allowed_of(jsonx_get(in,
	    "allowed_algs")), &parts, err);
	if (r == 0)
		r = jwt_verify(&parts, set, err);
	if (r == 0)
		r = id_token_check(&parts, &rules, err);
	jwt_parts_release(&parts);
	return r;
}

static bool
token_case(struct json_object *in, struct json_object *expected)
{
	const char *jwks = json_object_to_json_string(jsonx_get(in, "jwks"));
	bool accept = json_object_get_boolean(jsonx_get(expected, "accept"));
	struct jwk_set *set;
	struct err err = ERR_INIT;
	int r;

	assert_int_equal(jwk_set_parse(jwks, strlen(jwks), &set, &err), 0);
	r = judge(in, set, &err);
	jwk_set_free(set);
	if ((r == 0) != accept)
		print_error("expected: %s; got: %s\n", accept ? "taken" :
		    jsonx_str(expected, "reason"), r == 0 ? "taken" :
		    err.text);
	return accept ? r == 0 : r == E_AUTH || r == E_NOTFOUND;
}

static void
id_tokens(void **state UNUSED)
{
	vectors_each("oidc_id_token", token_case);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(id_tokens),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
