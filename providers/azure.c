/* SPDX-License-Identifier: Apache-2.0 */
/*
 * azure: an Entra token of the server's own identity, which opens every AKS
 * cluster that knows that identity. One token serves them all.
 */
#include "base.h"

#include "azure_sources.h"
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
	const struct state *state = memory;
	const struct azure_search search = {
		.entra_host = state->settings->cloud.entra_host,
		.pin = state->settings->cloud.azure_credential };
	const struct source source = {
		.kind = "azure token",
		.inputs = azure_sources_inputs(call, &search),
		.make = azure_sources_make,
		.ctx = &search,
	};
	struct source_value value = SOURCE_VALUE_INIT;

	if (call->source(call, &source, &value, err) != 0)
		return PROVIDER_FAILED;
	credential_take_bearer(out, &value.part[0]);
	out->expires = value.expires;
	source_value_release(&value);
	return PROVIDER_OK;
}

extern const struct provider_ops provider_azure;
const struct provider_ops provider_azure = {
	.name = "azure",
	.flags = PROVIDER_SERVER_SIDE | PROVIDER_CACHEABLE | PROVIDER_NETWORK,
	.state_size = sizeof(struct state),
	.init = init,
	.obtain = obtain,
};
