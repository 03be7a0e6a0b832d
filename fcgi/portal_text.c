/* SPDX-License-Identifier: Apache-2.0 */
/* Fields to lines, and back. */
#include "base.h"

#include "arena.h"
#include "portal_text.h"
#include "strbuf.h"

void
portal_text_add(struct strbuf *sb, const char *field)
{
	const char *p;

	if (sb->len > 0)
		strbuf_addch(sb, '\n');
	for (p = field != NULL ? field : ""; *p != '\0'; p++)
		strbuf_addch(sb, (unsigned char)*p < 0x20 || *p == 0x7f ?
		    '?' : *p);
}

void
portal_text_add_number(struct strbuf *sb, int64_t n)
{
	char text[24];

	snprintf(text, sizeof(text), "%lld", (long long)n);
	portal_text_add(sb, text);
}

size_t
portal_text_split(struct arena *arena, const char *text,
    const char **fields, size_t max)
{
	char *p = arena_strdup(arena, text);
	size_t n = 0;

	while (p != NULL && n < max)
		fields[n++] = strsep(&p, "\n");
	return p == NULL ? n : 0;
}

bool
portal_text_number(const char *field, int64_t *out)
{
	char *end;

	errno = 0;
	*out = strtoll(field, &end, 10);
	return *field >= '0' && *field <= '9' && *end == '\0' && errno == 0;
}
