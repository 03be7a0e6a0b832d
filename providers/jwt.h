/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signing JSON Web Tokens (RFC 7515, 7518, 7519), with which a service shows
 * that it has a key: Entra's and Google's assertions. Only signing: whose
 * token is good is another matter. Pure; results are in the caller's arena,
 * which is wiped. Any thread.
 */
#ifndef STAGEDOOR_JWT_H
#define STAGEDOOR_JWT_H

#include "err.h"
#include "secret.h"

struct arena;
struct evp_pkey_st;		/* OpenSSL's EVP_PKEY */

enum jwt_algorithm {
	JWT_RS256,	/* RSA, PKCS #1 v1.5 */
	JWT_PS256,	/* RSA-PSS, salt as long as the hash */
	JWT_ES256,	/* P-256, r and s, 64 bytes */
};

/* As it stands in a header's "alg". */
const char *jwt_algorithm_name(enum jwt_algorithm a);

struct jwt {
	enum jwt_algorithm algorithm;
	const char *header, *claims;	/* JSON, as it is to be signed */
	const struct secret *key;	/* PEM; other blocks in it are fine */
	const char *passphrase;		/* of the key; NULL: none */
};

/*
 * 0 and *out "header.claims.signature". E_CONFIG: the key is none, encrypted
 * (or the passphrase is wrong), or not for this algorithm; err says which, as
 * the end of a sentence: "its private key is encrypted".
 */
int jwt_sign(struct arena *arena, const struct jwt *jwt, char **out,
    struct err *err);
/*
 * The private key in a PEM text, for EVP_PKEY_free; other blocks in it are
 * fine. NULL: there is none, or it is encrypted; err as above.
 */
struct evp_pkey_st *jwt_key(const struct secret *pem, const char *passphrase,
    struct err *err);
/* Base64 with - and _, without padding (RFC 4648, 5). */
char *jwt_base64url(struct arena *arena, const void *data, size_t len);

#endif
