/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An issuer for unit tests: keys made at the start, their public halves as
 * JSON Web Keys, and tokens signed by them that say whatever a test wants.
 */
#ifndef STAGEDOOR_TEST_JWT_RIG_H
#define STAGEDOOR_TEST_JWT_RIG_H

#include <setjmp.h>
#include <cmocka.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "arena.h"
#include "jwk.h"
#include "jwt_verify.h"

#define RIG_ALL (JWT_ALLOW(JWT_RS256) | JWT_ALLOW(JWT_PS256) | \
    JWT_ALLOW(JWT_ES256))

static struct {
	EVP_PKEY *rsa, *other, *ec;	/* 2048 bits, 2048 bits, P-256 */
	struct arena *arena;
} rig;

static inline int
rig_keys(void **state UNUSED)
{
	rig.rsa = EVP_RSA_gen(2048);
	rig.other = EVP_RSA_gen(2048);
	rig.ec = EVP_EC_gen("P-256");
	return rig.rsa == NULL || rig.other == NULL || rig.ec == NULL;
}

static inline int
rig_keys_free(void **state UNUSED)
{
	EVP_PKEY_free(rig.rsa);
	EVP_PKEY_free(rig.other);
	EVP_PKEY_free(rig.ec);
	return 0;
}

static inline int
rig_setup(void **state UNUSED)
{
	rig.arena = arena_new();
	return 0;
}

static inline int
rig_teardown(void **state UNUSED)
{
	arena_free(rig.arena);
	return 0;
}

/* A number of a key in base64url; as many bytes as there must be, or as it
   needs (0). */
static inline char *
rig_number(const EVP_PKEY *key, const char *name, int len)
{
	unsigned char buf[2048];
	BIGNUM *n = NULL;

	assert_int_equal(EVP_PKEY_get_bn_param(key, name, &n), 1);
	len = len > 0 ? BN_bn2binpad(n, buf, len) : BN_bn2bin(n, buf);
	BN_free(n);
	return jwt_base64url(rig.arena, buf, (size_t)len);
}

/* Its public half, with more members ("\"kid\":\"a\"") or "". */
static inline char *
rig_jwk(const EVP_PKEY *key, const char *more)
{
	const char *comma = *more != '\0' ? "," : "";

	if (EVP_PKEY_is_a(key, "RSA"))
		return arena_printf(rig.arena, "{\"kty\":\"RSA\",\"n\":\"%s\","
		    "\"e\":\"%s\"%s%s}",
		    rig_number(key, OSSL_PKEY_PARAM_RSA_N, 0),
		    rig_number(key, OSSL_PKEY_PARAM_RSA_E, 0), comma, more);
	return arena_printf(rig.arena, "{\"kty\":\"EC\",\"crv\":\"P-256\","
	    "\"x\":\"%s\",\"y\":\"%s\"%s%s}",
	    rig_number(key, OSSL_PKEY_PARAM_EC_PUB_X, 32),
	    rig_number(key, OSSL_PKEY_PARAM_EC_PUB_Y, 32), comma, more);
}

/* A set of keys, with commas between them; the caller frees it. */
static inline struct jwk_set *
rig_set(const char *keys)
{
	char *json = arena_printf(rig.arena, "{\"keys\":[%s]}", keys);
	struct jwk_set *set = NULL;
	struct err err = ERR_INIT;

	if (jwk_set_parse(json, strlen(json), &set, &err) != 0)
		fail_msg("%s", err.text);
	return set;
}

/* A token: header and claims are JSON, or whatever a test wants signed. (Not
   inline: gcc 12 would warn of a pointer that it makes up.) */
static UNUSED __attribute__((noinline)) char *
rig_token(EVP_PKEY *key, enum jwt_algorithm a, const char *header,
    const char *claims)
{
	struct secret pem = SECRET_INIT;
	const struct jwt jwt = { a, header, claims, &pem, NULL };
	BIO *bio = BIO_new(BIO_s_mem());
	struct err err = ERR_INIT;
	char *data, *out = NULL;
	long len;

	assert_int_equal(PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0,
	    NULL, NULL), 1);
	len = BIO_get_mem_data(bio, &data);
	secret_set(&pem, data, (size_t)len);
	BIO_free(bio);
	if (jwt_sign(rig.arena, &jwt, &out, &err) != 0)
		fail_msg("%s", err.text);
	secret_release(&pem);
	return out;
}

/* Taken apart and verified: 0, or the first E_*. */
static inline int
rig_judge(const char *token, unsigned allowed, const struct jwk_set *set,
    struct err *err)
{
	struct jwt_parts parts;
	int r = jwt_parse(token, strlen(token), allowed, &parts, err);

	if (r == 0)
		r = jwt_verify(&parts, set, err);
	jwt_parts_release(&parts);
	return r;
}

#endif
