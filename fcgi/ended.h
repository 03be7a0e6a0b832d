/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads that come and go: each says when it is at its end, and whoever
 * started them joins those that are. A thread that were detached instead
 * might still be giving back what libraries keep for it when the process
 * ends. Under the owner's lock.
 */
#ifndef STAGEDOOR_ENDED_H
#define STAGEDOOR_ENDED_H

#include <pthread.h>

struct ended {		/* zeroed at first */
	pthread_t *threads;
	size_t n;
};

/* The calling thread has done all but to give up the lock and return. */
void ended_add(struct ended *e);
/* Join them, which takes no time. */
void ended_join(struct ended *e);

#endif
