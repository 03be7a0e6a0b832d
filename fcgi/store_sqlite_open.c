/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store's database: the file, the connection and how it is set, the
 * schema and its versions, and what SQLite's codes mean to a person.
 */
#include "base.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "clock.h"
#include "err.h"
#include "store_sqlite.h"

#define APPLICATION 0x53446f72	/* "SDor": whose database it is */
#define PAUSE_US 5000		/* between tries where two open at once */
#define STRICT_SINCE 3037000
#define LENGTH_MAX (2 * STORE_VALUE_MAX)	/* more is damage */

/*
 * synchronous = FULL: a commit is on the disk when it returns. A checkpoint
 * moves at most 1 MiB and waits for nobody (passive). What is deleted is
 * overwritten, for a stolen key opens what lies around. No mmap of the
 * database: there a failing disk would be a signal instead of a code.
 */
static const char pragmas[] =
    "PRAGMA trusted_schema = OFF;"
    "PRAGMA cell_size_check = ON;"
    "PRAGMA synchronous = FULL;"
    "PRAGMA secure_delete = ON;"
    "PRAGMA temp_store = MEMORY;"
    "PRAGMA mmap_size = 0;"
    "PRAGMA cache_size = -1024;"
    "PRAGMA wal_autocheckpoint = 256;"
    "PRAGMA journal_size_limit = 4194304;";

/* What leads from version i to i + 1; %s is STRICT where it is known. */
static const char *const migrations[] = {
	"CREATE TABLE item (kind TEXT NOT NULL, key BLOB NOT NULL,"
	" expires INTEGER NOT NULL, sealed BLOB NOT NULL,"
	" PRIMARY KEY (kind, key)) %s;"
	"CREATE INDEX item_expires ON item (expires);"
	"CREATE TABLE lease (kind TEXT NOT NULL, key BLOB NOT NULL,"
	" owner BLOB NOT NULL, until INTEGER NOT NULL,"
	" length INTEGER NOT NULL, PRIMARY KEY (kind, key)) %s;",
	/* Sign-ins leave leases behind: those that are over are looked for
	   at each claim in so many. */
	"CREATE INDEX lease_until ON lease (until);",
};
#define SCHEMA ((int)ARRAY_LEN(migrations))

static const char *const statements[DB_STATEMENTS] = {
	[DB_BEGIN] = "BEGIN IMMEDIATE",
	[DB_COMMIT] = "COMMIT",
	[DB_ROLLBACK] = "ROLLBACK",
	[DB_GET] = "SELECT expires, sealed FROM item"
	    " WHERE kind = ?1 AND key = ?2",
	[DB_UPDATE] = "UPDATE item SET expires = ?3, sealed = ?4"
	    " WHERE kind = ?1 AND key = ?2",
	[DB_COUNT] = "SELECT count(*) FROM item",
	[DB_INSERT] = "INSERT INTO item (kind, key, expires, sealed)"
	    " VALUES (?1, ?2, ?3, ?4)",
	[DB_DELETE] = "DELETE FROM item WHERE kind = ?1 AND key = ?2",
	[DB_SWAP] = "UPDATE item SET expires = ?3, sealed = ?4"
	    " WHERE kind = ?1 AND key = ?2 AND sealed = ?5",
	/* (What is too long for any value is not to be loaded.) */
	[DB_LIST] = "SELECT rowid, kind, key, CASE WHEN length(sealed) >"
	    " 1048638 THEN x'' ELSE substr(sealed, 1, 34) END FROM item"
	    " WHERE rowid > ?3 AND (?1 IS NULL OR kind = ?1)"
	    " ORDER BY rowid LIMIT 256",
	[DB_GIVE_WAY] = "DELETE FROM item WHERE rowid IN (SELECT rowid FROM"
	    " item WHERE kind >= '" STORE_GIVES_WAY "' AND"
	    " substr(kind, 1, length('" STORE_GIVES_WAY "')) = '"
	    STORE_GIVES_WAY "' LIMIT 1024)",
	[DB_SWEEP] = "DELETE FROM item WHERE rowid IN (SELECT rowid FROM item"
	    " WHERE expires > 0 AND expires < ?1 LIMIT 1024)",
	[DB_LEASE_GET] = "SELECT until, length FROM lease"
	    " WHERE kind = ?1 AND key = ?2",
	[DB_LEASE_SET] = "REPLACE INTO lease (kind, key, owner, until, length)"
	    " VALUES (?1, ?2, ?3, ?4, ?5)",
	[DB_LEASE_CUT] = "UPDATE lease SET until = ?3"
	    " WHERE kind = ?1 AND key = ?2",
	[DB_LEASE_RENEW] = "UPDATE lease SET until = ?4, length = ?5"
	    " WHERE kind = ?1 AND key = ?2 AND owner = ?3",
	[DB_LEASE_END] = "DELETE FROM lease"
	    " WHERE kind = ?1 AND key = ?2 AND owner = ?3",
	[DB_LEASE_SWEEP] = "DELETE FROM lease WHERE rowid IN (SELECT rowid"
	    " FROM lease WHERE until < ?1 LIMIT 1024)",
};

/* --- Errors --------------------------------------------------------------- */

/* Of a quota or a limit SQLite knows only that writing failed, and by the
   time it says so the system's reason may be lost. */
static bool
no_room(int rc, int system)
{
	bool writing = rc == SQLITE_IOERR_WRITE ||
	    rc == SQLITE_IOERR_TRUNCATE || rc == SQLITE_IOERR_SHMSIZE;

	return (rc & 0xff) == SQLITE_FULL || (writing && (system == 0 ||
	    system == ENOSPC || system == EDQUOT || system == EFBIG));
}

static const char *
meaning(int rc, int system)
{
	if (no_room(rc, system))
		return "the store is full: make room on its disk, or for its "
		    "user; if there is room, it holds as many values as it "
		    "may";
	switch (rc & 0xff) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return "another process keeps the store locked: see who has "
		    "its database open, and end that";
	case SQLITE_READONLY:
	case SQLITE_CANTOPEN:
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return "the store cannot be written: its folder and its "
		    "database must be writable for the server, on a disk that "
		    "is not read-only";
	case SQLITE_IOERR:
		return "the disk of the store fails: see the system's log";
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_ERROR:	/* such as a table that is gone */
		return "the store's database is damaged: move it away, with "
		    "the files -wal and -shm beside it; a new one is made";
	case SQLITE_TOOBIG:
		return "a stored value is damaged: it is longer than any may "
		    "be";
	default:
		return "the store failed";
	}
}

int
db_result(struct store_backend *be, int rc, struct err *err)
{
	bool disk = (rc & 0xff) == SQLITE_IOERR ||
	    (rc & 0xff) == SQLITE_CANTOPEN;
	int system = disk && be->db != NULL ? sqlite3_system_errno(be->db) :
	    0;

	if (rc == SQLITE_OK || rc == SQLITE_DONE || rc == SQLITE_ROW)
		return 0;
	err_set(err, E_STORE, "%s", meaning(rc, system));
	err_detail(err, "'%s': %s (%d)%s%s", be->path, sqlite3_errstr(rc), rc,
	    system != 0 ? ": " : "", system != 0 ? strerror(system) : "");
	if ((rc & 0xff) != SQLITE_BUSY && !no_room(rc, system))
		db_close(be);
	return E_STORE;
}

/* An error of ours about the file. */
static int
refuse(const struct store_backend *be, struct err *err, const char *why)
{
	err_set(err, E_STORE, "the store cannot be used: %s", why);
	err_detail(err, "'%s'", be->path);
	return E_STORE;
}

/* --- The file ------------------------------------------------------------- */

/*
 * For its owner only, whatever the umask; SQLite gives -wal and -shm the same
 * mode. mknod makes it without opening it: closing a descriptor of ours would
 * take away the locks that another connection of this process has on it.
 */
static int
make_file(struct store_backend *be, struct err *err)
{
	struct stat st;
	int made = mknod(be->path, S_IFREG | 0600, 0) == 0 ? 0 : errno;

	if (stat(be->path, &st) != 0)
		return refuse(be, err, made == ENOSPC || made == EDQUOT ?
		    "its disk is full: make room there" : "its folder must be "
		    "there, and writable for the server");
	if (!S_ISREG(st.st_mode))
		return refuse(be, err, "its database is no regular file");
	if (st.st_mode & (S_IROTH | S_IWOTH | S_IWGRP))
		return refuse(be, err, "others may read or write its "
		    "database: chmod 600 it");
	be->device = st.st_dev;
	be->inode = st.st_ino;
	return 0;
}

bool
db_is_there(const struct store_backend *be)
{
	struct stat st;

	return stat(be->path, &st) == 0 && st.st_dev == be->device &&
	    st.st_ino == be->inode;
}

/* --- The connection ------------------------------------------------------- */

static int
run(struct store_backend *be, const char *sql)
{
	return sqlite3_exec(be->db, sql, NULL, NULL, NULL);
}

/* The one value that the query gives. */
static int
ask(struct store_backend *be, const char *sql, int *out)
{
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v2(be->db, sql, -1, &st, NULL);

	if (rc == SQLITE_OK && (rc = sqlite3_step(st)) == SQLITE_ROW) {
		*out = sqlite3_column_int(st, 0);
		rc = SQLITE_OK;
	}
	sqlite3_finalize(st);
	return rc;
}

/* Also where that cannot be, SQLite says OK, and keeps the old mode. */
static int
use_wal(struct store_backend *be, bool *used)
{
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v2(be->db, "PRAGMA journal_mode = WAL", -1,
	    &st, NULL);

	if (rc == SQLITE_OK && (rc = sqlite3_step(st)) == SQLITE_ROW) {
		*used = str_eq((const char *)sqlite3_column_text(st, 0),
		    "wal");
		rc = SQLITE_OK;
	}
	sqlite3_finalize(st);
	return rc;
}

static int
migrate_from(struct store_backend *be, int version)
{
	const char *strict = sqlite3_libversion_number() >= STRICT_SINCE ?
	    "STRICT" : "";
	struct strbuf sql = STRBUF_INIT(65536);
	int rc;

	for (; version < SCHEMA; version++) {
		const char *p = migrations[version], *next;

		for (; (next = strstr(p, "%s")) != NULL; p = next + 2) {
			strbuf_add(&sql, p, (size_t)(next - p));
			strbuf_addstr(&sql, strict);
		}
		strbuf_addstr(&sql, p);
	}
	strbuf_addf(&sql, "PRAGMA application_id = %d; PRAGMA user_version ="
	    " %d;", APPLICATION, SCHEMA);
	rc = run(be, sql.buf);
	strbuf_release(&sql);
	return rc;
}

/* SQLITE_OK with *version -1: it is not ours. In a transaction, so that what
   is read is all of one moment. */
static int
version_of(struct store_backend *be, int *version)
{
	int application = 0, tables = 0, rc;

	rc = ask(be, "PRAGMA user_version", version);
	if (rc == SQLITE_OK)
		rc = ask(be, "PRAGMA application_id", &application);
	if (rc == SQLITE_OK)
		rc = ask(be, "SELECT count(*) FROM sqlite_master", &tables);
	if (rc == SQLITE_OK && application != APPLICATION &&
	    (application != 0 || *version != 0 || tables != 0))
		*version = -1;
	return rc;
}

static int
migrate(struct store_backend *be)
{
	int version = 0, rc = run(be, "BEGIN IMMEDIATE");

	if (rc != SQLITE_OK)
		return rc;
	/* Again: another process may have been faster. */
	rc = version_of(be, &version);
	if (rc == SQLITE_OK && version >= 0 && version < SCHEMA)
		rc = migrate_from(be, version);
	if (rc == SQLITE_OK)
		return run(be, "COMMIT");
	run(be, "ROLLBACK");
	return rc;
}

static int
connect_db(struct store_backend *be, int64_t deadline)
{
	int rc = sqlite3_open_v2(be->path, &be->db, SQLITE_OPEN_READWRITE |
	    SQLITE_OPEN_NOMUTEX, NULL);
	struct strbuf more = STRBUF_INIT(64);

	if (be->db == NULL)
		return SQLITE_NOMEM;
	sqlite3_extended_result_codes(be->db, 1);
	sqlite3_busy_timeout(be->db, (int)SD_MAX(deadline - clock_mono_ms(),
	    (int64_t)1));
	if (rc == SQLITE_OK && sqlite3_db_readonly(be->db, "main") == 1)
		rc = SQLITE_READONLY;
	sqlite3_db_config(be->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_limit(be->db, SQLITE_LIMIT_LENGTH, LENGTH_MAX);
	if (rc == SQLITE_OK)
		rc = run(be, pragmas);
	strbuf_addf(&more, "PRAGMA max_page_count = %u", be->limits.pages);
	if (rc == SQLITE_OK)
		rc = run(be, more.buf);
	strbuf_release(&more);
	return rc;
}

static int
prepare(struct store_backend *be)
{
	int rc = SQLITE_OK;
	size_t i;

	for (i = 0; i < DB_STATEMENTS && rc == SQLITE_OK; i++)
		rc = sqlite3_prepare_v3(be->db, statements[i], -1,
		    SQLITE_PREPARE_PERSISTENT, &be->statements[i], NULL);
	return rc;
}

/* An SQLite code; or OK with err filled, for what only we mind. */
static int
open_once(struct store_backend *be, int64_t deadline, struct err *err)
{
	int version = 0, rc = connect_db(be, deadline);
	bool wal = false;

	if (rc == SQLITE_OK)
		rc = run(be, "BEGIN");
	if (rc == SQLITE_OK)
		rc = version_of(be, &version);
	if (rc == SQLITE_OK)
		rc = run(be, "COMMIT");
	if (rc == SQLITE_OK && version < 0)
		return refuse(be, err, "its file is the database of another "
		    "program"), rc;
	if (rc == SQLITE_OK && version > SCHEMA)
		return refuse(be, err, "a later version of stagedoor made its "
		    "database: use that, or move the database away"), rc;
	if (rc == SQLITE_OK)
		rc = use_wal(be, &wal);
	if (rc == SQLITE_OK && !wal)
		return refuse(be, err, "its database cannot have a write-ahead"
		    " log there: put it on a local disk"), rc;
	if (rc == SQLITE_OK && version < SCHEMA)
		rc = migrate(be);
	return rc == SQLITE_OK ? prepare(be) : rc;
}

int
db_open(struct store_backend *be, int64_t deadline, struct err *err)
{
	struct err own = ERR_INIT;
	int rc, r;

	if ((r = make_file(be, err)) != 0)
		return r;
	/* Where two make the log at once, SQLite may give up without waiting
	   (it could be a deadlock): then once more. */
	while ((rc = open_once(be, deadline, &own)) != SQLITE_OK &&
	    (rc & 0xff) == SQLITE_BUSY && clock_mono_ms() < deadline) {
		db_close(be);
		usleep(PAUSE_US);
	}
	if (rc != SQLITE_OK)
		r = db_result(be, rc, err);
	else if ((r = own.code) != 0 && err != NULL)
		*err = own;
	if (r != 0)
		db_close(be);
	return r;
}

void
db_close(struct store_backend *be)
{
	size_t i;

	for (i = 0; i < DB_STATEMENTS; i++)
		sqlite3_finalize(be->statements[i]);
	memset(be->statements, 0, sizeof(be->statements));
	sqlite3_close(be->db);
	be->db = NULL;
}
