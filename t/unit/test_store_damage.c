/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows and files that are damaged, other keys, databases of others: the store
 * says so, gives nothing that was not put, and goes on when all is well.
 */
#include "base.h"

#include <sqlite3.h>

#include "store_rig.h"

/* Do this to the database behind the store's back. */
static void
meddle(const char *sql)
{
	sqlite3 *db;
	char *why = NULL;

	assert_int_equal(sqlite3_open(rig_db, &db), SQLITE_OK);
	if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK)
		fail_msg("%s: %s", sql, why);
	sqlite3_close(db);
}

/* A get that fails: the public text says why, the detail where. */
static void
cannot_get(struct store *st, unsigned n, const char *why)
{
	const struct store_item item = rig_item(n);
	struct secret value = SECRET_INIT;
	struct err err = ERR_INIT;
	int64_t expires;

	assert_int_equal(store_get(st, &item, &value, &expires, &err),
	    E_STORE);
	assert_null(value.ptr);
	if (strstr(err.text, why) == NULL || strstr(err.text, rig_dir) != NULL)
		fail_msg("'%s' does not say '%s'", err.text, why);
}

static int
is_good(void *ctx, const struct store_item *item UNUSED,
    const struct secret *value)
{
	unsigned *good = ctx;

	assert_string_equal(value->ptr, "bobby-token");
	(*good)++;
	return 0;
}

/* Whoever looks at all of them sees the good ones, and how many are not. */
static void
counts_them(struct store *st)
{
	unsigned good = 0;
	struct store_visit visit = { .kind = "source", .each = is_good,
		.ctx = &good };
	struct store_resealed done;

	assert_int_equal(store_each(st, &visit, NULL), 0);
	assert_in_range(visit.bad, 1, 2);
	assert_int_equal(visit.bad + good, 2);
	assert_int_equal(store_reseal(st, NULL, &done, NULL), 0);
	assert_int_equal(done.values, 2);
}

/* --- Rows ----------------------------------------------------------------- */

static void
sees_rows_that_were_changed(void **state UNUSED)
{
	static const char *const changes[] = {
		"UPDATE item SET sealed = (SELECT sealed FROM item WHERE"
		    " key > x'02') WHERE key < x'02'",	/* another's */
		"UPDATE item SET expires = expires + 1",
		"UPDATE item SET expires = 0",
		"UPDATE item SET sealed = CAST(substr(sealed, 1, 39) || x'00'"
		    " || substr(sealed, 41) AS BLOB)",
		"UPDATE item SET sealed = substr(sealed, 1, 20)",
		"UPDATE item SET sealed = x''",
		"UPDATE item SET sealed = zeroblob(40)",
		"UPDATE item SET sealed = zeroblob(70000)",
		"UPDATE item SET sealed = zeroblob(30000000)",
	};
	struct store *st = rig_open();
	int64_t until = clock_wall_ms() + 100000;
	size_t i;

	for (i = 0; i < ARRAY_LEN(changes); i++) {
		assert_int_equal(rig_put(st, 1, "alice-token", until), 0);
		assert_int_equal(rig_put(st, 2, "bobby-token", until), 0);
		rig_has(st, 1, "alice-token");
		meddle(changes[i]);
		cannot_get(st, 1, "damaged");
		counts_them(st);
	}
	/* A new value makes it good. */
	assert_int_equal(rig_put(st, 1, "alice-token", 0), 0);
	rig_has(st, 1, "alice-token");
	store_close(st);
}

static void
sees_rows_that_were_renamed(void **state UNUSED)
{
	struct store *st = rig_open();
	struct store_item item = rig_item(1);
	struct secret value = SECRET_INIT;
	int64_t expires;

	assert_int_equal(rig_put(st, 1, "alice-token", 0), 0);
	meddle("UPDATE item SET key = CAST(hex(key) AS BLOB)");
	rig_has_not(st, 1, E_NOTFOUND);
	meddle("DELETE FROM item");
	assert_int_equal(rig_put(st, 1, "alice-token", 0), 0);
	meddle("UPDATE item SET kind = 'session'");
	item.kind = "session";
	assert_int_equal(store_get(st, &item, &value, &expires, NULL),
	    E_STORE);
	assert_null(value.ptr);
	store_close(st);
}

static void
knows_other_keys(void **state UNUSED)
{
	struct store *st = rig_open();
	const char *same_id = "one:" "Hx4dHBsaGRgXFhUUExIREA8ODQwLCgkIBwYFBAMC"
	    "AQA=\n";

	assert_int_equal(rig_put(st, 1, "alice-token", 0), 0);
	store_close(st);
	/* A new key before the old one. */
	rig_write(rig_keys, RIG_OTHER_KEY RIG_KEY, strlen(RIG_OTHER_KEY
	    RIG_KEY));
	st = rig_open();
	rig_has(st, 1, "alice-token");
	assert_int_equal(rig_put(st, 2, "bob-token", 0), 0);
	store_close(st);
	/* The old one is gone. */
	rig_write(rig_keys, RIG_OTHER_KEY, strlen(RIG_OTHER_KEY));
	st = rig_open();
	rig_has_not(st, 1, E_NOTFOUND);
	rig_has(st, 2, "bob-token");
	store_close(st);
	rig_write(rig_keys, same_id, strlen(same_id));
	st = rig_open();
	cannot_get(st, 1, "does not open with the key that it names");
	store_close(st);
	rig_write(rig_keys, "one:hush\n", 9);
	rig_cannot_open(E_CONFIG, "line 1 has a key that is not");
	unlink(rig_keys);
	rig_cannot_open(E_CONFIG, "No such file or directory");
	rig_write(rig_keys, RIG_KEY, strlen(RIG_KEY));
}

/* --- The file ------------------------------------------------------------- */

static void
write_part(const char *data, size_t len)
{
	rig_remove_db();
	rig_write(rig_db, data, len);
}

static void
sees_a_file_that_is_no_database(void **state UNUSED)
{
	char garbage[8192];

	memset(garbage, 'g', sizeof(garbage));
	write_part(garbage, sizeof(garbage));
	rig_cannot_open(E_STORE, "is damaged: move it away");
	write_part(garbage, 100);
	rig_cannot_open(E_STORE, "is damaged: move it away");
	/* Nothing is in an empty file that could be lost. */
	write_part("", 0);
	store_close(rig_open());
	rig_remove_db();
	assert_int_equal(mkdir(rig_db, 0700), 0);
	rig_cannot_open(E_STORE, "is no regular file");
	rmdir(rig_db);
}

static void
leaves_the_databases_of_others_alone(void **state UNUSED)
{
	rig_write(rig_db, "", 0);
	meddle("CREATE TABLE theirs (x)");
	rig_cannot_open(E_STORE, "the database of another program");
	rig_remove_db();
	rig_write(rig_db, "", 0);
	meddle("PRAGMA application_id = 5; PRAGMA user_version = 1");
	rig_cannot_open(E_STORE, "the database of another program");
	rig_remove_db();
	store_close(rig_open());
	meddle("PRAGMA user_version = 3");
	rig_cannot_open(E_STORE, "a later version of stagedoor");
	meddle("PRAGMA user_version = 2; DROP TABLE lease");
	rig_cannot_open(E_STORE, "is damaged: move it away");
}

/* Whatever of the file is missing: no crash, no value that was not put. */
static void
bears_a_file_that_was_cut(void **state UNUSED)
{
	static char whole[1 << 20];
	struct store *st = rig_open();
	struct err err = ERR_INIT;
	const char *text;
	unsigned i, opened = 0;
	ssize_t len, cut;
	int fd;

	for (i = 0; i < 200; i++)
		assert_int_equal(rig_put(st, i, "alice-token", 0), 0);
	store_close(st);
	fd = open(rig_db, O_RDONLY);
	len = read(fd, whole, sizeof(whole));
	close(fd);
	assert_in_range(len, 20000, sizeof(whole) - 1);
	for (cut = 0; cut < len; cut += cut < 4200 ? 210 : 2048) {
		write_part(whole, (size_t)cut);
		if (store_open_limited(&rig_settings, &rig_limits, &st,
		    &err) != 0)
			continue;
		opened++;
		for (i = 0; i < 200; i += 20)
			if (rig_get(st, i, &text) == 0)
				assert_string_equal(text, "alice-token");
		rig_put(st, 1000, "bob-token", 0);
		store_close(st);
	}
	assert_true(opened > 0);
}

/* Bytes that turned over, anywhere. */
static void
bears_a_file_that_was_changed(void **state UNUSED)
{
	static char whole[1 << 20];
	struct store *st = rig_open();
	const char *text;
	unsigned i, seen = 0;
	ssize_t len, at;
	int fd, r;

	for (i = 0; i < 100; i++)
		assert_int_equal(rig_put(st, i, "alice-token", 0), 0);
	store_close(st);
	fd = open(rig_db, O_RDONLY);
	len = read(fd, whole, sizeof(whole));
	close(fd);
	for (at = 0; at < len; at += at < 200 ? 7 : 151) {
		whole[at] ^= 0x55;
		write_part(whole, (size_t)len);
		whole[at] ^= 0x55;
		st = NULL;
		if (store_open_limited(&rig_settings, &rig_limits, &st,
		    NULL) != 0) {
			seen++;
			continue;
		}
		for (i = 0; i < 100; i++) {
			r = rig_get(st, i, &text);
			if (r == 0)
				assert_string_equal(text, "alice-token");
			seen += r != 0;
		}
		rig_put(st, 1000, "bob-token", 0);
		store_close(st);
	}
	assert_true(seen > 20);
}

static void
goes_on_when_the_file_is_replaced(void **state UNUSED)
{
	char garbage[8192];
	struct store *st = rig_open();

	assert_int_equal(rig_put(st, 1, "alice-token", 0), 0);
	rig_remove_db();
	rig_has_not(st, 1, E_NOTFOUND);
	assert_int_equal(rig_put(st, 1, "alice-token", 0), 0);
	memset(garbage, 'g', sizeof(garbage));
	write_part(garbage, sizeof(garbage));
	cannot_get(st, 1, "is damaged: move it away");
	rig_cannot_put(st, 1, "is damaged: move it away");
	rig_cannot_put(st, 2, "is damaged: move it away");
	rig_remove_db();
	assert_int_equal(rig_put(st, 1, "bob-token", 0), 0);
	rig_has(st, 1, "bob-token");
	store_close(st);
	st = rig_open();
	rig_has(st, 1, "bob-token");
	store_close(st);
}

/* SQLite has what it needs in memory, so it may not see it: no crash, and
   all is well when that file is gone. */
static void
bears_a_file_that_is_overwritten(void **state UNUSED)
{
	char garbage[8192];
	struct store *st = rig_open();
	int fd;

	assert_int_equal(rig_put(st, 1, "alice-token", 0), 0);
	store_close(st);
	st = rig_open();	/* all is in the database itself now */
	rig_has(st, 1, "alice-token");
	memset(garbage, 'g', sizeof(garbage));
	fd = open(rig_db, O_WRONLY);
	/* (Closing it here would take SQLite's locks of this process.) */
	assert_int_equal(pwrite(fd, garbage, sizeof(garbage), 0),
	    sizeof(garbage));
	rig_put(st, 2, "x", 0);
	store_close(st);
	close(fd);
	rig_cannot_open(E_STORE, "is damaged: move it away");
	rig_remove_db();
	store_close(rig_open());
}

static void
refuses_a_file_that_lets_others_in(void **state UNUSED)
{
	store_close(rig_open());
	assert_int_equal(chmod(rig_db, 0644), 0);
	rig_cannot_open(E_STORE, "others may read or write its database: "
	    "chmod");
	assert_int_equal(chmod(rig_db, 0640), 0);
	store_close(rig_open());
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, rig_set_up, rig_tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(sees_rows_that_were_changed),
		TEST(sees_rows_that_were_renamed),
		TEST(knows_other_keys),
		TEST(sees_a_file_that_is_no_database),
		TEST(leaves_the_databases_of_others_alone),
		TEST(bears_a_file_that_was_cut),
		TEST(bears_a_file_that_was_changed),
		TEST(goes_on_when_the_file_is_replaced),
		TEST(bears_a_file_that_is_overwritten),
		TEST(refuses_a_file_that_lets_others_in),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
