/* SPDX-License-Identifier: Apache-2.0 */
/* The thread that looks after the store: at the start, and with new keys. */
#include "base.h"

#include <sqlite3.h>

#include "store_keeper.h"
#include "store_rig.h"

#define HOUR 3600000

static const char two_one[] = RIG_OTHER_KEY RIG_KEY;

static int
count(const char *sql)
{
	sqlite3_stmt *st;
	sqlite3 *db;
	int n = -1;

	assert_int_equal(sqlite3_open(rig_db, &db), SQLITE_OK);
	sqlite3_busy_timeout(db, 2000);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &st, NULL),
	    SQLITE_OK);
	if (sqlite3_step(st) == SQLITE_ROW)
		n = sqlite3_column_int(st, 0);
	sqlite3_finalize(st);
	sqlite3_close(db);
	return n;
}

#define OLD_ONES "SELECT count(*) FROM item WHERE instr(sealed, 'one') = 3"
#define NEW_ONES "SELECT count(*) FROM item WHERE instr(sealed, 'two') = 3"

static void
becomes(const char *sql, int n)
{
	int64_t until = clock_mono_ms() + 10000;

	while (count(sql) != n && clock_mono_ms() < until)
		usleep(10000);
	assert_int_equal(count(sql), n);
}

static void
put_many(struct store *st)
{
	unsigned i;

	for (i = 0; i < 100; i++)
		assert_int_equal(rig_put(st, i, "x", 0), 0);
}

static void
does_its_work_at_the_start(void **state UNUSED)
{
	struct store *st;
	struct store_keeper *k;
	int64_t start;

	rig_limits.sweep = UINT_MAX;
	st = rig_open();
	put_many(st);
	assert_int_equal(rig_put(st, 200, "over", clock_wall_ms() - 2 * HOUR),
	    0);
	assert_int_equal(rig_put(st, 201, "over but now", clock_wall_ms() -
	    HOUR / 2), 0);
	assert_int_equal(count("SELECT count(*) FROM item"), 102);
	rig_write(rig_keys, two_one, strlen(two_one));
	store_close(st);
	st = rig_open();
	k = store_keeper_new(st);
	becomes("SELECT count(*) FROM item", 101);
	becomes(NEW_ONES, 100);		/* what is over is not worth it */
	start = clock_mono_ms();
	store_keeper_free(k);
	assert_in_range(clock_mono_ms() - start, 0, 1000);
	store_keeper_free(NULL);
	store_close(st);
}

static void
leaves_it_to_one_with_the_same_keys(void **state UNUSED)
{
	struct store *st = rig_open(), *other = rig_open();
	struct store_keeper *k = store_keeper_new(st), *second;

	becomes("SELECT count(*) FROM lease WHERE kind = 'keeper'", 1);
	assert_int_equal(rig_put(st, 200, "over", clock_wall_ms() - 2 * HOUR),
	    0);
	second = store_keeper_new(other);
	usleep(300000);
	assert_int_equal(count("SELECT count(*) FROM item"), 1);
	/* New keys are another matter. */
	put_many(st);
	rig_write(rig_keys, two_one, strlen(two_one));
	store_keeper_keys(second);
	becomes(NEW_ONES, 100);
	becomes(OLD_ONES, 0);
	assert_int_equal(count("SELECT count(*) FROM item"), 100);
	store_keeper_free(second);
	store_keeper_free(k);
	store_close(other);
	store_close(st);
}

static void
ends_while_it_has_much_to_do(void **state UNUSED)
{
	struct store *st;
	struct store_keeper *k;
	int64_t start;
	unsigned i;

	rig_limits.rows = 5000;
	st = rig_open();
	for (i = 0; i < 3000; i++)
		assert_int_equal(rig_put(st, i, "x", 0), 0);
	rig_write(rig_keys, two_one, strlen(two_one));
	store_close(st);
	st = rig_open();
	k = store_keeper_new(st);
	usleep(30000);
	start = clock_mono_ms();
	store_keeper_free(k);
	assert_in_range(clock_mono_ms() - start, 0, 1500);
	assert_int_equal(count(OLD_ONES) + count(NEW_ONES), 3000);
	assert_true(count(OLD_ONES) > 0);
	/* What it did not do, the next does at once. */
	k = store_keeper_new(st);
	becomes(OLD_ONES, 0);
	store_keeper_free(k);
	store_close(st);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, rig_set_up, rig_tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(does_its_work_at_the_start),
		TEST(leaves_it_to_one_with_the_same_keys),
		TEST(ends_while_it_has_much_to_do),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
