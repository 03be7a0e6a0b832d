/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Streams: answers passed on as they come, connections kept, clients and
 * clusters that leave in the middle. Requests' bodies are in test_upload.c.
 */
#include "base.h"

#include <pthread.h>
#include <setjmp.h>
#include <cmocka.h>
#include <sys/resource.h>

#include "rig.h"

#define STALLED 8
#define LONG_ANSWER (64 << 20)

/* ---- the cluster ---- */

static bool
is(const struct server_request *rq, const char *target)
{
	return strcmp(rq->target, target) == 0;
}

/* Byte i is a function of i, so that none can be lost or doubled. */
static char
pattern(size_t i)
{
	return (char)(i * 2654435761u >> 24);
}

static bool
answer_long(struct server_request *rq)
{
	char block[32768];
	size_t at = 0, i;

	server_printf(rq, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n",
	    LONG_ANSWER);
	while (at < LONG_ANSWER) {
		for (i = 0; i < sizeof(block); i++)
			block[i] = pattern(at + i);
		if (!server_write(rq, block, sizeof(block)))
			return false;
		at += sizeof(block);
	}
	return true;
}

static bool
answer_endless(struct server_request *rq)
{
	static const char block[65536];

	server_printf(rq, "HTTP/1.1 200 OK\r\n\r\n");
	while (server_write(rq, block, sizeof(block)))
		;
	return false;
}

static bool
answer_watch(struct server_request *rq)
{
	int i;

	server_printf(rq, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked"
	    "\r\n\r\n");
	for (i = 0; i < 3; i++) {
		usleep(i == 0 ? 150000 : 400000);
		if (!server_printf(rq, "7\r\nevent%d\n\r\n", i))
			return false;
	}
	return server_printf(rq, "0\r\n\r\n");
}

static bool
answer_shaped(struct server_request *rq)
{
	if (is(rq, "/chunked"))
		return server_printf(rq, "HTTP/1.1 200 OK\r\n"
		    "Transfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n"
		    "6\r\n world\r\n0\r\nX-Trailer: late\r\n\r\n");
	if (is(rq, "/no-length"))
		return server_printf(rq, "HTTP/1.1 200 OK\r\n\r\n"
		    "until the end") && false;
	if (is(rq, "/http10"))
		return server_printf(rq, "HTTP/1.0 200 OK\r\n\r\nold") &&
		    false;
	if (is(rq, "/204"))
		return server_printf(rq, "HTTP/1.1 204 No Content\r\n\r\n");
	if (is(rq, "/304"))
		return server_printf(rq, "HTTP/1.1 304 Not Modified\r\n"
		    "Content-Length: 1000\r\nETag: \"x\"\r\n\r\n");
	if (is(rq, "/hints"))
		return server_printf(rq, "HTTP/1.1 100 Continue\r\n\r\n"
		    "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n") &&
		    server_answer(rq, 200, "hinted");
	if (is(rq, "/close"))
		return server_printf(rq, "HTTP/1.1 200 OK\r\nConnection: "
		    "close\r\nContent-Length: 2\r\n\r\nok") && false;
	return server_answer(rq, 404, "{}");
}

static bool
answer_odd(struct server_request *rq)
{
	if (is(rq, "/headers"))
		return server_printf(rq, "HTTP/1.1 200 OK\r\n"
		    "Set-Cookie: a=1\r\nset-cookie: b=2\r\nX-Empty:\r\n"
		    "X-Space: \t padded \t\r\nX-UTF: caf\xc3\xa9\r\n"
		    "Connection: keep-alive\r\nKeep-Alive: timeout=5\r\n"
		    "Content-Length: 0\r\n\r\n");
	if (is(rq, "/gzip"))
		return server_printf(rq, "HTTP/1.1 200 OK\r\n"
		    "Content-Encoding: gzip\r\nContent-Length: 9\r\n\r\n"
		    "not gzip!");
	if (is(rq, "/redirect"))
		return server_printf(rq, "HTTP/1.1 307 Moved\r\nLocation: "
		    "http://127.0.0.1:1/x\r\nContent-Length: 0\r\n\r\n");
	if (is(rq, "/101"))
		return server_printf(rq, "HTTP/1.1 101 Switching\r\n"
		    "Upgrade: x\r\nConnection: upgrade\r\n\r\n");
	return answer_shaped(rq);
}

static bool
answer_many_headers(struct server_request *rq, int n, int size)
{
	int i;

	server_printf(rq, "HTTP/1.1 200 OK\r\n");
	for (i = 0; i < n; i++)
		server_printf(rq, "X-%d: %0*d\r\n", i, size, i);
	return server_printf(rq, "Content-Length: 2\r\n\r\nok");
}

static bool
answer_broken(struct server_request *rq)
{
	if (is(rq, "/twice"))	/* and once more, unasked */
		return server_printf(rq, "HTTP/1.1 200 OK\r\nContent-Length: "
		    "2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n"
		    "\r\nevil");
	if (is(rq, "/hang")) {
		server_drain(rq);
		return false;
	}
	if (is(rq, "/reset"))
		return server_reset(rq);
	if (is(rq, "/truncated"))
		return server_printf(rq, "HTTP/1.1 200 OK\r\n"
		    "Content-Length: 100\r\n\r\nhalf") && false;
	if (is(rq, "/truncated-chunk"))
		return server_printf(rq, "HTTP/1.1 200 OK\r\nTransfer-"
		    "Encoding: chunked\r\n\r\n10\r\nhalf") && false;
	if (is(rq, "/reset-later")) {
		server_printf(rq, "HTTP/1.1 200 OK\r\n\r\nhalf");
		usleep(100000);
		return server_reset(rq);
	}
	if (is(rq, "/once"))	/* a kept connection closes instead */
		return rq->nth == 1 && server_answer(rq, 200, "once");
	return answer_odd(rq);
}

static bool
cluster(struct server_request *rq)
{
	if (is(rq, "/ok"))
		return server_answer(rq, 200, "{\"ok\":true}");
	if (strcmp(rq->method, "HEAD") == 0)
		return server_printf(rq, "HTTP/1.1 200 OK\r\n"
		    "Content-Length: 12345\r\n\r\n");
	if (is(rq, "/echo"))
		return server_answer(rq, 200, rq->head);
	if (is(rq, "/long"))
		return answer_long(rq);
	if (is(rq, "/endless"))
		return answer_endless(rq);
	if (is(rq, "/watch"))
		return answer_watch(rq);
	if (is(rq, "/300"))
		return answer_many_headers(rq, 300, 20);
	if (is(rq, "/600"))
		return answer_many_headers(rq, 600, 20);
	if (is(rq, "/huge"))
		return answer_many_headers(rq, 64, 9000);
	if (is(rq, "/sleep")) {
		usleep(100000);
		return server_answer(rq, 200, "slept");
	}
	return answer_broken(rq);
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

/* ---- answers ---- */

static void
passes_on(struct rig *r, const char *path, int status, const char *body)
{
	struct client c;

	client_init(&c, r, "GET", path);
	assert_int_equal(client_run(&c, r), 0);
	assert_int_equal(c.heads, 1);
	assert_int_equal(c.status, status);
	assert_string_equal(c.body.buf, body);
	client_release(&c);
}

static void
passes_answers_of_every_shape(void **state)
{
	struct rig *r = *state;

	passes_on(r, "/ok", 200, "{\"ok\":true}");
	passes_on(r, "/chunked", 200, "hello world");
	passes_on(r, "/no-length", 200, "until the end");
	passes_on(r, "/http10", 200, "old");
	passes_on(r, "/204", 204, "");
	passes_on(r, "/304", 304, "");
	passes_on(r, "/hints", 200, "hinted");
	passes_on(r, "/close", 200, "ok");
	passes_on(r, "/none", 404, "{}");
	passes_on(r, "/gzip", 200, "not gzip!");	/* not looked into */
	passes_on(r, "/redirect", 307, "");		/* not followed */
}

static void
passes_headers_as_they_came(void **state)
{
	struct rig *r = *state;
	struct client c;

	client_init(&c, r, "GET", "/headers");
	assert_int_equal(client_run(&c, r), 0);
	assert_string_equal(c.head.buf, "Set-Cookie: a=1\nset-cookie: b=2\n"
	    "X-Empty: \nX-Space: padded\nX-UTF: caf\xc3\xa9\n"
	    "Connection: keep-alive\nKeep-Alive: timeout=5\n"
	    "Content-Length: 0\n");
	client_release(&c);
	client_init(&c, r, "GET", "/hints");
	assert_int_equal(client_run(&c, r), 0);
	assert_null(strstr(c.head.buf, "Link"));
	client_release(&c);
	client_init(&c, r, "GET", "/chunked");
	assert_int_equal(client_run(&c, r), 0);
	assert_string_equal(c.head.buf, "Transfer-Encoding: chunked\n");
	client_release(&c);
}

static void
answers_head(void **state)
{
	struct rig *r = *state;
	struct client c;

	client_init(&c, r, "HEAD", "/head");
	assert_int_equal(client_run(&c, r), 0);
	assert_int_equal(c.status, 200);
	assert_string_equal(c.head.buf, "Content-Length: 12345\n");
	assert_int_equal(c.body.len, 0);
	client_release(&c);
	passes_on(r, "/ok", 200, "{\"ok\":true}");
	assert_int_equal(server_wait(&r->server.connections, 1, 0), 1);
}

static void
bounds_headers(void **state)
{
	struct rig *r = *state;
	struct client c;

	passes_on(r, "/300", 200, "ok");
	client_init(&c, r, "GET", "/600");
	assert_int_equal(client_run(&c, r), E_TOOLARGE);
	assert_int_equal(c.heads, 0);
	client_release(&c);
	client_init(&c, r, "GET", "/huge");
	assert_int_not_equal(client_run(&c, r), 0);
	assert_int_equal(c.heads, 0);
	client_release(&c);
}

static void
loses_no_byte(void **state)
{
	struct rig *r = *state;
	struct client c;
	size_t i, wrong = 0;

	client_init(&c, r, "GET", "/long");
	assert_int_equal(client_run(&c, r), 0);
	assert_int_equal(c.body.len, LONG_ANSWER);
	for (i = 0; i < c.body.len; i++)
		wrong += c.body.buf[i] != pattern(i);
	assert_int_equal(wrong, 0);
	client_release(&c);
}

/* ---- bad ones ---- */

static void
fails_with(struct rig *r, const char *path, int code, unsigned heads)
{
	struct client c;

	client_init(&c, r, "GET", path);
	assert_int_equal(client_run(&c, r), code);
	assert_int_equal(c.err.code, code);
	assert_int_equal(c.heads, heads);
	client_release(&c);
}

static void
tells_what_broke(void **state)
{
	struct rig *r = *state;

	fails_with(r, "/reset", E_PROTOCOL, 0);
	fails_with(r, "/101", E_PROTOCOL, 0);
	fails_with(r, "/truncated", E_PROTOCOL, 1);
	fails_with(r, "/truncated-chunk", E_PROTOCOL, 1);
	fails_with(r, "/reset-later", E_PROTOCOL, 1);
}

static void
waits_for_headers_so_long(void **state)
{
	struct rig *r = *state;
	int64_t began = rig_ms();

	fails_with(r, "/hang", E_TIMEOUT, 0);
	assert_in_range(rig_ms() - began, 550, 1000);
	assert_int_equal(server_wait(&r->server.open, 0, 1000), 0);
}

static void
refuses_at_once_when_the_breaker_is_open(void **state)
{
	struct rig *r = *state;
	char url[64];
	struct client c;
	int i;

	snprintf(url, sizeof(url), "http://127.0.0.1:%d", server_free_port());
	upstream_put(r->up);
	r->up = rig_upstream(r, url, 2);
	for (i = 0; i < 4; i++) {
		client_init(&c, r, "GET", "/ok");
		assert_int_equal(client_run(&c, r),
		    i < 2 ? E_CONNECT : E_BREAKER);
		client_release(&c);
	}
}

/* ---- long answers ---- */

/* What came is flushed before the next is waited for, the head too. */
static void
note_flush(struct client *c)
{
	static const size_t lengths[] = { 0, 7, 14, 21 };

	if (c->flushes <= ARRAY_LEN(lengths) &&
	    c->body.len != lengths[c->flushes - 1])
		c->ctx = c;
}

static void
flushes_what_is_watched(void **state)
{
	struct rig *r = *state;
	int64_t began = rig_ms();
	struct client c;

	client_init(&c, r, "GET", "/watch");
	c.on_flush = note_flush;
	assert_int_equal(client_run(&c, r), 0);
	assert_string_equal(c.body.buf, "event0\nevent1\nevent2\n");
	assert_in_range(c.flushes, 3, 4);
	assert_null(c.ctx);
	/* longer than the deadline for headers */
	assert_in_range(rig_ms() - began, 900, 1500);
	client_release(&c);
}

/* ---- leaving ---- */

static void *
close_later(void *arg)
{
	struct client *c = arg;

	usleep(150000);
	close(c->pipe[1]);
	return NULL;
}

static void
stops_when_the_client_leaves(void **state)
{
	struct rig *r = *state;
	int64_t began = rig_ms();
	struct client c;
	pthread_t t;

	client_init(&c, r, "GET", "/watch");
	client_watched(&c);
	c.gone = true;
	pthread_create(&t, NULL, close_later, &c);
	assert_int_equal(client_run(&c, r), E_GONE);
	assert_in_range(rig_ms() - began, 100, 350);
	pthread_join(t, NULL);
	c.pipe[1] = -1;
	assert_int_equal(server_wait(&r->server.open, 0, 1500), 0);
	client_release(&c);
}

static void
does_not_spin_on_a_false_alarm(void **state)
{
	struct rig *r = *state;
	struct client c;

	client_init(&c, r, "GET", "/watch");
	client_watched(&c);
	assert_int_equal(write(c.pipe[1], "x", 1), 1);
	assert_int_equal(client_run(&c, r), 0);
	assert_in_range(c.asked, 1, 3);
	client_release(&c);
}

static void
stops_when_a_callback_says_so(void **state)
{
	struct rig *r = *state;
	struct client c;

	client_init(&c, r, "GET", "/endless");
	c.body_error = E_GONE;
	assert_int_equal(client_run(&c, r), E_GONE);
	assert_int_equal(c.bodies, 1);
	client_release(&c);
	client_init(&c, r, "GET", "/endless");
	c.head_error = E_TIMEOUT;
	assert_int_equal(client_run(&c, r), E_TIMEOUT);
	assert_int_equal(c.bodies, 0);
	client_release(&c);
	assert_int_equal(server_wait(&r->server.open, 0, 1000), 0);
}

/* ---- connections ---- */

static void
keeps_its_connection(void **state)
{
	struct rig *r = *state;
	int i;

	for (i = 0; i < 20; i++)
		passes_on(r, "/ok", 200, "{\"ok\":true}");
	assert_int_equal(server_wait(&r->server.connections, 1, 0), 1);
	passes_on(r, "/close", 200, "ok");
	passes_on(r, "/ok", 200, "{\"ok\":true}");
	assert_int_equal(server_wait(&r->server.connections, 2, 0), 2);
}

static void
takes_no_answer_that_nobody_asked_for(void **state)
{
	struct rig *r = *state;
	int i;

	for (i = 0; i < 5; i++) {
		passes_on(r, "/twice", 200, "ok");
		passes_on(r, "/ok", 200, "{\"ok\":true}");
	}
}

static void *
sleeper_main(void *arg)
{
	struct client c;

	client_init(&c, arg, "GET", "/sleep");
	if (client_run(&c, arg) != 0)
		BUG("%s", c.err.text);
	client_release(&c);
	return NULL;
}

static void
gives_each_stream_a_connection(void **state)
{
	struct rig *r = *state;
	pthread_t t[STALLED];
	int i, round;

	for (round = 0; round < 2; round++) {
		for (i = 0; i < STALLED; i++)
			pthread_create(&t[i], NULL, sleeper_main, r);
		for (i = 0; i < STALLED; i++)
			pthread_join(t[i], NULL);
	}
	assert_int_equal(server_wait(&r->server.connections, STALLED, 0),
	    STALLED);
}

/* The cluster may have done it by then: only what changes nothing. */
static void
sends_again_only_what_is_safe(void **state)
{
	static const struct {
		const char *method;
		int code;
		unsigned requests;	/* on top of the first */
	} rows[] = {
		{ "GET", 0, 2 },
		{ "OPTIONS", 0, 2 },
		{ "POST", E_PROTOCOL, 1 },
		{ "PATCH", E_PROTOCOL, 1 },
		{ "PUT", E_PROTOCOL, 1 },
		{ "DELETE", E_PROTOCOL, 1 },
	};
	struct rig *r = *state;
	struct client c;
	unsigned before;
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		passes_on(r, "/ok", 200, "{\"ok\":true}");
		before = server_wait(&r->server.requests, 0, 0);
		client_init(&c, r, rows[i].method, "/once");
		assert_int_equal(client_run(&c, r), rows[i].code);
		assert_int_equal(server_wait(&r->server.requests, before +
		    rows[i].requests, 200), before + rows[i].requests);
		client_release(&c);
	}
}

static void
mixes_up_no_users(void **state)
{
	struct rig *r = *state;
	struct credential bob;
	struct client c;
	int i;

	rig_bearer(&bob, "bob");
	for (i = 0; i < 10; i++) {
		client_init(&c, r, "GET", "/echo");
		c.rq.cred = i % 2 ? &bob : &r->cred;
		assert_int_equal(client_run(&c, r), 0);
		assert_non_null(strstr(c.body.buf, i % 2 ?
		    "\r\nAuthorization: Bearer bob\r\n" :
		    "\r\nAuthorization: Bearer alice\r\n"));
		client_release(&c);
	}
	assert_int_equal(server_wait(&r->server.connections, 1, 0), 1);
	credential_release(&bob);
}

/* ---- memory ---- */

static unsigned stalled;

static void
stall(struct client *c)
{
	if (c->bodies == 16) {
		__atomic_add_fetch(&stalled, 1, __ATOMIC_SEQ_CST);
		sleep(1);
		c->body_error = E_GONE;
	}
	strbuf_reset(&c->body);
}

static void *
stalled_main(void *arg)
{
	struct client c;

	client_init(&c, arg, "GET", "/endless");
	c.on_body = stall;
	client_run(&c, arg);
	client_release(&c);
	return NULL;
}

static long
resident(void)
{
	char line[64] = "";
	long total = 0, pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	if (f == NULL || fgets(line, sizeof(line), f) == NULL ||
	    sscanf(line, "%ld %ld", &total, &pages) != 2)
		BUG("no /proc/self/statm");
	fclose(f);
	return pages * sysconf(_SC_PAGESIZE);
}

static void
stays_flat_while_readers_stall(void **state)
{
	struct rig *r = *state;
	pthread_t t[STALLED];
	long more, before = resident();
	int i;

	stalled = 0;
	for (i = 0; i < STALLED; i++)
		pthread_create(&t[i], NULL, stalled_main, r);
	assert_int_equal(server_wait(&stalled, STALLED, 2000), STALLED);
	usleep(500000);
	more = resident() - before;
	for (i = 0; i < STALLED; i++)
		pthread_join(t[i], NULL);
	/* Threads' stacks and buffers of the server and of ours. */
	if (!RIG_SANITIZED)
		assert_in_range(SD_MAX(more, 0L), 0, 8 << 20);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(stays_flat_while_readers_stall),
		TEST(passes_answers_of_every_shape),
		TEST(passes_headers_as_they_came),
		TEST(answers_head),
		TEST(bounds_headers),
		TEST(loses_no_byte),
		TEST(tells_what_broke),
		TEST(waits_for_headers_so_long),
		TEST(refuses_at_once_when_the_breaker_is_open),
		TEST(flushes_what_is_watched),
		TEST(stops_when_the_client_leaves),
		TEST(does_not_spin_on_a_false_alarm),
		TEST(stops_when_a_callback_says_so),
		TEST(keeps_its_connection),
		TEST(takes_no_answer_that_nobody_asked_for),
		TEST(gives_each_stream_a_connection),
		TEST(sends_again_only_what_is_safe),
		TEST(mixes_up_no_users),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
