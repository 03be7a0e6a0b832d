/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a cluster is, as far as this process knows without asking it: for
 * machines that watch. Any thread.
 */
#ifndef STAGEDOOR_CLUSTER_STATE_H
#define STAGEDOOR_CLUSTER_STATE_H

struct cluster;
struct runtime;

enum cluster_state {
	CLUSTER_OK,
	CLUSTER_BREAKER,	/* it did not answer, and is not asked */
	CLUSTER_BROKEN,		/* its settings cannot work */
	CLUSTER_CREDENTIAL,	/* its credential could not be had last */
	CLUSTER_STATES
};
extern const char *const cluster_state_names[CLUSTER_STATES];

/* since: wall ms; since the start, where nothing else is known. */
enum cluster_state cluster_state_of(const struct runtime *rt,
    const struct cluster *c, int64_t *since);

#endif
