/* SPDX-License-Identifier: Apache-2.0 */
/* Chained tables of a power of two slots, and SipHash-1-3 for them. */
#include "base.h"

#include <openssl/rand.h>
#include <pthread.h>

#include "live_table.h"

#define SLOTS_MIN 16

struct sip {
	uint64_t v0, v1, v2, v3;
};

static uint64_t seed[2];
static pthread_once_t seeded = PTHREAD_ONCE_INIT;

static void
make_seed(void)
{
	if (RAND_bytes((unsigned char *)seed, sizeof(seed)) != 1)
		BUG("no random bytes");
}

static inline uint64_t
turned(uint64_t x, unsigned by)
{
	return x << by | x >> (64 - by);
}

static inline void
sip_round(struct sip *s)
{
	s->v0 += s->v1;
	s->v1 = turned(s->v1, 13) ^ s->v0;
	s->v0 = turned(s->v0, 32);
	s->v2 += s->v3;
	s->v3 = turned(s->v3, 16) ^ s->v2;
	s->v0 += s->v3;
	s->v3 = turned(s->v3, 21) ^ s->v0;
	s->v2 += s->v1;
	s->v1 = turned(s->v1, 17) ^ s->v2;
	s->v2 = turned(s->v2, 32);
}

static inline void
sip_word(struct sip *s, uint64_t w)
{
	s->v3 ^= w;
	sip_round(s);
	s->v0 ^= w;
}

/* A text and its length: its last word is filled up with that. */
static void
sip_text(struct sip *s, const char *p, size_t n)
{
	uint64_t w;

	for (; n >= 8; p += 8, n -= 8) {
		memcpy(&w, p, 8);
		sip_word(s, w);
	}
	w = (uint64_t)n << 56;
	memcpy(&w, p, n);
	sip_word(s, w);
}

uint64_t
live_hash(const char *a, size_t na, const char *b, size_t nb)
{
	struct sip s;

	pthread_once(&seeded, make_seed);
	s = (struct sip){
		.v0 = seed[0] ^ UINT64_C(0x736f6d6570736575),
		.v1 = seed[1] ^ UINT64_C(0x646f72616e646f6d),
		.v2 = seed[0] ^ UINT64_C(0x6c7967656e657261),
		.v3 = seed[1] ^ UINT64_C(0x7465646279746573),
	};
	sip_word(&s, na);
	sip_text(&s, a, na);
	sip_text(&s, b, nb);
	s.v2 ^= 0xff;
	sip_round(&s);
	sip_round(&s);
	sip_round(&s);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

static struct live_node *
of_hash(struct live_node *node, uint64_t hash)
{
	while (node != NULL && node->hash != hash)
		node = node->next;
	return node;
}

struct live_node *
live_table_find(const struct live_table *t, uint64_t hash)
{
	if (t->nslots == 0)
		return NULL;
	return of_hash(t->slots[hash & (t->nslots - 1)], hash);
}

struct live_node *
live_table_next(const struct live_node *node)
{
	return of_hash(node->next, node->hash);
}

static void
put_in_slot(struct live_table *t, struct live_node *node)
{
	struct live_node **slot = &t->slots[node->hash & (t->nslots - 1)];

	node->next = *slot;
	*slot = node;
}

static void
grow(struct live_table *t)
{
	struct live_node **old = t->slots, *node, *next;
	size_t i, n = t->nslots;

	t->nslots = SD_MAX(2 * n, (size_t)SLOTS_MIN);
	t->slots = xcalloc(t->nslots, sizeof(*t->slots));
	for (i = 0; i < n; i++)
		for (node = old[i]; node != NULL; node = next) {
			next = node->next;
			put_in_slot(t, node);
		}
	free(old);
}

void
live_table_add(struct live_table *t, struct live_node *node)
{
	if (t->n >= t->nslots)
		grow(t);
	put_in_slot(t, node);
	t->n++;
}

void
live_table_remove(struct live_table *t, struct live_node *node)
{
	struct live_node **at = &t->slots[node->hash & (t->nslots - 1)];

	while (*at != node)
		at = &(*at)->next;
	*at = node->next;
	t->n--;
}

void
live_table_release(struct live_table *t)
{
	free(t->slots);
	*t = (struct live_table){ .n = 0 };
}
