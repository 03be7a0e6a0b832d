/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Things that are ready to be used again, by a key of bytes, as long as there
 * is room: the least used go first. Things are counted, so one that goes
 * lives on with those who use it. Any thread.
 */
#ifndef STAGEDOOR_KEPT_H
#define STAGEDOOR_KEPT_H

struct kept;

/* The first member of what is kept. */
struct kept_thing {
	unsigned refs;		/* atomic; 1 when made */
	size_t size;		/* bytes, all in all */
	void (*free)(struct kept_thing *t);
};

void kept_thing_put(struct kept_thing *t);	/* NULL is fine */

/* At most so many things of so many bytes. */
struct kept *kept_new(size_t bytes, size_t n);
void kept_free(struct kept *k);			/* NULL is fine */
/* NULL: there is none. The caller puts it. */
struct kept_thing *kept_get(struct kept *k, const char *key, size_t len);
/* In the place of what had the key. Takes a reference of its own. */
void kept_set(struct kept *k, const char *key, size_t len,
    struct kept_thing *t);

#endif
