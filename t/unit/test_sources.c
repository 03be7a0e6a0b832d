/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The credential cache and its pool: who makes a value, how often, who waits
 * for it, what is used meanwhile, and what a failure or a 401 leads to. A
 * provider of the test's own makes the values and counts.
 */
#include "base.h"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "rig.h"
#include "sources_private.h"
#include "sources_rig.h"

static int64_t wall_set;	/* s that the wall clock was set forward by */

int
clock_gettime(clockid_t id, struct timespec *ts)
{
	long r = syscall(SYS_clock_gettime, id, ts);

	if (id == CLOCK_REALTIME)
		ts->tv_sec += __atomic_load_n(&wall_set, __ATOMIC_SEQ_CST);
	return (int)r;
}

static void
wall_clock_set(int64_t s)
{
	__atomic_store_n(&wall_set, s, __ATOMIC_SEQ_CST);
}

static int
setup(void **state UNUSED)
{
	wall_clock_set(0);
	plan_reset();
	transport = transport_new(&(struct transport_options){ .threads = 1 });
	rt = runtime_with(sources_new(NULL));
	return 0;
}

static int
teardown(void **state UNUSED)
{
	sources_free(rt.sources);
	transport_free(transport);
	return 0;
}

/* ---- tests ---- */

static void
one_makes_it_for_all(void **state UNUSED)
{
	const struct ask like = { .waits = 5000 };

	plan.takes = 100;
	assert_int_equal(ask_many(50, &like), 50);
	assert_int_equal(made(), 1);
	assert_int_equal(ask_many(50, &like), 50);
	assert_int_equal(made(), 1);
}

static void
other_inputs_are_another_value(void **state UNUSED)
{
	struct ask a = { .waits = 5000 };

	assert_int_equal(ask(&a), 0);
	assert_string_equal(a.token, "key-1");
	one.auth_provider = "other";
	assert_int_equal(ask(&a), 0);
	assert_string_equal(a.token, "other-2");
	one.auth_provider = "key";
	assert_int_equal(ask(&a), 0);
	assert_string_equal(a.token, "key-1");
}

static void
nobody_waits_longer_than_they_like(void **state UNUSED)
{
	struct ask a = { .waits = 200 }, b = { .waits = 5000 };
	int64_t began = clock_mono_ms();

	plan.takes = 1500;
	assert_int_equal(ask(&a), E_PENDING);
	assert_true(a.late);
	assert_in_range(clock_mono_ms() - began, 200, 1000);
	assert_int_equal(ask(&b), 0);
	assert_string_equal(b.token, "key-1");
}

static void
the_old_one_is_used_while_a_new_one_is_made(void **state UNUSED)
{
	struct ask a = { .waits = 5000 };
	unsigned i;

	plan.lives = 10000;
	plan.margin = 9900;
	assert_int_equal(ask(&a), 0);
	usleep(150000);
	plan.takes = 300;
	plan.lives = FOREVER;
	for (i = 0; i < 20; i++) {
		assert_int_equal(ask(&a), 0);
		assert_string_equal(a.token, "key-1");
	}
	wait_made(2);
	usleep(500000);
	assert_int_equal(ask(&a), 0);
	assert_string_equal(a.token, "key-2");
	assert_int_equal(made(), 2);
}

static void
the_old_one_is_kept_while_renewing_fails(void **state UNUSED)
{
	struct ask a = { .waits = 5000 };
	unsigned i;

	plan.lives = 60000;
	plan.margin = 59900;
	assert_int_equal(ask(&a), 0);
	usleep(150000);
	plan.fails = E_CONNECT;
	for (i = 0; i < 150; i++) {	/* 1.5 s: the tries are 1 s apart */
		assert_int_equal(ask(&a), 0);
		assert_string_equal(a.token, "key-1");
		usleep(10000);
	}
	assert_int_equal(made(), 3);
	plan.fails = 0;
	usleep(2000000);		/* and then 2 s */
	ask(&a);
	wait_made(4);
}

static void
a_failure_is_remembered(void **state UNUSED)
{
	struct ask a = { .waits = 5000 };
	const struct ask like = { .waits = 5000 };

	plan.fails = E_DENIED;
	assert_int_equal(ask(&a), E_DENIED);
	assert_string_equal(a.err.text, "the cloud said no to try 1");
	assert_int_equal(ask_many(40, &like), 0);
	assert_int_equal(made(), 1);
	usleep(1050000);
	assert_int_equal(ask_many(40, &like), 0);
	assert_int_equal(made(), 2);
	plan.fails = 0;
	usleep(2050000);
	assert_int_equal(ask(&a), 0);
	assert_string_equal(a.token, "key-3");
}

static void
the_cloud_may_ask_for_more_time(void **state UNUSED)
{
	struct ask a = { .waits = 5000 };

	plan.fails = E_BUSY;
	plan.retry_after = 30000;
	assert_int_equal(ask(&a), E_BUSY);
	usleep(1100000);
	assert_int_equal(ask(&a), E_BUSY);
	assert_int_equal(made(), 1);
}

static void
what_fails_before_it_asks_is_remembered_too(void **state UNUSED)
{
	struct ask a = { .waits = 5000 };

	plan.never = true;
	assert_int_equal(ask(&a), E_CONFIG);
	assert_string_equal(a.err.text, "the file is gone");
	plan.never = false;
	assert_int_equal(ask(&a), E_CONFIG);
	assert_int_equal(made(), 0);
}

/* A plug-in may print a token that has expired: kubectl uses it once. */
static void
what_has_expired_is_used_by_those_who_waited(void **state UNUSED)
{
	struct ask a = { .waits = 5000 };

	plan.lives = -1000;
	assert_int_equal(ask(&a), 0);
	assert_string_equal(a.token, "key-1");
	usleep(1100000);
	assert_int_equal(ask(&a), 0);
	assert_string_equal(a.token, "key-2");
}

static void
the_wall_clock_may_be_set(void **state UNUSED)
{
	struct ask a = { .waits = 5000 };

	plan.lives = 2500;
	plan.margin = 1000;
	assert_int_equal(ask(&a), 0);
	wall_clock_set(-3600);
	assert_int_equal(ask(&a), 0);
	assert_string_equal(a.token, "key-1");
	usleep(1700000);	/* back: it ends when it would have */
	assert_int_equal(ask(&a), 0);
	assert_string_equal(a.token, "key-2");
	wall_clock_set(3600);	/* forward: one is made once, and kept */
	plan.lives = FOREVER;
	usleep(1000000);
	assert_int_equal(ask(&a), 0);
	assert_string_equal(a.token, "key-3");
	usleep(1000000);
	assert_int_equal(ask(&a), 0);
	assert_int_equal(made(), 3);
}

static void
what_comes_near_its_end_is_not_asked_for_all_the_time(void **state UNUSED)
{
	struct ask a = { .waits = 5000 };
	unsigned i;

	plan.lives = 8000;
	plan.margin = FOREVER;
	for (i = 0; i < 150; i++) {
		assert_int_equal(ask(&a), 0);
		assert_string_equal(a.token, "key-1");
		usleep(10000);
	}
	assert_int_equal(made(), 1);
}

static void
a_refused_value_is_made_anew_once(void **state UNUSED)
{
	struct ask a = { .waits = 5000 }, b = { .waits = 5000 }, c;
	unsigned i;

	plan.takes = 200;
	assert_int_equal(ask(&a), 0);
	assert_int_equal(a.used.n, 1);
	for (i = 0; i < 13; i++) {	/* the 401 of a read that many share */
		c = a;
		assert_true(sources_reject(rt.sources, &c.used));
		b.refused = c.used;
	}
	/* Whoever met it waits for the next; others keep theirs meanwhile. */
	assert_int_equal(ask_once(&b, (unsigned char[SOURCE_KEY]){ 0 }),
	    E_PENDING);
	assert_int_equal(ask(&a), 0);
	assert_string_equal(a.token, "key-1");
	assert_int_equal(ask(&b), 0);
	assert_string_equal(b.token, "key-2");
	assert_int_equal(made(), 2);
	/* Not again within a minute, but who comes late finds the new one. */
	c = b;
	assert_false(sources_reject(rt.sources, &c.used));
	assert_int_equal(c.used.n, 0);
	c = a;
	assert_true(sources_reject(rt.sources, &c.used));
	assert_int_equal(ask(&a), 0);
	assert_string_equal(a.token, "key-2");
	assert_int_equal(made(), 2);
}

static void
what_is_given_again_is_taken(void **state UNUSED)
{
	struct ask a = { .waits = 5000 };

	plan.same = true;
	assert_int_equal(ask(&a), 0);
	a.refused = a.used;
	assert_true(sources_reject(rt.sources, &a.refused));
	assert_int_equal(ask(&a), 0);
	assert_string_equal(a.token, "key-0");
	assert_int_equal(made(), 2);
}

static void
a_source_of_many_is_made_once(void **state UNUSED)
{
	struct ask a = { .waits = 5000 };
	unsigned char pending[SOURCE_KEY];
	struct cluster many[100];	/* more than there are threads */
	char names[100][8];
	unsigned i;

	plan.on_base = true;
	plan.takes = 50;
	for (i = 0; i < 100; i++) {
		snprintf(names[i], sizeof(names[i]), "k%u", i);
		many[i] = one;
		many[i].auth_provider = names[i];
		a.cluster = &many[i];
		assert_int_equal(ask_once(&a, pending), E_PENDING);
	}
	for (i = 0; i < 100; i++) {
		a.cluster = &many[i];
		assert_int_equal(ask(&a), 0);
	}
	assert_int_equal(made(), 100);
	assert_int_equal(plan.base_made, 1);
	assert_int_equal(a.used.n, 1);
}

static void *
free_thread(void *arg UNUSED)
{
	sources_stop(rt.sources);
	return NULL;
}

/* In a process that may have no thread more: 0, or what it says instead. */
static int
ask_without_threads(void)
{
	const struct rlimit none = { 0, 0 };
	struct ask a = { .waits = 1000 };
	int64_t began = clock_mono_ms();

	if ((geteuid() == 0 && setuid(65534) != 0) ||
	    setrlimit(RLIMIT_NPROC, &none) != 0)
		return 2;
	if (ask(&a) != E_SYSTEM || strstr(a.err.text, "no thread") == NULL)
		return 3;
	return clock_mono_ms() - began < 500 ? 0 : 4;
}

static void
without_a_thread_it_fails_like_anything_else(void **state UNUSED)
{
	pid_t pid;
	int status;

	if (RIG_SANITIZED)	/* they have threads of their own */
		return;
	pid = fork();
	if (pid == 0)
		_exit(ask_without_threads());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void
stopping_waits_for_what_is_being_made(void **state UNUSED)
{
	unsigned char pending[SOURCE_KEY];
	struct ask a = { .waits = 0 };
	int64_t began = clock_mono_ms();
	pthread_t thread;

	plan.takes = 500;
	assert_int_equal(ask_once(&a, pending), E_PENDING);
	wait_made(1);
	pthread_create(&thread, NULL, free_thread, NULL);
	pthread_join(thread, NULL);
	assert_in_range(clock_mono_ms() - began, 450, 5000);
}

static void
values_go_through_the_store_as_bytes(void **state UNUSED)
{
	struct source_value v = { .expires = 12345678901234, .margin = 300000 };
	struct source_value back;
	struct secret bytes = SECRET_INIT;

	secret_set(&v.part[0], "id", 2);
	secret_set(&v.part[2], "to\0ken", 6);
	source_value_print(&v, &bytes);
	assert_true(source_value_parse(&bytes, &back));
	assert_int_equal(back.expires, v.expires);
	assert_int_equal(back.margin, v.margin);
	assert_true(secret_equal(&back.part[0], "id", 2));
	assert_int_equal(back.part[1].len, 0);
	assert_true(secret_equal(&back.part[2], "to\0ken", 6));
	source_value_release(&back);
	while (bytes.len > 0) {		/* none of its beginnings is one */
		bytes.len--;
		assert_false(source_value_parse(&bytes, &back));
	}
	secret_release(&bytes);
	source_value_release(&v);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(one_makes_it_for_all),
		TEST(other_inputs_are_another_value),
		TEST(nobody_waits_longer_than_they_like),
		TEST(the_old_one_is_used_while_a_new_one_is_made),
		TEST(the_old_one_is_kept_while_renewing_fails),
		TEST(a_failure_is_remembered),
		TEST(the_cloud_may_ask_for_more_time),
		TEST(what_fails_before_it_asks_is_remembered_too),
		TEST(what_has_expired_is_used_by_those_who_waited),
		TEST(the_wall_clock_may_be_set),
		TEST(what_comes_near_its_end_is_not_asked_for_all_the_time),
		TEST(a_refused_value_is_made_anew_once),
		TEST(what_is_given_again_is_taken),
		TEST(a_source_of_many_is_made_once),
		TEST(without_a_thread_it_fails_like_anything_else),
		TEST(stopping_waits_for_what_is_being_made),
		TEST(values_go_through_the_store_as_bytes),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
