/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fetches: what is sent, what comes back, and every way in which a cluster
 * can answer badly or not at all.
 */
#include "base.h"

#include <setjmp.h>
#include <cmocka.h>
#include <sys/resource.h>
#include <zlib.h>

#include "rig.h"

#define BIG_ZEROS (4 << 20)

/* ---- the cluster ---- */

static bool
answer_gzip(struct server_request *rq, size_t zeros)
{
	size_t cap = zeros / 100 + 4096;
	unsigned char *plain = xcalloc(1, zeros), *out = xmalloc(cap);
	z_stream z = { .next_in = plain, .avail_in = (uInt)zeros,
		.next_out = out, .avail_out = (uInt)cap };
	bool ok;

	memset(plain, '0', zeros);
	if (deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8,
	    Z_DEFAULT_STRATEGY) != Z_OK || deflate(&z, Z_FINISH) !=
	    Z_STREAM_END)
		BUG("deflate failed");
	ok = server_printf(rq, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n"
	    "Content-Length: %lu\r\n\r\n", z.total_out) &&
	    server_write(rq, out, z.total_out);
	deflateEnd(&z);
	free(plain);
	free(out);
	return ok;
}

static bool
answer_drip(struct server_request *rq)
{
	int i;

	if (!server_printf(rq, "HTTP/1.1 200 OK\r\n"
	    "Content-Length: 1000\r\n\r\n"))
		return false;
	for (i = 0; i < 1000; i++) {
		if (!server_write(rq, "x", 1))
			return false;
		usleep(20000);
	}
	return true;
}

static bool
answer_large(struct server_request *rq, bool chunked)
{
	static const char block[65536];
	int i;

	server_printf(rq, chunked ?
	    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" :
	    "HTTP/1.1 200 OK\r\nContent-Length: 4194304\r\n\r\n");
	for (i = 0; i < 64; i++)
		if ((chunked && !server_printf(rq, "10000\r\n")) ||
		    !server_write(rq, block, sizeof(block)) ||
		    (chunked && !server_printf(rq, "\r\n")))
			return false;
	return !chunked || server_printf(rq, "0\r\n\r\n");
}

static bool
is(const struct server_request *rq, const char *target)
{
	return strcmp(rq->target, target) == 0;
}

/* Answers that are none. */
static bool
cluster_bad(struct server_request *rq)
{
	if (is(rq, "/hang"))
		server_drain(rq);
	else if (is(rq, "/reset"))
		server_reset(rq);
	else if (is(rq, "/truncated"))
		server_printf(rq, "HTTP/1.1 200 OK\r\n"
		    "Content-Length: 100\r\n\r\n{\"items\"");
	else if (is(rq, "/truncated-chunk"))
		server_printf(rq, "HTTP/1.1 200 OK\r\nTransfer-Encoding: "
		    "chunked\r\n\r\n8\r\n{\"items\"\r\n");
	else if (is(rq, "/garbage"))
		server_printf(rq, "SSH-2.0-OpenSSH_9.2\r\n");
	else if (is(rq, "/bad-chunk"))
		server_printf(rq, "HTTP/1.1 200 OK\r\nTransfer-Encoding: "
		    "chunked\r\n\r\nzz\r\n{\"items\"\r\n");
	else if (is(rq, "/bad-gzip"))
		server_printf(rq, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip"
		    "\r\nContent-Length: 4\r\n\r\nnope");
	return false;
}

static bool
cluster(struct server_request *rq)
{
	if (is(rq, "/ok") || is(rq, "/version"))
		return server_answer(rq, 200, "{\"ok\":true}");
	if (is(rq, "/echo"))
		return server_answer(rq, 200, rq->head);
	if (is(rq, "/base/api?a=b%2Fc"))
		return server_answer(rq, 200, "based");
	if (is(rq, "/404"))
		return server_answer(rq, 404, "{\"kind\":\"Status\"}");
	if (is(rq, "/redirect"))
		return server_printf(rq, "HTTP/1.1 302 Found\r\nLocation: "
		    "/ok\r\nContent-Length: 0\r\n\r\n");
	if (is(rq, "/hints"))
		return server_printf(rq, "HTTP/1.1 103 Early Hints\r\n"
		    "Link: x\r\n\r\n") && server_answer(rq, 200, "hinted");
	if (is(rq, "/gzip"))
		return answer_gzip(rq, 100000);
	if (is(rq, "/bomb"))
		return answer_gzip(rq, BIG_ZEROS);
	if (is(rq, "/drip"))
		return answer_drip(rq);
	if (is(rq, "/large") || is(rq, "/large-chunked"))
		return answer_large(rq, is(rq, "/large-chunked"));
	return cluster_bad(rq);
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

/* ---- good answers ---- */

static void
brings_an_answer(void **state)
{
	struct rig *r = *state;
	struct fetch f;

	assert_int_equal(rig_fetch(r, r->up, "/ok", &f), 0);
	assert_int_equal(f.status, 200);
	assert_string_equal(f.body.buf, "{\"ok\":true}");
	strbuf_release(&f.body);
}

static void
brings_answers_of_any_status(void **state)
{
	struct rig *r = *state;
	struct fetch f;

	assert_int_equal(rig_fetch(r, r->up, "/404", &f), 0);
	assert_int_equal(f.status, 404);
	assert_string_equal(f.body.buf, "{\"kind\":\"Status\"}");
	strbuf_release(&f.body);
	assert_int_equal(rig_fetch(r, r->up, "/hints", &f), 0);
	assert_int_equal(f.status, 200);
	assert_string_equal(f.body.buf, "hinted");
	strbuf_release(&f.body);
}

static void
says_what_it_should(void **state)
{
	static const char *const more[] = { "X-More: yes", NULL };
	struct rig *r = *state;
	struct fetch f = { .up = r->up, .path = "/echo", .cred = &r->cred,
		.limit = 4096, .headers = more };

	assert_int_equal(transport_fetch(r->transport, &f, -1), 0);
	assert_true(str_starts(f.body.buf, "GET /echo HTTP/1.1\r\n"));
	assert_non_null(strstr(f.body.buf,
	    "\r\nAuthorization: Bearer alice\r\n"));
	assert_non_null(strstr(f.body.buf, "\r\nAccept: application/json\r\n"));
	assert_non_null(strstr(f.body.buf,
	    "\r\nContent-Type: application/json\r\n"));
	assert_non_null(strstr(f.body.buf, "\r\nAccept-Encoding: gzip"));
	assert_non_null(strstr(f.body.buf, "\r\nX-More: yes\r\n"));
	assert_null(strstr(f.body.buf, "Cookie"));
	strbuf_release(&f.body);
}

static void
keeps_the_base_path(void **state)
{
	struct rig *r = *state;
	struct upstream *up;
	struct fetch f;
	char url[128];

	snprintf(url, sizeof(url), "%s/base/", r->server.url);
	up = rig_upstream(r, url, 0);
	assert_int_equal(rig_fetch(r, up, "/api?a=b%2Fc", &f), 0);
	assert_string_equal(f.body.buf, "based");
	strbuf_release(&f.body);
	upstream_put(up);
}

static void
undoes_gzip(void **state)
{
	struct rig *r = *state;
	struct fetch f;
	size_t i;

	assert_int_equal(rig_fetch(r, r->up, "/gzip", &f), 0);
	assert_int_equal(f.body.len, 100000);
	for (i = 0; i < f.body.len; i++)
		assert_int_equal(f.body.buf[i], '0');
	strbuf_release(&f.body);
}

static void
follows_no_redirect(void **state)
{
	struct rig *r = *state;
	struct fetch f;

	assert_int_equal(rig_fetch(r, r->up, "/redirect", &f), 0);
	assert_int_equal(f.status, 302);
	assert_int_equal(server_wait(&r->server.requests, 1, 0), 1);
	strbuf_release(&f.body);
}

static void
keeps_its_connection(void **state)
{
	struct rig *r = *state;
	struct fetch f;
	int i;

	for (i = 0; i < 20; i++) {
		assert_int_equal(rig_fetch(r, r->up, "/ok", &f), 0);
		strbuf_release(&f.body);
	}
	assert_int_equal(server_wait(&r->server.requests, 20, 0), 20);
	assert_int_equal(server_wait(&r->server.connections, 1, 0), 1);
}

/* ---- bad ones ---- */

static void
fails_with(struct rig *r, const char *path, int code, const char *text)
{
	struct fetch f;

	assert_int_equal(rig_fetch(r, r->up, path, &f), code);
	if (text != NULL)
		assert_string_equal(f.err.text, text);
	strbuf_release(&f.body);
}

static void
names_resets_and_early_ends(void **state)
{
	struct rig *r = *state;

	fails_with(r, "/reset", E_PROTOCOL, "socket hang up");
	fails_with(r, "/close", E_PROTOCOL, "socket hang up");
	fails_with(r, "/truncated", E_PROTOCOL, "the answer ended early");
	fails_with(r, "/truncated-chunk", E_PROTOCOL,
	    "the answer ended early");
}

static void
refuses_nonsense(void **state)
{
	struct rig *r = *state;

	fails_with(r, "/garbage", E_PROTOCOL, NULL);
	fails_with(r, "/bad-chunk", E_PROTOCOL, NULL);
	fails_with(r, "/bad-gzip", E_PROTOCOL, NULL);
}

static void
bounds_answers(void **state)
{
	struct rig *r = *state;
	const char *text = "the answer is larger than 1048576 bytes";

	fails_with(r, "/large", E_TOOLARGE, text);
	fails_with(r, "/large-chunked", E_TOOLARGE, text);
	fails_with(r, "/bomb", E_TOOLARGE, text);
}

static void
waits_no_longer_than_its_deadline(void **state)
{
	struct rig *r = *state;
	int64_t began = rig_ms();

	fails_with(r, "/hang", E_TIMEOUT, "no answer within 0.6 s");
	assert_in_range(rig_ms() - began, 550, 1000);
	/* ... and has let go of the connection */
	assert_int_equal(server_wait(&r->server.open, 0, 1000), 0);
	began = rig_ms();
	fails_with(r, "/drip", E_TIMEOUT, NULL);
	assert_in_range(rig_ms() - began, 550, 1000);
}

static void
names_who_refused(void **state)
{
	struct rig *r = *state;
	int port = server_free_port();
	struct transport_cause cause;
	struct upstream *up;
	struct fetch f;
	char url[64], text[80];

	snprintf(url, sizeof(url), "http://127.0.0.1:%d", port);
	snprintf(text, sizeof(text), "connect ECONNREFUSED 127.0.0.1:%d",
	    port);
	up = rig_upstream(r, url, 0);
	assert_int_equal(rig_fetch(r, up, "/", &f), E_CONNECT);
	assert_int_equal(f.status, 0);
	assert_string_equal(f.err.text, text);
	transport_cause(&f.err, &cause);
	assert_string_equal(cause.code, "ECONNREFUSED");
	assert_string_equal(cause.syscall, "connect");
	assert_string_equal(cause.address, "127.0.0.1");
	assert_int_equal(cause.port, port);
	assert_int_equal(cause.err_no, -111);
	upstream_put(up);
}

/* A label of more than 63 bytes fails without asking a name server. */
static void
names_what_does_not_resolve(void **state)
{
	struct rig *r = *state;
	struct transport_cause cause;
	struct upstream *up;
	struct fetch f;
	char url[128], host[81];

	memset(host, 'a', 80);
	host[80] = '\0';
	snprintf(url, sizeof(url), "http://%s.invalid:1", host);
	up = rig_upstream(r, url, 0);
	assert_int_equal(rig_fetch(r, up, "/", &f), E_CONNECT);
	assert_true(str_starts(f.err.text, "getaddrinfo ENOTFOUND aaaa"));
	transport_cause(&f.err, &cause);
	assert_string_equal(cause.code, "ENOTFOUND");
	assert_string_equal(cause.syscall, "getaddrinfo");
	upstream_put(up);
}

static void
gives_causes_without_address(void **state)
{
	struct rig *r = *state;
	struct transport_cause cause;
	struct fetch f;

	assert_int_equal(rig_fetch(r, r->up, "/reset", &f), E_PROTOCOL);
	transport_cause(&f.err, &cause);
	assert_string_equal(cause.code, "ECONNRESET");
	assert_null(cause.syscall);
	assert_int_equal(cause.port, 0);
	strbuf_release(&f.body);
}

static void
asks_no_proxy_of_the_environment(void **state)
{
	struct rig *r = *state;
	struct fetch f;

	setenv("http_proxy", "http://127.0.0.1:1", 1);
	setenv("all_proxy", "http://127.0.0.1:1", 1);
	assert_int_equal(rig_fetch(r, r->up, "/ok", &f), 0);
	strbuf_release(&f.body);
	unsetenv("http_proxy");
	unsetenv("all_proxy");
}

/* Then it is not the cluster's fault, and its breaker hears nothing. */
static void
survives_without_descriptors(void **state)
{
	struct rig *r = *state;
	struct upstream *up = rig_upstream(r, r->server.url, 1);
	struct rlimit few, usual;
	struct client c;
	struct fetch f;
	int fd = dup(STDIN_FILENO);

	close(fd);	/* the next one that would be free */
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &usual), 0);
	few = usual;
	few.rlim_cur = (rlim_t)fd;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	assert_int_equal(rig_fetch(r, up, "/ok", &f), E_SYSTEM);
	client_init(&c, r, "GET", "/ok");
	c.rq.up = up;
	assert_int_equal(client_run(&c, r), E_SYSTEM);
	client_release(&c);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &usual), 0);
	assert_int_equal(rig_fetch(r, up, "/ok", &f), 0);
	strbuf_release(&f.body);
	client_init(&c, r, "GET", "/ok");
	c.rq.up = up;
	assert_int_equal(client_run(&c, r), 0);
	client_release(&c);
	upstream_put(up);
}

/* ---- credentials ---- */

static void
sends_nothing_without_credential(void **state)
{
	struct rig *r = *state;
	struct fetch f;

	credential_release(&r->cred);
	assert_int_equal(rig_fetch(r, r->up, "/ok", &f), E_AUTH);
	rig_bearer(&r->cred, "two\r\nX-Evil: lines");
	assert_int_equal(rig_fetch(r, r->up, "/ok", &f), E_INPUT);
	credential_release(&r->cred);
	rig_bearer(&r->cred, "");
	assert_int_equal(rig_fetch(r, r->up, "/ok", &f), E_INPUT);
	credential_release(&r->cred);
	r->cred.kind = CREDENTIAL_CERTIFICATE;	/* never over http */
	secret_set(&r->cred.certificate, "c", 1);
	secret_set(&r->cred.key, "k", 1);
	assert_int_equal(rig_fetch(r, r->up, "/ok", &f), E_CONFIG);
	assert_int_equal(server_wait(&r->server.connections, 0, 0), 0);
}

static void
sends_other_credentials(void **state)
{
	struct rig *r = *state;
	struct fetch f;

	credential_release(&r->cred);
	r->cred.kind = CREDENTIAL_ANONYMOUS;
	assert_int_equal(rig_fetch(r, r->up, "/echo", &f), 0);
	assert_null(strstr(f.body.buf, "Authorization"));
	strbuf_release(&f.body);
	r->cred.kind = CREDENTIAL_VERBATIM;
	secret_set(&r->cred.value, "Basic Ym9i", 10);
	assert_int_equal(rig_fetch(r, r->up, "/echo", &f), 0);
	assert_non_null(strstr(f.body.buf, "\r\nAuthorization: Basic Ym9i"));
	strbuf_release(&f.body);
	secret_release(&r->cred.value);
	assert_int_equal(rig_fetch(r, r->up, "/echo", &f), 0);
	assert_non_null(strstr(f.body.buf, "\r\nAuthorization:\r\n"));
	strbuf_release(&f.body);
}

static void
refuses_bad_paths(void **state)
{
	static const char *const bad[] = { "", "x", "/a b", "/a\r\nX: y",
	    "/a\n", "/\x7f", "http://127.0.0.1/" };
	struct rig *r = *state;
	struct fetch f;
	size_t i;

	for (i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(rig_fetch(r, r->up, bad[i], &f), E_INPUT);
	assert_int_equal(server_wait(&r->server.connections, 0, 0), 0);
}

/* ---- upstreams ---- */

static void
shares_equal_upstreams(void **state)
{
	struct rig *r = *state;
	struct upstream *a = rig_upstream(r, r->server.url, 3);
	struct upstream *b = rig_upstream(r, r->server.url, 3);
	struct upstream *c = rig_upstream(r, r->server.url, 4);

	assert_ptr_equal(a, b);
	assert_ptr_not_equal(a, c);
	upstream_put(a);
	upstream_put(b);
	upstream_put(c);
	upstream_put(NULL);
}

static void
refuses_bad_addresses(void **state)
{
	static const char *const bad[] = { "", "notaurl", "ftp://h/",
	    "http://", "http://u:p@h/", "http://h/?q", "http://h/#f",
	    "http://h:99999/", "http://a b/", "http://h/\r\n", "//h/" };
	struct upstream_options opt = { .connect_timeout = 1, .timeout = 1 };
	struct rig *r = *state;
	struct upstream *up = NULL;
	struct err err;
	size_t i;

	for (i = 0; i < ARRAY_LEN(bad); i++) {
		opt.url = bad[i];
		assert_int_equal(upstream_get(r->transport, &opt, &up, &err),
		    E_CONFIG);
	}
	opt.url = "https://127.0.0.1:1/";
	opt.ca_pem = "-----BEGIN NONSENSE-----";
	assert_int_equal(upstream_get(r->transport, &opt, &up, &err),
	    E_CONFIG);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(brings_an_answer),
		TEST(brings_answers_of_any_status),
		TEST(says_what_it_should),
		TEST(keeps_the_base_path),
		TEST(undoes_gzip),
		TEST(follows_no_redirect),
		TEST(keeps_its_connection),
		TEST(names_resets_and_early_ends),
		TEST(refuses_nonsense),
		TEST(bounds_answers),
		TEST(waits_no_longer_than_its_deadline),
		TEST(names_who_refused),
		TEST(names_what_does_not_resolve),
		TEST(gives_causes_without_address),
		TEST(asks_no_proxy_of_the_environment),
		TEST(survives_without_descriptors),
		TEST(sends_nothing_without_credential),
		TEST(sends_other_credentials),
		TEST(refuses_bad_paths),
		TEST(shares_equal_upstreams),
		TEST(refuses_bad_addresses),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
