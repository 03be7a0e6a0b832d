/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory that lives as long as one thing (a request, a tree of settings) and
 * is wiped and dropped as a whole at its end. Nothing in it is freed alone.
 * One thread at a time.
 */
#ifndef STAGEDOOR_ARENA_H
#define STAGEDOOR_ARENA_H

struct arena;

struct arena *arena_new(void);
void arena_free(struct arena *a);		/* NULL is fine */
void *arena_alloc(struct arena *a, size_t size);	/* zeroed, aligned */
char *arena_strdup(struct arena *a, const char *s);	/* NULL gives NULL */
char *arena_strndup(struct arena *a, const char *s, size_t len);
char *arena_printf(struct arena *a, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
