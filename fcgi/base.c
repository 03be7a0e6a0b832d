/* SPDX-License-Identifier: Apache-2.0 */
/* Allocation that cannot fail, BUG(), and string comparisons. */
#include "base.h"

void
sd_bug(const char *file, int line, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "stagedoor: bug at %s:%d: ", file, line);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	abort();
}

static void *
alloc_checked(void *p)
{
	if (p == NULL) {
		fputs("stagedoor: out of memory\n", stderr);
		_exit(1);
	}
	return p;
}

void *
xmalloc(size_t size)
{
	return alloc_checked(malloc(size ? size : 1));
}

void *
xcalloc(size_t n, size_t size)
{
	return alloc_checked(calloc(n ? n : 1, size ? size : 1));
}

void *
xrealloc(void *p, size_t size)
{
	return alloc_checked(realloc(p, size ? size : 1));
}

char *
xstrdup(const char *s)
{
	return alloc_checked(strdup(s));
}

char *
xstrndup(const char *s, size_t len)
{
	return alloc_checked(strndup(s, len));
}

bool
str_eq(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}
