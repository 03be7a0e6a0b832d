/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is counted is exact, however many count; the text is as Prometheus
 * reads it; addresses are in networks or not.
 */
#include "base.h"

#include <pthread.h>
#include <setjmp.h>
#include <cmocka.h>

#include "err.h"
#include "exposition.h"
#include "metrics.h"
#include "strbuf.h"
#include "watchers.h"

#define THREADS 8
#define ROUNDS 100000

static pthread_barrier_t begin;

static void *
count_all(void *arg UNUSED)
{
	int i;

	pthread_barrier_wait(&begin);
	for (i = 0; i < ROUNDS; i++) {
		struct cluster_counts *c = metrics_cluster(i % 2 ? "one" :
		    "two");

		metric_add(METRIC_IN_FLIGHT, 1);
		metrics_request(3, i % 2 ? 200 : 418, i);
		metrics_answer(c, 200, i);
		metrics_failure(c, E_TLS);
		metrics_credential(c, i % 4 < 2);
		metrics_source(i % 2 ? "kind a" : "kind b", 0, i);
		metrics_event("sign-in", i % 2 ? "oidc" : "another");
		metrics_store(STORE_CALL_GET, E_NOTFOUND, i);
		metric_add(METRIC_IN_FLIGHT, -1);
	}
	return NULL;
}

static void *
read_all(void *arg UNUSED)
{
	struct histogram h;
	int i;

	for (i = 0; i < ROUNDS / 10; i++) {
		histogram_read(metrics_request_times(3), &h);
		metrics_requests(3, 2);
		metrics_events_of(4, 2);
		metric_get(METRIC_IN_FLIGHT);
		metrics_source_at(1);
	}
	return NULL;
}

static uint64_t
status_count(unsigned route, int status)
{
	size_t i = 0;

	while (metrics_statuses[i] != status)	/* 0: others */
		i++;
	return metrics_requests(route, i);
}

static void
counts_exactly(void **state UNUSED)
{
	pthread_t threads[THREADS + 1];
	const uint64_t all = THREADS * ROUNDS;
	struct histogram h;
	size_t i;

	pthread_barrier_init(&begin, NULL, THREADS);
	for (i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, count_all, NULL);
	pthread_create(&threads[i], NULL, read_all, NULL);
	for (i = 0; i <= THREADS; i++)
		pthread_join(threads[i], NULL);
	pthread_barrier_destroy(&begin);
	assert_int_equal(metric_get(METRIC_IN_FLIGHT), 0);
	assert_int_equal(status_count(3, 200), all / 2);
	assert_int_equal(status_count(3, 0), all / 2);
	assert_int_equal(histogram_read(metrics_request_times(3), &h), all);
	assert_int_equal(h.sum, all / ROUNDS * ROUNDS * (ROUNDS - 1) / 2);
	assert_int_equal(metrics_cluster("one")->answers[2], all / 2);
	assert_int_equal(metrics_cluster("two")->failures[FAILURE_TLS],
	    all / 2);
	assert_int_equal(metrics_source_at(0)->outcomes[OUTCOME_OK] +
	    metrics_source_at(1)->outcomes[OUTCOME_OK], all);
	assert_null(metrics_source_at(2));
	assert_int_equal(metrics_events_of(4, 2), all / 2);
	assert_int_equal(metrics_events_of(4, METRICS_LOGINS - 1), all / 2);
	assert_int_equal(metrics_store_of(STORE_CALL_GET)->outcomes[
	    OUTCOME_NOT_FOUND], all);
}

static void
bounds_names(void **state UNUSED)
{
	struct cluster_counts *c = NULL;
	char name[32];
	int i;

	for (i = 0; i < METRICS_CLUSTERS + 10; i++) {
		snprintf(name, sizeof(name), "cluster-%d", i);
		c = metrics_cluster(name);
	}
	assert_string_equal(c->name, "");
	assert_string_equal(metrics_cluster("cluster-7")->name, "cluster-7");
}

static void
puts_times_in_buckets(void **state UNUSED)
{
	struct histogram h = { .sum = 0 };

	histogram_add(&h, -5);		/* a clock that went back */
	histogram_add(&h, 500);
	histogram_add(&h, 501);
	histogram_add(&h, 30000000);
	histogram_add(&h, 30000001);
	assert_int_equal(h.buckets[0], 2);
	assert_int_equal(h.buckets[1], 1);
	assert_int_equal(h.buckets[HISTOGRAM_BOUNDS - 1], 1);
	assert_int_equal(h.buckets[HISTOGRAM_BOUNDS], 1);
	assert_int_equal(h.sum, 60001002);
}

static void
prints_and_escapes(void **state UNUSED)
{
	struct strbuf sb = STRBUF_INIT(STRBUF_UNLIMITED);
	struct exposition x = { .out = &sb };

	exposition_family(&x, "a_total", "counter", "Words.");
	exposition_sample(&x, NULL, 7);
	exposition_sample(&x, LABELS({ "k", "a\"b\\c\nd" },
	    { "l", "caf\xc3\xa9 \xff\xc3" }), -1);
	exposition_real(&x, LABELS({ "k", "" }), 0.25);
	assert_string_equal(sb.buf, "# HELP a_total Words.\n"
	    "# TYPE a_total counter\n"
	    "a_total 7\n"
	    "a_total{k=\"a\\\"b\\\\c\\nd\",l=\"caf\xc3\xa9 ??\"} -1\n"
	    "a_total{k=\"\"} 0.250000\n");
	strbuf_release(&sb);
}

static void
prints_histograms(void **state UNUSED)
{
	struct strbuf sb = STRBUF_INIT(STRBUF_UNLIMITED);
	struct exposition x = { .out = &sb };
	struct histogram h = { .sum = 0 };

	histogram_add(&h, 400);
	histogram_add(&h, 9000000);
	histogram_add(&h, 99000000);
	exposition_family(&x, "t", "histogram", "T.");
	exposition_histogram(&x, LABELS({ "k", "v" }), &h, 13);
	assert_string_equal(sb.buf, "# HELP t T.\n# TYPE t histogram\n"
	    "t_bucket{k=\"v\",le=\"10\"} 2\n"
	    "t_bucket{k=\"v\",le=\"30\"} 2\n"
	    "t_bucket{k=\"v\",le=\"+Inf\"} 3\n"
	    "t_sum{k=\"v\"} 108.000400\n"
	    "t_count{k=\"v\"} 3\n");
	strbuf_release(&sb);
}

static void
knows_networks(void **state UNUSED)
{
	static const struct {
		const char *network, *address;
		bool in;
	} cases[] = {
		{ "127.0.0.1/8", "127.9.8.7", true },
		{ "127.0.0.1/8", "128.0.0.1", false },
		{ "10.1.2.3", "10.1.2.3", true },
		{ "10.1.2.3", "10.1.2.4", false },
		{ "10.1.2.0/23", "10.1.3.255", true },
		{ "10.1.2.0/23", "10.1.4.0", false },
		{ "0.0.0.0/0", "203.0.113.9", true },
		{ "0.0.0.0/0", "2001:db8::1", false },
		{ "::1", "::1", true },
		{ "::1", "::2", false },
		{ "2001:db8::/33", "2001:db8:7fff::1", true },
		{ "2001:db8::/33", "2001:db8:8000::1", false },
		{ "127.0.0.1/8", "::ffff:127.0.0.1", true },
		{ "127.0.0.1/8", "unix:", false },
		{ "127.0.0.1/8", "", false },
		{ "127.0.0.1/8", "127.0.0.1, 127.0.0.1", false },
		{ "127.0.0.1/8", " 127.0.0.1", false },
		{ "::/0", "::1%lo", false },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(cases); i++)
		if (network_has(cases[i].network, cases[i].address) !=
		    cases[i].in)
			fail_msg("%s in %s", cases[i].address,
			    cases[i].network);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_exactly),
		cmocka_unit_test(bounds_names),
		cmocka_unit_test(puts_times_in_buckets),
		cmocka_unit_test(prints_and_escapes),
		cmocka_unit_test(prints_histograms),
		cmocka_unit_test(knows_networks),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
