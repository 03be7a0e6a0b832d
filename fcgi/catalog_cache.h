/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Entities kept for a few seconds, per caller: one read serves everyone who
 * asks the same with the same token, at the same moment or shortly after.
 * A fixed number of slots; what does not fit is read without being kept.
 */
#ifndef STAGEDOOR_CATALOG_CACHE_H
#define STAGEDOOR_CATALOG_CACHE_H

struct arena;
struct entity;
struct err;

#define CATALOG_KEY_LEN 32	/* an HMAC-SHA256 of all that went in */
#define CATALOG_SLOTS 512
/* An entity this large is not kept: it is one with thousands of relations. */
#define CATALOG_KEPT_RELATIONS 100

struct catalog_cache;

/* fresh: seconds; 0: every call reads, even if others are reading. */
struct catalog_cache *catalog_cache_new(double fresh);
void catalog_cache_free(struct catalog_cache *c);	/* NULL is fine */

/* What is wanted, and how it is read; read is called without a lock. */
struct catalog_reader {
	unsigned char key[CATALOG_KEY_LEN];
	/* Strings go to the arena. 0 or E_*. */
	int (*read)(void *ctx, struct arena *arena, struct entity *out,
	    struct err *err);
	void *ctx;
};

/*
 * The entity of the reader's key, read or kept. Strings go to the caller's
 * arena. 0 or what the reader returned; failures are shared by those who
 * wait for them, and not kept. Any thread.
 */
int catalog_cache_get(struct catalog_cache *c,
    const struct catalog_reader *reader, struct arena *arena,
    struct entity *out, struct err *err);

#endif
