/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What each cluster is for one user: how it is reached, and whether a sign-in
 * for it is kept here, for how long and by which account. For the page
 * /connect and for GET /connect.json, which answers
 *
 *	{ "user": "user:default/ann",		of users and guests
 *	  "canConnect": true,			false for all but users
 *	  "error": "...",			if the sign-ins cannot be read
 *	  "clusters": [ {
 *	    "name": "one", "title": "One",	as GET /clusters has them; no
 *						title: it has none
 *	    "authProvider": "oidc",		as the settings have it
 *	    "oidcTokenProvider": "okta",	of oidc
 *	    "reached": "user",			server: with the server's own
 *						credential, for everyone the
 *						same; acting: so too, but it
 *						acts for the user; user: with
 *						the tokens of a sign-in kept
 *						here; frontend: with a token
 *						that the portal's page brings
 *	    "signIn": "stagedoor",		of "user" only, like all below
 *	    "connect": "/api/kubernetes/connect/oidc/okta",	where to POST
 *						for a sign-in; none: nobody can
 *						sign in there
 *	    "connected": true,			absent: not known now
 *	    "account": "ann@example.org",	of a sign-in, as are these:
 *	    "expires": "2026-01-02T03:04:05.678Z",	when the token in use
 *						ends; absent: not known
 *	    "renewed": true,			and is renewed by itself
 *	    "ended": "...",			why it is over, if it is
 *	    "kubeconfig": "/api/kubernetes/connect/kubeconfig/one"	where
 *						one is offered
 *	  } ],
 *	  "kubectl": {				of users, where it is on
 *	    "end": "/api/kubernetes/portal/end",	where to POST a session
 *	    "sessions": [ { "id": "...", "device": "laptop",
 *	      "from": "192.0.2.1", "since": "...", "expires": "..." } ] } }
 *
 * with only those clusters that the user may use, in their usual order. The
 * clusters of one login share its sign-in.
 */
#ifndef STAGEDOOR_CONNECT_LIST_H
#define STAGEDOOR_CONNECT_LIST_H

struct arena;
struct cluster;
struct identity;
struct login_settings;
struct portal_sessions;
struct runtime;
struct strbuf;

enum connect_reach {
	CONNECT_SERVER,
	CONNECT_ACTING,
	CONNECT_USER,
	CONNECT_FRONTEND,
};

/* A login's sign-in; one for all its clusters. */
struct connect_login {
	const struct login_settings *settings;
	const char *path;		/* where to POST */
	bool known;			/* what follows was read */
	bool connected, renewed;
	const char *account, *ended;	/* NULL: none */
	int64_t expires;		/* wall ms; 0: not known */
};

struct connect_entry {
	const struct cluster *cluster;
	enum connect_reach reached;
	const struct connect_login *login;	/* NULL: none */
	const char *kubeconfig;		/* path of its file; NULL: none is
					   offered */
};

struct connect_list {		/* borrowed from the runtime, or the arena's */
	const char *user;		/* NULL: nobody */
	bool can_connect;
	bool unread;			/* the store failed */
	bool kubectl;			/* it can be used through the portal */
	const char *kubectl_path;	/* where to POST a session's end */
	const char *kubectl_all;	/* path of the file for all clusters;
					   NULL: none is offered */
	struct portal_sessions *sessions;	/* with kubectl only */
	struct connect_login *logins;
	size_t nlogins;
	struct connect_entry *entries;
	size_t n;
};

enum connect_reach connect_reach_of(const struct cluster *c);
/* Below whatever the browser has before it: "/api/kubernetes/connect", and,
   if publicUrl has a path, that before it. */
const char *connect_base(const struct runtime *rt, struct arena *arena);
/* "oidc/okta", "google": of paths below that. */
const char *connect_login_path(const struct login_settings *login,
    struct arena *arena);

/*
 * Read it all, the store once for each login. now: wall ms. A store that
 * fails is said in `unread`, and in the log.
 */
void connect_list_read(const struct runtime *rt, const struct identity *who,
    struct arena *arena, int64_t now, struct connect_list *out);
void connect_list_json(const struct connect_list *list, struct strbuf *out);

#endif
