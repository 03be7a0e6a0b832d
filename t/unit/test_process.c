/* SPDX-License-Identifier: Apache-2.0 */
/* Real programs: what they get, what comes back, and that none is left. */
#include "base.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <cmocka.h>

#include "clock.h"
#include "process.h"

#define THREADS 8
#define RUNS 20

static const char *const no_env[] = { NULL };

/* Run a line of shell. */
static int
shell(const char *line, const struct process *how, struct process_result *out,
    struct err *err)
{
	const char *const argv[] = { "/bin/sh", "-c", line, NULL };
	struct process p = *how;

	p.argv = argv;
	if (p.env == NULL)
		p.env = no_env;
	if (p.timeout == 0)
		p.timeout = 10;
	return process_run(&p, out, err);
}

static const char *
output(const struct process_result *r)
{
	return r->output.ptr != NULL ? r->output.ptr : "";
}

/* The line ends by itself and prints this. */
static void
prints(const char *line, const struct process *how, const char *want)
{
	struct process_result out = PROCESS_RESULT_INIT;
	struct err err = ERR_INIT;

	if (shell(line, how, &out, &err) != 0)
		fail_msg("%s: %s", line, err.text);
	assert_string_equal(output(&out), want);
	assert_int_equal(out.status, 0);
	process_result_release(&out);
}

static void
ends_with(const char *line, int status, const char *errors)
{
	struct process_result out = PROCESS_RESULT_INIT;
	struct err err = ERR_INIT;

	assert_int_equal(shell(line, &(struct process) { .timeout = 10 }, &out,
	    &err), 0);
	assert_int_equal(out.status, status);
	assert_string_equal(out.errors, errors);
	process_result_release(&out);
}

static void
no_child_is_left(void)
{
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

static void
gives_output_and_status(void **state UNUSED)
{
	struct process how = { .timeout = 10 };

	prints("echo one; echo two >&2", &how, "one\n");
	prints(":", &how, "");
	prints("printf 'a\\0b' | tr '\\0' x", &how, "axb");
	ends_with("echo no >&2; exit 3", 3, "no");
	ends_with("kill -TERM $$", 128 + SIGTERM, "");
	ends_with("kill -KILL $$", 128 + SIGKILL, "");
	no_child_is_left();
}

static void
keeps_the_end_of_errors(void **state UNUSED)
{
	struct process_result out = PROCESS_RESULT_INIT;
	struct err err = ERR_INIT;

	assert_int_equal(shell("i=0; while test $i -lt 30000; do "
	    "printf 'line %05d\\n' $i >&2; i=$((i+1)); done",
	    &(struct process) { .timeout = 30 }, &out, &err), 0);
	assert_in_range(strlen(out.errors), PROCESS_ERRORS_MAX - 12,
	    PROCESS_ERRORS_MAX - 1);
	assert_string_equal(out.errors + strlen(out.errors) - 21,
	    "line 29998 line 29999");
	process_result_release(&out);
	ends_with("printf 'a\\tb\\033[1m\\177\\nc\\n\\n' >&2", 0, "a b [1m  c");
	ends_with("printf '\\303\\251\\377\\302\\205.\\303' >&2", 0,
	    "\xc3\xa9? .?");
}

/* The code and the words when there is nothing to run. */
static void
is_refused(const struct process *p, int code, const char *words)
{
	struct process_result out = PROCESS_RESULT_INIT;
	struct err err = ERR_INIT;

	assert_int_equal(process_run(p, &out, &err), code);
	assert_int_equal(err.code, code);
	if (strstr(err.text, words) == NULL)
		fail_msg("'%s' is not in: %s", words, err.text);
	assert_null(out.output.ptr);
}

static void
says_what_is_missing(void **state UNUSED)
{
	const char *const nowhere[] = { "/nowhere/plugin", NULL };
	const char *const unknown[] = { "no-such-plugin", NULL };
	const char *const folder[] = { "/bin/..", NULL };
	const char *const good[] = { "true", NULL };
	const char *const other[] = { "PATH=/nowhere:", NULL };

	is_refused(&(struct process) { .argv = nowhere, .env = no_env,
	    .timeout = 5 }, E_NOTFOUND, "'/nowhere/plugin'");
	is_refused(&(struct process) { .argv = unknown, .env = no_env,
	    .timeout = 5 }, E_NOTFOUND, "'no-such-plugin'");
	is_refused(&(struct process) { .argv = folder, .env = no_env,
	    .timeout = 5 }, E_SYSTEM, "'/bin/..'");
	is_refused(&(struct process) { .argv = good, .env = other,
	    .timeout = 5 }, E_NOTFOUND, "'true'");
	is_refused(&(struct process) { .argv = good, .env = no_env,
	    .dir = "/nowhere", .timeout = 5 }, E_SYSTEM, "'/nowhere'");
	no_child_is_left();
}

static void
looks_in_the_path_it_is_given(void **state UNUSED)
{
	char dir[] = "/tmp/stagedoor-process-XXXXXX", file[64], path[64];
	const char *const argv[] = { "plugin", NULL };
	const char *env[] = { path, NULL };
	struct process_result out = PROCESS_RESULT_INIT;
	struct err err = ERR_INIT;
	FILE *f;

	assert_non_null(mkdtemp(dir));
	snprintf(file, sizeof(file), "%s/plugin", dir);
	snprintf(path, sizeof(path), "PATH=relative::%s", dir);
	f = fopen(file, "w");
	fputs("#!/bin/sh\necho found\n", f);
	fchmod(fileno(f), 0700);
	fclose(f);
	assert_int_equal(process_run(&(struct process) { .argv = argv,
	    .env = env, .timeout = 5 }, &out, &err), 0);
	assert_string_equal(output(&out), "found\n");
	process_result_release(&out);
	assert_int_equal(process_run(&(struct process) {
	    .argv = (const char *const[]) { "./plugin", NULL }, .env = no_env,
	    .dir = dir, .timeout = 5 }, &out, &err), 0);
	assert_string_equal(output(&out), "found\n");
	process_result_release(&out);
	unlink(file);
	rmdir(dir);
}

static void
gives_nothing_of_ours(void **state UNUSED)
{
	const char *const argv[] = { "/usr/bin/env", NULL };
	const char *const env[] = { "A=1", "B=two words", NULL };
	struct process_result out = PROCESS_RESULT_INIT;
	struct err err = ERR_INIT;
	struct process how = { .timeout = 10 };
	int open_one = open("/dev/null", O_RDONLY), high;

	high = fcntl(open_one, F_DUPFD, 100);
	assert_true(high >= 100);
	assert_int_equal(process_run(&(struct process) { .argv = argv,
	    .env = env, .timeout = 5 }, &out, &err), 0);
	assert_string_equal(output(&out), "A=1\nB=two words\n");
	process_result_release(&out);
	prints("i=0; while test $i -lt 200; do "
	    "test -e /proc/$$/fd/$i && echo $i; i=$((i+1)); done; :",
	    &how, "0\n1\n2\n");
	prints("readlink /proc/$$/fd/0; cat; pwd; ulimit -c", &how,
	    "/dev/null\n/\n0\n");
	prints("test -t 0 || (exec </dev/tty) 2>/dev/null || echo none", &how,
	    "none\n");
	close(open_one);
	close(high);
}

static void
resets_signals(void **state UNUSED)
{
	/* glibc itself ignores 32 and 33 in what it spawns. */
	const char *const argv[] = { "/bin/grep", "-cE", "^(SigBlk:.0{16}|"
	    "SigIgn:.0{7}[01][08]0{7})$", "/proc/self/status", NULL };
	struct process_result out = PROCESS_RESULT_INIT;
	struct err err = ERR_INIT;
	sigset_t all, old;
	int r;

	signal(SIGPIPE, SIG_IGN);
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	r = process_run(&(struct process) { .argv = argv, .env = no_env,
	    .timeout = 10 }, &out, &err);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	assert_int_equal(r, 0);
	assert_string_equal(output(&out), "2\n");
	process_result_release(&out);
}

/* Not where only its number is left, because nobody reaps orphans here. */
static bool
is_alive(int pid)
{
	char path[64], state = 'Z';
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "r");
	if (f == NULL)
		return false;
	if (fscanf(f, "%*d %*s %c", &state) != 1)
		state = 'Z';
	fclose(f);
	return state != 'Z';
}

/* The number that a program wrote to the file; it is gone within a second. */
static void
is_gone(const char *file)
{
	FILE *f = fopen(file, "r");
	int pid = 0, i;

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%d", &pid), 1);
	fclose(f);
	assert_true(pid > 1);
	for (i = 0; i < 100 && is_alive(pid); i++)
		usleep(10000);
	assert_false(is_alive(pid));
	unlink(file);
}

static void
kills_the_group_in_time(void **state UNUSED)
{
	char file[] = "/tmp/stagedoor-process-XXXXXX", line[256];
	struct process_result out = PROCESS_RESULT_INIT;
	struct err err = ERR_INIT;
	int64_t start = clock_mono_ms();

	close(mkstemp(file));
	snprintf(line, sizeof(line), "trap '' TERM; (trap '' TERM; sleep 60) &"
	    " echo $! >%s; echo waiting >&2; wait", file);
	assert_int_equal(shell(line, &(struct process) { .timeout = 0.5 },
	    &out, &err), E_TIMEOUT);
	assert_in_range(clock_mono_ms() - start, 400, 5000);
	assert_non_null(strstr(err.text, "'/bin/sh' did not end within 0.5"));
	assert_string_equal(out.errors, "waiting");
	assert_null(out.output.ptr);
	no_child_is_left();
	is_gone(file);
}

static void
kills_who_stays_behind(void **state UNUSED)
{
	char file[] = "/tmp/stagedoor-process-XXXXXX", line[256];
	int64_t start = clock_mono_ms();

	close(mkstemp(file));
	snprintf(line, sizeof(line), "sleep 60 & echo $! >%s; echo done", file);
	prints(line, &(struct process) { .timeout = 20 }, "done\n");
	assert_in_range(clock_mono_ms() - start, 0, 5000);
	no_child_is_left();
	is_gone(file);
}

/* One in a session of its own has the pipe, and gets away. */
static void
waits_for_nobody_else(void **state UNUSED)
{
	int64_t start = clock_mono_ms();

	prints("setsid sh -c 'sleep 3' & sleep 0.2; echo done",
	    &(struct process) { .timeout = 20 }, "done\n");
	assert_in_range(clock_mono_ms() - start, 0, 2500);
}

static void
bounds_output(void **state UNUSED)
{
	struct process_result out = PROCESS_RESULT_INIT;
	struct err err = ERR_INIT;
	int64_t start = clock_mono_ms();

	assert_int_equal(shell("exec yes", &(struct process) { .timeout = 20 },
	    &out, &err), E_TOOLARGE);
	assert_non_null(strstr(err.text, "more than 1048576 bytes"));
	assert_null(out.output.ptr);
	assert_in_range(clock_mono_ms() - start, 0, 10000);
	assert_int_equal(shell("printf 12345", &(struct process) {
	    .limit = 4, .timeout = 20 }, &out, &err), E_TOOLARGE);
	prints("printf 1234", &(struct process) { .limit = 4, .timeout = 20 },
	    "1234");
	assert_int_equal(shell("exec yes >&2", &(struct process) {
	    .timeout = 0.5 }, &out, &err), E_TIMEOUT);
	assert_int_equal(shell("head -c 1048576 /dev/zero | tr '\\0' x",
	    &(struct process) { .timeout = 20 }, &out, &err), 0);
	assert_int_equal(out.output.len, 1048576);
	process_result_release(&out);
	no_child_is_left();
}

static void *
runs_many(void *arg)
{
	struct process how = { .timeout = 20 };
	char line[64], want[64];
	int i;

	for (i = 0; i < RUNS; i++) {
		snprintf(line, sizeof(line), "echo %d-%d", *(int *)arg, i);
		snprintf(want, sizeof(want), "%d-%d\n", *(int *)arg, i);
		prints(line, &how, want);
	}
	return NULL;
}

static int
open_files(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n;
}

static void
runs_from_many_threads(void **state UNUSED)
{
	pthread_t threads[THREADS];
	int number[THREADS], i, before = open_files();

	for (i = 0; i < THREADS; i++) {
		number[i] = i;
		assert_int_equal(pthread_create(&threads[i], NULL, runs_many,
		    &number[i]), 0);
	}
	for (i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	no_child_is_left();
	assert_int_equal(open_files(), before);
}

/* A daemon may be started without them. */
static void
needs_no_standard_descriptors(void **state UNUSED)
{
	struct process_result out = PROCESS_RESULT_INIT;
	struct err err = ERR_INIT;
	int saved[3], i, r;

	fflush(NULL);
	for (i = 0; i < 3; i++) {
		saved[i] = fcntl(i, F_DUPFD_CLOEXEC, 10);
		close(i);
	}
	r = shell("echo out; echo err >&2", &(struct process) { .timeout = 5 },
	    &out, &err);
	for (i = 0; i < 3; i++) {
		dup2(saved[i], i);
		close(saved[i]);
	}
	assert_int_equal(r, 0);
	assert_string_equal(output(&out), "out\n");
	assert_string_equal(out.errors, "err");
	process_result_release(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives_output_and_status),
		cmocka_unit_test(keeps_the_end_of_errors),
		cmocka_unit_test(says_what_is_missing),
		cmocka_unit_test(looks_in_the_path_it_is_given),
		cmocka_unit_test(gives_nothing_of_ours),
		cmocka_unit_test(resets_signals),
		cmocka_unit_test(kills_the_group_in_time),
		cmocka_unit_test(kills_who_stays_behind),
		cmocka_unit_test(waits_for_nobody_else),
		cmocka_unit_test(bounds_output),
		cmocka_unit_test(runs_from_many_threads),
		cmocka_unit_test(needs_no_standard_descriptors),
	};
	struct rlimit none = { 0, 0 };

	setrlimit(RLIMIT_CORE, &none);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
