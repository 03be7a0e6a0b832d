/* SPDX-License-Identifier: Apache-2.0 */
/* Values of sources: copied, wiped, and as bytes for the store. */
#include "base.h"

#include "source.h"
#include "strbuf.h"

#define FORMAT 1		/* of the bytes; another is not read */

void
source_value_copy(struct source_value *to, const struct source_value *from)
{
	size_t i;

	for (i = 0; i < SOURCE_PARTS; i++)
		secret_set(&to->part[i], from->part[i].ptr, from->part[i].len);
	to->expires = from->expires;
	to->margin = from->margin;
	to->retry_after = from->retry_after;
}

void
source_value_release(struct source_value *v)
{
	size_t i;

	for (i = 0; i < SOURCE_PARTS; i++)
		secret_release(&v->part[i]);
	v->expires = v->margin = v->retry_after = 0;
}

/* ---- bytes: format, expires, margin, then length and bytes of each part */

static void
put_number(struct strbuf *sb, uint64_t n)
{
	int i;

	for (i = 56; i >= 0; i -= 8)
		strbuf_addch(sb, (char)(n >> i));
}

static bool
get_number(const char **p, size_t *left, uint64_t *n)
{
	int i;

	if (*left < 8)
		return false;
	for (i = 0, *n = 0; i < 8; i++)
		*n = *n << 8 | (unsigned char)(*p)[i];
	*p += 8;
	*left -= 8;
	return true;
}

static size_t
size_of(const struct source_value *v)
{
	size_t i, size = 1 + 2 * 8;

	for (i = 0; i < SOURCE_PARTS; i++)
		size += 8 + v->part[i].len;
	return size;
}

void
source_value_print(const struct source_value *v, struct secret *out)
{
	struct strbuf sb = STRBUF_INIT(STRBUF_UNLIMITED);
	size_t i;

	strbuf_room(&sb, size_of(v));	/* growing would leave copies */
	strbuf_addch(&sb, FORMAT);
	put_number(&sb, (uint64_t)v->expires);
	put_number(&sb, (uint64_t)v->margin);
	for (i = 0; i < SOURCE_PARTS; i++) {
		put_number(&sb, v->part[i].len);
		if (v->part[i].len > 0)
			strbuf_add(&sb, v->part[i].ptr, v->part[i].len);
	}
	secret_set(out, sb.buf, sb.len);
	strbuf_wipe(&sb);
}

static bool
parse(const struct secret *bytes, struct source_value *out)
{
	const char *p = bytes->ptr;
	size_t i, left = bytes->len;
	uint64_t n;

	if (left < 1 || *p != FORMAT)
		return false;
	p++;
	left--;
	if (!get_number(&p, &left, &n))
		return false;
	out->expires = (int64_t)n;
	if (!get_number(&p, &left, &n))
		return false;
	out->margin = (int64_t)n;
	for (i = 0; i < SOURCE_PARTS; i++) {
		if (!get_number(&p, &left, &n) || n > left)
			return false;
		secret_set(&out->part[i], p, (size_t)n);
		p += n;
		left -= n;
	}
	return left == 0;
}

bool
source_value_parse(const struct secret *bytes, struct source_value *out)
{
	*out = (struct source_value)SOURCE_VALUE_INIT;
	if (parse(bytes, out))
		return true;
	source_value_release(out);
	return false;
}
