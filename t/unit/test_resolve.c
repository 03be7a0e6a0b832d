/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A name server that does not answer holds up nobody but those who ask for
 * its names, and them no longer than the deadline for connecting.
 */
#include "base.h"

#include <dlfcn.h>
#include <netdb.h>
#include <setjmp.h>
#include <cmocka.h>

#include "rig.h"

#define HANGS 2		/* seconds; more than any deadline here */

static unsigned asked;

/* libcurl finds this one before libc's. */
__attribute__((visibility("default"))) int
getaddrinfo(const char *node, const char *service,
    const struct addrinfo *hints, struct addrinfo **res)
{
	int (*real)(const char *, const char *, const struct addrinfo *,
	    struct addrinfo **);

	if (node != NULL && strstr(node, "hangs") != NULL) {
		__atomic_add_fetch(&asked, 1, __ATOMIC_SEQ_CST);
		sleep(HANGS);
		return EAI_AGAIN;
	}
	*(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
	return real(node, service, hints, res);
}

static bool
cluster(struct server_request *rq)
{
	return server_answer(rq, 200, "ok");
}

static int
setup(void **state)
{
	struct rig *r = xcalloc(1, sizeof(*r));

	asked = 0;
	rig_start(r, cluster);
	*state = r;
	return 0;
}

/* What resolves still is left to itself; wait so that no leak is seen. */
static int
teardown(void **state)
{
	int64_t began = rig_ms();

	rig_stop(*state);
	if (rig_ms() - began > 500)
		return -1;
	free(*state);
	sleep(HANGS);
	return 0;
}

static void
costs_only_its_own_row(void **state)
{
	struct rig *r = *state;
	/* Upstreams go to threads in turn: these are on one. */
	struct upstream *other = rig_upstream(r, "http://127.0.0.1:1", 0);
	struct upstream *hung = rig_upstream(r, "http://hangs.test:1", 0);
	struct fetch bad = { .up = hung, .path = "/", .cred = &r->cred };
	struct fetch good = { .up = r->up, .path = "/", .cred = &r->cred,
		.limit = 64 };
	struct fetch_group b = { .fetches = &bad, .n = 1 };
	struct fetch_group g = { .fetches = &good, .n = 1 };
	struct batch *batch = batch_new(r->transport, -1);
	int64_t began = rig_ms();

	batch_submit(batch, &b);
	assert_int_equal(server_wait(&asked, 1, 1000), 1);
	batch_submit(batch, &g);
	assert_ptr_equal(batch_wait(batch, NULL), &g);
	assert_int_equal(good.err.code, 0);
	assert_in_range(rig_ms() - began, 0, 300);
	assert_ptr_equal(batch_wait(batch, NULL), &b);
	assert_int_equal(bad.err.code, E_TIMEOUT);
	assert_string_equal(bad.err.text, "connect ETIMEDOUT hangs.test");
	assert_in_range(rig_ms() - began, 400, 900);
	batch_free(batch);
	strbuf_release(&good.body);
	upstream_put(other);
	upstream_put(hung);
}

static void
does_not_hold_up_who_cancels(void **state)
{
	struct rig *r = *state;
	struct upstream *hung = rig_upstream(r, "http://hangs.test:1", 0);
	struct fetch bad = { .up = hung, .path = "/", .cred = &r->cred };
	struct fetch_group b = { .fetches = &bad, .n = 1 };
	struct batch *batch = batch_new(r->transport, -1);
	int64_t began;

	batch_submit(batch, &b);
	assert_int_equal(server_wait(&asked, 1, 1000), 1);
	began = rig_ms();
	batch_free(batch);
	assert_int_equal(bad.err.code, E_GONE);
	assert_in_range(rig_ms() - began, 0, 200);
	upstream_put(hung);
}

static void
bounds_a_stream_too(void **state)
{
	struct rig *r = *state;
	struct client c;
	int64_t began = rig_ms();

	upstream_put(r->up);
	r->up = rig_upstream(r, "http://hangs.test:1", 0);
	client_init(&c, r, "GET", "/");
	assert_int_equal(client_run(&c, r), E_TIMEOUT);
	assert_in_range(rig_ms() - began, 400, 900);
	client_release(&c);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(costs_only_its_own_row),
		TEST(does_not_hold_up_who_cancels),
		TEST(bounds_a_stream_too),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
