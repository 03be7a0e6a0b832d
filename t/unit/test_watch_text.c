/* SPDX-License-Identifier: Apache-2.0 */
/* Cutting the text of a watch into events, and reading these. */
#include "base.h"

#include <setjmp.h>
#include <cmocka.h>

#include "err.h"
#include "watch_text.h"

struct seen {
	char text[512];		/* events, with a '|' after each */
	size_t len;
	int answer;
};

static int
take(void *ctx, const char *event, size_t len)
{
	struct seen *s = ctx;

	assert_true(s->len + len + 2 < sizeof(s->text));
	memcpy(s->text + s->len, event, len);
	s->len += len;
	s->text[s->len++] = '|';
	s->text[s->len] = '\0';
	return s->answer;
}

static const char text[] =
    "{\"a\":1}\n"
    " \r\n\t{\"b\":\"}{]\\\"}\\\\\",\"c\":[{},[{}]]}{}\n"
    "{\n  \"d\": {\n    \"e\": \"\"\n  }\n}\n";
static const char events[] =
    "{\"a\":1}|{\"b\":\"}{]\\\"}\\\\\",\"c\":[{},[{}]]}|{}|"
    "{\n  \"d\": {\n    \"e\": \"\"\n  }\n}|";

static void
cuts_where_events_end(void **state UNUSED)
{
	size_t i, j, n = strlen(text);

	for (i = 0; i <= n; i++)
		for (j = i; j <= n; j++) {
			struct watch_text w;
			struct seen s = { .len = 0 };

			watch_text_init(&w, 100);
			assert_int_equal(watch_text_add(&w, text, i, take,
			    &s), 0);
			assert_int_equal(watch_text_add(&w, text + i, j - i,
			    take, &s), 0);
			assert_int_equal(watch_text_add(&w, text + j, n - j,
			    take, &s), 0);
			assert_string_equal(s.text, events);
			watch_text_release(&w);
		}
}

static void
takes_single_bytes(void **state UNUSED)
{
	struct watch_text w;
	struct seen s = { .len = 0 };
	size_t i;

	watch_text_init(&w, 100);
	for (i = 0; i < strlen(text); i++)
		assert_int_equal(watch_text_add(&w, text + i, 1, take, &s),
		    0);
	assert_string_equal(s.text, events);
	watch_text_release(&w);
}

static void
refuses_what_is_no_object(void **state UNUSED)
{
	static const char *const bad[] = { "<html>", "\"a\"", "[{}]", "1",
	    "{} x", "{}]", "null", "{]", "{[}", "\xef\xbb\xbf{}" };
	size_t i;

	for (i = 0; i < ARRAY_LEN(bad); i++) {
		struct watch_text w;
		struct seen s = { .len = 0 };

		watch_text_init(&w, 100);
		assert_int_equal(watch_text_add(&w, bad[i], strlen(bad[i]),
		    take, &s), E_PROTOCOL);
		watch_text_release(&w);
	}
}

/* Ten bytes are too many for nine, in one piece or in two. */
static void
bounds_an_event(void **state UNUSED)
{
	static const char ten[] = "{\"a\":\"12\"}";
	size_t i;

	for (i = 0; i < sizeof(ten) - 1; i++) {
		struct watch_text w;
		struct seen s = { .len = 0 };
		int r;

		watch_text_init(&w, i % 2 ? 10 : 9);
		r = watch_text_add(&w, ten, i, take, &s);
		if (r == 0)
			r = watch_text_add(&w, ten + i, sizeof(ten) - 1 - i,
			    take, &s);
		assert_int_equal(r, i % 2 ? 0 : E_TOOLARGE);
		assert_int_equal(s.len, i % 2 ? 11 : 0);
		watch_text_release(&w);
	}
}

static void
stops_when_told(void **state UNUSED)
{
	struct watch_text w;
	struct seen s = { .answer = E_DENIED };

	watch_text_init(&w, 100);
	assert_int_equal(watch_text_add(&w, text, strlen(text), take, &s),
	    E_DENIED);
	assert_string_equal(s.text, "{\"a\":1}|");
	watch_text_release(&w);
}

static int
read_event(const char *s, struct watch_event *ev)
{
	return watch_event_read(s, strlen(s), ev, NULL);
}

static void
reads_events(void **state UNUSED)
{
	struct watch_event ev;

	assert_int_equal(read_event("{\"object\":{\"metadata\":"
	    "{\"resourceVersion\":\"12\",\"name\":\"a\"}},\"type\":\"ADDED\"}",
	    &ev), 0);
	assert_int_equal(ev.type, WATCH_ADDED);
	assert_string_equal(ev.version, "12");
	assert_int_equal(ev.object.len, 48);
	assert_int_equal(read_event("{\"type\":\"BOOKMARK\",\"object\":"
	    "{\"metadata\":{\"resourceVersion\":\"a-B_9.~\"}}}", &ev), 0);
	assert_int_equal(ev.type, WATCH_BOOKMARK);
	assert_string_equal(ev.version, "a-B_9.~");
	assert_int_equal(read_event("{\"type\":\"ERROR\",\"object\":"
	    "{\"code\":410,\"message\":\"old\"}}", &ev), 0);
	assert_int_equal(ev.type, WATCH_ERROR);
	assert_int_equal(ev.code, 410);
	assert_int_equal(read_event("{\"type\":\"ERROR\",\"object\":{}}",
	    &ev), 0);
	assert_int_equal(ev.code, 0);
}

/* A version goes into a URL. */
static void
refuses_other_events(void **state UNUSED)
{
	static const char *const bad[] = {
		"{}",
		"{\"type\":\"ADDED\"}",
		"{\"type\":\"ADDED\",\"object\":1}",
		"{\"type\":\"ADDED\",\"object\":[]}",
		"{\"type\":\"ADDED\",\"object\":{}}",
		"{\"type\":\"ADDED\",\"object\":{\"metadata\":1}}",
		"{\"type\":\"ADDED\",\"object\":{\"metadata\":"
		    "{\"resourceVersion\":12}}}",
		"{\"type\":\"ADDED\",\"object\":{\"metadata\":"
		    "{\"resourceVersion\":\"\"}}}",
		"{\"type\":\"ADDED\",\"object\":{\"metadata\":"
		    "{\"resourceVersion\":\"1&x=y\"}}}",
		"{\"type\":\"ADDED\",\"object\":{\"metadata\":"
		    "{\"resourceVersion\":\"1\\u0030\"}}}",
		"{\"type\":\"ADDED\",\"object\":{\"metadata\":"
		    "{\"resourceVersion\":\"1234567890123456789012345678901234"
		    "567890123456789012345678901234\"}}}",
		"{\"type\":\"added\",\"object\":{\"metadata\":"
		    "{\"resourceVersion\":\"1\"}}}",
		"{\"type\":\"ADDED\",\"object\":{\"metadata\":"
		    "{\"resourceVersion\":\"1\"}}},",
		"{\"type\":\"ERROR\",\"object\":{\"code\":410]}",
	};
	struct watch_event ev;
	size_t i;

	for (i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(read_event(bad[i], &ev), E_PROTOCOL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cuts_where_events_end),
		cmocka_unit_test(takes_single_bytes),
		cmocka_unit_test(refuses_what_is_no_object),
		cmocka_unit_test(bounds_an_event),
		cmocka_unit_test(stops_when_told),
		cmocka_unit_test(reads_events),
		cmocka_unit_test(refuses_other_events),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
