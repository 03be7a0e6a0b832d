/* SPDX-License-Identifier: Apache-2.0 */
/* The breaker's states, with a clock of our own. */
#include "base.h"

#include <setjmp.h>
#include <cmocka.h>

#include "breaker.h"

static void
opens_after_failures_in_a_row(void **state UNUSED)
{
	struct breaker b;

	breaker_init(&b, 3, 5000);
	assert_false(breaker_failed(&b, 0));
	assert_false(breaker_failed(&b, 0));
	breaker_answered(&b, 10);	/* so the row begins again */
	assert_false(breaker_failed(&b, 11));
	assert_false(breaker_failed(&b, 11));
	assert_int_equal(breaker_ask(&b, 12), BREAKER_PASS);
	assert_true(breaker_failed(&b, 12));
	assert_int_not_equal(breaker_ask(&b, 12), BREAKER_PASS);
}

static void
says_once_that_it_opened(void **state UNUSED)
{
	struct breaker b;

	breaker_init(&b, 1, 5000);
	assert_true(breaker_failed(&b, 0));
	assert_false(breaker_failed(&b, 0));
}

static void
rations_probes(void **state UNUSED)
{
	struct breaker b;

	breaker_init(&b, 1, 5000);
	breaker_failed(&b, 0);
	assert_int_equal(breaker_ask(&b, 100), BREAKER_PROBE);
	assert_int_equal(breaker_ask(&b, 101), BREAKER_FAIL);
	/* One at a time, also when the interval is over. */
	assert_int_equal(breaker_ask(&b, 9000), BREAKER_FAIL);
	breaker_probed(&b);
	assert_int_equal(breaker_ask(&b, 9001), BREAKER_PROBE);
	breaker_probed(&b);
	assert_int_equal(breaker_ask(&b, 14000), BREAKER_FAIL);
	assert_int_equal(breaker_ask(&b, 14001), BREAKER_PROBE);
}

static void
closes_on_an_answer(void **state UNUSED)
{
	struct breaker b;

	breaker_init(&b, 1, 5000);
	breaker_failed(&b, 0);
	assert_int_equal(breaker_ask(&b, 100), BREAKER_PROBE);
	breaker_answered(&b, 150);
	breaker_probed(&b);
	assert_int_equal(breaker_ask(&b, 151), BREAKER_PASS);
}

static void
does_not_hear_stragglers(void **state UNUSED)
{
	struct breaker b;

	breaker_init(&b, 1, 5000);
	breaker_answered(&b, 1000);
	assert_false(breaker_failed(&b, 999));
	assert_int_equal(breaker_ask(&b, 1001), BREAKER_PASS);
	assert_true(breaker_failed(&b, 1000));
}

static void
never_opens_without_a_number(void **state UNUSED)
{
	struct breaker b;
	int i;

	breaker_init(&b, 0, 5000);
	for (i = 0; i < 100; i++)
		assert_false(breaker_failed(&b, i));
	assert_int_equal(breaker_ask(&b, 100), BREAKER_PASS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(opens_after_failures_in_a_row),
		cmocka_unit_test(says_once_that_it_opened),
		cmocka_unit_test(rations_probes),
		cmocka_unit_test(closes_on_an_answer),
		cmocka_unit_test(does_not_hear_stragglers),
		cmocka_unit_test(never_opens_without_a_number),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
