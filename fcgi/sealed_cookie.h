/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a browser keeps for us and cannot read, change, give another name or
 * a longer life: the value of a cookie is its expiry (wall ms), a dot, and
 * bytes that the store sealed for an item and that expiry, in base64url.
 */
#ifndef STAGEDOOR_SEALED_COOKIE_H
#define STAGEDOOR_SEALED_COOKIE_H

#include "store.h"

struct arena;

#define SEALED_COOKIE_MAX 3800	/* bytes: with its name and attributes
				   under the 4096 that browsers keep */

/*
 * *out is for a header, in the arena. 0, or E_TOOLARGE: it would be longer
 * than browsers keep. text is a string.
 */
struct sealed_cookie {
	const struct store_item *item;
	int64_t expires;	/* wall ms */
	const char *text;
};
int sealed_cookie_print(struct store *st, struct arena *arena,
    const struct sealed_cookie *c, const char **out);
/*
 * 0 with *out the text, in the arena; E_NOTFOUND: too old, or sealed with a
 * key that is gone; E_STORE: altered, or sealed for something else.
 */
int sealed_cookie_open(struct store *st, struct arena *arena,
    const struct store_item *item, const char *value, const char **out);

#endif
