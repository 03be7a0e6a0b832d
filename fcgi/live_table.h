/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hash tables of nodes that their owner embeds and finds by comparing, for
 * the live lane. What clusters send is hashed with a key of this process, so
 * that nobody can make many fall together. No locks.
 */
#ifndef STAGEDOOR_LIVE_TABLE_H
#define STAGEDOOR_LIVE_TABLE_H

struct live_node {
	struct live_node *next;		/* in its slot */
	uint64_t hash;
};

struct live_table {
	struct live_node **slots;	/* NULL while it is empty */
	size_t n, nslots;
};

/* Of two texts, each with its length. */
uint64_t live_hash(const char *a, size_t na, const char *b, size_t nb);

/* The first node of that hash, and the next one; NULL: no more. */
struct live_node *live_table_find(const struct live_table *t, uint64_t hash);
struct live_node *live_table_next(const struct live_node *node);
/* node->hash is set. */
void live_table_add(struct live_table *t, struct live_node *node);
void live_table_remove(struct live_table *t, struct live_node *node);
void live_table_release(struct live_table *t);	/* the nodes are others' */

#endif
