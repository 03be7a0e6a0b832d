/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What requests run on: settings, clusters made ready, provider states. It
 * is immutable; a reload makes another one, and requests in flight keep
 * theirs. Counted references, from any thread.
 */
#ifndef STAGEDOOR_RUNTIME_H
#define STAGEDOOR_RUNTIME_H

#include "cluster.h"

struct backstage_users;
struct catalog;
struct documents;
struct leases;
struct live;
struct list_keeper;
struct permissions;
struct portal;
struct provider_state;
struct problems;
struct rows_kept;
struct reads;
struct settings;
struct sources;
struct store;
struct transport;

/* What outlives all runtimes and is theirs to use; borrowed. */
struct services {
	struct transport *transport;
	struct store *store;		/* NULL: nobody's tokens are kept */
	struct documents *documents;	/* of issuers; NULL: none are asked */
	struct leases *leases;		/* kept alive; NULL with the store */
	struct sources *sources;	/* NULL: nothing is asked of a cloud */
	struct reads *reads;		/* NULL: there are no queries */
	struct list_keeper *lists;	/* of clusters that others have;
					   NULL: none */
	struct portal *portal;		/* NULL: no kubectl through it */
	struct live *live;		/* NULL: nothing is kept in memory */
};

struct runtime {
	struct arena *arena;
	struct settings *settings;	/* owned */
	struct transport *transport;	/* borrowed, as are those below */
	struct sources *sources;
	struct store *store;
	struct documents *documents;
	struct leases *leases;
	struct portal *portal;
	struct live *live;
	struct rows_kept *rows;		/* owned, of the live lane */
	struct reads *reads;
	struct catalog *catalog;	/* owned */
	struct backstage_users *users;	/* owned; NULL with other identities */
	struct permissions *permissions;	/* owned; NULL: not asked */
	struct clusters clusters;	/* owned; in the order of locators */
	struct provider_state *states;	/* those that clusters need */
	size_t nstates;
	int64_t made;			/* wall ms */
	unsigned refs;
	/* The last address that a provider's locate gave (obtain.c). */
	struct located *located;
};

/*
 * Make a runtime; takes settings. Clusters that cannot work stay in the list
 * with `broken` set and are reported in problems as warnings.
 */
struct runtime *runtime_new(struct settings *settings,
    const struct services *services, struct problems *problems);
struct runtime *runtime_ref(struct runtime *rt);
void runtime_put(struct runtime *rt);

#endif
