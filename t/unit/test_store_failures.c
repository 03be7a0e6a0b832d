/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the store does where it cannot do its work: no room, no rights, others
 * that do not let go. It says so, nothing is half done, and it goes on when
 * the cause is gone.
 */
#include "base.h"

#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "store_rig.h"

/* --- No room -------------------------------------------------------------- */

static void
set_file_limit(rlim_t bytes)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = SD_MIN(bytes, limit.rlim_max);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void
goes_on_when_there_is_room_again(void **state UNUSED)
{
	struct store *st = rig_open();
	unsigned n = 0, i;
	char text[1000];

	signal(SIGXFSZ, SIG_IGN);
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	set_file_limit(200000);
	while (n < 500 && rig_put(st, n, text, 0) == 0)
		n++;
	assert_in_range(n, 10, 400);
	for (i = 0; i < 3; i++)
		rig_cannot_put(st, n, "the store is full: make room");
	for (i = 0; i < n; i++)
		rig_has(st, i, text);
	rig_has_not(st, n, E_NOTFOUND);
	set_file_limit(RLIM_INFINITY);
	assert_int_equal(rig_put(st, n, text, 0), 0);
	store_close(st);
	st = rig_open();
	for (i = 0; i <= n; i++)
		rig_has(st, i, text);
	store_close(st);
}

static void
says_that_there_is_no_room_to_begin(void **state UNUSED)
{
	signal(SIGXFSZ, SIG_IGN);
	set_file_limit(1000);
	rig_cannot_open(E_STORE, "the store is full: make room");
	set_file_limit(RLIM_INFINITY);
	store_close(rig_open());
}

/* --- No rights ------------------------------------------------------------ */

/* Run it as somebody who is not root, in a process of its own. */
static void
as_nobody(void (*run)(void))
{
	int status = 0;
	pid_t pid;

	if (geteuid() == 0) {
		assert_int_equal(chown(rig_dir, 65534, 65534), 0);
		assert_int_equal(chown(rig_keys, 65534, 65534), 0);
		if (access(rig_db, F_OK) == 0)
			assert_int_equal(chown(rig_db, 65534, 65534), 0);
	}
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (geteuid() == 0 && (setgid(65534) != 0 ||
		    setuid(65534) != 0))
			_exit(2);
		run();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void
try_folder(void)
{
	struct store *st;

	chmod(rig_dir, 0500);
	rig_cannot_open(E_STORE, "its folder must be there, and writable");
	chmod(rig_dir, 0700);
	st = rig_open();
	assert_int_equal(rig_put(st, 1, "alice-token", 0), 0);
	store_close(st);
	/* There, but no place for the log. */
	chmod(rig_dir, 0500);
	rig_cannot_open(E_STORE, "the store cannot be written: its folder");
	chmod(rig_dir, 0700);
	/* The database itself. */
	chmod(rig_db, 0400);
	rig_cannot_open(E_STORE, "the store cannot be written: its folder");
	chmod(rig_db, 0000);
	rig_cannot_open(E_STORE, "the store cannot be written: its folder");
	chmod(rig_db, 0600);
	st = rig_open();
	rig_has(st, 1, "alice-token");
	store_close(st);
}

static void
says_what_must_be_writable(void **state UNUSED)
{
	char nowhere[96];

	as_nobody(try_folder);
	snprintf(nowhere, sizeof(nowhere), "%s/none/store.db", rig_dir);
	rig_settings.path = nowhere;
	rig_cannot_open(E_STORE, "its folder must be there, and writable");
}

/* --- Others that do not let go -------------------------------------------- */

struct waiter {
	struct store *st;
	unsigned n;
	int r;
	int64_t took;
};

static void *
wait_to_put(void *arg)
{
	struct waiter *w = arg;
	int64_t start = clock_mono_ms();

	w->r = rig_put(w->st, w->n, "x", 0);
	w->took = clock_mono_ms() - start;
	return NULL;
}

static void
waits_for_others_so_long(void **state UNUSED)
{
	struct waiter waiters[6];
	pthread_t threads[ARRAY_LEN(waiters)];
	struct store *st;
	sqlite3 *other;
	unsigned i;

	rig_limits.wait_ms = 300;
	st = rig_open();
	assert_int_equal(rig_put(st, 1, "alice-token", 0), 0);
	assert_int_equal(sqlite3_open(rig_db, &other), SQLITE_OK);
	assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE; DELETE FROM"
	    " item", NULL, NULL, NULL), SQLITE_OK);
	/* Who reads need not wait. */
	rig_has(st, 1, "alice-token");
	rig_cannot_put(st, 1, "another process keeps the store locked");
	for (i = 0; i < ARRAY_LEN(waiters); i++) {
		waiters[i] = (struct waiter){ .st = st, .n = i };
		pthread_create(&threads[i], NULL, wait_to_put, &waiters[i]);
	}
	for (i = 0; i < ARRAY_LEN(waiters); i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(waiters[i].r, E_STORE);
		/* Not one after the other; the second wait is of the first
		   in line, and of sleeps of SQLite. */
		assert_in_range(waiters[i].took, 200, 1000);
	}
	sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL);
	assert_int_equal(rig_put(st, 1, "alice-token-2", 0), 0);
	sqlite3_close(other);
	rig_has(st, 1, "alice-token-2");
	store_close(st);
}

static void
says_who_locks_all(void **state UNUSED)
{
	sqlite3 *other;

	rig_limits.wait_ms = 100;
	store_close(rig_open());
	assert_int_equal(sqlite3_open(rig_db, &other), SQLITE_OK);
	assert_int_equal(sqlite3_exec(other, "PRAGMA locking_mode = EXCLUSIVE;"
	    " BEGIN EXCLUSIVE; DELETE FROM item; COMMIT", NULL, NULL, NULL),
	    SQLITE_OK);
	rig_cannot_open(E_STORE, "another process keeps the store locked");
	sqlite3_close(other);
	store_close(rig_open());
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, rig_set_up, rig_tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(goes_on_when_there_is_room_again),
		TEST(says_that_there_is_no_room_to_begin),
		TEST(says_what_must_be_writable),
		TEST(waits_for_others_so_long),
		TEST(says_who_locks_all),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
