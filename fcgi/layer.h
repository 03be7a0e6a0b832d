/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From files to one tree: each is read, what stands for something else is
 * replaced ($env, $file, $include in YAML; lists of pairs in libconfig, where
 * the table of keys wants a map), and the later are laid over the earlier.
 * Only what the table of keys knows is looked at: other plug-ins' sections
 * of an app-config stay as they are, whatever they include.
 *
 * ${NAME} is not filled in here: a value that a later file replaces needs no
 * variable.
 */
#ifndef STAGEDOOR_LAYER_H
#define STAGEDOOR_LAYER_H

#include "tree.h"

/*
 * An object, never NULL. *complete is false if a part could not be read, so
 * that what is missing may just not have been seen; problems says why.
 */
struct node *layers_read(struct tree *t, const char *const *files, size_t n,
    bool *complete);

#endif
