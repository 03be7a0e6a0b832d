/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Entra's assertions as its own libraries make them: inputs and outputs of
 * those, recorded.
 */
#include "base.h"

#include "azure_rig.h"
#include "azure_assertion.h"
#include "azure_entra.h"
#include "jwt_parts.h"
#include "strbuf.h"
#include "vectors.h"

static bool
same_parts(const char *token, struct json_object *expected)
{
	struct json_object *header = jwt_json(rig.arena, token, 0);
	struct json_object *claims = jwt_json(rig.arena, token, 1);
	bool ok = json_object_equal(header, jsonx_get(expected, "header")) &&
	    jsonx_get(claims, "iat") != NULL;

	json_object_object_foreach(jsonx_get(expected, "claims_required"),
	    name, value)
		ok &= json_object_equal(jsonx_get(claims, name), value) != 0;
	if (!ok)
		print_error("%s\n%s\n", json_object_to_json_string(header),
		    json_object_to_json_string(claims));
	json_object_put(header);
	json_object_put(claims);
	return ok;
}

/* What the library signed, signed by us. */
static bool
same_bytes(const struct azure_assertion *a, struct json_object *expected)
{
	const char *want = jsonx_str(expected, "assertion");
	struct jwt jwt = { .algorithm = a->algorithm, .key = a->pem };
	char *token = NULL;
	size_t len;

	if (!json_object_get_boolean(jsonx_get(expected, "deterministic")))
		return true;
	jwt.header = jwt_part(rig.arena, want, 0, &len);
	jwt.claims = jwt_part(rig.arena, want, 1, &len);
	assert_int_equal(jwt_sign(rig.arena, &jwt, &token, NULL), 0);
	return vectors_same("assertion", want, token) &&
	    str_starts(token, jsonx_str(expected, "signing_input"));
}

static bool
same_form(const struct provider_call *call, struct azure_application *app,
    struct json_object *expected)
{
	struct strbuf sb = STRBUF_INIT(65536);
	bool ok;

	strbuf_addstr(&sb, "client_assertion_type=");
	strbuf_add_percent(&sb, jsonx_str(expected, "client_assertion_type"),
	    "");
	strbuf_addf(&sb, "&client_assertion=%s", app->assertion);
	ok = strstr(azure_form(call, app), sb.buf) != NULL;
	if (!ok)
		print_error("the form is %s\n", azure_form(call, app));
	strbuf_release(&sb);
	return ok;
}

static bool
one_case(struct json_object *in, struct json_object *expected)
{
	struct azure_application app = { .client_id = jsonx_str(in,
	    "client_id") };
	struct provider_call call = rig_call();
	struct secret pem = SECRET_INIT;
	struct azure_assertion a = { .pem = &pem, .client_id = app.client_id,
	    .chain = json_object_get_boolean(jsonx_get(in, "send_chain")),
	    .algorithm = strcmp(jsonx_str(in, "alg"), "RS256") == 0 ?
		JWT_RS256 : JWT_PS256,
	    .now = json_object_get_int64(jsonx_get(in, "now")) * 1000,
	    .id = jsonx_str(in, "jti") };
	struct err err = ERR_INIT;
	char *token = NULL, *text;
	bool ok;

	rig_variable("AZURE_TENANT_ID", jsonx_str(in, "tenant_id"));
	rig_variable("AZURE_AUTHORITY_HOST", jsonx_str(in, "authority_host"));
	text = vectors_with_keys(jsonx_str(in, "pem"));
	secret_set(&pem, text, strlen(text));
	assert_int_equal(azure_token_url(&call, NULL, &app, &err), 0);
	a.token_url = app.token_url;
	if (azure_assertion(rig.arena, &a, &token, &err) != 0)
		fail_msg("%s", err.text);
	app.assertion = token;
	ok = vectors_same("url", jsonx_str(expected, "token_url"),
	    app.token_url) && same_parts(token, expected) &&
	    same_bytes(&a, expected) && same_form(&call, &app, expected) &&
	    jwt_signed_pem(rig.arena, token, jsonx_str(expected,
	    "public_key_pem"), a.algorithm == JWT_PS256);
	secret_release(&pem);
	return ok;
}

static void
assertions(void **state UNUSED)
{
	vectors_each("azure_cert_assertion", one_case);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(assertions),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
