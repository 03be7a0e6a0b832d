/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localKubectlProxy: `kubectl proxy` on this machine holds the credential,
 * so requests go out without any.
 */
#include "base.h"

#include "provider.h"

static enum provider_verdict
obtain(const void *state UNUSED, const struct provider_call *call,
    struct credential *out, struct err *err UNUSED)
{
	call->note(call, "kubectl proxy adds its own credential: none of ours "
	    "is looked for");
	out->kind = CREDENTIAL_ANONYMOUS;
	return PROVIDER_OK;
}

extern const struct provider_ops provider_local_kubectl_proxy;
const struct provider_ops provider_local_kubectl_proxy = {
	.name = "localKubectlProxy",
	.flags = PROVIDER_SERVER_SIDE | PROVIDER_ADDS_OWN,
	.obtain = obtain,
};
