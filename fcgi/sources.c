/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The credential cache: which value is used, who makes the next one, who
 * waits for it, and what a 401 leads to. source_entries.c has what is kept.
 */
#include "base.h"

#include <openssl/crypto.h>

#include "clock.h"
#include "metrics.h"
#include "sources_private.h"
#include "store.h"
#include "transport.h"
#include "../providers/provider.h"

/* ---- getting one ---- */

/* Make a value, the lock given up meanwhile. 0 or what err says. */
static int
entry_make(struct sources *s, struct entry *e,
    const struct provider_call *call, const struct source *source,
    struct err *err)
{
	const struct source_asker *asker = call->core;
	const struct share sh = { e->key, source, call, &asker->refused };
	struct source_value v = SOURCE_VALUE_INIT;
	enum entry_state was = e->state;
	int64_t began = clock_mono_us();
	int r;

	e->pins++;
	if (!source->local)
		e->state = ENTRY_MAKING;
	pthread_mutex_unlock(&s->lock);
	if (source->local || source->unshared)
		r = source->make(call, source->ctx, &v, err);
	else
		r = share_make(s, &sh, &v, err);
	if (r != E_PENDING && !source->local)
		metrics_source(source->kind, r, clock_mono_us() - began);
	if (r != 0 && r != E_PENDING && !source->local)
		source_report(source->kind, err);
	pthread_mutex_lock(&s->lock);
	e->pins--;
	if (r == 0)
		entry_succeed(s, e, &v);
	else if (r != E_PENDING && !source->local)
		entry_fail(e, err, v.retry_after);
	if (r == E_PENDING && was == ENTRY_QUEUED) {
		e->state = was;		/* its job is not done with it */
		pthread_cond_broadcast(&s->made);
	} else if (!source->local) {
		entry_wake(s, e);
	}
	source_value_release(&v);
	return r;
}

/*
 * May it be made, or waited for, on this thread? Not where a job comes to
 * another lane than its own: one that hangs would hold what others need.
 */
static bool
asker_blocks(const struct source_asker *asker, const struct source *source)
{
	return asker->blocking && (asker->job == NULL ||
	    source->brief || source->lane == NULL ||
	    str_eq(asker->job->lane, source->lane));
}

enum step { STEP_USE, STEP_RENEW, STEP_MAKE, STEP_QUEUE, STEP_WAIT,
    STEP_FAIL };

/* What to do about it: the rules at the head of sources.h. */
static enum step
next_step(const struct entry *e, const struct source_asker *asker,
    const struct source *source)
{
	bool good = entry_is_good(e, asker);
	bool failing = clock_mono_ms() < e->retry_at;

	if (good && !entry_is_due(e))
		return STEP_USE;
	if (source->local)
		return STEP_MAKE;
	if (good && (failing || e->state == ENTRY_MAKING))
		return STEP_USE;
	if (failing)
		return STEP_FAIL;
	if (asker_blocks(asker, source))
		return e->state == ENTRY_MAKING ? STEP_WAIT : STEP_MAKE;
	return good ? STEP_RENEW : STEP_QUEUE;
}

/* Until somebody made something. E_TIMEOUT at the asker's deadline. */
static int
wait_made(struct sources *s, const struct source_asker *asker, struct err *err)
{
	struct timespec ts = {
		.tv_sec = asker->deadline / 1000,
		.tv_nsec = asker->deadline % 1000 * 1000000,
	};

	if (clock_mono_ms() >= asker->deadline)
		return err_set(err, E_TIMEOUT, "another try to get the "
		    "credential is still under way");
	pthread_cond_timedwait(&s->made, &s->lock, &ts);
	return 0;
}

static int
leave_pending(const struct entry *e, struct source_asker *asker,
    struct err *err)
{
	memcpy(asker->pending, e->key, SOURCE_KEY);
	asker->pending_kind = e->kind;
	return err_set(err, E_PENDING, "%s: not there yet", e->kind);
}

/* One step. 0: e holds what is wanted; 1: look again; else E_*. */
static int
take_step(struct sources *s, struct entry *e,
    const struct provider_call *call, const struct source *source,
    struct err *err)
{
	struct source_asker *asker = call->core;
	int r;

	switch (next_step(e, asker, source)) {
	case STEP_RENEW:
		if (e->state == ENTRY_IDLE)
			sources_queue(s, e, call, source);
		return 0;
	case STEP_USE:
		call->note(call, "%s: one is at hand", source->kind);
		return 0;
	case STEP_MAKE:
		r = entry_make(s, e, call, source, err);
		/* After a failure there may be an old one that is good. */
		return r == 0 || r == E_PENDING || source->local ? r : 1;
	case STEP_QUEUE:
		if (e->state == ENTRY_IDLE &&
		    !sources_queue(s, e, call, source))
			return err_set(err, E_BUSY, "%s: too many others are "
			    "being asked for: try again soon", e->kind);
		return leave_pending(e, asker, err);
	case STEP_WAIT:
		r = wait_made(s, asker, err);
		return r == 0 ? 1 : r;
	case STEP_FAIL:
		break;
	}
	if (err != NULL)
		*err = *e->failure;
	return e->failure->code;
}

int
sources_get(struct sources *s, const struct provider_call *call,
    const struct source *source, struct source_value *out, struct err *err)
{
	struct source_asker *asker = call->core;
	unsigned char key[SOURCE_KEY];
	struct entry *e;
	int r;

	*out = (struct source_value)SOURCE_VALUE_INIT;
	source_key(s, source, key);
	pthread_mutex_lock(&s->lock);
	e = entry_get(s, key, source->kind);
	e->pins++;
	do {
		r = take_step(s, e, call, source, err);
	} while (r == 1);
	if (r == 0) {
		source_value_copy(out, &e->value);
		uses_add(&asker->used, e);
	}
	e->pins--;
	pthread_mutex_unlock(&s->lock);
	return r;
}

void
sources_forget(struct sources *s, const struct source *source)
{
	unsigned char key[SOURCE_KEY];
	struct entry *e;

	source_key(s, source, key);
	pthread_mutex_lock(&s->lock);
	if ((e = entry_find(s, key)) != NULL && e->state == ENTRY_IDLE)
		e->have = false;
	pthread_mutex_unlock(&s->lock);
}

/* ---- refusing one ---- */

/* May the use be refused, so that another generation is made or waited for? */
static bool
entry_refuse(struct entry *e, const struct source_use *use, int64_t now)
{
	if (e == NULL || !e->have || e->serial != use->serial ||
	    e->state != ENTRY_IDLE)
		return true;
	if (now < e->retry_at)
		return false;
	if (e->forced != 0 && e->forced_serial == use->serial &&
	    now - e->forced < SOURCE_TOGETHER_MS)
		return true;
	if (e->forced != 0 && now - e->forced < SOURCE_FORCED_MS)
		return false;
	e->forced = now;
	e->forced_serial = use->serial;
	return true;
}

bool
sources_reject(struct sources *s, struct source_uses *used)
{
	int64_t now = clock_mono_ms();
	unsigned i, n = 0;

	pthread_mutex_lock(&s->lock);
	for (i = 0; i < used->n; i++)
		if (entry_refuse(entry_find(s, used->items[i].key),
		    &used->items[i], now))
			used->items[n++] = used->items[i];
	pthread_mutex_unlock(&s->lock);
	used->n = n;
	return n > 0;
}

/* ---- waiting for one ---- */

/* Nobody waits any more, at its deadline or because the client left. */
static void
wait_forget(struct fetch_group *group)
{
	struct source_wait *w = group->forget_ctx, **p;
	struct entry *e;

	pthread_mutex_lock(&w->sources->lock);
	if (w->waiting) {
		e = entry_find(w->sources, w->key);
		for (p = &e->waits; *p != w; p = &(*p)->next)
			continue;
		*p = w->next;
		w->waiting = false;
		batch_arrived(group);
	}
	pthread_mutex_unlock(&w->sources->lock);
}

bool
sources_await(struct source_wait *w, struct batch *b,
    struct fetch_group *group, int64_t deadline)
{
	struct sources *s = w->sources;
	struct entry *e;
	bool wait;

	pthread_mutex_lock(&s->lock);
	e = entry_find(s, w->key);
	wait = e != NULL && e->state != ENTRY_IDLE;
	if (wait) {
		w->group = group;
		w->next = e->waits;
		w->waiting = true;
		e->waits = w;
		group->forget = wait_forget;
		group->forget_ctx = w;
		group->deadline = deadline;
		batch_expect(b, group);
	}
	pthread_mutex_unlock(&s->lock);
	return wait;
}

void
sources_count(struct sources *s, struct source_counts *out)
{
	pthread_mutex_lock(&s->lock);
	*out = (struct source_counts){
		.entries = s->nentries,
		.jobs = s->jobs,
		.threads = s->threads,
		.idle = s->idle,
	};
	pthread_mutex_unlock(&s->lock);
}

/* ---- life ---- */

struct sources *
sources_new(struct store *store)
{
	struct sources *s = xcalloc(1, sizeof(*s));
	pthread_condattr_t attr;

	s->store = store;
	entries_init(s);
	s->ready.end = &s->ready.first;
	if (store != NULL)	/* the same in each process */
		store_derive(store, "source keys", s->secret);
	else
		secret_random(s->secret, sizeof(s->secret));
	pthread_mutex_init(&s->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&s->made, &attr);
	pthread_cond_init(&s->work, &attr);
	pthread_condattr_destroy(&attr);
	return s;
}

void
sources_free(struct sources *s)
{
	if (s == NULL)
		return;
	if (!sources_stop(s))
		BUG("credentials are still being made");
	entries_free(s);
	pthread_mutex_destroy(&s->lock);
	pthread_cond_destroy(&s->made);
	pthread_cond_destroy(&s->work);
	OPENSSL_cleanse(s->secret, sizeof(s->secret));
	free(s);
}
