/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A token, key or password. It moves, it is not copied; releasing it wipes
 * it. ptr is NUL-terminated when len > 0 and NULL when empty. Logs show
 * secret_tag(), which says whether two secrets are the same and no more.
 */
#ifndef STAGEDOOR_SECRET_H
#define STAGEDOOR_SECRET_H

struct secret {
	char *ptr;
	size_t len;
};

#define SECRET_INIT { NULL, 0 }
#define SECRET_TAG_LEN 9	/* eight hex digits and NUL */

/* Copy bytes in, for what came from outside; the old content is wiped. */
void secret_set(struct secret *s, const char *data, size_t len);
/* to takes what from had; from is empty from there. */
void secret_move(struct secret *to, struct secret *from);
void secret_release(struct secret *s);
/* Constant time; an empty secret equals nothing, not even itself. */
bool secret_equal(const struct secret *s, const char *data, size_t len);
/* A tag for logs, keyed at random for each process. Fills and returns out. */
const char *secret_tag(const struct secret *s, char out[SECRET_TAG_LEN]);
/* Random bytes from the system; ends the process if it has none. */
void secret_random(void *out, size_t len);

#endif
