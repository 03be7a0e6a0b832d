/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Batches: whole groups, many fetches over few connections, clusters that
 * cost no one else anything, the breaker, clients that leave, and that no
 * one's credential serves another.
 */
#include "base.h"

#include <pthread.h>
#include <setjmp.h>
#include <cmocka.h>
#include <sys/socket.h>

#include "rig.h"
#include "upstream.h"

#define LISTS 13
#define USERS 8

/* ---- the cluster ---- */

static unsigned busy, busiest;		/* answers under way at once */
static unsigned hanging = 1;		/* does /flaky hang? */
static unsigned probes;
static char probe_head[1024];		/* of the last one */

static bool
answer_counted(struct server_request *rq)
{
	unsigned n = __atomic_add_fetch(&busy, 1, __ATOMIC_SEQ_CST);
	unsigned max = __atomic_load_n(&busiest, __ATOMIC_SEQ_CST);

	while (n > max && !__atomic_compare_exchange_n(&busiest, &max, n,
	    false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		;
	usleep(10000);
	__atomic_sub_fetch(&busy, 1, __ATOMIC_SEQ_CST);
	return server_answer(rq, 200, "counted");
}

static void
note_probe(struct server_request *rq)
{
	snprintf(probe_head, sizeof(probe_head), "%s", rq->head);
	__atomic_add_fetch(&probes, 1, __ATOMIC_SEQ_CST);
}

static bool
cluster(struct server_request *rq)
{
	if (strcmp(rq->target, "/hang") == 0) {
		server_drain(rq);
		return false;
	}
	if (strcmp(rq->target, "/counted") == 0)
		return answer_counted(rq);
	if (strcmp(rq->target, "/version") == 0)
		note_probe(rq);
	if (__atomic_load_n(&hanging, __ATOMIC_SEQ_CST) &&
	    (strcmp(rq->target, "/flaky") == 0 ||
	    strcmp(rq->target, "/version") == 0)) {
		server_drain(rq);
		return false;
	}
	if (strcmp(rq->target, "/slow") == 0)
		usleep(250000);	/* twice and a half the look at the client */
	return server_answer(rq, 200, rq->head);
}

static int
setup(void **state)
{
	struct rig *r = xcalloc(1, sizeof(*r));

	busy = busiest = probes = 0;
	hanging = 1;
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

/* ---- groups ---- */

static void
lists_init(struct rig *r, struct fetch_group *g, struct upstream *up,
    const char *path, size_t n)
{
	size_t i;

	memset(g, 0, sizeof(*g));
	g->fetches = xcalloc(n, sizeof(*g->fetches));
	g->n = n;
	for (i = 0; i < n; i++) {
		g->fetches[i].up = up;
		g->fetches[i].path = path;
		g->fetches[i].cred = &r->cred;
		g->fetches[i].limit = 65536;
	}
}

static void
lists_release(struct fetch_group *g)
{
	size_t i;

	for (i = 0; i < g->n; i++)
		strbuf_release(&g->fetches[i].body);
	free(g->fetches);
}

static void
all_failed_with(const struct fetch_group *g, int code)
{
	size_t i;

	for (i = 0; i < g->n; i++)
		assert_int_equal(g->fetches[i].err.code, code);
}

static size_t
count_of(const struct fetch_group *g, int code)
{
	size_t i, n = 0;

	for (i = 0; i < g->n; i++)
		n += g->fetches[i].err.code == code;
	return n;
}

static void
brings_whole_groups(void **state)
{
	struct rig *r = *state;
	struct batch *b = batch_new(r->transport, -1);
	struct fetch_group slow, quick, empty = { .n = 0 };
	struct err err = { .code = E_INPUT };

	lists_init(r, &slow, r->up, "/slow", 3);
	lists_init(r, &quick, r->up, "/ok", LISTS);
	batch_submit(b, &slow);
	batch_submit(b, &quick);
	batch_submit(b, &empty);
	assert_ptr_equal(batch_wait(b, &err), &empty);
	assert_ptr_equal(batch_wait(b, &err), &quick);
	all_failed_with(&quick, 0);
	assert_ptr_equal(batch_wait(b, &err), &slow);
	all_failed_with(&slow, 0);
	assert_null(batch_wait(b, &err));
	assert_int_equal(err.code, 0);
	batch_free(b);
	lists_release(&slow);
	lists_release(&quick);
}

static void
is_not_held_up_by_another_cluster(void **state)
{
	struct rig *r = *state;
	struct batch *b = batch_new(r->transport, -1);
	struct fetch_group hung, good;
	struct upstream *up = rig_upstream(r, r->server.url, 1);
	int64_t began = rig_ms();

	lists_init(r, &hung, up, "/hang", LISTS);
	lists_init(r, &good, r->up, "/ok", LISTS);
	batch_submit(b, &hung);
	batch_submit(b, &good);
	assert_ptr_equal(batch_wait(b, NULL), &good);
	assert_in_range(rig_ms() - began, 0, 300);
	assert_ptr_equal(batch_wait(b, NULL), &hung);
	assert_in_range(rig_ms() - began, 550, 1000);
	all_failed_with(&hung, E_TIMEOUT);
	batch_free(b);
	lists_release(&hung);
	lists_release(&good);
	upstream_put(up);
}

static void
holds_back_what_is_too_much(void **state)
{
	struct rig *r = *state;
	struct batch *b = batch_new(r->transport, -1);
	struct fetch_group g;

	lists_init(r, &g, r->up, "/counted", 150);
	batch_submit(b, &g);
	assert_ptr_equal(batch_wait(b, NULL), &g);
	all_failed_with(&g, 0);
	assert_in_range(server_wait(&busiest, 32, 0), 8, 32);
	assert_in_range(server_wait(&r->server.connections, 32, 0), 8, 32);
	batch_free(b);
	lists_release(&g);
}

static void
shares_a_thread_among_many_clusters(void **state UNUSED)
{
	struct upstream http1 = { .multiplexed = false };
	struct upstream http2 = { .multiplexed = true };

	assert_int_equal(upstream_room(&http1, 0), 32);
	assert_int_equal(upstream_room(&http1, 10), 32);
	assert_int_equal(upstream_room(&http1, 20), 16);
	assert_int_equal(upstream_room(&http2, 1), 100);
	assert_int_equal(upstream_room(&http2, 5), 64);
	/* A query's lists at once, whatever the others do. */
	assert_int_equal(upstream_room(&http1, 1000), LISTS);
	assert_int_equal(upstream_room(&http2, 1000), LISTS);
}

/* The first 32 hang; the others must not wait for their turn to hang. */
static void
fails_what_waits_for_a_hung_cluster(void **state)
{
	struct rig *r = *state;
	struct batch *b = batch_new(r->transport, -1);
	struct upstream *up = rig_upstream(r, r->server.url, 2);
	struct fetch_group g;
	int64_t began = rig_ms();

	lists_init(r, &g, up, "/hang", 100);
	batch_submit(b, &g);
	assert_ptr_equal(batch_wait(b, NULL), &g);
	assert_in_range(rig_ms() - began, 550, 1000);
	assert_in_range(count_of(&g, E_TIMEOUT), 32, 36);
	assert_in_range(count_of(&g, E_BREAKER), 64, 68);
	assert_int_equal(server_wait(&r->server.open, 0, 1000), 0);
	batch_free(b);
	lists_release(&g);
	upstream_put(up);
}

static void
bounds_waiting_without_a_breaker(void **state)
{
	struct rig *r = *state;
	struct batch *b = batch_new(r->transport, -1);
	struct fetch_group g;
	int64_t began = rig_ms();

	lists_init(r, &g, r->up, "/hang", 200);
	batch_submit(b, &g);
	assert_ptr_equal(batch_wait(b, NULL), &g);
	/* connect + timeout in the queue, then its own deadline */
	assert_in_range(rig_ms() - began, 1000, 2300);
	all_failed_with(&g, E_TIMEOUT);
	batch_free(b);
	lists_release(&g);
}

/* ---- no connection ---- */

/* With its backlog full, Linux drops what else wants to connect. */
static void
waits_for_a_connection_no_longer_than_it_should(void **state)
{
	struct rig *r = *state;
	struct server full;
	struct upstream *up;
	struct fetch f;
	int64_t began;
	int i, fd[8];
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);

	server_start(&full, cluster);
	shutdown(full.fd, SHUT_RDWR);	/* the acceptor ends */
	server_stop(&full);
	full.fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(listen(full.fd, 0), 0);
	getsockname(full.fd, (void *)&ss, &len);
	for (i = 0; i < 8; i++) {
		fd[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		connect(fd[i], (void *)&ss, len);
	}
	snprintf(full.url, sizeof(full.url), "http://127.0.0.1:%d",
	    (int)__builtin_bswap16(*(uint16_t *)((char *)&ss + 2)));
	up = rig_upstream(r, full.url, 0);
	began = rig_ms();
	assert_int_equal(rig_fetch(r, up, "/ok", &f), E_TIMEOUT);
	assert_in_range(rig_ms() - began, 450, 900);
	assert_true(str_starts(f.err.text, "connect ETIMEDOUT 127.0.0.1:"));
	for (i = 0; i < 8; i++)
		close(fd[i]);
	close(full.fd);
	upstream_put(up);
}

/* ---- the breaker ---- */

static void
breaks_and_mends(void **state)
{
	struct rig *r = *state;
	struct upstream *up = rig_upstream(r, r->server.url, 2);
	struct fetch f;
	int64_t began;
	int i, rc;

	assert_int_equal(rig_fetch(r, up, "/flaky", &f), E_TIMEOUT);
	assert_int_equal(rig_fetch(r, up, "/flaky", &f), E_TIMEOUT);
	began = rig_ms();
	for (i = 0; i < 50; i++)	/* the first of them has it probed */
		assert_int_equal(rig_fetch(r, up, "/flaky", &f), E_BREAKER);
	assert_in_range(rig_ms() - began, 0, 200);
	assert_int_equal(server_wait(&probes, 1, 500), 1);
	assert_int_equal(server_wait(&r->server.requests, 3, 0), 3);
	assert_true(str_starts(probe_head, "GET /version HTTP/1.1\r\n"));
	assert_null(strstr(probe_head, "Authorization"));

	__atomic_store_n(&hanging, 0, __ATOMIC_SEQ_CST);
	for (i = 0; i < 200; i++) {
		rc = rig_fetch(r, up, "/flaky", &f);
		strbuf_release(&f.body);
		if (rc == 0)
			break;
		assert_int_equal(rc, E_BREAKER);
		usleep(10000);
	}
	assert_int_equal(rc, 0);
	upstream_put(up);
}

static void
probes_as_seldom_as_it_should(void **state)
{
	struct rig *r = *state;
	char url[64];
	struct upstream *up;
	struct fetch f;
	int i;

	hanging = 0;
	snprintf(url, sizeof(url), "http://127.0.0.1:%d", server_free_port());
	up = rig_upstream(r, url, 1);
	assert_int_equal(rig_fetch(r, up, "/", &f), E_CONNECT);
	for (i = 0; i < 100; i++) {
		assert_int_equal(rig_fetch(r, up, "/", &f), E_BREAKER);
		usleep(1000);
	}
	upstream_put(up);	/* perhaps with a probe under way */
}

/* 404 and the like are answers; so is the beginning of one. */
static void
counts_only_silence(void **state)
{
	struct rig *r = *state;
	struct upstream *up = rig_upstream(r, r->server.url, 1);
	struct fetch f;

	f.limit = 1;
	assert_int_equal(rig_fetch(r, up, "/ok", &f), 0);
	strbuf_release(&f.body);
	f = (struct fetch){ .up = up, .path = "/ok", .cred = &r->cred,
		.limit = 1 };
	assert_int_equal(transport_fetch(r->transport, &f, -1), E_TOOLARGE);
	strbuf_release(&f.body);
	assert_int_equal(rig_fetch(r, up, "/ok", &f), 0);
	strbuf_release(&f.body);
	upstream_put(up);
}

/* ---- leaving ---- */

static void
stops_when_the_client_leaves(void **state)
{
	struct rig *r = *state;
	struct upstream *up = rig_upstream(r, r->server.url, 9);
	struct fetch_group a, c;
	struct batch *b;
	struct err err = ERR_INIT;
	int64_t began;
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	b = batch_new(r->transport, pair[0]);
	lists_init(r, &a, r->up, "/hang", 50);
	lists_init(r, &c, up, "/hang", 3);
	batch_submit(b, &a);
	batch_submit(b, &c);
	assert_int_equal(server_wait(&r->server.requests, 35, 500), 35);
	close(pair[1]);
	began = rig_ms();
	assert_null(batch_wait(b, &err));
	assert_int_equal(err.code, E_GONE);
	assert_in_range(rig_ms() - began, 0, 300);
	all_failed_with(&a, E_GONE);
	all_failed_with(&c, E_GONE);
	assert_int_equal(server_wait(&r->server.open, 0, 1000), 0);
	assert_null(batch_wait(b, &err));	/* and nothing is left */
	assert_int_equal(err.code, 0);
	batch_free(b);
	lists_release(&a);
	lists_release(&c);
	close(pair[0]);
	upstream_put(up);
}

static void
stops_when_freed(void **state)
{
	struct rig *r = *state;
	struct batch *b = batch_new(r->transport, -1);
	struct batch *other = batch_new(r->transport, -1);
	struct fetch_group g, stays;

	lists_init(r, &g, r->up, "/hang", 20);
	lists_init(r, &stays, r->up, "/slow", 20);
	batch_submit(b, &g);
	batch_submit(other, &stays);
	batch_free(b);
	all_failed_with(&g, E_GONE);
	lists_release(&g);
	assert_ptr_equal(batch_wait(other, NULL), &stays);
	all_failed_with(&stays, 0);
	batch_free(other);
	lists_release(&stays);
}

/* A client that is only silent, or sends, has not left. */
static void
does_not_stop_for_a_client_that_stays(void **state)
{
	struct rig *r = *state;
	struct fetch f = { .up = r->up, .path = "/slow", .cred = &r->cred,
		.limit = 65536 };
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(transport_fetch(r->transport, &f, pair[0]), 0);
	strbuf_release(&f.body);
	assert_int_equal(write(pair[1], "x", 1), 1);
	assert_int_equal(transport_fetch(r->transport, &f, pair[0]), 0);
	strbuf_release(&f.body);
	close(pair[0]);
	close(pair[1]);
}

/* ---- whose credential ---- */

struct user {
	struct rig *rig;
	pthread_t thread;
	char name[16];
	unsigned wrong, failed;
};

static void
user_check(struct user *u, struct fetch_group *g)
{
	char line[64];
	size_t i;

	snprintf(line, sizeof(line), "\r\nAuthorization: Bearer %s\r\n",
	    u->name);
	for (i = 0; i < g->n; i++) {
		if (g->fetches[i].err.code != 0)
			u->failed++;
		else if (strstr(g->fetches[i].body.buf, line) == NULL)
			u->wrong++;
		strbuf_release(&g->fetches[i].body);
	}
}

static void *
user_main(void *arg)
{
	struct user *u = arg;
	struct credential cred;
	struct fetch_group g;
	struct batch *b;
	size_t i;
	int n;

	rig_bearer(&cred, u->name);
	for (n = 0; n < 20; n++) {
		b = batch_new(u->rig->transport, -1);
		lists_init(u->rig, &g, u->rig->up, "/mine", LISTS);
		for (i = 0; i < g.n; i++)
			g.fetches[i].cred = &cred;
		batch_submit(b, &g);
		while (batch_wait(b, NULL) != NULL)
			user_check(u, &g);
		batch_free(b);
		free(g.fetches);
	}
	credential_release(&cred);
	return NULL;
}

static void
mixes_up_no_users(void **state)
{
	struct user users[USERS];
	int i;

	memset(users, 0, sizeof(users));
	for (i = 0; i < USERS; i++) {
		users[i].rig = *state;
		snprintf(users[i].name, sizeof(users[i].name), "user%d", i);
		assert_int_equal(pthread_create(&users[i].thread, NULL,
		    user_main, &users[i]), 0);
	}
	for (i = 0; i < USERS; i++) {
		pthread_join(users[i].thread, NULL);
		assert_int_equal(users[i].failed, 0);
		assert_int_equal(users[i].wrong, 0);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(brings_whole_groups),
		TEST(is_not_held_up_by_another_cluster),
		TEST(holds_back_what_is_too_much),
		cmocka_unit_test(shares_a_thread_among_many_clusters),
		TEST(fails_what_waits_for_a_hung_cluster),
		TEST(bounds_waiting_without_a_breaker),
		TEST(waits_for_a_connection_no_longer_than_it_should),
		TEST(breaks_and_mends),
		TEST(probes_as_seldom_as_it_should),
		TEST(counts_only_silence),
		TEST(stops_when_the_client_leaves),
		TEST(stops_when_freed),
		TEST(does_not_stop_for_a_client_that_stays),
		TEST(mixes_up_no_users),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
