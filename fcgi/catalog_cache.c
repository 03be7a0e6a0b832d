/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A slot holds one reading, under way or done. The one who finds nothing
 * fresh reads; others with the same key wait for that reading. A reading is
 * counted, for a slot may be given to another key while some still copy.
 */
#include "base.h"

#include <pthread.h>

#include "arena.h"
#include "catalog_cache.h"
#include "clock.h"
#include "entity.h"
#include "err.h"
#include "metrics.h"

struct reading {
	unsigned char key[CATALOG_KEY_LEN];
	unsigned refs;
	bool done;
	int code;
	struct err err;
	struct arena *arena;
	struct entity entity;
	int64_t expires;	/* mono ms */
};

struct catalog_cache {
	pthread_mutex_t lock;
	pthread_cond_t done;	/* any reading */
	int64_t fresh_ms;
	struct reading *slots[CATALOG_SLOTS];
};

struct catalog_cache *
catalog_cache_new(double fresh)
{
	struct catalog_cache *c = xcalloc(1, sizeof(*c));

	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->done, NULL);
	c->fresh_ms = clock_ms(fresh);
	return c;
}

/* With the lock held. */
static void
reading_put(struct reading *rd)
{
	if (rd == NULL || --rd->refs > 0)
		return;
	arena_free(rd->arena);
	free(rd);
}

void
catalog_cache_free(struct catalog_cache *c)
{
	size_t i;

	if (c == NULL)
		return;
	for (i = 0; i < CATALOG_SLOTS; i++)
		reading_put(c->slots[i]);
	pthread_cond_destroy(&c->done);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

static int
reading_copy(const struct reading *rd, struct arena *arena,
    struct entity *out, struct err *err)
{
	if (rd->code == 0)
		entity_copy(out, &rd->entity, arena);
	else if (err != NULL)
		*err = rd->err;
	return rd->code;
}

/* A slot for a new reading; NULL if another key is being read in it. */
static struct reading *
slot_take(struct reading **slot, const unsigned char *key)
{
	struct reading *rd;

	if (*slot != NULL && !(*slot)->done)
		return NULL;
	reading_put(*slot);
	rd = xcalloc(1, sizeof(*rd));
	memcpy(rd->key, key, CATALOG_KEY_LEN);
	rd->refs = 2;		/* the slot's and the reader's */
	rd->arena = arena_new();
	*slot = rd;
	return rd;
}

static void
slot_settle(struct catalog_cache *c, struct reading **slot,
    struct reading *rd)
{
	rd->done = true;
	rd->expires = clock_mono_ms() + c->fresh_ms;
	if (rd->code != 0 ||
	    rd->entity.depends_on.n > CATALOG_KEPT_RELATIONS) {
		*slot = NULL;
		reading_put(rd);
	}
	pthread_cond_broadcast(&c->done);
}

/* What the slot has for the key, waited for if need be; NULL: nothing. */
static struct reading *
slot_find(struct catalog_cache *c, struct reading **slot,
    const unsigned char *key)
{
	struct reading *rd = *slot;

	if (rd == NULL || memcmp(rd->key, key, CATALOG_KEY_LEN) != 0 ||
	    (rd->done && rd->expires <= clock_mono_ms()))
		return NULL;
	rd->refs++;
	metric_add(rd->done ? METRIC_CATALOG_KEPT : METRIC_CATALOG_WAITED, 1);
	while (!rd->done)
		pthread_cond_wait(&c->done, &c->lock);
	return rd;
}

static int
read_it(const struct catalog_reader *reader, struct arena *arena,
    struct entity *out, struct err *err)
{
	metric_add(METRIC_CATALOG_READ, 1);
	return reader->read(reader->ctx, arena, out, err);
}

int
catalog_cache_get(struct catalog_cache *c,
    const struct catalog_reader *reader, struct arena *arena,
    struct entity *out, struct err *err)
{
	const unsigned char *key = reader->key;
	struct reading **slot = &c->slots[(key[0] << 8 | key[1]) %
	    CATALOG_SLOTS];
	struct reading *rd = NULL;
	int r;

	if (c->fresh_ms == 0)
		return read_it(reader, arena, out, err);
	pthread_mutex_lock(&c->lock);
	if ((rd = slot_find(c, slot, key)) == NULL &&
	    (rd = slot_take(slot, key)) != NULL) {
		pthread_mutex_unlock(&c->lock);
		r = read_it(reader, rd->arena, &rd->entity, &rd->err);
		pthread_mutex_lock(&c->lock);
		rd->code = r;
		slot_settle(c, slot, rd);
	}
	pthread_mutex_unlock(&c->lock);
	if (rd == NULL)
		return read_it(reader, arena, out, err);
	r = reading_copy(rd, arena, out, err);
	pthread_mutex_lock(&c->lock);
	reading_put(rd);
	pthread_mutex_unlock(&c->lock);
	return r;
}
