/* SPDX-License-Identifier: Apache-2.0 */
/*
 * User tokens of Backstage: which JSON Web Tokens are some, and when one is
 * good. The rules are those of Backstage's own back ends (providers of it say
 * the kind in the header's typ; one without typ is a user token of an older
 * Backstage where its aud says so). Pure: keys and clock are the caller's.
 */
#ifndef STAGEDOOR_BACKSTAGE_TOKEN_H
#define STAGEDOOR_BACKSTAGE_TOKEN_H

#include "../providers/jwt_verify.h"

struct arena;
struct string_list;

enum backstage_token_kind {
	BACKSTAGE_TOKEN_NONE,		/* no user token: a plug-in's, or any
					   other text */
	BACKSTAGE_TOKEN_USER,
	BACKSTAGE_TOKEN_LIMITED,	/* in a cookie: for reading only */
};

struct backstage_token_rules {
	const char *audience;		/* of tokens without a typ */
	const char *issuer;		/* NULL: any, as in Backstage */
	/* Tokens with a typ must say that audience too; limited ones say none,
	   in Backstage, and need not. */
	bool audience_always;
	unsigned algorithms;		/* JWT_ALLOW of each */
	int64_t now, leeway;		/* wall ms, ms */
};

struct backstage_token {
	struct jwt_parts parts;
	enum backstage_token_kind kind;
	const char *user;		/* sub, as it stands; in parts */
	int64_t expires;		/* wall ms */
};

/* What the token says it is. Nothing of it is checked. */
enum backstage_token_kind backstage_token_kind(const char *token,
    const char *audience);
/*
 * 0 with out for backstage_token_release; token must outlive it. E_NOTFOUND:
 * the set has no such key; E_AUTH: it is no user token, or not a good one,
 * err says why, without the token.
 */
int backstage_token_check(const char *token,
    const struct backstage_token_rules *rules, const struct jwk_set *set,
    struct backstage_token *out, struct err *err);
void backstage_token_release(struct backstage_token *t);

/*
 * The refs that the user owns things by (ent), in arena. False: the token
 * does not say.
 */
bool backstage_token_ownership(const struct backstage_token *t,
    struct arena *arena, struct string_list *out);
/*
 * The limited token of the same user, which a user token holds the signature
 * of (uip); wiped with the arena. NULL: there is none.
 */
char *backstage_token_limited(const struct backstage_token *t,
    struct arena *arena);

#endif
