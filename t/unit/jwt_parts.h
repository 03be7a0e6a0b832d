/* SPDX-License-Identifier: Apache-2.0 */
/* JSON Web Tokens taken apart and verified, by OpenSSL alone. */
#ifndef STAGEDOOR_TEST_JWT_PARTS_H
#define STAGEDOOR_TEST_JWT_PARTS_H

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "arena.h"
#include "jsonx.h"

/* Part 0, 1 or 2 of a token, which ends with its text or at "&": decoded,
   with a NUL after its *len bytes. In the arena. */
static inline char *
jwt_part(struct arena *arena, const char *token, unsigned which, size_t *len)
{
	char *padded, *out;
	size_t given, n, i;

	for (; which > 0; which--) {
		token = strchr(token, '.');
		assert_non_null(token);
		token++;
	}
	given = strcspn(token, ".&");
	n = (given + 3) / 4 * 4;
	padded = arena_alloc(arena, n + 1);
	out = arena_alloc(arena, n + 1);
	for (i = 0; i < n; i++) {
		assert_true(i >= given || strchr("+/=", token[i]) == NULL);
		padded[i] = i >= given ? '=' : token[i] == '-' ? '+' :
		    token[i] == '_' ? '/' : token[i];
	}
	assert_int_equal(EVP_DecodeBlock((unsigned char *)out,
	    (unsigned char *)padded, (int)n), (int)(n / 4 * 3));
	*len = n / 4 * 3 - (n - given);
	out[*len] = '\0';
	return out;
}

/* The caller puts it. */
static inline struct json_object *
jwt_json(struct arena *arena, const char *token, unsigned which)
{
	struct json_object *obj = NULL;
	size_t len;
	char *text = jwt_part(arena, token, which, &len);

	assert_int_equal(jsonx_parse(text, len, &obj, NULL), 0);
	return obj;
}

/* Is it signed with the other half of this key, RS256 or PS256? */
static inline bool
jwt_signed(struct arena *arena, const char *token, EVP_PKEY *key, bool pss)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	EVP_PKEY_CTX *ctx = NULL;
	size_t len;
	char *sig = jwt_part(arena, token, 2, &len);
	bool good;

	assert_int_equal(EVP_DigestVerifyInit(md, &ctx, EVP_sha256(), NULL,
	    key), 1);
	if (pss) {
		EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING);
		EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, 32);
	}
	good = EVP_DigestVerify(md, (unsigned char *)sig, len,
	    (const unsigned char *)token,
	    (size_t)(strrchr(token, '.') - token)) == 1;
	EVP_MD_CTX_free(md);
	if (!good)
		print_error("the signature is not good\n");
	return good;
}

/* The same with a public key as PEM. */
static inline bool
jwt_signed_pem(struct arena *arena, const char *token, const char *pem,
    bool pss)
{
	BIO *bio = BIO_new_mem_buf(pem, -1);
	EVP_PKEY *key = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
	bool good = jwt_signed(arena, token, key, pss);

	EVP_PKEY_free(key);
	BIO_free(bio);
	return good;
}

#endif
