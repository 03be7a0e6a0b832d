/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Providers in shared objects (stagedoor.providers), against the header
 * stagedoor/provider.h: loaded when settings are, and made to look like any
 * other provider. plugin.c loads, plugin_call.c is what they are handed.
 */
#ifndef STAGEDOOR_PLUGIN_H
#define STAGEDOOR_PLUGIN_H

#include "provider.h"

struct plugins;
struct problems;
struct stagedoor_provider;

/*
 * Load those of the settings, which outlive them. One that cannot be loaded
 * is a warning in problems, with file and reason, and costs its clusters.
 * Objects stay loaded until the program ends. NULL: there are none.
 */
struct plugins *plugins_new(const struct settings *settings,
    struct problems *problems);
void plugins_free(struct plugins *ps);		/* NULL is fine */
/* The ops of that name, loaded or not; NULL: there is none. */
const struct provider_ops *plugins_find(const struct plugins *ps,
    const char *name);

/* Does the text, of problems, say why one of them was not loaded? */
bool plugins_say(const struct plugins *ps, const char *text);

struct plugin {
	struct provider_ops ops;	/* first: it is found by them */
	const struct stagedoor_provider *v1;	/* NULL: not loaded */
	const char *path, *settings;	/* borrowed */
	struct err why;			/* it was not loaded */
};

/* plugin_call.c: of provider_ops. */
int plugin_check(const struct cluster *cluster, struct err *err);
enum provider_verdict plugin_obtain(const void *state,
    const struct provider_call *call, struct credential *out,
    struct err *err);

#endif
