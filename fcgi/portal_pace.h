/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How often somebody may do something, by a name: a table of a fixed size,
 * in which names share a place by chance (with a key of this process, so that
 * nobody can choose with whom), and then share what is left. Any thread.
 */
#ifndef STAGEDOOR_PORTAL_PACE_H
#define STAGEDOOR_PORTAL_PACE_H

#include <pthread.h>

#define PORTAL_PACE_PLACES 4096

struct portal_pace {
	pthread_mutex_t lock;
	unsigned char key[16];
	/* Mono ms at which the last of what was taken is earned. */
	int64_t until[PORTAL_PACE_PLACES];
};

struct portal_pace_rule {
	int64_t every;		/* ms that one costs */
	int64_t burst;		/* so many at once */
};

void portal_pace_init(struct portal_pace *pace);
/* False: too often. */
bool portal_pace_take(struct portal_pace *pace, const char *name,
    const struct portal_pace_rule *rule);

#endif
