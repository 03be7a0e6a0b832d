/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Long-lived GETs of the Kubernetes API, many on one thread: their bytes are
 * handed over as they come, and whoever follows lives on that thread, too.
 * HTTP/2 is multiplexed where the cluster speaks it, and the breaker is asked
 * as for a fetch.
 *
 * A peer that falls silent is found within FOLLOW_SILENCE_S: a broken network
 * by TCP keep-alive and user time-out, a server that hangs behind a kernel or
 * a load balancer that does not by a small GET (/version, any answer counts)
 * on the same connections, once nothing was heard for a while. Then all that
 * is followed of that peer ends with E_TIMEOUT or what the GET met, and its
 * connections are closed.
 */
#ifndef STAGEDOOR_FOLLOW_H
#define STAGEDOOR_FOLLOW_H

#include "transport.h"

#define FOLLOW_SILENCE_S 15

struct follower;
struct follow;

struct follower_options {
	struct transport *transport;
	/*
	 * Called on the thread after a wake, and at the time (mono ms) that
	 * it gave last; INT64_MAX: only after a wake.
	 */
	int64_t (*turn)(void *ctx, int64_t now);
	void *ctx;
	/* ms without a byte after which a peer is asked, and for its answer;
	   0: what makes FOLLOW_SILENCE_S true. */
	int64_t quiet, beat;
};

/* Starts the thread. */
struct follower *follower_new(const struct follower_options *opt);
/* Any thread. */
void follower_wake(struct follower *f);
/* Drops what is followed without a further word, stops the thread; at once. */
void follower_free(struct follower *f);		/* NULL is fine */

/* Called on the follower's thread. head and body: 0, or an E_* that ends it. */
struct follow_ops {
	/* The final answer's. retry_after: ms; 0: not said. */
	int (*head)(void *ctx, int status, int64_t retry_after);
	int (*body)(void *ctx, const char *data, size_t len);	/* decoded */
	/*
	 * It is over, and the follow gone; not called after follow_stop.
	 * err->code 0: the answer came to its end. Else what head or body
	 * returned, or the transport's words (transport.h).
	 */
	void (*end)(void *ctx, const struct err *err);
};

struct follow_spec {
	struct upstream *up;		/* the follow takes a reference */
	const char *path;		/* with query; copied */
	const struct credential *cred;	/* copied; acts for nobody */
	/*
	 * Bytes of the (decoded) answer, which must be there within the
	 * upstream's timeout. 0: a good answer has no end; the timeout is for
	 * its headers only.
	 */
	size_t limit;
	struct cluster_counts *counts;	/* of metrics.h; or NULL */
	const struct follow_ops *ops;
	void *ctx;
};

/* On the follower's thread, from within its calls too. */
struct follow *follow_start(struct follower *f,
    const struct follow_spec *spec);
void follow_stop(struct follow *fo);		/* NULL is fine */

#endif
