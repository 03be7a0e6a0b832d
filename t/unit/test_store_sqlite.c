/* SPDX-License-Identifier: Apache-2.0 */
/* What is particular to the store in SQLite: the disk, sweeps, bounds. */
#include "base.h"

#include <pthread.h>
#include <sqlite3.h>
#include <sys/syscall.h>

#include "store_rig.h"

#define HOUR 3600000
#define NOW 1790000000000

/* How many rows there are in a table. */
static int
rows(const char *table)
{
	char sql[64];
	sqlite3 *db;
	sqlite3_stmt *st;
	int n;

	snprintf(sql, sizeof(sql), "SELECT count(*) FROM %s", table);
	assert_int_equal(sqlite3_open(rig_db, &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &st, NULL),
	    SQLITE_OK);
	assert_int_equal(sqlite3_step(st), SQLITE_ROW);
	n = sqlite3_column_int(st, 0);
	sqlite3_finalize(st);
	sqlite3_close(db);
	return n;
}

static void
sweeps_what_is_over(void **state UNUSED)
{
	struct store_lease lease;
	const struct store_item item = rig_item(9);
	struct store *st;

	rig_limits.sweep = 1;
	rig_now = NOW;
	st = rig_open();
	assert_int_equal(rig_put(st, 1, "short", NOW + 1000), 0);
	assert_int_equal(rig_put(st, 2, "long", NOW + 3 * HOUR), 0);
	assert_int_equal(rig_put(st, 3, "for ever", 0), 0);
	assert_int_equal(store_lease(st, &item, 1000, &lease, NULL), 0);
	/* The clock may be wrong: what is over stays for an hour. */
	rig_now = NOW + HOUR;
	assert_int_equal(rig_put(st, 3, "for ever", 0), 0);
	assert_int_equal(rows("item"), 3);
	assert_int_equal(rows("lease"), 1);
	rig_now = NOW;
	rig_has(st, 1, "short");
	rig_now = NOW + HOUR + 1001;
	assert_int_equal(rig_put(st, 3, "for ever", 0), 0);
	assert_int_equal(rows("item"), 2);
	assert_int_equal(rows("lease"), 0);
	rig_has(st, 2, "long");
	rig_has(st, 3, "for ever");
	store_close(st);
}

static void
sweeps_now_and_then(void **state UNUSED)
{
	struct store *st;
	int i;

	rig_limits.sweep = 8;
	rig_now = NOW;
	st = rig_open();
	assert_int_equal(rig_put(st, 1, "short", NOW + 1000), 0);
	rig_now = NOW + 2 * HOUR;
	for (i = 0; i < 400; i++) {
		assert_int_equal(rig_put(st, 2, "x", 0), 0);
		if (rows("item") == 1)
			break;
	}
	assert_int_equal(rows("item"), 1);
	store_close(st);
}

static void
holds_so_many_bytes(void **state UNUSED)
{
	static char text[65536 + 1];
	struct store *st;
	struct stat file;
	unsigned i, n = 0;

	memset(text, 'x', sizeof(text) - 1);
	rig_limits.pages = 256;		/* 1 MiB */
	st = rig_open();
	while (n < 20 && rig_put(st, n, text, 0) == 0)
		n++;
	assert_in_range(n, 10, 16);
	for (i = 0; i < n; i++)
		rig_has(st, i, text);
	rig_has_not(st, n, E_NOTFOUND);
	assert_int_equal(rig_put(st, 0, "short", 0), 0);
	assert_int_equal(rig_put(st, n, text, 0), 0);
	store_close(st);
	assert_int_equal(stat(rig_db, &file), 0);
	assert_true(file.st_size <= 1 << 20);
}

static bool
is_token(void *ctx UNUSED, const struct secret *value)
{
	return secret_equal(value, "token", 5);
}

/* What replaces a token is longer, and there is room for nothing more. */
static void
makes_room_for_what_replaces_a_token(void **state UNUSED)
{
	static char text[20000 + 1];
	const struct store_item item = { .kind = "tokens" };
	struct secret value = SECRET_INIT, got = SECRET_INIT;
	const struct store_swap swap = { .item = &item, .value = &value,
		.is = is_token };
	struct store *st;
	int64_t expires;
	unsigned n = 0;

	memset(text, 'x', sizeof(text) - 1);
	rig_limits.pages = 100;
	st = rig_open();
	secret_set(&value, "token", 5);
	assert_int_equal(store_put(st, &item, &value, 0, NULL), 0);
	while (n < 100 && rig_put(st, n, text, 0) == 0)
		n++;
	assert_in_range(n, 10, 30);
	secret_set(&value, text, sizeof(text) - 1);
	assert_int_equal(store_swap(st, &swap, NULL), 0);
	assert_int_equal(store_get(st, &item, &got, &expires, NULL), 0);
	assert_int_equal(got.len, sizeof(text) - 1);
	secret_release(&got);
	secret_release(&value);
	store_close(st);
}

/* --- On the disk ---------------------------------------------------------- */

static void
has_no(const char *suffix, const char *text)
{
	char path[96], *buf = xmalloc(1 << 20);
	struct stat file;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s%s", rig_db, suffix);
	fd = open(path, O_RDONLY);
	assert_true(fd >= 0);
	n = read(fd, buf, 1 << 20);
	assert_true(n > 0);
	assert_null(memmem(buf, (size_t)n, text, strlen(text)));
	assert_int_equal(fstat(fd, &file), 0);
	assert_int_equal(file.st_mode & 0777, 0600);
	close(fd);
	free(buf);
}

static void
keeps_no_clear_text(void **state UNUSED)
{
	struct store *st;
	mode_t old = umask(0);
	unsigned i;

	st = rig_open();
	for (i = 0; i < 50; i++)
		assert_int_equal(rig_put(st, i, "alice-token", 0), 0);
	umask(old);
	has_no("", "alice");
	has_no("-wal", "alice");
	has_no("-shm", "alice");
	store_close(st);
	has_no("", "alice");
}

/* SQLite finds these before libc's. */
static unsigned syncs, sync_us;

__attribute__((visibility("default"))) int
fdatasync(int fd)
{
	__atomic_add_fetch(&syncs, 1, __ATOMIC_SEQ_CST);
	usleep(__atomic_load_n(&sync_us, __ATOMIC_SEQ_CST));
	return (int)syscall(SYS_fdatasync, fd);
}

__attribute__((visibility("default"))) int
fsync(int fd)
{
	__atomic_add_fetch(&syncs, 1, __ATOMIC_SEQ_CST);
	return (int)syscall(SYS_fsync, fd);
}

/* What a process was told is stored survives its end by itself; that of the
   machine it survives because the disk was waited for. */
static void
waits_for_the_disk(void **state UNUSED)
{
	struct store *st = rig_open();
	unsigned i, before;

	for (i = 0; i < 20; i++) {
		before = syncs;
		assert_int_equal(rig_put(st, i % 10, "alice-token", 0), 0);
		assert_true(syncs > before);
		before = syncs;
		rig_has(st, i % 10, "alice-token");
		assert_int_equal(syncs, before);
	}
	store_close(st);
}

static void *
put_slowly(void *arg)
{
	struct store *st = arg;

	return rig_put(st, 1, "bob-token", 0) == 0 ? st : NULL;
}

/* Whoever puts waits for the disk, but nobody waits long for whoever puts, and
   who only reads does not wait at all: for what is durable by then. */
static void
does_not_queue_at_a_slow_disk(void **state UNUSED)
{
	struct store *st;
	pthread_t thread;
	int64_t start;
	void *done;

	rig_limits.wait_ms = 100;
	st = rig_open();
	assert_int_equal(rig_put(st, 1, "alice-token", 0), 0);
	rig_has(st, 1, "alice-token");
	__atomic_store_n(&sync_us, 1000000, __ATOMIC_SEQ_CST);
	pthread_create(&thread, NULL, put_slowly, st);
	usleep(100000);
	start = clock_mono_ms();
	rig_has(st, 1, "alice-token");
	assert_in_range(clock_mono_ms() - start, 0, 80);
	start = clock_mono_ms();
	assert_int_equal(rig_put(st, 2, "bob-token", 0), E_STORE);
	assert_in_range(clock_mono_ms() - start, 90, 600);
	pthread_join(thread, &done);
	__atomic_store_n(&sync_us, 0, __ATOMIC_SEQ_CST);
	assert_ptr_equal(done, st);
	rig_has(st, 1, "bob-token");
	store_close(st);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, rig_set_up, rig_tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(sweeps_what_is_over),
		TEST(sweeps_now_and_then),
		TEST(holds_so_many_bytes),
		TEST(makes_room_for_what_replaces_a_token),
		TEST(keeps_no_clear_text),
		TEST(waits_for_the_disk),
		TEST(does_not_queue_at_a_slow_disk),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
