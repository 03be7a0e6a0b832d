/* SPDX-License-Identifier: Apache-2.0 */
/* Text in pages: nothing of it is markup, all of it is UTF-8. */
#include "base.h"

#include <setjmp.h>
#include <cmocka.h>

#include <openssl/evp.h>
#include <openssl/sha.h>

#include "arena.h"
#include "html.h"
#include "strbuf.h"

#define BAD "\xef\xbf\xbd"

static void
escapes(void **state UNUSED)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{ "plain", "plain" }, { "", "" }, { NULL, "" },
		{ "<script>alert(1)</script>",
		    "&lt;script&gt;alert(1)&lt;/script&gt;" },
		{ "a & b", "a &amp; b" }, { "&lt;", "&amp;lt;" },
		{ "\"'`", "&quot;&#39;`" },
		{ "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80",
		    "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80" },
		{ "a\nb\tc\033d\177e", "a" BAD "b" BAD "c" BAD "d" BAD "e" },
		{ "\xc2\x85", BAD BAD },		/* C1 */
		{ "\xc0\xbc" "x", BAD BAD "x" },	/* overlong < */
		{ "\xe0\x80\xbc", BAD BAD BAD },
		{ "\xed\xa0\x80", BAD BAD BAD },	/* a surrogate */
		{ "\xf4\x90\x80\x80", BAD BAD BAD BAD },
		{ "\xff\xfe", BAD BAD },
		{ "\xe2\x82", BAD BAD },		/* cut */
		{ "\xe2<", BAD "&lt;" },	/* does not swallow it */
		{ "\xf0\x9f\x98\"", BAD BAD BAD "&quot;" },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct strbuf sb = STRBUF_INIT(STRBUF_UNLIMITED);

		html_text(&sb, rows[i].in);
		assert_string_equal(sb.buf, rows[i].out);
		strbuf_release(&sb);
	}
}

static void
formats(void **state UNUSED)
{
	struct strbuf sb = STRBUF_INIT(STRBUF_UNLIMITED);

	html_addf(&sb, "<a href=\"%s\">%s</a>%zu%%", "\"><b>", "<i>",
	    (size_t)12);
	assert_string_equal(sb.buf, "<a href=\"&quot;&gt;&lt;b&gt;\">"
	    "&lt;i&gt;</a>12%");
	strbuf_release(&sb);
}

/* The style sheet is let in by its hash, which is that of what stands there. */
static void
policy(void **state UNUSED)
{
	const struct html_head head = { .title = "T<", .title_more = "M&",
	    .lead = "L>" };
	struct strbuf sb = STRBUF_INIT(STRBUF_UNLIMITED);
	struct arena *arena = arena_new();
	unsigned char md[SHA256_DIGEST_LENGTH], b64[48];
	const char *csp = html_policy(arena, "'self' https:"), *from, *to;

	html_begin(&sb, &head);
	html_end(&sb);
	from = strstr(sb.buf, "<style>");
	to = strstr(sb.buf, "</style>");
	assert_non_null(from);
	assert_non_null(to);
	from += 7;
	SHA256((const unsigned char *)from, (size_t)(to - from), md);
	EVP_EncodeBlock(b64, md, sizeof(md));
	assert_non_null(strstr(csp, arena_printf(arena,
	    "style-src 'sha256-%s';", (char *)b64)));
	assert_non_null(strstr(csp, "default-src 'none';"));
	assert_non_null(strstr(csp, "form-action 'self' https:;"));
	assert_non_null(strstr(csp, "frame-ancestors 'none'"));
	assert_null(strstr(csp, "unsafe"));
	assert_non_null(strstr(sb.buf,
	    "<title>M&amp; \xe2\x80\x93 T&lt;</title>"));
	assert_non_null(strstr(sb.buf, "<h1>T&lt;</h1>"));
	assert_non_null(strstr(sb.buf, "<p>L&gt;</p>"));
	assert_null(strstr(sb.buf, "<script"));
	assert_null(strstr(sb.buf, "style="));
	arena_free(arena);
	strbuf_release(&sb);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(escapes),
		cmocka_unit_test(formats),
		cmocka_unit_test(policy),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
