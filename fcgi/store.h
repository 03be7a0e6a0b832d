/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What processes share and what outlives them: sealed values by kind and key,
 * and leases, so that one of them does what all need. Values are sealed with
 * AES-256-GCM; kind, key and expiry are additional data, so that no row can
 * stand in for another. A back end sees sealed bytes only.
 *
 * Safe from any thread. Blocks for a short, bounded time. Not across fork.
 */
#ifndef STAGEDOOR_STORE_H
#define STAGEDOOR_STORE_H

#include "err.h"
#include "secret.h"

struct store;

#define STORE_KEY 32			/* bytes of a key: a hash */
#define STORE_VALUE_MAX 65536		/* bytes of a value */

struct store_settings {		/* stagedoor.store */
	const char *type;	/* "sqlite", "redis"; NULL: there is none */
	const char *path;	/* sqlite: the database */
	const char *key_file;
};

/*
 * Open or make the database. 0 with *out the caller's; E_STORE or E_CONFIG
 * (the key file), with what to do about it.
 */
int store_open(const struct store_settings *settings, struct store **out,
    struct err *err);
void store_close(struct store *st);		/* NULL is fine */
/* A key of 32 bytes for a purpose, from the first line of the key file. */
void store_derive(const struct store *st, const char *purpose,
    unsigned char out[32]);

struct store_item {
	const char *kind;			/* "source": a constant */
	unsigned char key[STORE_KEY];
};

/* 0 with out and *expires (wall ms) filled; E_NOTFOUND: none, expired, or
   sealed with a key that is gone; E_STORE: it failed or is damaged. */
int store_get(struct store *st, const struct store_item *item,
    struct secret *out, int64_t *expires, struct err *err);
/* Durable when it returns 0. E_STORE. */
int store_put(struct store *st, const struct store_item *item,
    const struct secret *value, int64_t expires, struct err *err);
int store_del(struct store *st, const struct store_item *item,
    struct err *err);

/* The right to do what all need, until it is given back or ms have passed. */
struct store_lease {
	struct store_item item;
	unsigned char owner[16];
};

/* 0, E_BUSY (another has it) or E_STORE. */
int store_lease(struct store *st, const struct store_item *item, int64_t ms,
    struct store_lease *out, struct err *err);
/* 0, E_BUSY when it was lost, or E_STORE. */
int store_lease_renew(struct store *st, const struct store_lease *lease,
    int64_t ms, struct err *err);
void store_lease_end(struct store *st, const struct store_lease *lease);

#endif
