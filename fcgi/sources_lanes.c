/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose turn it is: which jobs of the credential pool may have a thread, which
 * are held until one of their lane has ended, and which are parked until what
 * they need is made. All under the cache's lock.
 *
 * A parked job holds neither a thread nor a place in its lane, so lanes cannot
 * block each other.
 */
#include "base.h"

#include "sources_private.h"

#define JOBS_MAX 16384		/* in all */
#define HELD_MAX 2048		/* of one lane; or of none, for a thread */
#define PLACES_MAX 96		/* in all lanes: the pool has more threads, for
				   what waits for nobody that hangs */

/* ---- queues ---- */

static void
queue_push(struct job_queue *jobs, struct queued_job *q)
{
	q->next = NULL;
	*jobs->end = q;
	jobs->end = &q->next;
	jobs->n++;
}

static struct queued_job *
queue_pop(struct job_queue *jobs)
{
	struct queued_job *q = jobs->first;

	if (q == NULL)
		return NULL;
	jobs->first = q->next;
	if (jobs->first == NULL)
		jobs->end = &jobs->first;
	jobs->n--;
	return q;
}

/* ---- lanes ---- */

static struct source_lane **
lane_find(struct sources *s, const char *name)
{
	struct source_lane **p = &s->lanes;

	while (*p != NULL && strcmp((*p)->name, name) != 0)
		p = &(*p)->next;
	return p;
}

static struct source_lane *
lane_get(struct sources *s, const char *name)
{
	struct source_lane **p = lane_find(s, name), *lane;

	if (*p != NULL)
		return *p;
	lane = xcalloc(1, sizeof(*lane));
	lane->name = xstrdup(name);
	lane->held.end = &lane->held.first;
	*p = lane;
	return lane;
}

static void
lane_admit(struct sources *s, struct source_lane *lane)
{
	struct queued_job *q;

	while (lane->running < SOURCE_LANE_MAX && s->places < PLACES_MAX &&
	    (q = queue_pop(&lane->held)) != NULL) {
		lane->running++;
		s->places++;
		q->place = lane;
		queue_push(&s->ready, q);
	}
}

static void
lanes_admit(struct sources *s)
{
	struct source_lane *lane;

	for (lane = s->lanes; lane != NULL; lane = lane->next)
		lane_admit(s, lane);
}

static void
lane_drop(struct sources *s, struct source_lane *lane)
{
	struct source_lane **p = &s->lanes;

	while (*p != lane)
		p = &(*p)->next;
	*p = lane->next;
	free(lane->name);
	free(lane);
}

/* ---- jobs ---- */

bool
jobs_full(struct sources *s, const char *name)
{
	const struct source_lane *lane;

	if (s->jobs >= JOBS_MAX)
		return true;
	if (name == NULL)
		return s->ready.n >= HELD_MAX + PLACES_MAX;
	lane = *lane_find(s, name);
	return lane != NULL && lane->held.n >= HELD_MAX;
}

void
job_add(struct sources *s, struct queued_job *q)
{
	struct source_lane *lane;

	if (q->lane == NULL) {
		queue_push(&s->ready, q);
		return;
	}
	lane = lane_get(s, q->lane);
	queue_push(&lane->held, q);
	lane_admit(s, lane);
}

struct queued_job *
job_next(struct sources *s)
{
	return queue_pop(&s->ready);
}

void
job_leave(struct sources *s, struct queued_job *q)
{
	struct source_lane *lane = q->place;

	if (lane == NULL)
		return;
	q->place = NULL;
	lane->running--;
	s->places--;
	if (lane->running == 0 && lane->held.n == 0)
		lane_drop(s, lane);
	lanes_admit(s);
}

bool
job_park(struct sources *s, struct queued_job *q)
{
	struct entry *on = entry_find(s, q->job.asker.pending), *e;

	if (on == NULL || on->state == ENTRY_IDLE) {
		job_add(s, q);		/* it was made meanwhile */
		return true;
	}
	for (e = on; e != NULL; e = e->after)
		if (e == q->entry)
			return false;
	q->next = on->parked;
	on->parked = q;
	q->entry->after = on;
	return true;
}

void
jobs_unpark(struct sources *s, struct entry *e)
{
	struct queued_job *q;

	while ((q = e->parked) != NULL) {
		e->parked = q->next;
		q->entry->after = NULL;
		job_add(s, q);
	}
}

/* ---- the end ---- */

static struct queued_job *
job_unpark_any(struct sources *s)
{
	struct entry *e = NULL;
	struct queued_job *q;

	while ((e = entry_next(s, e)) != NULL)
		if ((q = e->parked) != NULL) {
			e->parked = q->next;
			q->entry->after = NULL;
			return q;
		}
	return NULL;
}

struct queued_job *
job_drop(struct sources *s)
{
	struct source_lane *lane;
	struct queued_job *q;

	if ((q = queue_pop(&s->ready)) != NULL)
		return q;
	for (lane = s->lanes; lane != NULL; lane = lane->next)
		if ((q = queue_pop(&lane->held)) != NULL)
			return q;
	return job_unpark_any(s);
}
