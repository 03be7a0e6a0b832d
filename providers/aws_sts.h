/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls to AWS's Security Token Service (AWS STS API Reference, version
 * 2011-06-15): each is a POST, signed anew, and tried three times where
 * trying again can help. Where STS says that our clock is wrong, its own is
 * used.
 *
 * Errors name what was asked for and what STS answered, with secrets cut:
 * E_DENIED when it refused for good, E_BUSY when it may work later,
 * E_PROTOCOL for what is no answer, else the exchange's own.
 *
 * For sources' make functions only: they block.
 */
#ifndef STAGEDOOR_AWS_STS_H
#define STAGEDOOR_AWS_STS_H

#include "aws_token.h"
#include "provider.h"

struct aws_sts {
	const char *region;
	const char *endpoint;	/* URL in place of the region's; NULL: none */
};

struct aws_role {
	const char *arn;
	const char *session;	/* its name; NULL: one is made up, as the SDK
				   for JavaScript does */
	const char *external_id;	/* NULL: none */
	const char *duration;	/* seconds; NULL: STS decides */
	struct aws_sts sts;
};

/* AssumeRole, signed with keys. */
int aws_sts_assume(const struct provider_call *call,
    const struct aws_role *role, const struct aws_credentials *keys,
    struct source_value *out, struct err *err);
/*
 * AssumeRoleWithWebIdentity, unsigned. The token is in a file, which is read
 * for each call, and once more if STS says that the token has expired.
 */
int aws_sts_web_identity(const struct provider_call *call,
    const struct aws_role *role, const char *token_file,
    struct source_value *out, struct err *err);
/*
 * GetCallerIdentity: part 0 of out is the account's number, 1 its partition.
 * Never expires.
 */
int aws_sts_caller(const struct provider_call *call,
    const struct aws_sts *sts, const struct aws_credentials *keys,
    struct source_value *out, struct err *err);

#endif
