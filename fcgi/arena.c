/* SPDX-License-Identifier: Apache-2.0 */
/* Chunks of memory that are dropped together. */
#include "base.h"

#include <openssl/crypto.h>

#include "arena.h"

#define ARENA_CHUNK 4000	/* with malloc's header, below one page */

struct chunk {
	struct chunk *next;
	size_t used, size;
	max_align_t data[];
};

struct arena {
	struct chunk *chunks;	/* the newest first; only it has room */
};

struct arena *
arena_new(void)
{
	return xcalloc(1, sizeof(struct arena));
}

void
arena_free(struct arena *a)
{
	struct chunk *c, *next;

	if (a == NULL)
		return;
	for (c = a->chunks; c != NULL; c = next) {
		next = c->next;
		OPENSSL_cleanse(c->data, c->used);
		free(c);
	}
	free(a);
}

static struct chunk *
chunk_new(size_t size)
{
	struct chunk *c = xmalloc(sizeof(*c) + size);

	c->next = NULL;
	c->used = 0;
	c->size = size;
	return c;
}

/* A large piece gets a chunk of its own behind the current one. */
static void *
arena_large(struct arena *a, size_t size)
{
	struct chunk *c = chunk_new(size);

	if (a->chunks == NULL) {
		a->chunks = c;
	} else {
		c->next = a->chunks->next;
		a->chunks->next = c;
	}
	c->used = size;
	return memset(c->data, 0, size);
}

void *
arena_alloc(struct arena *a, size_t size)
{
	struct chunk *c;
	void *p;

	if (size > SIZE_MAX / 2)
		BUG("arena_alloc of %zu bytes", size);
	size = (size + sizeof(max_align_t) - 1) & ~(sizeof(max_align_t) - 1);
	if (size > ARENA_CHUNK / 2)
		return arena_large(a, size);
	c = a->chunks;
	if (c == NULL || c->size - c->used < size) {
		c = chunk_new(ARENA_CHUNK);
		c->next = a->chunks;
		a->chunks = c;
	}
	p = (char *)c->data + c->used;
	c->used += size;
	return memset(p, 0, size);
}

char *
arena_strndup(struct arena *a, const char *s, size_t len)
{
	char *p = arena_alloc(a, len + 1);

	memcpy(p, s, len);
	return p;
}

char *
arena_strdup(struct arena *a, const char *s)
{
	return s == NULL ? NULL : arena_strndup(a, s, strlen(s));
}

char *
arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap;
	char *p;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		BUG("bad format '%s'", fmt);
	p = arena_alloc(a, (size_t)n + 1);
	va_start(ap, fmt);
	vsnprintf(p, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return p;
}
