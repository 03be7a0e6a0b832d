/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hold a tree against the table of keys, and make its values what the table
 * says they are: variables filled in, "yes" a boolean, "64" a number, a lone
 * string a list, paths absolute. Every error is reported, not only the first.
 */
#ifndef STAGEDOOR_VERIFY_H
#define STAGEDOOR_VERIFY_H

#include "tree.h"

enum verify_flags {
	VERIFY_PARTIAL = 1,	/* a part could not be read: what is missing
				   may have been in it */
	VERIFY_KEEP = 2,	/* leave ${NAME} and files alone: such values
				   are not looked at */
};

/*
 * Unknown keys are errors in libconfig, in an app-config warnings (and no
 * word about what belongs to others). Members that are null are removed.
 */
void verify_tree(struct tree *t, struct node *root, unsigned flags);
/* Does the value only become known when the program starts? */
bool verify_unknown_yet(const struct node *n);

#endif
