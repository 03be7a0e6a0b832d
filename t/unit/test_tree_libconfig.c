/* SPDX-License-Identifier: Apache-2.0 */
/* libconfig: values, what libconfig itself gets wrong, includes, places. */
#include "base.h"

#define PARSER tree_parse_libconfig
#include "tree_rig.h"

static void
values(void **state UNUSED)
{
	gives("a = 1; b : 2.5\nc = \"x\" \"y\\n\\\"\";"
	    "d = TRUE, e = false", "{\"a\":1,\"b\":2.5,\"c\":\"xy\\n\\\"\","
	    "\"d\":true,\"e\":false}");
	gives("a = { b = [1, 2]; c = (1, \"x\", {d = "
	    "-1;}); e = {}; f = (); g = []; };", "{\"a\":{\"b\":[1,2],"
	    "\"c\":[1,\"x\",{\"d\":-1}],\"e\":{},\"f\":[],\"g\":[]}}");
	gives("# c\na = 1; // = x\n/* b = 2; */ c = "
	    "0x10;\nd = \"# no /* comment // in here\";",
	    "{\"a\":1,\"c\":16,\"d\":\"# no /* comment // in here\"}");
	gives("a = 1; # at the end", "{\"a\":1}");
	gives("// at the end", "{}");
	gives("", "{}");
	gives("a = \"\303\251\\x41\";",
	    "{\"a\":\"\303\251A\"}");
	gives("x-1_y* = 1;", "{\"x-1_y*\":1}");
}

/* libconfig reads 5000000000 as 705032704 and reports success. */
static void
wide_numbers(void **state UNUSED)
{
	gives("a = 5000000000L; b = 2147483647; c = "
	    "-2147483648; d = 0x7fffffff; e = 0x1FFFFFFFFL; f = 1e10;",
	    "{\"a\":5000000000,\"b\":2147483647,\"c\":-2147483648,"
	    "\"d\":2147483647,\"e\":8589934591,\"f\":10000000000.0}");
	fails("a = { b = 1;\nc = 5000000000; };",
	    "f:2: a.c: a number past 2147483647 needs the suffix L: "
	    "5000000000L");
	fails("a = 2147483648;", "f:1: a: a number past "
	    "2147483647 needs the suffix L: 2147483648L");
	fails("a = -2147483649;", "f:1: a: a number "
	    "past 2147483647 needs the suffix L: -2147483649L");
	fails("a = 0xFFFFFFFF;", "f:1: a: a number past "
	    "2147483647 needs the suffix L: 0xFFFFFFFFL");
	fails("a = 9223372036854775808L;",
	    "f:1: a: this number is too large");
	fails("a = 99999999999999999999999999999999999;",
	    "f:1: a: this number is too large");
	/* Digits elsewhere are no numbers. */
	gives("a5000000000 = \"5000000000\"; // "
	    "5000000000\n", "{\"a5000000000\":\"5000000000\"}");
}

/* The rest of the file is read; what is wrong is marked. */
static void
wide_numbers_stop_nothing(void **state UNUSED)
{
	const char *text = "a = { b = 99999999999; c = [1, 99999999999];\n"
	    "d = ((1, {e = 99999999999999999999L;}, 2)); f = 5;\n"
	    "g = \"x\\x00y\"; };";
	const struct node *a, *list;

	parse_bytes(text, strlen(text));
	assert_int_equal(problems.nerrors, 4);
	assert_string_equal(problems.items[0].text, "f:1: a.b: a number past "
	    "2147483647 needs the suffix L: 99999999999L");
	assert_string_equal(problems.items[2].text, "f:2: a.d[0][1].e: this "
	    "number is too large");
	assert_non_null(root);
	a = node_get(root, "a");
	assert_true(node_get(a, "b")->wrong && node_get(a, "c")->wrong &&
	    node_get(a, "g")->wrong);
	assert_false(a->wrong || node_get(a, "f")->wrong);
	list = node_get(a, "d")->items[0];
	assert_true(node_get(list->items[1], "e")->wrong);
	assert_false(list->items[0]->wrong || list->items[2]->wrong);
	forget();
	/* What is not only digits may be a part of a secret. */
	fails("a = 99999999999abcd;", "f:1: a: a number past 2147483647 needs "
	    "the suffix L");
}

static void
duplicates_are_all_named(void **state UNUSED)
{
	const char *text = "a = 1;\nb = {\n c = 1;\n d = ( {x = 1;},\n"
	    "  {x = 1; y = 2; x = 2;} );\n c = 2; };\na : 2;\n";

	parse_bytes(text, strlen(text));
	assert_null(root);
	assert_int_equal(problems.nerrors, 3);
	assert_string_equal(problems.items[0].text, "f:5: b.d[1].x: this key "
	    "stands here twice; keep one of them");
	assert_string_equal(problems.items[1].text, "f:6: b.c: this key "
	    "stands here twice; keep one of them");
	assert_string_equal(problems.items[2].text, "f:7: a: this key stands "
	    "here twice; keep one of them");
	forget();
}

static void
lines(void **state UNUSED)
{
	const char *text = "\na = {\n  b = (\n    { c = 1; },\n"
	    "    { c = \"x\n\ny\";\n      d = 2; } ); };\n";
	const struct node *b;

	parse_bytes(text, strlen(text));
	assert_int_equal(node_get(root, "a")->line, 2);
	b = node_get(node_get(root, "a"), "b");
	assert_int_equal(b->line, 3);
	assert_int_equal(b->items[1]->line, 5);
	assert_int_equal(node_get(b->items[1], "d")->line, 8);
	forget();
}

static void
refuses(void **state UNUSED)
{
	static const char missing[] = "syntax error here or just before; is a "
	    "; , = or quote missing?";
	char text[128], deep[TREE_DEPTH_MAX + 8];

	snprintf(text, sizeof(text), "f:2: %s", missing);
	fails("a = 1;\nb = ;", text);
	fails("a = 1;\nb = \"x\n\n", "f:2: a string begins here that does "
	    "not end");
	fails("a = /* x", text);
	fails("a: x: 5: 99999999999\na: 1", "f:1: a: syntax error: no value "
	    "such as 5, true or \"text\"");
	snprintf(text, sizeof(text), "f:1: %s", missing);
	fails("} a = 1;", text);
	fails("a = \"admin\\x00evil\";", "f:1: a: a NUL "
	    "in a string");
	fails("a = \"\\xff\";", "f:1: a: not UTF-8 "
	    "text");
	memset(deep, '(', sizeof(deep));
	memcpy(deep, "a = ", 4);
	fails_bytes(deep, sizeof(deep),
	    "f:1: nested too deeply");
}

static void
is_bounded(void **state UNUSED)
{
	struct strbuf sb = STRBUF_INIT(16 * 1024 * 1024);
	size_t i;

	for (i = 0; i <= TREE_MEMBERS_MAX; i++)
		strbuf_addf(&sb, "a%zu=1;", i);
	fails_bytes(sb.buf, sb.len,
	    "f:1: too many keys in one group");
	strbuf_reset(&sb);
	strbuf_addstr(&sb, "a=[0");
	for (i = 0; i <= TREE_NODES_MAX; i++)
		strbuf_addstr(&sb, ",0");
	strbuf_addstr(&sb, "];");
	fails_bytes(sb.buf, sb.len,
	    "f:1: the settings are too large");
	strbuf_release(&sb);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values),
		cmocka_unit_test(wide_numbers),
		cmocka_unit_test(wide_numbers_stop_nothing),
		cmocka_unit_test(duplicates_are_all_named),
		cmocka_unit_test(lines),
		cmocka_unit_test(refuses),
		cmocka_unit_test(is_bounded),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
