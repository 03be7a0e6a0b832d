/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of AWS share. */
#ifndef STAGEDOOR_TEST_AWS_RIG_H
#define STAGEDOOR_TEST_AWS_RIG_H

#include "cloud_rig.h"
#include "aws_sources.h"

/* Of the last rig_get. */
static struct {
	struct aws_credentials got;
	const char *region;
} aws;

/* The path and query of a URL. */
static inline const char *
rig_path(const struct rig_asked *rq)
{
	const char *host = strstr(rq->url, "://");
	const char *path = host != NULL ? strchr(host + 3, '/') : NULL;

	return path != NULL ? path : "/";
}

static inline void
rig_get_with(const struct provider_call *call)
{
	aws_credentials_release(&aws.got);
	rig_forget();
	rig.r = aws_sources_get(call, &rig.settings, &aws.got, &aws.region,
	    &rig.err);
}

static inline void
rig_get(void)
{
	struct provider_call call = rig_call();

	rig_get_with(&call);
}

static int
rig_setup(void **state UNUSED)
{
	rig_begin("eks", "aws");
	memset(&aws, 0, sizeof(aws));
	return 0;
}

static int
rig_teardown(void **state UNUSED)
{
	aws_credentials_release(&aws.got);
	arena_free(rig.arena);
	return 0;
}

#endif
