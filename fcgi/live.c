/* SPDX-License-Identifier: Apache-2.0 */
/* The live lane as others see it, and the turns of its thread. */
#include "base.h"

#include "clock.h"
#include "cluster.h"
#include "live_private.h"
#include "objects.h"
#include "obtain.h"

#define LIVE_LATER_MS 300000	/* until what was refused, or too large, is
				   looked at again */
#define LIVE_STEADY_MS 10000
#define LIVE_STEP_MS 1000	/* back-off: this, twice this, ... */
#define LIVE_LONGEST_MS 60000
#define LIVE_GRACE_MS 5000
#define LIVE_WATCH_S 300
#define LIVE_AT_ONCE 32	/* lists that are looked up under one lock */

_Static_assert(FOLLOW_SILENCE_S <= LIVE_SILENCE_S, "the manual says so");

/* ---- turns ---- */

/*
 * Readers only add at the heads of the lists, and only this thread takes out:
 * what follows a head that was read under the lock stays as it is.
 */
static struct live_place *
first_place(struct live *l)
{
	struct live_place *p;

	pthread_mutex_lock(&l->lock);
	p = l->places;
	pthread_mutex_unlock(&l->lock);
	return p;
}

static struct live_kind *
first_kind(struct live *l, const struct live_place *p)
{
	struct live_kind *k;

	pthread_mutex_lock(&l->lock);
	k = p->kinds;
	pthread_mutex_unlock(&l->lock);
	return k;
}

/* Under the lock: take out what nobody asks for any more. When the next
   will be. */
static int64_t
take_idle(struct live *l, struct live_place *p, int64_t now,
    struct live_kind **idle)
{
	struct live_kind **at = &p->kinds, *k;
	int64_t next = INT64_MAX;

	while ((k = *at) != NULL) {
		if (!p->gone && k->asked + l->idle > now) {
			next = SD_MIN(next, k->asked + l->idle);
			at = &k->next;
			continue;
		}
		*at = k->next;
		p->nkinds--;
		l->nkinds--;
		k->next = *idle;
		*idle = k;
	}
	return next;
}

/* Places that the settings do not name any more; under the lock. One that
   went only since turn_idle still has its kinds: the next turn. */
static void
drop_places(struct live *l)
{
	struct live_place **at = &l->places, *p;

	while ((p = *at) != NULL) {
		if (!p->gone || p->kinds != NULL) {
			at = &p->next;
			continue;
		}
		*at = p->next;
		live_place_free(p);
	}
}

/* What is idle, and places that are gone; true: look at all that waits. */
static bool
turn_idle(struct live *l, int64_t now, int64_t *next)
{
	struct live_kind *idle = NULL, *k;
	struct live_place *p;
	bool again;

	pthread_mutex_lock(&l->lock);
	for (p = l->places; p != NULL; p = p->next)
		*next = SD_MIN(*next, take_idle(l, p, now, &idle));
	again = l->again;
	l->again = false;
	pthread_mutex_unlock(&l->lock);
	while ((k = idle) != NULL) {
		idle = k->next;
		live_kind_free(k);
	}
	return again;
}

static int64_t
live_turn(void *ctx, int64_t now)
{
	struct live *l = ctx;
	struct live_place *p;
	struct live_kind *k;
	int64_t next = INT64_MAX;
	bool again = turn_idle(l, now, &next);

	if (again) {
		pthread_mutex_lock(&l->lock);
		drop_places(l);
		pthread_mutex_unlock(&l->lock);
	}
	for (p = first_place(l); p != NULL; p = p->next)
		for (k = first_kind(l, p); k != NULL; k = k->next) {
			if (again)
				live_kind_again(k, now);
			next = SD_MIN(next, live_kind_turn(k, now));
		}
	return next;
}

/* ---- life ---- */

struct live *
live_new(struct transport *t)
{
	struct live *l = xcalloc(1, sizeof(*l));
	const struct follower_options opt = {
		.transport = t, .turn = live_turn, .ctx = l };

	l->times = (struct live_times){
		.later = LIVE_LATER_MS,
		.steady = LIVE_STEADY_MS,
		.step = LIVE_STEP_MS,
		.longest = LIVE_LONGEST_MS,
		.grace = LIVE_GRACE_MS,
		.watch_s = LIVE_WATCH_S,
	};
	secret_random(l->key, sizeof(l->key));
	pthread_mutex_init(&l->lock, NULL);
	l->follower = follower_new(&opt);
	return l;
}

void
live_use(struct live *l, const struct live_options *opt)
{
	if (l == NULL)
		return;
	__atomic_store_n(&l->budget.limit, opt->memory, __ATOMIC_RELAXED);
	pthread_mutex_lock(&l->lock);
	l->idle = clock_ms(opt->idle);
	live_set_places(l, opt);
	l->again = true;
	pthread_mutex_unlock(&l->lock);
	follower_wake(l->follower);
}

void
live_free(struct live *l)
{
	struct live_place *p;
	struct live_kind *k;

	if (l == NULL)
		return;
	follower_free(l->follower);
	l->follower = NULL;
	while ((p = l->places) != NULL) {
		l->places = p->next;
		while ((k = p->kinds) != NULL) {
			p->kinds = k->next;
			live_kind_free(k);
		}
		live_place_free(p);
	}
	free(l->entries);
	pthread_mutex_destroy(&l->lock);
	free(l);
}

/* ---- readers ---- */

bool
live_may(const struct live *l, const struct cluster *c,
    const struct access *a)
{
	return l != NULL && c->live && c->provider != NULL &&
	    (c->provider->flags & PROVIDER_SERVER_SIDE) &&
	    !(c->provider->flags & PROVIDER_USER_TOKEN) &&
	    !c->impersonate.on && !a->cred.from_client &&
	    a->cred.acting == NULL && a->cred.kind != CREDENTIAL_NONE;
}

static struct live_kind *
kind_find(const struct live_place *p, const struct object_list *list)
{
	struct live_kind *k = p->kinds;

	while (k != NULL && (k->form.custom != list->custom ||
	    strcmp(k->path, list->everywhere) != 0))
		k = k->next;
	return k;
}

static struct live_kind *
kind_add(struct live *l, struct live_place *p, const struct live_ask *ask)
{
	struct live_kind *k;

	if (p->nkinds >= LIVE_KINDS_CLUSTER || l->nkinds >= LIVE_KINDS_ALL ||
	    strlen(ask->list->everywhere) > LIVE_PATH_MAX)
		return NULL;
	k = live_kind_new(l, p, ask);
	k->next = p->kinds;
	p->kinds = k;
	p->nkinds++;
	l->nkinds++;
	return k;
}

/* Under the lock. A shelf that may be read, with a reference; or NULL. */
static struct live_shelf *
find_shelf(struct live *l, struct live_place *p, const struct live_ask *ask,
    bool *wake)
{
	struct live_kind *k = kind_find(p, ask->list);

	if (k == NULL) {
		k = kind_add(l, p, ask);
		*wake = true;
	}
	if (k == NULL)
		return NULL;
	k->asked = p->asked;
	if (!k->fit || k->serial != p->serial)
		return NULL;
	__atomic_add_fetch(&k->shelf->refs, 1, __ATOMIC_RELAXED);
	return k->shelf;
}

static void
find_shelves(struct live *l, const struct live_ask *ask,
    const struct object_list *lists, size_t n, struct live_shelf **out)
{
	struct live_ask one = *ask;
	struct live_place *p;
	bool wake = false;
	size_t i;

	pthread_mutex_lock(&l->lock);
	p = live_find_place(l, ask->cluster);
	if (p != NULL) {
		wake = live_place_note(p, ask->access);
		p->asked = clock_mono_ms();
	}
	for (i = 0; i < n; i++) {
		one.list = &lists[i];
		out[i] = p == NULL ? NULL : find_shelf(l, p, &one, &wake);
	}
	pthread_mutex_unlock(&l->lock);
	if (wake)
		follower_wake(l->follower);
}

static struct live_text *
read_shelf(struct live *l, struct live_shelf *shelf,
    const struct selector *selector)
{
	struct live_text *text = NULL;

	if (shelf != NULL) {
		text = live_index_select(shelf->index, selector->namespace,
		    selector->label);
		live_shelf_put(shelf);
	}
	live_add(l, text != NULL ? &l->counts.hits : &l->counts.misses);
	return text;
}

struct live_text *
live_read(struct live *l, const struct live_ask *ask)
{
	struct live_shelf *shelf;

	find_shelves(l, ask, ask->list, 1, &shelf);
	return read_shelf(l, shelf, ask->selector);
}

size_t
live_read_all(struct live *l, const struct live_ask *ask,
    const struct object_lists *lists, struct live_text **texts)
{
	struct live_shelf *shelves[LIVE_AT_ONCE];
	size_t at, i, n, missing = 0;

	for (at = 0; at < lists->n; at += n) {
		n = SD_MIN(lists->n - at, (size_t)LIVE_AT_ONCE);
		find_shelves(l, ask, &lists->items[at], n, shelves);
		for (i = 0; i < n; i++) {
			texts[at + i] = read_shelf(l, shelves[i],
			    ask->selector);
			missing += texts[at + i] == NULL;
		}
	}
	return missing;
}

void
live_add(struct live *l UNUSED, uint64_t *count)
{
	__atomic_add_fetch(count, 1, __ATOMIC_RELAXED);
}

/* ---- counts ---- */

static void
count_kind(const struct live_kind *k, struct live_counts *out)
{
	out->kinds++;
	if (!k->fit)
		return;
	out->used++;
	out->objects += live_index_count(k->shelf->index);
}

static uint64_t
load(const uint64_t *count)
{
	return __atomic_load_n(count, __ATOMIC_RELAXED);
}

void
live_count(const struct live *l, struct live_counts *out)
{
	pthread_mutex_t *lock = (pthread_mutex_t *)&l->lock;
	const struct live_counts *c = &l->counts;
	const struct live_place *p;
	const struct live_kind *k;

	*out = (struct live_counts){
		.hits = load(&c->hits), .misses = load(&c->misses),
		.lists = load(&c->lists), .events = load(&c->events),
		.bookmarks = load(&c->bookmarks), .gone = load(&c->gone),
		.failures = load(&c->failures),
		.over_budget = load(&c->over_budget),
		.refused = load(&c->refused),
	};
	out->bytes = __atomic_load_n(&l->budget.used, __ATOMIC_RELAXED) +
	    __atomic_load_n(&l->budget.ready, __ATOMIC_RELAXED);
	pthread_mutex_lock(lock);
	for (p = l->places; p != NULL; p = p->next)
		for (k = p->kinds; k != NULL; k = k->next)
			count_kind(k, out);
	pthread_mutex_unlock(lock);
}
