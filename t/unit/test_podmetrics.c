/* SPDX-License-Identifier: Apache-2.0 */
/*
 * podmetrics: pods by namespace, and sums that are right.
 */
#include "base.h"

#include <setjmp.h>
#include <cmocka.h>

#include "arena.h"
#include "podmetrics.h"
#include "strbuf.h"

#define USE(c, r, l)                                                          \
	"{\"currentUsage\":" c ",\"requestTotal\":" r ",\"limitTotal\":" l "}"
#define META(name, ns)                                                        \
	"\"metadata\":{\"name\":\"" name "\",\"namespace\":\"" ns "\"}"

static struct arena *arena;

static int
setup(void **state UNUSED)
{
	arena = arena_new();
	return 0;
}

static int
teardown(void **state UNUSED)
{
	arena_free(arena);
	return 0;
}

static struct json_span
span(const char *s)
{
	return (struct json_span){ s, strlen(s) };
}

/* The entry of the first pod of a list, with metrics. */
static void
assert_entry(const char *pod, const char *metrics, const char *want)
{
	struct strbuf sb = STRBUF_INIT(STRBUF_UNLIMITED);
	char *list = arena_printf(arena, "[%s]", pod);
	struct pod_metrics m;
	struct pods pods;

	pods_read(&pods, span(list), arena);
	assert_int_equal(pods.n, 1);
	pod_metrics_read(&m, span(metrics));
	pod_metrics_add(&sb, &pods.items[0], &m);
	assert_string_equal(sb.buf, arena_printf(arena, "{\"pod\":%s,%s}",
	    pod, want));
	pod_metrics_release(&m);
	pods_release(&pods);
	strbuf_release(&sb);
}

static void
sums_up_containers(void **state UNUSED)
{
	static const char pod[] = "{" META("shop-1", "default")
	    ",\"spec\":{\"containers\":["
	    "{\"name\":\"web\",\"resources\":{\"requests\":{\"cpu\":\"250m\","
	    "\"memory\":\"64Mi\"},\"limits\":{\"cpu\":\"500m\","
	    "\"memory\":\"128Mi\"}}},"
	    "{\"name\":\"sidecar\",\"resources\":{\"requests\":{"
	    "\"cpu\":\"10m\",\"memory\":\"16Mi\"},\"limits\":{"
	    "\"cpu\":\"20m\",\"memory\":\"32Mi\"}}}]}}";
	static const char metrics[] = "[{" META("shop-2", "default")
	    ",\"containers\":[]},{" META("shop-1", "default")
	    ",\"containers\":[{\"name\":\"web\",\"usage\":{"
	    "\"cpu\":\"123456789n\",\"memory\":\"70000Ki\"}},"
	    "{\"name\":\"sidecar\",\"usage\":{\"cpu\":\"1500u\","
	    "\"memory\":\"8Mi\"}},{\"name\":\"gone\",\"usage\":{"
	    "\"cpu\":\"1\"}}]},{" META("a", "default") "}]";

	assert_entry(pod, metrics, "\"containers\":["
	    "{\"container\":\"web\",\"cpuUsage\":"
	    USE("0.123456789", "0.25", "0.5") ",\"memoryUsage\":"
	    USE("\"71680000\"", "\"67108864\"", "\"134217728\"") "},"
	    "{\"container\":\"sidecar\",\"cpuUsage\":"
	    USE("0.0015", "0.01", "0.02") ",\"memoryUsage\":"
	    USE("\"8388608\"", "\"16777216\"", "\"33554432\"") "}],"
	    "\"cpu\":" USE("0.124956789", "0.26", "0.52") ","
	    "\"memory\":"
	    USE("\"80068608\"", "\"83886080\"", "\"167772160\""));
}

static void
shows_pods_without_metrics(void **state UNUSED)
{
	assert_entry("{" META("p", "n") ",\"spec\":{\"containers\":["
	    "{\"name\":\"c\",\"resources\":{\"requests\":{\"cpu\":1,"
	    "\"memory\":\"1.5Gi\"}}}]}}", "[]", "\"containers\":[],"
	    "\"cpu\":" USE("0", "1", "0") ",\"memory\":"
	    USE("0", "\"1610612736\"", "0"));
	assert_entry("{" META("p", "n") "}", "null", "\"containers\":[],"
	    "\"cpu\":" USE("0", "0", "0") ",\"memory\":" USE("0", "0", "0"));
}

static void
takes_odd_quantities_for_zero(void **state UNUSED)
{
	assert_entry("{" META("p", "n") ",\"spec\":{\"containers\":["
	    "{\"name\":\"c\",\"resources\":{\"requests\":{\"cpu\":\"lots\","
	    "\"memory\":null},\"limits\":[]}},null,{}]}}",
	    "[{" META("p", "n") ",\"containers\":[null,{\"name\":\"c\","
	    "\"usage\":{\"cpu\":{},\"memory\":\"\"}}]},7]",
	    "\"containers\":[{\"container\":\"c\",\"cpuUsage\":"
	    USE("0", "0", "0") ",\"memoryUsage\":" USE("0", "0", "0") "}],"
	    "\"cpu\":" USE("0", "0", "0") ",\"memory\":" USE("0", "0", "0"));
}

static void
sorts_pods_by_namespace(void **state UNUSED)
{
	static const char list[] = "[{" META("1", "b") "},{" META("2", "a")
	    "},{" META("3", "b") "},{\"metadata\":{\"name\":\"none\"}},null,"
	    "{" META("4", "..") "},{" META("5", "") "},{" META("6", "a")
	    "},{" META("7", "b") "}]";
	struct pods pods;
	size_t b, a;

	pods_read(&pods, span(list), arena);
	assert_int_equal(pods.n, 5);
	assert_int_equal(pods.nnamespaces, 2);
	assert_string_equal(pods.namespaces[0].name, "b");
	assert_string_equal(pods.namespaces[1].name, "a");
	b = pods.namespaces[0].first;
	assert_true(jsonscan_is(pods.items[b].name, "1"));
	b = pods.items[b].next;
	assert_true(jsonscan_is(pods.items[b].name, "3"));
	b = pods.items[b].next;
	assert_true(jsonscan_is(pods.items[b].name, "7"));
	assert_true(pods.items[b].next == SIZE_MAX);
	a = pods.namespaces[1].first;
	assert_true(jsonscan_is(pods.items[a].name, "2"));
	a = pods.items[a].next;
	assert_true(jsonscan_is(pods.items[a].name, "6"));
	assert_true(pods.items[a].next == SIZE_MAX);
	pods_release(&pods);
	pods_read(&pods, (struct json_span){ NULL, 0 }, arena);
	assert_int_equal(pods.n, 0);
	pods_release(&pods);
}

/* Whatever the order of the metrics, each pod finds its own. */
static void
finds_metrics_in_any_order(void **state UNUSED)
{
	static const char *const orders[] = { "abcde", "edcba", "badec" };
	struct strbuf sb = STRBUF_INIT(STRBUF_UNLIMITED);
	const char *c, *pod;
	char want[400];
	size_t i;

	for (i = 0; i < ARRAY_LEN(orders); i++) {
		strbuf_reset(&sb);
		for (c = orders[i]; *c != '\0'; c++)
			strbuf_addf(&sb, "%c{\"metadata\":{\"name\":\"%c\"},"
			    "\"containers\":[{\"name\":\"c\",\"usage\":{"
			    "\"cpu\":\"%d\"}}]}", c == orders[i] ? '[' :
			    ',', *c, *c);
		strbuf_addch(&sb, ']');
		for (c = "abcde"; *c != '\0'; c++) {
			pod = arena_printf(arena, "{\"metadata\":{\"name\":"
			    "\"%c\",\"namespace\":\"n\"},\"spec\":{"
			    "\"containers\":[{\"name\":\"c\"}]}}", *c);
			snprintf(want, sizeof(want), "\"containers\":[{"
			    "\"container\":\"c\",\"cpuUsage\":"
			    USE("%d", "0", "0") ",\"memoryUsage\":"
			    USE("0", "0", "0") "}],\"cpu\":"
			    USE("%d", "0", "0") ",\"memory\":"
			    USE("0", "0", "0"), *c, *c);
			assert_entry(pod, sb.buf, want);
		}
	}
	strbuf_release(&sb);
}

static void
stops_at_so_many_namespaces(void **state UNUSED)
{
	struct strbuf sb = STRBUF_INIT(STRBUF_UNLIMITED);
	struct pods pods;
	int i;

	for (i = 0; i < POD_NAMESPACES_MAX + 50; i++)
		strbuf_addf(&sb, "%c{\"metadata\":{\"name\":\"p\","
		    "\"namespace\":\"n%d\"}}", i == 0 ? '[' : ',', i);
	strbuf_addstr(&sb, ",{\"metadata\":{\"name\":\"q\","
	    "\"namespace\":\"n7\"}}]");
	pods_read(&pods, span(sb.buf), arena);
	assert_int_equal(pods.nnamespaces, POD_NAMESPACES_MAX);
	assert_int_equal(pods.n, POD_NAMESPACES_MAX + 1);
	pods_release(&pods);
	strbuf_release(&sb);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sums_up_containers),
		cmocka_unit_test(shows_pods_without_metrics),
		cmocka_unit_test(takes_odd_quantities_for_zero),
		cmocka_unit_test(sorts_pods_by_namespace),
		cmocka_unit_test(finds_metrics_in_any_order),
		cmocka_unit_test(stops_at_so_many_namespaces),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, setup, teardown);
}
