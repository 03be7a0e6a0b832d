/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What went wrong: a code for the program, a public sentence that a browser
 * may see, a private one for the log. Neither ever holds a secret.
 *
 * A function returns 0 or one of the negative E_* below and fills err.
 * Only response.c turns a code into an HTTP status. A message names what
 * failed before whom it failed for, without capital and full stop:
 * "cannot read token of cluster 'one': permission denied".
 * err may be NULL in every call: then nothing is kept.
 */
#ifndef STAGEDOOR_ERR_H
#define STAGEDOOR_ERR_H

enum {
	E_INPUT = -1,		/* the client's request is wrong */
	E_AUTH = -2,		/* who asks is unknown */
	E_DENIED = -3,		/* who asks may not */
	E_NOTFOUND = -4,
	E_TOOLARGE = -5,	/* over a bound of ours */
	E_MEDIA = -6,		/* a content type or charset we cannot read */
	E_BUSY = -7,		/* try again later */
	E_TIMEOUT = -8,		/* a deadline passed */
	E_CONNECT = -9,		/* no connection: refused, unreachable, DNS */
	E_TLS = -10,		/* certificate or handshake */
	E_PROTOCOL = -11,	/* the peer spoke nonsense or stopped early */
	E_BREAKER = -12,	/* not tried: the breaker is open */
	E_GONE = -13,		/* the client left */
	E_SIGNIN = -14,		/* this user must sign in first */
	E_NOTBUILT = -15,	/* known by name, not built in yet */
	E_CONFIG = -16,		/* the settings cannot work */
	E_SYSTEM = -17,		/* a system call failed; errno is in the text */
	E_URI = -18,		/* a percent-encoding in the path is none */
	E_PENDING = -19,	/* being made: ask again when it is there */
	E_STORE = -20,		/* the store failed */
};

struct err {
	int code;
	char text[512];		/* public */
	char detail[512];	/* private; "" when there is none */
};

#define ERR_INIT { 0, "", "" }

/* Set code and public text (cut to fit); clears detail. Returns code. */
int err_set(struct err *err, int code, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
/* Add the private detail to an error that is set already. */
void err_detail(struct err *err, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
