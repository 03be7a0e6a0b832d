/* SPDX-License-Identifier: Apache-2.0 */
/* User tokens for unit tests: keys, signatures, the key set that fits. */
#ifndef STAGEDOOR_TEST_BACKSTAGE_RIG_H
#define STAGEDOOR_TEST_BACKSTAGE_RIG_H

#include <setjmp.h>
#include <cmocka.h>

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "arena.h"
#include "err.h"
#include "jwk.h"
#include "jwt.h"

struct rig_key {
	EVP_PKEY *key;
	struct secret pem;
};

static inline void
rig_key_make(struct rig_key *k)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *data;
	long len;

	k->key = EVP_EC_gen("P-256");
	assert_int_equal(PEM_write_bio_PrivateKey(bio, k->key, NULL, NULL, 0,
	    NULL, NULL), 1);
	len = BIO_get_mem_data(bio, &data);
	secret_set(&k->pem, data, (size_t)len);
	BIO_free(bio);
}

static inline void
rig_key_free(struct rig_key *k)
{
	EVP_PKEY_free(k->key);
	secret_release(&k->pem);
}

/* A key set of this key alone. */
static inline char *
rig_key_set(struct arena *arena, const struct rig_key *k, const char *kid)
{
	unsigned char point[65];
	size_t len;

	assert_int_equal(EVP_PKEY_get_octet_string_param(k->key, "pub", point,
	    sizeof(point), &len), 1);
	return arena_printf(arena, "{\"keys\":[{\"kty\":\"EC\",\"crv\":"
	    "\"P-256\",\"kid\":\"%s\",\"alg\":\"ES256\",\"x\":\"%s\","
	    "\"y\":\"%s\"}]}", kid, jwt_base64url(arena, point + 1, 32),
	    jwt_base64url(arena, point + 33, 32));
}

/* typ NULL: none. claims: the members of the object. */
__attribute__((noinline, unused)) static char *
rig_token(struct arena *arena, const struct rig_key *k, const char *kid,
    const char *typ, const char *claims)
{
	const char *said = typ == NULL ? "" :
	    arena_printf(arena, "\"typ\":\"%s\",", typ);
	const struct jwt jwt = { .algorithm = JWT_ES256, .key = &k->pem,
	    .header = arena_printf(arena, "{%s\"alg\":\"ES256\",\"kid\":"
	    "\"%s\"}", said, kid),
	    .claims = arena_printf(arena, "{%s}", claims) };
	struct err err = ERR_INIT;
	char *token = NULL;

	if (jwt_sign(arena, &jwt, &token, &err) != 0)
		fail_msg("%s", err.text);
	return token;
}

#endif
