/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sets of public keys (RFC 7517, 7518): RSA keys of 2048 to 8192 bits and
 * P-256 keys, for signatures. What is of another kind, or not for signatures
 * (use, key_ops, alg), or broken, is left out, and so is what shows a private
 * key, for then it is none. Immutable; any thread.
 */
#ifndef STAGEDOOR_JWK_H
#define STAGEDOOR_JWK_H

#include "err.h"
#include "jwt.h"

#define JWK_SET_MAX 64		/* keys; further ones are left out */

struct jwk_set;

/* 0 with *out for jwk_set_free, perhaps of no key; E_PROTOCOL: no key set. */
int jwk_set_parse(const char *json, size_t len, struct jwk_set **out,
    struct err *err);
void jwk_set_free(struct jwk_set *set);		/* NULL is fine */

/*
 * The key for signatures of this algorithm: of those that fit the only one of
 * that kid or, without one (NULL), the only one. 0 and *out, borrowed;
 * E_NOTFOUND: there is none; E_AUTH: there are several.
 */
int jwk_find(const struct jwk_set *set, const char *kid, enum jwt_algorithm a,
    struct evp_pkey_st **out, struct err *err);

#endif
