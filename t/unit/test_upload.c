/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a stream sends: the request line byte for byte, the headers that may
 * pass, and bodies of known and unknown length.
 */
#include "base.h"

#include <pthread.h>
#include <setjmp.h>
#include <cmocka.h>

#include "rig.h"

#define BIG (3 << 20)

/* ---- the cluster ---- */

/* Undo chunking by hand; the bytes as they arrived stand behind. */
static bool
answer_body(struct server_request *rq)
{
	const char *length = server_header(rq, "Content-Length");
	size_t want = length ? strtoul(length, NULL, 10) : 0, n;
	struct strbuf body = STRBUF_INIT(2 * BIG), out = STRBUF_INIT(3 * BIG);
	char buf[65536];
	bool ok;

	while (length != NULL ? body.len < want : body.len < 5 ||
	    strcmp(body.buf + body.len - 5, "0\r\n\r\n") != 0) {
		if ((n = server_read(rq, buf, sizeof(buf))) == 0)
			break;
		strbuf_add(&body, buf, n);
	}
	strbuf_addf(&out, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n",
	    strlen(rq->head) + 2 + body.len);
	strbuf_addstr(&out, rq->head);
	strbuf_addstr(&out, "\r\n");
	strbuf_add(&out, body.buf, body.len);
	ok = server_write(rq, out.buf, out.len);
	strbuf_release(&body);
	strbuf_release(&out);
	return ok;
}

/* Reads no body, answers, and leaves politely. */
static bool
answer_early(struct server_request *rq)
{
	server_printf(rq, "HTTP/1.1 413 Too Large\r\nConnection: close\r\n"
	    "Content-Length: 5\r\n\r\nlarge");
	server_drain(rq);
	return false;
}

/* Takes the body, answers, and goes on longer than the deadline. */
static bool
answer_later(struct server_request *rq)
{
	char buf[64];
	size_t n = 0;

	while (n < 7)
		n += server_read(rq, buf, sizeof(buf));
	server_printf(rq, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n");
	usleep(1000000);
	return server_printf(rq, "late");
}

static bool
cluster(struct server_request *rq)
{
	if (strcmp(rq->target, "/later") == 0)
		return answer_later(rq);
	if (strcmp(rq->target, "/early") == 0)
		return answer_early(rq);
	if (strcmp(rq->target, "/stall") == 0) {
		usleep(1500000);	/* reads nothing, answers nothing */
		return false;
	}
	if (strcmp(rq->target, "/body") == 0)
		return answer_body(rq);
	if (strcmp(rq->method, "HEAD") == 0)
		return server_printf(rq, "HTTP/1.1 200 OK\r\n"
		    "Content-Length: 0\r\n\r\n");
	return server_answer(rq, 200, rq->head);
}

static int
setup(void **state)
{
	struct rig *r = xcalloc(1, sizeof(*r));

	rig_start(r, cluster);
	*state = r;
	return 0;
}

static int
teardown(void **state)
{
	rig_stop(*state);
	free(*state);
	return 0;
}

/* ---- request lines ---- */

static void
sends_paths_byte_for_byte(void **state)
{
	static const char *const paths[] = { "/", "/a/../b", "/a/./b", "/..",
	    "/%2e%2E/x", "/a%2Fb", "/a;b=c/d", "//double//slash", "/?",
	    "/a?x=%2F&y=a+b&z=", "/a?b?c", "/a#b", "/{x}[y]|\\^\"<>`'",
	    "/@user:pass@host/", "/caf\xc3\xa9\xff", "/%zz%", "/a?/../b",
	    "/http://127.0.0.1:1/x" };
	struct rig *r = *state;
	struct client c;
	size_t i;
	char line[128];

	for (i = 0; i < ARRAY_LEN(paths); i++) {
		client_init(&c, r, "GET", paths[i]);
		assert_int_equal(client_run(&c, r), 0);
		snprintf(line, sizeof(line), "GET %s HTTP/1.1\r\n", paths[i]);
		assert_true(str_starts(c.body.buf, line));
		client_release(&c);
	}
}

static void
puts_the_base_before_it(void **state)
{
	struct rig *r = *state;
	struct client c;
	char url[128];

	snprintf(url, sizeof(url), "%s/k8s/%%63luster/../x/", r->server.url);
	upstream_put(r->up);
	r->up = rig_upstream(r, url, 0);
	client_init(&c, r, "GET", "/../api");
	assert_int_equal(client_run(&c, r), 0);
	assert_true(str_starts(c.body.buf,
	    "GET /k8s/%63luster/../x/../api HTTP/1.1\r\n"));
	client_release(&c);
}

static void
refuses_what_would_not_be_one_request(void **state)
{
	static const char *const paths[] = { "", "a", "/a b", "/a\nb",
	    "/a\r\nX: y", "/a\tb", "/\x7f" };
	static const char *const methods[] = { "", "GET /x", "GE\nT",
	    "CONNECT", "G(T", "GET\r\nX:y",
	    "AVERYLONGMETHODTHATNOBODYHASEVERHEARDOF" };
	struct rig *r = *state;
	struct client c;
	size_t i;

	for (i = 0; i < ARRAY_LEN(paths) + ARRAY_LEN(methods); i++) {
		client_init(&c, r, "GET", "/ok");
		if (i < ARRAY_LEN(paths))
			c.rq.path = paths[i];
		else
			c.rq.method = methods[i - ARRAY_LEN(paths)];
		assert_int_equal(client_run(&c, r), E_INPUT);
		client_release(&c);
	}
	assert_int_equal(server_wait(&r->server.connections, 0, 0), 0);
}

static void
says_how_long_nothing_is(void **state)
{
	static const struct {
		const char *method;
		bool length;
	} rows[] = { { "GET", false }, { "DELETE", true }, { "POST", true },
	    { "OPTIONS", true }, { "PUT", true }, { "PATCH", true },
	    { "PURGE", true } };
	struct rig *r = *state;
	struct client c;
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		client_init(&c, r, rows[i].method, "/echo");
		assert_int_equal(client_run(&c, r), 0);
		assert_true(str_starts(c.body.buf, rows[i].method));
		assert_int_equal(strstr(c.body.buf,
		    "\r\nContent-Length: 0\r\n") != NULL, rows[i].length);
		assert_null(strstr(c.body.buf, "Transfer-Encoding"));
		assert_null(strstr(c.body.buf, "Content-Type"));
		client_release(&c);
	}
	assert_int_equal(server_wait(&r->server.connections, 1, 0), 1);
}

/* ---- headers ---- */

static void
passes_the_right_headers(void **state)
{
	static const struct header headers[] = {
		{ "X-One", "1" }, { "x-one", "2" }, { "X-Empty", "" },
		{ "X-Blank", "  " }, { "X-UTF", "caf\xc3\xa9" },
		{ "Accept-Encoding", "br" }, { "Cookie", "a=b" },
		{ "Impersonate-User", "eve" }, { "User-Agent", "kubectl" },
		/* ours, whatever the caller says */
		{ "Host", "evil" }, { "Authorization", "Bearer eve" },
		{ "CONNECTION", "close" }, { "Transfer-Encoding", "chunked" },
		{ "Content-Length", "77" }, { "Expect", "100-continue" },
		{ "Upgrade", "websocket" }, { "TE", "trailers" },
	};
	struct rig *r = *state;
	struct client c;
	char want[512];

	client_init(&c, r, "GET", "/echo");
	c.rq.headers = headers;
	c.rq.nheaders = ARRAY_LEN(headers);
	assert_int_equal(client_run(&c, r), 0);
	snprintf(want, sizeof(want), "GET /echo HTTP/1.1\r\n"
	    "Host: 127.0.0.1:%d\r\nAuthorization: Bearer alice\r\n"
	    "X-One: 1\r\nx-one: 2\r\nX-Empty:\r\nX-Blank:\r\n"
	    "X-UTF: caf\xc3\xa9\r\nAccept-Encoding: br\r\nCookie: a=b\r\n"
	    "Impersonate-User: eve\r\nUser-Agent: kubectl\r\n",
	    r->server.port);
	assert_string_equal(c.body.buf, want);
	client_release(&c);
}

static void
adds_no_headers(void **state)
{
	struct rig *r = *state;
	struct client c;
	char want[256];

	client_init(&c, r, "GET", "/echo");
	assert_int_equal(client_run(&c, r), 0);
	snprintf(want, sizeof(want), "GET /echo HTTP/1.1\r\n"
	    "Host: 127.0.0.1:%d\r\nAuthorization: Bearer alice\r\n",
	    r->server.port);
	assert_string_equal(c.body.buf, want);
	client_release(&c);
}

static void
refuses_headers_of_two_lines(void **state)
{
	static const struct header bad[] = {
		{ "X-A", "b\r\nX-Evil: c" }, { "X-A", "b\nc" },
		{ "X-A", "b\rc" }, { "X-A", "b\x01" }, { "X-A: b", "c" },
		{ "X A", "b" }, { "", "b" }, { "X\r\nY", "b" },
	};
	struct rig *r = *state;
	struct client c;
	size_t i;

	for (i = 0; i < ARRAY_LEN(bad); i++) {
		client_init(&c, r, "GET", "/echo");
		c.rq.headers = &bad[i];
		c.rq.nheaders = 1;
		assert_int_equal(client_run(&c, r), E_INPUT);
		client_release(&c);
	}
	client_init(&c, r, "GET", "/echo");
	c.rq.cred = NULL;
	assert_int_equal(client_run(&c, r), E_AUTH);
	client_release(&c);
	assert_int_equal(server_wait(&r->server.connections, 0, 0), 0);
}

/* ---- bodies ---- */

static const char *
body_of(const struct client *c)
{
	const char *p = strstr(c->body.buf, "\r\n\r\n");

	return p == NULL ? "" : p + 4;
}

static void
sends_a_body_of_known_length(void **state)
{
	static const char *const methods[] = { "POST", "PUT", "PATCH",
	    "DELETE", "GET" };
	struct rig *r = *state;
	struct client c;
	size_t i;

	for (i = 0; i < ARRAY_LEN(methods); i++) {
		client_init(&c, r, methods[i], "/body");
		client_sends(&c, "{\"a\":1}", 7, 7);
		assert_int_equal(client_run(&c, r), 0);
		assert_true(str_starts(c.body.buf, methods[i]));
		assert_non_null(strstr(c.body.buf,
		    "\r\nContent-Length: 7\r\n"));
		assert_null(strstr(c.body.buf, "Expect"));
		assert_null(strstr(c.body.buf, "Transfer-Encoding"));
		assert_null(strstr(c.body.buf, "Content-Type"));
		assert_string_equal(body_of(&c), "{\"a\":1}");
		client_release(&c);
	}
	assert_int_equal(server_wait(&r->server.connections, 1, 0), 1);
}

static void
sends_a_body_of_unknown_length(void **state)
{
	struct rig *r = *state;
	struct client c;

	client_init(&c, r, "POST", "/body");
	client_sends(&c, "hello world", 11, -1);
	c.piece = 6;
	assert_int_equal(client_run(&c, r), 0);
	assert_non_null(strstr(c.body.buf,
	    "\r\nTransfer-Encoding: chunked\r\n"));
	assert_null(strstr(c.body.buf, "Content-Length"));
	assert_string_equal(body_of(&c),
	    "6\r\nhello \r\n5\r\nworld\r\n0\r\n\r\n");
	client_release(&c);
	client_init(&c, r, "POST", "/body");
	client_sends(&c, "", 0, -1);
	assert_int_equal(client_run(&c, r), 0);
	assert_string_equal(body_of(&c), "0\r\n\r\n");
	client_release(&c);
	assert_int_equal(server_wait(&r->server.connections, 1, 0), 1);
}

/* The client's descriptor says when there is more. */
static void
waits_for_a_slow_client(void **state)
{
	struct rig *r = *state;
	struct client c;
	int64_t lengths[] = { 11, -1 };
	size_t i;

	for (i = 0; i < ARRAY_LEN(lengths); i++) {
		client_init(&c, r, "POST", "/body");
		client_sends(&c, "hello world", 11, lengths[i]);
		client_watched(&c);
		assert_int_equal(write(c.pipe[1], "x", 1), 1);
		c.piece = 2;
		c.again = true;
		assert_int_equal(client_run(&c, r), 0);
		assert_in_range(c.agains, 5, 12);
		if (lengths[i] > 0)
			assert_string_equal(body_of(&c), "hello world");
		else
			assert_non_null(strstr(body_of(&c), "2\r\nhe\r\n"));
		client_release(&c);
	}
}

static void *
send_later(void *arg)
{
	struct client *c = arg;

	usleep(1000000);	/* longer than the cluster's deadline */
	if (write(c->pipe[1], "x", 1) != 1)
		BUG("write: %s", strerror(errno));
	return NULL;
}

static void
does_not_blame_the_cluster_for_a_slow_client(void **state)
{
	struct rig *r = *state;
	struct client c;
	pthread_t t;

	client_init(&c, r, "POST", "/body");
	client_sends(&c, "late", 4, 4);
	client_watched(&c);
	c.again = true;
	pthread_create(&t, NULL, send_later, &c);
	assert_int_equal(client_run(&c, r), 0);
	pthread_join(t, NULL);
	assert_string_equal(body_of(&c), "late");
	assert_in_range(c.reads, 2, 4);
	client_release(&c);
}

static void
sends_much(void **state)
{
	struct rig *r = *state;
	struct client c;
	char *data = xmalloc(BIG);
	size_t i;

	for (i = 0; i < BIG; i++)
		data[i] = (char)('a' + i * 7 % 26);
	client_init(&c, r, "PUT", "/body");
	client_sends(&c, data, BIG, BIG);
	assert_int_equal(client_run(&c, r), 0);
	assert_memory_equal(body_of(&c), data, BIG);
	client_release(&c);
	free(data);
}

static void
takes_an_early_answer(void **state)
{
	struct rig *r = *state;
	struct client c;
	size_t n = 32 << 20;
	char *data = xcalloc(1, n);
	int64_t lengths[] = { (int64_t)n, -1 };
	size_t i;

	for (i = 0; i < ARRAY_LEN(lengths); i++) {
		client_init(&c, r, "POST", "/early");
		client_sends(&c, data, n, lengths[i]);
		assert_int_equal(client_run(&c, r), 0);
		assert_int_equal(c.status, 413);
		assert_string_equal(c.body.buf, "large");
		assert_true(c.sent < n);
		client_release(&c);
	}
	free(data);
}

static void
never_sends_more_than_announced(void **state)
{
	struct rig *r = *state;
	struct client c;

	client_init(&c, r, "POST", "/body");
	client_sends(&c, "12345GET /evil HTTP/1.1\r\n\r\n", 27, 5);
	assert_int_equal(client_run(&c, r), 0);
	assert_string_equal(body_of(&c), "12345");
	client_release(&c);
	client_init(&c, r, "GET", "/echo");
	assert_int_equal(client_run(&c, r), 0);
	assert_int_equal(server_wait(&r->server.requests, 2, 0), 2);
	client_release(&c);
}

static void
ends_with_the_client_s_body(void **state)
{
	struct rig *r = *state;
	struct client c;

	client_init(&c, r, "POST", "/body");
	client_sends(&c, "half", 4, 8);
	assert_int_equal(client_run(&c, r), E_INPUT);
	assert_int_equal(c.heads, 0);
	client_release(&c);
	assert_int_equal(server_wait(&r->server.open, 0, 1000), 0);
}

static ssize_t
read_gone(void *ctx UNUSED, char *buf UNUSED, size_t len UNUSED)
{
	return E_GONE;
}

static void
ends_with_the_client(void **state)
{
	struct rig *r = *state;
	struct client c;

	client_init(&c, r, "POST", "/body");
	client_sends(&c, "", 0, 8);
	c.io.read = read_gone;
	assert_int_equal(client_run(&c, r), E_GONE);
	client_release(&c);
	assert_int_equal(server_wait(&r->server.open, 0, 1000), 0);
}

static void
gives_up_on_a_cluster_that_takes_nothing(void **state)
{
	struct rig *r = *state;
	struct client c;
	size_t n = 32 << 20;
	char *data = xcalloc(1, n);
	int64_t began = rig_ms();

	client_init(&c, r, "POST", "/stall");
	client_sends(&c, data, n, (int64_t)n);
	assert_int_equal(client_run(&c, r), E_TIMEOUT);
	assert_in_range(rig_ms() - began, 550, 1200);
	client_release(&c);
	free(data);
}

static void
lets_the_answer_to_a_body_take_its_time(void **state)
{
	struct rig *r = *state;
	struct client c;

	client_init(&c, r, "POST", "/later");
	client_sends(&c, "{\"a\":1}", 7, 7);
	assert_int_equal(client_run(&c, r), 0);
	assert_string_equal(c.body.buf, "late");
	client_release(&c);
}

static void *
close_later(void *arg)
{
	struct client *c = arg;

	usleep(200000);
	close(c->pipe[1]);
	return NULL;
}

/* The body is sent, so the descriptor says only whether someone is there. */
static void
notices_a_client_that_left_after_its_body(void **state)
{
	struct rig *r = *state;
	int64_t began = rig_ms();
	struct client c;
	pthread_t t;

	client_init(&c, r, "POST", "/later");
	client_sends(&c, "{\"a\":1}", 7, 7);
	client_watched(&c);
	c.gone = true;
	pthread_create(&t, NULL, close_later, &c);
	assert_int_equal(client_run(&c, r), E_GONE);
	assert_in_range(rig_ms() - began, 150, 500);
	pthread_join(t, NULL);
	c.pipe[1] = -1;
	client_release(&c);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(sends_paths_byte_for_byte),
		TEST(puts_the_base_before_it),
		TEST(refuses_what_would_not_be_one_request),
		TEST(says_how_long_nothing_is),
		TEST(passes_the_right_headers),
		TEST(adds_no_headers),
		TEST(refuses_headers_of_two_lines),
		TEST(sends_a_body_of_known_length),
		TEST(sends_a_body_of_unknown_length),
		TEST(waits_for_a_slow_client),
		TEST(does_not_blame_the_cluster_for_a_slow_client),
		TEST(sends_much),
		TEST(takes_an_early_answer),
		TEST(never_sends_more_than_announced),
		TEST(ends_with_the_client_s_body),
		TEST(ends_with_the_client),
		TEST(gives_up_on_a_cluster_that_takes_nothing),
		TEST(lets_the_answer_to_a_body_take_its_time),
		TEST(notices_a_client_that_left_after_its_body),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
