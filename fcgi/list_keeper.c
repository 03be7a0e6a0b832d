/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One thread for each list. What the settings name at one time is a round:
 * a reload begins another, whose threads go on with the lists there are, and
 * the threads of the old one end when they have nothing to wait for any more.
 */
#include "base.h"

#include <pthread.h>

#include "arena.h"
#include "backstage.h"
#include "catalog_clusters.h"
#include "clock.h"
#include "ended.h"
#include "err.h"
#include "list_keeper.h"
#include "provider_call.h"
#include "runtime.h"
#include "settings.h"
#include "strbuf.h"
#include "../providers/google_clusters.h"

#define ASK_MS 10000		/* for a token and a list */
#define ASK_ONCE_MS 4000	/* where a person waits for it */
#define BACK_OFF_FIRST 1000	/* ms; then doubled, as sources.c does */
#define BACK_OFF_MAX 60000
#define SPARE_MS 20		/* a list is due then, not just before */

/* Who is asked for what; no part is NULL. */
struct place {
	enum locator_type type;
	const char *api;		/* base of its URL; "": not known */
	const char *project, *region;	/* of GKE */
	double refresh;
};

struct kept {
	struct round *round;
	struct place place;
	bool asked;
	char *list;			/* the last good one; or NULL */
	struct err failure;		/* code 0: none since then */
};

struct round {
	struct list_keeper *keeper;
	struct arena *arena;
	struct settings settings;	/* what is read of them for asking */
	struct kept *items;
	size_t n;
	unsigned threads;
	bool over;
};

struct list_keeper {
	struct transport *transport;
	struct sources *sources;
	bool once;

	pthread_mutex_t *lock;		/* of what follows, and of rounds */
	pthread_cond_t wake;		/* asked, over, a thread ended */
	struct round *round;
	unsigned threads;		/* of all rounds */
	struct ended ended;
	bool changed;
};

/* ---- rounds ---- */

static struct place
place_of_gke(const struct settings *s, const struct locator_settings *ls)
{
	const char *api = ls->gke.endpoint;

	if (api == NULL)
		api = s->cloud.google_api;
	return (struct place){ LOCATOR_GKE, api != NULL ? api :
	    GOOGLE_CONTAINER_API, ls->gke.project, ls->gke.region,
	    ls->refresh };
}

/* Strings of the settings, or in the arena. */
static struct place
place_of(struct arena *arena, const struct settings *s,
    const struct locator_settings *ls)
{
	struct strbuf base = STRBUF_INIT(STRBUF_UNLIMITED);
	struct place at = { LOCATOR_CATALOG, "", "", "", ls->refresh };

	if (ls->type == LOCATOR_GKE)
		return place_of_gke(s, ls);
	backstage_base(s, "catalog", &base);
	at.api = arena_strdup(arena, base.buf);
	strbuf_release(&base);
	return at;
}

/* refresh is no matter: the list is the same. */
static struct kept *
kept_find(struct round *round, const struct place *at)
{
	size_t i;

	for (i = 0; round != NULL && i < round->n; i++) {
		const struct place *p = &round->items[i].place;

		if (p->type == at->type && strcmp(p->api, at->api) == 0 &&
		    strcmp(p->project, at->project) == 0 &&
		    strcmp(p->region, at->region) == 0)
			return &round->items[i];
	}
	return NULL;
}

static void
round_add(struct round *round, const struct place *at)
{
	struct kept *old = kept_find(round, at), *e;

	if (old != NULL) {
		old->place.refresh = SD_MIN(old->place.refresh, at->refresh);
		return;
	}
	e = &ARRAY_PUSH(round->items, round->n);
	e->place = (struct place){
		.type = at->type,
		.api = arena_strdup(round->arena, at->api),
		.project = arena_strdup(round->arena, at->project),
		.region = arena_strdup(round->arena, at->region),
		.refresh = at->refresh,
	};
}

static bool
is_listed(const struct locator_settings *ls)
{
	return ls->type == LOCATOR_GKE || ls->type == LOCATOR_CATALOG;
}

static struct round *
round_new(struct list_keeper *k, const struct settings *s)
{
	struct round *round = xcalloc(1, sizeof(*round));
	size_t i;

	round->keeper = k;
	round->arena = arena_new();
	secret_set(&round->settings.google_credentials,
	    s->google_credentials.ptr, s->google_credentials.len);
	secret_set(&round->settings.backstage_token, s->backstage_token.ptr,
	    s->backstage_token.len);
	round->settings.google_credentials_file = arena_strdup(round->arena,
	    s->google_credentials_file);
	for (i = 0; i < s->nlocators; i++)
		if (is_listed(&s->locators[i])) {
			struct place at = place_of(round->arena, s,
			    &s->locators[i]);

			round_add(round, &at);
		}
	return round;
}

static void
round_free(struct round *round)
{
	size_t i;

	for (i = 0; i < round->n; i++)
		free(round->items[i].list);
	free(round->items);
	secret_release(&round->settings.google_credentials);
	secret_release(&round->settings.backstage_token);
	arena_free(round->arena);
	free(round);
}

/* Under the lock: what is held already. */
static void
round_take_over(struct round *round, struct round *old)
{
	size_t i;

	for (i = 0; i < round->n; i++) {
		struct kept *e = &round->items[i];
		const struct kept *was = kept_find(old, &e->place);

		e->round = round;
		if (was == NULL || was->list == NULL)
			continue;
		e->list = xstrdup(was->list);
		e->asked = true;
	}
}

/* Under the lock. Its last thread frees it. */
static void
round_end(struct list_keeper *k)
{
	struct round *round = k->round;

	k->round = NULL;
	if (round == NULL)
		return;
	round->over = true;
	if (round->threads == 0)
		round_free(round);
	pthread_cond_broadcast(&k->wake);
}

/* ---- asking ---- */

static int
place_ask(const struct place *at, const struct settings *s,
    const struct provider_call *call, struct source_value *out,
    struct err *err)
{
	const struct google_place google = { at->api, at->project, at->region,
	    at->refresh };
	const struct catalog_place catalog = { at->api, at->refresh };

	if (at->type == LOCATOR_GKE)
		return google_clusters(call, s, &google, out, err);
	return catalog_clusters(call, s, &catalog, out, err);
}

/*
 * refused, in and out: what went into a question that met a 401, so that a
 * token that Google has taken back is not used for the next. What the account
 * may not do, it may not do with another token either.
 */
static int
kept_ask(struct kept *e, struct source_uses *refused,
    struct source_value *out, struct err *err)
{
	struct list_keeper *k = e->round->keeper;
	struct runtime rt = { .transport = k->transport,
	    .sources = k->sources };
	struct source_asker asker = { .rt = &rt, .blocking = true,
	    .deadline = clock_mono_ms() + (k->once ? ASK_ONCE_MS : ASK_MS),
	    .refused = *refused };
	struct provider_call call;
	struct err why = ERR_INIT;
	int r;

	provider_call_begin(&call, &asker, NULL, NULL);
	r = place_ask(&e->place, &e->round->settings, &call, out, &why);
	provider_call_end(&call);
	refused->n = 0;
	if (r != 0)	/* an old list may be given although asking failed */
		*err = why;
	if (why.code == E_AUTH && sources_reject(k->sources, &asker.used))
		*refused = asker.used;
	return r;
}

/* Under the lock. */
static void
kept_take(struct kept *e, const struct source_value *v, const struct err *err)
{
	struct list_keeper *k = e->round->keeper;

	e->failure = *err;
	e->asked = true;
	pthread_cond_broadcast(&k->wake);
	if (err->code != 0 || e->round->over)
		return;
	if (e->list == NULL || strcmp(e->list, v->part[0].ptr) != 0) {
		free(e->list);
		e->list = xstrdup(v->part[0].ptr);
		k->changed = true;
	}
}

/* Milliseconds until it is asked for again. A list that is overdue came from
   before a failure. */
static int64_t
pause_after(const struct kept *e, const struct source_value *v, int r,
    unsigned *failures)
{
	int64_t due = v->expires - v->margin - clock_wall_ms();
	int64_t ms = BACK_OFF_FIRST;
	unsigned i;

	if (r == 0 && due > 0) {
		*failures = 0;
		return SPARE_MS + SD_MIN(due, clock_ms(e->place.refresh));
	}
	for (i = 0; i < *failures && ms < BACK_OFF_MAX; i++)
		ms *= 2;
	++*failures;
	return SPARE_MS + SD_MIN(ms, BACK_OFF_MAX);
}

/* Under the lock: until then, or until done says so. */
static void
wait_until(struct list_keeper *k, int64_t until, bool (*done)(const void *),
    const void *ctx)
{
	const struct timespec ts = { until / 1000, until % 1000 * 1000000 };

	while (!done(ctx) && pthread_cond_timedwait(&k->wake, k->lock,
	    &ts) == 0)
		continue;
}

static bool
round_is_over(const void *ctx)
{
	const struct round *round = ctx;

	return round->over;
}

static void *
kept_main(void *arg)
{
	struct kept *e = arg;
	struct round *round = e->round;
	struct list_keeper *k = round->keeper;
	struct source_uses refused = { .n = 0 };
	unsigned failures = 0;

	pthread_mutex_lock(k->lock);
	while (!round->over) {
		struct source_value v = SOURCE_VALUE_INIT;
		struct err err = ERR_INIT;
		int64_t pause;
		int r;

		pthread_mutex_unlock(k->lock);
		r = kept_ask(e, &refused, &v, &err);
		pthread_mutex_lock(k->lock);
		kept_take(e, &v, &err);
		pause = pause_after(e, &v, r, &failures);
		source_value_release(&v);
		if (k->once)
			break;
		wait_until(k, clock_mono_ms() + pause, round_is_over, round);
	}
	if (--round->threads == 0 && round->over)
		round_free(round);
	k->threads--;
	ended_add(&k->ended);
	pthread_cond_broadcast(&k->wake);
	pthread_mutex_unlock(k->lock);
	return NULL;
}

/* Under the lock. Signals are blocked before any thread is made. */
static void
kept_start(struct kept *e)
{
	struct list_keeper *k = e->round->keeper;
	pthread_t thread;

	if (pthread_create(&thread, NULL, kept_main, e) == 0) {
		e->round->threads++;
		k->threads++;
	} else {
		err_set(&e->failure, E_SYSTEM, "cannot list the clusters of "
		    "'%s': no thread is to be had", e->place.api);
		e->asked = true;
	}
}

/* ---- for others ---- */

static bool
all_asked(const void *ctx)
{
	const struct round *round = ctx;
	size_t i;

	for (i = 0; i < round->n; i++)
		if (!round->items[i].asked)
			return false;
	return true;
}

void
list_keeper_use(struct list_keeper *k, const struct settings *s, int64_t ms)
{
	struct round *round = round_new(k, s);
	size_t i;

	pthread_mutex_lock(k->lock);
	ended_join(&k->ended);
	round_take_over(round, k->round);
	round_end(k);
	k->round = round;
	k->changed = false;
	for (i = 0; i < round->n; i++)
		kept_start(&round->items[i]);
	if (ms > 0) {
		wait_until(k, clock_mono_ms() + ms, all_asked, round);
		k->changed = false;
	}
	pthread_mutex_unlock(k->lock);
}

bool
list_keeper_active(const struct list_keeper *k)
{
	return k->round != NULL && k->round->n > 0;
}

bool
list_keeper_changed(struct list_keeper *k)
{
	bool changed;

	pthread_mutex_lock(k->lock);
	changed = k->changed;
	k->changed = false;
	pthread_mutex_unlock(k->lock);
	return changed;
}

const char *
list_keeper_list(const struct list_keeper *k, const struct settings *s,
    const struct locator_settings *ls, struct arena *arena, struct err *err)
{
	struct place at = place_of(arena, s, ls);
	const char *list = NULL;
	const struct kept *e;

	err_set(err, E_BUSY, "the clusters of %s%s%s are missing: '%s' has "
	    "not answered yet; they come when it does", at.type == LOCATOR_GKE
	    ? "project '" : "the catalog", at.project, at.type == LOCATOR_GKE ?
	    "'" : "", at.api);
	pthread_mutex_lock(k->lock);
	e = kept_find(k->round, &at);
	if (e != NULL && e->list != NULL)
		list = arena_strdup(arena, e->list);
	else if (e != NULL && e->failure.code != 0)
		*err = e->failure;
	pthread_mutex_unlock(k->lock);
	return list;
}

/* ---- life ---- */

struct list_keeper *
list_keeper_new(const struct services *services, bool once)
{
	struct list_keeper *k = xcalloc(1, sizeof(*k));
	pthread_condattr_t attr;

	k->transport = services->transport;
	k->sources = services->sources;
	k->once = once;
	k->lock = xcalloc(1, sizeof(*k->lock));
	pthread_mutex_init(k->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&k->wake, &attr);
	pthread_condattr_destroy(&attr);
	return k;
}

void
list_keeper_end(struct list_keeper *k)
{
	pthread_mutex_lock(k->lock);
	round_end(k);
	pthread_mutex_unlock(k->lock);
}

void
list_keeper_free(struct list_keeper *k)
{
	if (k == NULL)
		return;
	pthread_mutex_lock(k->lock);
	round_end(k);
	while (k->threads > 0)
		pthread_cond_wait(&k->wake, k->lock);
	ended_join(&k->ended);
	pthread_mutex_unlock(k->lock);
	pthread_cond_destroy(&k->wake);
	pthread_mutex_destroy(k->lock);
	free(k->lock);
	free(k);
}
