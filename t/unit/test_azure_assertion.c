/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The certificate of the environment: what the file may hold, in which
 * order, and what goes to Entra because of it.
 */
#include "base.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "azure_rig.h"
#include "jsonx.h"
#include "jwt_parts.h"
#include "strbuf.h"

#define PHRASE "open sesame"

static const struct rig_answer well = { .status = 200, .body =
    "{\"expires_in\":3599,\"access_token\":\"tok-1\"}" };
/* PEM: a key, its certificate, that of its issuer. */
static char *key, *locked, *own, *issuer, *other_key;
static EVP_PKEY *pkey;

/* --- Making -------------------------------------------------------------- */

static char *
taken(BIO *bio)
{
	char *data;
	long len = BIO_get_mem_data(bio, &data);
	char *out = xstrndup(data, (size_t)len);

	BIO_free(bio);
	return out;
}

static char *
key_text(EVP_PKEY *k, const char *phrase)
{
	BIO *bio = BIO_new(BIO_s_mem());

	assert_int_equal(PEM_write_bio_PrivateKey(bio, k,
	    phrase != NULL ? EVP_aes_256_cbc() : NULL, NULL, 0, NULL,
	    phrase != NULL ? PHRASE : NULL), 1);
	return taken(bio);
}

static char *
certificate_text(EVP_PKEY *k)
{
	BIO *bio = BIO_new(BIO_s_mem());
	X509 *x = X509_new();

	X509_gmtime_adj(X509_getm_notBefore(x), 0);
	X509_gmtime_adj(X509_getm_notAfter(x), 60);
	X509_set_pubkey(x, k);
	assert_true(X509_sign(x, k, EVP_sha256()) > 0);
	assert_int_equal(PEM_write_bio_X509(bio, x), 1);
	X509_free(x);
	return taken(bio);
}

static int
make(void **state UNUSED)
{
	EVP_PKEY *other = EVP_RSA_gen(2048);

	pkey = EVP_RSA_gen(2048);
	key = key_text(pkey, NULL);
	locked = key_text(pkey, PHRASE);
	own = certificate_text(pkey);
	issuer = certificate_text(other);
	other_key = key_text(other, NULL);
	EVP_PKEY_free(other);
	return 0;
}

static int
drop(void **state UNUSED)
{
	EVP_PKEY_free(pkey);
	free(key);
	free(locked);
	free(own);
	free(issuer);
	free(other_key);
	return 0;
}

static int
setup(void **state)
{
	rig_setup(state);
	rig_variable("AZURE_TENANT_ID", "contoso");
	rig_variable("AZURE_CLIENT_ID", "app-1");
	rig_variable("AZURE_CLIENT_CERTIFICATE_PATH", "/pem");
	azure.answers = &well;
	azure.nanswers = 1;
	return 0;
}

static void
file_is(const char *a, const char *b, const char *c)
{
	rig_file("/pem", arena_printf(rig.arena, "%s%s%s", a, b, c));
}

/* --- Looking ------------------------------------------------------------- */

/* A part of the assertion that was sent; the caller puts it. */
static struct json_object *
sent(unsigned which)
{
	char *token = strstr(rig.asked[0].body, "&client_assertion=");

	assert_non_null(token);
	return jwt_json(rig.arena, token + strlen("&client_assertion="),
	    which);
}

/* The body of a certificate, without its label and its line ends. */
static char *
bare(const char *pem)
{
	char *out = arena_alloc(rig.arena, strlen(pem) + 1), *p = out;
	const char *at = strchr(pem, '\n') + 1;

	for (; *at != '-'; at++)
		if (*at != '\n')
			*p++ = *at;
	return out;
}

static void
good(const char *first, const char *second)
{
	struct json_object *header, *chain;

	rig_get();
	if (rig.r != 0)
		fail_msg("%s", rig.err.text);
	header = sent(0);
	assert_string_equal(jsonx_str(header, "alg"), "PS256");
	assert_int_equal(strlen(jsonx_str(header, "x5t#S256")), 43);
	chain = jsonx_get(header, "x5c");
	assert_int_equal(chain != NULL, first != NULL);
	if (chain != NULL) {
		assert_string_equal(json_object_get_string(
		    json_object_array_get_idx(chain, 0)), bare(first));
		assert_string_equal(json_object_get_string(
		    json_object_array_get_idx(chain, 1)), bare(second));
	}
	json_object_put(header);
}

static void
bad(const char *told)
{
	rig_get();
	assert_int_equal(rig.r, E_CONFIG);
	if (strstr(rig.err.text, told) == NULL)
		fail_msg("'%s' does not say '%s'", rig.err.text, told);
	assert_null(strstr(rig.err.text, PHRASE));
	assert_int_equal(rig.nasked, 0);
}

/* --- Tests --------------------------------------------------------------- */

static void
orders(void **state UNUSED)
{
	file_is(key, own, "");
	good(NULL, NULL);
	file_is(own, key, "");
	good(NULL, NULL);
	rig_variable("AZURE_CLIENT_SEND_CERTIFICATE_CHAIN", "True");
	file_is(own, key, issuer);
	good(own, issuer);
	file_is(issuer, own, key);
	good(own, issuer);
	rig_variable("AZURE_CLIENT_SEND_CERTIFICATE_CHAIN", "1");
	good(own, issuer);
	rig_variable("AZURE_CLIENT_SEND_CERTIFICATE_CHAIN", "false");
	good(NULL, NULL);
}

static void
claims(void **state UNUSED)
{
	struct json_object *a, *b;

	file_is(key, own, "");
	good(NULL, NULL);
	a = sent(1);
	assert_string_equal(jsonx_str(a, "aud"),
	    AZURE_AUTHORITY "/contoso/oauth2/v2.0/token");
	assert_string_equal(jsonx_str(a, "iss"), "app-1");
	assert_string_equal(jsonx_str(a, "sub"), "app-1");
	assert_int_equal(json_object_get_int64(jsonx_get(a, "nbf")),
	    RIG_SECONDS);
	assert_int_equal(json_object_get_int64(jsonx_get(a, "exp")),
	    RIG_SECONDS + 600);
	good(NULL, NULL);
	b = sent(1);
	assert_int_equal(strlen(jsonx_str(a, "jti")), 36);
	assert_string_not_equal(jsonx_str(a, "jti"), jsonx_str(b, "jti"));
	json_object_put(a);
	json_object_put(b);
}

static void
passwords(void **state UNUSED)
{
	file_is(locked, own, "");
	bad("its private key is encrypted");
	rig_variable("AZURE_CLIENT_CERTIFICATE_PASSWORD", "open");
	bad("does not open with the passphrase");
	rig_variable("AZURE_CLIENT_CERTIFICATE_PASSWORD", PHRASE);
	good(NULL, NULL);
}

static void
wrong_files(void **state UNUSED)
{
	file_is(key, "", "");
	bad("there is no certificate in it");
	file_is(own, "", "");
	bad("there is no private key in it");
	file_is(key, issuer, "");
	bad("does not belong to its certificate");
	file_is("", "", "");
	bad("there is no private key in it");
	file_is(other_key, issuer, "");
	good(NULL, NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, rig_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(orders), TEST(claims), TEST(passwords),
		TEST(wrong_files),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make, drop);
}
