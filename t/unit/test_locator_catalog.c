/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The catalog locator: what the catalog is asked, the normal form of its
 * answer, and the clusters that settings make of that.
 */
#include "base.h"

#include <setjmp.h>
#include <cmocka.h>

#include "arena.h"
#include "catalog_clusters.h"
#include "err.h"
#include "jsonx.h"
#include "locator.h"
#include "provider.h"
#include "settings.h"
#include "strbuf.h"

#define NOTED(url) "\"kubernetes.io/api-server\":\"" url "\"," \
	"\"kubernetes.io/api-server-certificate-authority\":\"Q0E=\"," \
	"\"kubernetes.io/auth-provider\":\"oidc\""
#define ENTITY(name, notes) "{\"kind\":\"Resource\",\"metadata\":{" \
	"\"name\":\"" name "\",\"annotations\":{" notes "}}}"

static struct {
	struct arena *arena;
	struct settings settings;
	struct locator_settings locator;
	struct clusters clusters;
	struct problems problems;
	char *list;			/* of rig_reduce */
	unsigned looked;		/* atomic */

	int status;			/* of the catalog's answer */
	const char *answer;
	const char *base;
	char *url, *token;		/* that it was asked with */
	size_t limit;
	struct source_value got;
	struct err err;
} rig;

static int
rig_setup(void **state UNUSED)
{
	memset(&rig, 0, sizeof(rig));
	rig.arena = arena_new();
	rig.locator.where = "file:1";
	rig.status = 200;
	rig.answer = "[]";
	rig.base = "http://backstage:7007/api/catalog";
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
	secret_release(&rig.settings.backstage_token);
	arena_free(rig.arena);
	return 0;
}

/* Names say it themselves. */
static int
resolver(const char *host, const char *service, const struct addrinfo *hints,
    struct addrinfo **out)
{
	__atomic_add_fetch(&rig.looked, 1, __ATOMIC_RELAXED);
	if (str_starts(host, "absent"))
		return EAI_NONAME;
	if (str_starts(host, "unknown"))
		return EAI_AGAIN;
	return getaddrinfo(str_starts(host, "private") ? "10.0.0.1" :
	    "8.8.8.8", service, hints, out);
}

/* 0 or E_*; the form in rig.list. */
static int
rig_reduce(const char *answer)
{
	struct strbuf out = STRBUF_INIT(STRBUF_UNLIMITED);
	struct json_object *tree;
	int r;

	assert_int_equal(jsonx_parse(answer, strlen(answer), &tree, NULL), 0);
	r = catalog_clusters_reduce(tree, resolver, &out, &rig.err);
	rig.list = arena_strndup(rig.arena, out.buf, out.len);
	strbuf_release(&out);
	json_object_put(tree);
	return r;
}

/* ---- the normal form ---- */

static void
keeps_what_is_used(void **state UNUSED)
{
	assert_int_equal(rig_reduce("[]"), 0);
	assert_string_equal(rig.list, "[]");
	assert_int_equal(rig_reduce("[{\"kind\":\"Resource\",\"metadata\":{"
	    "\"name\":\"b\",\"title\":\"B\",\"uid\":\"1\",\"annotations\":{"
	    NOTED("https://b.example") ",\"backstage.io/x\":\"1\","
	    "\"kubernetes.io/n\":1}},\"spec\":{\"owner\":\"x\"},"
	    "\"relations\":[]}," ENTITY("a", "") ",{}]"), 0);
	assert_string_equal(rig.list, "[{\"name\":\"b\",\"title\":\"B\","
	    "\"annotations\":{" NOTED("https://b.example") "}},"
	    "{\"name\":\"a\",\"annotations\":{}},{\"name\":\"\"}]");
}

static void
looks_once_at_each_name(void **state UNUSED)
{
	assert_int_equal(rig_reduce("["
	    ENTITY("a", NOTED("https://private.example")) ","
	    ENTITY("b", NOTED("https://absent.example:6443/x")) ","
	    ENTITY("c", NOTED("https://PRIVATE.example/y")) ","
	    ENTITY("d", NOTED("https://unknown.example")) ","
	    ENTITY("e", NOTED("https://8.8.8.8")) ","
	    ENTITY("f", NOTED("https://u@private.example")) "]"), 0);
	assert_int_equal(rig.looked, 3);
	assert_string_equal(rig.list, "["
	    "{\"name\":\"a\",\"dns\":\"private\",\"annotations\":{"
	    NOTED("https://private.example") "}},"
	    "{\"name\":\"b\",\"dns\":\"absent\",\"annotations\":{"
	    NOTED("https://absent.example:6443/x") "}},"
	    "{\"name\":\"c\",\"dns\":\"private\",\"annotations\":{"
	    NOTED("https://PRIVATE.example/y") "}},"
	    "{\"name\":\"d\",\"annotations\":{"
	    NOTED("https://unknown.example") "}},"
	    "{\"name\":\"e\",\"annotations\":{" NOTED("https://8.8.8.8") "}},"
	    "{\"name\":\"f\",\"annotations\":{"
	    NOTED("https://u@private.example") "}}]");
}

static void
no_list_is_refused(void **state UNUSED)
{
	static const char *const answers[] = { "{}", "null", "\"a\"",
	    "{\"items\":[]}", "[1]", "[null]", "[[]]" };
	size_t i;

	for (i = 0; i < ARRAY_LEN(answers); i++)
		assert_int_equal(rig_reduce(answers[i]), E_PROTOCOL);
}

static void
long_lists_are_refused(void **state UNUSED)
{
	static const struct { size_t n; int code; } cases[] = {
		{ 5000, 0 }, { 5001, E_TOOLARGE } };
	size_t i, k;

	for (i = 0; i < ARRAY_LEN(cases); i++) {
		struct strbuf sb = STRBUF_INIT(STRBUF_UNLIMITED);

		strbuf_addstr(&sb, "[{}");
		for (k = 1; k < cases[i].n; k++)
			strbuf_addstr(&sb, ",{}");
		strbuf_addch(&sb, ']');
		assert_int_equal(rig_reduce(sb.buf), cases[i].code);
		strbuf_release(&sb);
	}
}

/* ---- clusters ---- */

static void
rig_locate(const char *entities)
{
	const struct locating l = { &rig.settings, &rig.locator, rig.arena,
	    &rig.clusters, &rig.problems };

	assert_int_equal(rig_reduce(arena_printf(rig.arena, "[%s]",
	    entities)), 0);
	locator_catalog(&l, rig.list);
}

static void
annotations_become_a_cluster(void **state UNUSED)
{
	const struct cluster *c;

	rig_locate("{\"metadata\":{\"name\":\"a\",\"title\":\"A\","
	    "\"annotations\":{" NOTED("https://a.example:6443") ","
	    "\"kubernetes.io/oidc-token-provider\":\"okta\","
	    "\"kubernetes.io/skip-metrics-lookup\":\"true\","
	    "\"kubernetes.io/skip-tls-verify\":\"true\","
	    "\"kubernetes.io/dashboard-url\":\"https://d\","
	    "\"kubernetes.io/dashboard-app\":\"gke\","
	    "\"kubernetes.io/dashboard-parameters\":\"{\\\"p\\\":1}\","
	    "\"kubernetes.io/aws-assume-role\":\"role\","
	    "\"kubernetes.io/aws-external-id\":\"id\","
	    "\"kubernetes.io/x-k8s-aws-id\":\"eks\","
	    "\"serviceAccountToken\":\"stolen\"}}}");
	assert_int_equal(rig.problems.n, 0);
	assert_int_equal(rig.clusters.n, 1);
	c = rig.clusters.items[0];
	assert_string_equal(c->name, "a");
	assert_string_equal(c->title, "A");
	assert_string_equal(c->url, "https://a.example:6443");
	assert_string_equal(c->auth_provider, "oidc");
	assert_string_equal(c->oidc_token_provider, "okta");
	assert_string_equal(c->ca_data, "Q0E=");
	assert_true(c->skip_metrics);
	assert_true(c->public_only);
	assert_false(c->skip_tls_verify);	/* only where it is allowed */
	assert_string_equal(c->dashboard_url, "https://d");
	assert_string_equal(c->dashboard_app, "gke");
	assert_string_equal(json_object_to_json_string_ext(
	    c->dashboard_parameters, JSON_C_TO_STRING_PLAIN), "{\"p\":1}");
	assert_string_equal(c->assume_role, "role");
	assert_string_equal(c->external_id, "id");
	assert_int_equal(c->nmetadata, 12);
	assert_string_equal(c->metadata[11].key, "kubernetes.io/x-k8s-aws-id");
	assert_string_equal(c->metadata[11].value, "eks");
	assert_null(c->token.ptr);
	assert_null(c->broken);
}

static void
little_is_enough(void **state UNUSED)
{
	const struct cluster *c;

	rig.locator.catalog.allow_skip_tls = true;
	rig_locate(ENTITY("a", NOTED("https://a.example") ","
	    "\"kubernetes.io/skip-tls-verify\":\"true\","
	    "\"kubernetes.io/dashboard-parameters\":\"[1]\"") ","
	    ENTITY("b", NOTED("https://a.example") ","
	    "\"kubernetes.io/skip-tls-verify\":\"True\","
	    "\"kubernetes.io/skip-metrics-lookup\":\"1\","
	    "\"kubernetes.io/dashboard-url\":\"\","
	    "\"kubernetes.io/dashboard-parameters\":\"{\""));
	assert_int_equal(rig.clusters.n, 2);
	c = rig.clusters.items[0];
	assert_true(c->skip_tls_verify);
	assert_null(c->title);
	assert_null(c->dashboard_parameters);
	c = rig.clusters.items[1];
	assert_false(c->skip_tls_verify || c->skip_metrics);
	assert_null(c->dashboard_url);
	assert_null(c->dashboard_parameters);
}

static void
assert_left_out(const char *entity, const char *why)
{
	size_t n = rig.problems.n, clusters = rig.clusters.n;

	rig_locate(entity);
	assert_int_equal(rig.clusters.n, clusters);
	assert_int_equal(rig.problems.n, n + 1);
	assert_true(rig.problems.items[n].warning);
	if (strstr(rig.problems.items[n].text, why) == NULL)
		fail_msg("%s: %s", why, rig.problems.items[n].text);
}

static void
what_is_refused_is_told(void **state UNUSED)
{
	static const char *const providers[] = { "serviceAccount", "exec",
	    "x509" };
	size_t i;

	for (i = 0; i < ARRAY_LEN(providers); i++)
		assert_left_out(arena_printf(rig.arena, ENTITY("a",
		    "\"kubernetes.io/api-server\":\"https://a.example\","
		    "\"kubernetes.io/auth-provider\":\"%s\""), providers[i]),
		    arena_printf(rig.arena, "file:1: resource 'a' of the "
		    "catalog is left out: its auth provider is %s, whose",
		    providers[i]));
	assert_left_out(ENTITY("a", NOTED("https://10.0.0.1")),
	    "its address is not public; where it may be used, "
	    "dangerouslyAllowClusterUrls says so");
	assert_left_out(ENTITY("a", NOTED("https://private.example")),
	    "its host stands for an address that is not public; ");
	assert_left_out(ENTITY("a", NOTED("https://absent.example")),
	    "its host is not known in DNS");
	assert_left_out(ENTITY("a", NOTED("http://a.example")),
	    "its address is not https");
	assert_left_out(ENTITY("a", NOTED("https://u:secret@a.example")),
	    "its address holds a user's name or password");
	assert_left_out(ENTITY("a", ""), "it names no auth provider");
	assert_left_out(ENTITY("a", "\"kubernetes.io/auth-provider\":"
	    "\"aks\""), "it has no address");
	assert_left_out("{\"metadata\":{\"name\":\"a\"}}", "names no auth");
	assert_left_out("{}", "has a name that is none");
	assert_left_out(ENTITY("a\\nb", NOTED("https://a.example")),
	    "has a name that is none");
	for (i = 0; i < rig.problems.n; i++)
		assert_null(strstr(rig.problems.items[i].text, "secret"));
}

static void
allowed_names_may_be_private(void **state UNUSED)
{
	const char *items[] = { "*.corp.example", "10.0.0.1",
	    "private.example" };

	rig.locator.catalog.allow = (struct string_list){ items, 3 };
	rig_locate(ENTITY("a", NOTED("http://k8s.corp.example")) ","
	    ENTITY("b", NOTED("https://10.0.0.1")) ","
	    ENTITY("c", NOTED("https://private.example")) ","
	    ENTITY("d", NOTED("https://a.example")));
	assert_int_equal(rig.clusters.n, 4);
	assert_false(rig.clusters.items[0]->public_only);
	assert_false(rig.clusters.items[1]->public_only);
	assert_false(rig.clusters.items[2]->public_only);
	assert_true(rig.clusters.items[3]->public_only);
	assert_left_out(ENTITY("e", NOTED("https://10.0.0.2")), "not public");
	/* A name or password is never right. */
	assert_left_out(ENTITY("f", NOTED("https://u@10.0.0.1")),
	    "name or password");
}

/* ---- asking ---- */

static int
rig_http(const struct provider_call *call UNUSED,
    const struct http_request *rq, struct http_answer *out,
    struct err *err)
{
	rig.url = arena_strdup(rig.arena, rq->url);
	rig.token = arena_strdup(rig.arena, rq->headers[1]);
	rig.limit = rq->limit;
	assert_null(rq->method);
	if (rig.status == 0)
		return err_set(err, E_CONNECT, "connect ECONNREFUSED");
	out->status = rig.status;
	secret_set(&out->body, rig.answer, strlen(rig.answer));
	return 0;
}

static int
rig_source(const struct provider_call *call, const struct source *source,
    struct source_value *out, struct err *err)
{
	return source->make(call, source->ctx, out, err);
}

static int
rig_ask(void)
{
	const struct provider_call call = { .scratch = arena_new(),
	    .now = 1000, .http = rig_http, .source = rig_source };
	const struct catalog_place at = { rig.base, 30 };
	int r;

	source_value_release(&rig.got);
	r = catalog_clusters(&call, &rig.settings, &at, &rig.got, &rig.err);
	arena_free(call.scratch);
	return r;
}

static void
asks_as_backstage_does(void **state UNUSED)
{
	rig.answer = "[" ENTITY("a", NOTED("https://8.8.8.8")) "]";
	assert_int_equal(rig_ask(), 0);
	assert_string_equal(rig.url, "http://backstage:7007/api/catalog/"
	    "entities?filter=kind%3DResource%2Cspec.type%3Dkubernetes-cluster"
	    "%2Cmetadata.annotations.kubernetes.io%2Fapi-server"
	    "%2Cmetadata.annotations.kubernetes.io%2Fapi-server-certificate-"
	    "authority%2Cmetadata.annotations.kubernetes.io%2Fauth-provider");
	assert_null(rig.token);
	assert_true(rig.limit > 0 && rig.limit <= 32 << 20);
	assert_non_null(strstr(rig.got.part[0].ptr, "\"name\":\"a\""));
	/* Kept for a day, asked for again after refresh. */
	assert_int_equal(rig.got.expires - rig.got.margin, 1000 + 30 * 1000);
	secret_set(&rig.settings.backstage_token, "the-token", 9);
	assert_int_equal(rig_ask(), 0);
	assert_string_equal(rig.token, "Authorization: Bearer the-token");
}

static void
says_what_was_answered(void **state UNUSED)
{
	static const struct {
		int status;
		const char *answer, *words;
	} cases[] = {
		{ 401, "the-token", "cannot list the clusters of Backstage's "
		    "catalog: Request failed with 401 Unauthorized (is "
		    "stagedoor.backstage.token" },
		{ 503, "", "Request failed with 503 Service Unavailable" },
		{ 302, "", "Request failed with 302" },
		{ 200, "", "catalog: " },
		{ 200, "{\"items\":[]}", "the answer is no list of entities" },
		{ 0, "", "catalog: connect ECONNREFUSED" },
	};
	size_t i;

	secret_set(&rig.settings.backstage_token, "the-token", 9);
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		rig.status = cases[i].status;
		rig.answer = cases[i].answer;
		assert_int_not_equal(rig_ask(), 0);
		if (strstr(rig.err.text, cases[i].words) == NULL)
			fail_msg("'%s' says nothing of '%s'", rig.err.text,
			    cases[i].words);
		assert_null(strstr(rig.err.text, "the-token"));
		assert_null(rig.got.part[0].ptr);
	}
	rig.base = "";
	assert_int_equal(rig_ask(), E_CONFIG);
	assert_non_null(strstr(rig.err.text, "set backend.baseUrl"));
}

#define RIG_TEST(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(keeps_what_is_used),
		RIG_TEST(looks_once_at_each_name),
		RIG_TEST(no_list_is_refused),
		RIG_TEST(long_lists_are_refused),
		RIG_TEST(annotations_become_a_cluster),
		RIG_TEST(little_is_enough),
		RIG_TEST(what_is_refused_is_told),
		RIG_TEST(allowed_names_may_be_private),
		RIG_TEST(asks_as_backstage_does),
		RIG_TEST(says_what_was_answered),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
