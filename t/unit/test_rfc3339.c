/* SPDX-License-Identifier: Apache-2.0 */
/* Points in time, as Go's time.RFC3339 takes them. */
#include "base.h"

#include <setjmp.h>
#include <cmocka.h>

#include "rfc3339.h"

static void
good_ones(void **state UNUSED)
{
	static const struct {
		const char *text;
		int64_t ms;
	} rows[] = {
		{ "1970-01-01T00:00:00Z", 0 },
		{ "2025-03-14T15:09:26Z", INT64_C(1741964966000) },
		{ "2025-03-14T15:09:26.123456Z", INT64_C(1741964966123) },
		{ "2025-03-14T15:09:26.5Z", INT64_C(1741964966500) },
		{ "2025-03-14T17:09:26+02:00", INT64_C(1741964966000) },
		{ "2025-03-14T09:39:26.001-05:30", INT64_C(1741964966001) },
		{ "2024-02-29T00:00:00+00:00", INT64_C(1709164800000) },
		{ "1969-12-31T23:59:59.25Z", -750 },
		{ "0001-01-01T00:00:00Z", INT64_C(-62135596800000) },
		{ "9999-12-31T23:59:59Z", INT64_C(253402300799000) },
	};
	int64_t ms;
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		ms = 1;
		if (!rfc3339_parse(rows[i].text, &ms) || ms != rows[i].ms)
			fail_msg("%s: %lld", rows[i].text, (long long)ms);
	}
}

static void
bad_ones(void **state UNUSED)
{
	static const char *const rows[] = { "", "now", "2025-03-14",
	    "2025-03-14 15:09:26Z", "2025-03-14T15:09:26",
	    "2025-03-14T15:09:26Z ", " 2025-03-14T15:09:26Z",
	    "2025-03-14T15:09:26z", "2025-03-14t15:09:26Z",
	    "2025-02-29T00:00:00Z", "2025-06-31T00:00:00Z",
	    "2025-13-01T00:00:00Z", "2025-00-01T00:00:00Z",
	    "2025-03-00T00:00:00Z", "2025-03-14T24:00:00Z",
	    "2025-03-14T15:60:00Z", "2025-03-14T15:09:60Z",
	    "2025-03-14T15:09:26.Z", "2025-03-14T15:09:26+0200",
	    "2025-03-14T15:09:26+2:00", "2025-03-14T15:09:26+24:00",
	    "2025-3-14T15:09:26Z", "1741964966", "+025-03-14T15:09:26Z" };
	int64_t ms;
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++)
		if (rfc3339_parse(rows[i], &ms))
			fail_msg("%s is taken", rows[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_ones),
		cmocka_unit_test(bad_ones),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
