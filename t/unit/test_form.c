/* SPDX-License-Identifier: Apache-2.0 */
/* Fields and cookies: decoded, once only, bounded. */
#include "base.h"

#include <setjmp.h>
#include <cmocka.h>

#include "arena.h"
#include "err.h"
#include "form.h"
#include "request.h"

static struct arena *arena;

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

static const char *
field(const char *text, const char *name, int expect)
{
	const struct form_want want = { .name = name, .max = 16 };
	struct err err = ERR_INIT;
	const char *value = "unset";

	assert_int_equal(form_field(arena, text, &want, &value, &err),
	    expect);
	assert_int_equal(err.code, expect);
	return value;
}

static void
fields(void **state UNUSED)
{
	static const struct {
		const char *text, *value;	/* of "state"; NULL: none */
	} rows[] = {
		{ "state=x", "x" }, { "a=b&state=x", "x" },
		{ "state=x&a=b", "x" }, { "&&state=x&&", "x" },
		{ "state=", "" }, { "state", "" }, { "state=a=b", "a=b" },
		{ "state=a+b%2Bc", "a b+c" }, { "%73tate=x", "x" },
		{ "state=%25", "%" }, { "state=1234567890123456",
		    "1234567890123456" },
		{ "", NULL }, { "States=x", NULL }, { "stat=x", NULL },
		{ "state2=x", NULL }, { "x=state=1", NULL }, { "=x", NULL },
		{ "STATE=x", NULL }, { "a=%zz", NULL },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		const char *got = field(rows[i].text, "state", 0);

		if (!str_eq(got, rows[i].value))
			fail_msg("'%s' gives '%s'", rows[i].text,
			    got ? got : "nothing");
	}
	assert_null(field(NULL, "state", 0));
}

static void
fields_that_are_refused(void **state UNUSED)
{
	static const char *const rows[] = {
		"state=a&state=b", "state=a&state=a", "state=a&%73tate=a",
		"state&state", "state=a&b=c&state=", "state=%",
		"state=%4", "state=%zz", "state=%00", "state=%0a",
		"state=a%0Db", "state=%7f", "state=12345678901234567",
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++)
		if (field(rows[i], "state", E_INPUT) != NULL)
			fail_msg("'%s' gives a value", rows[i]);
}

static void
prose(void **state UNUSED)
{
	const struct form_want want = { .name = "d", .max = 8,
	    .prose = true };
	const char *value;

	assert_int_equal(form_field(arena, "d=a%0d%0ab+c", &want, &value,
	    NULL), 0);
	assert_string_equal(value, "a  b c");
	assert_int_equal(form_field(arena, "d=123456789", &want, &value,
	    NULL), 0);
	assert_string_equal(value, "12345678");
	assert_int_equal(form_field(arena, "d=a&d=b", &want, &value, NULL),
	    E_INPUT);
	assert_null(value);
}

/* ---- bodies ---- */

static const char *body;

static ssize_t
read_body(void *ctx UNUSED, char *buf, size_t len)
{
	size_t n = SD_MIN(len, strlen(body));

	memcpy(buf, body, n);
	body += n;
	return (ssize_t)n;
}

static int
post(const char *type, const char *text, int64_t length, const char **out)
{
	static const struct carrier carrier = { .read = read_body };
	char *params[] = { NULL, NULL };
	struct request req = { .arena = arena, .carrier = &carrier,
	    .fd = -1, .params = params, .length = length };
	struct err err = ERR_INIT;

	if (type != NULL)
		params[0] = arena_printf(arena, "CONTENT_TYPE=%s", type);
	body = text;
	return form_body(&req, out, &err);
}

static void
bodies(void **state UNUSED)
{
	const char *type = "application/x-www-form-urlencoded";
	const char *out;
	char big[FORM_BODY_MAX + 2];

	assert_int_equal(post(type, "a=b", 3, &out), 0);
	assert_string_equal(out, "a=b");
	assert_int_equal(post("Application/X-WWW-Form-Urlencoded;charset=x",
	    "a=b", -1, &out), 0);
	assert_string_equal(out, "a=b");
	assert_int_equal(post(NULL, "", 0, &out), 0);
	assert_null(out);
	assert_int_equal(post("text/plain", "", 0, &out), 0);
	assert_null(out);
	assert_int_equal(post("text/plain", "a=b", 3, &out), E_MEDIA);
	assert_int_equal(post("application/json", "{}", 2, &out), E_MEDIA);
	memset(big, 'a', sizeof(big));
	big[sizeof(big) - 1] = '\0';
	assert_int_equal(post(type, big, sizeof(big) - 1, &out), E_TOOLARGE);
	assert_int_equal(post(type, big, -1, &out), E_TOOLARGE);
	assert_null(out);
	assert_int_equal(post(type, big + 1, sizeof(big) - 2, &out), 0);
}

/* ---- cookies ---- */

static const char *
cookie(const char *name, char **params)
{
	struct request req = { .arena = arena, .params = params };

	return form_cookie(&req, name);
}

#define COOKIE(name, ...) cookie(name, (char *[]){ __VA_ARGS__, NULL })

static void
cookies(void **state UNUSED)
{
	assert_string_equal(COOKIE("a", "HTTP_COOKIE=a=1"), "1");
	assert_string_equal(COOKIE("b", "HTTP_COOKIE=a=1; b=2;c=3"), "2");
	assert_string_equal(COOKIE("c", "HTTP_COOKIE=a=1; b=2;c=3"), "3");
	assert_string_equal(COOKIE("b", "HTTP_COOKIE=a=1",
	    "HTTP_COOKIE=b=2=3"), "2=3");
	assert_string_equal(COOKIE("a", "HTTP_COOKIE= a=1 "), "1");
	assert_string_equal(COOKIE("a", "HTTP_COOKIE=a=1; a=2"), "1");
	assert_string_equal(COOKIE("a", "HTTP_COOKIE=a="), "");
	assert_null(COOKIE("a", "HTTP_COOKIE=aa=1; b=a=2; A=3; a"));
	assert_null(COOKIE("a", "HTTP_COOKIE="));
	assert_null(COOKIE("a", "X=a=1"));
}

static int
count(void *ctx, const char *name UNUSED, const char *value UNUSED)
{
	++*(size_t *)ctx;
	return 0;
}

static void
many_cookies(void **state UNUSED)
{
	struct strbuf sb = STRBUF_INIT(STRBUF_UNLIMITED);
	struct request req = { .arena = arena };
	char *params[2] = { NULL, NULL };
	size_t i, n = 0;

	strbuf_addstr(&sb, "HTTP_COOKIE=");
	for (i = 0; i < 1000; i++)
		strbuf_addf(&sb, "x-%zu=1;y=2;", i);
	params[0] = sb.buf;
	req.params = params;
	form_cookies(&req, "x-", count, &n);
	assert_int_equal(n, 128);	/* every other of the first 256 */
	strbuf_release(&sb);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(fields),
		T(fields_that_are_refused),
		T(prose),
		T(bodies),
		T(cookies),
		T(many_cookies),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
