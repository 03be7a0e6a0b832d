/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS and HTTP/2 against nginx: whom we trust, how many connections lists
 * take, and that a connection made with one's certificate serves nobody else.
 */
#include "base.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <cmocka.h>

#include "transport.h"
#include "log.h"
#include "webserver.h"

#define LISTS 13
#define CROWD 8
#define ROUNDS 240

static struct webserver web;
static bool have_web;
static char *ca, *other_ca;

struct answer {
	unsigned long connection;
	char protocol[16], who[64], subject[64];
};

static struct transport *
transport_with(const char *roots)
{
	const struct transport_options opt = { .threads = 1,
		.roots_pem = roots };

	return transport_new(&opt);
}

static struct upstream *
upstream_at(struct transport *t, const char *url, const char *ca_pem,
    bool insecure)
{
	const struct upstream_options opt = { .url = url, .ca_pem = ca_pem,
		.insecure = insecure, .connect_timeout = 2, .timeout = 5 };
	struct upstream *up = NULL;
	struct err err = ERR_INIT;

	if (upstream_get(t, &opt, &up, &err) != 0)
		BUG("%s", err.text);
	return up;
}

static void
bearer(struct credential *c, const char *who)
{
	struct secret s = SECRET_INIT;

	*c = (struct credential)CREDENTIAL_INIT;
	secret_set(&s, who, strlen(who));
	credential_take_bearer(c, &s);
}

static void
certificate(struct credential *c, const char *cert, const char *key)
{
	char *pem = webserver_file(&web, cert);

	*c = (struct credential)CREDENTIAL_INIT;
	c->kind = CREDENTIAL_CERTIFICATE;
	secret_set(&c->certificate, pem, strlen(pem));
	free(pem);
	pem = webserver_file(&web, key);
	secret_set(&c->key, pem, strlen(pem));
	free(pem);
}

/* "12 HTTP/2.0 Bearer alice -": the scheme's word is dropped. */
static void
answer_parse(const char *body, struct answer *a)
{
	char word[64] = "";

	memset(a, 0, sizeof(*a));
	if (strstr(body, "Bearer ") != NULL)
		assert_int_equal(sscanf(body, "%lu %15s Bearer %63s %63s",
		    &a->connection, a->protocol, a->who, a->subject), 4);
	else
		assert_int_equal(sscanf(body, "%lu %15s %63s %63s",
		    &a->connection, a->protocol, word, a->subject), 4);
}

static int
fetch(struct transport *t, struct upstream *up, const struct credential *c,
    struct answer *a, struct err *err)
{
	struct fetch f = { .up = up, .path = "/x", .cred = c, .limit = 4096 };
	int r = transport_fetch(t, &f, -1);

	if (r == 0 && a != NULL)
		answer_parse(f.body.buf, a);
	if (err != NULL)
		*err = f.err;
	strbuf_release(&f.body);
	return r;
}

static int
keep_body(void *ctx, const char *data, size_t len)
{
	return strbuf_add(ctx, data, len);
}

static int
any_head(void *ctx UNUSED, int status UNUSED,
    const struct header *headers UNUSED, size_t n UNUSED)
{
	return 0;
}

static int
stream(struct transport *t, struct upstream *up, const struct credential *c,
    struct answer *a, struct err *err)
{
	struct strbuf body = STRBUF_INIT(4096);
	const struct stream_request rq = { .up = up, .method = "GET",
		.path = "/x", .cred = c };
	const struct stream_io io = { .ctx = &body, .head = any_head,
		.body = keep_body, .fd = -1 };
	int r = transport_stream(t, &rq, &io, err);

	if (r == 0 && a != NULL)
		answer_parse(body.buf, a);
	strbuf_release(&body);
	return r;
}

/* ---- whom we trust ---- */

struct trust {
	const char *url, *ca;
	bool insecure;
	const char *text, *code;	/* NULL: it works */
};

static void
check_trust(const char *roots, const struct trust *row)
{
	struct transport *t = transport_with(roots);
	struct upstream *up = upstream_at(t, row->url, row->ca, row->insecure);
	int want = row->text == NULL ? 0 : E_TLS;
	struct credential alice;
	struct transport_cause cause;
	struct err err = ERR_INIT;

	bearer(&alice, "alice");
	assert_int_equal(fetch(t, up, &alice, NULL, &err), want);
	if (row->text != NULL) {
		assert_string_equal(err.text, row->text);
		transport_cause(&err, &cause);
		assert_string_equal(cause.code, row->code);
	}
	err = (struct err)ERR_INIT;
	assert_int_equal(stream(t, up, &alice, NULL, &err), want);
	if (row->text != NULL)
		assert_string_equal(err.text, row->text);
	credential_release(&alice);
	upstream_put(up);
	transport_free(t);
}

static const char unknown_text[] = "unable to verify the first certificate";
static const char unknown_code[] = "UNABLE_TO_VERIFY_LEAF_SIGNATURE";
static const char name_text[] =
    "Hostname/IP does not match certificate's altnames";
static const char name_code[] = "ERR_TLS_CERT_ALTNAME_INVALID";

static void
trusts_the_given_ca_alone(void **state UNUSED)
{
	const struct trust rows[] = {
		{ web.http2, ca, false, NULL, NULL },
		{ web.http1, ca, false, NULL, NULL },
		{ web.http2, NULL, false, unknown_text, unknown_code },
		{ web.http2, other_ca, false, unknown_text, unknown_code },
		{ web.http2, NULL, true, NULL, NULL },
		{ web.http2, other_ca, true, NULL, NULL },
		{ web.other_name, ca, false, name_text, name_code },
		{ web.other_name, ca, true, NULL, NULL },
		{ web.expired, ca, false, "certificate has expired",
		    "CERT_HAS_EXPIRED" },
		{ web.expired, ca, true, NULL, NULL },
	};
	const struct trust replaced = { web.http2, other_ca, false,
		unknown_text, unknown_code };
	const struct trust added = { web.http2, NULL, false, NULL, NULL };
	size_t i;

	if (!have_web)
		skip();
	for (i = 0; i < ARRAY_LEN(rows); i++)
		check_trust(NULL, &rows[i]);
	check_trust(ca, &added);	/* caFile adds to the system's */
	check_trust(ca, &replaced);	/* a cluster's CA replaces both */
}

static void
needs_tls_where_it_is_asked_for(void **state UNUSED)
{
	struct transport *t = transport_with(NULL);
	struct credential alice;
	struct upstream *up;
	struct err err;

	if (!have_web)
		skip();
	bearer(&alice, "alice");
	up = upstream_at(t, web.plain, ca, true);
	assert_int_equal(fetch(t, up, &alice, NULL, &err), E_TLS);
	assert_int_equal(stream(t, up, &alice, NULL, &err), E_TLS);
	credential_release(&alice);
	upstream_put(up);
	transport_free(t);
}

/* A connection that nobody verified must not serve one who wants that. */
static void
does_not_lend_unverified_connections(void **state UNUSED)
{
	struct transport *t = transport_with(NULL);
	struct upstream *careless, *careful;
	struct credential alice;
	struct err err;

	if (!have_web)
		skip();
	bearer(&alice, "alice");
	careless = upstream_at(t, web.http2, NULL, true);
	careful = upstream_at(t, web.http2, other_ca, false);
	assert_int_equal(fetch(t, careless, &alice, NULL, &err), 0);
	assert_int_equal(fetch(t, careful, &alice, NULL, &err), E_TLS);
	upstream_put(careful);
	careful = upstream_at(t, web.http2, NULL, false);
	assert_int_equal(fetch(t, careful, &alice, NULL, &err), E_TLS);
	credential_release(&alice);
	upstream_put(careless);
	upstream_put(careful);
	transport_free(t);
}

/* ---- how many connections ---- */

/* A query's lists; how many connections they took. */
static size_t
lists(struct transport *t, struct upstream *up, const char *protocol)
{
	struct fetch f[LISTS] = { 0 };
	struct fetch_group g = { .fetches = f, .n = LISTS };
	struct batch *b = batch_new(t, -1);
	struct credential users[2];
	struct answer a[LISTS];
	size_t i, j, n = 0;

	bearer(&users[0], "alice");
	bearer(&users[1], "bob");
	for (i = 0; i < LISTS; i++)
		f[i] = (struct fetch){ .up = up, .path = "/x", .limit = 4096,
			.cred = &users[i % 2] };
	batch_submit(b, &g);
	assert_ptr_equal(batch_wait(b, NULL), &g);
	for (i = 0; i < LISTS; i++) {
		assert_int_equal(f[i].err.code, 0);
		answer_parse(f[i].body.buf, &a[i]);
		assert_string_equal(a[i].protocol, protocol);
		assert_string_equal(a[i].who, i % 2 ? "bob" : "alice");
		for (j = 0; j < i && a[j].connection != a[i].connection; j++)
			;
		n += j == i;
		strbuf_release(&f[i].body);
	}
	batch_free(b);
	credential_release(&users[0]);
	credential_release(&users[1]);
	return n;
}

static void
needs_one_connection_with_http2(void **state UNUSED)
{
	struct transport *t = transport_with(NULL);
	struct upstream *up;

	if (!have_web)
		skip();
	up = upstream_at(t, web.http2, ca, false);
	assert_int_equal(lists(t, up, "HTTP/2.0"), 1);	/* also the first */
	assert_int_equal(lists(t, up, "HTTP/2.0"), 1);
	upstream_put(up);
	up = upstream_at(t, web.http1, ca, false);
	assert_in_range(lists(t, up, "HTTP/1.1"), 1, LISTS);
	upstream_put(up);
	transport_free(t);
}

struct crowd {
	struct transport *transport;
	struct upstream *up;
	unsigned failed, running;	/* atomic */
};

static void
crowd_note(struct crowd *c, const struct fetch *f)
{
	if (f->err.code == 0)
		return;
	printf("# %s, tried %u more times\n", f->err.text, f->tries);
	__atomic_add_fetch(&c->failed, 1, __ATOMIC_SEQ_CST);
}

static void *
crowd_main(void *arg)
{
	struct crowd *c = arg;
	struct credential alice;
	struct fetch f[LISTS];
	struct fetch_group g = { .fetches = f, .n = LISTS };
	struct batch *b;
	int i, j;

	bearer(&alice, "alice");
	for (i = 0; i < ROUNDS; i++) {
		b = batch_new(c->transport, -1);
		for (j = 0; j < LISTS; j++)
			f[j] = (struct fetch){ .up = c->up, .path = "/x",
				.limit = 4096, .cred = &alice };
		batch_submit(b, &g);
		while (batch_wait(b, NULL) != NULL)
			;
		for (j = 0; j < LISTS; j++) {
			crowd_note(c, &f[j]);
			strbuf_release(&f[j].body);
		}
		batch_free(b);
	}
	credential_release(&alice);
	__atomic_sub_fetch(&c->running, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

/* Its reload costs no list, though many are under way. */
static void
survives_a_server_that_says_goodbye(void **state UNUSED)
{
	struct transport *t = transport_with(NULL);
	struct crowd c = { .transport = t };
	pthread_t threads[CROWD];
	struct upstream *up;
	int i;

	if (!have_web)
		skip();
	up = upstream_at(t, web.goodbye, ca, false);
	for (i = 0; i < 5; i++)
		assert_in_range(lists(t, up, "HTTP/2.0"), 2, LISTS);
	upstream_put(up);
	c.up = upstream_at(t, web.http2, ca, false);
	c.running = CROWD;
	for (i = 0; i < CROWD; i++)
		pthread_create(&threads[i], NULL, crowd_main, &c);
	while (__atomic_load_n(&c.running, __ATOMIC_SEQ_CST) > 0) {
		usleep(200000);
		kill(web.pid, SIGHUP);
	}
	for (i = 0; i < CROWD; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(c.failed, 0);
	upstream_put(c.up);
	transport_free(t);
}

static void
streams_over_kept_http1(void **state UNUSED)
{
	struct transport *t = transport_with(NULL);
	struct credential alice;
	struct upstream *up;
	struct answer a, b;
	struct err err;

	if (!have_web)
		skip();
	bearer(&alice, "alice");
	up = upstream_at(t, web.http2, ca, false);
	assert_int_equal(stream(t, up, &alice, &a, &err), 0);
	assert_int_equal(stream(t, up, &alice, &b, &err), 0);
	assert_string_equal(a.protocol, "HTTP/1.1");
	assert_int_equal(a.connection, b.connection);
	credential_release(&alice);
	upstream_put(up);
	transport_free(t);
}

/* ---- client certificates ---- */

typedef int ask(struct transport *t, struct upstream *up,
    const struct credential *c, struct answer *a, struct err *err);

static void
asks_as(ask *how, struct transport *t, struct upstream *up,
    const struct credential *c, const char *subject)
{
	static unsigned long seen[3];	/* by alice, bob, nobody */
	struct answer a;
	struct err err = ERR_INIT;
	size_t i = strcmp(subject, "CN=alice") == 0 ? 0 :
	    strcmp(subject, "CN=bob") == 0 ? 1 : 2;

	assert_int_equal(how(t, up, c, &a, &err), 0);
	assert_string_equal(a.subject, subject);
	seen[i] = a.connection;
	assert_int_not_equal(seen[i], seen[(i + 1) % 3]);
	assert_int_not_equal(seen[i], seen[(i + 2) % 3]);
}

static void
ask_in_turn(ask *how)
{
	struct transport *t = transport_with(NULL);
	struct upstream *up = upstream_at(t, web.http2, ca, false);
	struct credential alice, bob, token, mixed;
	struct err err = ERR_INIT;
	int i;

	certificate(&alice, "alice.pem", "alice.key");
	certificate(&bob, "bob.pem", "bob.key");
	certificate(&mixed, "alice.pem", "bob.key");
	bearer(&token, "carol");
	for (i = 0; i < 3; i++) {
		asks_as(how, t, up, &alice, "CN=alice");
		/* the certificate is public: the key is what counts */
		assert_int_not_equal(how(t, up, &mixed, NULL, &err), 0);
		asks_as(how, t, up, &bob, "CN=bob");
		asks_as(how, t, up, &token, "-");
	}
	credential_release(&alice);
	credential_release(&bob);
	credential_release(&mixed);
	credential_release(&token);
	upstream_put(up);
	transport_free(t);
}

static void
lends_nobody_a_certificate(void **state UNUSED)
{
	if (!have_web)
		skip();
	ask_in_turn(fetch);
	ask_in_turn(stream);
}

static void
keeps_a_certificate_s_connection(void **state UNUSED)
{
	struct transport *t = transport_with(NULL);
	struct credential alice, again;
	struct answer a, b;
	struct upstream *up;
	struct err err;

	if (!have_web)
		skip();
	up = upstream_at(t, web.http2, ca, false);
	certificate(&alice, "alice.pem", "alice.key");
	certificate(&again, "alice.pem", "alice.key");
	assert_int_equal(fetch(t, up, &alice, &a, &err), 0);
	assert_int_equal(fetch(t, up, &again, &b, &err), 0);
	assert_int_equal(a.connection, b.connection);
	assert_int_equal(stream(t, up, &alice, &a, &err), 0);
	assert_int_equal(stream(t, up, &again, &b, &err), 0);
	assert_int_equal(a.connection, b.connection);
	credential_release(&alice);
	credential_release(&again);
	upstream_put(up);
	transport_free(t);
}

static int
group_setup(void **state UNUSED)
{
	alarm(120);
	log_init(LOG_LEVEL_ERROR, false);
	have_web = webserver_start(&web);
	if (!have_web) {
		printf("# nginx or openssl is missing\n");
		return 0;
	}
	ca = webserver_file(&web, "ca.pem");
	other_ca = webserver_file(&web, "other-ca.pem");
	return 0;
}

static int
group_teardown(void **state UNUSED)
{
	webserver_stop(&web);
	free(ca);
	free(other_ca);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(trusts_the_given_ca_alone),
		cmocka_unit_test(needs_tls_where_it_is_asked_for),
		cmocka_unit_test(does_not_lend_unverified_connections),
		cmocka_unit_test(needs_one_connection_with_http2),
		cmocka_unit_test(streams_over_kept_http1),
		cmocka_unit_test(lends_nobody_a_certificate),
		cmocka_unit_test(keeps_a_certificate_s_connection),
		/* Last: its reloads close connections for a while. */
		cmocka_unit_test(survives_a_server_that_says_goodbye),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
