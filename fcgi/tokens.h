/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The token store: what each user's sign-ins left with us, by Backstage user,
 * provider and token provider, in the store (store.h: sealed, and bound to
 * that key). Versioned, so that a later program reads what this one wrote.
 * Any thread; each call is one of the store's.
 */
#ifndef STAGEDOOR_TOKENS_H
#define STAGEDOOR_TOKENS_H

#include "secret.h"
#include "store.h"

struct login_settings;

#define TOKENS_KIND "tokens"
#define TOKEN_SET_GENERATION 33		/* 16 random bytes in hex, and NUL */

struct token_key {
	const char *user;	/* "user:default/ann" */
	const char *provider;	/* "oidc", "google", "aks" */
	const char *name;	/* the token provider; "" but for oidc */
};

/* All strings are owned, NULL if unknown. */
struct token_set {
	char *user, *provider, *name;	/* as in its key */
	char *issuer, *subject;		/* whom the issuer knows: iss, sub */
	char *account;			/* how a person calls that: e-mail,
					   name; else the subject */
	char *scope;			/* as granted */
	struct secret id_token, access_token, refresh_token;
	int64_t id_expires, access_expires;	/* wall ms; 0: not known */
	int64_t signed_in, refreshed;	/* wall ms */
	/* Another one each time that tokens change. */
	char generation[TOKEN_SET_GENERATION];
	unsigned tries;		/* refreshes begun of which nobody knows how
				   they ended */
	char *ended;		/* why it is over, in a person's words: there
				   are no tokens any more; NULL: it is not */
};

void token_set_release(struct token_set *ts);
void token_set_copy(struct token_set *to, const struct token_set *from);
/* Another generation. */
void token_set_renew(struct token_set *ts);
/* Keep who it was and why it ended, and no token. */
void token_set_end(struct token_set *ts, const char *why);

struct store_item tokens_item(const struct token_key *key);
/* 0 with out the caller's; E_NOTFOUND; E_STORE. */
int tokens_get(struct store *st, const struct token_key *key,
    struct token_set *out, struct err *err);
/* Durable when it returns 0; E_STORE. Its key is what it says itself. */
int tokens_put(struct store *st, const struct token_set *ts,
    struct err *err);
/* The same, but only in the place of that generation: E_NOTFOUND: there is none
   any more; E_BUSY: there is another one. */
int tokens_swap(struct store *st, const struct token_set *ts,
    const char *generation, struct err *err);
/* 0 also if there was none. */
int tokens_del(struct store *st, const struct token_key *key,
    struct err *err);
/*
 * Call each for every set in no order, until it returns non-zero, which is
 * given back. Rows that cannot be read are counted in *bad and passed over.
 */
int tokens_each(struct store *st, int (*each)(void *ctx,
    const struct token_set *ts), void *ctx, size_t *bad, struct err *err);
/* Remove those that cannot be read, whosever they are: *n of them. */
int tokens_drop_unread(struct store *st, size_t *n, struct err *err);

#endif
