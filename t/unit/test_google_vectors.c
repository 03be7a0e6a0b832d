/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Assertions of service accounts as Google's own library makes them: its
 * inputs and outputs, recorded.
 */
#include "base.h"

#include "google_rig.h"
#include "jwt.h"
#include "jwt_parts.h"
#include "vectors.h"

static char *
scopes_of(struct json_object *in)
{
	struct json_object *list = jsonx_get(in, "scopes");
	char *out = arena_strdup(rig.arena, "");
	size_t i;

	for (i = 0; i < json_object_array_length(list); i++)
		out = arena_printf(rig.arena, "%s%s%s", out, i ? " " : "",
		    json_object_get_string(json_object_array_get_idx(list,
		    i)));
	return out;
}

/* Header and claims as JSON, and a signature that the public key opens. */
static bool
assertion_case(struct json_object *in, struct json_object *expected)
{
	struct json_object *account = jsonx_get(in, "service_account_json");
	struct secret key = SECRET_INIT;
	struct err err = ERR_INIT;
	const char *pem = vectors_with_keys(jsonx_str(account, "private_key"));
	const struct google_assertion a = { .key = &key,
	    .email = jsonx_str(account, "client_email"),
	    .key_id = jsonx_str(account, "private_key_id"),
	    .scopes = scopes_of(in), .subject = jsonx_str(in, "subject"),
	    .now = json_object_get_int64(jsonx_get(in, "now")) * 1000 + 999 };
	struct json_object *header, *claims;
	const char *jwt;
	bool ok;

	secret_set(&key, pem, strlen(pem));
	jwt = google_assertion(rig.arena, &a, &err);
	if (jwt == NULL)
		fail_msg("%s", err.text);
	header = jwt_json(rig.arena, jwt, 0);
	claims = jwt_json(rig.arena, jwt, 1);
	ok = vectors_same_json("header", jsonx_get(expected, "header"),
	    header);
	ok &= vectors_same_json("claims", jsonx_get(expected, "claims"),
	    claims);
	ok &= jwt_signed_pem(rig.arena, jwt, jsonx_str(expected,
	    "public_key_pem"), false);
	json_object_put(header);
	json_object_put(claims);
	secret_release(&key);
	return ok;
}

/* RS256 gives the same each time, so their very text comes out signed so. */
static bool
signature_case(struct json_object *in, struct json_object *expected)
{
	const char *text = jsonx_str(expected, "compact_signing_input");
	const char *pem = vectors_with_keys(jsonx_str(jsonx_get(in,
	    "service_account_json"), "private_key"));
	struct secret key = SECRET_INIT;
	size_t len;
	const struct jwt jwt = { .algorithm = JWT_RS256, .key = &key,
	    .header = jwt_part(rig.arena, text, 0, &len),
	    .claims = jwt_part(rig.arena, text, 1, &len) };
	char *out = NULL;

	secret_set(&key, pem, strlen(pem));
	assert_int_equal(jwt_sign(rig.arena, &jwt, &out, NULL), 0);
	secret_release(&key);
	return str_eq(out, jsonx_str(expected, "compact_assertion"));
}

/* The same through all of google_token: it is posted where it belongs. */
static bool
posted_case(struct json_object *in, struct json_object *expected)
{
	struct json_object *account = jsonx_get(in, "service_account_json");
	const char *uri = jsonx_str(account, "token_uri");

	rig_credentials(vectors_with_keys(json_object_to_json_string(account)));
	rig_says(uri, "{\"access_token\":\"tok\",\"expires_in\":3599}");
	rig_expect("tok");
	rig_form_has(0, arena_printf(rig.arena, "grant_type=%s",
	    google_encode(rig.arena, jsonx_str(expected, "grant_type"))));
	return strstr(rig.asked[0].body, "assertion=eyJ") != NULL;
}

static void
assertions(void **state UNUSED)
{
	vectors_each("google_sa_jwt", assertion_case);
}

static void
signatures(void **state UNUSED)
{
	vectors_each("google_sa_jwt", signature_case);
}

static void
posted(void **state UNUSED)
{
	vectors_each("google_sa_jwt", posted_case);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(assertions),
		cmocka_unit_test(signatures),
		cmocka_unit_test(posted),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
