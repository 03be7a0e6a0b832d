/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a profile of AWS's files to the origin of its credentials, in the
 * order of the SDK for JavaScript: a role (role_arn with source_profile or
 * credential_source), static keys, a web identity, a program. Sign-in by SSO
 * needs a person, and so does a role with mfa_serial: both are refused.
 */
#ifndef STAGEDOOR_AWS_PROFILES_H
#define STAGEDOOR_AWS_PROFILES_H

#include "aws_files.h"
#include "aws_origin.h"

#define AWS_NEXT 1	/* this source has none: try the one after it */

/* What is known before a profile is looked at; in scratch. */
struct aws_scene {
	const struct provider_call *call;
	struct aws_files files;
	const char *region;	/* of the settings; NULL: they have none */
	const char *endpoint;	/* of STS, from the settings; or NULL */
};

/*
 * 0 with *out in scratch; AWS_NEXT: the profile is not there or says nothing
 * of credentials; E_CONFIG: what it says cannot work.
 */
int aws_profile_origin(const struct aws_scene *scene, const char *name,
    const struct aws_origin **out, struct err *err);
/*
 * Where STS is for what the environment says, or a profile: its region (of
 * the settings, the profile, AWS_REGION, or us-east-1), and the address in
 * its place (of the settings, AWS_ENDPOINT_URL_STS, AWS_ENDPOINT_URL, the
 * profile's services or endpoint_url). profile NULL: $AWS_PROFILE, or
 * default, whose region comes after AWS_REGION then.
 */
void aws_profile_sts(const struct aws_scene *scene, const char *profile,
    struct aws_sts *out);

/* Origins that profiles share with the chain (aws_sources.c): 0, AWS_NEXT
   or E_CONFIG. */
int aws_origin_environment(const struct provider_call *call,
    struct aws_origin *out, struct err *err);
int aws_origin_container(const struct provider_call *call,
    struct aws_origin *out, struct err *err);
int aws_origin_instance(const struct provider_call *call,
    struct aws_origin *out, struct err *err);

#endif
