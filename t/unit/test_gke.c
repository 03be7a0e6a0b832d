/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gke locator: what Google is asked, the normal form of its answer, and
 * the clusters that settings make of that.
 */
#include "base.h"

#include <setjmp.h>
#include <cmocka.h>

#include "arena.h"
#include "err.h"
#include "google_clusters.h"
#include "jsonx.h"
#include "locator.h"
#include "settings.h"
#include "strbuf.h"

#define API "https://container.example"

static struct {
	struct arena *arena;
	struct settings settings;
	struct locator_settings locator;
	struct clusters clusters;
	struct problems problems;
	struct google_place place;
	char *list;			/* of rig_reduce */

	int status;			/* of the API's answer */
	const char *answer;
	char *url, *headers;		/* that the API was asked with */
	size_t limit;
	unsigned nasked;
	struct source_value got;
	struct err err;
} rig;

static int
rig_setup(void **state UNUSED)
{
	memset(&rig, 0, sizeof(rig));
	rig.arena = arena_new();
	rig.settings.google_credentials = (struct secret)SECRET_INIT;
	secret_set(&rig.settings.google_credentials, "{}", 2);
	rig.locator.where = "file:1";
	rig.locator.gke.project = "p1";
	rig.locator.gke.region = "-";
	rig.locator.gke.auth_provider = "google";
	rig.place = (struct google_place){ API, "p1", "-", 300 };
	rig.status = 200;
	rig.answer = "{}";
	return 0;
}

static int
rig_teardown(void **state UNUSED)
{
	size_t i;

	for (i = 0; i < rig.clusters.n; i++)
		cluster_release(rig.clusters.items[i]);
	free(rig.clusters.items);
	problems_release(&rig.problems);
	source_value_release(&rig.got);
	secret_release(&rig.settings.google_credentials);
	arena_free(rig.arena);
	return 0;
}

/* ---- the normal form ---- */

/* 0 or E_*; the form in rig.list. */
static int
rig_reduce(const char *answer)
{
	struct strbuf out = STRBUF_INIT(STRBUF_UNLIMITED);
	struct json_object *tree;
	int r;

	assert_int_equal(jsonx_parse(answer, strlen(answer), &tree, NULL), 0);
	r = google_clusters_reduce(tree, &out, &rig.err);
	rig.list = arena_strndup(rig.arena, out.buf, out.len);
	strbuf_release(&out);
	json_object_put(tree);
	return r;
}

static void
assert_reduced(const char *answer, const char *list)
{
	assert_int_equal(rig_reduce(answer), 0);
	assert_string_equal(rig.list, list);
}

static void
keeps_what_is_used(void **state UNUSED)
{
	assert_reduced("{}", "{\"clusters\":[],\"missingZones\":[]}");
	assert_reduced("{\"clusters\":[{\"name\":\"a\",\"location\":\"x\","
	    "\"status\":\"RUNNING\",\"endpoint\":\"10.0.0.1\",\"masterAuth\":{"
	    "\"clusterCaCertificate\":\"Q0E=\",\"clientKey\":\"secret\"},"
	    "\"controlPlaneEndpointsConfig\":{\"dnsEndpointConfig\":{"
	    "\"endpoint\":\"gke.goog\"}},\"resourceLabels\":{\"b\":\"2\","
	    "\"a\":\"1\",\"c\":3},\"nodePools\":[{}]}],"
	    "\"missingZones\":[\"z2\",\"z1\"]}",
	    "{\"clusters\":[{\"name\":\"a\",\"endpoint\":\"10.0.0.1\","
	    "\"dns\":\"gke.goog\",\"ca\":\"Q0E=\",\"labels\":{\"a\":\"1\","
	    "\"b\":\"2\"}}],\"missingZones\":[\"z1\",\"z2\"]}");
}

/* Else each answer would be another list. */
static void
what_moves_is_no_change(void **state UNUSED)
{
	const char *first;

	assert_int_equal(rig_reduce("{\"clusters\":[{\"name\":\"a\","
	    "\"endpoint\":\"1.1.1.1\",\"status\":\"RUNNING\",\"etag\":\"1\","
	    "\"resourceLabels\":{\"a\":\"1\",\"b\":\"2\"}}],"
	    "\"missingZones\":[\"y\",\"z\"]}"), 0);
	first = rig.list;
	assert_int_equal(rig_reduce("{\"missingZones\":[\"z\",\"y\"],"
	    "\"clusters\":[{\"resourceLabels\":{\"b\":\"2\",\"a\":\"1\"},"
	    "\"etag\":\"2\",\"status\":\"RECONCILING\",\"name\":\"a\","
	    "\"currentNodeCount\":7,\"endpoint\":\"1.1.1.1\"}]}"), 0);
	assert_string_equal(rig.list, first);
}

static void
no_list_is_refused(void **state UNUSED)
{
	static const char *const answers[] = { "{\"clusters\":{}}",
	    "{\"clusters\":\"a\"}", "{\"clusters\":[1]}",
	    "{\"clusters\":[null]}", "{\"missingZones\":\"z\"}" };
	size_t i;

	for (i = 0; i < ARRAY_LEN(answers); i++)
		assert_int_equal(rig_reduce(answers[i]), E_PROTOCOL);
}

static void
long_lists_are_refused(void **state UNUSED)
{
	static const struct { size_t n; int code; } cases[] = {
		{ 2000, 0 }, { 2001, E_TOOLARGE } };
	size_t i, k;

	for (i = 0; i < ARRAY_LEN(cases); i++) {
		struct strbuf sb = STRBUF_INIT(STRBUF_UNLIMITED);

		strbuf_addstr(&sb, "{\"clusters\":[{}");
		for (k = 1; k < cases[i].n; k++)
			strbuf_addstr(&sb, ",{}");
		strbuf_addstr(&sb, "]}");
		assert_int_equal(rig_reduce(sb.buf), cases[i].code);
		strbuf_release(&sb);
	}
}

/* ---- clusters ---- */

/* The clusters of an answer with these, as JSON. */
static void
rig_locate(const char *clusters)
{
	const struct locating l = { &rig.settings, &rig.locator, rig.arena,
	    &rig.clusters, &rig.problems };
	char *answer = arena_printf(rig.arena, "{\"clusters\":[%s]}", clusters);

	assert_int_equal(rig_reduce(answer), 0);
	locator_gke(&l, rig.list);
}

static const char two[] =
    "{\"name\":\"a\",\"endpoint\":\"10.0.0.1\",\"masterAuth\":{"
    "\"clusterCaCertificate\":\"Q0E=\"},\"controlPlaneEndpointsConfig\":{"
    "\"dnsEndpointConfig\":{\"endpoint\":\"gke-1.gke.goog\"}},"
    "\"resourceLabels\":{\"env\":\"prod\",\"team\":\"x\"}},"
    "{\"name\":\"b\",\"endpoint\":\"2001:db8::1\",\"resourceLabels\":{"
    "\"env\":\"test\"}}";

static void
public_addresses_and_cas(void **state UNUSED)
{
	const struct cluster *c;

	rig_locate(two);
	assert_int_equal(rig.clusters.n, 2);
	c = rig.clusters.items[0];
	assert_string_equal(c->name, "a");
	assert_string_equal(c->url, "https://10.0.0.1");
	assert_string_equal(c->ca_data, "Q0E=");
	assert_string_equal(c->auth_provider, "google");
	assert_false(c->skip_tls_verify || c->skip_metrics);
	assert_null(c->dashboard_app);
	assert_null(c->dashboard_parameters);
	assert_null(c->broken);
	c = rig.clusters.items[1];
	assert_string_equal(c->url, "https://[2001:db8::1]");
	assert_null(c->ca_data);
	assert_int_equal(rig.problems.n, 0);
}

static void
dns_addresses(void **state UNUSED)
{
	rig.locator.gke.dns = true;
	rig_locate(two);
	assert_string_equal(rig.clusters.items[0]->url,
	    "https://gke-1.gke.goog");
	assert_null(rig.clusters.items[0]->ca_data);	/* public roots */
	assert_string_equal(rig.clusters.items[1]->url,
	    "https://[2001:db8::1]");
}

static void
settings_go_to_each(void **state UNUSED)
{
	const struct cluster *c;

	rig.locator.gke.auth_provider = "googleServiceAccount";
	rig.locator.gke.skip_tls_verify = true;
	rig.locator.gke.skip_metrics = true;
	rig.locator.gke.dashboard = true;
	rig_locate(two);
	c = rig.clusters.items[1];
	assert_string_equal(c->auth_provider, "googleServiceAccount");
	assert_true(c->skip_tls_verify && c->skip_metrics);
	assert_string_equal(c->dashboard_app, "gke");
	assert_string_equal(json_object_to_json_string_ext(
	    c->dashboard_parameters, JSON_C_TO_STRING_PLAIN),
	    "{\"projectId\":\"p1\",\"region\":\"-\",\"clusterName\":\"b\"}");
}

/* As Backstage has it: exactly that word, or google. */
static void
other_providers_are_google(void **state UNUSED)
{
	rig.locator.gke.auth_provider = "googleserviceaccount";
	rig_locate(two);
	assert_string_equal(rig.clusters.items[0]->auth_provider, "google");
}

static void
labels_must_all_match(void **state UNUSED)
{
	struct pair labels[] = { { "env", "prod" }, { "team", "x" } };

	rig.locator.gke.labels = labels;
	rig.locator.gke.nlabels = 2;
	rig_locate(two);
	assert_int_equal(rig.clusters.n, 1);
	assert_string_equal(rig.clusters.items[0]->name, "a");
	labels[1].value = "X";
	rig_locate(two);
	assert_int_equal(rig.clusters.n, 1);
	labels[1] = (struct pair){ "other", "x" };
	rig_locate(two);
	assert_int_equal(rig.clusters.n, 1);
	rig_locate("{\"name\":\"c\",\"endpoint\":\"1.1.1.1\"}");
	assert_int_equal(rig.clusters.n, 1);
}

static void
names_that_are_none(void **state UNUSED)
{
	static const char *const names[] = { "\"\"", "\"a b\"", "\"a\\nb\"",
	    "\"../x\"", "\"-a\"", "\"a/b\"", "\"<b>\"", "\"\xc3\xa9\"", "7",
	    "null" };
	size_t i;

	for (i = 0; i < ARRAY_LEN(names); i++) {
		rig_locate(arena_printf(rig.arena, "{\"name\":%s,"
		    "\"endpoint\":\"1.1.1.1\"}", names[i]));
		assert_int_equal(rig.clusters.n, 0);
		assert_int_equal(rig.problems.n, i + 1);
		assert_string_equal(rig.problems.items[i].text, "file:1: a "
		    "cluster of project 'p1' has a name that is none: it is "
		    "left out");
	}
}

static void
addresses_that_are_none(void **state UNUSED)
{
	static const char *const hosts[] = { "a b", "u@h", "h/path", "h?q",
	    "h#f", "-h", ".h", "h:", "h:0", "h:65536", "h:1:2", "[::1]",
	    "h\\nx", "http://h", ":1" };
	size_t i;

	for (i = 0; i < ARRAY_LEN(hosts); i++) {
		rig_locate(arena_printf(rig.arena, "{\"name\":\"a\","
		    "\"endpoint\":\"%s\"}", hosts[i]));
		assert_int_equal(rig.clusters.n, i + 1);
		assert_string_equal(rig.clusters.items[i]->broken, "cluster "
		    "'a' cannot work: GKE's list has an address for it that "
		    "is none");
		assert_string_equal(rig.clusters.items[i]->url, "https://");
	}
	rig_locate("{\"name\":\"a\",\"endpoint\":\"h:8443\"}");
	assert_null(rig.clusters.items[i]->broken);
	assert_string_equal(rig.clusters.items[i]->url, "https://h:8443");
}

/* Listed, as Backstage lists them, with the reason. */
static void
without_an_address(void **state UNUSED)
{
	rig_locate("{\"name\":\"a\",\"status\":\"PROVISIONING\"},"
	    "{\"name\":\"b\",\"status\":\"<x>\",\"endpoint\":\"\"},"
	    "{\"name\":\"c\",\"status\":\"STOPPING\","
	    "\"endpoint\":\"1.1.1.1\"}");
	assert_string_equal(rig.clusters.items[0]->broken, "cluster 'a' "
	    "cannot work: GKE's list has no address for it (PROVISIONING)");
	assert_string_equal(rig.clusters.items[1]->broken, "cluster 'b' "
	    "cannot work: GKE's list has no address for it");
	assert_null(rig.clusters.items[2]->broken);
}

static void
zones_that_are_missing(void **state UNUSED)
{
	const struct locating l = { &rig.settings, &rig.locator, rig.arena,
	    &rig.clusters, &rig.problems };

	assert_int_equal(rig_reduce("{\"missingZones\":[\"us-east1-b\","
	    "\"x\\ny\"]}"), 0);
	locator_gke(&l, rig.list);
	assert_int_equal(rig.problems.n, 1);
	assert_true(rig.problems.items[0].warning);
	assert_non_null(strstr(rig.problems.items[0].text, "clusters in "
	    "us-east1-b, (a zone whose name is none) are missing"));
}

/* ---- asking ---- */

static int
rig_http(const struct provider_call *call UNUSED,
    const struct http_request *rq, struct http_answer *out,
    struct err *err UNUSED)
{
	rig.nasked++;
	rig.url = arena_strdup(rig.arena, rq->url);
	rig.headers = arena_strdup(rig.arena, rq->headers[0]);
	rig.limit = rq->limit;
	assert_null(rq->method);
	out->status = rig.status;
	secret_set(&out->body, rig.answer, strlen(rig.answer));
	return 0;
}

/* Tokens are had without asking; a list is made. */
static int
rig_source(const struct provider_call *call, const struct source *source,
    struct source_value *out, struct err *err)
{
	if (strcmp(source->kind, "google token") != 0)
		return source->make(call, source->ctx, out, err);
	secret_set(&out->part[0], "the-secret-token", 16);
	return 0;
}

static const char *
rig_getenv(const char *name UNUSED)
{
	return NULL;
}

static int
rig_sleep(const struct provider_call *call UNUSED, int64_t ms UNUSED,
    struct err *err)
{
	return err_set(err, E_TIMEOUT, "no time");
}

static void
rig_note(const struct provider_call *call UNUSED, const char *fmt UNUSED, ...)
{
}

static int
rig_ask(void)
{
	const struct provider_call call = { .scratch = arena_new(),
	    .now = 1000, .getenv = rig_getenv, .http = rig_http,
	    .sleep = rig_sleep, .source = rig_source, .note = rig_note };
	int r;

	source_value_release(&rig.got);
	r = google_clusters(&call, &rig.settings, &rig.place, &rig.got,
	    &rig.err);
	arena_free(call.scratch);
	return r;
}

static void
asks_for_a_project(void **state UNUSED)
{
	rig.answer = "{\"clusters\":[{\"name\":\"a\"}]}";
	assert_int_equal(rig_ask(), 0);
	assert_string_equal(rig.url, API "/v1/projects/p1/locations/-/"
	    "clusters");
	assert_string_equal(rig.headers,
	    "Authorization: Bearer the-secret-token");
	assert_true(rig.limit > 0 && rig.limit <= 8 << 20);
	assert_non_null(strstr(rig.got.part[0].ptr, "\"name\":\"a\""));
	/* Kept for a day, asked for again after refresh. */
	assert_int_equal(rig.got.expires - rig.got.margin, 1000 + 300 * 1000);
	rig.place = (struct google_place){ API "/base//", "p/../q", "eu?x", 1 };
	assert_int_equal(rig_ask(), 0);
	assert_string_equal(rig.url, API "/base/v1/projects/p%2F..%2Fq/"
	    "locations/eu%3Fx/clusters");
}

static void
tokens_go_over_tls(void **state UNUSED)
{
	rig.place.api = "http://container.example";
	assert_int_equal(rig_ask(), E_CONFIG);
	assert_non_null(strstr(rig.err.text, "neither https nor on loopback"));
	assert_int_equal(rig.nasked, 0);
	rig.place.api = "http://127.0.0.1:1";
	assert_int_equal(rig_ask(), 0);
}

static void
says_what_was_answered(void **state UNUSED)
{
	static const struct {
		int status;
		const char *answer;
		int code;
		const char *words;
	} cases[] = {
		{ 403, "{\"error\":{\"code\":403,\"message\":\"Required "
		    "the-secret-token x\",\"status\":\"PERMISSION_DENIED\"}}",
		    E_DENIED, "cannot list the clusters of project 'p1', "
		    "region '-': container.example answered 403 "
		    "PERMISSION_DENIED: Required *** x (does the project "
		    "exist" },
		{ 403, "", E_DENIED, "roles/container.clusterViewer" },
		{ 404, "{}", E_DENIED, "answered 404" },
		{ 401, "{}", E_AUTH, "answered 401" },
		{ 503, "", E_BUSY, "answered 503" },
		{ 302, "", E_PROTOCOL, "answered 302" },
		{ 200, "", E_PROTOCOL, "no JSON object" },
		{ 200, "{\"clusters\":[", E_PROTOCOL, "no JSON object" },
		{ 200, "[]", E_PROTOCOL, "no JSON object" },
		{ 200, "{\"clusters\":{}}", E_PROTOCOL, "no list of clusters" },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(cases); i++) {
		rig.status = cases[i].status;
		rig.answer = cases[i].answer;
		assert_int_equal(rig_ask(), cases[i].code);
		if (strstr(rig.err.text, cases[i].words) == NULL)
			fail_msg("'%s' says nothing of '%s'", rig.err.text,
			    cases[i].words);
		assert_null(strstr(rig.err.text, "secret-token"));
		assert_null(rig.got.part[0].ptr);
	}
}

#define RIG_TEST(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(keeps_what_is_used),
		RIG_TEST(what_moves_is_no_change),
		RIG_TEST(no_list_is_refused),
		RIG_TEST(long_lists_are_refused),
		RIG_TEST(public_addresses_and_cas),
		RIG_TEST(dns_addresses),
		RIG_TEST(settings_go_to_each),
		RIG_TEST(other_providers_are_google),
		RIG_TEST(labels_must_all_match),
		RIG_TEST(names_that_are_none),
		RIG_TEST(addresses_that_are_none),
		RIG_TEST(without_an_address),
		RIG_TEST(zones_that_are_missing),
		RIG_TEST(asks_for_a_project),
		RIG_TEST(tokens_go_over_tls),
		RIG_TEST(says_what_was_answered),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
