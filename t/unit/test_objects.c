/* SPDX-License-Identifier: Apache-2.0 */
/*
 * objects: which lists are asked for, and the exact bytes of their targets.
 */
#include "base.h"

#include <setjmp.h>
#include <cmocka.h>

#include "arena.h"
#include "err.h"
#include "objects.h"
#include "settings.h"

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

static struct selector
selector(const char *label, const char *namespace)
{
	struct selector s;

	assert_int_equal(selector_make(label, namespace, arena, &s, NULL), 0);
	return s;
}

static void
encodes_selectors(void **state UNUSED)
{
	struct selector s;

	s = selector("backstage.io/kubernetes-id=shop", NULL);
	assert_string_equal(s.query,
	    "?labelSelector=backstage.io%2Fkubernetes-id%3Dshop");
	assert_string_equal(s.in_namespace, "");
	s = selector("app=a+b&c=d/\xc3\xa9 %20'()*!~", "");
	assert_string_equal(s.query, "?labelSelector="
	    "app%3Da%2Bb%26c%3Dd%2F%C3%A9%20%2520%27()*!~");
	assert_string_equal(s.in_namespace, "");
	s = selector("a", "we ird/../x'?#");
	assert_string_equal(s.in_namespace,
	    "/namespaces/we%20ird%2F..%2Fx%27%3F%23");
}

static void
refuses_namespaces_that_lead_out(void **state UNUSED)
{
	struct selector s;
	struct err err = ERR_INIT;

	assert_int_equal(selector_make("a", "..", arena, &s, &err), E_INPUT);
	assert_non_null(strstr(err.text, "'..'"));
	assert_int_equal(selector_make("a", ".", arena, &s, &err), E_INPUT);
	assert_int_equal(selector_make("a", "...", arena, &s, &err), 0);
}

static void
lists_the_default_types_in_order(void **state UNUSED)
{
	static const char *const want[] = {
		"/api/v1/pods", "/api/v1/services", "/api/v1/configmaps",
		"/api/v1/limitranges", "/api/v1/resourcequotas",
		"/apis/apps/v1/deployments", "/apis/apps/v1/replicasets",
		"/apis/autoscaling/v2/horizontalpodautoscalers",
		"/apis/batch/v1/jobs", "/apis/batch/v1/cronjobs",
		"/apis/networking.k8s.io/v1/ingresses",
		"/apis/apps/v1/statefulsets", "/apis/apps/v1/daemonsets",
	};
	struct settings settings = { .have_kubernetes = true };
	struct selector s = selector("a=b", NULL);
	struct object_lists lists = { NULL, 0 };
	size_t i;

	objects_add_types(&lists, &settings, &s, arena);
	assert_int_equal(lists.n, ARRAY_LEN(want));
	for (i = 0; i < lists.n; i++) {
		assert_string_equal(lists.items[i].target, arena_printf(arena,
		    "%s?labelSelector=a%%3Db", want[i]));
		assert_string_equal(lists.items[i].type,
		    strrchr(want[i], '/') + 1);
		assert_int_equal(lists.items[i].pods, i == 0);
		assert_false(lists.items[i].secrets);
		assert_false(lists.items[i].custom);
	}
}

static void
obeys_object_types_and_versions(void **state UNUSED)
{
	const char *types[] = { "cronjobs", "pods", "bogus", "secrets" };
	struct pair versions[] = { { "cronjobs", "v1beta1" },
	    { "pods", "v/2" } };
	struct settings settings = { .object_types_set = true,
	    .object_types = { types, ARRAY_LEN(types) },
	    .api_versions = versions,
	    .napi_versions = ARRAY_LEN(versions) };
	struct selector s = selector("x", "ns");
	struct object_lists lists = { NULL, 0 };

	objects_add_types(&lists, &settings, &s, arena);
	assert_int_equal(lists.n, 3);
	assert_string_equal(lists.items[0].target,
	    "/api/v1/namespaces/ns/secrets?labelSelector=x");
	assert_true(lists.items[0].secrets);
	assert_string_equal(lists.items[1].target,
	    "/api/v%2F2/namespaces/ns/pods?labelSelector=x");
	assert_string_equal(lists.items[2].target,
	    "/apis/batch/v1beta1/namespaces/ns/cronjobs?labelSelector=x");

	settings.object_types.n = 0;
	lists.n = 0;
	objects_add_types(&lists, &settings, &s, arena);
	assert_int_equal(lists.n, 0);
}

static void
adds_custom_resources(void **state UNUSED)
{
	static const struct custom_resource custom[] = {
		{ "argoproj.io", "v1alpha1", "rollouts" },
		{ "", "v1", "secrets" },
		{ "../..", "v1/x", "a?b#c d" },
		{ "..", "v1", "pods" }, { "g", ".", "p" }, { "g", "v", "" },
		{ "g", "", "p" }, { "g", "v", ".." },
		{ "secrets.io", "v1", "secrets" },
	};
	static const char *const want[] = {
		"/apis/argoproj.io/v1alpha1/rollouts?labelSelector=x",
		"/api/v1/secrets?labelSelector=x",
		"/apis/..%2F../v1%2Fx/a%3Fb%23c%20d?labelSelector=x",
		"/apis/secrets.io/v1/secrets?labelSelector=x",
	};
	struct selector s = selector("x", NULL);
	struct object_lists lists = { NULL, 0 };
	size_t i;

	objects_add_custom(&lists, custom, ARRAY_LEN(custom), &s, arena);
	assert_int_equal(lists.n, ARRAY_LEN(want));
	for (i = 0; i < lists.n; i++) {
		assert_string_equal(lists.items[i].target, want[i]);
		assert_string_equal(lists.items[i].type, "customresources");
		assert_true(lists.items[i].custom);
		assert_int_equal(lists.items[i].secrets, i == 1);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(encodes_selectors),
		cmocka_unit_test(refuses_namespaces_that_lead_out),
		cmocka_unit_test(lists_the_default_types_in_order),
		cmocka_unit_test(obeys_object_types_and_versions),
		cmocka_unit_test(adds_custom_resources),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, setup, teardown);
}
