/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one table of providers. Settings and messages take the accepted names
 * from here too. Adding one: a file, a line here, a line in Makefile.am.
 */
#include "base.h"

#include "provider.h"

/* id of the ops, name of the authProvider */
#define PROVIDERS(X)                                                          \
	X(aks, "aks")                                                         \
	X(aws, "aws")                                                         \
	X(azure, "azure")                                                     \
	X(exec, "exec")                                                       \
	X(google, "google")                                                   \
	X(google_service_account, "googleServiceAccount")                     \
	X(local_kubectl_proxy, "localKubectlProxy")                           \
	X(oidc, "oidc")                                                       \
	X(service_account, "serviceAccount")                                  \
	X(x509, "x509")

#define DECLARE(id, text) extern const struct provider_ops provider_##id;
#define ENTRY(id, text) &provider_##id,
#define NAME(id, text) text,

PROVIDERS(DECLARE)

static const struct provider_ops *const providers[] = { PROVIDERS(ENTRY) };
static const char *const names[] = { PROVIDERS(NAME) NULL };

const struct provider_ops *
provider_find(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(providers); i++)
		if (strcmp(providers[i]->name, name) == 0)
			return providers[i];
	return NULL;
}

const char *const *
provider_names(void)
{
	return names;
}
