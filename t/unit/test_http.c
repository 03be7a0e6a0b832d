/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exchanges with a cloud: what goes out byte for byte, what comes back of
 * header and body, and every way not to get an answer.
 */
#include "base.h"

#include <setjmp.h>
#include <cmocka.h>

#include "clock.h"
#include "http.h"
#include "rig.h"

static bool
is(const struct server_request *rq, const char *target)
{
	return strcmp(rq->target, target) == 0;
}

/* Says what came: method, target, body. */
static bool
answer_echo(struct server_request *rq)
{
	const char *length = server_header(rq, "content-length");
	size_t n, want = length ? strtoul(length, NULL, 10) : 0;
	char body[512];
	char *text;
	bool ok;

	n = want > 0 ? server_read(rq, body, want) : 0;
	if (asprintf(&text, "%s %s %.*s", rq->method, rq->target, (int)n,
	    body) < 0)
		return false;
	ok = server_answer(rq, 200, text);
	free(text);
	return ok;
}

static bool
answer_late(struct server_request *rq, const char *date, const char *after)
{
	return server_printf(rq, "HTTP/1.1 429 Slow\r\nDate: %s\r\n"
	    "retry-AFTER:   %s\r\nContent-Length: 0\r\n\r\n", date, after);
}

static bool
handler(struct server_request *rq)
{
	static char big[70000];

	if (is(rq, "/head"))
		return server_answer(rq, 200, rq->head);
	if (is(rq, "/redirect"))
		return server_printf(rq, "HTTP/1.1 302 Found\r\nLocation: "
		    "/head\r\nContent-Length: 0\r\n\r\n");
	if (is(rq, "/late"))
		return answer_late(rq, "Fri, 14 Mar 2031 15:09:26 GMT", "7");
	if (is(rq, "/until"))
		return answer_late(rq, "Fri, 14 Mar 2031 15:09:26 GMT",
		    "Fri, 14 Mar 2031 15:09:36 GMT");
	if (is(rq, "/large")) {
		memset(big, 'x', sizeof(big) - 1);
		return server_answer(rq, 200, big);
	}
	if (is(rq, "/hang")) {
		server_drain(rq);
		return false;
	}
	if (is(rq, "/drop"))
		return false;
	return answer_echo(rq);
}

static struct rig rig;

static int
setup(void **state)
{
	rig_start(&rig, handler);
	*state = &rig;
	return 0;
}

static int
teardown(void **state)
{
	rig_stop(*state);
	return 0;
}

static int
exchange(struct http_request *rq, const char *path, struct http_answer *a,
    struct err *err)
{
	char url[4096];

	snprintf(url, sizeof(url), "%s%s", rig.server.url, path);
	rq->url = url;
	return http_exchange(rig.transport, rq, a, err);
}

static void
bodies_and_targets_go_out_as_they_are(void **state UNUSED)
{
	static const struct {
		struct http_request rq;
		const char *path, *want;
	} cases[] = {
		{ { .method = NULL }, "/a%2Fb?x=1%20", "GET /a%2Fb?x=1%20 " },
		{ { .method = NULL }, "", "GET / " },
		{ { .method = NULL }, "?x=1", "GET /?x=1 " },
		{ { .method = "PUT" }, "/t", "PUT /t " },
		{ { .method = "POST", .body = "a=1&b=2", .body_len = 7 },
		    "/t", "POST /t a=1&b=2" },
	};
	struct http_answer a;
	struct err err = ERR_INIT;
	size_t i;

	for (i = 0; i < ARRAY_LEN(cases); i++) {
		struct http_request rq = cases[i].rq;

		assert_int_equal(exchange(&rq, cases[i].path, &a, &err), 0);
		assert_int_equal(a.status, 200);
		assert_string_equal(a.body.ptr, cases[i].want);
		assert_int_equal(a.body.len, strlen(cases[i].want));
		http_answer_release(&a);
	}
}

static void
only_the_callers_headers_go_out(void **state UNUSED)
{
	const char *const lines[] = { "Metadata: true", "X-Empty;", NULL };
	struct http_request rq = { .headers = lines };
	struct http_answer a;

	assert_int_equal(exchange(&rq, "/head", &a, NULL), 0);
	assert_non_null(strstr(a.body.ptr, "\r\nMetadata: true\r\n"));
	assert_null(strcasestr(a.body.ptr, "\r\nauthorization:"));
	assert_null(strcasestr(a.body.ptr, "\r\ncontent-type:"));
	assert_null(strcasestr(a.body.ptr, "\r\naccept:"));
	http_answer_release(&a);
}

static void
redirects_are_answers(void **state UNUSED)
{
	struct http_request rq = { .method = "GET" };
	struct http_answer a;
	char to[32];

	assert_int_equal(exchange(&rq, "/redirect", &a, NULL), 0);
	assert_int_equal(a.status, 302);
	assert_true(http_answer_header(&a, "LOCATION", to, sizeof(to)));
	assert_string_equal(to, "/head");
	assert_false(http_answer_header(&a, "location", to, 3));
	assert_false(http_answer_header(&a, "loc", to, sizeof(to)));
	http_answer_release(&a);
}

static void
their_clock_and_their_wishes_are_read(void **state UNUSED)
{
	struct http_request rq = { .method = "GET" };
	int64_t date = INT64_C(1931267366) * 1000;
	struct http_answer a;

	assert_int_equal(exchange(&rq, "/late", &a, NULL), 0);
	assert_int_equal(a.retry_after, 7000);
	assert_in_range(a.skew + clock_wall_ms(), date - 1000, date + 1000);
	http_answer_release(&a);
	assert_int_equal(exchange(&rq, "/until", &a, NULL), 0);
	assert_in_range(a.retry_after, 9000, 11000);
	http_answer_release(&a);
	assert_int_equal(exchange(&rq, "/", &a, NULL), 0);
	assert_int_equal(a.skew, 0);
	assert_int_equal(a.retry_after, 0);
	http_answer_release(&a);
}

static void
what_does_not_answer_is_an_error(void **state UNUSED)
{
	struct http_request rq = { .timeout = 0.3, .limit = 60000 };
	struct http_answer a;
	struct err err = ERR_INIT;
	unsigned before;

	assert_int_equal(exchange(&rq, "/hang", &a, &err), E_TIMEOUT);
	assert_int_equal(exchange(&rq, "/large", &a, &err), E_TOOLARGE);
	assert_null(a.body.ptr);
	rq.method = "POST";
	rq.body = "x";
	rq.body_len = 1;
	before = rig.server.requests;
	assert_int_not_equal(exchange(&rq, "/drop", &a, &err), 0);
	assert_int_equal(rig.server.requests, before + 1);
	rq.url = "ftp://127.0.0.1/";
	assert_int_equal(http_exchange(rig.transport, &rq, &a, &err),
	    E_CONFIG);
	rq.url = "127.0.0.1";
	assert_int_equal(http_exchange(rig.transport, &rq, &a, &err),
	    E_CONFIG);
}

static void
what_cannot_be_sent_is_not_sent(void **state UNUSED)
{
	const char *const lines[] = { "X: a\r\nY: b", NULL };
	struct http_request rq = { .headers = lines };
	struct http_answer a;
	unsigned before = rig.server.requests;

	assert_int_equal(exchange(&rq, "/", &a, NULL), E_INPUT);
	rq.headers = NULL;
	assert_int_equal(exchange(&rq, "/a b", &a, NULL), E_INPUT);
	assert_int_equal(rig.server.requests, before);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bodies_and_targets_go_out_as_they_are),
		cmocka_unit_test(only_the_callers_headers_go_out),
		cmocka_unit_test(redirects_are_answers),
		cmocka_unit_test(their_clock_and_their_wishes_are_read),
		cmocka_unit_test(what_does_not_answer_is_an_error),
		cmocka_unit_test(what_cannot_be_sent_is_not_sent),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, setup, teardown);
}
