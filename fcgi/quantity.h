/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kubernetes quantities ("250m", "64Mi", "1.5Gi", "1e3") and their sums, in
 * the two kinds that Backstage's pages know: plain numbers, and integers of
 * bytes that are written as JSON strings because a double may not hold them.
 */
#ifndef STAGEDOOR_QUANTITY_H
#define STAGEDOOR_QUANTITY_H

struct strbuf;

struct quantity {
	bool integer;		/* it had k M G T P E or Ki Mi … Ei */
	double number;		/* if not integer */
	__int128 whole;		/* if integer */
};

#define QUANTITY_ZERO { false, 0, 0 }
#define QUANTITY_MAX_LEN 63	/* Kubernetes writes at most 19 digits */

/*
 * Read one. No suffix, n, u and m (and exponents) make a number; the other
 * suffixes an integer, rounded up as Kubernetes does. Past the range of
 * __int128 it is the largest. False, and zero, if it is no quantity.
 */
bool quantity_parse(const char *text, size_t len, struct quantity *out);
/* sum += q. If one is an integer the other is rounded, and so is the sum. */
void quantity_add(struct quantity *sum, const struct quantity *q);
/* As JSON: a number, or a string of digits. */
void quantity_print(struct strbuf *sb, const struct quantity *q);

#endif
