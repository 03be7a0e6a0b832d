/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first include of every file: the system headers that all need, a few
 * macros, allocation that ends the process instead of returning NULL, and
 * (last) the list of calls that do not compile here.
 */
#ifndef STAGEDOOR_BASE_H
#define STAGEDOOR_BASE_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define UNUSED __attribute__((unused))
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))
#define NORETURN __attribute__((noreturn))

#define SD_MIN(a, b) ((a) < (b) ? (a) : (b))
#define SD_MAX(a, b) ((a) > (b) ? (a) : (b))

/* For what cannot happen: says where, then aborts. Never for bad input. */
#define BUG(...) sd_bug(__FILE__, __LINE__, __VA_ARGS__)
void sd_bug(const char *file, int line, const char *fmt, ...)
    PRINTF_LIKE(3, 4) NORETURN;

/*
 * Allocation. None of these returns NULL: out of memory ends the process,
 * which is why every input is bounded before it is read. free() is libc's.
 */
void *xmalloc(size_t size);
void *xcalloc(size_t n, size_t size);
void *xrealloc(void *p, size_t size);
char *xstrdup(const char *s);
char *xstrndup(const char *s, size_t len);

/* Grow an array by one: returns the new zeroed last element. */
#define ARRAY_PUSH(arr, n)                                                    \
	(*((arr) = xrealloc((arr), ((n) + 1) * sizeof(*(arr))),               \
	     memset(&(arr)[(n)], 0, sizeof(*(arr))), &(arr)[(n)++]))

/* Here, for it is asked of every header of every request. */
static inline bool
str_starts(const char *s, const char *prefix)
{
	/* Most differ in the first letter. */
	return *prefix == '\0' || (*s == *prefix &&
	    strncmp(s, prefix, strlen(prefix)) == 0);
}
bool str_eq(const char *a, const char *b);	/* NULL equals only NULL */

#include "banned.h"

#endif
