/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a store's back end is: a keeper of bytes that it cannot read, and of
 * leases. Sealing, names, bounds of a value and the meaning of times are
 * store.c's. One file for each back end: store_sqlite.c.
 */
#ifndef STAGEDOOR_STORE_BACKEND_H
#define STAGEDOOR_STORE_BACKEND_H

#include "store.h"
#include "strbuf.h"

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

struct store_claim {
	const struct store_lease *lease;
	int64_t now, ms;
};

struct store_backend;		/* the back end's own */

/*
 * Each from any thread; 0 or E_STORE, and what is said. No call leaves half
 * of a change, and after a failure the next call tries afresh.
 */
struct store_ops {
	const char *type;
	int (*open)(const struct store_settings *settings,
	    const struct store_limits *limits, struct store_backend **out,
	    struct err *err);
	void (*close)(struct store_backend *be);
	/* E_NOTFOUND. An expired row may be given. */
	int (*get)(struct store_backend *be, const struct store_item *item,
	    struct strbuf *sealed, int64_t *expires, struct err *err);
	/* Durable. */
	int (*put)(struct store_backend *be, const struct store_row *row,
	    int64_t now, struct err *err);
	int (*del)(struct store_backend *be, const struct store_item *item,
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

extern const struct store_ops store_sqlite;

/* store_open with other limits: for tests. */
int store_open_limited(const struct store_settings *settings,
    const struct store_limits *limits, struct store **out, struct err *err);

#endif
