/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signing of JSON Web Tokens: what OpenSSL's other half makes of the
 * signatures, and what is said of keys that will not do.
 */
#include "base.h"

#include <setjmp.h>
#include <cmocka.h>

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "arena.h"
#include "jwt.h"
#include "jwt_parts.h"

#define HEADER "{\"alg\":\"x\"}"
#define CLAIMS "{\"sub\":\"\xc3\xa9?>\"}"
#define PHRASE "open sesame"

static EVP_PKEY *rsa, *ec, *ec384;
static struct arena *arena;

/* --- Keys ---------------------------------------------------------------- */

static int
make_keys(void **state UNUSED)
{
	rsa = EVP_RSA_gen(2048);
	ec = EVP_EC_gen("P-256");
	ec384 = EVP_EC_gen("P-384");
	return rsa == NULL || ec == NULL || ec384 == NULL;
}

static int
free_keys(void **state UNUSED)
{
	EVP_PKEY_free(rsa);
	EVP_PKEY_free(ec);
	EVP_PKEY_free(ec384);
	return 0;
}

static int
setup(void **state UNUSED)
{
	arena = arena_new();
	return 0;
}

static int
teardown(void **state UNUSED)
{
	arena_free(arena);
	return 0;
}

/* What a bio holds. */
static void
take(struct secret *out, BIO *bio)
{
	char *data;
	long len = BIO_get_mem_data(bio, &data);

	secret_set(out, data, (size_t)len);
	BIO_free(bio);
}

static void
pem_of(struct secret *out, EVP_PKEY *key, const char *phrase)
{
	BIO *bio = BIO_new(BIO_s_mem());

	assert_int_equal(PEM_write_bio_PrivateKey(bio, key,
	    phrase != NULL ? EVP_aes_256_cbc() : NULL, NULL, 0, NULL,
	    phrase != NULL ? PHRASE : NULL), 1);
	take(out, bio);
}

/* A certificate and then the key, in the old form of each. */
static void
bundle_of(struct secret *out, EVP_PKEY *key)
{
	BIO *bio = BIO_new(BIO_s_mem());
	X509 *x = X509_new();

	X509_set_version(x, 2);
	X509_gmtime_adj(X509_getm_notBefore(x), 0);
	X509_gmtime_adj(X509_getm_notAfter(x), 60);
	X509_set_pubkey(x, key);
	assert_true(X509_sign(x, key, EVP_sha256()) > 0);
	assert_int_equal(PEM_write_bio_X509(bio, x), 1);
	assert_int_equal(PEM_write_bio_PrivateKey_traditional(bio, key, NULL,
	    NULL, 0, NULL, NULL), 1);
	X509_free(x);
	take(out, bio);
}

/* --- Verifying ----------------------------------------------------------- */

static bool
ec_good(const char *token)
{
	ECDSA_SIG *two = ECDSA_SIG_new();
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	unsigned char *der = NULL, *sig;
	size_t len;
	int n;
	bool good;

	sig = (unsigned char *)jwt_part(arena, token, 2, &len);
	assert_int_equal(len, 64);
	ECDSA_SIG_set0(two, BN_bin2bn(sig, 32, NULL),
	    BN_bin2bn(sig + 32, 32, NULL));
	n = i2d_ECDSA_SIG(two, &der);
	EVP_DigestVerifyInit(md, NULL, EVP_sha256(), NULL, ec);
	good = EVP_DigestVerify(md, der, (size_t)n,
	    (const unsigned char *)token,
	    (size_t)(strrchr(token, '.') - token)) == 1;
	ECDSA_SIG_free(two);
	EVP_MD_CTX_free(md);
	OPENSSL_free(der);
	return good;
}

static char *
sign(enum jwt_algorithm a, const struct secret *key, const char *phrase,
    struct err *err)
{
	struct jwt jwt = { a, HEADER, CLAIMS, key, phrase };
	char *out = NULL;
	int r = jwt_sign(arena, &jwt, &out, err);

	assert_int_equal(r, out != NULL ? 0 : E_CONFIG);
	return out;
}

static void
good(enum jwt_algorithm a, const struct secret *key, const char *phrase)
{
	struct err err = ERR_INIT;
	char *token = sign(a, key, phrase, &err);
	size_t len;

	if (token == NULL)
		fail_msg("%s", err.text);
	assert_true(a == JWT_ES256 ? ec_good(token) :
	    jwt_signed(arena, token, rsa, a == JWT_PS256));
	assert_string_equal(jwt_part(arena, token, 0, &len), HEADER);
	assert_int_equal(len, strlen(HEADER));
	assert_string_equal(jwt_part(arena, token, 1, &len), CLAIMS);
	assert_int_equal(len, strlen(CLAIMS));
}

static void
bad(enum jwt_algorithm a, const struct secret *key, const char *phrase,
    const char *told)
{
	struct err err = ERR_INIT;

	assert_null(sign(a, key, phrase, &err));
	if (strstr(err.text, told) == NULL)
		fail_msg("'%s' does not say '%s'", err.text, told);
	assert_null(strstr(err.text, PHRASE));
}

/* --- Tests --------------------------------------------------------------- */

static void
algorithms(void **state UNUSED)
{
	struct secret key = SECRET_INIT;

	assert_string_equal(jwt_algorithm_name(JWT_RS256), "RS256");
	assert_string_equal(jwt_algorithm_name(JWT_PS256), "PS256");
	assert_string_equal(jwt_algorithm_name(JWT_ES256), "ES256");
	pem_of(&key, rsa, NULL);
	good(JWT_RS256, &key, NULL);
	good(JWT_PS256, &key, NULL);
	assert_string_equal(sign(JWT_RS256, &key, NULL, NULL),
	    sign(JWT_RS256, &key, NULL, NULL));
	assert_string_not_equal(sign(JWT_PS256, &key, NULL, NULL),
	    sign(JWT_PS256, &key, NULL, NULL));
	pem_of(&key, ec, NULL);
	good(JWT_ES256, &key, NULL);
	secret_release(&key);
}

static void
forms_of_keys(void **state UNUSED)
{
	struct secret key = SECRET_INIT;

	bundle_of(&key, rsa);
	good(JWT_RS256, &key, NULL);
	bundle_of(&key, ec);
	good(JWT_ES256, &key, NULL);
	pem_of(&key, rsa, PHRASE);
	good(JWT_RS256, &key, PHRASE);
	bad(JWT_RS256, &key, NULL, "is encrypted");
	bad(JWT_RS256, &key, "open", "does not open");
	bad(JWT_RS256, &key, "", "does not open");
	secret_release(&key);
}

static void
wrong_keys(void **state UNUSED)
{
	struct secret key = SECRET_INIT;
	EVP_PKEY *small = EVP_RSA_gen(512);

	bad(JWT_RS256, &key, NULL, "no private key in it");
	secret_set(&key, "-----BEGIN PRIVATE KEY-----\nAAAA\n"
	    "-----END PRIVATE KEY-----\n", 57);
	bad(JWT_RS256, &key, NULL, "no private key in it");
	pem_of(&key, ec, NULL);
	bad(JWT_RS256, &key, NULL, "not one for RS256: it must be RSA");
	bad(JWT_PS256, &key, NULL, "not one for PS256");
	pem_of(&key, rsa, NULL);
	bad(JWT_ES256, &key, NULL, "must be EC on P-256");
	pem_of(&key, ec384, NULL);
	bad(JWT_ES256, &key, NULL, "must be EC on P-256");
	if (small != NULL) {
		pem_of(&key, small, NULL);
		bad(JWT_PS256, &key, NULL, "cannot sign");
	}
	EVP_PKEY_free(small);
	secret_release(&key);
}

static void
base64url(void **state UNUSED)
{
	static const struct {
		const char *data, *text;
	} rows[] = {
		{ "", "" }, { "f", "Zg" }, { "fo", "Zm8" }, { "foo", "Zm9v" },
		{ "foob", "Zm9vYg" }, { "\xfb\xff\xfe", "-__-" },
		{ "\xff\xef", "_-8" },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++)
		assert_string_equal(jwt_base64url(arena, rows[i].data,
		    strlen(rows[i].data)), rows[i].text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(algorithms, setup, teardown),
		cmocka_unit_test_setup_teardown(forms_of_keys, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(wrong_keys, setup, teardown),
		cmocka_unit_test_setup_teardown(base64url, setup, teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make_keys, free_keys);
}
