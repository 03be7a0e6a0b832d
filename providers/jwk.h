/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sets of public keys (RFC 7517, 7518): RSA and P-256 keys for signatures.
 * What is of another kind, or not for signatures, is left out. Immutable.
 */
#ifndef STAGEDOOR_JWK_H
#define STAGEDOOR_JWK_H

#include "err.h"

#define JWK_SET_MAX 64		/* keys; further ones are left out */

struct jwk_set;

/* 0 with *out for jwk_set_free, perhaps of no key; E_PROTOCOL: no key set. */
int jwk_set_parse(const char *json, size_t len, struct jwk_set **out,
    struct err *err);
void jwk_set_free(struct jwk_set *set);		/* NULL is fine */

#endif
