/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The default chain of the SDK for JavaScript: the environment (unless
 * AWS_PROFILE is set), the profile, a web identity, the container, the
 * instance.
 */
#ifndef STAGEDOOR_AWS_CHAIN_H
#define STAGEDOOR_AWS_CHAIN_H

#include "aws_profiles.h"

/* 0 with *out in scratch, or E_CONFIG: nobody has any, or what there is
   cannot work. */
int aws_chain_origin(const struct aws_scene *scene,
    const struct aws_origin **out, struct err *err);
/* A profile that somebody named: it must have some. 0 or E_CONFIG. */
int aws_chain_named(const struct aws_scene *scene, const char *name,
    const struct aws_origin **out, struct err *err);

#endif
