/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules of id tokens (OpenID Connect Core 1.0, section 3.1.3.7), beyond
 * the signature. Pure.
 */
#ifndef STAGEDOOR_ID_TOKEN_H
#define STAGEDOOR_ID_TOKEN_H

#include "jwt_verify.h"
#include "secret.h"

#define ID_TOKEN_LEEWAY_MS 60000

struct id_token_rules {
	const char *issuer;		/* exactly; NULL: the caller looked */
	const char *client_id;
	const char *nonce;		/* NULL: none was sent, any may stand */
	const char *access_token;	/* for at_hash; NULL: there is none */
	int64_t now, leeway;		/* wall ms, ms */
};

/* 0 or E_AUTH with what is wrong, without any value. */
int id_token_check(const struct jwt_parts *token,
    const struct id_token_rules *rules, struct err *err);

#endif
