/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where AWS credentials come from, in the order of Backstage and of the SDK
 * for JavaScript that it uses: the settings' account of the cluster's role,
 * or the main account, else variables (not if AWS_PROFILE is set), the shared
 * files, a web identity, the container's endpoint, the instance's metadata.
 * On top of that, the role of the cluster. Variables that are empty count as
 * not set.
 *
 * A profile that AWS_PROFILE or the settings name, and that gives no
 * credentials, is an error, where the SDK would try the rest of the chain: a
 * server must not get in as somebody else.
 */
#ifndef STAGEDOOR_AWS_SOURCES_H
#define STAGEDOOR_AWS_SOURCES_H

#include "aws_token.h"
#include "provider.h"

struct settings;

/*
 * The credentials and the region that sign for the call's cluster. On 0 the
 * caller releases out; region is in scratch. E_PENDING: they are being made.
 * E_CONFIG: there are none, or what there is cannot work. Else why they
 * cannot be had, in the words of the source (aws_sts.h, aws_origin.h).
 */
int aws_sources_get(const struct provider_call *call,
    const struct settings *settings, struct aws_credentials *out,
    const char **region, struct err *err);

#endif
