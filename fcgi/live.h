/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The live lane: for clusters with `live = true`, the kinds that are asked
 * for are listed once and then watched, by one thread for all, and queries
 * are answered from memory. It is for what everybody reads with the same
 * credential: the server's own, without impersonation.
 *
 * A kind is used only while its watch is open and has been since its list;
 * what closes, fails or falls behind (410) is not used until it was listed
 * again. Over the budget, or where the cluster refuses to let us watch (more
 * than a few times in a row, if it did before), it is read directly, and
 * looked at again later. A silent peer is found within LIVE_SILENCE_S: by TCP
 * keep-alive and user time-out, and by asking it (follow.h).
 *
 * Protocol: "API Concepts: Efficient detection of changes" of the Kubernetes
 * reference (resourceVersion, allowWatchBookmarks, 410 Gone).
 */
#ifndef STAGEDOOR_LIVE_H
#define STAGEDOOR_LIVE_H

#include "live_index.h"

#define LIVE_SILENCE_S 15

struct access;
struct cluster;
struct clusters;
struct live;
struct object_list;
struct object_lists;
struct selector;
struct settings;
struct transport;

struct live_options {
	size_t memory;		/* bytes, for all kinds and clusters */
	double idle;		/* seconds */
	/* Those of a runtime: asks of others get NULL. */
	const struct settings *settings;
	const struct clusters *clusters;
};

/*
 * Only for processes that serve for long; others have NULL for a lane. Starts
 * a thread. live_use tells it what there is, before the first ask and after a
 * reload: a cluster that went away, or whose credentials may be others now,
 * is let go of, and what waits for another try is tried at once.
 */
struct live *live_new(struct transport *t);
void live_use(struct live *l, const struct live_options *opt);
/* At once; nobody asks any more. */
void live_free(struct live *l);			/* NULL is fine */

/* One list of a query. */
struct live_ask {
	const struct cluster *cluster;
	const struct access *access;	/* by a server-side provider */
	const struct object_list *list;
	const struct selector *selector;
};

/* May the row be answered so at all? */
bool live_may(const struct live *l, const struct cluster *c,
    const struct access *a);
/*
 * Without blocking. The matching items, which the caller puts, or NULL: ask
 * the cluster; the kind is being fetched now for those who come later, with
 * the credential of the last who asked.
 */
struct live_text *live_read(struct live *l, const struct live_ask *ask);

/*
 * All lists of a row at once: texts[i] for lists->items[i], as live_read
 * gives them for ask, whose list is not looked at. How many are NULL.
 */
size_t live_read_all(struct live *l, const struct live_ask *ask,
    const struct object_lists *lists, struct live_text **texts);

struct live_counts {
	size_t kinds, used, objects, bytes;	/* used: fit to answer */
	uint64_t hits, misses, lists, events, bookmarks, gone, failures,
	    over_budget, refused;
};
void live_count(const struct live *l, struct live_counts *out);

#endif
