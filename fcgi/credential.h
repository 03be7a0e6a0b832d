/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What opens a cluster: a bearer token, a client certificate, a whole
 * Authorization value that the client brought, or nothing at all.
 * Whoever holds the struct owns it and calls credential_release.
 */
#ifndef STAGEDOOR_CREDENTIAL_H
#define STAGEDOOR_CREDENTIAL_H

#include "secret.h"

enum credential_kind {
	CREDENTIAL_NONE,	/* there is none: nothing may be sent */
	CREDENTIAL_ANONYMOUS,	/* the request goes out without any */
	CREDENTIAL_BEARER,
	CREDENTIAL_VERBATIM,	/* value is the whole Authorization header */
	CREDENTIAL_CERTIFICATE,	/* certificate and key, PEM; value may be a
				   token that goes along */
};

struct credential {
	enum credential_kind kind;
	bool from_client;	/* the client brought it; never cached */
	struct secret value;
	struct secret certificate, key;
	int64_t expires;	/* wall ms; 0: not known */
	/* Whom it acts for in this request: header lines, NULL at the end,
	   which go wherever it goes; borrowed. NULL: for itself. */
	const char *const *acting;
};

#define CREDENTIAL_INIT { .kind = CREDENTIAL_NONE }

/* Takes token, which is empty from here. */
void credential_take_bearer(struct credential *c, struct secret *token);
/*
 * May the bytes stand in an HTTP header as a token? Visible ASCII only, as
 * RFC 9110 field values and RFC 6750 tokens are; empty is not.
 */
bool credential_token_ok(const char *token, size_t len);
/* Copies what it is, not whom it acts for; the caller releases to. */
void credential_copy(struct credential *to, const struct credential *from);
/* Would a cluster see the same? Constant time. Whom they act for and when they
   end does not matter. */
bool credential_same(const struct credential *a, const struct credential *b);
void credential_release(struct credential *c);

#endif
