/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Idle lanes: a stack for each upstream, so that the youngest connection is
 * used first and the rest grow old enough to be closed.
 */
#include "base.h"

#include "clock.h"
#include "lane.h"
#include "transport_private.h"

#define LANE_IDLE_MS 45000	/* below what servers allow, see transfer.c */
#define LANE_IDLE_UPSTREAM 32	/* idle ones: descriptors of one cluster */
#define LANE_IDLE_ALL 64	/* and of all: three descriptors each */

static unsigned *
idle_count(struct upstream *up)
{
	return &up->transport->idle_lanes;
}

/* Under the upstream's lock: take *p out of the list. */
static struct lane *
lane_take(struct upstream *up, struct lane **p)
{
	struct lane *lane = *p;

	*p = lane->next;
	lane->next = NULL;
	up->nlanes--;
	__atomic_sub_fetch(idle_count(up), 1, __ATOMIC_RELAXED);
	return lane;
}

struct lane *
lane_get(struct upstream *up, const unsigned char identity[TRANSFER_IDENTITY])
{
	struct lane *lane = NULL, **p;

	pthread_mutex_lock(&up->lock);
	for (p = &up->lanes; *p != NULL && lane == NULL; )
		if (memcmp((*p)->identity, identity, TRANSFER_IDENTITY) == 0)
			lane = lane_take(up, p);
		else
			p = &(*p)->next;
	pthread_mutex_unlock(&up->lock);
	if (lane != NULL)
		return lane;
	lane = xcalloc(1, sizeof(*lane));
	memcpy(lane->identity, identity, TRANSFER_IDENTITY);
	lane->multi = transfer_multi_new(1);
	return lane;
}

/* Under the lock: the oldest, so that this cluster can keep another. */
static struct lane *
lane_evict(struct upstream *up)
{
	struct lane **p = &up->lanes;

	if (up->nlanes < LANE_IDLE_UPSTREAM)
		return NULL;
	while ((*p)->next != NULL)
		p = &(*p)->next;
	return lane_take(up, p);
}

void
lane_put(struct upstream *up, struct lane *lane)
{
	unsigned all = __atomic_load_n(idle_count(up), __ATOMIC_RELAXED);
	struct lane *out = lane;

	lane->idle_since = clock_mono_ms();
	if (all < LANE_IDLE_ALL) {
		pthread_mutex_lock(&up->lock);
		out = lane_evict(up);
		lane->next = up->lanes;
		up->lanes = lane;
		up->nlanes++;
		__atomic_add_fetch(idle_count(up), 1, __ATOMIC_RELAXED);
		pthread_mutex_unlock(&up->lock);
	}
	if (out != NULL)
		lane_free(out);
}

void
lane_free(struct lane *lane)
{
	curl_multi_cleanup(lane->multi);
	free(lane);
}

static void
free_list(struct lane *lane)
{
	struct lane *next;

	for (; lane != NULL; lane = next) {
		next = lane->next;
		lane_free(lane);
	}
}

void
lane_free_all(struct upstream *up)
{
	struct lane *lane;

	while (up->lanes != NULL) {
		lane = lane_take(up, &up->lanes);
		lane_free(lane);
	}
}

/* Move what is too old to the list at dead. */
static void
reap_upstream(struct upstream *up, int64_t now, struct lane **dead)
{
	struct lane **p = &up->lanes, *lane;

	pthread_mutex_lock(&up->lock);
	while (*p != NULL) {
		if ((*p)->idle_since + LANE_IDLE_MS > now) {
			p = &(*p)->next;
			continue;
		}
		lane = lane_take(up, p);
		lane->next = *dead;
		*dead = lane;
	}
	pthread_mutex_unlock(&up->lock);
}

void
lane_reap(struct transport *t, int64_t now)
{
	struct lane *dead = NULL;
	struct upstream *up;

	pthread_mutex_lock(&t->lock);
	for (up = t->upstreams; up != NULL; up = up->next)
		reap_upstream(up, now, &dead);
	pthread_mutex_unlock(&t->lock);
	free_list(dead);	/* closing may take I/O: not under a lock */
}
