/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where clusters come from: kubernetes.clusterLocatorMethods, one after the
 * other, in order. A locator that fails costs its own clusters.
 */
#ifndef STAGEDOOR_LOCATOR_H
#define STAGEDOOR_LOCATOR_H

struct arena;
struct cluster;
struct clusters;
struct locator_settings;
struct problems;
struct settings;

/* Fill out (its items are the caller's to free) from all locators. */
void locators_run(const struct settings *s, struct arena *arena,
    struct clusters *out, struct problems *problems);
/* A record with the defaults of the settings, in the arena. */
struct cluster *locator_cluster(const struct settings *s,
    struct arena *arena, const char *name);
void locator_add(struct clusters *out, struct cluster *c);

/* locator_kubeconfig.c: the contexts of a kubeconfig. */
void locator_kubeconfig(const struct settings *s,
    const struct locator_settings *ls, struct arena *arena,
    struct clusters *out, struct problems *problems);

#endif
