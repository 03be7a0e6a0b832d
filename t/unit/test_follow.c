/* SPDX-License-Identifier: Apache-2.0 */
/* GETs without an end on one thread: bytes, ends, and peers that fall
   silent. */
#include "base.h"

#include <setjmp.h>
#include <cmocka.h>
#include <dirent.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/socket.h>

#include "follow.h"
#include "rig.h"

/* One follow, and what came of it. */
struct seen {
	struct follow_spec spec;
	struct follow *follow;
	struct rig2 *rig;
	pthread_mutex_t lock;
	int status;
	int64_t retry_after;
	struct strbuf body;
	struct err err;
	bool ended;
	int answer;		/* of body */
	bool stops;		/* itself, at the first byte */
};

struct rig2 {
	struct rig rig;
	struct follower *follower;
	struct seen *start;	/* atomic: to be started */
	struct seen *stop;
	unsigned turns;
	bool silent;		/* atomic: the server says nothing more */
};

static int
on_head(void *ctx, int status, int64_t retry_after)
{
	struct seen *s = ctx;

	pthread_mutex_lock(&s->lock);
	s->status = status;
	s->retry_after = retry_after;
	pthread_mutex_unlock(&s->lock);
	return 0;
}

static int
on_body(void *ctx, const char *data, size_t len)
{
	struct seen *s = ctx;

	pthread_mutex_lock(&s->lock);
	strbuf_add(&s->body, data, len);
	pthread_mutex_unlock(&s->lock);
	if (s->stops)
		follow_stop(s->follow);
	return s->answer;
}

static void
on_end(void *ctx, const struct err *err)
{
	struct seen *s = ctx;

	pthread_mutex_lock(&s->lock);
	s->err = *err;
	s->ended = true;
	pthread_mutex_unlock(&s->lock);
}

static int64_t
turn(void *ctx, int64_t now UNUSED)
{
	struct rig2 *r = ctx;
	struct seen *s = __atomic_exchange_n(&r->start, NULL,
	    __ATOMIC_ACQ_REL);
	struct seen *stop = __atomic_exchange_n(&r->stop, NULL,
	    __ATOMIC_ACQ_REL);

	__atomic_add_fetch(&r->turns, 1, __ATOMIC_RELAXED);
	if (s != NULL)
		s->follow = follow_start(r->follower, &s->spec);
	if (stop != NULL)
		follow_stop(stop->follow);
	return INT64_MAX;
}

static bool
answer(struct server_request *rq)
{
	struct rig2 *r = rq->server->ctx;

	if (__atomic_load_n(&r->silent, __ATOMIC_ACQUIRE)) {
		server_drain(rq);
		return false;
	}
	if (strcmp(rq->target, "/version") == 0)
		return server_answer(rq, 200, "{}");
	if (strcmp(rq->target, "/whole") == 0)
		return server_answer(rq, 200, "whole");
	if (strcmp(rq->target, "/busy") == 0)
		return server_printf(rq, "HTTP/1.1 429 No\r\nRetry-After: 7"
		    "\r\nContent-Length: 4\r\n\r\nbusy");
	if (strcmp(rq->target, "/never") == 0) {
		server_drain(rq);
		return false;
	}
	server_printf(rq, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"
	    "\r\n5\r\nhello\r\n");
	if (strcmp(rq->target, "/ends") == 0)
		return server_printf(rq, "0\r\n\r\n");
	if (strcmp(rq->target, "/breaks") == 0)
		return false;
	server_drain(rq);
	return false;
}

static void
start(struct rig2 *r, int64_t quiet)
{
	const struct follower_options opt = { .turn = turn, .ctx = r,
	    .quiet = quiet, .beat = 200 };

	memset(r, 0, sizeof(*r));
	rig_start(&r->rig, answer);
	r->rig.server.ctx = r;
	r->follower = follower_new(&opt);
}

static void
stop(struct rig2 *r)
{
	follower_free(r->follower);
	rig_stop(&r->rig);
}

static void
follow(struct rig2 *r, struct seen *s, const char *path, size_t limit)
{
	static const struct follow_ops ops = {
		.head = on_head, .body = on_body, .end = on_end };

	pthread_mutex_init(&s->lock, NULL);
	strbuf_init(&s->body, 4096);
	s->spec = (struct follow_spec){ .up = r->rig.up, .path = path,
	    .cred = &r->rig.cred, .limit = limit, .ops = &ops, .ctx = s };
	__atomic_store_n(&r->start, s, __ATOMIC_RELEASE);
	follower_wake(r->follower);
	while (__atomic_load_n(&r->start, __ATOMIC_ACQUIRE) != NULL)
		usleep(1000);
}

static bool
has_ended(struct seen *s)
{
	bool ended;

	pthread_mutex_lock(&s->lock);
	ended = s->ended;
	pthread_mutex_unlock(&s->lock);
	return ended;
}

static bool
has_body(struct seen *s, const char *want)
{
	bool same;

	pthread_mutex_lock(&s->lock);
	same = strcmp(s->body.buf, want) == 0;
	pthread_mutex_unlock(&s->lock);
	return same;
}

/* ms until it ended; -1: it does not. */
static int64_t
ends(struct seen *s, int ms)
{
	int64_t began = rig_ms();

	while (!has_ended(s) && rig_ms() - began < ms)
		usleep(1000);
	return has_ended(s) ? rig_ms() - began : -1;
}

static void
release(struct seen *s)
{
	strbuf_release(&s->body);
	pthread_mutex_destroy(&s->lock);
}

static void
hands_over_what_comes(void **state UNUSED)
{
	struct rig2 r;
	struct seen s[4] = { 0 };

	start(&r, 0);
	follow(&r, &s[0], "/open", 0);
	follow(&r, &s[1], "/whole", 100);
	follow(&r, &s[2], "/ends", 0);
	follow(&r, &s[3], "/breaks", 0);
	assert_true(ends(&s[1], 1000) >= 0);
	assert_int_equal(s[1].err.code, 0);
	assert_true(has_body(&s[1], "whole"));
	assert_true(ends(&s[2], 1000) >= 0);
	assert_int_equal(s[2].err.code, 0);
	assert_true(ends(&s[3], 1000) >= 0);
	assert_int_equal(s[3].err.code, E_PROTOCOL);
	assert_int_equal(ends(&s[0], 1500), -1);	/* past the timeout */
	assert_true(has_body(&s[0], "hello"));
	stop(&r);
	assert_false(s[0].ended);
	for (int i = 0; i < 4; i++)
		release(&s[i]);
}

static void
says_how_it_ended(void **state UNUSED)
{
	struct rig2 r;
	struct seen s[4] = { 0 };
	int64_t ms;

	start(&r, 0);
	follow(&r, &s[0], "/busy", 0);
	assert_true(ends(&s[0], 1000) >= 0);
	assert_int_equal(s[0].status, 429);
	assert_int_equal(s[0].retry_after, 7000);
	follow(&r, &s[1], "/never", 0);
	ms = ends(&s[1], 3000);
	assert_in_range(ms, 500, 2000);
	assert_int_equal(s[1].err.code, E_TIMEOUT);
	follow(&r, &s[2], "/whole", 4);
	assert_true(ends(&s[2], 1000) >= 0);
	assert_int_equal(s[2].err.code, E_TOOLARGE);
	s[3].answer = E_DENIED;
	follow(&r, &s[3], "/open", 0);
	assert_true(ends(&s[3], 1000) >= 0);
	assert_int_equal(s[3].err.code, E_DENIED);
	stop(&r);
	for (int i = 0; i < 4; i++)
		release(&s[i]);
}

static void
is_stopped_from_within_and_without(void **state UNUSED)
{
	struct rig2 r;
	struct seen s[2] = { { .stops = true }, { .stops = false } };

	start(&r, 0);
	follow(&r, &s[0], "/open", 0);
	follow(&r, &s[1], "/open", 0);
	assert_int_equal(server_wait(&r.rig.server.requests, 2, 1000), 2);
	assert_int_equal(server_wait(&r.rig.server.open, 1, 1000), 1);
	__atomic_store_n(&r.stop, &s[1], __ATOMIC_RELEASE);
	follower_wake(r.follower);
	assert_int_equal(server_wait(&r.rig.server.open, 0, 1000), 0);
	assert_false(has_ended(&s[0]));
	assert_false(has_ended(&s[1]));
	stop(&r);
	release(&s[0]);
	release(&s[1]);
}

/* Its kernel still acknowledges: only asking shows that nobody is there. */
static void
finds_silent_servers(void **state UNUSED)
{
	struct rig2 r;
	struct seen s[2] = { 0 };
	int64_t ms;

	start(&r, 200);
	follow(&r, &s[0], "/open", 0);
	follow(&r, &s[1], "/open", 0);
	assert_int_equal(ends(&s[0], 1000), -1);	/* beats are answered */
	assert_true(__atomic_load_n(&r.rig.server.requests,
	    __ATOMIC_SEQ_CST) >= 4);
	__atomic_store_n(&r.silent, true, __ATOMIC_RELEASE);
	ms = ends(&s[0], 2000);
	assert_in_range(ms, 100, 800);
	assert_int_equal(s[0].err.code, E_TIMEOUT);
	assert_true(ends(&s[1], 100) >= 0);
	assert_int_equal(server_wait(&r.rig.server.open, 0, 1000), 0);
	stop(&r);
	release(&s[0]);
	release(&s[1]);
}

/* A beat is for peers that say nothing. */
static void
leaves_busy_peers_alone(void **state UNUSED)
{
	struct rig2 r;
	struct seen s = { 0 };

	start(&r, 60000);
	follow(&r, &s, "/open", 0);
	assert_int_equal(ends(&s, 300), -1);
	assert_int_equal(r.rig.server.requests, 1);
	stop(&r);
	release(&s);
}

static int
option(int fd, int name)
{
	int value = -1;
	socklen_t len = sizeof(value);

	getsockopt(fd, IPPROTO_TCP, name, &value, &len);
	return value;
}

/* Our end of a connection to that port; -1: there is none. */
static int
socket_to(int port)
{
	struct sockaddr_in peer;
	socklen_t len;
	int fd;

	for (fd = 3; fd < 256; fd++) {
		len = sizeof(peer);
		if (getpeername(fd, (struct sockaddr *)&peer, &len) == 0 &&
		    peer.sin_family == AF_INET &&
		    ntohs(peer.sin_port) == port)
			return fd;
	}
	return -1;
}

static void
has_tcp_look_for_silent_networks(void **state UNUSED)
{
	struct rig2 r;
	struct seen s = { 0 };
	int fd;

	start(&r, 0);
	follow(&r, &s, "/open", 0);
	while (!has_body(&s, "hello"))
		usleep(1000);
	fd = socket_to(r.rig.server.port);
	assert_true(fd >= 0);
	assert_int_equal(option(fd, TCP_KEEPIDLE), 5);
	assert_int_equal(option(fd, TCP_KEEPINTVL), 2);
	assert_int_equal(option(fd, TCP_USER_TIMEOUT), 10000);
	stop(&r);
	release(&s);
}

static void
asks_the_breaker(void **state UNUSED)
{
	struct rig2 r;
	struct seen s[3] = { 0 };
	struct upstream *up;
	char url[64];
	int i;

	start(&r, 0);
	snprintf(url, sizeof(url), "http://127.0.0.1:%d", server_free_port());
	up = r.rig.up;
	r.rig.up = rig_upstream(&r.rig, url, 2);
	for (i = 0; i < 3; i++) {
		follow(&r, &s[i], "/open", 0);
		assert_true(ends(&s[i], 2000) >= 0);
		assert_int_equal(s[i].err.code, i < 2 ? E_CONNECT :
		    E_BREAKER);
		release(&s[i]);
	}
	follower_free(r.follower);
	r.follower = NULL;
	upstream_put(up);
	stop(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hands_over_what_comes),
		cmocka_unit_test(says_how_it_ended),
		cmocka_unit_test(is_stopped_from_within_and_without),
		cmocka_unit_test(finds_silent_servers),
		cmocka_unit_test(leaves_busy_peers_alone),
		cmocka_unit_test(has_tcp_look_for_silent_networks),
		cmocka_unit_test(asks_the_breaker),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
