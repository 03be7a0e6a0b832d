/* SPDX-License-Identifier: Apache-2.0 */
/*
 * query: the handlers of /services and /resources with a catalog and
 * clusters on loopback: what is asked of whom, and how rows come out.
 */
#include "base.h"

#include <setjmp.h>
#include <cmocka.h>

#include "api.h"
#include "arena.h"
#include "catalog.h"
#include "err.h"
#include "http_double.h"
#include "jsonx.h"
#include "obtain.h"
#include "reads.h"
#include "request.h"
#include "runtime.h"
#include "settings.h"
#include "transport.h"

#define KUBE "backstage.io/kubernetes-"
#define ENTITY(name, annotations)                                             \
	"{\"kind\":\"Component\",\"metadata\":{\"name\":\"" name "\","        \
	"\"annotations\":{" annotations "}},\"relations\":[{\"type\":"        \
	"\"dependsOn\",\"targetRef\":\"resource:default/two\"}]}"

static const struct double_answer catalog_answers[] = {
	{ "/api/catalog/entities/by-name/component/default/shop", 200,
	    ENTITY("shop", ""), 0 },
	{ "/api/catalog/entities/by-name/component/default/one", 200,
	    ENTITY("shop", "\"" KUBE "cluster\":\"one\""), 0 },
	{ "/api/catalog/entities/by-name/component/default/out", 200,
	    ENTITY("shop", "\"" KUBE "namespace\":\"..\""), 0 },
	{ "/api/catalog/entities/by-name/component/default/broken", 500,
	    "{\"error\":{\"message\":\"db down\"}}", 0 },
	{ "/api/catalog/entities/by-name/component/default/page", 200,
	    "<html>", 0 },
	{ NULL, 0, NULL, 0 },
};

#define POD "{\"metadata\":{\"name\":\"p\",\"namespace\":\"n s\"}}"
#define POD_METRICS "/apis/metrics.k8s.io/v1beta1/namespaces/n%20s/pods"
static const struct double_answer good[] = {
	{ "/api/v1/pods", 200,
	    "{\"kind\":\"PodList\",\"items\":[" POD "]}", 0 },
	{ "/api/v1/secrets", 200, "{\"kind\":\"SecretList\",\"items\":["
	    "{\"data\":{\"k\":\"v\"}}]}", 0 },
	{ "/apis/a.io/v1/rollouts", 200,
	    "{\"kind\":\"RolloutList\",\"items\":[{}]}", 0 },
	{ POD_METRICS, 200, "{\"items\":[]}", 0 },
	{ NULL, 0, NULL, 0 },
};
static const struct double_answer slow[] = {
	{ "/api/v1/pods", 200, "{\"items\":[" POD "]}", 300 },
	{ "/api/v1/secrets", 200, "{\"items\":null}", 0 },
	{ NULL, 0, NULL, 0 },
};
static const struct double_answer bad[] = {
	{ "/api/v1/pods", 200, "<html>login</html>", 0 },
	{ "/api/v1/secrets", 403, "{}", 0 },
	{ NULL, 0, NULL, 0 },
};
static const struct double_answer empty[] = {
	{ "/api/v1/pods", 200, "{\"items\":[]}", 0 },
	{ "/api/v1/secrets", 200, "{\"kind\":\"SecretList\",\"items\":[]}", 0 },
	{ NULL, 0, NULL, 0 },
};

static struct http_double catalog, one, two;
static struct transport *transport;
static struct settings settings;
static struct runtime rt;
static struct cluster clusters[2];
static struct cluster *cluster_list[] = { &clusters[0], &clusters[1] };
static const char *types[] = { "pods", "secrets" };
static char catalog_url[64], urls[2][64];

/* --- A request whose answer is kept --------------------------------------- */

static struct strbuf answer = STRBUF_INIT(STRBUF_UNLIMITED);
static const char *to_read;
static bool client_gone;

static ssize_t
carry_read(void *ctx UNUSED, char *buf, size_t len)
{
	size_t n = SD_MIN(len, strlen(to_read));

	memcpy(buf, to_read, n);
	to_read += n;
	return (ssize_t)n;
}

static int
carry_write(void *ctx UNUSED, const char *data, size_t len)
{
	if (client_gone)
		return E_GONE;
	return strbuf_add(&answer, data, len);
}

static int
carry_flush(void *ctx UNUSED)
{
	return 0;
}

static bool
carry_no(void *ctx UNUSED)
{
	return false;
}

static const struct carrier carrier = { .read = carry_read,
    .write = carry_write, .flush = carry_flush, .gone = carry_no };

/* What the handler answers to a body: the answer's body. */
static const char *
ask(int (*handler)(struct request *), const char *body)
{
	char length[48];
	char *params[] = { (char[]){ "CONTENT_TYPE=application/json" },
	    length, NULL };
	struct request req = { .arena = arena_new(), .rt = &rt,
	    .carrier = &carrier, .fd = -1, .params = params,
	    .method = "POST", .raw_path = "/x", .below = "/x",
	    .route_path = "/x", .length = (int64_t)strlen(body) };
	const char *end;

	snprintf(length, sizeof(length), "CONTENT_LENGTH=%zu", strlen(body));
	strbuf_reset(&answer);
	to_read = body;
	assert_int_equal(handler(&req), client_gone ? E_GONE : 0);
	arena_free(req.arena);
	end = strstr(answer.buf, "\r\n\r\n");
	return end != NULL ? end + 4 : "";
}

static void
assert_answer(int (*handler)(struct request *), const char *body,
    const char *status, const char *part)
{
	const char *got = ask(handler, body);
	char want[40];

	snprintf(want, sizeof(want), "Status: %s\r\n", status);
	if (strstr(answer.buf, want) == NULL || strstr(got, part) == NULL)
		fail_msg("to %s: %.12s %s, without %s", body, answer.buf, got,
		    part);
}

static void
use(const struct double_answer *a, const struct double_answer *b)
{
	double_reset(&catalog, NULL);
	double_reset(&one, a);
	double_reset(&two, b);
}

/* --- The set-up ----------------------------------------------------------- */

static void
make_cluster(struct cluster *c, const char *name, struct http_double *d,
    char *url)
{
	snprintf(url, 64, "http://127.0.0.1:%u/", d->port);
	c->name = name;
	c->url = url;
	c->auth_provider = "serviceAccount";
	c->guests = true;
	c->connect_timeout = 1;
	c->timeout = 5;
	c->where = "here:1";
	secret_set(&c->token, name, strlen(name));
	cluster_prepare(c, &settings, transport, rt.arena);
	assert_null(c->broken);
}

static int
setup(void **state UNUSED)
{
	struct problems problems = { NULL, 0, 0 };

	double_start(&catalog, catalog_answers);
	double_start(&one, good);
	double_start(&two, good);
	snprintf(catalog_url, sizeof(catalog_url), "http://127.0.0.1:%u/",
	    catalog.port);
	settings.have_kubernetes = true;
	settings.backend_base_url = catalog_url;
	settings.object_types_set = true;
	settings.object_types = (struct string_list){ types, 2 };
	settings.limit_connect = 1;
	settings.limit_cluster = 5;
	settings.limit_request_body = 102400;
	settings.limit_response = 1 << 20;
	settings.auth_disabled = settings.identity_backstage = true;
	transport = transport_new(&(struct transport_options){ .threads = 1 });
	rt.arena = arena_new();
	rt.settings = &settings;
	rt.transport = transport;
	rt.located = located_new();
	rt.reads = reads_new();
	rt.catalog = catalog_new(&settings, transport, &problems);
	make_cluster(&clusters[0], "one", &one, urls[0]);
	make_cluster(&clusters[1], "two", &two, urls[1]);
	rt.clusters = (struct clusters){ .items = cluster_list, .n = 2 };
	assert_int_equal(problems.n, 0);
	return 0;
}

static int
teardown(void **state UNUSED)
{
	catalog_free(rt.catalog);
	cluster_release(&clusters[0]);
	cluster_release(&clusters[1]);
	located_free(rt.located);
	reads_free(rt.reads);
	arena_free(rt.arena);
	transport_free(transport);
	double_stop(&catalog);
	double_stop(&one);
	double_stop(&two);
	strbuf_release(&answer);
	return 0;
}

/* Undo what one test changed. */
static int
reset(void **state UNUSED)
{
	settings.service_locator = SERVICE_MULTI_TENANT;
	settings.ncustom = 0;
	clusters[0].custom_set = clusters[0].skip_metrics = false;
	clusters[0].allow.n = 0;
	clusters[1].auth_provider = "serviceAccount";
	settings.limit_response = 1 << 20;
	client_gone = false;
	return 0;
}

/* --- The tests ------------------------------------------------------------ */

#define SHOP "{\"entityRef\":\"component:default/shop\"}"
#define ONE "{\"entityRef\":\"component:default/one\"}"
#define SECRETS_ROW "{\"type\":\"secrets\",\"resources\":["                   \
	"{\"data\":{\"k\":\"***\"}}]}"
#define PODS_ROW "{\"type\":\"pods\",\"resources\":[" POD "]}"
#define ZERO "{\"currentUsage\":0,\"requestTotal\":0,\"limitTotal\":0}"
#define METRICS_ROW "{\"pod\":" POD ",\"containers\":[],\"cpu\":" ZERO        \
	",\"memory\":" ZERO "}"

static void
writes_rows_in_the_order_of_clusters(void **state UNUSED)
{
	const char *got;

	use(slow, good);
	got = ask(api_workloads, SHOP);
	assert_string_equal(got, "{\"items\":["
	    "{\"cluster\":{\"name\":\"one\"},\"resources\":["
	    "{\"type\":\"secrets\",\"resources\":[]}," PODS_ROW "],"
	    "\"podMetrics\":[],\"errors\":[{\"errorType\":\"NOT_FOUND\","
	    "\"statusCode\":404,\"resourcePath\":\"" POD_METRICS "\"}]},"
	    "{\"cluster\":{\"name\":\"two\"},\"resources\":["
	    SECRETS_ROW "," PODS_ROW "],\"podMetrics\":[" METRICS_ROW "],"
	    "\"errors\":[]}]}");
	assert_non_null(strstr(answer.buf, "Status: 200\r\n"));
	assert_int_equal(one.asked, 3);
	assert_int_equal(two.asked, 3);
	assert_true(double_was_asked(&one, "GET /api/v1/pods?labelSelector="
	    "backstage.io%2Fkubernetes-id%3Dshop Bearer one|"));
	assert_true(double_was_asked(&two, "GET " POD_METRICS
	    "?labelSelector=backstage.io%2Fkubernetes-id%3Dshop Bearer two|"));
	assert_true(double_was_asked(&catalog, "GET /api/catalog/entities/"
	    "by-name/component/default/shop |"));
}

static void
leaves_out_rows_with_nothing_to_show(void **state UNUSED)
{
	use(empty, good);
	assert_true(str_starts(ask(api_workloads, SHOP),
	    "{\"items\":[{\"cluster\":{\"name\":\"two\"}"));
	use(empty, empty);
	assert_string_equal(ask(api_workloads, SHOP), "{\"items\":[]}");
}

static void
chooses_clusters(void **state UNUSED)
{
	use(good, good);
	settings.service_locator = SERVICE_SINGLE_TENANT;
	assert_null(strstr(ask(api_workloads, ONE), "\"two\""));
	assert_non_null(strstr(ask(api_workloads, SHOP), "\"two\""));
	settings.service_locator = SERVICE_CATALOG_RELATION;
	assert_true(str_starts(ask(api_workloads, ONE),
	    "{\"items\":[{\"cluster\":{\"name\":\"two\"}"));
}

static void
leaves_out_clusters_that_are_not_the_users(void **state UNUSED)
{
	const char *sre = "group:default/sre";

	use(good, good);
	clusters[0].allow = (struct string_list){ &sre, 1 };
	assert_null(strstr(ask(api_workloads, SHOP), "\"one\""));
	assert_int_equal(one.asked, 0);
}

static void
puts_each_failure_into_its_row(void **state UNUSED)
{
	const char *got;
	char want[500];

	use(bad, good);
	snprintf(want, sizeof(want), "{\"items\":[{\"cluster\":{\"name\":"
	    "\"one\"},\"resources\":[],\"podMetrics\":[],\"errors\":["
	    "{\"errorType\":\"UNKNOWN_ERROR\",\"statusCode\":403,"
	    "\"resourcePath\":\"/api/v1/secrets\"},"
	    "{\"errorType\":\"FETCH_ERROR\",\"message\":\"invalid json "
	    "response body at http://127.0.0.1:%u/api/v1/pods?labelSelector="
	    "backstage.io%%2Fkubernetes-id%%3Dshop reason: unexpected "
	    "character at byte 0\"}]},{\"cluster\":{\"name\":\"two\"}",
	    one.port);
	got = ask(api_workloads, SHOP);
	if (!str_starts(got, want))
		fail_msg("%s\nis no start of\n%s", want, got);
}

static void
says_one_reason_once(void **state UNUSED)
{
	static const struct double_answer cut[] = {
		{ "/api/v1/pods", 0, "", 0 }, { "/api/v1/secrets", 0, "", 0 },
		{ NULL, 0, NULL, 0 },
	};
	const char *got, *first;

	use(cut, good);
	got = ask(api_workloads, ONE);
	first = strstr(got, "FETCH_ERROR");
	assert_non_null(first);
	assert_null(strstr(first + 1, "FETCH_ERROR"));
	assert_non_null(strstr(got, "request to http://127.0.0.1:"));
	assert_non_null(strstr(got, "\"name\":\"two\""));
}

static void
bounds_what_a_list_may_hold(void **state UNUSED)
{
	use(good, good);
	settings.limit_response = 20;
	assert_answer(api_workloads, SHOP, "200", "FETCH_ERROR");
}

static void
tells_who_must_sign_in(void **state UNUSED)
{
	struct cluster saved = clusters[1];

	use(good, good);
	clusters[1].auth_provider = "google";
	clusters[1].upstream = NULL;
	cluster_prepare(&clusters[1], &settings, transport, rt.arena);
	assert_answer(api_workloads, SHOP, "200", "{\"cluster\":{\"name\":"
	    "\"two\"},\"resources\":[],\"podMetrics\":[],\"errors\":["
	    "{\"errorType\":\"UNAUTHORIZED_ERROR\",\"statusCode\":401,"
	    "\"resourcePath\":\"/api/v1/secrets\"},"
	    "{\"errorType\":\"FETCH_ERROR\",\"message\":\"");
	assert_int_equal(two.asked, 0);
	ask(api_workloads, "{\"entityRef\":\"component:default/shop\","
	    "\"auth\":{\"google\":\"hers\"}}");
	assert_true(double_was_asked(&two, "Bearer hers|"));
	upstream_put(clusters[1].upstream);
	clusters[1] = saved;
}

static void
skips_metrics_where_told(void **state UNUSED)
{
	use(good, empty);
	clusters[0].skip_metrics = true;
	assert_answer(api_workloads, SHOP, "200", "\"podMetrics\":[]");
	assert_int_equal(one.asked, 2);
}

static void
adds_custom_resources_of_settings_and_cluster(void **state UNUSED)
{
	struct custom_resource of_all = { "b.io", "v1", "things" };
	struct custom_resource of_one = { "a.io", "v1", "rollouts" };

	use(good, good);
	settings.custom = &of_all;
	settings.ncustom = 1;
	clusters[0].custom_set = true;
	clusters[0].custom = &of_one;
	clusters[0].ncustom = 1;
	assert_answer(api_workloads, SHOP, "200", PODS_ROW
	    ",{\"type\":\"customresources\",\"resources\":["
	    "{\"kind\":\"Rollout\"}]}]");
	assert_false(double_was_asked(&one, "things"));
	assert_true(double_was_asked(&two, "/apis/b.io/v1/things?"));
	assert_false(double_was_asked(&two, "rollouts"));
	clusters[0].ncustom = 0;
	clusters[0].custom = NULL;
	use(good, good);
	assert_null(strstr(ask(api_workloads, ONE), "customresources"));
}

static void
fetches_only_custom_resources_when_asked(void **state UNUSED)
{
	use(good, empty);
	assert_string_equal(ask(api_custom, "{\"entityRef\":"
	    "\"component:default/shop\",\"customResources\":[{\"group\":"
	    "\"a.io\",\"apiVersion\":\"v1\",\"plural\":\"rollouts\"},"
	    "{\"group\":\"\",\"apiVersion\":\"v1\",\"plural\":\"secrets\"}"
	    "]}"), "{\"items\":[{\"cluster\":{\"name\":\"one\"},"
	    "\"resources\":[{\"type\":\"customresources\",\"resources\":["
	    "{\"kind\":\"Rollout\"}]},{\"type\":\"customresources\","
	    "\"resources\":[{\"kind\":\"Secret\",\"data\":{\"k\":\"***\"}}]}"
	    "],\"podMetrics\":[],\"errors\":[]},{\"cluster\":{\"name\":"
	    "\"two\"},\"resources\":[{\"type\":\"customresources\","
	    "\"resources\":[]}],\"podMetrics\":[],\"errors\":[{\"errorType\":"
	    "\"NOT_FOUND\",\"statusCode\":404,\"resourcePath\":"
	    "\"/apis/a.io/v1/rollouts\"}]}]}");
	assert_int_equal(one.asked, 2);
}

static void
refuses_bad_questions(void **state UNUSED)
{
	static const struct {
		const char *body, *part;
	} table[] = {
		{ "{}", "entity is a required field" },
		{ "[]", "entity is a required field" },
		{ "", "entity is a required field" },
		{ "{\"entityRef\":0}", "entity is a required field" },
		{ "{\"entityRef\":true}", "entity query must be a string" },
		{ "{\"entityRef\":[\"x\"]}", "entity query must be a string" },
		{ "{\"entityRef\":\"x\"}", "Invalid entity ref, Error: " },
		{ "{\"entityRef\":\"a:/x\"}",
		    "Invalid entity ref, TypeError: " },
		{ "{\"entityRef\":\"component:default/None\"}",
		    "\"Entity ref missing, component:default/none\"" },
		{ "{\"entityRef\":\"component:../../x\"}",
		    "\"Entity ref missing, component:../../x\"" },
		{ "{\"entityRef\":\"component:default/out\"}",
		    "namespace '..' of the entity cannot be used" },
		{ "null", "\"name\":\"SyntaxError\"" },
		{ "{\"entityRef\":\"a\\u0000b\"}", "NUL in a string" },
		{ "{\"entityRef\"", "\"body\":\"{\\\"entityRef\\\"\"" },
	};
	size_t i;

	use(good, good);
	for (i = 0; i < ARRAY_LEN(table); i++)
		assert_answer(api_workloads, table[i].body, "400",
		    table[i].part);
	assert_int_equal(one.asked, 0);
	/* a token is not sent back */
	assert_null(strstr(ask(api_workloads, "{\"auth\":{\"x\":\"t0k\""),
	    "t0k"));
	assert_null(strstr(ask(api_workloads,
	    "{\"\\u0061uth\":{\"x\":\"t0k\""), "t0k"));
}

static void
refuses_bad_custom_resources(void **state UNUSED)
{
	static const struct {
		const char *list, *part;
	} table[] = {
		{ "null", "customResources is a required field" },
		{ "0", "customResources is a required field" },
		{ "{}", "customResources must be an array" },
		{ "[]", "at least 1 customResource is required" },
		{ "[null]", "customResources[0] must have" },
		{ "[{\"group\":\"a\",\"apiVersion\":\"v1\"}]",
		    "customResources[0] must have" },
		{ "[{\"group\":\"a\",\"apiVersion\":\"v1\",\"plural\":\"p\"},"
		    "{\"group\":{},\"apiVersion\":\"v1\",\"plural\":\"p\"}]",
		    "customResources[1] must have" },
		{ "[{\"group\":\"..\",\"apiVersion\":\"v1\","
		    "\"plural\":\"p\"}]", "customResources[0] must have" },
	};
	struct strbuf sb = STRBUF_INIT(STRBUF_UNLIMITED);
	size_t i;

	use(good, good);
	for (i = 0; i < ARRAY_LEN(table); i++) {
		strbuf_reset(&sb);
		strbuf_addf(&sb, "{\"entityRef\":\"component:default/shop\","
		    "\"customResources\":%s}", table[i].list);
		assert_answer(api_custom, sb.buf, "400", table[i].part);
	}
	strbuf_reset(&sb);
	strbuf_addstr(&sb, "{\"entityRef\":\"component:default/shop\","
	    "\"customResources\":[");
	for (i = 0; i < 201; i++)
		strbuf_addf(&sb, "%s{}", i > 0 ? "," : "");
	strbuf_addstr(&sb, "]}");
	assert_answer(api_custom, sb.buf, "400", "more than 200 elements");
	strbuf_release(&sb);
	assert_int_equal(one.asked, 0);
	/* a number is a word of the path */
	assert_answer(api_custom, "{\"entityRef\":\"component:default/shop\","
	    "\"customResources\":[{\"group\":\"a.io\",\"apiVersion\":1,"
	    "\"plural\":\"p\"}]}", "200", "\"/apis/a.io/1/p\"");
}

static void
answers_for_a_catalog_that_fails(void **state UNUSED)
{
	use(good, good);
	assert_answer(api_workloads,
	    "{\"entityRef\":\"component:default/broken\"}", "500",
	    "{\"name\":\"ResponseError\",\"message\":"
	    "\"Request failed with 500 Internal Server Error\"}");
	assert_answer(api_workloads,
	    "{\"entityRef\":\"component:default/page\"}", "500",
	    "cannot read the catalog's answer: unexpected character at byte "
	    "0");
	assert_answer(api_services, "{\"entity\":{\"kind\":\"Component\","
	    "\"metadata\":{\"name\":\"broken\"}}}", "500", "{\"error\":"
	    "\"Request failed with 500 Internal Server Error\"}");
}

static void
serves_the_older_route(void **state UNUSED)
{
	use(good, empty);
	settings.service_locator = SERVICE_SINGLE_TENANT;
	assert_answer(api_services, "{\"entity\":{\"kind\":\"Component\","
	    "\"metadata\":{\"name\":\"One\",\"annotations\":{\"" KUBE
	    "cluster\":\"two\"}}}}", "200",
	    "{\"cluster\":{\"name\":\"one\"}");
	assert_answer(api_services, "{}", "500", "{\"error\":\"Cannot read "
	    "properties of undefined (reading 'metadata')\"}");
	assert_answer(api_services, "{\"entity\":null}", "500",
	    "{\"error\":\"Cannot read properties of null "
	    "(reading 'metadata')\"}");
	assert_answer(api_services, "{\"entity\":{\"foo\":1}}", "403",
	    "\"message\":\"Invalid entity reference\"");
	assert_answer(api_services, "{\"entity\":{\"kind\":\"Component\","
	    "\"metadata\":{\"name\":\"None\"}}}", "403",
	    "\"message\":\"Entity not found, component:default/none\"");
}

static void
stops_for_a_client_that_left(void **state UNUSED)
{
	use(good, good);
	client_gone = true;
	assert_string_equal(ask(api_workloads, SHOP), "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(
		    writes_rows_in_the_order_of_clusters, reset),
		cmocka_unit_test_teardown(
		    leaves_out_rows_with_nothing_to_show, reset),
		cmocka_unit_test_teardown(chooses_clusters, reset),
		cmocka_unit_test_teardown(
		    leaves_out_clusters_that_are_not_the_users, reset),
		cmocka_unit_test_teardown(puts_each_failure_into_its_row,
		    reset),
		cmocka_unit_test_teardown(says_one_reason_once, reset),
		cmocka_unit_test_teardown(bounds_what_a_list_may_hold, reset),
		cmocka_unit_test_teardown(tells_who_must_sign_in, reset),
		cmocka_unit_test_teardown(skips_metrics_where_told, reset),
		cmocka_unit_test_teardown(
		    adds_custom_resources_of_settings_and_cluster, reset),
		cmocka_unit_test_teardown(
		    fetches_only_custom_resources_when_asked, reset),
		cmocka_unit_test_teardown(refuses_bad_questions, reset),
		cmocka_unit_test_teardown(refuses_bad_custom_resources, reset),
		cmocka_unit_test_teardown(answers_for_a_catalog_that_fails,
		    reset),
		cmocka_unit_test_teardown(serves_the_older_route, reset),
		cmocka_unit_test_teardown(stops_for_a_client_that_left,
		    reset),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, setup, teardown);
}
