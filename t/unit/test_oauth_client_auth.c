/* SPDX-License-Identifier: Apache-2.0 */
/* How we show an issuer who we are, in each of the four ways. */
#include "base.h"

#include <openssl/err.h>

#include "oauth_sets.h"
#include "jwt_parts.h"

static char folder[] = "/tmp/stagedoor-oauth-XXXXXX";

static const char *
file_with(const char *text)
{
	char *path = arena_printf(w.arena, "%s/file", folder);
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
	return path;
}

static void
ask(void)
{
	answers(200, tokens_with(sign(claims_with("")), ""));
	w.nsecrets--;
	exchange_works();
}

static bool
has_header(const char *line)
{
	return strstr(w.headers, arena_printf(w.arena, "%s\n", line)) != NULL;
}

static void
basic(void **state UNUSED)
{
	ask();
	assert_true(has_header("Authorization: Basic " BASIC));
	assert_true(has_header("Content-Type: "
	    "application/x-www-form-urlencoded"));
	assert_true(has_header("Accept: application/json"));
	assert_null(sent("client_id"));
	assert_null(sent("client_secret"));
}

static void
post(void **state UNUSED)
{
	w.login.client_auth = CLIENT_AUTH_POST;
	ask();
	assert_null(strstr(w.headers, "Authorization"));
	assert_string_equal(sent("client_id"), CLIENT);
	assert_string_equal(sent("client_secret"), CLIENT_SECRET);
}

static void
none(void **state UNUSED)
{
	w.login.client_auth = CLIENT_AUTH_NONE;
	ask();
	assert_null(strstr(w.headers, "Authorization"));
	assert_string_equal(sent("client_id"), CLIENT);
	assert_null(sent("client_secret"));
	assert_null(sent("client_assertion"));
}

/* The file beats the value, and is read each time. */
static void
from_file(void **state UNUSED)
{
	w.login.client_auth = CLIENT_AUTH_POST;
	w.login.client_secret_file = file_with("first\n");
	ask();
	assert_string_equal(sent("client_secret"), "first");
	file_with("second");
	ask();
	assert_string_equal(sent("client_secret"), "second");
}

static void
no_secret(void **state UNUSED)
{
	int how;

	answers(200, "{}");
	for (how = CLIENT_AUTH_BASIC; how <= CLIENT_AUTH_POST; how++) {
		w.login.client_auth = (enum client_auth)how;
		w.login.client_secret_file = "/nonexistent/file";
		exchange_fails(E_CONFIG, "/nonexistent/file");
		w.login.client_secret_file = file_with("\n");
		exchange_fails(E_CONFIG, "is empty");
		w.login.client_secret_file = NULL;
	}
	secret_release(&w.login.client_secret);
	exchange_fails(E_CONFIG, "no clientSecret");
	assert_int_equal(w.nasked, 0);
}

/* --- private_key_jwt ----------------------------------------------------- */

static struct json_object *
assertion_part(unsigned which)
{
	return jwt_json(w.arena, sent("client_assertion"), which);
}

static void
check_claims(const char *token_url)
{
	struct json_object *claims = assertion_part(1);

	assert_string_equal(jsonx_str(claims, "iss"), CLIENT);
	assert_string_equal(jsonx_str(claims, "sub"), CLIENT);
	assert_string_equal(jsonx_str(claims, "aud"), token_url);
	assert_true(strlen(jsonx_str(claims, "jti")) >= 22);
	assert_int_equal(json_object_get_int64(jsonx_get(claims, "iat")),
	    NOW / 1000);
	assert_int_equal(json_object_get_int64(jsonx_get(claims, "exp")),
	    NOW / 1000 + 300);
	json_object_put(claims);
}

static void
signature(void **state UNUSED)
{
	struct json_object *header;
	char *first;

	w.login.client_auth = CLIENT_AUTH_PRIVATE_KEY_JWT;
	w.login.key_file = file_with(w.pem.ptr);
	ask();
	assert_null(strstr(w.headers, "Authorization"));
	assert_null(sent("client_secret"));
	assert_string_equal(sent("client_id"), CLIENT);
	assert_string_equal(sent("client_assertion_type"),
	    "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
	header = assertion_part(0);
	assert_string_equal(jsonx_str(header, "alg"), "RS256");
	assert_null(jsonx_get(header, "kid"));
	json_object_put(header);
	check_claims(ISSUER "/token");
	first = sent("client_assertion");
	assert_true(jwt_signed(w.arena, first, w.key, false));
	ask();
	assert_string_not_equal(sent("client_assertion"), first);
}

static void
signature_ec(void **state UNUSED)
{
	EVP_PKEY *ec = EVP_EC_gen("P-256");
	struct secret pem = SECRET_INIT;
	struct json_object *header;

	pem_from(&pem, ec);
	w.login.client_auth = CLIENT_AUTH_PRIVATE_KEY_JWT;
	w.login.key_file = file_with(pem.ptr);
	ask();
	header = assertion_part(0);
	assert_string_equal(jsonx_str(header, "alg"), "ES256");
	json_object_put(header);
	check_claims(ISSUER "/token");
	secret_release(&pem);
	EVP_PKEY_free(ec);
}

static void
no_key(void **state UNUSED)
{
	EVP_PKEY *ec384 = EVP_EC_gen("P-384");
	struct secret pem = SECRET_INIT;

	answers(200, "{}");
	pem_from(&pem, ec384);
	w.login.client_auth = CLIENT_AUTH_PRIVATE_KEY_JWT;
	exchange_fails(E_CONFIG, "no keyFile");
	w.login.key_file = "/nonexistent/key";
	exchange_fails(E_CONFIG, "/nonexistent/key");
	w.login.key_file = file_with("no key");
	exchange_fails(E_CONFIG, "no private key in it");
	assert_int_equal(ERR_peek_error(), 0);
	w.login.key_file = file_with(pem.ptr);
	exchange_fails(E_CONFIG, "P-256");
	assert_int_equal(w.nasked, 0);
	secret_release(&pem);
	EVP_PKEY_free(ec384);
}

/* An issuer that says the assertion back. */
static void
assertion_echoed(void **state UNUSED)
{
	struct err err;
	char *form;

	w.login.client_auth = CLIENT_AUTH_PRIVATE_KEY_JWT;
	w.login.key_file = file_with(w.pem.ptr);
	ask();
	form = strstr(w.body, "client_assertion=");
	answers(400, arena_printf(w.arena, "{\"error\":\"invalid_client\","
	    "\"error_description\":\"not %s\"}", form));
	exchange(NULL, &err);
	assert_null(strstr(err.text, "eyJ"));
}

static int
group_setup(void **state)
{
	assert_non_null(mkdtemp(folder));
	return rig_group_setup(state);
}

static int
group_teardown(void **state)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/file", folder);
	unlink(path);
	rmdir(folder);
	return rig_group_teardown(state);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		SETS_TEST(basic),
		SETS_TEST(post),
		SETS_TEST(none),
		SETS_TEST(from_file),
		SETS_TEST(no_secret),
		SETS_TEST(signature),
		SETS_TEST(signature_ec),
		SETS_TEST(no_key),
		SETS_TEST(assertion_echoed),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
