/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Providers that are known by name and not built in yet: settings that name
 * them are right, and their clusters say so in their own rows.
 */
#include "base.h"

#include "provider.h"

static enum provider_verdict
obtain(const void *state UNUSED, const struct provider_call *call,
    struct credential *out UNUSED, struct err *err)
{
	err_set(err, E_NOTBUILT,
	    "authProvider '%s' of cluster '%s' is not built in yet",
	    call->cluster->auth_provider, call->cluster->name);
	return PROVIDER_FAILED;
}

#define NOT_BUILT(id, text)                                                   \
	extern const struct provider_ops provider_##id;                       \
	const struct provider_ops provider_##id = {                           \
		.name = text,                                                 \
		.flags = PROVIDER_SERVER_SIDE | PROVIDER_NOT_BUILT,           \
		.obtain = obtain,                                             \
	}

NOT_BUILT(google_service_account, "googleServiceAccount");
