/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Portal tokens: what `stagedoor login` gives to kubectl, and kubectl back to
 * us as a Bearer token. "sdp1.", the wall ms at which it ends, a dot, and
 * base64url of bytes that the store sealed (seal.h: AES-256-GCM, the first
 * key of the ring seals, all open). The audience (publicUrl and basePath) and
 * the end are what it is sealed for, so it opens nowhere else and for no
 * longer; inside are its id, its user and where the store has its session.
 * E-mail and groups are there and not in the token: a header has bounds.
 *
 * That it opens is half of what it takes: its session must be there too
 * (portal_session.h), so that it can be ended. Any thread.
 */
#ifndef STAGEDOOR_PORTAL_TOKEN_H
#define STAGEDOOR_PORTAL_TOKEN_H

#include "store.h"

struct arena;
struct err;

#define PORTAL_TOKEN_MAX 3900
#define PORTAL_ID 33		/* 16 random bytes in hex, and NUL */
#define PORTAL_ID_SHORT 8	/* digits of it that people are shown */

struct portal_token {
	char id[PORTAL_ID];
	const char *user;	/* "user:default/ann" */
	unsigned slot;		/* of the user's sessions */
	int64_t expires;	/* wall ms */
};

/* Is it meant as one, of whatever version, good or bad? */
bool portal_token_looks(const char *text);
/* *out is the text, in the arena. 0, or E_TOOLARGE. */
int portal_token_print(struct store *st, struct arena *arena,
    const char *audience, const struct portal_token *t, const char **out);
/*
 * 0 with *out, its user in the arena; E_AUTH: it is none of ours, not for
 * this audience, altered, or over. Reads no row of the store.
 */
int portal_token_open(struct store *st, struct arena *arena,
    const char *audience, const char *text, struct portal_token *out);

/* Another id. */
void portal_id_new(char out[PORTAL_ID]);
/* The beginning, for logs and lists; NULL gives NULL. */
const char *portal_id_short(struct arena *arena, const char *id);
/* Bound to the audience: the item that kind of thing is sealed for. */
struct store_item portal_item(const char *kind, const char *audience);

#endif
