/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files of a kubeconfig (v1 of client-go's clientcmd) as trees:
 * $KUBECONFIG may name several, of equal names the first counts, relative
 * paths start at their file. Belongs to one thread.
 */
#ifndef STAGEDOOR_KUBECONFIG_H
#define STAGEDOOR_KUBECONFIG_H

#include "tree.h"

struct arena;
struct locator_settings;
struct settings;
struct watch;

#define KUBECONFIG_FILES 16

struct kubeconfig {
	struct tree tree;
	struct tree_source sources[KUBECONFIG_FILES];
	struct node *roots[KUBECONFIG_FILES];
	size_t n;
	size_t broken;	/* files that are there and cannot be used */
};

/* Read all; what is missing or broken is a warning in problems. */
void kubeconfig_read(struct kubeconfig *k, const struct locator_settings *ls,
    struct arena *arena, struct problems *problems);
void kubeconfig_release(struct kubeconfig *k);
/* The entry of that name in a list of all files ("clusters": "cluster"). */
const struct node *kubeconfig_find(const struct kubeconfig *k,
    const char *list, const char *inner, const char *name);
/* A string of an entry; NULL if it is absent or empty. */
const char *kubeconfig_string(const struct node *entry, const char *key);
/* The same, a path: absolute, from the file that the entry is in. */
const char *kubeconfig_path(struct arena *arena, const struct node *entry,
    const char *key);

/* Is the member true? */
bool kubeconfig_true(const struct node *entry, const char *key);

/*
 * kubeconfig_exec.c: a user's exec entry, strings in the arena. Returns what
 * it has that cannot be used, for "its user has ..."; NULL if all is well.
 */
struct exec_plugin;
const char *kubeconfig_exec(struct arena *arena, const struct node *exec,
    struct exec_plugin *x);
/* What a cluster has for its users' plug-ins, as JSON; NULL: nothing. */
const char *kubeconfig_exec_config(struct arena *arena,
    const struct node *cluster);

/* How the files of all kubeconfig locators are. */
struct kubeconfig_state {
	size_t good, broken;
};

void kubeconfig_look(const struct settings *s, struct kubeconfig_state *out,
    struct problems *problems);
/* Add them all. */
void kubeconfig_watch(const struct settings *s, struct watch *w);

#endif
