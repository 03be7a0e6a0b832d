/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What store_sqlite.c (values), store_sqlite_leases.c and store_sqlite_open.c
 * (the file, the connection, the schema, errors) share.
 */
#ifndef STAGEDOOR_STORE_SQLITE_H
#define STAGEDOOR_STORE_SQLITE_H

#include <pthread.h>
#include <sqlite3.h>

#include "store_backend.h"

enum db_statement { DB_BEGIN, DB_COMMIT, DB_ROLLBACK, DB_GET, DB_UPDATE,
    DB_COUNT, DB_INSERT, DB_DELETE, DB_SWAP, DB_LIST, DB_SWEEP, DB_GIVE_WAY,
    DB_LEASE_GET, DB_LEASE_SET, DB_LEASE_CUT, DB_LEASE_RENEW, DB_LEASE_END,
    DB_LEASE_SWEEP, DB_STATEMENTS };

/*
 * A connection. Each process has two: SQLite lets one writer in at a time,
 * and a commit takes as long as the disk needs; but with WAL those who read
 * need not wait for that.
 */
struct store_backend {
	struct store_backend *reader;	/* the other one; NULL in itself */
	char *path;
	struct store_limits limits;
	pthread_mutex_t lock;		/* guards taken */
	pthread_cond_t left;
	bool taken;			/* whoever took it owns the rest */
	sqlite3 *db;			/* NULL: to be opened */
	sqlite3_stmt *statements[DB_STATEMENTS];
	dev_t device;			/* of the file that db is */
	ino_t inode;
};

/* Open the database, making file and schema where they are missing. 0 or
   E_STORE. deadline: monotonic ms. */
int db_open(struct store_backend *be, int64_t deadline, struct err *err);
void db_close(struct store_backend *be);
/* Is the file at the path still the one that is open? */
bool db_is_there(const struct store_backend *be);
/* What an SQLite code means: 0, or E_STORE with err filled. Closes the
   connection where another may do better. */
int db_result(struct store_backend *be, int rc, struct err *err);

/* ---- store_sqlite.c ---- */

/* Have the connection for oneself, open, on the file that is there. 0, or
   E_STORE and one has it not. */
int db_enter(struct store_backend *be, struct err *err);
/* Give it back, with what came of it: as db_result. */
int db_leave(struct store_backend *be, int rc, struct err *err);
/* Bind kind and key, where there is an item. */
sqlite3_stmt *db_bind(struct store_backend *be, enum db_statement which,
    const struct store_item *item);
int db_run(sqlite3_stmt *st);	/* to its end: an SQLite code */
void db_done(sqlite3_stmt *st);

/*
 * What is done in one transaction, and once more with room made where the
 * store was full: what is over goes first, then what can be made again.
 */
struct db_change {
	int (*run)(struct store_backend *be, const struct db_change *change);
	const struct store_row *row;
	const struct store_sealed_row *old;
	const struct store_claim *claim;
	bool *taken;		/* out: another has it, or has put another */
	int64_t now;
	bool gives_way;		/* is itself such, and drives out none */
};

int db_change(struct store_backend *be, const struct db_change *change,
    struct err *err);

/* ---- store_sqlite_leases.c: as struct store_ops has them ---- */

int db_claim(struct store_backend *be, const struct store_claim *claim,
    struct err *err);
int db_renew(struct store_backend *be, const struct store_claim *claim,
    struct err *err);
void db_release(struct store_backend *be, const struct store_lease *lease);

#endif
