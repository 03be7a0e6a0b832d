/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a store's back end is: a keeper of bytes that it cannot read, and of
 * leases. Sealing, names, bounds of a value and the meaning of times are
 * store.c's. One file for each back end: store_memory.c, store_redis.c,
 * store_sqlite.c.
 */
#ifndef STAGEDOOR_STORE_BACKEND_H
#define STAGEDOOR_STORE_BACKEND_H

#include "seal.h"
#include "store.h"
#include "strbuf.h"

/* Redis has bounds of its own (maxmemory): there rows and pages, sweep and
   now are not used. */
struct store_limits {
	unsigned rows;		/* values, at most */
	unsigned pages;		/* of 4096 bytes, at most */
	unsigned wait_ms;	/* a call waits so long for others */
	unsigned sweep;		/* one put in so many removes what is over */
	int64_t (*now)(void);	/* wall ms */
};

struct store_row {
	const struct store_item *item;
	int64_t expires;	/* wall ms; 0: never */
	const void *sealed;
	size_t len;
};

struct store_sealed_row {	/* what get gives; owned */
	struct strbuf sealed;
	int64_t expires;
};
#define STORE_SEALED_ROW_INIT \
	{ STRBUF_INIT(STORE_VALUE_MAX + SEAL_OVERHEAD), 0 }

struct store_claim {
	const struct store_lease *lease;
	int64_t now, ms;
};

#define STORE_LIST 256		/* names of a page, more or less */

struct store_listed {
	char kind[STORE_KIND_MAX + 1];
	unsigned char key[STORE_KEY];
	unsigned char head[SEAL_HEAD];	/* of the sealed value */
	size_t headlen;
};

/* A page of what there is; zeroed at first, but for kind. */
struct store_list {
	const char *kind;		/* NULL: all */
	struct store_listed *rows;	/* its own */
	size_t n, cap;
	bool end;			/* this is the last page */
	uint64_t place;			/* where the back end goes on */
	struct store_listed last;	/* or after whom */
};

/*
 * Values that can be made again make room for those that cannot: users'
 * tokens. So a full store refuses a value of such a kind, and for one of
 * another kind those of such kinds are removed.
 */
#define STORE_GIVES_WAY "source"	/* kinds that begin so */
bool store_gives_way(const char *kind);

struct store_backend;		/* the back end's own */

/*
 * Each from any thread; 0 or E_STORE, and what is said. No call leaves half
 * of a change, and after a failure the next call tries afresh.
 */
struct store_ops {
	const char *type;
	bool shared;		/* with other processes */
	/* Never fails, for nothing is touched yet. */
	struct store_backend *(*open)(const struct store_settings *settings,
	    const struct store_limits *limits);
	void (*close)(struct store_backend *be);
	/* Can it be used? */
	int (*look)(struct store_backend *be, struct err *err);
	/* 0 or E_NOTFOUND. An expired row may be given, and what is longer than
	   any value may be is given as nothing at all: damaged. */
	int (*get)(struct store_backend *be, const struct store_item *item,
	    struct strbuf *sealed, int64_t *expires, struct err *err);
	/* Durable. */
	int (*put)(struct store_backend *be, const struct store_row *row,
	    int64_t now, struct err *err);
	int (*del)(struct store_backend *be, const struct store_item *item,
	    struct err *err);
	/* Put it in the place of this very row; E_NOTFOUND: that is not there
	   any more. Durable. */
	int (*swap)(struct store_backend *be, const struct store_row *row,
	    const struct store_sealed_row *old, int64_t now,
	    struct err *err);
	/* The next page; rows with names that are none are left out. */
	int (*list)(struct store_backend *be, struct store_list *list,
	    struct err *err);
	/* Remove all that was over before that time. */
	int (*sweep)(struct store_backend *be, int64_t before,
	    struct err *err);
	/* Take it if nobody has it at now. E_BUSY. */
	int (*claim)(struct store_backend *be,
	    const struct store_claim *claim, struct err *err);
	/* Have it for ms from now on, if its owner has it. E_BUSY. */
	int (*renew)(struct store_backend *be,
	    const struct store_claim *claim, struct err *err);
	/* Give it back, if its owner has it. */
	void (*release)(struct store_backend *be,
	    const struct store_lease *lease);
};

extern const struct store_ops store_memory, store_redis, store_sqlite;

/* Room for one more, zeroed: it counts once n is increased. */
struct store_listed *store_list_room(struct store_list *list);
void store_list_free(struct store_list *list);	/* NULL is fine */

/* store_open with other limits: for tests. */
int store_open_limited(const struct store_settings *settings,
    const struct store_limits *limits, struct store **out, struct err *err);

#endif
