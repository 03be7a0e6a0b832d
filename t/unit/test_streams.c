/* SPDX-License-Identifier: Apache-2.0 */
/* Which requests are long, and who gets a place. */
#include "base.h"

#include <setjmp.h>
#include <cmocka.h>
#include <sys/syscall.h>

#include "arena.h"
#include "clock.h"
#include "streams.h"

/* How far the clock of the wall was ahead, to be set back at once. */
static int ahead;

int
clock_gettime(clockid_t id, struct timespec *ts)
{
	int r = (int)syscall(SYS_clock_gettime, id, ts);

	ts->tv_sec += id == CLOCK_REALTIME ? ahead : 0;
	return r;
}

static void
tells_long_from_short(void **state UNUSED)
{
	static const char *const is_long[] = { "watch=true", "watch=1",
	    "watch", "watch=yes", "watch=True", "w%61tch=true", "a=b&watch=",
	    "follow=true&x=1", "&&follow=yes" };
	static const char *const is_short[] = { "", "watch=false", "watch=0",
	    "watch=FALSE", "xwatch=1", "watchx=1", "a=watch=true",
	    "follow=false" };
	struct arena *a = arena_new();
	size_t i;

	for (i = 0; i < ARRAY_LEN(is_long); i++)
		if (!streams_is_long(a, "/api/v1/pods", is_long[i]))
			fail_msg("'%s' is long", is_long[i]);
	for (i = 0; i < ARRAY_LEN(is_short); i++)
		if (streams_is_long(a, "/api/v1/pods", is_short[i]))
			fail_msg("'%s' is short", is_short[i]);
	assert_true(streams_is_long(a, "/api/v1/watch/pods", NULL));
	assert_false(streams_is_long(a, "/api/v1/watches", NULL));
	arena_free(a);
}

static void
leaves_threads_for_others(void **state UNUSED)
{
	struct stream_place p[3], more;
	int64_t began;
	unsigned i;

	streams_threads(4);
	assert_true(streams_enter(&p[0], true, 1));
	assert_false(streams_enter(&more, true, 1));
	for (i = 1; i < 3; i++)
		assert_true(streams_enter(&p[i], false, 1));
	began = clock_mono_ms();
	assert_false(streams_enter(&more, false, 1));
	assert_in_range(clock_mono_ms() - began, 900, 5000);
	began = clock_mono_ms();	/* waiting was in vain: not again */
	assert_false(streams_enter(&more, false, 1));
	assert_in_range(clock_mono_ms() - began, 0, 500);
	streams_leave(&p[0]);
	assert_true(streams_enter(&p[0], true, 1));
	for (i = 0; i < 3; i++)
		streams_leave(&p[i]);
	streams_threads(1);		/* one thread is for whoever comes */
	assert_true(streams_enter(&p[0], false, 1));
	streams_leave(&p[0]);
}

static void
waits_no_longer_where_the_clock_is_set_back(void **state UNUSED)
{
	struct stream_place p, more;
	int64_t began;

	streams_threads(1);
	assert_true(streams_enter(&p, false, 1));
	ahead = 10;
	began = clock_mono_ms();
	assert_false(streams_enter(&more, false, 1));
	assert_in_range(clock_mono_ms() - began, 900, 5000);
	ahead = 0;
	streams_leave(&p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_long_from_short),
		cmocka_unit_test(leaves_threads_for_others),
		cmocka_unit_test(
		    waits_no_longer_where_the_clock_is_set_back),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
