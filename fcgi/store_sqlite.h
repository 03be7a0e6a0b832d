/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What store_sqlite.c (values and leases) and store_sqlite_open.c (the file,
 * the connection, the schema, errors) share.
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

/* One connection a process: what runs on it takes microseconds, a commit
   as long as the disk needs, and SQLite lets one writer in at a time anyway. */
struct store_backend {
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

#endif
