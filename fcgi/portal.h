/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kubectl through the portal: whether it is on, what its addresses are, and
 * what a process keeps for it: sessions that were looked up a moment ago, and
 * how often strangers asked. Any thread.
 *
 * `stagedoor login` (cmd_login.c) asks at /portal/device for a device's code
 * and a user's (RFC 8628), the user allows it at /portal/activate
 * (portal_activate.c, portal_code.h), and /portal/token gives the token
 * (portal_token.h) of a session (portal_session.h).
 */
#ifndef STAGEDOOR_PORTAL_H
#define STAGEDOOR_PORTAL_H

#include "portal_session.h"

struct portal;
struct request;
struct runtime;

#define PORTAL_STALE_MS 1000	/* that an ended session may be taken for one
				   that is not */

struct portal *portal_new(void);
void portal_free(struct portal *p);		/* NULL is fine */

/*
 * 0, or E_CONFIG with why not: it takes stagedoor.publicUrl, with https or on
 * loopback, and stagedoor.store.
 */
int portal_ready(const struct runtime *rt, struct err *err);
/* Whom tokens are for, and what `stagedoor login --portal` is told:
   publicUrl and basePath. In the arena. */
const char *portal_audience(const struct runtime *rt, struct arena *arena);
/* Its path, as the browser has it: what comes before "/portal". */
const char *portal_path(const struct runtime *rt, struct arena *arena);

/*
 * Who shows that token, by its session, looked up in the store unless that was
 * done within PORTAL_STALE_MS. 0 with *out in the arena; E_AUTH: the token is
 * not good, or its session is over; E_BUSY: the store cannot say; E_CONFIG:
 * there are no such tokens here.
 */
int portal_find(const struct runtime *rt, struct arena *arena,
    const char *token, struct portal_session *out, struct err *err);
/* This process has ended the session: it need not wait to see it. */
void portal_forget(const struct runtime *rt, const char *id);

/* May this address ask for one more device code? */
bool portal_may_ask(struct portal *p, const char *address);
/* Does that device (its nonce) keep to the interval? */
bool portal_may_poll(struct portal *p, const char *nonce);
#define PORTAL_INTERVAL 2	/* seconds between a device's questions */

#endif
