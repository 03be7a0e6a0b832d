/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How an application shows Entra that it has the key of its certificate: a
 * JWT that it signed for Entra's token endpoint, good for ten minutes
 * (Microsoft, "Microsoft identity platform application authentication
 * certificate credentials"). Pure but for the random id; any thread.
 */
#ifndef STAGEDOOR_AZURE_ASSERTION_H
#define STAGEDOOR_AZURE_ASSERTION_H

#include "jwt.h"

struct azure_assertion {
	const struct secret *pem;	/* key and certificates in any order */
	const char *passphrase;		/* of the key; NULL: none */
	bool chain;			/* send the certificates too (x5c) */
	/* PS256 names the certificate by its SHA-256, RS256 by its SHA-1. */
	enum jwt_algorithm algorithm;
	const char *client_id, *token_url;
	const char *id;			/* jti; NULL: a random one */
	int64_t now;			/* wall ms */
};

/*
 * 0 and *out the assertion, in arena; E_CONFIG as jwt_sign, or the
 * certificate is missing or not the key's.
 */
int azure_assertion(struct arena *arena, const struct azure_assertion *a,
    char **out, struct err *err);

#endif
