/* SPDX-License-Identifier: Apache-2.0 */
/*
 * splice: items found in an answer, what passes unchanged, what is hidden.
 */
#include "base.h"

#include <setjmp.h>
#include <cmocka.h>

#include "err.h"
#include "objects.h"
#include "splice.h"
#include "strbuf.h"

static const struct object_list plain = { .type = "services" };
static const struct object_list pods = { .type = "pods", .pods = true };
static const struct object_list secrets = { .type = "secrets",
    .secrets = true };
static const struct object_list custom = { .type = "customresources",
    .custom = true };
static const struct object_list custom_secrets = {
    .type = "customresources", .custom = true, .secrets = true };

static struct splice
read_ok(const struct object_list *list, const char *json)
{
	struct splice s;
	struct err err = ERR_INIT;

	if (splice_read(list, json, strlen(json), &s, &err) != 0)
		fail_msg("%s: %s", json, err.text);
	return s;
}

static void
assert_items(const struct object_list *list, const char *json,
    const char *want)
{
	struct splice s = read_ok(list, json);
	struct strbuf sb = STRBUF_INIT(STRBUF_UNLIMITED);

	splice_add_items(&sb, list, &s);
	assert_string_equal(sb.buf, want);
	strbuf_release(&sb);
}

static void
passes_items_as_they_came(void **state UNUSED)
{
	static const char json[] = "{\"kind\":\"ServiceList\",\"items\": [ "
	    "{\"big\":9007199254740993,\"f\":1.10,\"e\":1e21}, {} ] }";
	struct splice s = read_ok(&plain, json);

	assert_true(s.any);
	assert_false(s.changes);
	assert_items(&plain, json,
	    "[ {\"big\":9007199254740993,\"f\":1.10,\"e\":1e21}, {} ]");
}

static void
knows_empty_lists(void **state UNUSED)
{
	assert_false(read_ok(&plain, "{\"items\":[ ]}").any);
	assert_false(read_ok(&plain, "{\"items\":null}").any);
	assert_items(&plain, "{\"items\":null}", "[]");
	assert_items(&plain, "{\"items\":[ ]}", "[]");
	assert_items(&custom, "{\"kind\":\"XList\",\"items\":[]}", "[]");
}

static void
takes_the_last_of_duplicate_members(void **state UNUSED)
{
	assert_items(&plain, "{\"items\":[1],\"ite\\u006ds\":[2]}", "[2]");
}

static void
refuses_what_is_no_list(void **state UNUSED)
{
	static const struct {
		const struct object_list *list;
		const char *json, *why;
	} table[] = {
		{ &plain, "<html>login</html>",
		    "unexpected character at byte 0" },
		{ &plain, "", "unexpected end at byte 0" },
		{ &plain, "{\"kind\":\"PodList\",\"items\":[",
		    "unexpected end at byte 27" },
		{ &plain, "null", "it has no items" },
		{ &plain, "[]", "it has no items" },
		{ &plain, "{\"kind\":\"Foo\"}", "it has no items" },
		{ &plain, "{\"items\":{}}", "its items are no array" },
		{ &custom, "{\"items\":[]}", "it has no kind" },
		{ &custom, "{\"kind\":\"\",\"items\":[]}", "it has no kind" },
		{ &custom, "{\"kind\":7,\"items\":[]}", "it has no kind" },
	};
	struct splice s;
	struct err err;
	size_t i;

	for (i = 0; i < ARRAY_LEN(table); i++) {
		assert_int_equal(splice_read(table[i].list, table[i].json,
		    strlen(table[i].json), &s, &err), E_PROTOCOL);
		assert_string_equal(err.text, table[i].why);
	}
}

static void
hides_the_values_of_secrets(void **state UNUSED)
{
	static const char json[] = "{\"kind\":\"SecretList\",\"items\":["
	    "{\"type\":\"Opaque\",\"data\":{\"a\":\"aHVudGVy\",\"b\":null,"
	    "\"c\":{\"d\":1}},\"stringData\":{}},{\"data\":null},"
	    "{\"metadata\":{\"data\":{\"k\":\"kept\"}}},"
	    "{\"d\\u0061ta\":{\"x\":\"y\"},\"data\":\"odd\","
	    "\"stringData\":[\"odd\"]},\"odd\",{}]}";
	static const char want[] = "[{\"type\":\"Opaque\",\"data\":{"
	    "\"a\":\"***\",\"b\":\"***\",\"c\":\"***\"},\"stringData\":{}},"
	    "{\"data\":null},{\"metadata\":{\"data\":{\"k\":\"kept\"}}},"
	    "{\"d\\u0061ta\":{\"x\":\"***\"},\"data\":\"***\","
	    "\"stringData\":\"***\"},null,{}]";

	assert_items(&secrets, json, want);
	/* whatever list they come in */
	assert_items(&plain, json, want);
	assert_items(&secrets, "{\"items\":[{\"data\":{\"a\":\"b\"}}]}",
	    "[{\"data\":{\"a\":\"***\"}}]");
	/* kubectl apply repeats the values in an annotation */
	assert_items(&secrets, "{\"items\":[{\"metadata\":{\"name\":\"s\","
	    "\"annotations\":{\"k\":\"v\",\"kubectl.kubernetes.io/"
	    "last-applied-configuration\":\"aHVudGVy\"}}}]}",
	    "[{\"metadata\":{\"name\":\"s\",\"annotations\":{\"k\":\"v\","
	    "\"kubectl.kubernetes.io/last-applied-configuration\":\"***\""
	    "}}}]");
	assert_items(&secrets, "{\"items\":[{\"metadata\":{"
	    "\"annotations\":null}},{\"metadata\":7}]}",
	    "[{\"metadata\":{\"annotations\":null}},{\"metadata\":7}]");
}

static void
gives_custom_resources_their_kind(void **state UNUSED)
{
	assert_items(&custom, "{\"kind\":\"RolloutList\",\"items\":["
	    "{\"kind\":\"Other\",\"spec\":{\"kind\":\"kept\"}},{},7,"
	    "{\"a\":1,\"kind\":2,\"kin\\u0064\":3}]}",
	    "[{\"kind\":\"Rollout\",\"spec\":{\"kind\":\"kept\"}},"
	    "{\"kind\":\"Rollout\"},7,{\"kind\":\"Rollout\",\"a\":1}]");
	assert_items(&custom, "{\"kind\":\"Things\",\"items\":[{}]}",
	    "[{\"kind\":\"Things\"}]");
	assert_items(&custom, "{\"kind\":\"List\",\"items\":[{}]}",
	    "[{\"kind\":\"\"}]");
	assert_items(&custom_secrets, "{\"kind\":\"SecretList\",\"items\":["
	    "{\"data\":{\"a\":\"b\"}}]}",
	    "[{\"kind\":\"Secret\",\"data\":{\"a\":\"***\"}}]");
}

static void
knows_which_lists_have_metrics(void **state UNUSED)
{
	struct splice s = read_ok(&custom, "{\"kind\":\"PodList\",\"items\":"
	    "[{\"apiVersion\":\"v1\"}]}");

	assert_true(splice_has_pods(&custom, &s));
	assert_true(splice_has_pods(&pods, &s));
	assert_false(splice_has_pods(&plain, &s));
	s = read_ok(&custom, "{\"kind\":\"PodList\",\"items\":[{}]}");
	assert_false(splice_has_pods(&custom, &s));
	s = read_ok(&custom, "{\"kind\":\"JobList\",\"items\":"
	    "[{\"apiVersion\":\"v1\"}]}");
	assert_false(splice_has_pods(&custom, &s));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(passes_items_as_they_came),
		cmocka_unit_test(knows_empty_lists),
		cmocka_unit_test(takes_the_last_of_duplicate_members),
		cmocka_unit_test(refuses_what_is_no_list),
		cmocka_unit_test(hides_the_values_of_secrets),
		cmocka_unit_test(gives_custom_resources_their_kind),
		cmocka_unit_test(knows_which_lists_have_metrics),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
