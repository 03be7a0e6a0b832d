/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Several processes on one store: they begin at once, one at a time has a
 * lease, and one that is killed loses nothing that it was told is stored. The
 * children are this program again, with what to do as arguments.
 */
#include "base.h"

#include <signal.h>
#include <sys/wait.h>

#include "store_rig.h"

#define CHILDREN 6
#define KILLS 25
#define GET_EACH 16

/* --- Children ------------------------------------------------------------- */

static pid_t
child(const char *what, unsigned n, int out)
{
	char number[16];
	pid_t pid;

	snprintf(number, sizeof(number), "%u", n);
	pid = fork();
	assert_true(pid >= 0);
	if (pid != 0)
		return pid;
	if (out >= 0)
		dup2(out, STDOUT_FILENO);
	execl("/proc/self/exe", "test_store_processes", what, rig_dir, number,
	    rig_type, rig_settings.url, (char *)NULL);
	_exit(127);
}

static void
ends_well(pid_t pid)
{
	int status = 0;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* A child cannot use cmocka's checks. */
static void
must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "# child: %s\n", what);
	_exit(1);
}

static struct store *
child_open(void)
{
	struct store *st = NULL;
	struct err err = ERR_INIT;

	store_open_limited(&rig_settings, &rig_limits, &st, &err);
	must(st != NULL, err.text);
	return st;
}

/* --- All begin at once ---------------------------------------------------- */

static void
child_begins(unsigned n)
{
	struct store *st = child_open();

	must(rig_put(st, n, "here", 0) == 0, "put");
	store_close(st);
}

static void
begin_at_once(void **state UNUSED)
{
	pid_t pids[CHILDREN];
	struct store *st;
	unsigned i, turn;

	for (turn = 0; turn < 10; turn++) {
		rig_remove_db();
		for (i = 0; i < CHILDREN; i++)
			pids[i] = child("begin", i, -1);
		for (i = 0; i < CHILDREN; i++)
			ends_well(pids[i]);
		st = rig_open();
		for (i = 0; i < CHILDREN; i++)
			rig_has(st, i, "here");
		store_close(st);
	}
}

/* --- Leases --------------------------------------------------------------- */

#define TURNS 12

/* Whoever has the lease has a file, which is there once or not at all. */
static void
child_contends(unsigned n)
{
	const struct store_item item = rig_item(1000);
	struct store *st = child_open();
	struct store_lease lease;
	char held[96];
	unsigned turns = 0;
	int fd, r;

	snprintf(held, sizeof(held), "%s/held", rig_dir);
	while (turns < TURNS) {
		r = store_lease(st, &item, 60000, &lease, NULL);
		must(r == 0 || r == E_BUSY, "lease");
		if (r != 0) {
			usleep(500 + n);
			continue;
		}
		fd = open(held, O_CREAT | O_EXCL | O_WRONLY, 0600);
		must(fd >= 0, "another has the lease too");
		usleep(turns % 3 * 700);
		must(store_lease_renew(st, &lease, 60000, NULL) == 0, "renew");
		close(fd);
		must(unlink(held) == 0, "the file is gone");
		store_lease_end(st, &lease);
		turns++;
	}
	store_close(st);
}

static void
one_at_a_time_has_a_lease(void **state UNUSED)
{
	pid_t pids[CHILDREN];
	unsigned i;

	store_close(rig_open());
	for (i = 0; i < CHILDREN; i++)
		pids[i] = child("contend", i, -1);
	for (i = 0; i < CHILDREN; i++)
		ends_well(pids[i]);
}

static void
child_dies(unsigned n UNUSED)
{
	const struct store_item item = rig_item(1000);
	struct store *st = child_open();
	struct store_lease lease;

	must(store_lease(st, &item, 400, &lease, NULL) == 0, "lease");
	kill(getpid(), SIGKILL);
}

static void
the_lease_of_the_dead_ends(void **state UNUSED)
{
	const struct store_item item = rig_item(1000);
	struct store *st = rig_open();
	struct store_lease lease;
	int64_t start = clock_mono_ms();
	int status = 0, r;
	pid_t pid = child("die", 0, -1);

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	assert_int_equal(store_lease(st, &item, 400, &lease, NULL), E_BUSY);
	while ((r = store_lease(st, &item, 400, &lease, NULL)) == E_BUSY &&
	    clock_mono_ms() - start < 5000)
		usleep(10000);
	assert_int_equal(r, 0);
	assert_true(clock_mono_ms() - start >= 400);
	store_close(st);
}

/* --- Killed --------------------------------------------------------------- */

static const char *
value_of(unsigned n)
{
	static char text[2100];
	size_t len = 40 + n * 37 % 2000;

	memset(text, 'a' + (char)(n % 26), len);
	snprintf(text + len, sizeof(text) - len, "-%u", n);
	return text;
}

/* Put one after the other, and say of each that it is stored. */
static void
child_puts(unsigned n)
{
	struct store *st = child_open();

	for (;; n++) {
		must(rig_put(st, n, value_of(n), 0) == 0, "put");
		must(rig_put(st, 0, value_of(n), 0) == 0, "put again");
		must(write(STDOUT_FILENO, &n, sizeof(n)) == sizeof(n),
		    "write");
	}
}

/* The last number that the child said, having been killed meanwhile. */
static unsigned
kill_while_it_puts(unsigned first, useconds_t after)
{
	unsigned n, last = first - 1;
	int fds[2], status;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = child("put", first, fds[1]);
	close(fds[1]);
	/* The time begins when it has put once. */
	assert_int_equal(read(fds[0], &n, sizeof(n)), sizeof(n));
	last = n;
	usleep(after);
	kill(pid, SIGKILL);
	while (read(fds[0], &n, sizeof(n)) == (ssize_t)sizeof(n))
		last = n;
	close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	return last;
}

/* The one that is put again and again is the last, or one that was not
   said any more. */
static void
has_the_last(struct store *st, unsigned last)
{
	const char *text;
	char got[2200];
	unsigned n;

	assert_int_equal(rig_get(st, 0, &text), 0);
	snprintf(got, sizeof(got), "%s", text);
	assert_int_equal(sscanf(strrchr(got, '-'), "-%u", &n), 1);
	assert_in_range(n, last, last + 1);
	assert_string_equal(got, value_of(n));
}

static void
keeps_what_it_said_is_stored(void **state UNUSED)
{
	unsigned first = 1, last, i, turn;
	struct store *st;

	rig_limits.rows = 1000000;
	store_close(rig_open());
	for (turn = 0; turn < KILLS; turn++) {
		last = kill_while_it_puts(first, turn * 1777 % 30000);
		st = rig_open();
		has_the_last(st, last);
		for (i = first; i <= last; i++)
			rig_has(st, i, value_of(i));
		for (i = 1; i <= last; i += GET_EACH)
			rig_has(st, i, value_of(i));
		/* Of the next there is all or nothing. */
		rig_put(st, last + 1, value_of(last + 1), 0);
		rig_has(st, last + 1, value_of(last + 1));
		store_close(st);
		first = last + 2;
	}
}

/* Those that put go on as soon as it is back: what fails is put again. */
static void
child_puts_on(unsigned n)
{
	struct store *st = child_open();

	for (;; n++) {
		while (rig_put(st, n, value_of(n), 0) != 0)
			usleep(1000);
		must(write(STDOUT_FILENO, &n, sizeof(n)) == sizeof(n),
		    "write");
	}
}

static void
keeps_it_though_redis_is_killed(void **state UNUSED)
{
	struct store *st = rig_open();
	unsigned n, last = 0, before, i, turn;
	int fds[2], status;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = child("put_on", 1, fds[1]);
	close(fds[1]);
	for (turn = 0; turn < 12; turn++) {
		before = last;
		/* It has put since the last time. */
		assert_int_equal(read(fds[0], &last, sizeof(n)), sizeof(n));
		usleep(turn * 1777 % 20000);
		redis_kill(SIGKILL);
		redis_again();
		assert_true(last > before);
	}
	kill(pid, SIGKILL);
	while (read(fds[0], &n, sizeof(n)) == (ssize_t)sizeof(n))
		last = n;
	close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	for (i = 0; i < 100 && rig_get(st, 1, (const char *[1]){ 0 }) != 0;
	    i++)
		usleep(20000);
	for (i = 1; i <= last; i++)
		rig_has(st, i, value_of(i));
	store_close(st);
}

static int
run_child(char **argv)
{
	static const struct {
		const char *name;
		void (*run)(unsigned n);
	} children[] = {
		{ "begin", child_begins },
		{ "contend", child_contends },
		{ "die", child_dies },
		{ "put", child_puts },
		{ "put_on", child_puts_on },
	};
	size_t i;

	alarm(RIG_ALARM);
	rig_type = argv[4];
	rig_name(argv[2]);
	rig_settings.url = argv[5];
	rig_limits.wait_ms = 30000;
	rig_limits.rows = 1000000;
	for (i = 0; i < ARRAY_LEN(children); i++) {
		if (strcmp(argv[1], children[i].name) != 0)
			continue;
		children[i].run((unsigned)strtoul(argv[3], NULL, 10));
		return 0;
	}
	return 2;
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		RIG_ON(begin_at_once, "sqlite"),
		RIG_SHARED(one_at_a_time_has_a_lease),
		RIG_SHARED(the_lease_of_the_dead_ends),
		RIG_SHARED(keeps_what_it_said_is_stored),
		RIG_ON(keeps_it_though_redis_is_killed, "redis"),
	};

	if (argc >= 5)
		return run_child(argv);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
