/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values and leases in an SQLite database that the processes of one host
 * share. Each change is one transaction that begins with the write lock, so
 * that nobody looks, waits, and then acts on what has changed meanwhile.
 */
#include "base.h"

#include "clock.h"
#include "err.h"
#include "secret.h"
#include "store_sqlite.h"

/* What is over stays as long, for the clock may be wrong. */
#define GRACE_MS 3600000

/* --- One at a time -------------------------------------------------------- */

static struct timespec
monotonic(int64_t ms)
{
	return (struct timespec){ .tv_sec = (time_t)(ms / 1000),
	    .tv_nsec = (long)(ms % 1000) * 1000000 };
}

static bool
take(struct store_backend *be, int64_t deadline)
{
	const struct timespec until = monotonic(deadline);
	bool mine;

	pthread_mutex_lock(&be->lock);
	while (be->taken && pthread_cond_timedwait(&be->left, &be->lock,
	    &until) != ETIMEDOUT)
		;
	mine = !be->taken;
	be->taken = true;
	pthread_mutex_unlock(&be->lock);
	return mine;
}

static void
leave(struct store_backend *be)
{
	pthread_mutex_lock(&be->lock);
	be->taken = false;
	pthread_cond_signal(&be->left);
	pthread_mutex_unlock(&be->lock);
}

/* Have the connection for oneself, open, on the file that is there. */
int
db_enter(struct store_backend *be, struct err *err)
{
	int64_t deadline = clock_mono_ms() + be->limits.wait_ms;
	int r = 0;

	if (!take(be, deadline))
		return err_set(err, E_STORE, "the store is too slow: others "
		    "have waited for it for %u ms", be->limits.wait_ms);
	if (be->db != NULL && !db_is_there(be))
		db_close(be);
	if (be->db == NULL)
		r = db_open(be, deadline, err);
	if (r != 0)
		leave(be);
	else
		sqlite3_busy_timeout(be->db, (int)SD_MAX(deadline -
		    clock_mono_ms(), (int64_t)1));
	return r;
}

int
db_leave(struct store_backend *be, int rc, struct err *err)
{
	int r = db_result(be, rc, err);

	leave(be);
	return r;
}

/* --- Statements ----------------------------------------------------------- */

sqlite3_stmt *
db_bind(struct store_backend *be, enum db_statement which,
    const struct store_item *item)
{
	sqlite3_stmt *st = be->statements[which];

	if (item != NULL) {
		sqlite3_bind_text(st, 1, item->kind, -1, SQLITE_STATIC);
		sqlite3_bind_blob(st, 2, item->key, STORE_KEY, SQLITE_STATIC);
	}
	return st;
}

void
db_done(sqlite3_stmt *st)
{
	sqlite3_reset(st);
	sqlite3_clear_bindings(st);
}

int
db_run(sqlite3_stmt *st)
{
	int rc = sqlite3_step(st);

	db_done(st);
	return rc == SQLITE_DONE || rc == SQLITE_ROW ? SQLITE_OK : rc;
}

static int
begin(struct store_backend *be)
{
	return db_run(be->statements[DB_BEGIN]);
}

/* All of it or nothing. */
static int
end(struct store_backend *be, int rc)
{
	if (rc == SQLITE_OK)
		rc = db_run(be->statements[DB_COMMIT]);
	if (!sqlite3_get_autocommit(be->db))
		db_run(be->statements[DB_ROLLBACK]);
	return rc;
}

/* --- Values --------------------------------------------------------------- */

static int
sqlite_get(struct store_backend *be, const struct store_item *item,
    struct strbuf *sealed, int64_t *expires, struct err *err)
{
	sqlite3_stmt *st;
	int rc, r;

	be = be->reader;
	if ((r = db_enter(be, err)) != 0)
		return r;
	st = db_bind(be, DB_GET, item);
	rc = sqlite3_step(st);
	if (rc == SQLITE_DONE) {
		r = err_set(err, E_NOTFOUND, "nothing is stored");
	} else if (rc == SQLITE_ROW) {
		const void *blob = sqlite3_column_blob(st, 1);
		int len = sqlite3_column_bytes(st, 1);

		*expires = sqlite3_column_int64(st, 0);
		strbuf_add(sealed, blob, (size_t)len);	/* or too long: none */
	} else if (rc == SQLITE_TOOBIG) {
		*expires = 0;
		rc = SQLITE_OK;
	}
	db_done(st);
	return db_leave(be, rc, err) != 0 ? E_STORE : r;
}

static int
row_set(struct store_backend *be, enum db_statement which,
    const struct store_row *row)
{
	sqlite3_stmt *st = db_bind(be, which, row->item);

	sqlite3_bind_int64(st, 3, row->expires);
	sqlite3_bind_blob(st, 4, row->sealed, (int)row->len, SQLITE_STATIC);
	return db_run(st);
}

static int
row_put(struct store_backend *be, const struct store_row *row)
{
	sqlite3_stmt *count = be->statements[DB_COUNT];
	int rc = row_set(be, DB_UPDATE, row);

	if (rc != SQLITE_OK || sqlite3_changes(be->db) > 0)
		return rc;
	rc = sqlite3_step(count);
	if (rc == SQLITE_ROW)
		rc = sqlite3_column_int64(count, 0) >= be->limits.rows ?
		    SQLITE_FULL : SQLITE_OK;
	sqlite3_reset(count);
	return rc == SQLITE_OK ? row_set(be, DB_INSERT, row) : rc;
}

static int
sweep(struct store_backend *be, int64_t before)
{
	sqlite3_stmt *st = be->statements[DB_SWEEP];
	int rc;

	sqlite3_bind_int64(st, 1, before);
	rc = db_run(st);
	st = be->statements[DB_LEASE_SWEEP];
	sqlite3_bind_int64(st, 1, before);
	return rc == SQLITE_OK ? db_run(st) : rc;
}

/* Drawn, not counted: a CGI process puts once. */
static bool
sweep_due(const struct store_backend *be)
{
	unsigned draw;

	secret_random(&draw, sizeof(draw));
	return draw % SD_MAX(be->limits.sweep, 1U) == 0;
}

enum room { ROOM_AS_IS, ROOM_SWEEP, ROOM_WITHOUT_OVER, ROOM_WITHOUT_OTHERS,
    ROOM_MAX };

static int
change_once(struct store_backend *be, const struct db_change *change,
    enum room room)
{
	int64_t grace = room >= ROOM_WITHOUT_OVER ? 0 : GRACE_MS;
	int rc = begin(be);

	if (rc != SQLITE_OK)
		return rc;
	if (room > ROOM_AS_IS)
		rc = sweep(be, change->now - grace);
	if (rc == SQLITE_OK && room == ROOM_WITHOUT_OTHERS)
		rc = db_run(be->statements[DB_GIVE_WAY]);
	if (rc == SQLITE_OK)
		rc = change->run(be, change);
	return end(be, rc);
}

int
db_change(struct store_backend *be, const struct db_change *change,
    struct err *err)
{
	enum room room = sweep_due(be) ? ROOM_SWEEP : ROOM_AS_IS;
	enum room last = change->gives_way ? ROOM_WITHOUT_OVER :
	    ROOM_WITHOUT_OTHERS;
	int rc, r = db_enter(be, err);

	if (r != 0)
		return r;
	while ((rc = change_once(be, change, room)) == SQLITE_FULL &&
	    room < last)
		room = SD_MAX(room + 1, ROOM_WITHOUT_OVER);
	return db_leave(be, rc, err);
}

static int
run_put(struct store_backend *be, const struct db_change *change)
{
	return row_put(be, change->row);
}

static int
sqlite_put(struct store_backend *be, const struct store_row *row,
    int64_t now, struct err *err)
{
	const struct db_change change = { .run = run_put, .row = row,
		.now = now, .gives_way = store_gives_way(row->item->kind) };

	return db_change(be, &change, err);
}

static int
run_swap(struct store_backend *be, const struct db_change *change)
{
	const struct strbuf *old = &change->old->sealed;
	int rc;

	sqlite3_bind_blob(db_bind(be, DB_SWAP, NULL), 5, old->buf,
	    (int)old->len, SQLITE_STATIC);
	rc = row_set(be, DB_SWAP, change->row);
	*change->taken = sqlite3_changes(be->db) == 0;
	return rc;
}

static int
sqlite_swap(struct store_backend *be, const struct store_row *row,
    const struct store_sealed_row *old, int64_t now, struct err *err)
{
	bool another = false;
	const struct db_change change = { .run = run_swap, .row = row,
		.old = old, .taken = &another, .now = now,
		.gives_way = store_gives_way(row->item->kind) };
	int r = db_change(be, &change, err);

	return r == 0 && another ? err_set(err, E_NOTFOUND,
	    "another value is stored") : r;
}

/* A name that cannot be one is passed over. */
static void
list_add(struct store_list *list, sqlite3_stmt *st)
{
	struct store_listed *to = store_list_room(list);
	size_t kind = (size_t)sqlite3_column_bytes(st, 1);
	size_t key = (size_t)sqlite3_column_bytes(st, 2);
	const void *text = sqlite3_column_text(st, 1);

	list->place = (uint64_t)sqlite3_column_int64(st, 0);
	if (key != STORE_KEY || kind > STORE_KIND_MAX || text == NULL)
		return;
	memcpy(to->kind, text, kind);
	memcpy(to->key, sqlite3_column_blob(st, 2), STORE_KEY);
	to->headlen = (size_t)SD_MIN(sqlite3_column_bytes(st, 3), SEAL_HEAD);
	if (to->headlen > 0)
		memcpy(to->head, sqlite3_column_blob(st, 3), to->headlen);
	list->n++;
}

static int
sqlite_list(struct store_backend *be, struct store_list *list,
    struct err *err)
{
	unsigned seen = 0;
	sqlite3_stmt *st;
	int rc, r;

	be = be->reader;
	if ((r = db_enter(be, err)) != 0)
		return r;
	st = be->statements[DB_LIST];
	sqlite3_bind_text(st, 1, list->kind, -1, SQLITE_STATIC);
	sqlite3_bind_int64(st, 3, (int64_t)list->place);
	list->n = 0;
	while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
		list_add(list, st);
		seen++;
	}
	db_done(st);
	list->end = seen < STORE_LIST;
	return db_leave(be, rc, err);
}

/* In steps, so that others get in between. */
static int
sqlite_sweep(struct store_backend *be, int64_t before, struct err *err)
{
	int rc, gone, r;

	do {
		if ((r = db_enter(be, err)) != 0)
			return r;
		gone = sqlite3_total_changes(be->db);
		if ((rc = begin(be)) == SQLITE_OK)
			rc = end(be, sweep(be, before));
		gone = be->db == NULL ? 0 : sqlite3_total_changes(be->db) -
		    gone;
		r = db_leave(be, rc, err);
	} while (r == 0 && gone > 0);
	return r;
}

static int
sqlite_del(struct store_backend *be, const struct store_item *item,
    struct err *err)
{
	int r = db_enter(be, err);

	if (r != 0)
		return r;
	return db_leave(be, db_run(db_bind(be, DB_DELETE, item)), err);
}

/* --- Open and close ------------------------------------------------------- */

static void
connection_free(struct store_backend *be)
{
	db_close(be);
	pthread_cond_destroy(&be->left);
	pthread_mutex_destroy(&be->lock);
	free(be->path);
	free(be);
}

static void
sqlite_close(struct store_backend *be)
{
	connection_free(be->reader);
	connection_free(be);
}

static struct store_backend *
connection_new(const struct store_settings *settings,
    const struct store_limits *limits)
{
	struct store_backend *be = xcalloc(1, sizeof(*be));
	pthread_condattr_t attr;

	be->path = xstrdup(settings->path);
	be->limits = *limits;
	pthread_mutex_init(&be->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&be->left, &attr);
	pthread_condattr_destroy(&attr);
	return be;
}

static struct store_backend *
sqlite_open(const struct store_settings *settings,
    const struct store_limits *limits)
{
	struct store_backend *be = connection_new(settings, limits);

	be->reader = connection_new(settings, limits);
	return be;
}

static int
sqlite_look(struct store_backend *be, struct err *err)
{
	int r = db_enter(be, err);

	if (r == 0)
		leave(be);
	return r;
}

const struct store_ops store_sqlite = {
	.type = "sqlite",
	.shared = true,
	.open = sqlite_open,
	.look = sqlite_look,
	.close = sqlite_close,
	.get = sqlite_get,
	.put = sqlite_put,
	.del = sqlite_del,
	.swap = sqlite_swap,
	.list = sqlite_list,
	.sweep = sqlite_sweep,
	.claim = db_claim,
	.renew = db_renew,
	.release = db_release,
};
