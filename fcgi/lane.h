/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A lane is a curl multi handle with one kept HTTP/1.1 connection, which one
 * stream has for itself. Idle lanes stay with their upstream, bounded in
 * number and age. For the transport's own files.
 */
#ifndef STAGEDOOR_LANE_H
#define STAGEDOOR_LANE_H

#include "transfer.h"

struct lane {
	CURLM *multi;
	struct lane *next;
	int64_t idle_since;
	unsigned char identity[TRANSFER_IDENTITY];
};

/*
 * An idle lane of the same identity, or a new one; the caller's until
 * lane_put. Any thread, but one at a time for one lane.
 */
struct lane *lane_get(struct upstream *up,
    const unsigned char identity[TRANSFER_IDENTITY]);
/* Back to the idle ones, or closed where there are enough. */
void lane_put(struct upstream *up, struct lane *lane);
void lane_free(struct lane *lane);
/* The upstream's last reference is gone. */
void lane_free_all(struct upstream *up);
/* Close what has been idle too long, of all upstreams. */
void lane_reap(struct transport *t, int64_t now);

#endif
