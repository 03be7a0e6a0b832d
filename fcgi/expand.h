/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ${NAME} in a string stands for a variable of the environment, without the
 * white space around its value; $${NAME} stands for ${NAME}. Both as in
 * Backstage.
 */
#ifndef STAGEDOOR_EXPAND_H
#define STAGEDOOR_EXPAND_H

/* Is there a ${NAME} that stands for a variable? */
bool expand_refers(const char *s);
/*
 * The string with every variable filled in and every escape undone; the
 * caller wipes and frees it. NULL: a variable is not set, and *missing is
 * its name (the caller's to free).
 */
char *expand(const char *s, char **missing);
/* The string whose expansion is s: escapes what looks like a variable. */
char *expand_escape(const char *s);

#endif
