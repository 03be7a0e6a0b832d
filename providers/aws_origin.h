/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where AWS credentials come from, once settings, environment and files have
 * been read: keys at hand, or a way to get some that takes a network or a
 * program, and what that builds on. In the call's scratch throughout.
 */
#ifndef STAGEDOOR_AWS_ORIGIN_H
#define STAGEDOOR_AWS_ORIGIN_H

#include "aws_sts.h"
#include "aws_token.h"
#include "provider.h"

enum aws_origin_kind {
	AWS_AT_HAND, AWS_ROLE, AWS_WEB_IDENTITY, AWS_PROCESS, AWS_CONTAINER,
	AWS_INSTANCE
};

struct aws_origin {
	enum aws_origin_kind kind;
	/* keys */
	const char *id, *secret, *session;	/* session: NULL if none */
	int64_t expires;			/* wall ms; 0: not known */
	/* role, web identity */
	struct aws_role role;
	const struct aws_origin *base;		/* signs for the role */
	const char *token_file;
	/* process */
	const char *profile, *command;
	/* container, instance */
	const char *url;
	const char *token;			/* container; NULL: none; */
	bool last;		/* instance: nothing else had any */
};

/*
 * The credentials of an origin: at once, or through call->source. On 0 the
 * caller releases out. E_PENDING, or why there are none.
 */
int aws_origin_get(const struct provider_call *call,
    const struct aws_origin *origin, struct aws_credentials *out,
    struct err *err);
/*
 * The account that an origin's credentials belong to and its partition, in
 * scratch: asked from STS once. 0, E_PENDING, or why it is not known.
 */
int aws_origin_account(const struct provider_call *call,
    const struct aws_origin *origin, const struct aws_sts *sts,
    struct pair *out, struct err *err);

/* How a source of each kind is made (source.h); they block. */
typedef int aws_maker(const struct provider_call *call,
    const struct aws_origin *origin, struct source_value *out,
    struct err *err);
/* aws_process.c: a program of the profile's, without a shell. */
aws_maker aws_process_make;
/* aws_metadata.c: the container's endpoint (ECS, EKS Pod Identity), and the
   instance's metadata, IMDSv2 only. */
aws_maker aws_container_make, aws_instance_make;

/* aws_process.c: what the program gets of our environment, NULL at the end. */
const char *const *aws_process_environment(const struct provider_call *call);
/* aws_metadata.c: may the container's token be sent there? https, or http to
   this machine or to where ECS and EKS answer. */
bool aws_container_url_ok(const char *url);

#endif
