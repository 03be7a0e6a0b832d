/* SPDX-License-Identifier: Apache-2.0 */
/* Normalising and checking paths. */
#include "base.h"

#include "arena.h"
#include "path.h"

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* The byte of an escape at s ("%41"), or -1. */
static int
escape_at(const char *s)
{
	int hi, lo;

	if (s[0] != '%' || (hi = hex_digit(s[1])) < 0 ||
	    (lo = hex_digit(s[2])) < 0)
		return -1;
	return hi << 4 | lo;
}

static bool
is_unreserved(int c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	    (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' ||
	    c == '~';
}

static char *
decode_unreserved(struct arena *arena, const char *path)
{
	char *out = arena_alloc(arena, strlen(path) + 1), *o = out;
	int c;

	for (; *path != '\0'; path++) {
		if (*path != '%') {
			*o++ = *path;
			continue;
		}
		if ((c = escape_at(path)) < 0)
			return NULL;
		if (is_unreserved(c)) {
			*o++ = (char)c;
			path += 2;
		} else {
			*o++ = '%';
		}
	}
	return out;
}

/* In place, RFC 3986 section 5.2.4. */
static void
remove_dots(char *path)
{
	char *in = path, *out = path;
	size_t len;

	while (*in != '\0') {
		len = strcspn(in + 1, "/") + 1;	/* "/segment" */
		if (len == 2 && in[1] == '.') {
			if (in[2] == '\0')
				*out++ = '/';
		} else if (len == 3 && in[1] == '.' && in[2] == '.') {
			while (out > path && *--out != '/')
				continue;
			if (in[3] == '\0')
				*out++ = '/';
		} else {
			memmove(out, in, len);
			out += len;
		}
		in += len;
	}
	if (out == path)
		*out++ = '/';
	*out = '\0';
}

char *
path_normalise(struct arena *arena, const char *path)
{
	char *out = decode_unreserved(arena, path);
	char *with_slash;

	if (out == NULL)
		return NULL;
	if (*out != '/')
		out = arena_printf(arena, "/%s", out);
	/* One byte of room: removing the last segment may leave a slash. */
	with_slash = arena_alloc(arena, strlen(out) + 2);
	memcpy(with_slash, out, strlen(out));
	remove_dots(with_slash);
	return with_slash;
}

char *
path_decode(struct arena *arena, const char *s, size_t len)
{
	char *in = arena_strndup(arena, s, len), *out = in, *o = in;
	int c;

	for (; *in != '\0'; in++) {
		if (*in != '%') {
			*o++ = *in;
			continue;
		}
		if ((c = escape_at(in)) <= 0)
			return NULL;
		*o++ = (char)c;
		in += 2;
	}
	*o = '\0';
	return out;
}

/* The next character of a segment with escapes undone; moves *p on. */
static int
next_decoded(const char **p)
{
	int c = escape_at(*p);

	if (c < 0)
		return (unsigned char)*(*p)++;
	*p += 3;
	return c;
}

/* Depth below the start after the path; -1 as soon as it climbs above. */
static int
walk_depth(const char *p, bool loose)
{
	int depth = 0, dots = 0, other = 0, c;

	for (;;) {
		bool raw_slash = *p == '/' || *p == '\0';
		bool end = *p == '\0';

		c = end ? '/' : next_decoded(&p);
		if (raw_slash || (loose && (c == '/' || c == '\\'))) {
			if (dots == 2 && other == 0)
				depth--;
			else if (other > 0 || dots > 2)
				depth++;
			if (depth < 0)
				return -1;
			if (end)
				return depth;
			dots = other = 0;
		} else if (c == '.') {
			dots++;
		} else {
			other++;
		}
	}
}

bool
path_climbs(const char *path)
{
	return walk_depth(path, false) < 0 || walk_depth(path, true) < 0;
}

char *
path_squeeze(struct arena *arena, const char *path)
{
	char *out = arena_alloc(arena, strlen(path) + 1), *o = out;

	for (; *path != '\0'; path++)
		if (*path != '/' || o == out || o[-1] != '/')
			*o++ = *path;
	return out;
}
