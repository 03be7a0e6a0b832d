/* SPDX-License-Identifier: Apache-2.0 */
/* Slips of the pen: how far words are apart, and which is meant. */
#include "base.h"

#include <setjmp.h>
#include <cmocka.h>

#include "suggest.h"

static void
distances(void **state UNUSED)
{
	static const struct {
		const char *a, *b;
		unsigned d;
	} rows[] = {
		{ "", "", 0 },
		{ "", "abc", 3 },
		{ "abc", "", 3 },
		{ "abc", "abc", 0 },
		{ "ABC", "abc", 0 },
		{ "abc", "abd", 1 },
		{ "abc", "ab", 1 },
		{ "abc", "xabc", 1 },
		{ "ab", "ba", 1 },
		{ "clutsers", "clusters", 1 },
		{ "kitten", "sitting", 3 },
		{ "ca", "abc", 3 },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(suggest_distance(rows[i].a, rows[i].b),
		    rows[i].d);
		assert_int_equal(suggest_distance(rows[i].b, rows[i].a),
		    rows[i].d);
	}
}

static void
long_words_are_far(void **state UNUSED)
{
	char word[SUGGEST_WORD_MAX + 2];

	memset(word, 'a', sizeof(word));
	word[SUGGEST_WORD_MAX + 1] = '\0';
	assert_int_equal(suggest_distance(word, word), SUGGEST_WORD_MAX);
	assert_false(suggest_near(word, word));
	word[SUGGEST_WORD_MAX] = '\0';
	assert_int_equal(suggest_distance(word, word), 0);
}

static void
suggests_the_nearest(void **state UNUSED)
{
	static const char *const words[] = { "clusters", "url", "name",
	    "skipTLSVerify", "skipMetricsLookup", NULL };

	assert_string_equal(suggest("clutser", words), "clusters");
	assert_string_equal(suggest("skipTlsVerify", words), "skipTLSVerify");
	assert_string_equal(suggest("nmae", words), "name");
	assert_string_equal(suggest("ur", words), "url");
	assert_null(suggest("foo", words));
	assert_null(suggest("u", (const char *const[]){ NULL }));
	assert_null(suggest("uri-of-it", words));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(distances),
		cmocka_unit_test(long_words_are_far),
		cmocka_unit_test(suggests_the_nearest),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
