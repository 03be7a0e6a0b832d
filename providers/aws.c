/* SPDX-License-Identifier: Apache-2.0 */
/*
 * aws: an EKS token, signed with the server's own AWS credentials. The name
 * that is signed is kubernetes.io/x-k8s-aws-id of the cluster's authMetadata,
 * else the cluster's own name.
 */
#include "base.h"

#include "arena.h"
#include "aws_sources.h"
#include "provider.h"
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

static const char *
cluster_id(const struct cluster *c)
{
	size_t i;

	for (i = 0; i < c->nmetadata; i++)
		if (strcmp(c->metadata[i].key,
		    "kubernetes.io/x-k8s-aws-id") == 0 &&
		    c->metadata[i].value[0] != '\0')
			return c->metadata[i].value;
	return c->name;
}

static void
take_token(const struct provider_call *call,
    const struct aws_credentials *keys, const char *region,
    struct credential *out)
{
	const struct aws_token_request req = {
		.credentials = keys,
		.host = aws_sts_host(call->scratch, region),
		.region = region,
		.cluster_id = cluster_id(call->cluster),
		.expires = AWS_TOKEN_EXPIRES,
		.now = call->now,
	};
	const char *text = aws_token(call->scratch, &req);
	struct secret token = SECRET_INIT;

	secret_set(&token, text, strlen(text));
	credential_take_bearer(out, &token);
	out->expires = call->now + AWS_TOKEN_LIFE;
	if (keys->expires != 0)
		out->expires = SD_MIN(out->expires, keys->expires);
}

static enum provider_verdict
obtain(const void *memory, const struct provider_call *call,
    struct credential *out, struct err *err)
{
	struct aws_credentials keys = AWS_CREDENTIALS_INIT;
	const struct state *state = memory;
	const char *region;

	if (aws_sources_get(call, state->settings, &keys, &region, err) != 0)
		return PROVIDER_FAILED;
	take_token(call, &keys, region, out);
	aws_credentials_release(&keys);
	return PROVIDER_OK;
}

extern const struct provider_ops provider_aws;
const struct provider_ops provider_aws = {
	.name = "aws",
	.flags = PROVIDER_SERVER_SIDE | PROVIDER_CACHEABLE,
	.state_size = sizeof(struct state),
	.init = init,
	.obtain = obtain,
};
