/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An upstream that may connect to public addresses only: lists, streams and
 * the breaker's probe are held to it at each connection, and use none that
 * was made without that rule.
 */
#include "base.h"

#include <setjmp.h>
#include <cmocka.h>

#include "rig.h"

static bool
answer(struct server_request *rq)
{
	return server_answer(rq, 200, "{}");
}

static struct upstream *
guarded(struct rig *r, const char *url, unsigned breaker_failures)
{
	const struct upstream_options opt = { .url = url,
	    .public_only = true, .connect_timeout = 0.5,
	    .timeout = RIG_TIMEOUT, .breaker_failures = breaker_failures,
	    .breaker_probe = 0.05 };
	struct upstream *up = NULL;

	assert_int_equal(upstream_get(r->transport, &opt, &up, NULL), 0);
	return up;
}

static void
assert_refused(struct rig *r, struct upstream *up)
{
	struct fetch f;

	assert_int_equal(rig_fetch(r, up, "/", &f), E_CONNECT);
	assert_string_equal(f.err.text, "'127.0.0.1' stands for an address "
	    "that is not public");
	assert_int_equal(f.status, 0);
	strbuf_release(&f.body);
}

static void
a_list_is_refused(void **state UNUSED)
{
	struct rig r;
	struct upstream *up;

	rig_start(&r, answer);
	up = guarded(&r, r.server.url, 0);
	assert_ptr_not_equal(up, r.up);		/* of the same address */
	assert_refused(&r, up);
	assert_int_equal(r.server.connections, 0);
	upstream_put(up);
	rig_stop(&r);
}

/* One with that rule finds none that others made and left open. */
static void
an_open_connection_is_not_used(void **state UNUSED)
{
	struct rig r;
	struct upstream *ups[4];
	struct fetch f;
	unsigned i;

	rig_start(&r, answer);
	assert_int_equal(rig_fetch(&r, r.up, "/", &f), 0);
	strbuf_release(&f.body);
	/* So many that each thread has one. */
	for (i = 0; i < ARRAY_LEN(ups); i++) {
		ups[i] = guarded(&r, r.server.url, 10 + i);
		assert_refused(&r, ups[i]);
	}
	assert_int_equal(rig_fetch(&r, r.up, "/", &f), 0);
	strbuf_release(&f.body);
	assert_int_equal(r.server.connections, 1);
	for (i = 0; i < ARRAY_LEN(ups); i++)
		upstream_put(ups[i]);
	rig_stop(&r);
}

static void
a_stream_is_refused(void **state UNUSED)
{
	struct rig r;
	struct upstream *up;
	struct client c;

	rig_start(&r, answer);
	up = guarded(&r, r.server.url, 0);
	client_init(&c, &r, "GET", "/");
	assert_int_equal(client_run(&c, &r), 0);	/* leaves a lane */
	client_release(&c);
	client_init(&c, &r, "GET", "/");
	c.rq.up = up;
	assert_int_equal(client_run(&c, &r), E_CONNECT);
	assert_non_null(strstr(c.err.text, "not public"));
	assert_int_equal(c.heads, 0);
	client_release(&c);
	assert_int_equal(r.server.connections, 1);
	upstream_put(up);
	rig_stop(&r);
}

static void
a_probe_is_refused(void **state UNUSED)
{
	const struct timespec pause = { 0, 80 * 1000000 };
	struct rig r;
	struct upstream *up;
	struct fetch f;
	unsigned i;

	rig_start(&r, answer);
	up = guarded(&r, r.server.url, 1);
	assert_refused(&r, up);
	for (i = 0; i < 4; i++) {
		nanosleep(&pause, NULL);
		assert_int_equal(rig_fetch(&r, up, "/", &f), E_BREAKER);
		strbuf_release(&f.body);
	}
	assert_int_equal(r.server.connections, 0);
	upstream_put(up);
	rig_stop(&r);
}

/* Names too, and each notation that the system puts up with. */
static void
notations_make_no_difference(void **state UNUSED)
{
	static const char *const hosts[] = { "localhost", "127.1", "0x7f.1",
	    "2130706433", "[::1]", "[::ffff:127.0.0.1]" };
	struct rig r;
	struct upstream *up;
	struct fetch f;
	char url[128];
	size_t i;

	rig_start(&r, answer);
	for (i = 0; i < ARRAY_LEN(hosts); i++) {
		snprintf(url, sizeof(url), "http://%s%s", hosts[i],
		    strrchr(r.server.url, ':'));
		up = guarded(&r, url, 0);
		assert_int_equal(rig_fetch(&r, up, "/", &f), E_CONNECT);
		assert_non_null(strstr(f.err.text, "not public"));
		strbuf_release(&f.body);
		upstream_put(up);
	}
	assert_int_equal(r.server.connections, 0);
	rig_stop(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_list_is_refused),
		cmocka_unit_test(an_open_connection_is_not_used),
		cmocka_unit_test(a_stream_is_refused),
		cmocka_unit_test(a_probe_is_refused),
		cmocka_unit_test(notations_make_no_difference),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
