/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The entries of the credential cache: which value may be used, who makes the
 * next one, who waits for it.
 */
#include "base.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "clock.h"
#include "log.h"
#include "sources_private.h"
#include "store.h"
#include "strbuf.h"
#include "transport.h"
#include "../providers/provider.h"

#define ENTRIES_MAX 4096	/* then the one used longest ago goes */
#define FRESH_MS 1000		/* but one just made serves who waited for it,
				   or they would wait for ever */
#define UNUSED_MS 3600000	/* then it is forgotten: other settings, other
				   keys of a role made another of it */

/* ---- keys and generations ---- */

static void
hash(const struct sources *s, const char *data, size_t len,
    unsigned char out[SOURCE_KEY])
{
	if (HMAC(EVP_sha256(), s->secret, sizeof(s->secret),
	    (const unsigned char *)data, len, out, NULL) == NULL)
		BUG("HMAC failed");
}

/* Lengths go in too: "ab", "c" is not "a", "bc". */
static void
key_of(const struct sources *s, const struct source *source,
    unsigned char out[SOURCE_KEY])
{
	struct strbuf sb = STRBUF_INIT(STRBUF_UNLIMITED);
	const char *const *input = source->inputs;
	size_t size = strlen(source->kind) + 64;

	for (; *input != NULL; input++)
		size += strlen(*input) + 32;
	strbuf_room(&sb, size);		/* growing would leave copies */
	strbuf_addf(&sb, "key %s", source->kind);
	for (input = source->inputs; *input != NULL; input++) {
		strbuf_addf(&sb, " %zu ", strlen(*input));
		strbuf_addstr(&sb, *input);
	}
	hash(s, sb.buf, sb.len, out);
	strbuf_wipe(&sb);
}

uint64_t
generation_of(const struct sources *s, const struct source_value *v)
{
	struct secret bytes = SECRET_INIT;
	unsigned char mac[SOURCE_KEY];
	uint64_t generation;

	source_value_print(v, &bytes);
	hash(s, bytes.ptr, bytes.len, mac);
	secret_release(&bytes);
	memcpy(&generation, mac, sizeof(generation));
	return generation;
}

/* ---- uses ---- */

static bool
uses_have(const struct source_uses *uses, const struct entry *e)
{
	unsigned i;

	for (i = 0; i < uses->n; i++)
		if (uses->items[i].serial == e->serial &&
		    memcmp(uses->items[i].key, e->key, SOURCE_KEY) == 0)
			return true;
	return false;
}

/* A credential of more sources than there is room for forgets the first. */
static void
uses_add(struct source_uses *uses, const struct entry *e)
{
	struct source_use *use;

	if (uses_have(uses, e))
		return;
	if (uses->n == SOURCE_USES)
		memmove(&uses->items[0], &uses->items[1],
		    --uses->n * sizeof(*uses->items));
	use = &uses->items[uses->n++];
	memcpy(use->key, e->key, SOURCE_KEY);
	use->serial = e->serial;
	use->generation = e->generation;
}

/* ---- entries ---- */

static struct entry *
entry_find(struct sources *s, const unsigned char *key)
{
	struct entry *e = s->entries;

	while (e != NULL && memcmp(e->key, key, SOURCE_KEY) != 0)
		e = e->next;
	return e;
}

static bool
entry_may_go(const struct entry *e)
{
	return e->pins == 0 && e->state == ENTRY_IDLE;
}

static void
entry_drop(struct sources *s, struct entry **p)
{
	struct entry *e = *p;

	*p = e->next;
	s->nentries--;
	source_value_release(&e->value);
	free(e);
}

/* Those that nobody uses any more; if there are too many even so, the one that
   was used longest ago. */
static void
entries_make_room(struct sources *s)
{
	struct entry **p = &s->entries, **oldest = NULL, *e;
	int64_t since = clock_mono_ms() - UNUSED_MS;

	while ((e = *p) != NULL) {
		if (entry_may_go(e) && e->used < since) {
			entry_drop(s, p);
			continue;
		}
		if (entry_may_go(e) &&
		    (oldest == NULL || e->used < (*oldest)->used))
			oldest = p;
		p = &e->next;
	}
	if (s->nentries >= ENTRIES_MAX && oldest != NULL)
		entry_drop(s, oldest);
}

static struct entry *
entry_get(struct sources *s, const unsigned char *key, const char *kind)
{
	struct entry *e = entry_find(s, key);

	if (e == NULL) {
		entries_make_room(s);
		e = xcalloc(1, sizeof(*e));
		memcpy(e->key, key, SOURCE_KEY);
		e->kind = kind;
		e->next = s->entries;
		s->entries = e;
		s->nentries++;
	}
	e->used = clock_mono_ms();
	return e;
}

bool
value_is_good(const struct source_value *v, int64_t wall)
{
	return v->expires == 0 || wall + SOURCE_SPARE_MS < v->expires;
}

static bool
entry_is_good(const struct entry *e, const struct source_asker *asker)
{
	int64_t now;

	if (!e->have || uses_have(&asker->refused, e))
		return false;
	now = clock_mono_ms();
	return now - e->made < FRESH_MS || (now < e->ends_mono &&
	    value_is_good(&e->value, clock_wall_ms()));
}

static bool
entry_is_due(const struct entry *e)
{
	return clock_wall_ms() >= e->due || clock_mono_ms() >= e->due_mono;
}

/*
 * A metadata server gives the same token until shortly before its end: what
 * came with less than its margin is asked for again when half of it is left,
 * not at once.
 */
static int64_t
due_of(const struct source_value *v, int64_t now)
{
	if (v->expires == 0)
		return INT64_MAX;
	if (v->expires - v->margin > now)
		return v->expires - v->margin;
	return SD_MAX(now + FRESH_MS, now + (v->expires - now) / 2);
}

/* Under the lock: a batch that is told may be gone at once. */
static void
entry_wake(struct sources *s, struct entry *e)
{
	struct source_wait *w;

	e->state = ENTRY_IDLE;
	while ((w = e->waits) != NULL) {
		e->waits = w->next;
		w->waiting = false;
		batch_arrived(w->group);
	}
	pthread_cond_broadcast(&s->made);
}

static void
entry_set_times(struct entry *e, const struct source_value *v)
{
	int64_t wall = clock_wall_ms();

	e->made = clock_mono_ms();
	e->due = due_of(v, wall);
	e->due_mono = e->ends_mono = INT64_MAX;
	if (v->expires == 0)
		return;
	e->due_mono = e->made + (e->due - wall);
	e->ends_mono = e->made + (v->expires - SOURCE_SPARE_MS - wall);
}

static void
entry_succeed(struct sources *s, struct entry *e, struct source_value *v)
{
	entry_set_times(e, v);
	source_value_release(&e->value);
	e->value = *v;			/* taken */
	*v = (struct source_value)SOURCE_VALUE_INIT;
	e->have = true;
	e->serial = ++s->serials;
	e->generation = generation_of(s, &e->value);
	e->failure.code = 0;
	e->failures = 0;
	e->retry_at = 0;
}

int64_t
source_back_off(unsigned failures, int64_t retry_after)
{
	int64_t wait = SOURCE_BACK_OFF_MS;
	unsigned i;

	for (i = 0; i < failures && wait < SOURCE_BACK_OFF_MAX; i++)
		wait *= 2;
	return SD_MAX(SD_MIN(wait, SOURCE_BACK_OFF_MAX), retry_after);
}

static void
entry_fail(struct entry *e, const struct err *err, int64_t retry_after)
{
	int64_t wait = source_back_off(e->failures, retry_after);

	e->failures++;
	e->failure = *err;
	e->retry_at = clock_mono_ms() + wait;
	log_warn("%s: %s%s%s; no other try for %lld s", e->kind, err->text,
	    err->detail[0] != '\0' ? ": " : "", err->detail,
	    (long long)(wait / 1000));
}

void
entry_settle(struct sources *s, struct entry *e, const struct err *err)
{
	e->pins--;
	if (e->state != ENTRY_QUEUED)
		return;
	if (err != NULL)
		entry_fail(e, err, 0);
	entry_wake(s, e);
}

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
	int r;

	e->pins++;
	if (!source->local)
		e->state = ENTRY_MAKING;
	pthread_mutex_unlock(&s->lock);
	if (source->local)
		r = source->make(call, source->ctx, &v, err);
	else
		r = share_make(s, &sh, &v, err);
	pthread_mutex_lock(&s->lock);
	e->pins--;
	if (r == 0)
		entry_succeed(s, e, &v);
	else if (r != E_PENDING && !source->local)
		entry_fail(e, err, v.retry_after);
	if (!source->local)
		entry_wake(s, e);
	source_value_release(&v);
	return r;
}

enum step { STEP_USE, STEP_RENEW, STEP_MAKE, STEP_QUEUE, STEP_WAIT,
    STEP_FAIL };

/* What to do about it: the rules at the head of sources.h. */
static enum step
next_step(const struct entry *e, const struct source_asker *asker, bool local)
{
	bool good = entry_is_good(e, asker);
	bool failing = clock_mono_ms() < e->retry_at;

	if (good && !entry_is_due(e))
		return STEP_USE;
	if (local)
		return STEP_MAKE;
	if (good && (failing || e->state == ENTRY_MAKING))
		return STEP_USE;
	if (failing)
		return STEP_FAIL;
	if (asker->blocking)
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

	switch (next_step(e, asker, source->local)) {
	case STEP_RENEW:
		if (e->state == ENTRY_IDLE)
			sources_queue(s, e, call);
		return 0;
	case STEP_USE:
		call->note(call, "%s: one is at hand", source->kind);
		return 0;
	case STEP_MAKE:
		r = entry_make(s, e, call, source, err);
		/* After a failure there may be an old one that is good. */
		return r == 0 || r == E_PENDING || source->local ? r : 1;
	case STEP_QUEUE:
		if (e->state == ENTRY_IDLE)
			sources_queue(s, e, call);
		return leave_pending(e, asker, err);
	case STEP_WAIT:
		r = wait_made(s, asker, err);
		return r == 0 ? 1 : r;
	case STEP_FAIL:
		break;
	}
	if (err != NULL)
		*err = e->failure;
	return e->failure.code;
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
	key_of(s, source, key);
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

/* ---- refusing one ---- */

/* May the use be refused, so that another generation is made or waited for? */
static bool
entry_refuse(struct entry *e, const struct source_use *use, int64_t now)
{
	if (e == NULL || !e->have || e->serial != use->serial ||
	    e->state != ENTRY_IDLE)
		return true;
	if (now < e->retry_at ||
	    (e->forced != 0 && now - e->forced < SOURCE_FORCED_MS))
		return false;
	e->forced = now;
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

/* ---- life ---- */

struct sources *
sources_new(struct store *store)
{
	struct sources *s = xcalloc(1, sizeof(*s));
	pthread_condattr_t attr;

	s->store = store;
	s->queue_end = &s->queue;
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
	struct entry *e;

	if (s == NULL)
		return;
	sources_stop(s);
	while ((e = s->entries) != NULL) {
		s->entries = e->next;
		source_value_release(&e->value);
		free(e);
	}
	pthread_mutex_destroy(&s->lock);
	pthread_cond_destroy(&s->made);
	pthread_cond_destroy(&s->work);
	OPENSSL_cleanse(s->secret, sizeof(s->secret));
	free(s);
}
