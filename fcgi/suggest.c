/* SPDX-License-Identifier: Apache-2.0 */
/* Edit distance (optimal string alignment) over short words. */
#include "base.h"

#include "suggest.h"

#define ROW (SUGGEST_WORD_MAX + 1)

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 'a' - 'A') : c;
}

/* Fill one row of the table from the two rows above it. */
static void
fill_row(const char *a, const char *b, size_t i, unsigned (*rows)[ROW])
{
	unsigned *row = rows[i % 3], *above = rows[(i + 2) % 3];
	unsigned *higher = rows[(i + 1) % 3];
	size_t j;

	row[0] = (unsigned)i;
	for (j = 1; b[j - 1] != '\0'; j++) {
		unsigned same = lower(a[i - 1]) == lower(b[j - 1]) ? 0 : 1;

		row[j] = SD_MIN(above[j], row[j - 1]) + 1;
		row[j] = SD_MIN(row[j], above[j - 1] + same);
		if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) &&
		    lower(a[i - 2]) == lower(b[j - 1]))
			row[j] = SD_MIN(row[j], higher[j - 2] + 1);
	}
}

unsigned
suggest_distance(const char *a, const char *b)
{
	unsigned rows[3][ROW] = { { 0 } };
	size_t la = strlen(a), lb = strlen(b), i;

	if (la > SUGGEST_WORD_MAX || lb > SUGGEST_WORD_MAX)
		return SUGGEST_WORD_MAX;
	for (i = 0; i <= lb; i++)
		rows[0][i] = (unsigned)i;
	for (i = 1; i <= la; i++)
		fill_row(a, b, i, rows);
	return rows[la % 3][lb];
}

bool
suggest_near(const char *a, const char *b)
{
	size_t len = SD_MAX(strlen(a), strlen(b));

	return suggest_distance(a, b) <= (len < 5 ? 1 : SD_MIN(len / 3, 4));
}

const char *
suggest(const char *word, const char *const *words)
{
	const char *best = NULL;
	unsigned least = SUGGEST_WORD_MAX;

	for (; *words != NULL; words++) {
		unsigned d = suggest_distance(word, *words);

		if (d < least && suggest_near(word, *words)) {
			least = d;
			best = *words;
		}
	}
	return best;
}
