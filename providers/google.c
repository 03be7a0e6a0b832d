/* SPDX-License-Identifier: Apache-2.0 */
/* google: the user's access token: as auth.google, or of a sign-in with us. */
#include "base.h"

#include "client_token.h"
#include "jsonx.h"

static enum provider_verdict
obtain(const void *state UNUSED, const struct provider_call *call,
    struct credential *out, struct err *err)
{
	return client_token(call, jsonx_get(call->auth, "google"),
	    "auth.google", out, err);
}

extern const struct provider_ops provider_google;
const struct provider_ops provider_google = {
	.name = "google",
	.flags = PROVIDER_USER_TOKEN,
	.obtain = obtain,
};
