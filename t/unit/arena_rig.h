/* SPDX-License-Identifier: Apache-2.0 */
/* The least that vectors.h needs: an arena for each case. */
#ifndef STAGEDOOR_TEST_ARENA_RIG_H
#define STAGEDOOR_TEST_ARENA_RIG_H

#include <setjmp.h>
#include <cmocka.h>

#include "arena.h"

static struct {
	struct arena *arena;
} rig;

static inline int
rig_setup(void **state UNUSED)
{
	rig.arena = arena_new();
	return 0;
}

static inline int
rig_teardown(void **state UNUSED)
{
	arena_free(rig.arena);
	return 0;
}

#endif
