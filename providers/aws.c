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

#define TOKEN_MARGIN (60 * 1000)	/* ms before a token's end */

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

/* What a token is made of. */
struct making {
	const struct aws_credentials *keys;
	const char *region, *cluster_id;
};

static int
make_token(const struct provider_call *call, const void *ctx,
    struct source_value *out, struct err *err UNUSED)
{
	const struct making *m = ctx;
	const struct aws_token_request req = {
		.credentials = m->keys,
		.host = aws_sts_host(call->scratch, m->region),
		.region = m->region,
		.cluster_id = m->cluster_id,
		.expires = AWS_TOKEN_EXPIRES,
		.now = call->now + m->keys->skew,
	};
	const char *token = aws_token(call->scratch, &req);

	secret_set(&out->part[0], token, strlen(token));
	out->expires = call->now + AWS_TOKEN_LIFE;
	if (m->keys->expires != 0)
		out->expires = SD_MIN(out->expires, m->keys->expires);
	out->margin = SD_MIN((int64_t)TOKEN_MARGIN,
	    (out->expires - call->now) / 2);
	return 0;
}

/* The same token for all who ask with the same keys, until it is old. */
static int
get_token(const struct provider_call *call, const struct making *m,
    struct credential *out, struct err *err)
{
	const struct aws_credentials *keys = m->keys;
	const char *inputs[] = { keys->access_key_id, keys->secret.ptr,
	    keys->session_token.len > 0 ? keys->session_token.ptr : "",
	    m->region, m->cluster_id, NULL };
	const struct source source = { .kind = "aws token", .local = true,
	    .inputs = inputs, .make = make_token, .ctx = m };
	struct source_value value = SOURCE_VALUE_INIT;
	int r = call->source(call, &source, &value, err);

	if (r == 0) {
		credential_take_bearer(out, &value.part[0]);
		out->expires = value.expires;
	}
	source_value_release(&value);
	return r;
}

static enum provider_verdict
obtain(const void *memory, const struct provider_call *call,
    struct credential *out, struct err *err)
{
	struct aws_credentials keys = AWS_CREDENTIALS_INIT;
	struct making making = { .keys = &keys,
	    .cluster_id = cluster_id(call->cluster) };
	const struct state *state = memory;
	int r;

	r = aws_sources_get(call, state->settings, &keys, &making.region, err);
	if (r == 0)
		r = get_token(call, &making, out, err);
	aws_credentials_release(&keys);
	return r == 0 ? PROVIDER_OK : PROVIDER_FAILED;
}

extern const struct provider_ops provider_aws;
const struct provider_ops provider_aws = {
	.name = "aws",
	.flags = PROVIDER_SERVER_SIDE | PROVIDER_CACHEABLE |
		PROVIDER_NETWORK,
	.state_size = sizeof(struct state),
	.init = init,
	.obtain = obtain,
};
