/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Databases of other versions: t/store/version-1.db was made by the program
 * whose schema was version 1. It opens with all that is in it; whatever goes
 * wrong on the way leaves it as it was; a later one is left alone.
 */
#include "base.h"

#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>

#include "store_rig.h"

#define FIXTURE_MAX 65536

static char fixture[FIXTURE_MAX];
static size_t fixture_len;

/* The file at the path, in a buffer of ours. */
static size_t
slurp(const char *path, char *out)
{
	int fd = open(path, O_RDONLY);
	ssize_t n;

	if (fd < 0)
		fail_msg("%s: %s", path, strerror(errno));
	n = read(fd, out, FIXTURE_MAX);
	close(fd);
	assert_in_range(n, 1, FIXTURE_MAX - 1);
	return (size_t)n;
}

static void
use_version_1(void)
{
	const char *top = getenv("top_srcdir");
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/t/store/version-1.db", top != NULL ?
	    top : ".");
	fixture_len = slurp(path, fixture);
	rig_write(rig_db, fixture, fixture_len);
}

static int
ask(const char *sql)
{
	sqlite3_stmt *st;
	sqlite3 *db;
	int n;

	assert_int_equal(sqlite3_open(rig_db, &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &st, NULL),
	    SQLITE_OK);
	assert_int_equal(sqlite3_step(st), SQLITE_ROW);
	n = sqlite3_column_int(st, 0);
	sqlite3_finalize(st);
	sqlite3_close(db);
	return n;
}

/* All that was put: 0 to 7 as "source", 8 to 11 as "session"; 4 is over. */
static void
has_all(struct store *st)
{
	char text[64];
	unsigned i;

	for (i = 0; i < 12; i++) {
		rig_kind = i < 8 ? "source" : "session";
		snprintf(text, sizeof(text), "value %u of version 1", i);
		if (i == 4)
			rig_has_not(st, i, E_NOTFOUND);
		else
			rig_has(st, i, text);
	}
	rig_kind = "source";
}

static void
takes_over_version_1(void **state UNUSED)
{
	struct store *st;

	use_version_1();
	assert_int_equal(ask("PRAGMA user_version"), 1);
	st = rig_open();
	assert_int_equal(ask("PRAGMA user_version"), 2);
	assert_int_equal(ask("SELECT count(*) FROM sqlite_master WHERE name ="
	    " 'lease_until'"), 1);
	assert_int_equal(ask("SELECT count(*) FROM lease"), 1);
	has_all(st);
	assert_int_equal(rig_put(st, 1, "of version 2", 0), 0);
	assert_int_equal(rig_put(st, 100, "of version 2", 0), 0);
	rig_reopen(&st);
	rig_has(st, 1, "of version 2");
	rig_has(st, 100, "of version 2");
	store_close(st);
}

/* One that began before goes on with what it has open. */
static void
leaves_those_of_version_1_at_work(void **state UNUSED)
{
	sqlite3 *old;
	struct store *st;

	use_version_1();
	assert_int_equal(sqlite3_open(rig_db, &old), SQLITE_OK);
	assert_int_equal(sqlite3_exec(old, "PRAGMA journal_mode = WAL;"
	    " DELETE FROM item WHERE expires = 5", NULL, NULL, NULL),
	    SQLITE_OK);
	st = rig_open();
	assert_int_equal(sqlite3_exec(old, "BEGIN IMMEDIATE; INSERT INTO item"
	    " (kind, key, expires, sealed) VALUES ('x', x'00', 0, x'00');"
	    " REPLACE INTO lease (kind, key, owner, until, length)"
	    " VALUES ('x', x'00', x'00', 1, 1); COMMIT", NULL, NULL, NULL),
	    SQLITE_OK);
	has_all(st);
	assert_int_equal(sqlite3_close(old), SQLITE_OK);
	store_close(st);
}

static void
set_file_limit(rlim_t bytes)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = SD_MIN(bytes, limit.rlim_max);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void
is_as_it_was_where_there_is_no_room(void **state UNUSED)
{
	struct store *st;

	use_version_1();
	signal(SIGXFSZ, SIG_IGN);
	set_file_limit(9000);
	rig_cannot_open(E_STORE, "the store is full: make room");
	set_file_limit(RLIM_INFINITY);
	assert_int_equal(ask("PRAGMA user_version"), 1);
	assert_int_equal(ask("SELECT count(*) FROM item"), 12);
	st = rig_open();
	has_all(st);
	store_close(st);
}

static void
leaves_a_later_version_alone(void **state UNUSED)
{
	static char now[FIXTURE_MAX];

	use_version_1();
	/* In the file's header (big endian), as a later program would. */
	fixture[63] = 9;
	rig_write(rig_db, fixture, fixture_len);
	rig_cannot_open(E_STORE, "a later version of stagedoor made its "
	    "database: use that, or move the database away");
	assert_int_equal(slurp(rig_db, now), fixture_len);
	assert_memory_equal(now, fixture, fixture_len);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, rig_set_up, rig_tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(takes_over_version_1),
		TEST(leaves_those_of_version_1_at_work),
		TEST(is_as_it_was_where_there_is_no_room),
		TEST(leaves_a_later_version_alone),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
