/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Entra's token endpoint, for an application that shows itself with a secret,
 * a certificate or somebody else's token (client credentials grant).
 */
#ifndef STAGEDOOR_AZURE_ENTRA_H
#define STAGEDOOR_AZURE_ENTRA_H

#include "azure_token.h"

#define AZURE_SCOPE AZURE_AKS "/.default"
#define AZURE_ASSERTION_TYPE \
	"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

struct azure_application {
	const char *token_url;		/* azure_token_url */
	const char *where;		/* "https://HOST", for messages */
	const char *client_id;
	const char *secret;		/* one of the two */
	const char *assertion;
	int64_t skew;		/* out: ms that Entra's clock is ahead */
};

/*
 * The token endpoint of the tenant: at host (the settings', or NULL), else at
 * AZURE_AUTHORITY_HOST, else at Entra's own. https only, but for a host of
 * the settings on loopback. 0 with token_url and where in scratch, E_CONFIG.
 */
int azure_token_url(const struct provider_call *call, const char *host,
    struct azure_application *app, struct err *err);
/* The form that is sent; in scratch. NULL: too large. */
char *azure_form(const struct provider_call *call,
    const struct azure_application *app);
/* 0 with out filled, or E_* as azure_ask and azure_take. */
int azure_entra(const struct provider_call *call,
    struct azure_application *app, struct source_value *out,
    struct err *err);

#endif
