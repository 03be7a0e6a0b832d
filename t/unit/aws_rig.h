/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of AWS share: an environment and files that exist only in
 * the test.
 */
#ifndef STAGEDOOR_TEST_AWS_RIG_H
#define STAGEDOOR_TEST_AWS_RIG_H

#include <setjmp.h>
#include <cmocka.h>

#include "arena.h"
#include "aws_sources.h"
#include "err.h"
#include "settings.h"

#define RIG_PAIRS 32
#define RIG_NOW INT64_C(1741964966000)	/* 2025-03-14T15:09:26Z */

static struct {
	struct pair variables[RIG_PAIRS], files[RIG_PAIRS];
	size_t nvariables, nfiles;
	struct settings settings;
	struct cluster cluster;
	struct arena *arena;

	int r;			/* of the last rig_get */
	struct aws_credentials got;
	const char *region;
	struct err err;
} rig;

static const char *
rig_find(const struct pair *pairs, size_t n, const char *name)
{
	while (n-- > 0)		/* the last one wins */
		if (strcmp(pairs[n].key, name) == 0)
			return pairs[n].value;
	return NULL;
}

static const char *
rig_getenv(const char *name)
{
	return rig_find(rig.variables, rig.nvariables, name);
}

static int
rig_read_file(const char *path, struct secret *out, struct err *err)
{
	const char *text = rig_find(rig.files, rig.nfiles, path);

	if (text == NULL)
		return err_set(err, E_SYSTEM, "cannot read '%s'", path);
	secret_set(out, text, strlen(text));
	return 0;
}

static inline void
rig_variable(const char *name, const char *value)
{
	assert_true(rig.nvariables < RIG_PAIRS);
	rig.variables[rig.nvariables++] = (struct pair){ name, value };
}

static inline void
rig_file(const char *path, const char *text)
{
	assert_true(rig.nfiles < RIG_PAIRS);
	rig.files[rig.nfiles++] = (struct pair){ path, text };
}

static inline struct provider_call
rig_call(void)
{
	return (struct provider_call){ .cluster = &rig.cluster,
	    .scratch = rig.arena, .now = RIG_NOW,
	    .read_file = rig_read_file, .getenv = rig_getenv };
}

static inline void
rig_get(void)
{
	struct provider_call call = rig_call();

	aws_credentials_release(&rig.got);
	memset(&rig.err, 0, sizeof(rig.err));
	rig.r = aws_sources_get(&call, &rig.settings, &rig.got, &rig.region,
	    &rig.err);
}

static int
rig_setup(void **state UNUSED)
{
	memset(&rig, 0, sizeof(rig));
	rig.arena = arena_new();
	rig.cluster.name = "eks";
	rig.cluster.auth_provider = "aws";
	return 0;
}

static int
rig_teardown(void **state UNUSED)
{
	aws_credentials_release(&rig.got);
	arena_free(rig.arena);
	return 0;
}

#endif
