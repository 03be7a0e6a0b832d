/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reads: who shares a read with whom, what may be used again, and what
 * becomes of a read when some or all leave.
 */
#include "base.h"

#include <pthread.h>
#include <setjmp.h>
#include <cmocka.h>

#include "reads_rig.h"

#define CROWD 16

static struct rig rig;
static struct reads *reads;
static struct upstream *up;
static struct credential bob;
static unsigned left, status, delay_ms;

/* ---- the cluster ---- */

static bool
cluster(struct server_request *rq)
{
	const char *who = server_header(rq, "authorization");
	char body[512];

	if (strcmp(rq->target, "/hang") == 0) {
		server_drain(rq);
		__atomic_add_fetch(&left, 1, __ATOMIC_SEQ_CST);
		return false;
	}
	if (strcmp(rq->target, "/nonsense") == 0)
		return server_answer(rq, 200, "{\"kind\":\"none\"}");
	usleep(1000 * __atomic_load_n(&delay_ms, __ATOMIC_SEQ_CST));
	snprintf(body, sizeof(body), "{\"items\":[\"%s %u\"]}",
	    who != NULL ? who : "nobody",
	    __atomic_load_n(&rq->server->requests, __ATOMIC_SEQ_CST));
	return server_answer(rq, (int)status, body);
}

static int
setup(void **state UNUSED)
{
	rig_start(&rig, cluster);
	reads = reads_new();
	up = patient_upstream(&rig, 10);
	rig_bearer(&bob, "bob");
	left = 0;
	status = 200;
	delay_ms = 0;
	return 0;
}

static int
teardown(void **state UNUSED)
{
	reads_free(reads);
	upstream_put(up);
	credential_release(&bob);
	rig_stop(&rig);
	return 0;
}

static unsigned
asked(void)
{
	return __atomic_load_n(&rig.server.requests, __ATOMIC_SEQ_CST);
}

/* One list, waited for; its status, or its error's code. */
static int
ask_once(const struct credential *cred, const char *path, double fresh)
{
	struct ask a = { .batch = NULL };
	struct fetch *f = &a.fetches[0];
	char *items;
	int r;

	ask_add(&a, up, cred, path);
	ask_submit(&a, &rig, reads, fresh);
	assert_ptr_equal(batch_wait(a.batch, NULL), &a.group);
	r = f->err.code != 0 ? f->err.code : f->status;
	items = ask_items(&a, 0);
	if (items != NULL)
		assert_non_null(strstr(items, cred->value.ptr));
	free(items);
	ask_release(&a);
	return r;
}

/* ---- at the same moment ---- */

static void
crowd_asks(struct ask *all, const char *path)
{
	int i;

	memset(all, 0, CROWD * sizeof(*all));
	for (i = 0; i < CROWD; i++) {
		ask_add(&all[i], up, &rig.cred, path);
		ask_submit(&all[i], &rig, reads, 0);
	}
}

static void
reads_once_for_all(void **state UNUSED)
{
	struct ask all[CROWD];
	char *items;
	int i;

	delay_ms = 50;
	crowd_asks(all, "/list");
	for (i = 0; i < CROWD; i++) {
		assert_ptr_equal(batch_wait(all[i].batch, NULL),
		    &all[i].group);
		items = ask_items(&all[i], 0);
		assert_string_equal(items, "[\"Bearer alice 1\"]");
		free(items);
		ask_release(&all[i]);
	}
	assert_int_equal(asked(), 1);
	assert_int_equal(ask_once(&rig.cred, "/list", 0), 200);
	assert_int_equal(asked(), 2);
}

static void
shares_with_no_other_question(void **state UNUSED)
{
	static const char *const acting[] = { "Impersonate-User: carol",
	    NULL };
	struct credential as_carol = rig.cred;
	struct ask all[5];
	int i;

	as_carol.acting = acting;
	memset(all, 0, sizeof(all));
	delay_ms = 50;
	ask_add(&all[0], up, &rig.cred, "/list");
	ask_add(&all[1], up, &bob, "/list");
	ask_add(&all[2], up, &as_carol, "/list");
	ask_add(&all[3], up, &rig.cred, "/list?labelSelector=a");
	ask_add(&all[4], up, &rig.cred, "/list");
	all[4].fetches[0].limit++;
	for (i = 0; i < 5; i++)
		ask_submit(&all[i], &rig, reads, 0);
	for (i = 0; i < 5; i++) {
		batch_wait(all[i].batch, NULL);
		assert_int_equal(all[i].fetches[0].status, 200);
		ask_release(&all[i]);
	}
	assert_int_equal(asked(), 5);
}

static void
joins_nothing_that_is_old(void **state UNUSED)
{
	struct upstream *hasty = patient_upstream(&rig, 0.4);
	struct ask first = { .batch = NULL }, second = { .batch = NULL };

	delay_ms = 200;		/* a fourth of the time is 100 */
	ask_add(&first, hasty, &rig.cred, "/list");
	ask_add(&second, hasty, &rig.cred, "/list");
	ask_submit(&first, &rig, reads, 0);
	usleep(120000);
	ask_submit(&second, &rig, reads, 0);
	batch_wait(second.batch, NULL);
	assert_int_equal(second.fetches[0].status, 200);
	ask_release(&first);
	ask_release(&second);
	assert_int_equal(asked(), 2);
	upstream_put(hasty);
}

static void
sees_what_was_written(void **state UNUSED)
{
	struct ask before = { .batch = NULL };

	delay_ms = 100;
	ask_add(&before, up, &rig.cred, "/list");
	ask_submit(&before, &rig, reads, 0);
	upstream_wrote(up);
	assert_int_equal(ask_once(&rig.cred, "/list", 5), 200);
	assert_int_equal(asked(), 2);
	upstream_wrote(up);
	assert_int_equal(ask_once(&rig.cred, "/list", 5), 200);
	assert_int_equal(asked(), 3);
	ask_release(&before);
}

/* ---- failures ---- */

static void
shares_a_failure_with_those_who_wait(void **state UNUSED)
{
	struct ask all[CROWD];
	int i;

	delay_ms = 50;
	status = 500;
	crowd_asks(all, "/list");
	for (i = 0; i < CROWD; i++) {
		batch_wait(all[i].batch, NULL);
		assert_int_equal(all[i].fetches[0].status, 500);
		ask_release(&all[i]);
	}
	assert_int_equal(asked(), 1);
	status = 200;
	assert_int_equal(ask_once(&rig.cred, "/list", 5), 200);
	assert_int_equal(asked(), 2);
}

static void
uses_no_failure_again(void **state UNUSED)
{
	status = 404;
	assert_int_equal(ask_once(&rig.cred, "/list", 5), 404);
	status = 200;
	assert_int_equal(ask_once(&rig.cred, "/list", 5), 200);
	assert_int_equal(ask_once(&rig.cred, "/nonsense", 5), 200);
	assert_int_equal(ask_once(&rig.cred, "/nonsense", 5), 200);
	assert_int_equal(asked(), 4);
}

static void
times_out_together(void **state UNUSED)
{
	struct upstream *hasty = patient_upstream(&rig, 0.3);
	struct ask all[2];
	int64_t began = rig_ms();
	int i;

	memset(all, 0, sizeof(all));
	for (i = 0; i < 2; i++) {
		ask_add(&all[i], hasty, &rig.cred, "/hang");
		ask_submit(&all[i], &rig, reads, 0);
	}
	for (i = 0; i < 2; i++) {
		batch_wait(all[i].batch, NULL);
		assert_int_equal(all[i].fetches[0].err.code, E_TIMEOUT);
		ask_release(&all[i]);
	}
	assert_in_range(rig_ms() - began, 250, 3000);
	assert_int_equal(asked(), 1);
	upstream_put(hasty);
}

/* ---- leaving ---- */

static void
goes_on_for_those_who_stay(void **state UNUSED)
{
	struct ask all[CROWD];
	int i;

	delay_ms = 100;
	crowd_asks(all, "/list");
	for (i = 0; i < CROWD - 1; i++)		/* who began it, too */
		ask_release(&all[i]);
	assert_ptr_equal(batch_wait(all[i].batch, NULL), &all[i].group);
	assert_int_equal(all[i].fetches[0].status, 200);
	ask_release(&all[i]);
	assert_int_equal(asked(), 1);
}

static void
stops_when_the_last_one_leaves(void **state UNUSED)
{
	struct reads_counts counts;
	struct ask all[CROWD];
	int i;

	crowd_asks(all, "/hang");
	assert_int_equal(server_wait(&rig.server.requests, 1, 3000), 1);
	for (i = 0; i < CROWD - 1; i++)
		ask_release(&all[i]);
	assert_int_equal(server_wait(&left, 1, 100), 0);
	ask_release(&all[i]);
	assert_int_equal(server_wait(&left, 1, 3000), 1);
	/* The server sees it before the transport says so. */
	for (i = 0, reads_count(reads, &counts); counts.under_way > 0 &&
	    i < 300; i++, reads_count(reads, &counts))
		usleep(10000);
	assert_int_equal(counts.under_way, 0);
}

static void
begins_anew_after_all_left(void **state UNUSED)
{
	struct ask a = { .batch = NULL };

	delay_ms = 100;
	ask_add(&a, up, &rig.cred, "/list");
	ask_submit(&a, &rig, reads, 0);
	assert_int_equal(server_wait(&rig.server.requests, 1, 3000), 1);
	ask_release(&a);
	assert_int_equal(ask_once(&rig.cred, "/list", 0), 200);
	assert_int_equal(asked(), 2);
}

/* ---- fresh ---- */

static void
uses_again_what_is_fresh(void **state UNUSED)
{
	int i;

	for (i = 0; i < 5; i++)
		assert_int_equal(ask_once(&rig.cred, "/list", 5), 200);
	assert_int_equal(asked(), 1);
	assert_int_equal(ask_once(&bob, "/list", 5), 200);
	assert_int_equal(asked(), 2);
	assert_int_equal(ask_once(&rig.cred, "/list", 0), 200);
	assert_int_equal(asked(), 3);
	assert_int_equal(ask_once(&rig.cred, "/list", 0.1), 200);
	usleep(150000);
	assert_int_equal(ask_once(&rig.cred, "/list", 0.1), 200);
	assert_int_equal(asked(), 5);
}

static void
keeps_no_secrets(void **state UNUSED)
{
	struct reads_counts counts;
	struct ask a = { .batch = NULL };
	int i;

	for (i = 0; i < 2; i++) {
		ask_add(&a, up, &rig.cred, "/api/v1/secrets");
		a.fetches[0].unkept = true;
		ask_submit(&a, &rig, reads, 5);
		batch_wait(a.batch, NULL);
		assert_int_equal(a.fetches[0].status, 200);
		ask_release(&a);
	}
	assert_int_equal(asked(), 2);
	reads_count(reads, &counts);
	assert_int_equal(counts.kept, 0);
}

static void
forgets_what_is_old(void **state UNUSED)
{
	struct reads_counts counts;

	ask_once(&rig.cred, "/list", 0.1);
	reads_sweep(reads);
	reads_count(reads, &counts);
	assert_int_equal(counts.kept, 1);
	assert_true(counts.kept_bytes > 0);
	usleep(150000);
	reads_sweep(reads);
	reads_count(reads, &counts);
	assert_int_equal(counts.kept, 0);
	assert_int_equal(counts.kept_bytes, 0);
}

static void
keeps_no_more_than_it_may(void **state UNUSED)
{
	struct reads_counts counts;
	char path[32];
	int i;

	for (i = 0; i < READS_KEPT + 50; i += ASK_MAX) {
		struct ask a = { .batch = NULL };
		char paths[ASK_MAX][32];
		int n;

		for (n = 0; n < ASK_MAX; n++) {
			snprintf(paths[n], sizeof(paths[n]), "/%d", i + n);
			ask_add(&a, up, &rig.cred, paths[n]);
		}
		ask_submit(&a, &rig, reads, 60);
		batch_wait(a.batch, NULL);
		ask_release(&a);
	}
	reads_count(reads, &counts);
	assert_int_equal(counts.kept, READS_KEPT);
	snprintf(path, sizeof(path), "/%d", i - 1);
	i = (int)asked();
	assert_int_equal(ask_once(&rig.cred, path, 60), 200);
	assert_int_equal(asked(), i);
	assert_int_equal(ask_once(&rig.cred, "/0", 60), 200);
	assert_int_equal(asked(), i + 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(reads_once_for_all),
		TEST(shares_with_no_other_question),
		TEST(joins_nothing_that_is_old),
		TEST(sees_what_was_written),
		TEST(shares_a_failure_with_those_who_wait),
		TEST(uses_no_failure_again),
		TEST(times_out_together),
		TEST(goes_on_for_those_who_stay),
		TEST(stops_when_the_last_one_leaves),
		TEST(begins_anew_after_all_left),
		TEST(uses_again_what_is_fresh),
		TEST(keeps_no_secrets),
		TEST(forgets_what_is_old),
		TEST(keeps_no_more_than_it_may),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
