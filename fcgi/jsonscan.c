/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The strict check of a JSON text: one recursive pass of bounded depth. In
 * strings, where an answer of a cluster has most of its bytes, it looks at
 * eight of them at a time. Walking over checked bytes is in jsonwalk.c.
 */
#include "base.h"

#include "err.h"
#include "jsonscan.h"

struct check {
	const unsigned char *p, *end;
	const struct json_pick *picks;
	size_t npicks;
	unsigned depth;
	bool no_nul;
	const char *what;	/* what is wrong at p, when a check failed */
};

static bool check_value(struct check *c, unsigned depth);

static bool
bad(struct check *c, const char *what)
{
	if (c->what == NULL)
		c->what = what;
	return false;
}

static bool
bad_byte(struct check *c)
{
	return bad(c, c->p == c->end ? "unexpected end" :
	    "unexpected character");
}

static inline bool
is_space(unsigned char ch)
{
	return ch == ' ' || ch == '\n' || ch == '\r' || ch == '\t';
}

static inline void
skip_space(struct check *c)
{
	while (c->p < c->end && is_space(*c->p))
		c->p++;
}

static inline bool
is_digit(const struct check *c)
{
	return c->p < c->end && *c->p >= '0' && *c->p <= '9';
}

#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

/*
 * The high bit of each byte of w that ends a plain run: a control character,
 * a quote, a backslash, or a byte outside ASCII. A borrow may mark a byte
 * above one that is marked rightly, never below.
 */
static inline uint64_t
special_bytes(uint64_t w)
{
	uint64_t quote = w ^ EACH('"'), slash = w ^ EACH('\\');

	return (w | (w - EACH(0x20)) | (quote - EACH(1)) |
	    (slash - EACH(1))) & EACH(0x80);
}

static inline bool
is_plain(unsigned char ch)
{
	return ch >= 0x20 && ch < 0x80 && ch != '"' && ch != '\\';
}

/* The first byte from p on that is not plain. */
static inline const unsigned char *
skip_plain(const unsigned char *p, const unsigned char *end)
{
	while (end - p >= 8) {
		uint64_t w, found;

		memcpy(&w, p, 8);
		found = special_bytes(w);
		if (found == 0) {
			p += 8;
			continue;
		}
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
		return p + (__builtin_ctzll(found) >> 3);
#else
		break;
#endif
	}
	while (p < end && is_plain(*p))
		p++;
	return p;
}

size_t
jsonscan_utf8(const char *data, size_t len)
{
	const unsigned char *p = (const unsigned char *)data;
	unsigned char low = 0x80, high = 0xbf;
	size_t n, i;

	if (len == 0)
		return 0;
	if (p[0] < 0x80)
		return 1;
	if (p[0] >= 0xc2 && p[0] <= 0xdf)
		n = 2;
	else if (p[0] >= 0xe0 && p[0] <= 0xef)
		n = 3;
	else if (p[0] >= 0xf0 && p[0] <= 0xf4)
		n = 4;
	else
		return 0;
	if (p[0] == 0xe0)
		low = 0xa0;	/* shorter forms exist */
	else if (p[0] == 0xed)
		high = 0x9f;	/* surrogates */
	else if (p[0] == 0xf0)
		low = 0x90;
	else if (p[0] == 0xf4)
		high = 0x8f;	/* past U+10FFFF */
	if (len < n || p[1] < low || p[1] > high)
		return 0;
	for (i = 2; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return n;
}

static bool
check_hex4(struct check *c)
{
	bool zero = true;
	int i;

	for (i = 0; i < 4; i++, c->p++) {
		if (c->p == c->end)
			return bad_byte(c);
		if (!((*c->p >= '0' && *c->p <= '9') ||
		    ((*c->p | 32) >= 'a' && (*c->p | 32) <= 'f')))
			return bad(c, "bad escape");
		zero = zero && *c->p == '0';
	}
	return zero && c->no_nul ? bad(c, "NUL in a string") : true;
}

/* p is behind the backslash. */
static bool
check_escape(struct check *c)
{
	if (c->p == c->end)
		return bad_byte(c);
	if (*c->p == 'u') {
		c->p++;
		return check_hex4(c);
	}
	if (*c->p == '\0' || strchr("\"\\/bfnrt", *c->p) == NULL)
		return bad(c, "bad escape");
	c->p++;
	return true;
}

/* p is at the opening quote. */
static bool
check_string(struct check *c)
{
	size_t n;

	for (c->p++;;) {
		c->p = skip_plain(c->p, c->end);
		if (c->p == c->end)
			return bad_byte(c);
		if (*c->p == '"') {
			c->p++;
			return true;
		}
		if (*c->p == '\\') {
			c->p++;
			if (!check_escape(c))
				return false;
			continue;
		}
		if (*c->p < 0x20)
			return bad(c, "control character in a string");
		n = jsonscan_utf8((const char *)c->p,
		    (size_t)(c->end - c->p));
		if (n == 0)
			return bad(c, "bad UTF-8");
		c->p += n;
	}
}

static bool
check_digits(struct check *c)
{
	if (!is_digit(c))
		return bad_byte(c);
	while (is_digit(c))
		c->p++;
	return true;
}

static bool
check_number(struct check *c)
{
	if (*c->p == '-')
		c->p++;
	if (c->p < c->end && *c->p == '0')
		c->p++;
	else if (!check_digits(c))
		return false;
	if (c->p < c->end && *c->p == '.') {
		c->p++;
		if (!check_digits(c))
			return false;
	}
	if (c->p < c->end && (*c->p | 32) == 'e') {
		c->p++;
		if (c->p < c->end && (*c->p == '+' || *c->p == '-'))
			c->p++;
		return check_digits(c);
	}
	return true;
}

static bool
check_word(struct check *c, const char *word)
{
	for (; *word != '\0'; word++, c->p++)
		if (c->p == c->end || *c->p != (unsigned char)*word)
			return bad_byte(c);
	return true;
}

static bool
check_array(struct check *c, unsigned depth)
{
	c->p++;
	skip_space(c);
	if (c->p < c->end && *c->p == ']') {
		c->p++;
		return true;
	}
	for (;;) {
		if (!check_value(c, depth))
			return false;
		skip_space(c);
		if (c->p == c->end || (*c->p != ',' && *c->p != ']'))
			return bad_byte(c);
		if (*c->p++ == ']')
			return true;
		skip_space(c);
	}
}

/* Hand a member of the outermost object to whoever picked its name. */
static void
pick_member(const struct check *c, struct json_span key,
    struct json_span value)
{
	size_t i;

	for (i = 0; i < c->npicks; i++)
		if (jsonscan_is(key, c->picks[i].name))
			*c->picks[i].value = value;
}

static bool
check_member(struct check *c, unsigned depth)
{
	struct json_span key, value;

	if (c->p == c->end || *c->p != '"')
		return bad_byte(c);
	key.ptr = (const char *)c->p;
	if (!check_string(c))
		return false;
	key.len = (size_t)((const char *)c->p - key.ptr);
	skip_space(c);
	if (c->p == c->end || *c->p != ':')
		return bad_byte(c);
	c->p++;
	skip_space(c);
	value.ptr = (const char *)c->p;
	if (!check_value(c, depth))
		return false;
	value.len = (size_t)((const char *)c->p - value.ptr);
	if (depth == 1 && c->npicks > 0)
		pick_member(c, key, value);
	return true;
}

static bool
check_object(struct check *c, unsigned depth)
{
	c->p++;
	skip_space(c);
	if (c->p < c->end && *c->p == '}') {
		c->p++;
		return true;
	}
	for (;;) {
		if (!check_member(c, depth))
			return false;
		skip_space(c);
		if (c->p == c->end || (*c->p != ',' && *c->p != '}'))
			return bad_byte(c);
		if (*c->p++ == '}')
			return true;
		skip_space(c);
	}
}

/* depth: how many containers are around the value. */
static bool
check_value(struct check *c, unsigned depth)
{
	if (c->p == c->end)
		return bad_byte(c);
	switch (*c->p) {
	case '"':
		return check_string(c);
	case '{':
		return depth == c->depth ? bad(c, "nesting too deep") :
		    check_object(c, depth + 1);
	case '[':
		return depth == c->depth ? bad(c, "nesting too deep") :
		    check_array(c, depth + 1);
	case 't':
		return check_word(c, "true");
	case 'f':
		return check_word(c, "false");
	case 'n':
		return check_word(c, "null");
	default:
		return *c->p == '-' || is_digit(c) ? check_number(c) :
		    bad_byte(c);
	}
}

int
jsonscan_check(const char *data, size_t len,
    const struct json_rules *rules, struct err *err)
{
	const unsigned char *start = (const unsigned char *)data;
	struct check c = {
		.p = start, .end = start + len,
		.picks = rules->picks, .npicks = rules->npicks,
		.depth = rules->depth, .no_nul = rules->no_nul,
	};
	size_t i;

	for (i = 0; i < rules->npicks; i++)
		*rules->picks[i].value = (struct json_span){ NULL, 0 };
	skip_space(&c);
	if (check_value(&c, 0)) {
		skip_space(&c);
		if (c.p == c.end)
			return 0;
		bad_byte(&c);
	}
	return err_set(err, E_PROTOCOL, "%s at byte %zu", c.what,
	    (size_t)(c.p - start));
}
