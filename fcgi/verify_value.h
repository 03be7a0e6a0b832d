/* SPDX-License-Identifier: Apache-2.0 */
/* One value against its key: the inner half of verify.h. */
#ifndef STAGEDOOR_VERIFY_VALUE_H
#define STAGEDOOR_VERIFY_VALUE_H

#include "verify.h"

struct key;

struct verify {
	struct tree *tree;
	struct strbuf path;
	unsigned flags;
	size_t silent;		/* wrong values that were reported before */
	size_t settled;		/* errors whose element is marked as wrong */
};

/* Everything but KEY_OBJECT and KEY_LIST. */
void verify_value(struct verify *v, struct node *n, const struct key *key);
/* A problem at n, whose path is the current one. */
void verify_problem(struct verify *v, bool warning, const struct node *n,
    const char *fmt, ...) PRINTF_LIKE(4, 5);
void verify_wrong_type(struct verify *v, const struct node *n,
    const char *wanted);

#endif
