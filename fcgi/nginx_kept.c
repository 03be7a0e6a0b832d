/* SPDX-License-Identifier: Apache-2.0 */
/* Keeping what nginx was told before. */
#include "base.h"

#include "nginx_kept.h"
#include "strbuf.h"

static bool
has(const struct strbuf *sb, const char *part, size_t len)
{
	return memmem(sb->buf, sb->len, part, len) != NULL;
}

/* How long the block is, without the newlines that end it. */
static size_t
block_len(const char *text)
{
	const char *end = strstr(text, "\n\n");
	size_t len = end != NULL ? (size_t)(end - text) : strlen(text);

	return len - (end == NULL && len > 0 && text[len - 1] == '\n');
}

void
nginx_kept_blocks(struct strbuf *to, const char *last)
{
	const char *line;
	size_t len;

	for (; *last != '\0'; last += len + strspn(last + len, "\n")) {
		len = block_len(last);
		/* From the end of the comment to that of the second line. */
		line = memchr(last, '\n', len);
		if (line == NULL ||
		    has(to, line, strcspn(line + 1, "\n") + 2))
			continue;
		strbuf_add(to, last, len);
		strbuf_addstr(to, "\n\n");
	}
}

void
nginx_kept_lines(struct strbuf *to, const char *last)
{
	size_t len;

	for (; *last != '\0'; last += len) {
		len = strcspn(last, "\n");
		if (len > 0 && !has(to, last, len)) {
			strbuf_add(to, last, len);
			strbuf_addch(to, '\n');
		}
		len += last[len] == '\n';
	}
}
