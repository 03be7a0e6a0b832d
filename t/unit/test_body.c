/* SPDX-License-Identifier: Apache-2.0 */
/*
 * body: which bodies are read, which count as none, and what refusals say.
 */
#include "base.h"

#include <setjmp.h>
#include <cmocka.h>

#include "arena.h"
#include "body.h"
#include "err.h"
#include "jsonx.h"
#include "request.h"
#include "runtime.h"
#include "settings.h"

static struct settings settings = { .limit_request_body = 100 };
static struct runtime rt = { .settings = &settings };
static struct arena *arena;

struct source {
	const char *data;
	size_t len;
	bool gone;
};

static ssize_t
source_read(void *ctx, char *buf, size_t len)
{
	struct source *s = ctx;
	size_t n = SD_MIN(SD_MIN(len, s->len), (size_t)7);

	if (s->gone)
		return E_GONE;
	memcpy(buf, s->data, n);
	s->data += n;
	s->len -= n;
	return (ssize_t)n;
}

static const struct carrier carrier = { .read = source_read };

/* Read a body with a content type; length -1 is chunked. */
static int
read_body(const char *type, struct source *source, int64_t length,
    struct json_object **out, struct api_error *error)
{
	char *params[] = { arena_printf(arena, "CONTENT_TYPE=%s",
	    type ? type : ""), NULL };
	struct request req = { .arena = arena, .rt = &rt,
	    .carrier = &carrier, .carrier_ctx = source, .length = length,
	    .fd = -1, .params = params + (type == NULL), .method = "POST" };

	*error = (struct api_error){ 0 };
	return body_json(&req, out, error);
}

static int
setup(void **state UNUSED)
{
	arena = arena_new();
	return 0;
}

static int
teardown(void **state UNUSED)
{
	arena_free(arena);
	return 0;
}

static void
reads_json_and_only_json(void **state UNUSED)
{
	static const struct {
		const char *type;
		bool read;
	} table[] = {
		{ "application/json", true }, { "Application/JSON", true },
		{ "application/json;charset=utf-8", true },
		{ "application/json ; x=y; Charset=\"UTF-8\"", true },
		{ "application/vnd.x+json", false }, { "text/plain", false },
		{ "application/jsonp", false }, { "application/jso", false },
		{ "", false }, { NULL, false },
	};
	struct json_object *body;
	struct api_error error;
	size_t i;

	for (i = 0; i < ARRAY_LEN(table); i++) {
		struct source s = { "{\"a\":\"b\"}", 9, false };

		assert_int_equal(read_body(table[i].type, &s, 9, &body,
		    &error), 0);
		assert_true(json_object_is_type(body, json_type_object));
		assert_int_equal(jsonx_str(body, "a") != NULL,
		    table[i].read);
		jsonx_wipe(body);
	}
}

static void
takes_nothing_for_an_empty_object(void **state UNUSED)
{
	struct source none = { "", 0, false };
	struct json_object *body;
	struct api_error error;

	assert_int_equal(read_body("application/json", &none, 0, &body,
	    &error), 0);
	assert_int_equal(json_object_object_length(body), 0);
	jsonx_wipe(body);
	assert_int_equal(read_body("application/json", &none, -1, &body,
	    &error), 0);
	assert_int_equal(json_object_object_length(body), 0);
	jsonx_wipe(body);
}

static void
refuses_other_charsets(void **state UNUSED)
{
	struct source s = { "{}", 2, false };
	struct json_object *body;
	struct api_error error;

	assert_int_equal(read_body("application/json; charset=ISO-8859-1",
	    &s, 2, &body, &error), E_MEDIA);
	assert_string_equal(error.message,
	    "unsupported charset \"ISO-8859-1\"");
	assert_string_equal(error.extra, ",\"charset\":\"iso-8859-1\","
	    "\"type\":\"charset.unsupported\"");
	assert_null(body);
}

static void
refuses_what_is_too_large(void **state UNUSED)
{
	char large[102];
	struct source s = { large, sizeof(large), false };
	struct json_object *body;
	struct api_error error;

	memset(large, ' ', sizeof(large));
	assert_int_equal(read_body("application/json", &s, 102, &body,
	    &error), E_TOOLARGE);
	assert_string_equal(error.extra, ",\"expected\":102,\"length\":102,"
	    "\"limit\":100,\"type\":\"entity.too.large\"");
	assert_int_equal(read_body("application/json", &s, -1, &body, &error),
	    E_TOOLARGE);
	assert_string_equal(error.extra, ",\"limit\":100,\"type\":"
	    "\"entity.too.large\"");
	assert_null(body);
}

static void
refuses_bad_syntax_with_the_contracts_fields(void **state UNUSED)
{
	static const struct {
		const char *text;
		bool repeated;	/* the body in the answer */
	} table[] = {
		{ "{\"a\":", true }, { "null", true }, { "\"x\"", true },
		{ " ", true }, { "[1]x", true }, { "{\"a\":\xff}", true },
		{ "{\"auth\":{\"aks\":\"t\"", false },
		{ "{\"\\u0061uth\":{\"aks\":\"t\"", false },
	};
	struct json_object *body;
	struct api_error error;
	size_t i;

	for (i = 0; i < ARRAY_LEN(table); i++) {
		struct source s = { table[i].text, strlen(table[i].text),
		    false };

		assert_int_equal(read_body("application/json", &s,
		    (int64_t)s.len, &body, &error), E_INPUT);
		assert_null(body);
		assert_string_equal(error.name, "SyntaxError");
		assert_true(str_starts(error.extra, ",\"expose\":true,"
		    "\"statusCode\":400,\"status\":400,"
		    "\"type\":\"entity.parse.failed\""));
		assert_int_equal(strstr(error.extra, ",\"body\":\"") != NULL,
		    table[i].repeated);
	}
}

static void
notices_that_the_client_left(void **state UNUSED)
{
	struct source s = { "", 0, true };
	struct json_object *body;
	struct api_error error;

	assert_int_equal(read_body("application/json", &s, 10, &body, &error),
	    E_GONE);
	assert_null(body);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_json_and_only_json),
		cmocka_unit_test(takes_nothing_for_an_empty_object),
		cmocka_unit_test(refuses_other_charsets),
		cmocka_unit_test(refuses_what_is_too_large),
		cmocka_unit_test(refuses_bad_syntax_with_the_contracts_fields),
		cmocka_unit_test(notices_that_the_client_left),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, setup, teardown);
}
