/* SPDX-License-Identifier: Apache-2.0 */
/* aks: the user's Entra token: as auth.aks, or of a sign-in with us. */
#include "base.h"

#include "client_token.h"
#include "jsonx.h"

static enum provider_verdict
obtain(const void *state UNUSED, const struct provider_call *call,
    struct credential *out, struct err *err)
{
	return client_token(call, jsonx_get(call->auth, "aks"), "auth.aks",
	    out, err);
}

extern const struct provider_ops provider_aks;
const struct provider_ops provider_aks = {
	.name = "aks",
	.flags = PROVIDER_USER_TOKEN | PROVIDER_BARE_PROXY,
	.obtain = obtain,
};
