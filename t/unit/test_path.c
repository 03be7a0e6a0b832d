/* SPDX-License-Identifier: Apache-2.0 */
/* Paths: normalising, decoding, climbing above the base. */
#include "base.h"

#include <setjmp.h>
#include <cmocka.h>

#include "arena.h"
#include "path.h"

static void
normalises(void **state UNUSED)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{ "/", "/" },
		{ "", "/" },
		{ "/clusters", "/clusters" },
		{ "/%63lusters", "/clusters" },
		{ "/%7Ea%2Db", "/~a-b" },
		{ "/a%2Fb", "/a%2Fb" },
		{ "/a/./b", "/a/b" },
		{ "/a/../b", "/b" },
		{ "/a/..", "/" },
		{ "/a/b/..", "/a/" },
		{ "/a/.", "/a/" },
		{ "/..", "/" },
		{ "/../../x", "/x" },
		{ "/%2e%2E/x", "/x" },
		{ "/a/.../b", "/a/.../b" },
		{ "/a//b", "/a//b" },
		{ "a", "/a" },
	};
	struct arena *a = arena_new();
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++)
		assert_string_equal(path_normalise(a, rows[i].in),
		    rows[i].out);
	arena_free(a);
}

static void
refuses_bad_escapes(void **state UNUSED)
{
	static const char *const bad[] = { "/%", "/%4", "/%zz", "/a%2", "/%g0",
	    "/x%" };
	struct arena *a = arena_new();
	size_t i;

	for (i = 0; i < ARRAY_LEN(bad); i++) {
		assert_null(path_normalise(a, bad[i]));
		assert_null(path_decode(a, bad[i], strlen(bad[i])));
	}
	assert_null(path_decode(a, "a%00b", 5));
	assert_string_equal(path_decode(a, "a%2Fb%20c", 9), "a/b c");
	assert_string_equal(path_decode(a, "abc/def", 3), "abc");
	arena_free(a);
}

static void
finds_what_climbs(void **state UNUSED)
{
	static const char *const climbs[] = { "/..", "/../x", "/a/../../x",
	    "/%2e%2e", "/.%2E/x", "/a/..%2f..%2fx", "/a%2f..%2f..%2f..%2fx",
	    "/..%5cx", "/a/..\\..\\x", "/a//../../..", "/./.." };
	static const char *const stays[] = { "", "/", "/a", "/a/..",
	    "/a/../b/./c", "/a/%2e%2e", "/...", "/a..b/c", "/..a", "/a/b/../..",
	    "/%2e%2ea" };
	size_t i;

	for (i = 0; i < ARRAY_LEN(climbs); i++)
		if (!path_climbs(climbs[i]))
			fail_msg("'%s' climbs", climbs[i]);
	for (i = 0; i < ARRAY_LEN(stays); i++)
		if (path_climbs(stays[i]))
			fail_msg("'%s' stays", stays[i]);
}

static void
squeezes(void **state UNUSED)
{
	struct arena *a = arena_new();

	assert_string_equal(path_squeeze(a, "//echo///x/"), "/echo/x/");
	assert_string_equal(path_squeeze(a, "/a%2F/b"), "/a%2F/b");
	assert_string_equal(path_squeeze(a, ""), "");
	arena_free(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(normalises),
		cmocka_unit_test(refuses_bad_escapes),
		cmocka_unit_test(finds_what_climbs),
		cmocka_unit_test(squeezes),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
