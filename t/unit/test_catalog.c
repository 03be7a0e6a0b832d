/* SPDX-License-Identifier: Apache-2.0 */
/*
 * catalog: where it is, which path is asked for, and with whose token.
 */
#include "base.h"

#include <setjmp.h>
#include <cmocka.h>

#include "arena.h"
#include "catalog.h"
#include "entity.h"
#include "err.h"
#include "http_double.h"
#include "request.h"
#include "runtime.h"
#include "settings.h"
#include "transport.h"

static const struct double_answer answers[] = {
	{ "/api/catalog/entities/by-name/component/default/shop", 200,
	    "{\"metadata\":{\"name\":\"shop\"}}", 0 },
	{ "/base/catalog-x/entities/by-name/component/default/shop", 200,
	    "{\"metadata\":{\"name\":\"elsewhere\"}}", 0 },
	{ "/api/catalog/entities/by-name/component/default/no", 401, "{}",
	    0 },
	{ "/api/catalog/entities/by-name/component/default/teapot", 418, "",
	    0 },
	{ NULL, 0, NULL, 0 },
};

static struct http_double server;
static struct transport *transport;
static struct settings settings;
static struct runtime rt;
static struct problems problems;
static char base[64];

static int
setup(void **state UNUSED)
{
	double_start(&server, answers);
	snprintf(base, sizeof(base), "http://127.0.0.1:%u", server.port);
	transport = transport_new(&(struct transport_options){ .threads = 1 });
	return 0;
}

static int
teardown(void **state UNUSED)
{
	transport_free(transport);
	double_stop(&server);
	return 0;
}

static int
fresh(void **state UNUSED)
{
	settings = (struct settings){ .have_kubernetes = true,
	    .backend_base_url = base, .limit_connect = 1, .limit_cluster = 5 };
	rt = (struct runtime){ .settings = &settings,
	    .transport = transport };
	double_reset(&server, NULL);
	return 0;
}

static int
done(void **state UNUSED)
{
	catalog_free(rt.catalog);
	secret_release(&settings.backstage_token);
	problems_release(&problems);
	return 0;
}

static void
start(void)
{
	rt.catalog = catalog_new(&settings, transport, &problems);
}

/* Look up a ref as who, with an Authorization header or NULL. */
static int
look_up(const char *text, const struct identity *who, const char *header,
    struct err *err)
{
	struct arena *arena = arena_new();
	char *params[] = { arena_printf(arena, "HTTP_AUTHORIZATION=%s",
	    header ? header : ""), NULL };
	struct request req = { .arena = arena, .rt = &rt, .fd = -1,
	    .params = params + (header == NULL), .who = *who };
	struct entity_ref ref;
	struct entity entity;
	int r;

	*err = (struct err)ERR_INIT;
	assert_int_equal(entity_ref_parse(text, arena, &ref, NULL), 0);
	r = catalog_entity(&req, &ref, &entity, err);
	arena_free(arena);
	return r;
}

static const struct identity nobody = { .kind = IDENTITY_NOBODY };
static const struct identity user = { .kind = IDENTITY_USER };
static const struct identity service = { .kind = IDENTITY_SERVICE };
static const struct identity restricted = { .kind = IDENTITY_SERVICE,
    .restricted = true };

static void
asks_for_the_reference_as_given(void **state UNUSED)
{
	struct err err;

	start();
	assert_int_equal(problems.n, 0);
	assert_int_equal(look_up("component:shop", &nobody, NULL, &err), 0);
	assert_int_equal(look_up("Component:a/b/c d%2F'?\xc3\xa9", &nobody,
	    NULL, &err), E_NOTFOUND);
	assert_true(double_was_asked(&server, "GET /api/catalog/entities/"
	    "by-name/Component/a/b%2Fc%20d%252F%27%3F%C3%A9 |"));
	double_reset(&server, NULL);
	assert_int_equal(look_up("component:../x", &nobody, NULL, &err),
	    E_NOTFOUND);
	assert_int_equal(look_up("component:a/..", &nobody, NULL, &err),
	    E_NOTFOUND);
	assert_int_equal(server.asked, 0);
}

static void
finds_the_catalog_by_discovery(void **state UNUSED)
{
	const char *plugins[] = { "auth", "catalog" };
	struct discovery_endpoint endpoints[2] = {
		{ "http://127.0.0.1:1/x", { plugins, 1 } },
		{ "", { plugins, 2 } },
	};
	char target[128];
	struct err err;

	snprintf(target, sizeof(target), "%s/base/{{ pluginId }}-x/", base);
	endpoints[1].target = target;
	settings.discovery = endpoints;
	settings.ndiscovery = 2;
	start();
	assert_int_equal(look_up("component:shop", &nobody, NULL, &err), 0);
	assert_true(double_was_asked(&server, "GET /base/catalog-x/entities/"
	    "by-name/component/default/shop |"));
}

static void
passes_on_only_tokens_of_backstage(void **state UNUSED)
{
	struct err err;

	start();
	look_up("component:shop", &nobody, "Bearer strangers", &err);
	look_up("component:shop", &user, "Bearer strangers", &err);
	look_up("component:shop", &restricted, "Bearer narrow", &err);
	assert_false(double_was_asked(&server, "strangers"));
	assert_false(double_was_asked(&server, "narrow"));
	look_up("component:shop", &service, "bearer  good", &err);
	assert_true(double_was_asked(&server, "Bearer good|"));
}

static void
uses_the_token_of_the_settings_otherwise(void **state UNUSED)
{
	struct err err;

	secret_set(&settings.backstage_token, "ours", 4);
	start();
	look_up("component:shop", &user, "Bearer strangers", &err);
	assert_true(double_was_asked(&server, "Bearer ours|"));
	double_reset(&server, NULL);
	look_up("component:shop", &service, "Bearer good", &err);
	assert_true(double_was_asked(&server, "Bearer good|"));
}

static void
keeps_entities_for_each_token(void **state UNUSED)
{
	struct err err;

	settings.catalog_fresh = 60;
	start();
	look_up("component:shop", &service, "Bearer a", &err);
	look_up("component:Shop", &service, "Bearer a", &err);
	assert_int_equal(server.asked, 1);
	look_up("component:shop", &service, "Bearer b", &err);
	look_up("component:shop", &user, NULL, &err);
	assert_int_equal(server.asked, 3);
	look_up("component:none", &user, NULL, &err);
	look_up("component:none", &user, NULL, &err);
	assert_int_equal(server.asked, 5);
}

static void
tells_failures_apart(void **state UNUSED)
{
	struct err err;

	start();
	assert_int_equal(look_up("component:no", &nobody, NULL, &err),
	    E_PROTOCOL);
	assert_string_equal(err.text, "Request failed with 401 Unauthorized");
	assert_int_equal(look_up("component:teapot", &nobody, NULL, &err),
	    E_PROTOCOL);
	assert_string_equal(err.text, "Request failed with 418");
	assert_int_equal(err.code, E_PROTOCOL);
}

static void
says_when_it_cannot_be_reached(void **state UNUSED)
{
	struct err err;

	settings.backend_base_url = "http://127.0.0.1:1";
	start();
	assert_int_equal(look_up("component:shop", &nobody, NULL, &err),
	    E_BUSY);
	assert_true(str_starts(err.text, "cannot reach the catalog: "));
}

static void
warns_when_it_is_not_known(void **state UNUSED)
{
	struct err err;

	settings.backend_base_url = NULL;
	start();
	assert_int_equal(problems.n, 1);
	assert_true(problems.items[0].warning);
	assert_int_equal(look_up("component:shop", &nobody, NULL, &err),
	    E_CONFIG);
	assert_non_null(strstr(err.text, "backend.baseUrl"));
	catalog_free(rt.catalog);
	settings.backend_base_url = "ftp://nowhere";
	start();
	assert_int_equal(problems.n, 2);
	assert_int_equal(look_up("component:shop", &nobody, NULL, &err),
	    E_CONFIG);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    asks_for_the_reference_as_given, fresh, done),
		cmocka_unit_test_setup_teardown(
		    finds_the_catalog_by_discovery, fresh, done),
		cmocka_unit_test_setup_teardown(
		    passes_on_only_tokens_of_backstage, fresh, done),
		cmocka_unit_test_setup_teardown(
		    uses_the_token_of_the_settings_otherwise, fresh, done),
		cmocka_unit_test_setup_teardown(keeps_entities_for_each_token,
		    fresh, done),
		cmocka_unit_test_setup_teardown(tells_failures_apart, fresh,
		    done),
		cmocka_unit_test_setup_teardown(
		    says_when_it_cannot_be_reached, fresh, done),
		cmocka_unit_test_setup_teardown(warns_when_it_is_not_known,
		    fresh, done),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, setup, teardown);
}
