/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A user's tokens as requests see them: read from the token store, looked at
 * again every second, renewed before they end. A refresh runs on a thread of
 * the credential pool, once for all threads, processes and hosts (a lease of
 * the store, kept alive while the issuer is slow), and what it brought is
 * durable before anybody uses it. Old tokens are used while they are good. A
 * session lives until its issuer refuses it for good, the user signs out, or
 * nobody used it for 90 days.
 */
#ifndef STAGEDOOR_SESSION_H
#define STAGEDOOR_SESSION_H

#include "tokens.h"

struct login_settings;
struct provider_call;
struct runtime;

/* A cluster's credential of this user; what it is depends on the login. */
struct user_token {
	struct secret token;
	int64_t expires;		/* wall ms; 0: not known */
	bool refreshes;			/* it will be renewed by itself */
};
void user_token_release(struct user_token *ut);

/*
 * provider_call.user_token: the token of call->who for the call's cluster. 0
 * with out the caller's. E_SIGNIN: this user has to sign in (err says where);
 * E_PENDING: as of call->source; else why it cannot be had now.
 */
int session_token(const struct provider_call *call, struct user_token *out,
    struct err *err);

/* The user signed in or out, a moment ago, by this process: it need not wait
   for its next look at the store. */
void session_forget(struct runtime *rt, const struct token_key *key);

/* Which of a set's tokens a cluster of that login wants, and until when. */
const struct secret *session_pick(const struct login_settings *login,
    const struct token_set *ts, int64_t *expires);

/* Who ends a sign-in, for the audit log. */
struct session_end {
	const char *by;		/* "cli"; NULL: the user */
	const char *id;		/* of the request; or NULL */
};

/*
 * Sign a user out of a login: the tokens are gone from the store, then the
 * issuer is told (revocation), which may fail: the log says so, and it
 * returns 0 all the same. A refresh that is under way drops what it brings.
 * What cannot be read is gone all the same. E_NOTFOUND: there was nothing,
 * or its key is gone; E_STORE. Blocks.
 */
int session_revoke(struct runtime *rt, const struct token_key *key,
    const struct session_end *end, struct err *err);

#endif
