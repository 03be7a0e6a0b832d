/* SPDX-License-Identifier: Apache-2.0 */
/* Documents, escaping, and the style sheet. */
#include "base.h"

#include <openssl/evp.h>
#include <openssl/sha.h>

#include "arena.h"
#include "html.h"
#include "strbuf.h"

#define REPLACEMENT "\xef\xbf\xbd"	/* U+FFFD */

/* Contrasts are 4.5:1 and more in both schemes, borders of controls 3:1. */
static const char style[] =
    ":root{color-scheme:light dark;--bg:#f4f5f7;--card:#fff;--text:#1d2129;"
    "--soft:#545b68;--line:#d5d9e0;--edge:#7a8290;--accent:#0b57b7;"
    "--on:#fff;--good:#11652f;--goodbg:#e3f4e8;--bad:#a01b1b;"
    "--badbg:#fdeaea;--chip:#e9ecf1}\n"
    "@media(prefers-color-scheme:dark){:root{--bg:#14171c;--card:#1e2229;"
    "--text:#e7e9ee;--soft:#a9b1be;--line:#343a45;--edge:#7f8896;"
    "--accent:#8ab8ff;--on:#0c1524;--good:#84d7a0;--goodbg:#14301f;"
    "--bad:#ff9d9d;--badbg:#3a1a1c;--chip:#2c323c}}\n"
    "*{box-sizing:border-box}\n"
    "body{margin:0;background:var(--bg);color:var(--text);"
    "font:1rem/1.5 system-ui,-apple-system,'Segoe UI',Roboto,Ubuntu,"
    "Cantarell,'Noto Sans',sans-serif}\n"
    "header,main{max-width:46rem;margin:0 auto;padding:0 1rem}\n"
    "header{padding-top:2.5rem}\n"
    "main{padding-bottom:4rem}\n"
    "h1{font-size:1.6rem;line-height:1.25;margin:0 0 .25rem;"
    "font-weight:650}\n"
    "h2{font-size:1.1rem;line-height:1.35;margin:0;font-weight:600;"
    "overflow-wrap:anywhere}\n"
    "p{margin:.35rem 0}\n"
    "header p,.soft{color:var(--soft)}\n"
    "header p,p,dd,q{overflow-wrap:anywhere}\n"
    "ul{list-style:none;margin:1.25rem 0;padding:0;display:grid;"
    "gap:.75rem}\n"
    "li{background:var(--card);border:1px solid var(--line);"
    "border-radius:.6rem;padding:1rem 1.15rem}\n"
    ".row{display:flex;flex-wrap:wrap;gap:.35rem .75rem;"
    "align-items:baseline;justify-content:space-between}\n"
    ".chip{background:var(--chip);border-radius:1rem;padding:.1rem .65rem;"
    "font-size:.85rem;white-space:nowrap}\n"
    ".good{color:var(--good);font-weight:600}\n"
    ".bad{color:var(--bad);font-weight:600}\n"
    ".note{border-radius:.6rem;padding:.85rem 1.15rem;margin:1.25rem 0;"
    "border-inline-start:.3rem solid var(--edge);background:var(--chip)}\n"
    ".note.good{font-weight:400;color:inherit;background:var(--goodbg);"
    "border-color:var(--good)}\n"
    ".note.bad{font-weight:400;color:inherit;background:var(--badbg);"
    "border-color:var(--bad)}\n"
    ".note h2{font-size:1rem}\n"
    "form{display:flex;flex-wrap:wrap;gap:.5rem 1.25rem;"
    "align-items:center;margin:.75rem 0 0}\n"
    "button{font:inherit;font-weight:600;padding:.45rem 1.1rem;"
    "border-radius:.45rem;border:1px solid var(--accent);"
    "background:var(--accent);color:var(--on);cursor:pointer;"
    "min-height:2.75rem}\n"
    "button.quiet{background:transparent;color:var(--text);"
    "border-color:var(--edge)}\n"
    "button:hover{filter:brightness(1.08)}\n"
    "label{display:inline-flex;gap:.5rem;align-items:center;"
    "min-height:2.75rem}\n"
    "input{width:1.15rem;height:1.15rem;margin:0;"
    "accent-color:var(--accent)}\n"
    "input[type=text]{width:14rem;max-width:100%;height:auto;"
    "font:inherit;letter-spacing:.12em;padding:.45rem .7rem;"
    "border-radius:.45rem;border:1px solid var(--edge);"
    "background:var(--card);color:var(--text);min-height:2.75rem}\n"
    ".code{font:700 1.6rem/1.3 ui-monospace,monospace;"
    "letter-spacing:.12em;margin:1rem 0}\n"
    "dl{display:grid;grid-template-columns:auto 1fr;gap:.35rem 1rem;"
    "margin:1rem 0}\n"
    "dt{color:var(--soft)}dd{margin:0}\n"
    "a{color:var(--accent)}\n"
    ":focus-visible{outline:3px solid var(--accent);outline-offset:2px}\n"
    "@media(forced-colors:active){.chip,.note{border:1px solid}}\n";

static bool
is_continuation(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

size_t
html_character(const char *s)
{
	unsigned char c = (unsigned char)s[0], next;
	size_t len, i;

	if (c < 0x80)
		return c >= 0x20 && c != 0x7f ? 1 : 0;
	len = c >= 0xc2 && c < 0xe0 ? 2 : c >= 0xe0 && c < 0xf0 ? 3 :
	    c >= 0xf0 && c < 0xf5 ? 4 : 0;
	for (i = 1; i < len; i++)
		if (!is_continuation(s[i]))
			return 0;
	next = len > 0 ? (unsigned char)s[1] : 0;
	if ((c == 0xc2 && next < 0xa0) || (c == 0xe0 && next < 0xa0) ||
	    (c == 0xed && next >= 0xa0) || (c == 0xf0 && next < 0x90) ||
	    (c == 0xf4 && next >= 0x90))
		return 0;
	return len;
}

static const char *
escape_of(char c)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	case '\'':
		return "&#39;";
	default:
		return NULL;
	}
}

void
html_text(struct strbuf *sb, const char *text)
{
	size_t len;

	for (; text != NULL && *text != '\0'; text += SD_MAX(len, (size_t)1)) {
		len = html_character(text);
		if (escape_of(*text) != NULL)
			strbuf_addstr(sb, escape_of(*text));
		else if (len == 0)
			strbuf_addstr(sb, REPLACEMENT);
		else
			strbuf_add(sb, text, len);
	}
}

void
html_addf(struct strbuf *sb, const char *fmt, ...)
{
	va_list ap;
	size_t len;

	va_start(ap, fmt);
	for (; *fmt != '\0'; fmt += len) {
		len = strcspn(fmt, "%");
		if (len > 0) {
			strbuf_add(sb, fmt, len);
		} else if (str_starts(fmt, "%s")) {
			html_text(sb, va_arg(ap, const char *));
			len = 2;
		} else if (str_starts(fmt, "%zu")) {
			strbuf_addf(sb, "%zu", va_arg(ap, size_t));
			len = 3;
		} else if (str_starts(fmt, "%%")) {
			strbuf_addch(sb, '%');
			len = 2;
		} else {
			BUG("html_addf: %s", fmt);
		}
	}
	va_end(ap);
}

void
html_begin(struct strbuf *sb, const struct html_head *head)
{
	strbuf_addstr(sb, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n"
	    "<meta charset=\"utf-8\">\n<title>");
	if (head->title_more != NULL)
		html_addf(sb, "%s \xe2\x80\x93 ", head->title_more);
	html_addf(sb, "%s</title>\n"
	    "<meta name=\"viewport\" content=\"width=device-width, "
	    "initial-scale=1\">\n"
	    "<meta name=\"color-scheme\" content=\"light dark\">\n"
	    "<meta name=\"robots\" content=\"noindex\">\n",
	    head->title);
	if (head->refresh > 0)
		html_addf(sb, "<meta http-equiv=\"refresh\" "
		    "content=\"%zu\">\n", head->refresh);
	strbuf_addstr(sb, "<style>");
	strbuf_addstr(sb, style);
	html_addf(sb, "</style>\n</head>\n<body>\n<header>\n<h1>%s</h1>\n",
	    head->title);
	if (head->lead != NULL)
		html_addf(sb, "<p>%s</p>\n", head->lead);
	strbuf_addstr(sb, "</header>\n<main>\n");
}

void
html_end(struct strbuf *sb)
{
	strbuf_addstr(sb, "</main>\n</body>\n</html>\n");
}

const char *
html_policy(struct arena *arena, const char *form_action)
{
	unsigned char md[SHA256_DIGEST_LENGTH], b64[48];

	SHA256((const unsigned char *)style, sizeof(style) - 1, md);
	EVP_EncodeBlock(b64, md, sizeof(md));
	return arena_printf(arena, "default-src 'none';style-src 'sha256-%s';"
	    "form-action %s;base-uri 'none';frame-ancestors 'none'",
	    (const char *)b64, form_action);
}
