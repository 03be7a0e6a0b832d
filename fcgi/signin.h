/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A sign-in between its start and its callback. What the callback has to know
 * is kept by the browser, in a cookie for each sign-in, sealed by the store
 * for the sign-in's state: so no server keeps what was only begun, and any of
 * them may see its end. Each is good once, in the browser that began it, for
 * ten minutes. Any thread.
 */
#ifndef STAGEDOOR_SIGNIN_H
#define STAGEDOOR_SIGNIN_H

#include "../providers/oauth.h"

struct arena;

#define SIGNIN_MS 600000
#define SIGNIN_RETURN_MAX 512
#define SIGNIN_COOKIE "stagedoor-signin-"
#define SIGNIN_SECURE "__Secure-"	/* before it where all is https */
#define SIGNIN_COOKIE_NAME 48		/* room for both, 16 hex digits and
					   NUL */

/* Strings are borrowed, or the arena's. Holds secrets: in an arena only. */
struct signin {
	struct oauth_begin begun;
	const char *user;		/* who began it */
	const char *provider, *name;	/* of the login; name "" but for
					   oidc */
	const char *after;		/* the path to come back to */
};

/*
 * Is it a path of our own site that a browser may be sent to? One "/" at its
 * start and no second one, nothing that some browser reads as one, no control
 * characters, and not too long.
 */
bool signin_local(const char *path);

/* The cookie's name: by the state, whose hash alone stands there. */
void signin_cookie(const char *state, bool secure,
    char out[SIGNIN_COOKIE_NAME]);
/* *out is its value, in the arena. 0, or E_TOOLARGE. */
int signin_seal(struct store *st, struct arena *arena,
    const struct signin *s, int64_t now, const char **out);
/*
 * By the state that the callback brings. 0 with *out, its strings in the
 * arena; E_NOTFOUND: too old, or sealed with a key that is gone; E_STORE:
 * altered, or of another sign-in.
 */
int signin_open(struct store *st, struct arena *arena,
    const char *state, const char *value, struct signin *out);
/*
 * Use it up, for all processes and hosts that share the store. 0; E_BUSY:
 * that has been done before; E_STORE: nobody knows.
 */
int signin_use(struct store *st, const char *state, struct err *err);

#endif
