/* SPDX-License-Identifier: Apache-2.0 */
/* Text of others, for a terminal. */
#include "base.h"

#include "arena.h"
#include "shown.h"
#include "strbuf.h"

#define BLOT "***"
#define INPUT_MAX (1 << 20)
#define NOT_IN_AUTHORITY "/?# \t\r\n'\""

/* How long a secret begins here: the whole of it, or 0. */
static size_t
secret_at(const char *p, const struct secret *cut)
{
	if (cut == NULL || cut->len == 0 ||
	    strncmp(p, cut->ptr, cut->len) != 0)
		return 0;
	return cut->len;
}

/* How much behind "://" is user info. */
static size_t
user_info_at(const char *start, const char *p)
{
	size_t len, i;

	if (p - start < 3 || memcmp(p - 3, "://", 3) != 0)
		return 0;
	for (len = strcspn(p, NOT_IN_AUTHORITY), i = len; i > 0; i--)
		if (p[i - 1] == '@')
			return i - 1;
	return 0;
}

/* Control characters: of ASCII, and C1 in UTF-8. */
static bool
is_control(const char *start, const char *p)
{
	unsigned char c = (unsigned char)*p;

	if (c < 0x20 || c == 0x7f)
		return true;
	return c >= 0x80 && c <= 0x9f && p > start &&
	    (unsigned char)p[-1] == 0xc2;
}

const char *
shown(struct arena *arena, const char *text, const struct secret *cut)
{
	struct strbuf sb = STRBUF_INIT(INPUT_MAX);
	const char *p = text != NULL ? text : "", *start = p, *out;
	size_t skip;

	while (*p != '\0' && sb.len < SHOWN_MAX) {
		if ((skip = secret_at(p, cut)) > 0 ||
		    (skip = user_info_at(start, p)) > 0) {
			strbuf_addstr(&sb, BLOT);
			p += skip;
			continue;
		}
		if (is_control(start, p))
			strbuf_addf(&sb, "\\x%02x", (unsigned char)*p);
		else
			strbuf_addch(&sb, *p);
		p++;
	}
	if (*p != '\0')
		strbuf_addstr(&sb, "...");
	out = arena_strdup(arena, sb.buf);
	strbuf_wipe(&sb);
	return out;
}
