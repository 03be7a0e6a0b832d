/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kubectl's sessions of users, one for each portal token: rows of kind
 * "portal" in the store, by user and slot. A user has so many slots; the next
 * sign-in takes one that is free, or that of the oldest session. So what is
 * kept is bounded, and all of one user's are found without looking at others.
 * Versioned. Any thread; each call is a few of the store's.
 */
#ifndef STAGEDOOR_PORTAL_SESSION_H
#define STAGEDOOR_PORTAL_SESSION_H

#include "portal_token.h"

#define PORTAL_KIND "portal"
#define PORTAL_SLOTS 16
#define PORTAL_GROUPS_MAX 1024

/* Strings are borrowed, or the arena's. */
struct portal_session {
	char id[PORTAL_ID];
	unsigned slot;
	const char *user;
	const char *email;		/* NULL: not known */
	const char **groups;
	size_t ngroups;
	const char *from;		/* address that asked; "" unknown */
	const char *device;		/* what it calls itself; "": nothing */
	int64_t issued, expires;	/* wall ms */
};

/*
 * Keep s, with a new id and a slot, which are filled in. 0 when it is durable;
 * E_BUSY: other sign-ins of this user are under way; E_TOOLARGE (groups);
 * E_STORE.
 */
int portal_session_begin(struct store *st, struct portal_session *s,
    struct err *err);
/* The session of s->user in s->slot: 0 with all of s filled, E_NOTFOUND or
   E_STORE. */
int portal_session_get(struct store *st, struct arena *arena,
    struct portal_session *s, struct err *err);
/* Its text as the store has it, for who keeps it: 0, E_NOTFOUND, E_STORE. */
int portal_session_read(struct store *st, const char *user, unsigned slot,
    struct secret *out, struct err *err);
/* False: it is none, or by a later version. */
bool portal_session_parse(struct arena *arena, const char *text,
    struct portal_session *out);
/* End that of s->user with s->id. 0 with all of s filled; E_NOTFOUND: it is
   over, or another's; E_STORE. */
int portal_session_end(struct store *st, struct arena *arena,
    struct portal_session *s, struct err *err);
struct portal_sessions {
	struct portal_session items[PORTAL_SLOTS];	/* oldest first */
	size_t n;
};
/* All of one user's: 0 or E_STORE. */
int portal_session_list(struct store *st, struct arena *arena,
    const char *user, struct portal_sessions *out, struct err *err);
/*
 * Call each with everybody's, until it returns non-zero, which is given back.
 * Those that cannot be read are counted in *bad. What it is given ends with
 * the call.
 */
int portal_session_each(struct store *st, int (*each)(void *ctx,
    const struct portal_session *s), void *ctx, size_t *bad,
    struct err *err);
/* Remove those that cannot be read: *n of them. */
int portal_session_drop_unread(struct store *st, size_t *n,
    struct err *err);

#endif
