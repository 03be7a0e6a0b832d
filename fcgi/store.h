/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What processes share and what outlives them: sealed values by kind and key,
 * and leases, so that one of them does what all need. Values are sealed with
 * AES-256-GCM; kind, key and expiry are additional data, so that no row can
 * stand in for another. A back end sees sealed bytes only.
 *
 * Safe from any thread. A call waits for others for 2 s at most, then it is
 * E_STORE; beyond that it takes as long as the disk does. Not across fork.
 * After E_STORE the store goes on: each call tries afresh, and a database
 * that was put right or replaced meanwhile is used. Texts of errors name no
 * file, but where settings are read (store_open); details do.
 *
 * Times are those of the wall clock, which processes share. If it is set
 * forward by N, a value is gone N early (it comes back if the clock does
 * within an hour), and a lease with less than N to go is free: once, two may
 * do what one should, and the first learns it from store_lease_renew. If it
 * is set back by N, a value may be given for up to N too long (its maker sees
 * that in *expires), and the lease of one who died is kept once more for as
 * long as it was asked for, not for N.
 */
#ifndef STAGEDOOR_STORE_H
#define STAGEDOOR_STORE_H

#include "err.h"
#include "secret.h"

struct store;
struct strbuf;

#define STORE_KEY 32			/* bytes of a key: a hash */
#define STORE_KIND_MAX 64		/* bytes of a kind */
#define STORE_VALUE_MAX (1 << 20)	/* bytes of a value: GKE's lists too */
#define STORE_LEASE_MAX 3600000		/* ms of a lease */

struct store_settings {		/* stagedoor.store */
	const char *type;	/* "sqlite", "redis"; NULL: memory, of this
				   process only */
	const char *path;	/* sqlite: the database */
	const char *url;	/* redis: unix:/path, redis://host:port/db */
	const char *username;	/* redis; NULL: none */
	struct secret password;
	const char *password_file;	/* beats it; read at each connection */
	const char *key_file;	/* not for memory */
};

/*
 * Open or make the database, for its owner only, in a folder that is there.
 * 0 with *out the caller's; E_CONFIG (the key file), E_NOTBUILT (the type) or
 * E_STORE, with what to do about it. settings is not needed afterwards. A
 * store in memory needs nothing and never fails to open.
 */
int store_open(const struct store_settings *settings, struct store **out,
    struct err *err);
/*
 * For a server: a store in any case. What is wrong with it now is in err
 * (code 0: nothing), and what each call fails with until it is put right,
 * without another start.
 */
struct store *store_open_later(const struct store_settings *settings,
    struct err *err);
void store_close(struct store *st);		/* NULL is fine */
/* The same store, opened in the same way? */
bool store_settings_same(const struct store_settings *a,
    const struct store_settings *b);
/*
 * The key file alone, for whoever wants to know beforehand. 0 or E_CONFIG.
 */
int store_check(const struct store_settings *settings, struct err *err);
/* A key of 32 bytes for a purpose (HKDF-SHA256), from the first line of the
   key file: all processes with that file get the same. */
void store_derive(struct store *st, const char *purpose,
    unsigned char out[32]);

/*
 * The first line of the key file seals, all of its lines open. Read it again:
 * 0, or E_CONFIG, and the keys stay as they were. (A value that was sealed
 * with a key unknown here has a key file that changed read, too.)
 */
int store_keys_again(struct store *st, struct err *err);

struct store_resealed {
	size_t values;		/* that were looked at */
	size_t now;		/* of them sealed anew */
	size_t old;		/* still sealed with a later line */
	size_t lost;		/* nobody can open: damaged, or no such key */
};
/*
 * Seal what later lines of the key file sealed with its first, a value at a
 * time, never in the place of a newer one. Ends early once *stop is not 0
 * (stop may be NULL; it is read atomically). 0 or E_STORE; out is filled.
 */
int store_reseal(struct store *st, const int *stop,
    struct store_resealed *out, struct err *err);
/* The ids of the key file's lines, the first before the others, which are
   parted by commas: what the log says. */
void store_key_names(struct store *st, struct strbuf *first,
    struct strbuf *others);
/* Remove what is over for an hour or more. 0 or E_STORE. */
int store_sweep(struct store *st, struct err *err);

struct store_item {
	const char *kind;			/* "source": a constant */
	unsigned char key[STORE_KEY];
};

/* 0 with out and *expires (wall ms; 0: never) filled; E_NOTFOUND: none,
   expired, or sealed with a key that is gone; E_STORE: it failed, or the
   value is damaged (store_put makes that good). */
int store_get(struct store *st, const struct store_item *item,
    struct secret *out, int64_t *expires, struct err *err);
/* Durable when it returns 0. E_STORE: all is as it was, or, where the disk
   itself or the way to Redis fails, perhaps as it was to be. expires 0:
   never. A full store forgets what is over, then kinds that begin with
   "source", and never another. */
int store_put(struct store *st, const struct store_item *item,
    const struct secret *value, int64_t expires, struct err *err);
/*
 * The same, but only in the place of a value that `is` the one it should be:
 * called with what is there now. E_NOTFOUND: nothing is; E_BUSY: another is.
 */
struct store_swap {
	const struct store_item *item;
	bool (*is)(void *ctx, const struct secret *now);
	void *ctx;
	const struct secret *value;
	int64_t expires;
};
int store_swap(struct store *st, const struct store_swap *swap,
    struct err *err);
int store_del(struct store *st, const struct store_item *item,
    struct err *err);
struct store_visit {
	const char *kind;
	int (*each)(void *ctx, const struct store_item *item,
	    const struct secret *value);
	void *ctx;
	bool drop_bad;	/* remove those that cannot be opened */
	size_t bad;	/* out: how many they are */
};

/*
 * Call each with every value of a kind that can be opened and is not expired,
 * once, in no order, until it returns non-zero, which is given back. 0 or
 * E_STORE else. Not one moment's picture: what is put or deleted meanwhile may
 * or may not come. each may call the store.
 */
int store_each(struct store *st, struct store_visit *visit, struct err *err);
/* Do other processes see the same? False for memory. */
bool store_is_shared(const struct store *st);
/* Can it be used, now? 0, or what err says. */
int store_look(struct store *st, struct err *err);
/* "sqlite", "redis"; NULL: the process's own memory. */
const char *store_type(const struct store *st);

/*
 * Sealed for somebody else to keep, a browser: as the store seals its own,
 * bound to item and expires (wall ms), which whoever opens it must know.
 */
void store_seal(struct store *st, const struct store_item *item,
    int64_t expires, const struct secret *value, struct strbuf *out);
struct store_sealed {
	const struct store_item *item;
	int64_t expires;
	const struct strbuf *bytes;
};
/* 0 with out the caller's; E_NOTFOUND: expired, or its key is gone; E_STORE:
   altered, or sealed for something else. */
int store_unseal(struct store *st, const struct store_sealed *sealed,
    struct secret *out, struct err *err);

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
