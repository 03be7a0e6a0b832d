/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The credential cache of two processes with one store: each has a cache and
 * a connection of its own.
 */
#include "base.h"

#include "sources_rig.h"
#include "store_rig.h"

static struct runtime second;	/* the other process; its store is stores[1] */
static struct store *stores[2];

static int
setup(void **state)
{
	plan_reset();
	if (rig_set_up(state) != 0)
		return -1;
	transport = transport_new(&(struct transport_options){ .threads = 1 });
	stores[0] = rig_open();
	stores[1] = rig_open();
	rt = runtime_with(sources_new(stores[0]));
	second = runtime_with(sources_new(stores[1]));
	return 0;
}

static int
teardown(void **state)
{
	sources_free(rt.sources);
	sources_free(second.sources);
	store_close(stores[0]);
	store_close(stores[1]);
	transport_free(transport);
	return rig_tear_down(state);
}

/* A process that has just started. */
static void
start_anew(struct runtime *r)
{
	unsigned i = r == &second;

	sources_free(r->sources);
	*r = runtime_with(sources_new(stores[i]));
}

static void *
ask_20(void *like)
{
	return (void *)(uintptr_t)ask_many(20, like);
}

static void
one_process_makes_it_for_all(void **state UNUSED)
{
	struct ask first = { .waits = 8000 };
	struct ask other = { .waits = 8000, .rt = &second };
	pthread_t thread;
	void *got;

	plan.takes = 400;
	pthread_create(&thread, NULL, ask_20, &other);
	assert_int_equal(ask_many(20, &first), 20);
	pthread_join(thread, &got);
	assert_int_equal((uintptr_t)got, 20);
	assert_int_equal(made(), 1);
	start_anew(&rt);
	assert_int_equal(ask(&first), 0);
	assert_string_equal(first.token, "key-1");
	assert_int_equal(made(), 1);
}

static void
what_never_expires_is_shared_too(void **state UNUSED)
{
	struct ask first = { .waits = 8000 };
	struct ask other = { .waits = 8000, .rt = &second };

	plan.lives = 0;
	assert_int_equal(ask(&first), 0);
	assert_int_equal(ask(&other), 0);
	assert_int_equal(made(), 1);
}

static void
what_is_unshared_is_each_ones_own(void **state UNUSED)
{
	struct ask first = { .waits = 8000 };
	struct ask other = { .waits = 8000, .rt = &second };

	plan.unshared = true;
	assert_int_equal(ask(&first), 0);
	assert_int_equal(ask(&other), 0);
	assert_string_equal(other.token, "key-2");
	plan.fails = E_CONNECT;
	start_anew(&rt);
	assert_int_equal(ask(&first), E_CONNECT);
	start_anew(&rt);
	assert_int_equal(ask(&first), E_CONNECT);
	assert_int_equal(made(), 4);
	plan.fails = 0;		/* nothing of it is in the store */
	plan.unshared = false;
	start_anew(&rt);
	assert_int_equal(ask(&first), 0);
	assert_string_equal(first.token, "key-5");
}

static void
a_failure_counts_for_all(void **state UNUSED)
{
	struct ask first = { .waits = 8000 };
	struct ask other = { .waits = 8000, .rt = &second };

	plan.fails = E_DENIED;
	plan.retry_after = 20000;
	assert_int_equal(ask(&first), E_DENIED);
	assert_int_equal(ask(&other), E_DENIED);
	assert_string_equal(other.err.text, "the cloud said no to try 1");
	start_anew(&rt);
	assert_int_equal(ask(&first), E_DENIED);
	assert_int_equal(made(), 1);
}

static void
failures_in_a_row_count_for_those_who_come_later(void **state UNUSED)
{
	struct ask a = { .waits = 8000 };
	int64_t began = clock_mono_ms();

	plan.fails = E_CONNECT;
	while (clock_mono_ms() - began < 2500) {	/* at 0 and 1 s */
		start_anew(&rt);
		assert_int_equal(ask(&a), E_CONNECT);
		usleep(100000);
	}
	assert_int_equal(made(), 2);
	usleep(800000);			/* at 3 s; and then from the first */
	plan.fails = 0;
	plan.lives = -1000;
	start_anew(&rt);
	assert_int_equal(ask(&a), 0);
	plan.fails = E_CONNECT;
	start_anew(&rt);
	assert_int_equal(ask(&a), E_CONNECT);
	usleep(1200000);
	start_anew(&rt);
	assert_int_equal(ask(&a), E_CONNECT);
	assert_int_equal(made(), 5);
}

static void
an_old_one_is_kept_by_those_who_start_meanwhile(void **state UNUSED)
{
	struct ask first = { .waits = 8000 };

	plan.lives = 60000;
	plan.margin = 59900;
	assert_int_equal(ask(&first), 0);
	usleep(150000);
	plan.fails = E_CONNECT;
	start_anew(&rt);
	assert_int_equal(ask(&first), 0);
	assert_string_equal(first.token, "key-1");
	assert_int_equal(made(), 2);
	start_anew(&rt);
	assert_int_equal(ask(&first), 0);
	assert_int_equal(made(), 2);
}

static void
what_is_due_is_renewed_by_one(void **state UNUSED)
{
	struct ask first = { .waits = 8000 };
	struct ask other = { .waits = 8000, .rt = &second };

	plan.lives = 60000;
	plan.margin = 59900;
	assert_int_equal(ask(&first), 0);
	usleep(150000);
	plan.lives = FOREVER;
	plan.takes = 300;
	assert_int_equal(ask(&first), 0);
	wait_made(2);
	/* It holds the lease: who starts now takes the old one. */
	start_anew(&second);
	assert_int_equal(ask(&other), 0);
	assert_string_equal(other.token, "key-1");
	usleep(500000);
	start_anew(&second);
	assert_int_equal(ask(&other), 0);
	assert_string_equal(other.token, "key-2");
	assert_int_equal(made(), 2);
}

static void
a_401_forces_one_for_all(void **state UNUSED)
{
	struct ask first = { .waits = 8000 };
	struct ask other = { .waits = 8000, .rt = &second };
	struct source_uses used;

	assert_int_equal(ask(&first), 0);
	assert_int_equal(ask(&other), 0);
	used = first.used;
	assert_true(sources_reject(rt.sources, &used));
	first.refused = used;
	assert_int_equal(ask(&first), 0);
	assert_string_equal(first.token, "key-2");
	/* The other one's 401 finds that, and forces none of its own. */
	used = other.used;
	assert_true(sources_reject(second.sources, &used));
	other.refused = used;
	assert_int_equal(ask(&other), 0);
	assert_string_equal(other.token, "key-2");
	assert_int_equal(made(), 2);
	/* Nor does one that starts and meets a 401 at once. */
	start_anew(&second);
	other.refused.n = 0;
	assert_int_equal(ask(&other), 0);
	used = other.used;
	assert_true(sources_reject(second.sources, &used));
	other.refused = used;
	assert_int_equal(ask(&other), E_BUSY);
	assert_int_equal(made(), 2);
}

static void
a_store_that_fails_costs_only_the_sharing(void **state UNUSED)
{
	struct ask first = { .waits = 8000 };
	struct ask other = { .waits = 8000, .rt = &second };
	static const char garbage[8192] = "no database";

	rig_remove_db();
	rig_write(rig_db, garbage, sizeof(garbage));
	assert_int_equal(ask(&first), 0);
	assert_int_equal(ask(&other), 0);
	assert_int_equal(made(), 2);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(one_process_makes_it_for_all),
		TEST(what_never_expires_is_shared_too),
		TEST(what_is_unshared_is_each_ones_own),
		TEST(a_failure_counts_for_all),
		TEST(failures_in_a_row_count_for_those_who_come_later),
		TEST(an_old_one_is_kept_by_those_who_start_meanwhile),
		TEST(what_is_due_is_renewed_by_one),
		TEST(a_401_forces_one_for_all),
		TEST(a_store_that_fails_costs_only_the_sharing),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
