/* SPDX-License-Identifier: Apache-2.0 */
/* A table of entries and their line, from the newest to the oldest use. */
#include "base.h"

#include <pthread.h>

#include "kept.h"
#include "live_table.h"

struct entry {
	struct live_node node;
	struct entry *newer, *older;
	struct kept_thing *thing;
	size_t size, len;
	char key[];
};

struct kept {
	size_t limit, max;
	pthread_mutex_t lock;	/* of what follows */
	struct live_table table;
	struct entry *newest, *oldest;
	size_t bytes;
};

void
kept_thing_put(struct kept_thing *t)
{
	if (t != NULL && __atomic_sub_fetch(&t->refs, 1, __ATOMIC_ACQ_REL) == 0)
		t->free(t);
}

static struct kept_thing *
thing_ref(struct kept_thing *t)
{
	__atomic_add_fetch(&t->refs, 1, __ATOMIC_RELAXED);
	return t;
}

struct kept *
kept_new(size_t bytes, size_t n)
{
	struct kept *k = xcalloc(1, sizeof(*k));

	k->limit = bytes;
	k->max = n;
	pthread_mutex_init(&k->lock, NULL);
	return k;
}

static void
line_out(struct kept *k, struct entry *e)
{
	*(e->newer != NULL ? &e->newer->older : &k->newest) = e->older;
	*(e->older != NULL ? &e->older->newer : &k->oldest) = e->newer;
}

static void
line_in(struct kept *k, struct entry *e)
{
	e->newer = NULL;
	e->older = k->newest;
	*(e->older != NULL ? &e->older->newer : &k->oldest) = e;
	k->newest = e;
}

static void
drop(struct kept *k, struct entry *e)
{
	live_table_remove(&k->table, &e->node);
	line_out(k, e);
	k->bytes -= e->size;
	kept_thing_put(e->thing);
	free(e);
}

void
kept_free(struct kept *k)
{
	if (k == NULL)
		return;
	while (k->newest != NULL)
		drop(k, k->newest);
	live_table_release(&k->table);
	pthread_mutex_destroy(&k->lock);
	free(k);
}

static struct entry *
find(const struct kept *k, uint64_t hash, const char *key, size_t len)
{
	struct live_node *node = live_table_find(&k->table, hash);
	struct entry *e;

	for (; node != NULL; node = live_table_next(node)) {
		e = (struct entry *)node;
		if (e->len == len && memcmp(e->key, key, len) == 0)
			return e;
	}
	return NULL;
}

struct kept_thing *
kept_get(struct kept *k, const char *key, size_t len)
{
	uint64_t hash = live_hash(key, len, "", 0);
	struct kept_thing *t = NULL;
	struct entry *e;

	pthread_mutex_lock(&k->lock);
	if ((e = find(k, hash, key, len)) != NULL) {
		t = thing_ref(e->thing);
		if (e != k->newest) {
			line_out(k, e);
			line_in(k, e);
		}
	}
	pthread_mutex_unlock(&k->lock);
	return t;
}

static struct entry *
entry_make(uint64_t hash, const char *key, size_t len, struct kept_thing *t)
{
	struct entry *e = xcalloc(1, sizeof(*e) + len);

	e->node.hash = hash;
	e->thing = thing_ref(t);
	e->size = sizeof(*e) + len + t->size;
	e->len = len;
	memcpy(e->key, key, len);
	return e;
}

void
kept_set(struct kept *k, const char *key, size_t len, struct kept_thing *t)
{
	uint64_t hash = live_hash(key, len, "", 0);
	struct entry *old, *e = entry_make(hash, key, len, t);

	pthread_mutex_lock(&k->lock);
	if ((old = find(k, hash, key, len)) != NULL)
		drop(k, old);
	live_table_add(&k->table, &e->node);
	line_in(k, e);
	k->bytes += e->size;
	while (k->oldest != NULL && (k->bytes > k->limit ||
	    k->table.n > k->max))
		drop(k, k->oldest);
	pthread_mutex_unlock(&k->lock);
}
