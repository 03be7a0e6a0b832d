/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the table of keys cannot say: names that must differ, keys that need
 * or exclude one another, providers that must exist. Works on a tree that
 * may hold errors, so that one run reports them all.
 */
#ifndef STAGEDOOR_SETTINGS_RULES_H
#define STAGEDOOR_SETTINGS_RULES_H

#include "tree.h"

void settings_rules(struct tree *t, const struct node *root);

/* The authProvider node that counts: authMetadata's beats the other. */
const struct node *cluster_provider_node(const struct node *cluster);
/* A type that kubernetes.objectTypes picks, or that is listed without it. */
bool object_type_listed(const struct node *kubernetes, const char *type);

#endif
