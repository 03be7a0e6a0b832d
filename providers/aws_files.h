/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files that AWS's tools share: ~/.aws/config and ~/.aws/credentials.
 * Where AWS's SDKs read them differently, this goes with the one for
 * JavaScript, which Backstage uses:
 *
 * - a "#" or ";" at the start of a line or after a blank begins a comment;
 * - names of keys are as they are written, in lower case;
 * - indented lines belong to the key before them if that has no value;
 * - names of profiles have letters, digits and "_-@+.%:/"; there may be
 *   quotes around them in the config file;
 * - sections of one name are one, and what stands later wins; what stands in
 *   the credentials file wins over the config file.
 */
#ifndef STAGEDOOR_AWS_FILES_H
#define STAGEDOOR_AWS_FILES_H

#include "provider.h"

enum aws_key {
	AWS_KEY_ID, AWS_KEY_SECRET, AWS_KEY_SESSION, AWS_KEY_ROLE,
	AWS_KEY_SOURCE_PROFILE, AWS_KEY_CREDENTIAL_SOURCE,
	AWS_KEY_EXTERNAL_ID, AWS_KEY_SESSION_NAME, AWS_KEY_DURATION,
	AWS_KEY_MFA, AWS_KEY_WEB_IDENTITY, AWS_KEY_PROCESS, AWS_KEY_REGION,
	AWS_KEY_ENDPOINT, AWS_KEY_SERVICES, AWS_KEY_SSO_URL,
	AWS_KEY_SSO_SESSION, AWS_KEY_SSO_ACCOUNT, AWS_KEY_SSO_REGION,
	AWS_KEY_SSO_ROLE, AWS_KEYS
};

struct aws_profile {
	bool found;
	const char *values[AWS_KEYS];	/* in scratch; NULL: not there */
};

/* Both files, as they are now; in scratch. */
struct aws_files {
	const char *config, *credentials;	/* NULL: missing */
	struct err why;			/* one that could not be read */
};

/* A file that is missing is empty, as in the SDK. */
void aws_files_read(const struct provider_call *call, struct aws_files *out);
/* A profile of both files; one that is in neither is not found. */
void aws_files_profile(const struct provider_call *call,
    const struct aws_files *files, const char *name,
    struct aws_profile *out);
/*
 * The endpoint_url of STS in the section [services NAME] of the config file,
 * in scratch; NULL: it has none.
 */
const char *aws_files_sts_endpoint(const struct provider_call *call,
    const struct aws_files *files, const char *name);

#endif
