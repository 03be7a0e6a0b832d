/* SPDX-License-Identifier: Apache-2.0 */
/* One line a message, whatever it holds. */
#include "base.h"

#include <setjmp.h>
#include <cmocka.h>

#include "log.h"

/* What the log writes for text at the level, without its time. */
static const char *
logged(enum log_level level, const char *text)
{
	static char got[32768];
	int fds[2], saved = dup(STDERR_FILENO);
	ssize_t n = 0;

	assert_int_equal(pipe(fds), 0);
	dup2(fds[1], STDERR_FILENO);
	log_msg(level, "%s", text);
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(fds[1]);
	n = read(fds[0], got, sizeof(got) - 1);
	close(fds[0]);
	got[n > 0 ? n : 0] = '\0';
	if (n <= 0)
		return "";
	assert_true(n > 25 && got[24] == ' ');
	return got + 25;
}

static void
escapes_what_could_be_a_line(void **state UNUSED)
{
	assert_string_equal(logged(LOG_LEVEL_WARN, "plain"), "warn plain\n");
	assert_string_equal(logged(LOG_LEVEL_ERROR,
	    "a\nerror b\r\x1b[0m\x7f"),
	    "error a\\x0aerror b\\x0d\\x1b[0m\\x7f\n");
	assert_string_equal(logged(LOG_LEVEL_INFO, "\n\n"),
	    "info \\x0a\\x0a\n");
	assert_string_equal(logged(LOG_LEVEL_INFO, ""), "info \n");
	assert_string_equal(logged(LOG_LEVEL_INFO, "\xc3\xa9"),
	    "info \xc3\xa9\n");
}

static void
keeps_to_its_level(void **state UNUSED)
{
	log_init(LOG_LEVEL_WARN, false);
	assert_string_equal(logged(LOG_LEVEL_INFO, "no"), "");
	assert_string_equal(logged(LOG_LEVEL_WARN, "yes"), "warn yes\n");
	log_init(LOG_LEVEL_DEBUG, false);
	assert_string_equal(logged(LOG_LEVEL_DEBUG, "yes"), "debug yes\n");
	log_init(LOG_LEVEL_INFO, false);
}

static void
cuts_long_lines(void **state UNUSED)
{
	char *big = xmalloc(10000);

	memset(big, '\n', 9999);
	big[9999] = '\0';
	assert_int_equal(strlen(logged(LOG_LEVEL_INFO, big)),
	    strlen("info \n") + 4 * 4095);
	free(big);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(escapes_what_could_be_a_line),
		cmocka_unit_test(keeps_to_its_level),
		cmocka_unit_test(cuts_long_lines),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
