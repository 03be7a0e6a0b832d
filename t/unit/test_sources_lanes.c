/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lanes of the credential pool: an issuer that hangs holds so many threads and
 * no more, whatever leads to it, and nobody waits for ever.
 */
#include "base.h"

#include "sources_private.h"
#include "sources_rig.h"

#define MANY 100

/*
 * A provider in two steps, named by the cluster's fields: `name` is the user,
 * `auth_provider` the lane of the second step ("" has none). A lane that
 * begins with "slow" waits at the gate.
 */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t cond;
	bool open;
	unsigned waiting, most;		/* at the gate */
	unsigned first, second;		/* made */
	bool nested;			/* the second is made in the first */
	bool circle;			/* and needs it itself */
	bool fails;
	bool brief;			/* the first, and good for a second */
	unsigned late;			/* u4000 and more wait for that too */
} gate = { .lock = PTHREAD_MUTEX_INITIALIZER, .cond =
    PTHREAD_COND_INITIALIZER };

static struct cluster clusters[8000];
static char names[8000][8];

static void
set(unsigned *number, unsigned n)
{
	__atomic_store_n(number, n, __ATOMIC_SEQ_CST);
}

static void
gate_pass(bool slow)
{
	pthread_mutex_lock(&gate.lock);
	if (slow) {
		set(&gate.waiting, gate.waiting + 1);
		set(&gate.most, SD_MAX(gate.most, gate.waiting));
		while (!gate.open)
			pthread_cond_wait(&gate.cond, &gate.lock);
		set(&gate.waiting, gate.waiting - 1);
	}
	pthread_mutex_unlock(&gate.lock);
}

static void
gate_open(void)
{
	pthread_mutex_lock(&gate.lock);
	gate.open = true;
	pthread_cond_broadcast(&gate.cond);
	pthread_mutex_unlock(&gate.lock);
}

static unsigned
seen(const unsigned *number)
{
	return __atomic_load_n(number, __ATOMIC_SEQ_CST);
}

static void
count(unsigned *number)
{
	__atomic_add_fetch(number, 1, __ATOMIC_SEQ_CST);
}

/* Up to 10 s, until it is so. */
static void
wait_seen(const unsigned *number, unsigned n)
{
	int i;

	for (i = 0; i < 1000 && seen(number) < n; i++)
		usleep(10000);
	assert_int_equal(seen(number), n);
}

static int ask_first(const struct provider_call *call, struct err *err);

static int
make_second(const struct provider_call *call, const void *ctx UNUSED,
    struct source_value *out, struct err *err)
{
	int r;

	if (gate.circle && (r = ask_first(call, err)) != 0)
		return r;
	gate_pass(str_starts(call->cluster->auth_provider, "slow"));
	count(&gate.second);
	if (gate.fails)
		return err_set(err, E_DENIED, "the issuer said no");
	secret_set(&out->part[0], call->cluster->name,
	    strlen(call->cluster->name));
	return 0;
}

static int
ask_second(const struct provider_call *call, struct source_value *v,
    struct err *err)
{
	const char *lane = call->cluster->auth_provider;
	const char *inputs[] = { call->cluster->name, lane, NULL };
	const struct source second = { .kind = "second", .inputs = inputs,
	    .make = make_second, .lane = lane[0] != '\0' ? lane : NULL,
	    .unshared = true };

	return call->source(call, &second, v, err);
}

static int
make_first(const struct provider_call *call, const void *ctx UNUSED,
    struct source_value *out, struct err *err)
{
	struct source_value v = SOURCE_VALUE_INIT;
	int r = 0;

	count(&gate.first);
	while (gate.brief && strcmp(call->cluster->name, "u4000") >= 0 &&
	    strlen(call->cluster->name) == 5 && !seen(&gate.late))
		usleep(1000);
	if (gate.nested)
		r = ask_second(call, &v, err);
	source_value_release(&v);
	secret_set(&out->part[0], "first", 5);
	if (gate.brief)
		out->expires = clock_wall_ms();
	return r;
}

static int
ask_first(const struct provider_call *call, struct err *err)
{
	const char *inputs[] = { call->cluster->name, NULL };
	const struct source first = { .kind = "first", .inputs = inputs,
	    .make = make_first, .lane = gate.circle ? "circle" :
	    gate.brief ? "brief" : NULL, .brief = gate.brief };
	struct source_value v;
	int r = call->source(call, &first, &v, err);

	source_value_release(&v);
	return r;
}

static enum provider_verdict
obtain_both(const void *state UNUSED, const struct provider_call *call,
    struct credential *out, struct err *err)
{
	struct source_value v;

	if (ask_first(call, err) != 0 || ask_second(call, &v, err) != 0)
		return PROVIDER_FAILED;
	credential_take_bearer(out, &v.part[0]);
	source_value_release(&v);
	return PROVIDER_OK;
}

static const struct provider_ops both = { .name = "both",
	.obtain = obtain_both };

static int
setup(void **state UNUSED)
{
	unsigned i;

	gate.open = gate.nested = gate.circle = gate.fails = gate.brief =
	    false;
	gate.waiting = gate.most = gate.first = gate.second = 0;
	set(&gate.late, 0);
	for (i = 0; i < 8000; i++) {
		snprintf(names[i], sizeof(names[i]), "u%u", i);
		clusters[i] = (struct cluster){ .name = names[i],
			.auth_provider = "slow", .provider = &both };
	}
	transport = transport_new(&(struct transport_options){ .threads = 1 });
	rt = runtime_with(sources_new(NULL));
	return 0;
}

static int
teardown(void **state UNUSED)
{
	gate_open();
	set(&gate.late, 1);
	sources_free(rt.sources);
	transport_free(transport);
	return 0;
}

/* Users from to to - 1 ask once, so that all that is needed is begun. */
static void
begin(unsigned from, unsigned to)
{
	unsigned char pending[SOURCE_KEY];
	unsigned i;

	for (i = from; i < to; i++) {
		struct ask a = { .cluster = &clusters[i] };

		assert_int_equal(ask_once(&a, pending), E_PENDING);
	}
}

static unsigned
threads(void)
{
	unsigned n;

	pthread_mutex_lock(&rt.sources->lock);
	n = rt.sources->threads - rt.sources->idle;
	pthread_mutex_unlock(&rt.sources->lock);
	return n;
}

static int
ask_for(unsigned i, const char *lane)
{
	struct ask a = { .cluster = &clusters[i], .waits = 5000 };
	int r;

	clusters[i].auth_provider = lane;
	r = ask(&a);
	if (r == 0)
		assert_string_equal(a.token, names[i]);
	return r;
}

/* ---- tests ---- */

static void
an_issuer_that_hangs_holds_16_threads(void **state UNUSED)
{
	struct ask a = { .cluster = &clusters[7], .waits = 5000 };
	unsigned i;

	begin(0, MANY);
	wait_seen(&gate.first, MANY);
	wait_seen(&gate.waiting, SOURCE_LANE_MAX);
	usleep(200000);
	assert_int_equal(seen(&gate.most), SOURCE_LANE_MAX);
	assert_int_equal(threads(), SOURCE_LANE_MAX);
	/* Other issuers, and what has no lane, go on. */
	for (i = MANY; i < 2 * MANY; i++)
		assert_int_equal(ask_for(i, i % 2 ? "quick" : ""), 0);
	gate_open();
	wait_seen(&gate.second, 2 * MANY);
	assert_int_equal(seen(&gate.most), SOURCE_LANE_MAX);
	assert_int_equal(ask(&a), 0);
	assert_int_equal(seen(&gate.first), 2 * MANY);
	assert_int_equal(seen(&gate.second), 2 * MANY);
	assert_null(rt.sources->lanes);
	assert_int_equal(rt.sources->jobs, 0);
}

static void
so_do_several(void **state UNUSED)
{
	static const char *const lanes[] = { "slow1", "slow2", "slow3",
	    "slow4", "slow5", "slow6", "slow7", "slow8" };
	unsigned i;

	for (i = 0; i < 8 * 20; i++)
		clusters[i].auth_provider = lanes[i % 8];
	begin(0, 8 * 20);
	wait_seen(&gate.first, 8 * 20);
	wait_seen(&gate.waiting, 96);
	usleep(200000);
	assert_int_equal(seen(&gate.most), 96);
	for (i = 200; i < 220; i++)	/* there is a thread for the rest */
		assert_int_equal(ask_for(i, ""), 0);
	gate_open();
	wait_seen(&gate.second, 8 * 20 + 20);
}

static void
who_waited_for_the_first_waits_for_the_second(void **state UNUSED)
{
	pthread_t waiters[32];
	struct ask asks[32];
	unsigned i, got = 0;
	void *ok;

	for (i = 0; i < 32; i++) {
		asks[i] = (struct ask){ .cluster = &clusters[i / 2],
			.waits = 10000 };
		pthread_create(&waiters[i], NULL, ask_thread, &asks[i]);
	}
	wait_seen(&gate.waiting, 16);
	gate_open();
	for (i = 0; i < 32; i++) {
		pthread_join(waiters[i], &ok);
		got += ok != NULL;
	}
	assert_int_equal(got, 32);
	assert_int_equal(seen(&gate.first), 16);
	assert_int_equal(seen(&gate.second), 16);
}

static void
one_that_needs_another_holds_no_thread(void **state UNUSED)
{
	struct ask a = { .cluster = &clusters[50], .waits = 5000 };
	pthread_t waiter;

	gate.nested = true;
	begin(0, MANY);
	pthread_create(&waiter, NULL, ask_thread, &a);
	wait_seen(&gate.waiting, SOURCE_LANE_MAX);
	/* Those at the gate came by the first as well. */
	wait_seen(&gate.first, MANY + SOURCE_LANE_MAX);
	usleep(300000);
	assert_int_equal(threads(), SOURCE_LANE_MAX);
	assert_int_equal(seen(&gate.first), MANY + SOURCE_LANE_MAX);
	gate_open();
	pthread_join(waiter, NULL);
	assert_string_equal(a.token, "u50");
	wait_seen(&gate.second, MANY);
	wait_seen(&gate.first, 2 * MANY);	/* none spun */
}

/* A session that was read a second ago is read anew before it is renewed,
   which no queue of those that hang may make impossible. */
static void
what_is_brief_is_made_on_the_way(void **state UNUSED)
{
	unsigned i;

	gate.brief = true;
	begin(0, MANY);
	wait_seen(&gate.waiting, SOURCE_LANE_MAX);
	wait_seen(&gate.first, MANY);
	usleep(1200000);		/* by now they are over */
	begin(4000, 4000 + SOURCE_LANE_MAX);	/* and their lane is full */
	gate_open();
	wait_seen(&gate.second, MANY);
	wait_seen(&gate.first, 2 * MANY);
	set(&gate.late, 1);
	wait_seen(&gate.second, MANY + SOURCE_LANE_MAX);
	for (i = 0; i < MANY; i++)
		assert_int_equal(ask_for(i, "slow"), 0);
	assert_int_equal(seen(&gate.second), MANY + SOURCE_LANE_MAX);
}

static void
what_it_needs_may_fail(void **state UNUSED)
{
	struct ask a = { .cluster = &clusters[3], .waits = 5000 };

	gate.nested = gate.fails = gate.open = true;
	assert_int_equal(ask(&a), E_DENIED);
	assert_string_equal(a.err.text, "the issuer said no");
	assert_int_equal(seen(&gate.second), 1);
}

static void
a_circle_fails(void **state UNUSED)
{
	gate.nested = gate.circle = gate.open = true;
	assert_int_equal(ask_for(1, "quick"), E_BUSY);
	assert_int_equal(ask_for(2, "quick"), E_BUSY);
}

static void
too_many_are_refused_in_their_own_lane(void **state UNUSED)
{
	struct ask a = { .cluster = &clusters[7000], .waits = 1000 };
	unsigned char pending[SOURCE_KEY];
	unsigned i, n = 0;

	for (i = 0; i < 50; i++) {
		begin(i * 60, i * 60 + 60);
		wait_seen(&gate.first, i * 60 + 60);
	}
	usleep(100000);
	for (i = 0; i < 3000; i++) {
		struct ask b = { .cluster = &clusters[i] };

		n += ask_once(&b, pending) == E_BUSY;
	}
	assert_int_equal(n, 3000 - 2048 - SOURCE_LANE_MAX);
	assert_int_equal(ask(&a), E_BUSY);
	assert_int_equal(ask_for(6000, "quick"), 0);
}

static void *
stop_thread(void *arg UNUSED)
{
	sources_stop(rt.sources);
	return NULL;
}

static void
stopping_drops_what_has_not_begun(void **state UNUSED)
{
	pthread_t thread;

	gate.nested = true;
	begin(0, MANY);
	wait_seen(&gate.waiting, SOURCE_LANE_MAX);
	wait_seen(&gate.first, MANY + SOURCE_LANE_MAX);
	pthread_create(&thread, NULL, stop_thread, NULL);
	usleep(200000);
	assert_int_equal(seen(&gate.second), 0);	/* nor cuts what has */
	gate_open();
	pthread_join(thread, NULL);
	assert_int_equal(seen(&gate.second), SOURCE_LANE_MAX);
	assert_int_equal(seen(&gate.first), MANY + SOURCE_LANE_MAX);
	assert_int_equal(rt.sources->jobs, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_issuer_that_hangs_holds_16_threads),
		TEST(so_do_several),
		TEST(who_waited_for_the_first_waits_for_the_second),
		TEST(one_that_needs_another_holds_no_thread),
		TEST(what_is_brief_is_made_on_the_way),
		TEST(what_it_needs_may_fail),
		TEST(a_circle_fails),
		TEST(too_many_are_refused_in_their_own_lane),
		TEST(stopping_drops_what_has_not_begun),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
