/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fetches that wait because their cluster has as many under way as it should:
 * a list for each upstream, first in, first out, linked through the structs
 * of the callers, so that waiting costs no memory.
 */
#include "base.h"

#include "clock.h"
#include "fetcher_private.h"

static bool
has_room(const struct fetcher *f, const struct upstream *up)
{
	return up->active < upstream_room(up, f->asked);
}

static void
wait_append(struct fetcher *f, struct fetch *fetch)
{
	struct upstream *up = fetch->up;

	fetch->next = NULL;
	fetch_set_deadline(f, fetch, clock_mono_ms() + up->connect_ms +
	    up->timeout_ms);
	*up->waiting_end = fetch;
	up->waiting_end = &fetch->next;
	if (!up->busy) {	/* the list keeps it alive */
		upstream_ref(up);
		up->busy = true;
		up->busy_next = f->busy;
		f->busy = up;
	}
}

static struct fetch *
wait_pop(struct upstream *up)
{
	struct fetch *fetch = up->waiting;

	if (fetch == NULL)
		return NULL;
	up->waiting = fetch->next;
	if (up->waiting == NULL)
		up->waiting_end = &up->waiting;
	return fetch;
}

void
wait_accept(struct fetcher *f, struct fetch *fetch)
{
	struct upstream *up = fetch->up;

	if (fetch->probe ||
	    (up->waiting == NULL && has_room(f, up)))
		run_start(f, fetch);
	else
		wait_append(f, fetch);
}

/* Nothing waits for a cluster whose breaker is open. */
static void
start_of(struct fetcher *f, struct upstream *up)
{
	bool open = up->waiting != NULL && upstream_is_open(up);
	struct fetch *fetch;

	while ((open || has_room(f, up)) && (fetch = wait_pop(up)) != NULL)
		if (open) {
			upstream_refuse(up, &fetch->err);
			fetch_over(fetch);
		} else {
			run_start(f, fetch);
		}
}

/* Upstreams for which nothing waits any more leave the list here only. */
void
wait_start(struct fetcher *f)
{
	struct upstream **p = &f->busy, *up;

	while ((up = *p) != NULL) {
		start_of(f, up);
		if (up->waiting != NULL) {
			p = &up->busy_next;
			continue;
		}
		*p = up->busy_next;
		up->busy = false;
		upstream_put(up);
	}
}

/* Those that wait are in the order of their deadlines. */
int64_t
wait_expire(struct fetcher *f, int64_t now)
{
	int64_t next = INT64_MAX;
	struct upstream *up;

	for (up = f->busy; up != NULL; up = up->busy_next) {
		while (up->waiting != NULL && up->waiting->deadline <= now)
			fetch_fail(wait_pop(up), E_TIMEOUT,
			    "no connection was free in time");
		if (up->waiting != NULL)
			next = SD_MIN(next, up->waiting->deadline);
	}
	return next;
}

static void
cancel_of(struct upstream *up, uint64_t batch)
{
	struct fetch *all = up->waiting, *next;

	up->waiting = NULL;
	up->waiting_end = &up->waiting;
	for (; all != NULL; all = next) {
		next = all->next;
		if (fetch_is_of(all, batch)) {
			fetch_fail(all, E_GONE, "cancelled");
			continue;
		}
		all->next = NULL;
		*up->waiting_end = all;
		up->waiting_end = &all->next;
	}
}

void
wait_cancel(struct fetcher *f, uint64_t batch)
{
	struct upstream *up;

	for (up = f->busy; up != NULL; up = up->busy_next)
		cancel_of(up, batch);
}
