/* SPDX-License-Identifier: Apache-2.0 */
/* What others wrote, on a terminal: no control, no secret, one line. */
#include "base.h"

#include <setjmp.h>
#include <cmocka.h>

#include "arena.h"
#include "shown.h"

static void
rows(void **state UNUSED)
{
	static const struct {
		const char *text, *cut, *out;
	} table[] = {
		{ NULL, NULL, "" },
		{ "", "s", "" },
		{ "as it is: Z\xc3\xbcrich, /a/b@c", NULL,
		    "as it is: Z\xc3\xbcrich, /a/b@c" },
		{ "a\nb\033[2J\177", NULL, "a\\x0ab\\x1b[2J\\x7f" },
		{ "\xc2\x9b" "2J", NULL, "\xc2\\x9b2J" },
		{ "token hush and hush", "hush", "token *** and ***" },
		{ "hushhush", "hush", "******" },
		{ "hus hush", "", "hus hush" },
		{ "https://u:p@h/x", NULL, "https://***@h/x" },
		{ "'http://u@h'", NULL, "'http://***@h'" },
		{ "http://u:p@ss@h:1?x", NULL, "http://***@h:1?x" },
		{ "https://h/a@b", NULL, "https://h/a@b" },
		{ "https://h?a@b", NULL, "https://h?a@b" },
		{ "://@h", NULL, "://@h" },
	};
	struct arena *arena = arena_new();
	size_t i;

	for (i = 0; i < ARRAY_LEN(table); i++) {
		struct secret cut = SECRET_INIT;
		const char *got;

		if (table[i].cut != NULL)
			secret_set(&cut, table[i].cut, strlen(table[i].cut));
		got = shown(arena, table[i].text, &cut);
		if (strcmp(got, table[i].out) != 0)
			fail_msg("row %zu: '%s'", i, got);
		secret_release(&cut);
	}
	arena_free(arena);
}

/* What is left out at the end is no half of a secret. */
static void
long_texts(void **state UNUSED)
{
	char text[2 * SHOWN_MAX];
	struct secret cut = SECRET_INIT;
	struct arena *arena = arena_new();
	const char *got;

	memset(text, 'a', sizeof(text));
	memcpy(text + SHOWN_MAX - 5, "0123456789", 10);
	text[sizeof(text) - 1] = '\0';
	secret_set(&cut, "0123456789", 10);
	got = shown(arena, text, &cut);
	assert_null(strstr(got, "0123"));
	assert_non_null(strstr(got, "a***aa..."));
	assert_true(strlen(got) <= SHOWN_MAX + 12);
	got = shown(arena, text, NULL);
	assert_non_null(strstr(got, "01234..."));
	secret_release(&cut);
	arena_free(arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows),
		cmocka_unit_test(long_texts),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
