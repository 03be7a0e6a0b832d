/* SPDX-License-Identifier: Apache-2.0 */
/* EKS tokens: STS hosts by partition, the presigned URL, its encoding. */
#include "base.h"

#include <openssl/evp.h>

#include "arena.h"
#include "aws_token.h"
#include "sigv4.h"

#define REGION_MAX 63

/* Regions by how they begin, and where they are. */
static const struct partition {
	const char *prefix, *name, *domain;
} partitions[] = {
	{ "cn-", "aws-cn", "amazonaws.com.cn" },
	{ "us-gov-", "aws-us-gov", "amazonaws.com" },
	{ "us-iso-", "aws-iso", "c2s.ic.gov" },
	{ "us-isob-", "aws-iso-b", "sc2s.sgov.gov" },
	{ "eu-isoe-", "aws-iso-e", "cloud.adc-e.uk" },
	{ "us-isof-", "aws-iso-f", "csp.hci.ic.gov" },
	{ "eusc-", "aws-eusc", "amazonaws.eu" },
	{ "", "aws", "amazonaws.com" },
};

void
aws_credentials_release(struct aws_credentials *c)
{
	secret_release(&c->secret);
	secret_release(&c->session_token);
	c->access_key_id = NULL;
}

bool
aws_region_ok(const char *region)
{
	size_t len = strlen(region);

	return len > 0 && len <= REGION_MAX && region[0] != '-' &&
	    strspn(region, "abcdefghijklmnopqrstuvwxyz0123456789-") == len;
}

static const struct partition *
partition_of(const char *region)
{
	size_t i = 0;

	while (!str_starts(region, partitions[i].prefix))
		i++;
	return &partitions[i];
}

const char *
aws_partition(const char *region)
{
	return partition_of(region)->name;
}

char *
aws_sts_host(struct arena *arena, const char *region)
{
	return arena_printf(arena, "sts.%s.%s", region,
	    partition_of(region)->domain);
}

char *
aws_token_url(struct arena *arena, const struct aws_token_request *req)
{
	const struct aws_credentials *c = req->credentials;
	const struct sigv4_signer signer = {
		.access_key_id = c->access_key_id,
		.secret = &c->secret,
		.session_token = &c->session_token,
		.region = req->region,
		.service = "sts",
		.now = req->now,
	};
	const struct pair query[] = {
		{ "Action", "GetCallerIdentity" },
		{ "Version", "2011-06-15" },
	};
	const struct pair header = { "x-k8s-aws-id", req->cluster_id };

	return sigv4_presign(arena, &signer, &(struct sigv4_request){
		.method = "GET",
		.host = req->host,
		.query = query,
		.nquery = ARRAY_LEN(query),
		.headers = &header,
		.nheaders = 1,
		.expires = req->expires,
	});
}

/* RFC 4648, section 5, without padding: clusters refuse it. */
static char *
base64url(struct arena *arena, const char *s)
{
	size_t len = strlen(s);
	char *out = arena_alloc(arena, 4 * (len / 3 + 1) + 1), *p;

	EVP_EncodeBlock((unsigned char *)out, (const unsigned char *)s,
	    (int)len);
	for (p = out; *p != '\0' && *p != '='; p++)
		*p = *p == '+' ? '-' : *p == '/' ? '_' : *p;
	*p = '\0';
	return out;
}

char *
aws_token(struct arena *arena, const struct aws_token_request *req)
{
	return arena_printf(arena, "k8s-aws-v1.%s", base64url(arena,
	    aws_token_url(arena, req)));
}
