/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What issuers publish: fetched once for all, kept, fetched anew when it is
 * old or does not do, and every way not to get it. Ages and pauses go by a
 * clock of the test's own.
 */
#include "base.h"

#include <pthread.h>
#include <setjmp.h>
#include <cmocka.h>

#include "clock.h"
#include "documents.h"
#include "rig.h"

#define AGE 60000		/* ms: max_age of most */

static struct rig rig;
static struct documents *docs;
static int64_t clock_at;	/* atomic; ms */
static int status;		/* atomic; so below */
static unsigned text_no, delay_ms;

static int64_t
now(void)
{
	return __atomic_load_n(&clock_at, __ATOMIC_SEQ_CST);
}

static void
pass(int64_t ms)
{
	__atomic_add_fetch(&clock_at, ms, __ATOMIC_SEQ_CST);
}

static unsigned
asked(void)
{
	return __atomic_load_n(&rig.server.requests, __ATOMIC_SEQ_CST);
}

/* ---- the issuer ---- */

static bool
answer_huge(struct server_request *rq)
{
	size_t n = DOCUMENT_MAX + 1;
	char *text = xmalloc(n + 1);
	bool ok;

	memset(text, ' ', n);
	text[0] = '{';
	text[n - 1] = '}';
	text[n] = '\0';
	ok = server_answer(rq, 200, text);
	free(text);
	return ok;
}

static bool
answer_deep(struct server_request *rq)
{
	char text[400] = "";
	size_t i;

	for (i = 0; i < 60; i++)
		memcpy(text + 5 * i, "{\"a\":", 5);
	text[5 * i] = '1';
	memset(text + 5 * i + 1, '}', 60);
	return server_answer(rq, 200, text);
}

static bool
answer_usual(struct server_request *rq)
{
	char text[64];

	usleep(__atomic_load_n(&delay_ms, __ATOMIC_SEQ_CST) * 1000);
	snprintf(text, sizeof(text), "{\"no\":%u}",
	    __atomic_load_n(&text_no, __ATOMIC_SEQ_CST));
	return server_answer(rq, __atomic_load_n(&status, __ATOMIC_SEQ_CST),
	    text);
}

static bool
handler(struct server_request *rq)
{
	const char *t = rq->target;

	if (strcmp(t, "/html") == 0)
		return server_answer(rq, 200, "<html></html>");
	if (strcmp(t, "/list") == 0)
		return server_answer(rq, 200, "[{\"keys\":[]}]");
	if (strcmp(t, "/null") == 0)
		return server_answer(rq, 200, "null");
	if (strcmp(t, "/nul") == 0)
		return server_answer(rq, 200, "{\"a\":\"\\u0000\"}");
	if (strcmp(t, "/empty") == 0)
		return server_answer(rq, 200, "");
	if (strcmp(t, "/cut") == 0)
		return server_answer(rq, 200, "{\"keys\":[");
	if (strcmp(t, "/created") == 0)
		return server_answer(rq, 201, "{}");
	if (strcmp(t, "/huge") == 0)
		return answer_huge(rq);
	if (strcmp(t, "/deep") == 0)
		return answer_deep(rq);
	if (strcmp(t, "/drop") == 0)
		return false;
	if (strcmp(t, "/hang") == 0) {
		server_drain(rq);
		return false;
	}
	if (strcmp(t, "/slow") == 0) {
		usleep(700000);
		return server_answer(rq, 200, "{\"no\":1}");
	}
	if (strcmp(t, "/head") == 0)
		return server_answer(rq, 200, strstr(rq->head,
		    "\r\nAccept: application/json\r\n") ? "{\"ok\":1}" : "");
	if (strcmp(t, "/redirect") == 0)
		return server_printf(rq, "HTTP/1.1 302 Found\r\nLocation: "
		    "/usual\r\nContent-Length: 2\r\n\r\n{}");
	if (strcmp(t, "/wait-20") == 0)
		return server_printf(rq, "HTTP/1.1 429 Slow\r\n"
		    "Retry-After: 20\r\nContent-Length: 0\r\n\r\n");
	if (strcmp(t, "/wait-long") == 0)
		return server_printf(rq, "HTTP/1.1 503 Away\r\n"
		    "Retry-After: 3000\r\nContent-Length: 0\r\n\r\n");
	return answer_usual(rq);
}

/* ---- asking ---- */

static int
setup(void **state UNUSED)
{
	rig_start(&rig, handler);
	docs = documents_new(rig.transport);
	documents_clock(docs, now);
	clock_at = 1000000;
	status = 200;
	text_no = 1;
	delay_ms = 0;
	return 0;
}

static int
teardown(void **state UNUSED)
{
	documents_free(docs);
	rig_stop(&rig);
	return 0;
}

static int
get_url(const char *url, int64_t max_age, bool force,
    const struct document **out, struct err *err)
{
	const struct document_want want = { .url = url, .max_age = max_age,
	    .force = force };

	return documents_get(docs, &want, out, err);
}

/* The caller frees it. */
static char *
url_of(const char *path)
{
	char *url;

	if (asprintf(&url, "%s%s", rig.server.url, path) < 0)
		abort();
	return url;
}

static int
get(const char *path, bool force, const struct document **out,
    struct err *err)
{
	char *url = url_of(path);
	int r = get_url(url, AGE, force, out, err);

	free(url);
	return r;
}

/* It is there, with this number; its version. */
static uint64_t
expect(bool force, unsigned no)
{
	const struct document *doc;
	struct err err = ERR_INIT;
	char want[64];
	uint64_t version;

	if (get("/usual", force, &doc, &err) != 0)
		fail_msg("%s", err.text);
	snprintf(want, sizeof(want), "{\"no\":%u}", no);
	assert_string_equal(doc->text, want);
	assert_int_equal(doc->len, strlen(want));
	version = doc->version;
	document_put(doc);
	return version;
}

/* It fails so, in words that name the host and not the path. */
static void
expect_failure(const char *path, int code, const char *why)
{
	const struct document *doc;
	struct err err = ERR_INIT;
	char host[64];

	assert_int_equal(get(path, false, &doc, &err), code);
	assert_int_equal(err.code, code);
	assert_null(doc);
	snprintf(host, sizeof(host), "'127.0.0.1:%d'", rig.server.port);
	if (strstr(err.text, host) == NULL || strstr(err.text, why) == NULL)
		fail_msg("'%s' does not say '%s'", err.text, why);
	assert_null(strstr(err.text, path));
	assert_null(strstr(err.detail, path));
}

/* ---- threads ---- */

struct asker {
	pthread_t thread;
	const char *path;
	bool force;
	int r;
	unsigned no;
	int64_t took;
	struct err err;
};

static void *
asker_main(void *arg)
{
	struct asker *a = arg;
	const struct document *doc;
	int64_t began = clock_mono_ms();

	a->r = get(a->path, a->force, &doc, &a->err);
	a->took = clock_mono_ms() - began;
	if (a->r == 0 && sscanf(doc->text, "{\"no\":%u}", &a->no) != 1)
		a->no = 0;
	document_put(doc);
	return NULL;
}

static void
begin(struct asker *a, const char *path, bool force)
{
	*a = (struct asker){ .path = path, .force = force };
	assert_int_equal(pthread_create(&a->thread, NULL, asker_main, a), 0);
}

static void
end(struct asker *a)
{
	pthread_join(a->thread, NULL);
}

/* ---- tests ---- */

static void
kept_until_they_are_old(void **state UNUSED)
{
	const struct document *doc, *same;
	uint64_t first, second;

	first = expect(false, 1);
	assert_int_equal(get("/usual", false, &doc, NULL), 0);
	pass(AGE - 1);
	assert_int_equal(expect(false, 1), first);
	assert_int_equal(asked(), 1);
	pass(1);
	assert_int_equal(expect(false, 1), first);	/* the same text */
	assert_int_equal(asked(), 2);
	assert_int_equal(get("/usual", false, &same, NULL), 0);
	assert_ptr_equal(doc, same);
	document_put(same);
	text_no = 2;
	assert_int_equal(expect(false, 1), first);
	pass(AGE);
	second = expect(false, 2);
	assert_int_not_equal(second, first);
	assert_int_equal(asked(), 3);
	text_no = 1;		/* back, and yet another */
	pass(AGE);
	assert_int_not_equal(expect(false, 1), first);
	assert_string_equal(doc->text, "{\"no\":1}");
	document_put(doc);
}

static void
each_caller_says_how_old(void **state UNUSED)
{
	char *url = url_of("/usual");
	const struct document *doc;

	expect(false, 1);
	pass(1000);
	assert_int_equal(get_url(url, 1000, false, &doc, NULL), 0);
	document_put(doc);
	assert_int_equal(asked(), 2);
	pass(999);
	assert_int_equal(get_url(url, 1000, false, &doc, NULL), 0);
	document_put(doc);
	assert_int_equal(asked(), 2);
	free(url);
}

#define CROWD 40

static void
one_fetches_for_all(void **state UNUSED)
{
	struct asker crowd[CROWD];
	size_t i;

	delay_ms = 300;
	for (i = 0; i < CROWD; i++)
		begin(&crowd[i], "/usual", i % 2 != 0);
	for (i = 0; i < CROWD; i++) {
		end(&crowd[i]);
		assert_int_equal(crowd[i].r, 0);
		assert_int_equal(crowd[i].no, 1);
	}
	assert_int_equal(asked(), 1);
}

static void
one_failure_is_everybodys(void **state UNUSED)
{
	struct asker crowd[CROWD];
	size_t i;

	delay_ms = 300;
	status = 500;
	for (i = 0; i < CROWD; i++)
		begin(&crowd[i], "/usual", false);
	for (i = 0; i < CROWD; i++) {
		end(&crowd[i]);
		assert_int_equal(crowd[i].r, E_PROTOCOL);
		assert_non_null(strstr(crowd[i].err.text, "answered 500"));
	}
	assert_int_equal(asked(), 1);
}

/* Others do not wait for an issuer that hangs, whatever it was asked. */
static void
one_url_does_not_hold_another(void **state UNUSED)
{
	struct asker slow;

	begin(&slow, "/hang", false);
	assert_int_equal(server_wait(&rig.server.requests, 1, 2000), 1);
	expect(false, 1);
	assert_int_equal(asked(), 2);
	expect_failure("/html", E_PROTOCOL, "no JSON object");
	end(&slow);
	assert_int_equal(slow.r, E_TIMEOUT);
	assert_in_range(slow.took, 2500, DOCUMENT_WAIT_MS + 500);
}

static void
the_old_one_is_used_meanwhile(void **state UNUSED)
{
	struct asker one, forced;
	int64_t began;

	expect(false, 1);
	pass(AGE);
	text_no = 2;
	delay_ms = 500;
	begin(&one, "/usual", false);
	assert_int_equal(server_wait(&rig.server.requests, 2, 2000), 2);
	began = clock_mono_ms();
	expect(false, 1);
	assert_true(clock_mono_ms() - began < 300);
	begin(&forced, "/usual", true);	/* the old one does not do */
	end(&one);
	end(&forced);
	assert_int_equal(one.no, 2);
	assert_int_equal(forced.no, 2);
	assert_int_equal(asked(), 2);
}

static void
failures_are_remembered(void **state UNUSED)
{
	static const int64_t pauses[] = { 1000, 2000, 4000, 8000, 16000,
	    30000, 30000 };
	unsigned n = 0;
	size_t i;

	status = 503;
	for (i = 0; i < ARRAY_LEN(pauses); i++) {
		expect_failure("/usual", E_PROTOCOL, "answered 503");
		assert_int_equal(asked(), ++n);
		pass(pauses[i] - 1);
		expect_failure("/usual", E_PROTOCOL, "answered 503");
		assert_int_equal(asked(), n);
		pass(1);
	}
	status = 200;
	expect(false, 1);
	assert_int_equal(asked(), ++n);
	status = 500;		/* and then it begins anew */
	pass(AGE);
	expect(false, 1);
	pass(1000);
	expect(false, 1);
	assert_int_equal(asked(), n + 2);
}

static void
the_old_one_stays_when_fetching_fails(void **state UNUSED)
{
	uint64_t version = expect(false, 1);

	status = 500;
	text_no = 2;
	pass(AGE);
	assert_int_equal(expect(false, 1), version);
	assert_int_equal(asked(), 2);
	assert_int_equal(expect(false, 1), version);
	assert_int_equal(asked(), 2);
	status = 200;
	pass(1000);
	expect(false, 2);
	assert_int_equal(asked(), 3);
	expect(false, 2);
	assert_int_equal(asked(), 3);
}

static void
they_may_say_how_long(void **state UNUSED)
{
	expect_failure("/wait-20", E_PROTOCOL, "answered 429");
	pass(19999);
	expect_failure("/wait-20", E_PROTOCOL, "answered 429");
	assert_int_equal(asked(), 1);
	pass(1);
	expect_failure("/wait-20", E_PROTOCOL, "answered 429");
	assert_int_equal(asked(), 2);
	expect_failure("/wait-long", E_PROTOCOL, "answered 503");
	pass(29999);
	expect_failure("/wait-long", E_PROTOCOL, "answered 503");
	assert_int_equal(asked(), 3);
	pass(1);
	expect_failure("/wait-long", E_PROTOCOL, "answered 503");
	assert_int_equal(asked(), 4);
}

/* A storm of tokens with unknown keys makes one fetch in 30 seconds. */
static void
force_has_its_bounds(void **state UNUSED)
{
	char *url = url_of("/usual");
	const struct document *doc;
	int i;

	expect(true, 1);
	text_no = 2;
	for (i = 0; i < 100; i++) {
		pass(DOCUMENT_FORCE_MS / 100 - 1);
		expect(true, 1);
	}
	assert_int_equal(asked(), 1);
	pass(100);
	expect(false, 1);
	assert_int_equal(asked(), 1);
	expect(true, 2);
	assert_int_equal(asked(), 2);
	expect(true, 2);
	assert_int_equal(asked(), 2);
	status = 500;		/* one that fails counts */
	pass(DOCUMENT_FORCE_MS);
	expect(true, 2);
	pass(DOCUMENT_FORCE_MS - 1);
	expect(true, 2);
	assert_int_equal(asked(), 3);
	pass(1);
	expect(true, 2);
	assert_int_equal(asked(), 4);
	/* what is old is fetched after its pause, force or not */
	status = 200;
	pass(2000);
	assert_int_equal(get_url(url, 1, true, &doc, NULL), 0);
	document_put(doc);
	assert_int_equal(asked(), 5);
	free(url);
}

static void
what_is_no_document(void **state UNUSED)
{
	static const struct {
		const char *path;
		int code;
		const char *why;
	} rows[] = {
		{ "/html", E_PROTOCOL, "no JSON object" },
		{ "/list", E_PROTOCOL, "no JSON object" },
		{ "/null", E_PROTOCOL, "no JSON object" },
		{ "/nul", E_PROTOCOL, "no JSON object" },
		{ "/empty", E_PROTOCOL, "no JSON object" },
		{ "/cut", E_PROTOCOL, "no JSON object" },
		{ "/deep", E_PROTOCOL, "no JSON object" },
		{ "/created", E_PROTOCOL, "answered 201" },
		{ "/redirect", E_PROTOCOL, "redirects are not followed" },
		{ "/huge", E_TOOLARGE, "" },
		{ "/drop", E_PROTOCOL, "" },
	};
	const struct document *doc;
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		expect_failure(rows[i].path, rows[i].code, rows[i].why);
		assert_int_equal(asked(), i + 1);
	}
	assert_int_equal(get("/head", false, &doc, NULL), 0);
	document_put(doc);
}

static void
who_is_not_there(void **state UNUSED)
{
	const struct document *doc;
	struct err err = ERR_INIT;
	char url[64];

	snprintf(url, sizeof(url), "http://localhost:%d/keys",
	    server_free_port());
	assert_int_equal(get_url(url, AGE, false, &doc, &err), E_CONNECT);
	assert_non_null(strstr(err.text, "'localhost:"));
	assert_null(strstr(err.text, "/keys"));
	snprintf(url, sizeof(url), "https://127.0.0.1:%d/keys",
	    server_free_port());
	assert_int_equal(get_url(url, AGE, false, &doc, &err), E_CONNECT);
}

static void
urls_that_are_not_asked(void **state UNUSED)
{
	static const char *const urls[] = { "", "127.0.0.1", "/keys",
	    "ftp://127.0.0.1/", "file:///etc/passwd", "https://",
	    "http://", "http:///keys", "http://idp.example.test/keys",
	    "http://127.0.0.1.example.test/", "http://localhost.example/",
	    "http://128.0.0.1/", "http://[::2]/", "http://127.1/",
	    "http://0x7f000001/", "http://2130706433/",
	    "https://me:pw@127.0.0.1/", "https://127.0.0.1@evil.test/",
	    "http://127.0.0.1@evil.test/", "http://127.0.0.1:1@evil.test/",
	    "https://127.0.0.1:/", "https://127.0.0.1:1x/",
	    "https://127.0.0.1:123456/", "https://[::1/", "https://[]/",
	    "https://::1/", "https://127.0.0.1/a b", "https://127.0.0.1/\n",
	    "https://127.0.0.1/#x", "https://127.0.0.1\\@evil.test/",
	    "https://127.0.0.1/\xc3\xa9", "https://%31%32%37.0.0.1/" };
	const struct document *doc;
	struct err err = ERR_INIT;
	char *url = url_of("/");
	char *longer = xcalloc(1, 4001);
	size_t i;

	for (i = 0; i < ARRAY_LEN(urls); i++) {
		if (get_url(urls[i], AGE, false, &doc, &err) != E_CONFIG)
			fail_msg("%s", urls[i]);
		assert_null(doc);
		assert_non_null(strstr(err.text, "https://HOST/PATH"));
	}
	assert_int_equal(get_url(NULL, AGE, false, &doc, &err), E_CONFIG);
	memset(longer, 'a', 4000);
	memcpy(longer, url, strlen(url));
	assert_int_equal(get_url(longer, AGE, false, &doc, &err), E_CONFIG);
	longer[2048] = '\0';
	assert_int_equal(get_url(longer, AGE, false, &doc, &err), 0);
	document_put(doc);
	assert_int_equal(asked(), 1);
	free(longer);
	free(url);
}

static void
loopback_may_do_without_tls(void **state UNUSED)
{
	static const char *const hosts[] = { "127.0.0.1", "localhost",
	    "LocalHost", "127.9.9.9", "[::1]" };
	const struct document *doc;
	struct err err = ERR_INIT;
	char url[64];
	size_t i;

	for (i = 0; i < ARRAY_LEN(hosts); i++) {
		snprintf(url, sizeof(url), "http://%s:%d/usual?p=%zu",
		    hosts[i], server_free_port(), i);
		assert_int_not_equal(get_url(url, AGE, false, &doc, &err), 0);
		assert_int_not_equal(err.code, E_CONFIG);
	}
}

/* 0.0.0.0 is no loopback by its look, and yet stays here. */
static void
others_where_the_caller_says_so(void **state UNUSED)
{
	struct document_want want = { .max_age = AGE };
	const struct document *doc;
	struct err err = ERR_INIT;
	char url[64];

	snprintf(url, sizeof(url), "http://0.0.0.0:%d/usual",
	    server_free_port());
	want.url = url;
	assert_int_equal(documents_get(docs, &want, &doc, &err), E_CONFIG);
	want.plain_http = true;
	assert_int_equal(documents_get(docs, &want, &doc, &err), E_CONNECT);
}

static unsigned
ask_for(unsigned i)
{
	const struct document *doc;
	char path[32];
	unsigned before = asked();

	snprintf(path, sizeof(path), "/n/%u", i);
	assert_int_equal(get(path, false, &doc, NULL), 0);
	document_put(doc);
	return asked() - before;
}

static void
the_number_is_bounded(void **state UNUSED)
{
	unsigned i;

	for (i = 0; i < DOCUMENTS_MAX; i++)
		assert_int_equal(ask_for(i), 1);
	assert_int_equal(ask_for(0), 0);	/* 1 is the oldest now */
	assert_int_equal(ask_for(1000), 1);
	assert_int_equal(ask_for(0), 0);
	assert_int_equal(ask_for(2), 0);
	assert_int_equal(ask_for(1), 1);	/* in place of 3 */
	assert_int_equal(ask_for(3), 1);
	assert_int_equal(ask_for(0), 0);
}

/* Those whose documents are under way are left their place. */
static void
who_waits_keeps_the_place(void **state UNUSED)
{
	struct asker crowd[3];
	unsigned i;

	for (i = 0; i < 3; i++)
		begin(&crowd[i], "/slow", false);
	assert_int_equal(server_wait(&rig.server.requests, 1, 2000), 1);
	for (i = 0; i < DOCUMENTS_MAX + 8; i++)
		assert_int_equal(ask_for(i), 1);
	for (i = 0; i < 3; i++) {
		end(&crowd[i]);
		assert_int_equal(crowd[i].no, 1);
	}
	assert_int_equal(asked(), DOCUMENTS_MAX + 9);
}

static void
the_end_waits_and_is_bounded(void **state UNUSED)
{
	const struct document *doc;
	struct asker hung, waiting;
	int64_t began;

	assert_int_equal(get("/usual", false, &doc, NULL), 0);
	begin(&hung, "/hang", false);
	assert_int_equal(server_wait(&rig.server.requests, 2, 2000), 2);
	begin(&waiting, "/hang", false);
	usleep(100000);
	began = clock_mono_ms();
	documents_free(docs);
	docs = NULL;
	assert_in_range(clock_mono_ms() - began, 1000, DOCUMENT_WAIT_MS + 500);
	end(&hung);
	end(&waiting);
	assert_int_equal(waiting.r, E_TIMEOUT);
	assert_true(waiting.took < 1500);	/* it need not wait */
	assert_string_equal(doc->text, "{\"no\":1}");
	document_put(doc);
}

/* ---- many at once, with everything going on ---- */

#define STORM_THREADS 8
#define STORM_ROUNDS 150

static void *
storm_main(void *arg UNUSED)
{
	char *urls[3] = { url_of("/usual"), url_of("/other"),
	    url_of("/html") };
	const struct document *doc;
	unsigned no, i;

	for (i = 0; i < STORM_ROUNDS; i++) {
		pass(i % 7 == 0 ? 10000 : 10);
		__atomic_add_fetch(&text_no, i % 5 == 0, __ATOMIC_SEQ_CST);
		__atomic_store_n(&status, i % 11 == 0 ? 500 : 200,
		    __ATOMIC_SEQ_CST);
		if (get_url(urls[i % 3], 2000, i % 4 == 0, &doc, NULL) != 0)
			continue;
		if (sscanf(doc->text, "{\"no\":%u}", &no) != 1 ||
		    doc->len != strlen(doc->text))
			abort();
		document_put(doc);
	}
	for (i = 0; i < 3; i++)
		free(urls[i]);
	return NULL;
}

static void
many_at_once(void **state UNUSED)
{
	pthread_t threads[STORM_THREADS];
	size_t i;

	for (i = 0; i < STORM_THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, storm_main,
		    NULL), 0);
	for (i = 0; i < STORM_THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_in_range(asked(), 3, STORM_THREADS * STORM_ROUNDS - 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(kept_until_they_are_old),
		TEST(each_caller_says_how_old),
		TEST(one_fetches_for_all),
		TEST(one_failure_is_everybodys),
		TEST(one_url_does_not_hold_another),
		TEST(the_old_one_is_used_meanwhile),
		TEST(failures_are_remembered),
		TEST(the_old_one_stays_when_fetching_fails),
		TEST(they_may_say_how_long),
		TEST(force_has_its_bounds),
		TEST(what_is_no_document),
		TEST(who_is_not_there),
		TEST(urls_that_are_not_asked),
		TEST(loopback_may_do_without_tls),
		TEST(others_where_the_caller_says_so),
		TEST(the_number_is_bounded),
		TEST(who_waits_keeps_the_place),
		TEST(the_end_waits_and_is_bounded),
		TEST(many_at_once),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
