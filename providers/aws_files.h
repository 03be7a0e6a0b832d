/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files that AWS's tools share: ~/.aws/config and ~/.aws/credentials.
 * Where AWS's SDKs read them differently, this goes with the one for
 * JavaScript, which Backstage uses:
 *
 * - a "#" or ";" at the start of a line or after a blank begins a comment;
 * - names of keys are as they are written, in lower case;
 * - indented lines belong to the key before them if that has no value;
 * - [profile "a b"] names no profile;
 * - sections of one name are one, and what stands later wins; what stands in
 *   the credentials file wins over the config file.
 */
#ifndef STAGEDOOR_AWS_FILES_H
#define STAGEDOOR_AWS_FILES_H

#include "provider.h"

enum aws_key {
	AWS_KEY_ID, AWS_KEY_SECRET, AWS_KEY_SESSION, AWS_KEY_ROLE,
	AWS_KEY_SOURCE_PROFILE, AWS_KEY_CREDENTIAL_SOURCE,
	AWS_KEY_WEB_IDENTITY, AWS_KEY_PROCESS, AWS_KEY_SSO_URL,
	AWS_KEY_SSO_SESSION, AWS_KEYS
};

struct aws_profile {
	bool found;
	const char *values[AWS_KEYS];	/* in scratch; NULL: not there */
};

/*
 * A profile of both files; one that is in neither is not found. A file that
 * is missing is empty, as in the SDK. why, if not NULL, tells which could not
 * be read.
 */
void aws_profile_read(const struct provider_call *call, const char *name,
    struct aws_profile *out, struct err *why);

#endif
