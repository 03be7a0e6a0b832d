/* SPDX-License-Identifier: Apache-2.0 */
/* Growing byte strings with a limit. */
#include "base.h"

#include <openssl/crypto.h>

#include "err.h"
#include "strbuf.h"

char strbuf_empty[1];

void
strbuf_init(struct strbuf *sb, size_t max)
{
	sb->buf = strbuf_empty;
	sb->len = sb->cap = 0;
	sb->max = max;
	sb->overflow = false;
}

char *
strbuf_room(struct strbuf *sb, size_t len)
{
	size_t cap;

	if (sb->overflow || len > sb->max - sb->len) {
		sb->overflow = true;
		return NULL;
	}
	if (sb->len + len < sb->cap)
		return sb->buf + sb->len;
	cap = SD_MAX(sb->cap + sb->cap / 2, sb->len + len + 1);
	cap = SD_MAX(cap, (size_t)64);
	sb->buf = xrealloc(sb->cap ? sb->buf : NULL, cap);
	sb->cap = cap;
	sb->buf[sb->len] = '\0';
	return sb->buf + sb->len;
}

int
strbuf_add(struct strbuf *sb, const char *data, size_t len)
{
	char *p = strbuf_room(sb, len);

	if (p == NULL)
		return E_TOOLARGE;
	if (len == 0)
		return 0;
	memcpy(p, data, len);
	sb->len += len;
	sb->buf[sb->len] = '\0';
	return 0;
}

int
strbuf_addch(struct strbuf *sb, char c)
{
	return strbuf_add(sb, &c, 1);
}

int
strbuf_addstr(struct strbuf *sb, const char *s)
{
	return strbuf_add(sb, s, strlen(s));
}

int
strbuf_addf(struct strbuf *sb, const char *fmt, ...)
{
	va_list ap;
	char *p;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		BUG("bad format '%s'", fmt);
	if ((p = strbuf_room(sb, (size_t)n)) == NULL)
		return E_TOOLARGE;
	va_start(ap, fmt);
	vsnprintf(p, (size_t)n + 1, fmt, ap);
	va_end(ap);
	sb->len += (size_t)n;
	return 0;
}

int
strbuf_add_percent(struct strbuf *sb, const char *s, const char *keep)
{
	static const char hex[] = "0123456789ABCDEF";
	static const char plain[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	    "0123456789-._~";
	int r = 0;

	for (; *s != '\0' && r == 0; s++) {
		unsigned char c = (unsigned char)*s;

		if (strchr(plain, c) != NULL || strchr(keep, c) != NULL)
			r = strbuf_addch(sb, (char)c);
		else
			r = strbuf_add(sb,
			    (char[]){ '%', hex[c >> 4], hex[c & 15] }, 3);
	}
	return r;
}

void
strbuf_reset(struct strbuf *sb)
{
	sb->len = 0;
	sb->overflow = false;
	if (sb->cap != 0)
		sb->buf[0] = '\0';
}

char *
strbuf_detach(struct strbuf *sb, size_t *len)
{
	char *p = sb->cap ? sb->buf : xcalloc(1, 1);

	if (len != NULL)
		*len = sb->len;
	strbuf_init(sb, sb->max);
	return p;
}

void
strbuf_release(struct strbuf *sb)
{
	if (sb->cap != 0)
		free(sb->buf);
	strbuf_init(sb, sb->max);
}

void
strbuf_wipe(struct strbuf *sb)
{
	if (sb->cap != 0)
		OPENSSL_cleanse(sb->buf, sb->cap);
	strbuf_release(sb);
}
