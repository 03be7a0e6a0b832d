/* SPDX-License-Identifier: Apache-2.0 */
/* Cutting what others said. */
#include "base.h"

#include "arena.h"
#include "aws_text.h"
#include "redact.h"
#include "strbuf.h"

#define SAID_READ 4096	/* of a text; the rest is not looked at */
#define WORD_MAX 64	/* a role's name is no longer */

static bool
is_of_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9') || (c != '\0' && strchr("+/=_-.", c));
}

/* The word at p: as it is, or blanked if it is too long for a name. */
static size_t
add_word(struct strbuf *sb, const char *p)
{
	size_t len = 0;

	while (is_of_word(p[len]))
		len++;
	if (len > WORD_MAX)
		strbuf_addstr(sb, "***");
	else
		strbuf_add(sb, p, len);
	return len;
}

const char *
aws_said(struct arena *arena, const char *text,
    const struct secret *const *secrets, size_t n)
{
	char *copy = arena_strndup(arena, text, strnlen(text, SAID_READ));
	struct strbuf sb = STRBUF_INIT(SAID_READ + 1);
	const char *said;
	size_t i;
	char *p;

	for (i = 0; i < n; i++)
		if (secrets[i]->len > 0)
			redact_value(copy, secrets[i]->ptr);
	redact(copy);		/* and what we do not know of */
	for (p = copy; *p != '\0'; ) {
		if (is_of_word(*p)) {
			p += add_word(&sb, p);
			continue;
		}
		if (*p > ' ' && *p < 0x7f)
			strbuf_addch(&sb, *p);
		else if (sb.len > 0 && sb.buf[sb.len - 1] != ' ')
			strbuf_addch(&sb, ' ');
		p++;
	}
	if (sb.len > 0 && sb.buf[sb.len - 1] == ' ')
		sb.len--;
	said = arena_strndup(arena, sb.buf, SD_MIN(sb.len,
	    (size_t)AWS_SAID_MAX));
	strbuf_wipe(&sb);
	return said;
}
