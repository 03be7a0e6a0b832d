/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The managed identity of where we run: App Service (IDENTITY_ENDPOINT and
 * IDENTITY_HEADER), Azure Arc (IDENTITY_ENDPOINT and IMDS_ENDPOINT), else the
 * instance metadata service at 169.254.169.254, or where
 * AZURE_POD_IDENTITY_AUTHORITY_HOST says. AZURE_CLIENT_ID selects one of
 * several (Microsoft, "Managed identities for Azure resources").
 *
 * Endpoints that the environment names must do. The metadata service moves on
 * if it is not there, or says that there is no identity: the SDK for
 * JavaScript moves on whatever happens, and could get in as somebody else
 * while the service is ill.
 */
#ifndef STAGEDOOR_AZURE_MANAGED_H
#define STAGEDOOR_AZURE_MANAGED_H

#include "azure_token.h"

/* The variables that count here, NULL at the end. */
extern const char *const azure_managed_variables[];

/*
 * 0 with out filled, AZURE_NEXT with err saying why, or E_*. only: nothing
 * else is to be tried, so whether the service is there is not asked first.
 */
int azure_managed(const struct provider_call *call, bool only,
    struct source_value *out, struct err *err);

#endif
