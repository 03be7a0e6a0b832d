/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who asks. identity*.c are the only readers of it,
 * from STAGEDOOR_* parameters (which only the web server can set), a token of
 * Backstage's that we verify, or one of ours that kubectl shows (portal.h).
 */
#ifndef STAGEDOOR_IDENTITY_H
#define STAGEDOOR_IDENTITY_H

struct arena;
struct cluster;
struct err;
struct request;

enum identity_kind {
	IDENTITY_NOBODY,	/* the default policy is disabled, no token */
	IDENTITY_GUEST,		/* identity.guest */
	IDENTITY_USER,
	IDENTITY_SERVICE,	/* a static external token: no user, so it
				   has no tokens of its own */
};

struct identity {
	enum identity_kind kind;
	const char *user;		/* "user:default/some.user"; NULL for
					   nobody; the subject for a service */
	const char *name, *namespace;	/* parts of user */
	const char *email;		/* NULL if unknown */
	const char **groups;
	size_t ngroups;
	bool session;			/* the web server's word, so a cookie
					   may stand behind it: see the
					   same-origin rule */
	bool limited;			/* its token is for reading only */
	bool bearer;			/* a user token in Authorization */
	const char *portal;		/* by a token of stagedoor login: the id
					   of its session; NULL: it is not */
	/* of a service: the permissions its token is restricted to */
	const char *const *permissions;
	size_t npermissions;
	bool restricted;
};

/*
 * Find out who asks, for a request of the runtime in req->rt. Strings live
 * in the request's arena. 0; E_AUTH (with the contract's message), E_DENIED
 * (restricted token), E_INPUT (a parameter twice, too long, or odd), E_BUSY
 * or E_CONFIG (tokens cannot be checked). Limited tokens of Backstage count
 * where req->limited_ok, which the route says, and so do portal tokens where
 * req->portal_ok. One that is shown is who asks, or nobody is: never the guest,
 * nor somebody else whom the web server names.
 */
int identity_of(struct request *req, struct identity *out, struct err *err);
/*
 * The token of Backstage's that req->who is known by and that may go to
 * Backstage's back ends: a user's, or one of a service that is not restricted.
 * NULL: there is none. Borrowed from the request.
 */
const char *identity_backstage_token(const struct request *req);
/* Somebody whom the command line names; NULL: not given. */
struct identity_words {
	const char *user, *email, *groups;	/* groups: comma separated */
};

/*
 * Who that is, as if the web server had said it: user is an entity ref or a
 * bare name; "" or the ref of identity.guest is the guest, as far as the
 * settings have one, or nobody where they need none. Uses req->rt and
 * req->arena only. 0, E_AUTH or E_INPUT.
 */
int identity_named(struct request *req, const struct identity_words *words,
    struct identity *out, struct err *err);
/*
 * The same-origin rule for unsafe methods of a session
 * (architecture.md, "What must always hold", 8). 0 or E_DENIED.
 */
int identity_same_origin(const struct request *req,
    const struct identity *who, struct err *err);
/* May who see and use the cluster (allow, guests)? */
bool identity_may_use(const struct identity *who, const struct cluster *c);
/* The full, lower-cased ref of "x", "user:x", "user:ns/x"; NULL if bad. */
const char *identity_ref(struct arena *arena, const char *text,
    const char *default_kind);

#endif
