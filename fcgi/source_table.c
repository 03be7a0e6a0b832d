/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the entries of the credential cache are: a hash table by key, and a
 * list by use. There is one for each user and sign-in and more for each of
 * their tokens, so nothing here walks all of them at once. All under the
 * cache's lock.
 */
#include "base.h"

#include "clock.h"
#include "sources_private.h"

#define ENTRIES_MAX 16384	/* then the one used longest ago goes */
#define BUCKETS 16384		/* a power of two; keys are hashes already */
#define UNUSED_MS 3600000	/* then it is forgotten: other settings, other
				   keys of a role made another of it */
#define ENDED_MS 60000		/* the same, if what it holds has ended */
#define SWEEP_MS 1000		/* so often a part of the table is looked at */
#define SWEEP_BUCKETS 256	/* all of it in 64 s */
#define LOOKS_MAX 64		/* for one that may go */

void
entries_init(struct sources *s)
{
	s->buckets = xcalloc(BUCKETS, sizeof(struct entry *));
}

static unsigned
bucket_of(const unsigned char *key)
{
	return (key[0] | (unsigned)key[1] << 8) % BUCKETS;
}

struct entry *
entry_find(struct sources *s, const unsigned char *key)
{
	struct entry *e = s->buckets[bucket_of(key)];

	while (e != NULL && memcmp(e->key, key, SOURCE_KEY) != 0)
		e = e->next;
	return e;
}

struct entry *
entry_next(struct sources *s, struct entry *e)
{
	return e == NULL ? s->newest : e->older;
}

/* ---- by use ---- */

static void
use_remove(struct sources *s, struct entry *e)
{
	*(e->newer != NULL ? &e->newer->older : &s->newest) = e->older;
	*(e->older != NULL ? &e->older->newer : &s->oldest) = e->newer;
	e->newer = e->older = NULL;
}

static void
use_add(struct sources *s, struct entry *e)
{
	e->older = s->newest;
	*(s->newest != NULL ? &s->newest->newer : &s->oldest) = e;
	s->newest = e;
}

/* ---- those that go ---- */

static bool
entry_may_go(const struct entry *e)
{
	return e->pins == 0 && e->state == ENTRY_IDLE;
}

static void
entry_drop(struct sources *s, struct entry *e)
{
	struct entry **p = &s->buckets[bucket_of(e->key)];

	while (*p != e)
		p = &(*p)->next;
	*p = e->next;
	use_remove(s, e);
	s->nentries--;
	source_value_release(&e->value);
	free(e->failure);
	free(e);
}

/* Its value is over; nor does it say when to try again. */
static bool
entry_has_ended(const struct entry *e, int64_t now)
{
	return now >= e->retry_at && !(e->have && now < e->ends_mono &&
	    value_is_good(&e->value, clock_wall_ms()));
}

static bool
entry_is_over(const struct entry *e, int64_t now)
{
	if (!entry_may_go(e))
		return false;
	return now - e->used >= UNUSED_MS ||
	    (now - e->used >= ENDED_MS && entry_has_ended(e, now));
}

static void
bucket_sweep(struct sources *s, unsigned i, int64_t now)
{
	struct entry *e, *next;

	for (e = s->buckets[i]; e != NULL; e = next) {
		next = e->next;
		if (entry_is_over(e, now))
			entry_drop(s, e);
	}
}

static void
entries_sweep(struct sources *s, int64_t now)
{
	unsigned i;

	if (now - s->swept < SWEEP_MS)
		return;
	s->swept = now;
	for (i = 0; i < SWEEP_BUCKETS; i++) {
		bucket_sweep(s, s->hand, now);
		s->hand = (s->hand + 1) % BUCKETS;
	}
}

/* The one used longest ago goes. Those that are at work are in use; where
   nearly all are, there may be more than there should. */
static void
entries_make_room(struct sources *s)
{
	struct entry *e;
	unsigned looks;

	for (looks = 0; s->nentries >= ENTRIES_MAX && looks < LOOKS_MAX;
	    looks++) {
		e = s->oldest;
		if (entry_may_go(e)) {
			entry_drop(s, e);
		} else {
			use_remove(s, e);
			use_add(s, e);
		}
	}
}

/* ---- those that come ---- */

struct entry *
entry_get(struct sources *s, const unsigned char *key, const char *kind)
{
	int64_t now = clock_mono_ms();
	struct entry *e, **bucket;

	entries_sweep(s, now);
	e = entry_find(s, key);
	if (e == NULL) {
		entries_make_room(s);
		bucket = &s->buckets[bucket_of(key)];
		e = xcalloc(1, sizeof(*e));
		memcpy(e->key, key, SOURCE_KEY);
		e->kind = kind;
		e->next = *bucket;
		*bucket = e;
		s->nentries++;
	} else {
		use_remove(s, e);
	}
	use_add(s, e);
	e->used = now;
	return e;
}

void
entries_free(struct sources *s)
{
	while (s->newest != NULL)
		entry_drop(s, s->newest);
	free(s->buckets);
}
