/* SPDX-License-Identifier: Apache-2.0 */
/* Leases: who has one, until when, whatever the clock does; and threads. */
#include "base.h"

#include <pthread.h>

#include "store_rig.h"

#define HOUR 3600000
#define NOW 1790000000000

static struct store_item lease_item;

static int
lease(struct store *st, int64_t ms, struct store_lease *out)
{
	struct err err = ERR_INIT;
	int r = store_lease(st, &lease_item, ms, out, &err);

	assert_int_equal(err.code, r);
	return r;
}

static void
gives_a_lease_to_one(void **state UNUSED)
{
	struct store *st = rig_open();
	struct store *other = str_eq(rig_type, "memory") ? st : rig_open();
	struct store_lease one, two, three;
	struct store_item item = rig_item(2);

	lease_item = rig_item(1);
	rig_now = NOW;
	assert_int_equal(lease(st, 1000, &one), 0);
	assert_int_equal(lease(st, 1000, &two), E_BUSY);
	assert_int_equal(lease(other, 1000, &two), E_BUSY);
	assert_int_equal(store_lease(other, &item, 1000, &three, NULL), 0);
	store_lease_end(st, &one);
	assert_int_equal(lease(other, 1000, &two), 0);
	/* The first has no more say in it. */
	store_lease_end(st, &one);
	assert_int_equal(store_lease_renew(st, &one, 1000, NULL), E_BUSY);
	assert_int_equal(lease(st, 1000, &three), E_BUSY);
	assert_int_equal(store_lease_renew(other, &two, 1000, NULL), 0);
	assert_memory_not_equal(one.owner, two.owner, sizeof(one.owner));
	if (other != st)
		store_close(other);
	store_close(st);
}

static void
ends_a_lease_in_time(void **state UNUSED)
{
	struct store *st = rig_open();
	struct store_lease one, two;

	lease_item = rig_item(1);
	rig_now = NOW;
	assert_int_equal(lease(st, 1000, &one), 0);
	rig_now = NOW + 900;
	assert_int_equal(store_lease_renew(st, &one, 1000, NULL), 0);
	rig_now = NOW + 1899;
	assert_int_equal(lease(st, 1000, &two), E_BUSY);
	rig_now = NOW + 1900;
	assert_int_equal(lease(st, 1000, &two), 0);
	assert_int_equal(store_lease_renew(st, &one, 1000, NULL), E_BUSY);
	/* Late, but nobody took it meanwhile: it is still ours. */
	rig_now = NOW + 5000;
	assert_int_equal(store_lease_renew(st, &two, 1000, NULL), 0);
	assert_int_equal(lease(st, 1000, &one), E_BUSY);
	store_lease_end(st, &two);
	assert_int_equal(store_lease_renew(st, &two, 1000, NULL), E_BUSY);
	store_close(st);
}

static void
bears_a_clock_that_jumps(void **state UNUSED)
{
	struct store *st = rig_open();
	struct store_lease one, two;

	lease_item = rig_item(1);
	rig_now = NOW;
	assert_int_equal(lease(st, 1000, &one), 0);
	/* Back by an hour: whoever died keeps it for as long again only. */
	rig_now = NOW - HOUR;
	assert_int_equal(lease(st, 1000, &two), E_BUSY);
	rig_now = NOW - HOUR + 999;
	assert_int_equal(lease(st, 1000, &two), E_BUSY);
	rig_now = NOW - HOUR + 1000;
	assert_int_equal(lease(st, 1000, &two), 0);
	assert_int_equal(store_lease_renew(st, &one, 1000, NULL), E_BUSY);
	/* Forward: it is free at once, and its owner hears of it. */
	rig_now = NOW;
	assert_int_equal(lease(st, 1000, &one), 0);
	assert_int_equal(store_lease_renew(st, &two, 1000, NULL), E_BUSY);
	store_close(st);
}

static void
bounds_leases(void **state UNUSED)
{
	struct store *st = rig_open();
	struct store_lease one, two;

	lease_item = rig_item(1);
	rig_now = NOW;
	assert_int_equal(lease(st, INT64_MAX, &one), 0);
	rig_now += STORE_LEASE_MAX - 1;
	assert_int_equal(lease(st, 1000, &two), E_BUSY);
	rig_now++;
	assert_int_equal(lease(st, -5, &two), 0);
	assert_int_equal(lease(st, 1000, &one), E_BUSY);
	assert_int_equal(store_lease_renew(st, &two, 2 * STORE_LEASE_MAX,
	    NULL), 0);
	rig_now += STORE_LEASE_MAX;
	assert_int_equal(lease(st, 1000, &one), 0);
	store_close(st);
}

/* Sign-ins leave leases that nobody gives back. */
static void
forgets_leases_that_are_over(void **state UNUSED)
{
	struct store_lease one;
	struct store *st;
	unsigned i;

	rig_limits.rows = 100;
	rig_limits.pages = 64;		/* 256 KiB */
	rig_now = NOW;
	st = rig_open();
	for (i = 0; i < 20000; i++) {
		lease_item = rig_item(i);
		assert_int_equal(lease(st, 1000, &one), 0);
		rig_now += 20;
	}
	/* Those that are not stay, and then it is full. */
	for (i = 0; i < 20000 && store_lease(st, &lease_item, 1000, &one,
	    NULL) != E_STORE; i++)
		lease_item = rig_item(i);
	assert_in_range(i, 40, 19999);
	lease_item = rig_item(10);
	assert_int_equal(lease(st, 1000, &one), E_BUSY);
	store_close(st);
}

/* --- Threads -------------------------------------------------------------- */

#define THREADS 6
#define TURNS 15

static struct {
	struct store *st;
	pthread_mutex_t lock;
	int inside, most, won;
} arena = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void
in_turn(int step)
{
	pthread_mutex_lock(&arena.lock);
	arena.inside += step;
	arena.most = SD_MAX(arena.most, arena.inside);
	arena.won += step > 0;
	pthread_mutex_unlock(&arena.lock);
}

static void *
contend(void *arg)
{
	const unsigned n = *(unsigned *)arg;
	struct store_lease mine;
	char text[32];
	int turns = 0;

	while (turns < TURNS) {
		if (store_lease(arena.st, &lease_item, 60000, &mine,
		    NULL) != 0) {
			usleep(200);
			continue;
		}
		in_turn(1);
		snprintf(text, sizeof(text), "%u of %u", turns, n);
		if (rig_put(arena.st, n, text, 0) != 0)
			abort();
		in_turn(-1);
		store_lease_end(arena.st, &mine);
		turns++;
	}
	return NULL;
}

static void
serves_threads(void **state UNUSED)
{
	unsigned names[THREADS], i;
	pthread_t threads[THREADS];
	char text[32];

	lease_item = rig_item(1000);
	rig_limits.wait_ms = 60000;
	arena.st = rig_open();
	arena.inside = arena.most = arena.won = 0;
	for (i = 0; i < THREADS; i++) {
		names[i] = i;
		assert_int_equal(pthread_create(&threads[i], NULL, contend,
		    &names[i]), 0);
	}
	for (i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(arena.won, THREADS * TURNS);
	assert_int_equal(arena.most, 1);
	for (i = 0; i < THREADS; i++) {
		snprintf(text, sizeof(text), "%u of %u", TURNS - 1, i);
		rig_has(arena.st, i, text);
	}
	store_close(arena.st);
}

/* Redis's clock is no test's: test_store_redis.c has what depends on it. */
#define OURS(f) RIG_ON(f, "memory"), RIG_ON(f, "sqlite")

int
main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_ALL(gives_a_lease_to_one),
		OURS(ends_a_lease_in_time),
		OURS(bears_a_clock_that_jumps),
		OURS(bounds_leases),
		OURS(forgets_leases_that_are_over),
		RIG_ALL(serves_threads),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
