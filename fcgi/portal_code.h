/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Codes of the device flow (RFC 8628) and what becomes of them. Anybody may
 * ask for codes, so nothing is kept for that: the device's code holds, sealed,
 * the user's code and who asked. A row, of kind "portal-code", is made when a
 * signed-in user enters a code, and each user has a few tries. The next time
 * its device asks, the row learns who that is; the user sees it and allows or
 * refuses it; the device's next question uses it up:
 *
 *	(no row) -> CLAIMED -> ASKING -> ALLOWED -> USED
 *	  user's entry  device's   user's   device's
 *	                question   answer   question	or REFUSED
 *
 * Each step replaces just what was there before it (store_swap), so a code is
 * good for one user, one device and one token. Any thread.
 */
#ifndef STAGEDOOR_PORTAL_CODE_H
#define STAGEDOOR_PORTAL_CODE_H

#include "portal_token.h"

struct arena;
struct err;
struct identity;

#define PORTAL_CODE 10		/* "WDJB-MJHT" and NUL: 34 bits, of letters
				   without vowels (RFC 8628, section 6.1) */
#define PORTAL_CODE_MS 600000	/* that codes are good for */
#define PORTAL_TRIES 20		/* codes that a user may enter in that time */
#define PORTAL_FROM_MAX 64	/* bytes of an address */
#define PORTAL_DEVICE_MAX 64	/* of what a device calls itself */

void portal_code_new(char out[PORTAL_CODE]);
/* As people type it: any case, with blanks, without the dash. False: it is
   none. */
bool portal_code_parse(const char *text, char out[PORTAL_CODE]);

struct portal_device {		/* strings are borrowed, or the arena's */
	char nonce[PORTAL_ID];
	char code[PORTAL_CODE];
	const char *from, *name;
	int64_t asked, expires;		/* wall ms */
};

/* *out is the device's code, in the arena. 0, or E_TOOLARGE. */
int portal_device_print(struct store *st, struct arena *arena,
    const char *audience, const struct portal_device *d, const char **out);
/* 0; E_NOTFOUND: too old, or its key is gone; E_INPUT: it is none. */
int portal_device_open(struct store *st, struct arena *arena,
    const char *audience, const char *text, struct portal_device *out);

enum portal_state {
	PORTAL_CLAIMED,
	PORTAL_ASKING,
	PORTAL_ALLOWED,
	PORTAL_REFUSED,
	PORTAL_USED,
};

struct portal_request {		/* the row */
	enum portal_state state;
	char code[PORTAL_CODE];
	const char *user, *email;	/* email NULL: not known */
	const char **groups;		/* as when it was allowed */
	size_t ngroups;
	char nonce[PORTAL_ID];		/* of the device; "" while CLAIMED */
	const char *from, *name;
	int64_t claimed, asked, expires;	/* wall ms */
	const char *text;		/* as the store has it */
};

/* 0 with *out in the arena; E_NOTFOUND: no user entered it; E_STORE. */
int portal_request_get(struct store *st, struct arena *arena,
    const char *code, struct portal_request *out, struct err *err);
/*
 * The user entered pr->code: 0 with all of pr (what was there, if it was
 * theirs);
 * E_DENIED: it is another's, or these were too many; E_BUSY; E_STORE.
 */
int portal_request_claim(struct store *st, struct arena *arena,
    const struct identity *who, struct portal_request *pr,
    struct err *err);
/*
 * The device asks, and finds pr, which the caller read. 0: it has learnt who
 * asks; E_DENIED: another device asked with that code; E_BUSY: it is another
 * row now; E_STORE.
 */
int portal_request_meet(struct store *st, struct portal_request *pr,
    const struct portal_device *d, struct err *err);
/* The user's answer to what the page showed. 0; E_BUSY: it is another row
   now; E_TOOLARGE (groups); E_STORE. */
int portal_request_decide(struct store *st, struct portal_request *pr,
    const struct identity *who, bool allow, struct err *err);
/* 0: it is the caller's, who makes a token; E_BUSY: others were first;
   E_STORE. */
int portal_request_use(struct store *st, struct portal_request *pr,
    struct err *err);

#endif
