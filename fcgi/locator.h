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
struct list_keeper;
struct locator_settings;
struct problems;
struct settings;

/*
 * Fill out (its items are the caller's to free) from all locators. lists holds
 * those of GKE and the catalog; NULL: there are none. Nothing is waited for.
 */
void locators_run(const struct settings *s, const struct list_keeper *lists,
    struct arena *arena, struct clusters *out, struct problems *problems);
/* A record with the defaults of the settings, in the arena. */
struct cluster *locator_cluster(const struct settings *s,
    struct arena *arena, const char *name);
void locator_add(struct clusters *out, struct cluster *c);
/* Letters, digits and - _ . as others' names of clusters have: it gets into
   logs, pages and headers. */
bool locator_name_ok(const char *s);

/* locator_kubeconfig.c: the contexts of a kubeconfig. */
void locator_kubeconfig(const struct settings *s,
    const struct locator_settings *ls, struct arena *arena,
    struct clusters *out, struct problems *problems);

/* What one locator works with. */
struct locating {
	const struct settings *settings;
	const struct locator_settings *locator;
	struct arena *arena;
	struct clusters *out;
	struct problems *problems;
};

/*
 * locator_gke.c: the clusters of a list in the form of google_clusters.h that
 * the locator wants. What cannot be one is left out, and problems say so.
 */
void locator_gke(const struct locating *l, const char *list);
/* locator_catalog.c: the same of catalog_clusters.h. */
void locator_catalog(const struct locating *l, const char *list);

#endif
