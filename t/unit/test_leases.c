/* SPDX-License-Identifier: Apache-2.0 */
/* Leases that are kept alive while their work goes on. */
#include "base.h"

#include <signal.h>
#include <sys/wait.h>

#include "leases.h"
#include "store_rig.h"

static void
pause_ms(int64_t ms)
{
	usleep((useconds_t)ms * 1000);
}

static void
keeps_one_alive(void **state UNUSED)
{
	struct store *st = rig_open(), *other = rig_open();
	struct leases *ls = leases_new(st), *theirs = leases_new(other);
	struct store_item item = rig_item(1);
	struct lease *l, *second;
	int64_t until;

	assert_int_equal(lease_begin(ls, &item, &l, NULL), 0);
	until = clock_mono_ms() + LEASE_MS + 2000;
	while (clock_mono_ms() < until) {
		assert_int_equal(lease_begin(theirs, &item, &second, NULL),
		    E_BUSY);
		assert_true(lease_holds(l));
		pause_ms(250);
	}
	lease_end(l);
	assert_int_equal(lease_begin(theirs, &item, &second, NULL), 0);
	lease_end(second);
	leases_free(theirs);
	leases_free(ls);
	store_close(other);
	store_close(st);
}

static void
holds_many_at_once(void **state UNUSED)
{
	struct store *st = rig_open();
	struct leases *ls = leases_new(st);
	struct lease *held[40], *other;
	struct store_item item;
	unsigned i;

	for (i = 0; i < ARRAY_LEN(held); i++) {
		item = rig_item(i);
		assert_int_equal(lease_begin(ls, &item, &held[i], NULL), 0);
	}
	pause_ms(LEASE_MS + 500);
	for (i = 0; i < ARRAY_LEN(held); i++) {
		item = rig_item(i);
		assert_true(lease_holds(held[i]));
		assert_int_equal(lease_begin(ls, &item, &other, NULL),
		    E_BUSY);
		lease_end(held[i]);
	}
	leases_free(ls);
	store_close(st);
}

/* Its work is not done, but nobody knows whether it ever will be. */
static void
frees_that_of_the_dead(void **state UNUSED)
{
	struct store_item item = rig_item(1);
	struct store *st;
	struct leases *ls;
	struct lease *l;
	int64_t start;
	int fds[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	if ((pid = fork()) == 0) {
		ls = leases_new(rig_open());
		byte = lease_begin(ls, &item, &l, NULL) == 0 ? 'y' : 'n';
		_exit(write(fds[1], &byte, 1) == 1 ? pause() : 1);
	}
	assert_int_equal(read(fds[0], &byte, 1), 1);
	assert_int_equal(byte, 'y');
	st = rig_open();
	ls = leases_new(st);
	assert_int_equal(lease_begin(ls, &item, &l, NULL), E_BUSY);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	start = clock_mono_ms();
	while (lease_begin(ls, &item, &l, NULL) == E_BUSY)
		pause_ms(50);
	assert_true(clock_mono_ms() - start <= LEASE_MS + 500);
	lease_end(l);
	leases_free(ls);
	store_close(st);
	close(fds[0]);
	close(fds[1]);
}

/* A process that slept too long must not believe that it is still alone. */
static void
knows_when_it_was_lost(void **state UNUSED)
{
	struct store *st = rig_open(), *other = rig_open();
	struct leases *ls = leases_new(st);
	struct store_item item = rig_item(1);
	struct store_lease theirs;
	struct lease *l;
	int i;

	assert_int_equal(lease_begin(ls, &item, &l, NULL), 0);
	/* The other one's clock is ahead: to it the lease has ended. */
	rig_now = clock_wall_ms() + 2 * LEASE_MS;
	assert_int_equal(store_lease(other, &item, LEASE_MS, &theirs, NULL),
	    0);
	rig_now = 0;
	for (i = 0; i < 60 && lease_holds(l); i++)
		pause_ms(50);
	assert_false(lease_holds(l));
	lease_end(l);
	assert_int_equal(store_lease_renew(other, &theirs, LEASE_MS, NULL), 0);
	leases_free(ls);
	store_close(other);
	store_close(st);
}

/* A store may be away for hours, and each lease is tried a few times a
   second. */
static void
says_once_that_the_store_fails(void **state UNUSED)
{
	struct store *st = rig_open();
	struct leases *ls = leases_new(st);
	struct store_item item = rig_item(1);
	int fds[2], n = 0, saved = dup(STDERR_FILENO);
	char got[8192] = "", *p = got;
	struct lease *l;

	assert_int_equal(lease_begin(ls, &item, &l, NULL), 0);
	assert_int_equal(pipe2(fds, O_NONBLOCK), 0);
	dup2(fds[1], STDERR_FILENO);
	rig_remove_db();
	assert_int_equal(mkdir(rig_db, 0700), 0);
	pause_ms(LEASE_RENEW_MS + 2000);
	assert_int_equal(rmdir(rig_db), 0);
	dup2(saved, STDERR_FILENO);
	assert_true(read(fds[0], got, sizeof(got) - 1) > 0);
	while ((p = strstr(p, "was not renewed")) != NULL)
		p++, n++;
	assert_int_equal(n, 1);
	lease_end(l);
	leases_free(ls);
	store_close(st);
	close(fds[0]);
	close(fds[1]);
	close(saved);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, rig_set_up, rig_tear_down)
	const struct CMUnitTest tests[] = {
		T(keeps_one_alive), T(holds_many_at_once),
		T(frees_that_of_the_dead), T(knows_when_it_was_lost),
		T(says_once_that_the_store_fails),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
