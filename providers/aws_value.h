/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The credentials of AWS as a source's value: part 0 is the key's id, 1 its
 * secret, 2 the session token, 3 the ms by which AWS's clock is ahead of
 * ours, if it is.
 */
#ifndef STAGEDOOR_AWS_VALUE_H
#define STAGEDOOR_AWS_VALUE_H

#include "aws_token.h"
#include "provider.h"

#define AWS_MARGIN (5 * 60 * 1000)	/* ms before expiry at which the SDK
					   for JavaScript renews */

/*
 * Put in when the credentials that are in out's parts expire: a time by the
 * clock of AWS (NULL or "": never), which is skew ms ahead of ours. E_PROTOCOL:
 * the time is none or has come, or the parts cannot be credentials; err says
 * what they are ("no credentials"), for a sentence of the caller's.
 */
int aws_value_expires(const struct provider_call *call, const char *time,
    int64_t skew, struct source_value *out, struct err *err);
struct aws_json {
	bool metadata;		/* as metadata services write it; else as
				   programs do */
	const struct secret *text;
	int64_t skew;
};
/* The same from JSON; besides, what is no such JSON is E_PROTOCOL. */
int aws_value_parse(const struct provider_call *call,
    const struct aws_json *json, struct source_value *out, struct err *err);
/* Its credentials; key id in scratch, the value's secrets move. */
void aws_value_take(const struct provider_call *call, struct source_value *v,
    struct aws_credentials *out);

#endif
