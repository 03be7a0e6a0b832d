/* SPDX-License-Identifier: Apache-2.0 */
/* A reader of small XML texts, by the rules of its header. */
#include "base.h"

#include "aws_xml.h"
#include "strbuf.h"

#define DEPTH_MAX 16
#define PATH_LONG 512	/* of names, with their slashes */
#define BLANKS " \t\r\n"

struct reading {
	const char *p, *end;
	const struct aws_xml_want *wants;
	size_t n;
	char path[PATH_LONG];	/* where we are: "Root/Child" */
	size_t len, depth;
	struct strbuf text;	/* since the last tag */
	bool done;		/* the root is closed */
};

static bool
starts(const struct reading *r, const char *with)
{
	size_t len = strlen(with);

	return (size_t)(r->end - r->p) >= len &&
	    memcmp(r->p, with, len) == 0;
}

/* Go behind the next such text; false if there is none. */
static bool
skip_behind(struct reading *r, const char *what)
{
	const char *at = memmem(r->p, (size_t)(r->end - r->p), what,
	    strlen(what));

	if (at == NULL)
		return false;
	r->p = at + strlen(what);
	return true;
}

static size_t
name_length(const struct reading *r)
{
	const char *p = r->p;

	while (p < r->end && ((*p >= 'a' && *p <= 'z') ||
	    (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9' &&
	    p > r->p) || *p == '_' || (p > r->p && strchr("-.:", *p) &&
	    *p != '\0')))
		p++;
	return (size_t)(p - r->p);
}

static void
skip_blanks(struct reading *r)
{
	while (r->p < r->end && *r->p != '\0' && strchr(BLANKS, *r->p))
		r->p++;
}

/* --- Text ---------------------------------------------------------------- */

/* The number of "#65;" or "#x41;" as one byte, else a question mark: what we
   want is ASCII. 0 if it is no number. */
static char
number(const char *s, size_t len)
{
	char copy[12], *end;
	unsigned long value;
	bool hex = len > 1 && s[1] == 'x';

	if (len < 2 || len - 1 >= sizeof(copy))
		return 0;
	memcpy(copy, s + 1, len - 1);
	copy[len - 1] = '\0';
	if (copy[hex] == '\0' || strspn(copy + hex, hex ?
	    "0123456789abcdefABCDEF" : "0123456789") != len - 1 - hex)
		return 0;
	value = strtoul(copy + hex, &end, hex ? 16 : 10);
	return value == 0 ? 0 : value < 128 ? (char)value : '?';
}

static char
entity(const char *s, size_t len)
{
	static const struct {
		const char *name;
		char c;
	} known[] = { { "amp", '&' }, { "lt", '<' }, { "gt", '>' },
	    { "quot", '"' }, { "apos", '\'' } };
	size_t i;

	for (i = 0; i < ARRAY_LEN(known); i++)
		if (strlen(known[i].name) == len &&
		    memcmp(known[i].name, s, len) == 0)
			return known[i].c;
	return len > 0 && s[0] == '#' ? number(s, len) : 0;
}

/* One character of text, or an entity. */
static bool
read_text(struct reading *r)
{
	const char *semicolon;
	char c = *r->p;

	if (c == '&') {
		semicolon = memchr(r->p, ';', (size_t)(r->end - r->p));
		if (semicolon == NULL)
			return false;
		c = entity(r->p + 1, (size_t)(semicolon - r->p - 1));
		r->p = semicolon;
	}
	r->p++;
	if (c == '\0' || (r->depth == 0 && strchr(BLANKS, c) == NULL))
		return false;
	return strbuf_addch(&r->text, c) == 0;
}

/* --- Tags ---------------------------------------------------------------- */

/* name="value", which nobody wants. */
static bool
skip_attribute(struct reading *r)
{
	size_t len = name_length(r);
	const char *quote;

	r->p += len;
	skip_blanks(r);
	if (len == 0 || r->p == r->end || *r->p++ != '=')
		return false;
	skip_blanks(r);
	if (r->p == r->end || (*r->p != '"' && *r->p != '\''))
		return false;
	quote = memchr(r->p + 1, *r->p, (size_t)(r->end - r->p - 1));
	if (quote == NULL)
		return false;
	r->p = quote + 1;
	skip_blanks(r);
	return true;
}

/* The text of an element that ends here, if somebody wants it. */
static bool
give(struct reading *r)
{
	const char *s = r->text.buf;
	size_t i, len = r->text.len, skip = strspn(s, BLANKS);

	while (len > skip && strchr(BLANKS, s[len - 1]) != NULL)
		len--;
	for (i = 0; i < r->n; i++) {
		if (strcmp(r->wants[i].path, r->path) != 0)
			continue;
		if (r->wants[i].out->ptr != NULL)
			return false;
		secret_set(r->wants[i].out, s + skip, len - skip);
	}
	return true;
}

static bool
close_element(struct reading *r)
{
	char *slash = strrchr(r->path, '/');

	if (!give(r))
		return false;
	r->len = slash != NULL ? (size_t)(slash - r->path) : 0;
	r->path[r->len] = '\0';
	r->done = --r->depth == 0;
	strbuf_reset(&r->text);
	return true;
}

static bool
read_end(struct reading *r)
{
	const char *last = strrchr(r->path, '/');
	size_t len;

	last = last != NULL ? last + 1 : r->path;
	len = strlen(last);
	r->p += 2;
	if (r->depth == 0 || (size_t)(r->end - r->p) < len ||
	    memcmp(r->p, last, len) != 0)
		return false;
	r->p += len;
	skip_blanks(r);
	return r->p < r->end && *r->p++ == '>' && close_element(r);
}

static bool
read_start(struct reading *r)
{
	size_t len;
	bool empty;

	r->p++;
	len = name_length(r);
	if (len == 0 || r->done || r->depth == DEPTH_MAX ||
	    r->len + len + 2 > PATH_LONG)
		return false;
	if (r->depth++ > 0)
		r->path[r->len++] = '/';
	memcpy(r->path + r->len, r->p, len);
	r->len += len;
	r->path[r->len] = '\0';
	strbuf_reset(&r->text);
	r->p += len;
	skip_blanks(r);
	while (r->p < r->end && *r->p != '>' && *r->p != '/')
		if (!skip_attribute(r))
			return false;
	empty = starts(r, "/>");
	if (!empty && !starts(r, ">"))
		return false;
	r->p += empty ? 2 : 1;
	return !empty || close_element(r);
}

static bool
read_all(struct reading *r)
{
	if (starts(r, "\xef\xbb\xbf"))
		r->p += 3;
	if (starts(r, "<?xml") && !skip_behind(r, "?>"))
		return false;
	while (r->p < r->end) {
		bool ok = starts(r, "<!--") ? skip_behind(r, "-->") :
		    starts(r, "</") ? read_end(r) :
		    *r->p == '<' ? read_start(r) : read_text(r);

		if (!ok)
			return false;
	}
	return r->done;
}

int
aws_xml_read(const struct secret *text, const struct aws_xml_want *wants,
    size_t n, struct err *err)
{
	struct reading r = { .wants = wants, .n = n };
	bool ok;

	if (text->len == 0)
		return err_set(err, E_PROTOCOL, "an empty text");
	r.p = text->ptr;
	r.end = text->ptr + text->len;
	strbuf_init(&r.text, text->len + 1);
	strbuf_room(&r.text, text->len);	/* never moved: wiped whole */
	ok = read_all(&r);
	strbuf_wipe(&r.text);
	return ok ? 0 : err_set(err, E_PROTOCOL, "a text that is not the XML "
	    "of STS");
}
