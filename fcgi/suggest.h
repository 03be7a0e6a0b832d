/* SPDX-License-Identifier: Apache-2.0 */
/* "Did you mean": the known word that is nearest to one that is unknown. */
#ifndef STAGEDOOR_SUGGEST_H
#define STAGEDOOR_SUGGEST_H

#define SUGGEST_WORD_MAX 64	/* longer words have no near neighbours here */

/*
 * How many letters must be changed, added, left out or swapped with their
 * neighbour to turn a into b; upper and lower case are the same letter.
 * SUGGEST_WORD_MAX if one of them is longer than that.
 */
unsigned suggest_distance(const char *a, const char *b);
/* May a be a slip of the pen for b? Short words allow fewer slips. */
bool suggest_near(const char *a, const char *b);
/* The nearest of words (NULL-terminated) that is near, or NULL. Borrowed. */
const char *suggest(const char *word, const char *const *words);

#endif
