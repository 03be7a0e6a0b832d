/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose JSON Web Token is good (RFC 7515, 7519, 8725): taking one apart and
 * checking its signature with keys of a set. Keys that the token brings
 * itself (jwk, jku, x5u, x5c) are never looked at; "crit" is refused; of
 * algorithms only those that the caller allows count, never none or HS*.
 * What the claims say is the caller's business (id_token.h, for one). Pure.
 */
#ifndef STAGEDOOR_JWT_VERIFY_H
#define STAGEDOOR_JWT_VERIFY_H

#include "err.h"
#include "jwt.h"

struct json_object;
struct jwk_set;

#define JWT_MAX 32768		/* bytes of a token */

#define JWT_ALLOW(a) (1u << (a))	/* of enum jwt_algorithm */

struct jwt_parts {
	enum jwt_algorithm algorithm;
	const char *kid, *typ;		/* of header; NULL: absent */
	struct json_object *header, *claims;	/* owned; objects */
	const char *token;		/* borrowed: the whole */
	size_t signed_len;		/* of token: "header.claims" */
	unsigned char signature[1024];
	size_t signature_len;
};

/*
 * Three parts of base64url without padding, JSON objects in the first two.
 * 0 with out for jwt_parts_release, which wipes the claims; E_AUTH with why
 * not, without the token: also for an algorithm that is not in `allowed`.
 * token must outlive out.
 */
int jwt_parse(const char *token, size_t len, unsigned allowed,
    struct jwt_parts *out, struct err *err);
void jwt_parts_release(struct jwt_parts *parts);
/*
 * By the key that kid names, or, without one, the only one that fits. 0;
 * E_NOTFOUND: there is no such key (a set fetched anew may have it); E_AUTH.
 */
int jwt_verify(const struct jwt_parts *parts, const struct jwk_set *set,
    struct err *err);

/* A claim that is a number of seconds, whole or with a fraction, in ms. */
bool jwt_time(const struct jwt_parts *parts, const char *claim, int64_t *ms);
/* The allowed algorithms of a list of names ("RS256"); unknown ones count for
   nothing. */
unsigned jwt_allowed(const char *const *names, size_t n);

#endif
