/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Walking over JSON bytes that jsonscan_check has accepted: members,
 * elements, and the text of strings. Nothing here checks again.
 */
#include "base.h"

#include "arena.h"
#include "jsonscan.h"

static const char *
after_space(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\n' || *p == '\r' ||
	    *p == '\t'))
		p++;
	return p;
}

#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

/*
 * The high bit of each byte of w that is a quote or a backslash. One above a
 * byte that is marked rightly may be marked too, never one below.
 */
static inline uint64_t
string_ends(uint64_t w)
{
	uint64_t quote = w ^ EACH('"'), slash = w ^ EACH('\\');

	return (((quote - EACH(1)) & ~quote) | ((slash - EACH(1)) & ~slash)) &
	    EACH(0x80);
}

/* p is at the opening quote. */
static inline const char *
after_string(const char *p, const char *end)
{
	uint64_t w, found;

	for (p++; p < end; p++) {
		while (end - p >= 8) {
			memcpy(&w, p, 8);
			if ((found = string_ends(w)) == 0) {
				p += 8;
				continue;
			}
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
			p += __builtin_ctzll(found) >> 3;
#endif
			break;
		}
		if (p < end && *p == '"')
			return p + 1;
		p += p < end && *p == '\\';	/* and what it escapes */
	}
	return end;
}

enum { OTHER, QUOTE, OPEN, CLOSE };
static const unsigned char class[256] = {
	['"'] = QUOTE, ['{'] = OPEN, ['['] = OPEN, ['}'] = CLOSE,
	[']'] = CLOSE,
};

/* p is behind the bracket that opens. */
static const char *
after_container(const char *p, const char *end)
{
	unsigned depth = 1;

	while (p < end) {
		switch (class[(unsigned char)*p]) {
		case QUOTE:
			p = after_string(p, end);
			continue;
		case OPEN:
			depth++;
			break;
		case CLOSE:
			if (--depth == 0)
				return p + 1;
			break;
		}
		p++;
	}
	return end;
}

static const char *
after_value(const char *p, const char *end)
{
	switch (class[(unsigned char)*p]) {
	case QUOTE:
		return after_string(p, end);
	case OPEN:
		return after_container(p + 1, end);
	}
	while (p < end && *p != ',' && *p != '}' && *p != ']' && *p != ' ' &&
	    *p != '\n' && *p != '\r' && *p != '\t')
		p++;
	return p;
}

bool
jsonscan_begin(struct jsonscan *it, struct json_span value, char kind)
{
	if (value.len < 2 || value.ptr[0] != kind)
		return false;
	it->p = value.ptr + 1;
	it->end = value.ptr + value.len;
	return true;
}

/* To the next member or element; false at the closing bracket. */
static bool
advance(struct jsonscan *it)
{
	it->p = after_space(it->p, it->end);
	if (it->p < it->end && *it->p == ',')
		it->p = after_space(it->p + 1, it->end);
	return it->p < it->end && class[(unsigned char)*it->p] != CLOSE;
}

static struct json_span
take(struct jsonscan *it)
{
	struct json_span s = { it->p, 0 };

	it->p = after_value(it->p, it->end);
	s.len = (size_t)(it->p - s.ptr);
	return s;
}

bool
jsonscan_member(struct jsonscan *it, struct json_span *key,
    struct json_span *value)
{
	if (!advance(it))
		return false;
	*key = take(it);
	it->p = after_space(it->p, it->end);	/* at the colon */
	it->p = after_space(it->p + 1, it->end);
	*value = take(it);
	return true;
}

bool
jsonscan_element(struct jsonscan *it, struct json_span *value)
{
	if (!advance(it))
		return false;
	*value = take(it);
	return true;
}

struct json_span
jsonscan_get(struct json_span object, const char *name)
{
	struct json_span key, value, found = { NULL, 0 };
	struct jsonscan it;

	if (!jsonscan_begin(&it, object, '{'))
		return found;
	while (jsonscan_member(&it, &key, &value))
		if (jsonscan_is(key, name))
			found = value;
	return found;
}

/* Walk over members to the closing brace. */
static void
pick_members(struct jsonscan *it, const struct json_pick *picks, size_t n)
{
	struct json_span key, value;
	size_t i;

	while (jsonscan_member(it, &key, &value))
		for (i = 0; i < n; i++)
			if (jsonscan_is(key, picks[i].name))
				*picks[i].value = value;
}

static void
picks_clear(const struct json_pick *picks, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		*picks[i].value = (struct json_span){ NULL, 0 };
}

bool
jsonscan_pick(struct json_span object, const struct json_pick *picks,
    size_t n)
{
	struct jsonscan it;

	picks_clear(picks, n);
	if (!jsonscan_begin(&it, object, '{'))
		return false;
	pick_members(&it, picks, n);
	return true;
}

bool
jsonscan_element_pick(struct jsonscan *it, struct json_span *value,
    const struct json_pick *picks, size_t n)
{
	struct jsonscan inside = *it;

	picks_clear(picks, n);
	if (!advance(it))
		return false;
	if (*it->p != '{') {
		*value = take(it);
		return true;
	}
	value->ptr = it->p;
	inside.p = it->p + 1;
	pick_members(&inside, picks, n);
	it->p = inside.p + 1;
	value->len = (size_t)(it->p - value->ptr);
	return true;
}

bool
jsonscan_is_string(struct json_span value)
{
	return value.len >= 2 && value.ptr[0] == '"';
}

static unsigned
hex4(const char *p)
{
	unsigned v = 0;
	int i;

	for (i = 0; i < 4; i++) {
		unsigned ch = (unsigned char)p[i];

		v = v << 4 | (ch <= '9' ? ch - '0' : (ch | 32) - 'a' + 10);
	}
	return v;
}

static size_t
utf8_put(unsigned u, char out[4])
{
	if (u < 0x80) {
		out[0] = (char)u;
		return 1;
	}
	if (u < 0x800) {
		out[0] = (char)(0xc0 | u >> 6);
		out[1] = (char)(0x80 | (u & 63));
		return 2;
	}
	if (u < 0x10000) {
		out[0] = (char)(0xe0 | u >> 12);
		out[1] = (char)(0x80 | (u >> 6 & 63));
		out[2] = (char)(0x80 | (u & 63));
		return 3;
	}
	out[0] = (char)(0xf0 | u >> 18);
	out[1] = (char)(0x80 | (u >> 12 & 63));
	out[2] = (char)(0x80 | (u >> 6 & 63));
	out[3] = (char)(0x80 | (u & 63));
	return 4;
}

/* What \uXXXX at p stands for; a lone surrogate is U+FFFD. */
static unsigned
unicode_escape(const char **p, const char *end)
{
	unsigned u = hex4(*p), low;

	*p += 4;
	if (u < 0xd800 || u > 0xdfff)
		return u;
	if (u >= 0xdc00 || end - *p < 6 || (*p)[0] != '\\' ||
	    (*p)[1] != 'u')
		return 0xfffd;
	low = hex4(*p + 2);
	if (low < 0xdc00 || low > 0xdfff)
		return 0xfffd;
	*p += 6;
	return 0x10000 + ((u - 0xd800) << 10) + (low - 0xdc00);
}

/* One character of a string's inside, decoded: its length in out. */
static size_t
next_char(const char **p, const char *end, char out[4])
{
	static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
	const char *f;
	char ch = *(*p)++;

	if (ch == '\\') {
		ch = *(*p)++;
		if (ch == 'u')
			return utf8_put(unicode_escape(p, end), out);
		if ((f = strchr(from, ch)) != NULL)
			ch = to[f - from];
	}
	out[0] = ch;
	return 1;
}

bool
jsonscan_is(struct json_span value, const char *s)
{
	const char *p, *end;
	size_t len = strlen(s), n;
	char out[4];

	if (!jsonscan_is_string(value))
		return false;
	p = value.ptr + 1;
	end = value.ptr + value.len - 1;
	if (value.len == len + 2 && memcmp(p, s, len) == 0)
		return memchr(p, '\\', len) == NULL || len == 0;
	if (memchr(p, '\\', (size_t)(end - p)) == NULL)
		return false;
	while (p < end) {
		n = next_char(&p, end, out);
		if (n > len || memcmp(out, s, n) != 0)
			return false;
		s += n;
		len -= n;
	}
	return len == 0;
}

char *
jsonscan_string(struct json_span value, struct arena *arena)
{
	const char *p, *end;
	char *text, *to, out[4];
	size_t n;

	if (!jsonscan_is_string(value))
		return NULL;
	p = value.ptr + 1;
	end = value.ptr + value.len - 1;
	/* decoded text is never longer than its escaped form */
	to = text = arena_alloc(arena, value.len);
	while (p < end) {
		n = next_char(&p, end, out);
		if (n == 1 && out[0] == '\0')
			return NULL;
		memcpy(to, out, n);
		to += n;
	}
	return text;
}
