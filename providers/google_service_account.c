/* SPDX-License-Identifier: Apache-2.0 */
/*
 * googleServiceAccount: an access token of the server's own Google account,
 * the same for all clusters.
 */
#include "base.h"

#include "google_sources.h"
#include "settings.h"

struct state {
	const struct settings *settings;	/* borrowed */
};

static int
init(void *memory, const struct settings *settings, struct err *err UNUSED)
{
	struct state *state = memory;

	state->settings = settings;
	return 0;
}

static enum provider_verdict
obtain(const void *memory, const struct provider_call *call,
    struct credential *out, struct err *err)
{
	struct source_value value = SOURCE_VALUE_INIT;
	const struct state *state = memory;

	if (google_token(call, state->settings, GOOGLE_SCOPES, &value,
	    err) != 0)
		return PROVIDER_FAILED;
	credential_take_bearer(out, &value.part[0]);
	out->expires = value.expires;
	source_value_release(&value);
	return PROVIDER_OK;
}

extern const struct provider_ops provider_google_service_account;
const struct provider_ops provider_google_service_account = {
	.name = "googleServiceAccount",
	.flags = PROVIDER_SERVER_SIDE | PROVIDER_CACHEABLE | PROVIDER_NETWORK,
	.state_size = sizeof(struct state),
	.init = init,
	.obtain = obtain,
};
