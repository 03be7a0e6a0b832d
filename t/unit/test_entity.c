/* SPDX-License-Identifier: Apache-2.0 */
/*
 * entity: references good and bad, and the facts in the catalog's answer.
 */
#include "base.h"

#include <setjmp.h>
#include <cmocka.h>

#include "arena.h"
#include "entity.h"
#include "err.h"
#include "jsonx.h"

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

static void
parses_references(void **state UNUSED)
{
	static const struct {
		const char *text, *kind, *namespace, *name, *full;
	} table[] = {
		{ "component:x", "component", "default", "x",
		    "component:default/x" },
		{ "Component:Team-X/Shop_1", "Component", "Team-X", "Shop_1",
		    "component:team-x/shop_1" },
		{ "component:a/b/c", "component", "a", "b/c",
		    "component:a/b/c" },
		{ "component:a/b:c", "component", "a", "b:c",
		    "component:a/b:c" },
		{ "a:b:c", "a", "default", "b:c", "a:default/b:c" },
		{ "component:default/a b%2F?\xc3\xa9", "component", "default",
		    "a b%2F?\xc3\xa9", "component:default/a b%2f?\xc3\xa9" },
	};
	struct entity_ref ref;
	struct err err = ERR_INIT;
	size_t i;

	for (i = 0; i < ARRAY_LEN(table); i++) {
		if (entity_ref_parse(table[i].text, arena, &ref, &err) != 0)
			fail_msg("%s: %s", table[i].text, err.text);
		assert_string_equal(ref.kind, table[i].kind);
		assert_string_equal(ref.namespace, table[i].namespace);
		assert_string_equal(ref.name, table[i].name);
		assert_string_equal(ref.full, table[i].full);
	}
}

static void
refuses_bad_references(void **state UNUSED)
{
	static const char *const odd[] = { "component:default/", ":x", "a:",
	    "/x", "a:/x", "a/", ":/", "component:" };
	static const char *const kindless[] = { "x", "ns/x", "a/b:c" };
	struct entity_ref ref;
	struct err err;
	char text[700];
	size_t i;

	for (i = 0; i < ARRAY_LEN(odd); i++) {
		assert_int_equal(entity_ref_parse(odd[i], arena, &ref, &err),
		    E_INPUT);
		snprintf(text, sizeof(text), "Invalid entity ref, TypeError: "
		    "Entity reference \"%s\" was not on the form "
		    "[<kind>:][<namespace>/]<name>", odd[i]);
		assert_string_equal(err.text, text);
	}
	for (i = 0; i < ARRAY_LEN(kindless); i++) {
		assert_int_equal(entity_ref_parse(kindless[i], arena, &ref,
		    &err), E_INPUT);
		snprintf(text, sizeof(text), "Invalid entity ref, Error: "
		    "Entity reference \"%s\" had missing or empty kind (e.g. "
		    "did not start with \"component:\" or similar)",
		    kindless[i]);
		assert_string_equal(err.text, text);
	}
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(entity_ref_parse(arena_printf(arena, "a:%s%s", text,
	    text), arena, &ref, &err), E_INPUT);
}

static int
ref_of(const char *json, struct entity_ref *ref, struct err *err)
{
	struct json_object *obj;
	int r;

	assert_int_equal(jsonx_parse(json, strlen(json), &obj, NULL), 0);
	r = entity_ref_of(obj, arena, ref, err);
	json_object_put(obj);
	return r;
}

static void
takes_references_from_bodies(void **state UNUSED)
{
	static const char *const bad[] = {
		"{\"foo\":1}", "\"component:default/x\"", "[]", "1",
		"{\"kind\":\"A\",\"metadata\":{}}",
		"{\"kind\":\"\",\"metadata\":{\"name\":\"x\"}}",
		"{\"kind\":1,\"metadata\":{\"name\":\"x\"}}",
		"{\"kind\":\"A\",\"metadata\":{\"name\":\"x\","
		    "\"namespace\":7}}",
		"{\"metadata\":{\"name\":\"x\"}}",
	};
	struct entity_ref ref;
	struct err err = ERR_INIT;
	size_t i;

	assert_int_equal(ref_of("{\"kind\":\"Component\",\"metadata\":"
	    "{\"name\":\"Shop\"}}", &ref, &err), 0);
	assert_string_equal(ref.full, "component:default/shop");
	assert_string_equal(ref.name, "shop");
	assert_int_equal(ref_of("{\"kind\":\"A\",\"metadata\":{\"name\":\"b\","
	    "\"namespace\":\"Team\"}}", &ref, &err), 0);
	assert_string_equal(ref.full, "a:team/b");
	for (i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(ref_of(bad[i], &ref, &err), E_DENIED);
		assert_string_equal(err.text, "Invalid entity reference");
	}
}

static void
reads_an_entity(void **state UNUSED)
{
	static const char json[] = "{\"kind\":\"Component\",\"metadata\":{"
	    "\"name\":\"shop\",\"namespace\":\"team\",\"annotations\":{"
	    "\"backstage.io/kubernetes-id\":\"shop-id\","
	    "\"backstage.io/kubernetes-label-selector\":\"a=b\","
	    "\"backstage.io/kubernetes-namespace\":\"prod\","
	    "\"backstage.io/kubernetes-cluster\":\"one\",\"x\":1}},"
	    "\"relations\":["
	    "{\"type\":\"dependsOn\",\"targetRef\":\"resource:team/one\"},"
	    "{\"type\":\"ownedBy\",\"targetRef\":\"resource:team/two\"},"
	    "{\"type\":\"dependsOn\",\"targetRef\":\"component:team/c\"},"
	    "{\"type\":\"dependsOn\"},7,"
	    "{\"targetRef\":\"resource:team/3\",\"type\":\"dependsOn\"}]}";
	struct arena *other = arena_new();
	struct entity read, e;
	struct err err = ERR_INIT;

	assert_int_equal(entity_read(json, strlen(json), other, &read, &err),
	    0);
	entity_copy(&e, &read, arena);
	arena_free(other);
	assert_string_equal(e.name, "shop");
	assert_string_equal(e.namespace, "team");
	assert_string_equal(e.id, "shop-id");
	assert_string_equal(e.in_namespace, "prod");
	assert_string_equal(e.cluster, "one");
	assert_int_equal(e.depends_on.n, 2);
	assert_string_equal(e.depends_on.items[0], "resource:team/one");
	assert_string_equal(e.depends_on.items[1], "resource:team/3");
	assert_string_equal(entity_selector(&e, arena), "a=b");
	e.selector = NULL;
	assert_string_equal(entity_selector(&e, arena),
	    "backstage.io/kubernetes-id=shop-id");
	e.id = NULL;
	assert_string_equal(entity_selector(&e, arena),
	    "backstage.io/kubernetes-id=shop");
}

static void
takes_empty_annotations_for_none(void **state UNUSED)
{
	static const char json[] = "{\"metadata\":{\"name\":\"shop\","
	    "\"annotations\":{\"backstage.io/kubernetes-id\":\"\","
	    "\"backstage.io/kubernetes-label-selector\":\"\","
	    "\"backstage.io/kubernetes-namespace\":null,"
	    "\"backstage.io/kubernetes-cluster\":5}}}";
	struct entity e;

	assert_int_equal(entity_read(json, strlen(json), arena, &e, NULL), 0);
	assert_string_equal(e.namespace, "default");
	assert_null(e.id);
	assert_null(e.selector);
	assert_null(e.in_namespace);
	assert_null(e.cluster);
	assert_int_equal(e.depends_on.n, 0);
}

static void
refuses_what_is_no_entity(void **state UNUSED)
{
	static const char *const none[] = { "", "null", "[]", "{}",
	    "{\"metadata\":{}}", "{\"metadata\":{\"name\":\"\"}}", "<html>",
	    "{\"metadata\":{\"name\":\"a\\u0000b\"}}" };
	struct entity e;
	size_t i;

	for (i = 0; i < ARRAY_LEN(none); i++)
		assert_int_equal(entity_read(none[i], strlen(none[i]), arena,
		    &e, NULL), E_PROTOCOL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses_references),
		cmocka_unit_test(refuses_bad_references),
		cmocka_unit_test(takes_references_from_bodies),
		cmocka_unit_test(reads_an_entity),
		cmocka_unit_test(takes_empty_annotations_for_none),
		cmocka_unit_test(refuses_what_is_no_entity),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, setup, teardown);
}
