/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The token that opens an EKS cluster: a presigned GetCallerIdentity, which
 * the cluster sends to STS to learn who asks. It is bound to the cluster by
 * the signed header x-k8s-aws-id. Pure; results are in the caller's arena,
 * which is wiped.
 */
#ifndef STAGEDOOR_AWS_TOKEN_H
#define STAGEDOOR_AWS_TOKEN_H

#include "secret.h"

struct arena;

/* Clusters take 0 to 900 s and then go by the date: 15 minutes. */
#define AWS_TOKEN_EXPIRES 60
#define AWS_TOKEN_LIFE (14 * 60 * 1000)		/* ms; a minute to spare */

struct aws_credentials {
	const char *access_key_id;	/* in the call's scratch */
	struct secret secret;
	struct secret session_token;	/* empty: none */
	int64_t expires;		/* wall ms; 0: not known */
	int64_t skew;			/* ms that AWS's clock, which gave them,
					   is ahead of ours */
};

#define AWS_CREDENTIALS_INIT { NULL, SECRET_INIT, SECRET_INIT, 0, 0 }

void aws_credentials_release(struct aws_credentials *c);

struct aws_token_request {
	const struct aws_credentials *credentials;
	const char *host;	/* of STS; aws_sts_host */
	const char *region;	/* signed for */
	const char *cluster_id;
	unsigned expires;	/* s, AWS_TOKEN_EXPIRES */
	int64_t now;		/* wall ms */
};

/* Letters, digits and '-': nothing else may get into a host name. */
bool aws_region_ok(const char *region);
/* "aws", or the partition that its prefix names: "aws-cn". */
const char *aws_partition(const char *region);
/* The regional host of STS, with its partition's domain. */
char *aws_sts_host(struct arena *arena, const char *region);
char *aws_token_url(struct arena *arena, const struct aws_token_request *req);
char *aws_token(struct arena *arena, const struct aws_token_request *req);

#endif
