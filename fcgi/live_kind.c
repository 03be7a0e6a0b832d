/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of a kind: listed, followed, lost and listed again; why it is not
 * used, and for how long.
 */
#include "base.h"

#include "clock.h"
#include "live_private.h"
#include "log.h"
#include "metrics.h"
#include "objects.h"

struct live_kind *
live_kind_new(struct live *l, struct live_place *p,
    const struct live_ask *ask)
{
	struct live_kind *k = xcalloc(1, sizeof(*k));

	k->live = l;
	k->place = p;
	k->path = xstrdup(ask->list->everywhere);
	k->form = (struct live_form){
		.secrets = ask->list->secrets,
		.custom = ask->list->custom,
		.scope = ask->list->scope,
	};
	k->serial = p->serial;
	k->succeed_at = INT64_MAX;
	strbuf_init(&k->page, LIVE_PAGE_MAX);
	return k;
}

/* ---- its index ---- */

void
live_shelf_put(struct live_shelf *s)
{
	if (s == NULL || __atomic_sub_fetch(&s->refs, 1,
	    __ATOMIC_ACQ_REL) != 0)
		return;
	live_index_free(s->index);
	free(s);
}

static void
set_shelf(struct live_kind *k, struct live_shelf *s)
{
	struct live_shelf *old;

	pthread_mutex_lock(&k->live->lock);
	old = k->shelf;
	k->shelf = s;
	pthread_mutex_unlock(&k->live->lock);
	live_shelf_put(old);
}

struct live_shelf *
live_kind_shelf(struct live_kind *k)
{
	struct live_shelf *s;

	if (k->shelf == NULL) {
		s = xcalloc(1, sizeof(*s));
		s->refs = 1;
		s->index = live_index_new(&k->live->budget, &k->form);
		set_shelf(k, s);
	}
	return k->shelf;
}

void
live_kind_fit(struct live_kind *k, bool fit)
{
	pthread_mutex_lock(&k->live->lock);
	k->fit = fit;
	pthread_mutex_unlock(&k->live->lock);
	if (fit)
		k->patience = LIVE_PATIENCE;
}

struct follow *
live_kind_get(struct live_kind *k, struct follow_spec *spec)
{
	struct live_place *p = k->place;
	struct follow *fo;

	pthread_mutex_lock(&k->live->lock);
	spec->up = p->up;
	spec->cred = &p->cred;
	spec->counts = metrics_cluster(p->name);
	k->used_serial = p->cred_serial;
	fo = follow_start(k->live->follower, spec);
	pthread_mutex_unlock(&k->live->lock);
	return fo;
}

/* ---- what goes wrong ---- */

/* 0.5 to 1 of it, so that not all come back at once. */
static int64_t
jitter(int64_t ms)
{
	uint32_t n;

	secret_random(&n, sizeof(n));
	return ms / 2 + (int64_t)((uint64_t)n * (uint64_t)(ms / 2) >> 32);
}

/* The first try after a good time comes soon. */
static int64_t
back_off(const struct live_times *t, unsigned failures)
{
	unsigned n = SD_MIN(failures, 16u);

	if (n == 0)
		return jitter(t->step / 4);
	return jitter(SD_MIN(t->step << (n - 1), t->longest));
}

static void
kind_stop(struct live_kind *k)
{
	live_kind_fit(k, false);
	live_list_stop(k);
	live_watch_stop(k);
	k->state = LIVE_WAITS;
	k->unknown = false;
	follower_wake(k->live->follower);
}

static void
kind_say(const struct live_kind *k, const char *what, const char *why)
{
	log_info("live lane: cluster '%s': %s %s%s%s", k->place->name,
	    k->path, what, *why != '\0' ? ": " : "", why);
}

/* wait: ms. */
static void
kind_retry(struct live_kind *k, int64_t wait, const char *why)
{
	kind_say(k, "is read directly until it is listed again", why);
	kind_stop(k);
	k->retry_at = clock_mono_ms() + wait;
	k->failures++;
	live_add(k->live, &k->live->counts.failures);
}

void
live_kind_lost(struct live_kind *k, int64_t retry_after, const char *why)
{
	const struct live_times *t = &k->live->times;

	if (k->state == LIVE_FOLLOWS &&
	    k->watch->opened + t->steady <= clock_mono_ms())
		k->failures = 0;
	kind_retry(k, SD_MAX(back_off(t, k->failures), retry_after), why);
}

/* Not to be asked for again soon; its memory is given back. */
static void
kind_later(struct live_kind *k, const char *why)
{
	kind_say(k, "is read directly", why);
	kind_stop(k);
	set_shelf(k, NULL);
	k->failures = 0;
	k->retry_at = clock_mono_ms() + jitter(k->live->times.later);
}

void
live_kind_over(struct live_kind *k)
{
	live_add(k->live, &k->live->counts.over_budget);
	kind_later(k, "stagedoor.live.memory is not enough for it");
}

/*
 * An API server that starts refuses for a moment what it serves in a moment:
 * it does not know all roles and resources yet. It is up, however, so how long
 * it was away does not count.
 */
static void
kind_refused(struct live_kind *k, const char *why)
{
	unsigned refusals = LIVE_PATIENCE - k->patience;

	if (k->patience > 0) {
		k->patience--;
		kind_retry(k, back_off(&k->live->times, refusals), why);
		return;
	}
	live_add(k->live, &k->live->counts.refused);
	kind_later(k, why);
}

void
live_kind_status(struct live_kind *k, int status, int64_t retry_after)
{
	char why[48];

	snprintf(why, sizeof(why), "the cluster answered %d", status);
	if (status == 403 || status == 404 || status == 405) {
		kind_refused(k, why);
		return;
	}
	if (status == 410)
		live_add(k->live, &k->live->counts.gone);
	live_kind_lost(k, retry_after, why);
	k->unknown = status == 401;
}

/* ---- turns ---- */

/* The cluster is somewhere else now. */
static void
kind_moved(struct live_kind *k, uint64_t serial, int64_t now)
{
	kind_stop(k);
	k->failures = 0;
	k->retry_at = now;
	pthread_mutex_lock(&k->live->lock);
	k->serial = serial;
	pthread_mutex_unlock(&k->live->lock);
}

static int64_t
turn_waiting(struct live_kind *k, int64_t now)
{
	if (k->retry_at > now)
		return k->retry_at;
	if (!live_list_start(k))
		return INT64_MAX;
	k->state = LIVE_LISTS;
	return INT64_MAX;
}

/* The account may have lost its rights since: no watch is for ever. */
static int64_t
turn_following(struct live_kind *k, int64_t now)
{
	if (k->watch->over_at <= now) {
		live_kind_lost(k, 0, "the watch does not end");
		return now;
	}
	if (k->succeed_at <= now) {
		k->succeed_at = INT64_MAX;
		if (k->ahead_done == k->nahead)
			live_watch_open(k, true);
	}
	return SD_MIN(k->succeed_at, k->watch->over_at);
}

int64_t
live_kind_turn(struct live_kind *k, int64_t now)
{
	uint64_t serial, cred_serial;

	pthread_mutex_lock(&k->live->lock);
	serial = k->place->serial;
	cred_serial = k->place->cred_serial;
	pthread_mutex_unlock(&k->live->lock);
	if (k->serial != serial)
		kind_moved(k, serial, now);
	if (k->state == LIVE_WAITS && k->unknown &&
	    cred_serial != k->used_serial) {
		k->unknown = false;
		k->retry_at = now;
	}
	if (k->state == LIVE_WAITS)
		return turn_waiting(k, now);
	return k->state == LIVE_FOLLOWS ? turn_following(k, now) : INT64_MAX;
}

void
live_kind_again(struct live_kind *k, int64_t now)
{
	k->failures = 0;
	k->retry_at = now;
}

void
live_kind_free(struct live_kind *k)
{
	live_list_stop(k);
	live_watch_stop(k);
	live_shelf_put(k->shelf);
	strbuf_wipe(&k->page);
	free(k->path);
	free(k);
}
