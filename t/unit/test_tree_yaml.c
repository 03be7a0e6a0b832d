/* SPDX-License-Identifier: Apache-2.0 */
/* YAML: types of scalars, anchors, duplicates, bounds, where things are. */
#include "base.h"

#define PARSER tree_parse_yaml
#include "tree_rig.h"

static void
types(void **state UNUSED)
{
	gives("a: [1, -2, +3, 0o17, 0x1F, 0660]",
	    "{\"a\":[1,-2,3,15,31,660]}");
	gives("a: [1.5, .5, 1e3, -1.25E-0]",
	    "{\"a\":[1.5,0.5,1000.0,-1.25]}");
	gives("a: [true, True, TRUE, false, False, FALSE]",
	    "{\"a\":[true,true,true,false,false,false]}");
	gives("a: [null, Null, NULL, ~, ]\nb:\n",
	    "{\"a\":[null,null,null,null],\"b\":null}");
	/* Only YAML 1.1 has types for these. */
	gives("a: [yes, no, on, off, y, 1_000, 0b1, 12:30, "
	    "nUll, tRue, 1., ., +, 0x, 1e, 1e5x]",
	    "{\"a\":[\"yes\",\"no\",\"on\",\"off\",\"y\",\"1_000\",\"0b1\","
	    "\"12:30\",\"nUll\",\"tRue\",1.0,\".\",\"+\",\"0x\","
	    "\"1e\",\"1e5x\"]}");
	gives("a: ['1', \"true\"]\nb: |\n  1\n",
	    "{\"a\":[\"1\",\"true\"],\"b\":\"1\\n\"}");
	gives("a: [!!str 1, ! 2, !!int 3, !!null ~]",
	    "{\"a\":[\"1\",\"2\",3,null]}");
	/* Past 64 bits a number is one with a floating point. */
	gives("a: [9223372036854775807, "
	    "18446744073709551616]",
	    "{\"a\":[9223372036854775807,1.8446744073709552e+19]}");
}

static void
is_json_too(void **state UNUSED)
{
	gives("{\"a\":{\"b\":[1,2.5,\"x\\/\\u00e9\\n\","
	    "true,null]},\"c\":{}}",
	    "{\"a\":{\"b\":[1,2.5,\"x/\303\251\\n\",true,null]},\"c\":{}}");
	/* JSON's way past U+FFFF, which YAML does not know. */
	gives("{\"a\": \"\\ud83d\\ude00 \\\\ud83d\"}",
	    "{\"a\":\"\360\237\230\200 \\\\ud83d\"}");
	gives("\357\273\277a: 1", "{\"a\":1}");
	gives("", "{}");
	gives("# nothing\n", "{}");
}

static void
anchors(void **state UNUSED)
{
	static const char dropped[] = "a: &x 1\na: &x 2\nb: *x";

	gives("a: &x {k: 1}\nb: *x\nc: &x 2\nd: *x",
	    "{\"a\":{\"k\":1},\"b\":{\"k\":1},\"c\":2,\"d\":2}");
	/* As in Backstage, merge keys merge nothing. */
	gives("a: &x {k: 1}\nb:\n  <<: *x",
	    "{\"a\":{\"k\":1},\"b\":{\"<<\":{\"k\":1}}}");
	fails("a: *x", "f:1: a: no anchor (&) of this name "
	    "comes before");
	fails("a: &x [*x]", "f:1: a[0]: an alias inside its "
	    "own anchor");
	/* The second &x was dropped with its key. */
	parse_bytes(dropped, strlen(dropped));
	assert_int_equal(problems.nerrors, 2);
	forget();
}

/* Nine levels of nine aliases each are 387 million nodes. */
static void
alias_bombs_are_bounded(void **state UNUSED)
{
	struct strbuf bomb = STRBUF_INIT(4096);
	unsigned i, k;

	strbuf_addstr(&bomb, "a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
	for (i = 1; i < 9; i++) {
		strbuf_addf(&bomb, "a%u: &a%u [", i, i);
		for (k = 0; k < 9; k++)
			strbuf_addf(&bomb, "%s*a%u", k > 0 ? ", " : "", i - 1);
		strbuf_addstr(&bomb, "]\n");
	}
	fails_bytes(bomb.buf, bomb.len, "f:1: the settings "
	    "are too large: over 200000 values or 67108864 bytes");
	strbuf_release(&bomb);
}

static void
duplicates_are_all_named(void **state UNUSED)
{
	const char *text = "a: 1\nb:\n  c: 1\n  c: 2\n  d: [{e: 1, e: 2}]\n"
	    "a: 3\n";

	parse_bytes(text, strlen(text));
	assert_int_equal(problems.nerrors, 3);
	assert_string_equal(problems.items[0].text, "f:4: b.c: this key "
	    "stands here twice; keep one of them");
	assert_string_equal(problems.items[1].text, "f:5: b.d[0].e: this key "
	    "stands here twice; keep one of them");
	assert_string_equal(problems.items[2].text, "f:6: a: this key stands "
	    "here twice; keep one of them");
	forget();
}

static void
lines(void **state UNUSED)
{
	const char *text = "\na:\n  b:\n  - c: 1\n    d:\n      5\n";
	const struct node *b, *c;

	parse_bytes(text, strlen(text));
	assert_int_equal(node_get(root, "a")->line, 2);
	b = node_get(node_get(root, "a"), "b");
	assert_int_equal(b->line, 3);
	assert_int_equal(b->items[0]->line, 4);
	c = node_get(b->items[0], "c");
	assert_int_equal(c->line, 4);
	assert_int_equal(node_get(b->items[0], "d")->line, 5);
	forget();
}

static void
refuses(void **state UNUSED)
{
	static const char nul[] = "a: \"x\\0y\"", nul_key[] = "\"a\\0\": 1";
	char deep[2 * TREE_DEPTH_MAX + 8];

	fails("a: [1,\n2", "f:3: while parsing a flow "
	    "sequence: did not find expected ',' or ']': this is no YAML "
	    "here");
	fails("a: 1\n\tb: 2", "f:2: while scanning a "
	    "plain scalar: found a tab character that violates indentation: "
	    "this is no YAML here");
	fails("a: 1\n---\nb: 2", "f:2: a second document "
	    "(---); put it in a file of its own");
	fails("? [a]\n: 1", "f:1: a key must be a word");
	fails("a: !foo 1", "f:1: a: a tag (!) that is not "
	    "known here");
	fails(nul, "f:1: a: a NUL in a string");
	fails(nul_key, "f:1: a: a NUL in a key");
	fails_bytes("a: \377", 4, "f:1: invalid leading "
	    "UTF-8 octet: this is no YAML here");
	memset(deep, '[', sizeof(deep));
	parse_bytes(deep, sizeof(deep));
	assert_int_equal(problems.nerrors, 1);
	assert_non_null(strstr(problems.items[0].text, "nested too deeply"));
	forget();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(types),
		cmocka_unit_test(is_json_too),
		cmocka_unit_test(anchors),
		cmocka_unit_test(alias_bombs_are_bounded),
		cmocka_unit_test(duplicates_are_all_named),
		cmocka_unit_test(lines),
		cmocka_unit_test(refuses),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
