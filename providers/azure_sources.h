/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where Azure tokens come from, in the order of the SDK for JavaScript that
 * Backstage uses (DefaultAzureCredential): the environment (AZURE_TENANT_ID
 * and AZURE_CLIENT_ID with AZURE_CLIENT_SECRET, or with
 * AZURE_CLIENT_CERTIFICATE_PATH), a workload identity
 * (AZURE_FEDERATED_TOKEN_FILE), the managed identity, the Azure CLI. A source
 * that is not configured or not there makes way for the next; one that is,
 * and fails, ends the search. AZURE_TOKEN_CREDENTIALS picks: "prod" (the
 * first three), "dev" (the CLI) or one by its name, in any case.
 *
 * The SDK's other sources (a user's password, Visual Studio Code, PowerShell,
 * azd, a broker) are for people who sit before the machine: passed over.
 */
#ifndef STAGEDOOR_AZURE_SOURCES_H
#define STAGEDOOR_AZURE_SOURCES_H

#include "provider.h"

#define AZURE_AUTHORITY "https://login.microsoftonline.com"

/* What a search goes by. */
struct azure_search {
	const char *entra_host;		/* settings' stagedoor.cloud.entraHost,
					   which beats AZURE_AUTHORITY_HOST;
					   NULL: not set */
	const char *pin;		/* stagedoor.cloud.azureCredential,
					   which beats
					   AZURE_TOKEN_CREDENTIALS; or NULL */
};

/*
 * A make function of struct source: ctx is a struct azure_search. part[0] of
 * out is the token, for every AKS cluster.
 */
int azure_sources_make(const struct provider_call *call, const void *ctx,
    struct source_value *out, struct err *err);
/* All that goes into it, NULL at the end; in scratch. */
const char *const *azure_sources_inputs(const struct provider_call *call,
    const struct azure_search *search);

/* Letters, digits, '.' and '-', and no '-' or '.' at its start: nothing else
   may get into a URL or an argument. */
bool azure_tenant_ok(const char *tenant);
#define AZURE_TENANT_FLAW "AZURE_TENANT_ID is no tenant: letters, digits, " \
	"'.' and '-' only"

#endif
