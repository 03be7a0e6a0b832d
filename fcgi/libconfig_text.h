/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One pass over the text of a libconfig file before libconfig sees it, for
 * what libconfig gets wrong or does not say: an integer that is too wide
 * (5000000000 without L reads as 705032704 and reports success), a key that
 * stands twice (it stops at the first and names none), depth and size.
 * It also puts included files in (@include "other.conf", relative to the
 * file that names it) and knows the file of each line.
 *
 * Strings stay here: libconfig gets marks in their place, because it leaves
 * copies of what it reads in memory, and they may be tokens.
 */
#ifndef STAGEDOOR_LIBCONFIG_TEXT_H
#define STAGEDOOR_LIBCONFIG_TEXT_H

#include "tree.h"

struct libconfig_text {
	struct strbuf text;		/* all files in one */
	struct libconfig_part {		/* from this line of text on: */
		unsigned first;
		const struct tree_source *source;
		unsigned line;
	} *parts;
	size_t nparts;
	char **strings;			/* by the number in their mark */
	size_t nstrings;
	char **wrong;			/* paths of values that were refused,
					   of which libconfig gets a stand-in */
	size_t nwrong;
};

/* 0; E_CONFIG: problems says why. Release out in both cases. */
int libconfig_text_read(struct tree *t, const struct tree_source *src,
    const char *text, size_t len, struct libconfig_text *out);
void libconfig_text_release(struct libconfig_text *lt);	/* wipes */
bool libconfig_text_wrong(const struct libconfig_text *lt, const char *path);
/*
 * The string that a value of libconfig stands for; the caller's to wipe and
 * free.
 */
char *libconfig_text_string(const struct libconfig_text *lt,
    const char *value);
/* Where a line of the text came from, in n's source and line. */
void libconfig_text_place(const struct libconfig_text *lt, unsigned line,
    struct node *n);

#endif
