/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jsonx: trees from strict JSON, and JSON from strings and trees.
 */
#include "base.h"

#include <setjmp.h>
#include <cmocka.h>

#include "err.h"
#include "jsonx.h"
#include "strbuf.h"

static struct json_object *
parse(const char *s)
{
	struct json_object *obj;
	struct err err = ERR_INIT;

	if (jsonx_parse(s, strlen(s), &obj, &err) != 0)
		fail_msg("cannot parse %s: %s", s, err.text);
	return obj;
}

static void
prints_what_it_parsed(void **state UNUSED)
{
	static const struct {
		const char *in, *out;
	} table[] = {
		{ "null", "null" }, { " true ", "true" }, { "12", "12" },
		{ "-0.5", "-0.5" }, { "1.10", "1.1" }, { "0.1", "0.1" },
		{ "1e21", "1e+21" }, { "9007199254740993",
		    "9007199254740993" },
		{ "\"a/b\"", "\"a/b\"" }, { "[]", "[]" }, { "{}", "{}" },
		{ "[1,[2,{\"a\":null}]]", "[1,[2,{\"a\":null}]]" },
		{ "{\"b\":1,\"a\":2,\"b\":3}", "{\"b\":3,\"a\":2}" },
		{ "\xef\xbb\xbf{\"k\":\"\\u00e9\\n\\u0001\"}",
		    "{\"k\":\"\xc3\xa9\\n\\u0001\"}" },
	};
	struct strbuf sb = STRBUF_INIT(STRBUF_UNLIMITED);
	struct json_object *obj;
	size_t i;

	for (i = 0; i < ARRAY_LEN(table); i++) {
		obj = parse(table[i].in);
		strbuf_reset(&sb);
		jsonx_add_tree(&sb, obj);
		assert_string_equal(sb.buf, table[i].out);
		json_object_put(obj);
	}
	strbuf_release(&sb);
}

static void
refuses_what_is_not_strict(void **state UNUSED)
{
	static const char *const none[] = {
		"", "{'a':1}", "{\"a\":1,}", "NaN", "1 2", "{\"a\":NaN}",
		"\"admin\\u0000evil\"", "{\"a\\u0000\":1}", "/* c */ 1",
		"\"\xc3\"", "[1]x", "\xef\xbb\xbf", "01",
	};
	struct json_object *obj;
	struct err err;
	size_t i;

	for (i = 0; i < ARRAY_LEN(none); i++) {
		err = (struct err)ERR_INIT;
		obj = (struct json_object *)&err;
		assert_int_equal(jsonx_parse(none[i], strlen(none[i]), &obj,
		    &err), E_INPUT);
		assert_int_equal(err.code, E_INPUT);
		assert_null(obj);
	}
}

static void
bounds_the_depth(void **state UNUSED)
{
	char text[2 * JSONX_DEPTH + 2];
	struct json_object *obj;

	memset(text, '[', JSONX_DEPTH);
	memset(text + JSONX_DEPTH, ']', JSONX_DEPTH);
	assert_int_equal(jsonx_parse(text, 2 * JSONX_DEPTH, &obj, NULL), 0);
	json_object_put(obj);
	memset(text, '[', JSONX_DEPTH + 1);
	memset(text + JSONX_DEPTH + 1, ']', JSONX_DEPTH + 1);
	assert_int_equal(jsonx_parse(text, sizeof(text), &obj, NULL),
	    E_INPUT);
}

static void
looks_up_members(void **state UNUSED)
{
	struct json_object *obj = parse("{\"s\":\"x\",\"n\":1,\"z\":null}");

	assert_string_equal(jsonx_str(obj, "s"), "x");
	assert_null(jsonx_str(obj, "n"));
	assert_null(jsonx_str(obj, "none"));
	assert_non_null(jsonx_get(obj, "n"));
	assert_null(jsonx_get(obj, "z"));
	assert_null(jsonx_get(jsonx_get(obj, "n"), "x"));
	assert_null(jsonx_get(NULL, "x"));
	json_object_put(obj);
}

static void
is_truthy_as_in_javascript(void **state UNUSED)
{
	static const char *const yes[] = { "true", "1", "-0.5", "\"0\"", "{}",
	    "[]" };
	static const char *const no[] = { "null", "false", "0", "-0", "0.0",
	    "\"\"" };
	struct json_object *obj;
	size_t i;

	for (i = 0; i < ARRAY_LEN(yes); i++) {
		obj = parse(yes[i]);
		assert_true(jsonx_truthy(obj));
		json_object_put(obj);
	}
	for (i = 0; i < ARRAY_LEN(no); i++) {
		obj = parse(no[i]);
		assert_false(jsonx_truthy(obj));
		json_object_put(obj);
	}
}

static void
wipes_every_string(void **state UNUSED)
{
	struct json_object *obj = parse("{\"aks\":\"secret-1\",\"oidc\":"
	    "[{\"okta\":\"a longer secret that is not kept inline\"}]}");
	struct json_object *one = json_object_get(jsonx_get(obj, "aks"));
	struct json_object *two = json_object_get(jsonx_get(
	    json_object_array_get_idx(jsonx_get(obj, "oidc"), 0), "okta"));

	jsonx_wipe(obj);
	assert_string_equal(json_object_get_string(one), "");
	assert_string_equal(json_object_get_string(two), "");
	json_object_put(one);
	json_object_put(two);
	jsonx_wipe(NULL);
}

static void
adds_strings_and_pairs(void **state UNUSED)
{
	struct strbuf sb = STRBUF_INIT(STRBUF_UNLIMITED);

	strbuf_addch(&sb, '{');
	jsonx_add_pair(&sb, "a", "\"q\" \\ \b\f\n\r\t\x1f\x7f/");
	jsonx_add_pair(&sb, "b", "\xff\xc3(\xe2\x98\x83");
	jsonx_add_comma(&sb);
	jsonx_add_string(&sb, "a\0b", 3);
	strbuf_addch(&sb, ':');
	jsonx_add_comma(&sb);
	assert_string_equal(sb.buf, "{\"a\":\"\\\"q\\\" \\\\ "
	    "\\b\\f\\n\\r\\t\\u001f\x7f/\","
	    "\"b\":\"\xef\xbf\xbd\xef\xbf\xbd(\xe2\x98\x83\","
	    "\"a\\u0000b\":");
	strbuf_reset(&sb);
	jsonx_add_comma(&sb);
	jsonx_add_string(&sb, "", 0);
	assert_string_equal(sb.buf, "\"\"");
	strbuf_release(&sb);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(prints_what_it_parsed),
		cmocka_unit_test(refuses_what_is_not_strict),
		cmocka_unit_test(bounds_the_depth),
		cmocka_unit_test(looks_up_members),
		cmocka_unit_test(is_truthy_as_in_javascript),
		cmocka_unit_test(wipes_every_string),
		cmocka_unit_test(adds_strings_and_pairs),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
