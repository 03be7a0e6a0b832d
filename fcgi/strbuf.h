/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A growing byte string with a limit. buf is always NUL-terminated and never
 * NULL; it may hold NUL bytes, so length travels with it. Going past max
 * keeps what is there, sets overflow, and every later add is refused: check
 * overflow once at the end of a sequence of adds.
 * Not thread-safe. The caller owns it: strbuf_release, or strbuf_detach.
 */
#ifndef STAGEDOOR_STRBUF_H
#define STAGEDOOR_STRBUF_H

struct strbuf {
	char *buf;
	size_t len, cap, max;
	bool overflow;
};

extern char strbuf_empty[1];
#define STRBUF_UNLIMITED (SIZE_MAX / 4)
#define STRBUF_INIT(limit) { strbuf_empty, 0, 0, (limit), false }

void strbuf_init(struct strbuf *sb, size_t max);
/* Each returns 0, or E_TOOLARGE once the limit was passed. */
int strbuf_add(struct strbuf *sb, const char *data, size_t len);
int strbuf_addch(struct strbuf *sb, char c);
int strbuf_addstr(struct strbuf *sb, const char *s);
int strbuf_addf(struct strbuf *sb, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Make room for len more bytes and return where they go; NULL past max. */
char *strbuf_room(struct strbuf *sb, size_t len);
/* Percent-encode all but the unreserved characters of RFC 3986 and keep. */
int strbuf_add_percent(struct strbuf *sb, const char *s, const char *keep);
/* Keep the memory, forget the content. */
void strbuf_reset(struct strbuf *sb);
/* Give the memory away (free() it); the strbuf is empty again. */
char *strbuf_detach(struct strbuf *sb, size_t *len);
/*
 * Hidden: libconfig 1.5 exports a function of this very name and calls it
 * through the dynamic linker, which would take ours instead.
 */
__attribute__((visibility("hidden")))
void strbuf_release(struct strbuf *sb);
/* Release after cleansing: for buffers that held a secret. */
void strbuf_wipe(struct strbuf *sb);

#endif
