/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The portal as a person's machine sees it: the device flow (RFC 8628), and
 * what becomes of its token. One thread.
 */
#ifndef STAGEDOOR_PORTAL_CLIENT_H
#define STAGEDOOR_PORTAL_CLIENT_H

#include "err.h"
#include "secret.h"

struct arena;
struct transport;

struct portal_client {
	struct transport *transport;
	struct arena *arena;
	const char *url;	/* publicUrl and basePath; no slash ends it */
};

struct portal_codes {		/* strings are the arena's */
	struct secret device;
	const char *user, *page, *page_complete;	/* the last: or NULL */
	int64_t expires;	/* mono ms */
	int64_t interval;	/* ms */
};

struct portal_given {
	struct secret token;
	const char *user;	/* whom it is for; the arena's, or NULL */
	int64_t expires;	/* wall ms, by our clock */
};

/*
 * An address that tokens may be asked for at: https, or http on loopback, no
 * user info, no query. *out is the arena's, without slashes at its end. 0, or
 * E_INPUT.
 */
int portal_client_url(struct arena *arena, const char *text,
    const char **out, struct err *err);
/* 0 with codes; else why there are none. name: what this machine calls
   itself. */
int portal_client_begin(const struct portal_client *pc, const char *name,
    struct portal_codes *codes, struct err *err);
/* 0 with *out; E_PENDING: ask again after codes->interval; else it is over. */
int portal_client_poll(const struct portal_client *pc,
    struct portal_codes *codes, struct portal_given *out, struct err *err);
/* Is the token good? 0; E_AUTH: it is not; else nobody knows. */
int portal_client_check(const struct portal_client *pc,
    const struct secret *token, struct err *err);
/* 0, or why the portal could not be told. */
int portal_client_revoke(const struct portal_client *pc,
    const struct secret *token, struct err *err);

#endif
