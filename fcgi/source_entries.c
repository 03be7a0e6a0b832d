/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The entries of the credential cache: their keys, what they hold, until when
 * that is good, when it may be tried again. All under the cache's lock.
 */
#include "base.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "clock.h"
#include "log.h"
#include "sources_private.h"
#include "strbuf.h"
#include "transport.h"

#define FRESH_MS 1000		/* but one just made serves who waited for it,
				   or they would wait for ever */

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
void
source_key(const struct sources *s, const struct source *source,
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
void
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

bool
value_is_good(const struct source_value *v, int64_t wall)
{
	return v->expires == 0 || wall + SOURCE_SPARE_MS < v->expires;
}

bool
entry_is_good(const struct entry *e, const struct source_asker *asker)
{
	int64_t now;

	if (!e->have || uses_have(&asker->refused, e))
		return false;
	now = clock_mono_ms();
	return now - e->made < FRESH_MS || (now < e->ends_mono &&
	    value_is_good(&e->value, clock_wall_ms()));
}

bool
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
void
entry_wake(struct sources *s, struct entry *e)
{
	struct source_wait *w;

	e->state = ENTRY_IDLE;
	while ((w = e->waits) != NULL) {
		e->waits = w->next;
		w->waiting = false;
		batch_arrived(w->group);
	}
	jobs_unpark(s, e);
	sources_wake(s);
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

void
entry_succeed(struct sources *s, struct entry *e, struct source_value *v)
{
	entry_set_times(e, v);
	source_value_release(&e->value);
	e->value = *v;			/* taken */
	*v = (struct source_value)SOURCE_VALUE_INIT;
	e->have = true;
	e->serial = ++s->serials;
	e->generation = generation_of(s, &e->value);
	free(e->failure);
	e->failure = NULL;
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

void
entry_fail(struct entry *e, const struct err *err, int64_t retry_after)
{
	int64_t wait = source_back_off(e->failures, retry_after);

	e->failures++;
	if (e->failure == NULL)
		e->failure = xmalloc(sizeof(*e->failure));
	*e->failure = *err;
	e->retry_at = clock_mono_ms() + wait;
}

void
source_report(const char *kind, const struct err *err)
{
	log_warn("%s: %s%s%s", kind, err->text,
	    err->detail[0] != '\0' ? ": " : "", err->detail);
}

bool
entry_settle(struct sources *s, struct entry *e, const struct err *err)
{
	e->pins--;
	if (e->state != ENTRY_QUEUED)
		return false;
	if (err != NULL)
		entry_fail(e, err, 0);
	entry_wake(s, e);
	return err != NULL;
}
