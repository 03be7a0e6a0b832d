/* SPDX-License-Identifier: Apache-2.0 */
/* ${VARIABLES}: filled in, escaped, missing. */
#include "base.h"

#include <setjmp.h>
#include <cmocka.h>

#include "expand.h"

static void
expands(void **state UNUSED)
{
	static const struct {
		const char *in, *out;
		bool refers;
	} rows[] = {
		{ "", "", false },
		{ "plain", "plain", false },
		{ "${SD_ONE}", "1", true },
		{ "a${SD_ONE}b${ SD_TWO }c", "a1b2 2c", true },
		{ "$${SD_ONE}", "${SD_ONE}", false },
		{ "$$${SD_ONE}", "$${SD_ONE}", false },
		{ "$${SD_ONE}${SD_ONE}", "${SD_ONE}1", true },
		{ "$SD_ONE", "$SD_ONE", false },
		{ "${SD_ONE", "${SD_ONE", false },
		{ "${a{SD_ONE}", "${a{SD_ONE}", false },
		{ "${${SD_ONE}}", "${1}", true },
		{ "$", "$", false },
		{ "$$", "$$", false },
		{ "${SD_EMPTY}", "", true },
		/* What comes out is not looked at again. */
		{ "${SD_NESTED}", "${SD_ONE}", true },
	};
	char *out, *missing;
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		out = expand(rows[i].in, &missing);
		assert_non_null(out);
		assert_null(missing);
		assert_string_equal(out, rows[i].out);
		assert_int_equal(expand_refers(rows[i].in), rows[i].refers);
		free(out);
	}
}

static void
names_what_is_missing(void **state UNUSED)
{
	char *missing = NULL;

	assert_null(expand("${SD_ONE} and ${ SD_NONE }", &missing));
	assert_string_equal(missing, "SD_NONE");
	free(missing);
	assert_null(expand("${}", &missing));
	assert_string_equal(missing, "");
	free(missing);
}

static void
escapes(void **state UNUSED)
{
	static const char *const rows[] = { "", "plain", "${SD_ONE}", "$$",
	    "$${SD_ONE}", "a${b}c$${d}", "${", "${${SD_ONE}}" };
	char *escaped, *back, *missing;
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		escaped = expand_escape(rows[i]);
		assert_false(expand_refers(escaped));
		back = expand(escaped, &missing);
		assert_non_null(back);
		assert_string_equal(back, rows[i]);
		free(escaped);
		free(back);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(expands),
		cmocka_unit_test(names_what_is_missing),
		cmocka_unit_test(escapes),
	};

	setenv("SD_ONE", "1", 1);
	setenv("SD_TWO", " 2 2\n", 1);
	setenv("SD_EMPTY", "", 1);
	setenv("SD_NESTED", "${SD_ONE}", 1);
	unsetenv("SD_NONE");
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
