/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What kubectl's sessions are kept as, sealed: a line for each field, for
 * nothing in them may hold a control character.
 */
#ifndef STAGEDOOR_PORTAL_TEXT_H
#define STAGEDOOR_PORTAL_TEXT_H

struct arena;
struct strbuf;

/* One more field; NULL is empty, a control character becomes "?". */
void portal_text_add(struct strbuf *sb, const char *field);
void portal_text_add_number(struct strbuf *sb, int64_t n);
/*
 * The fields of text, in the arena. Gives their number; 0 if there are none,
 * or more than max.
 */
size_t portal_text_split(struct arena *arena, const char *text,
    const char **fields, size_t max);
/* A whole number of at least 0; false: it is none. */
bool portal_text_number(const char *field, int64_t *out);

#endif
