/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jsonscan: which texts are JSON, and what walking over them finds.
 */
#include "base.h"

#include <setjmp.h>
#include <cmocka.h>

#include "arena.h"
#include "err.h"
#include "jsonscan.h"

static struct json_span
span(const char *s)
{
	return (struct json_span){ s, strlen(s) };
}

/* A copy without a NUL behind it, so that a sanitizer sees a step too far. */
static int
check(const char *s, size_t len, struct err *err)
{
	char *copy = xmalloc(len + (len == 0));
	int r;

	memcpy(copy, s, len);
	r = jsonscan_check(copy, len,
	    &(struct json_rules){ .depth = JSONSCAN_DEPTH }, err);
	free(copy);
	return r;
}

static void
accepts_json(void **state UNUSED)
{
	static const char *const good[] = {
		"null", "true", "false", "0", "-0", "-0.0", "1e21", "1E+2",
		"9007199254740993", "0.5e-3", "\"\"", "\"a\"", "{}", "[]",
		" [ ] ", "\t{\n}\r\n", "[1,2]", "[ 1 , 2 ]", "{\"a\":1}",
		"{ \"a\" : [ { } , null ] , \"a\" : 2 }",
		"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\uD83D\\uDE80\"",
		"\"caf\xc3\xa9 \xe2\x98\x83 \xf0\x9f\x9a\x80\"",
		"\"\\u0000\"", "\"\\ud800\"", "\"0123456789abcdef\"",
		"\"\x7f\"", "\"\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf\"",
	};
	struct err err;
	size_t i;

	for (i = 0; i < ARRAY_LEN(good); i++)
		if (check(good[i], strlen(good[i]), &err) != 0)
			fail_msg("refused %s: %s", good[i], err.text);
}

static void
refuses_what_is_none(void **state UNUSED)
{
	static const char *const none[] = {
		"", " ", "nul", "nulll", "True", "01", "-", "+1", ".5", "1.",
		"1e", "1e+", "0x1", "NaN", "Infinity", "'a'", "\"", "\"a",
		"\"\\\"", "\"\\x\"", "\"\\u12\"", "\"\\u12g4\"", "\"\\",
		"\"\n\"", "\"\t\"", "{", "[", "{]", "[}", "[1,]", "[,1]",
		"[1 2]", "[1;2]", "[1}2]", "{\"a\":1;\"b\":2}", "{\"a\"}",
		"{\"a\":}", "{\"a\":1,}", "{,}",
		"{a:1}", "{1:1}", "{\"a\" 1}", "{\"a\":1 \"b\":2}", "[] []",
		"{}x", "/**/1", "[1]//", "\xef\xbb\xbf{}", "\x01",
		"\"0123456\x01\"", "\"\x80\"", "\"\xc0\x80\"",
		"\"\xc1\xbf\"", "\"\xe0\x9f\xbf\"", "\"\xed\xa0\x80\"",
		"\"\xf0\x8f\xbf\xbf\"", "\"\xf4\x90\x80\x80\"",
		"\"\xf5\x80\x80\x80\"", "\"\xc3\"", "\"\xe2\x98\"",
		"\"\xf0\x9f\x9a\"", "\"\xff\"", "<html>login</html>",
	};
	struct err err;
	size_t i;

	for (i = 0; i < ARRAY_LEN(none); i++) {
		err = (struct err)ERR_INIT;
		if (check(none[i], strlen(none[i]), &err) != E_PROTOCOL)
			fail_msg("accepted %s", none[i]);
		assert_int_equal(err.code, E_PROTOCOL);
	}
	assert_int_equal(check("\"a\0b\"", 5, NULL), E_PROTOCOL);
	assert_int_equal(check("{}\0", 3, NULL), E_PROTOCOL);
}

/* No text may be accepted when cut short: every length is tried. */
static void
refuses_every_cut(void **state UNUSED)
{
	static const char text[] = "{\"kind\":\"PodList\",\"items\":[{\"a\":"
	    "[-1.5e+10,true,false,null,\"x\\u00e9\\n\xc3\xa9\"]},{}]}";
	size_t len;

	for (len = 0; len < sizeof(text) - 1; len++)
		assert_int_equal(check(text, len, NULL), E_PROTOCOL);
	assert_int_equal(check(text, sizeof(text) - 1, NULL), 0);
}

static void
finds_specials_at_every_offset(void **state UNUSED)
{
	static const char bad[] = "\x01\x1f\n\"\\\x80\xff";
	char text[40];
	size_t at, i, len;

	for (len = 0; len < 20; len++) {
		text[0] = '"';
		memset(text + 1, 'x', len);
		text[len + 1] = '"';
		assert_int_equal(check(text, len + 2, NULL), 0);
		for (at = 0; at < len; at++) {
			for (i = 0; i < sizeof(bad) - 1; i++) {
				text[1 + at] = bad[i];
				assert_int_equal(check(text, len + 2, NULL),
				    E_PROTOCOL);
			}
			text[1 + at] = 'x';
		}
	}
}

static void
says_where(void **state UNUSED)
{
	struct err err;

	check("{\"a\":tru}", 9, &err);
	assert_string_equal(err.text, "unexpected character at byte 8");
	check("[1,2", 4, &err);
	assert_string_equal(err.text, "unexpected end at byte 4");
	check("\"\xc3\x28\"", 4, &err);
	assert_string_equal(err.text, "bad UTF-8 at byte 1");
}

static void
bounds_the_depth(void **state UNUSED)
{
	char text[2 * JSONSCAN_DEPTH + 2];
	struct err err;

	memset(text, '[', JSONSCAN_DEPTH);
	memset(text + JSONSCAN_DEPTH, ']', JSONSCAN_DEPTH);
	assert_int_equal(check(text, 2 * JSONSCAN_DEPTH, NULL), 0);
	memset(text, '[', JSONSCAN_DEPTH + 1);
	memset(text + JSONSCAN_DEPTH + 1, ']', JSONSCAN_DEPTH + 1);
	assert_int_equal(check(text, sizeof(text), &err), E_PROTOCOL);
	assert_non_null(strstr(err.text, "nesting too deep"));
}

static void
picks_members_in_one_pass(void **state UNUSED)
{
	static const char text[] = "{\"items\":[0],\"x\":{\"kind\":1},"
	    "\"\\u006bind\":\"A\", \"items\" : [1, 2] ,\"kind\":\"B\"}";
	struct json_span items, kind, none = span("x");
	const struct json_pick picks[] = {
		{ "items", &items }, { "kind", &kind }, { "none", &none },
	};
	struct json_rules rules = { .depth = 8, .picks = picks,
	    .npicks = ARRAY_LEN(picks) };

	assert_int_equal(jsonscan_check(text, strlen(text), &rules,
	    NULL), 0);
	assert_memory_equal(items.ptr, "[1, 2]", items.len);
	assert_int_equal(items.len, 6);
	assert_true(jsonscan_is(kind, "B"));
	assert_null(none.ptr);
}

static void
walks_objects_and_arrays(void **state UNUSED)
{
	struct json_span key, value;
	struct jsonscan it;

	assert_true(jsonscan_begin(&it, span("{ \"a\" : \"]}\\\\\" , "
	    "\"b\":[{},\"\\\"]\"],\"c\":-1}"), '{'));
	assert_true(jsonscan_member(&it, &key, &value));
	assert_true(jsonscan_is(key, "a") && jsonscan_is(value, "]}\\"));
	assert_true(jsonscan_member(&it, &key, &value));
	assert_int_equal(value.len, strlen("[{},\"\\\"]\"]"));
	assert_true(jsonscan_member(&it, &key, &value));
	assert_int_equal(value.len, 2);
	assert_false(jsonscan_member(&it, &key, &value));

	assert_true(jsonscan_begin(&it, span("[ 1 ,\"a\" , [ ] ]"), '['));
	assert_true(jsonscan_element(&it, &value));
	assert_int_equal(value.len, 1);
	assert_true(jsonscan_element(&it, &value));
	assert_true(jsonscan_element(&it, &value));
	assert_int_equal(value.len, 3);
	assert_false(jsonscan_element(&it, &value));

	assert_true(jsonscan_begin(&it, span("[]"), '['));
	assert_false(jsonscan_element(&it, &value));
	assert_true(jsonscan_begin(&it, span("{ }"), '{'));
	assert_false(jsonscan_member(&it, &key, &value));
	assert_false(jsonscan_begin(&it, span("[]"), '{'));
	assert_false(jsonscan_begin(&it, (struct json_span){ NULL, 0 }, '{'));
}

static void
walks_over_escapes_at_every_offset(void **state UNUSED)
{
	static const char *const escapes[] = { "\\\"", "\\\\", "\\n",
	    "\\u0022", "\\\\\\\"", "\xc3\xa9" };
	char text[64];
	struct json_span first, second, picked;
	const struct json_pick picks[] = { { "k", &picked } };
	struct jsonscan it;
	size_t i, at;

	for (i = 0; i < ARRAY_LEN(escapes); i++) {
		for (at = 0; at < 20; at++) {
			snprintf(text, sizeof(text),
			    "[{\"k\":\"%.*s%s%.*s\"},[2]]", (int)at,
			    "xxxxxxxxxxxxxxxxxxxx", escapes[i], 20 - (int)at,
			    "yyyyyyyyyyyyyyyyyyyy");
			assert_int_equal(check(text, strlen(text), NULL), 0);
			jsonscan_begin(&it, span(text), '[');
			assert_true(jsonscan_element_pick(&it, &first, picks,
			    1));
			assert_true(jsonscan_element(&it, &second));
			assert_int_equal(first.len, strlen(text) - 6);
			assert_int_equal(picked.len, first.len - 6);
			assert_memory_equal(second.ptr, "[2]", 3);
			assert_false(jsonscan_element_pick(&it, &first, picks,
			    1));
			assert_null(picked.ptr);
		}
	}
}

static void
gets_the_last_of_a_name(void **state UNUSED)
{
	struct json_span o = span("{\"a\":1,\"b\":{\"a\":2},\"\\u0061\":3}");

	assert_int_equal(jsonscan_get(o, "a").ptr[0], '3');
	assert_null(jsonscan_get(o, "c").ptr);
	assert_null(jsonscan_get(span("[1]"), "a").ptr);
	assert_null(jsonscan_get((struct json_span){ NULL, 0 }, "a").ptr);
}

static void
compares_and_decodes_strings(void **state UNUSED)
{
	static const struct {
		const char *json, *text;
	} table[] = {
		{ "\"\"", "" }, { "\"abc\"", "abc" },
		{ "\"a\\/b\\\\\\\"\"", "a/b\\\"" },
		{ "\"\\b\\f\\n\\r\\t\"", "\b\f\n\r\t" },
		{ "\"caf\\u00e9\"", "caf\xc3\xa9" },
		{ "\"\\u2603\\uD83d\\ude80!\"",
		    "\xe2\x98\x83\xf0\x9f\x9a\x80!" },
		{ "\"\\ud800x\"", "\xef\xbf\xbdx" },
		{ "\"\\udc00\\ud800\\ud800\"",
		    "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
		{ "\"\\ud800\\u0041\"", "\xef\xbf\xbd" "A" },
	};
	struct arena *arena = arena_new();
	size_t i;

	for (i = 0; i < ARRAY_LEN(table); i++) {
		assert_string_equal(jsonscan_string(span(table[i].json),
		    arena), table[i].text);
		assert_true(jsonscan_is(span(table[i].json), table[i].text));
		assert_false(jsonscan_is(span(table[i].json), "abcd"));
	}
	assert_null(jsonscan_string(span("\"a\\u0000b\""), arena));
	assert_false(jsonscan_is(span("\"a\\u0000b\""), "a"));
	assert_false(jsonscan_is(span("\"\\n\""), "\\n"));
	assert_null(jsonscan_string(span("1"), arena));
	assert_null(jsonscan_string((struct json_span){ NULL, 0 }, arena));
	assert_false(jsonscan_is((struct json_span){ NULL, 0 }, ""));
	arena_free(arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accepts_json),
		cmocka_unit_test(refuses_what_is_none),
		cmocka_unit_test(refuses_every_cut),
		cmocka_unit_test(finds_specials_at_every_offset),
		cmocka_unit_test(says_where),
		cmocka_unit_test(bounds_the_depth),
		cmocka_unit_test(picks_members_in_one_pass),
		cmocka_unit_test(walks_objects_and_arrays),
		cmocka_unit_test(walks_over_escapes_at_every_offset),
		cmocka_unit_test(gets_the_last_of_a_name),
		cmocka_unit_test(compares_and_decodes_strings),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
