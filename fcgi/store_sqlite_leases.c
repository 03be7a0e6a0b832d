/* SPDX-License-Identifier: Apache-2.0 */
/* The leases of the store in SQLite. */
#include "base.h"

#include "err.h"
#include "store_sqlite.h"

static int
lease_set(struct store_backend *be, enum db_statement which,
    const struct store_claim *claim)
{
	sqlite3_stmt *st = db_bind(be, which, &claim->lease->item);

	sqlite3_bind_blob(st, 3, claim->lease->owner,
	    sizeof(claim->lease->owner), SQLITE_STATIC);
	sqlite3_bind_int64(st, 4, claim->now + claim->ms);
	sqlite3_bind_int64(st, 5, claim->ms);
	return db_run(st);
}

static int
lease_cut(struct store_backend *be, const struct store_claim *claim,
    int64_t until)
{
	sqlite3_stmt *st = db_bind(be, DB_LEASE_CUT, &claim->lease->item);

	sqlite3_bind_int64(st, 3, until);
	return db_run(st);
}

/*
 * A lease that ends later than it could if the clock were right was taken
 * before the clock was set back: its owner gets its whole time once more.
 */
static int
lease_take(struct store_backend *be, const struct store_claim *claim,
    bool *taken)
{
	sqlite3_stmt *st = db_bind(be, DB_LEASE_GET, &claim->lease->item);
	int64_t until = 0, length = 0;
	int rc = sqlite3_step(st);

	if (rc == SQLITE_ROW) {
		until = sqlite3_column_int64(st, 0);
		length = sqlite3_column_int64(st, 1);
	}
	db_done(st);
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		return rc;
	*taken = until > claim->now;
	if (!*taken)
		return lease_set(be, DB_LEASE_SET, claim);
	length = SD_MIN(SD_MAX(length, (int64_t)0), (int64_t)STORE_LEASE_MAX);
	if (until - claim->now > length)
		return lease_cut(be, claim, claim->now + length);
	return SQLITE_OK;
}

static int
busy(struct err *err, const char *why)
{
	return err_set(err, E_BUSY, "%s", why);
}

static int
run_claim(struct store_backend *be, const struct db_change *change)
{
	return lease_take(be, change->claim, change->taken);
}

int
db_claim(struct store_backend *be, const struct store_claim *claim,
    struct err *err)
{
	bool taken = false;
	const struct db_change change = { .run = run_claim, .claim = claim,
		.taken = &taken, .now = claim->now,
		.gives_way = store_gives_way(claim->lease->item.kind) };
	int r = db_change(be, &change, err);

	return r == 0 && taken ? busy(err, "another has the lease") : r;
}

int
db_renew(struct store_backend *be, const struct store_claim *claim,
    struct err *err)
{
	bool lost = false;
	int rc, r = db_enter(be, err);

	if (r != 0)
		return r;
	rc = lease_set(be, DB_LEASE_RENEW, claim);
	lost = sqlite3_changes(be->db) == 0;
	r = db_leave(be, rc, err);
	return r == 0 && lost ? busy(err, "the lease was lost: its time was "
	    "over, and another took it") : r;
}

void
db_release(struct store_backend *be, const struct store_lease *lease)
{
	sqlite3_stmt *st;

	if (db_enter(be, NULL) != 0)
		return;		/* its time will end it */
	st = db_bind(be, DB_LEASE_END, &lease->item);
	sqlite3_bind_blob(st, 3, lease->owner, sizeof(lease->owner),
	    SQLITE_STATIC);
	db_leave(be, db_run(st), NULL);
}
