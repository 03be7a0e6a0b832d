/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The audit log: one JSON object a line, for machines. Who did what on which
 * cluster, with which kind of credential; sign-ins, refreshes, revocations.
 * Never a secret, and a path without its query. Values are bounded and
 * escaped, so nobody can forge a line. A line is written whole, by one write,
 * and is shorter than SINK_LINE_MAX. What cannot be written is said in the
 * program's log, once a minute, stops nothing, and leaves an event "lost"
 * with their number where lines go on. Thread-safe.
 */
#ifndef STAGEDOOR_AUDIT_H
#define STAGEDOOR_AUDIT_H

#include "err.h"

/*
 * "stderr", "syslog", "file:PATH" (made for its owner only, appended to,
 * opened anew by audit_reopen, or within a second after it was moved) or
 * "off", as before any call. At the start, and again on reload. 0, or
 * E_CONFIG with why not: then nothing has changed.
 */
int audit_init(const char *to, struct err *err);
/* Could it? Opens and makes nothing. 0 or E_CONFIG. */
int audit_check(const char *to, struct err *err);
/* On SIGHUP, after logrotate moved the file. */
void audit_reopen(void);
void audit_end(void);

/* What is NULL, or 0, is left out, but "ms" of what has a path. */
struct audit_event {
	const char *event;	/* "request", "sign-in", "sign-in-failed",
				   "refresh", "refresh-failed", "sign-out",
				   "revoke", "device"; of kubectl through
				   the portal (provider "portal") "allow",
				   "refuse", "issue", "revoke" */
	const char *user;	/* entity ref */
	const char *kind;	/* "user", "guest", "service", "nobody" */
	const char *by;		/* who did it, if not the user: "cli" */
	const char *cluster;
	const char *method, *path;	/* path: up to a "?" */
	int status;
	/* "token", "certificate", "authorization" (a whole header), "none";
	   and whose: "client" brought it, "stored" by a sign-in with us, or
	   "server", the server's own, of that provider */
	const char *credential, *source;
	const char *provider, *name;	/* name: the token provider */
	const char *as;		/* whom the credential acts for, as the
				   cluster is told (Impersonate-User) */
	const char *account, *issuer;	/* whom the issuer knows; account of
				   kubectl: what its machine calls itself */
	const char *session;	/* of kubectl: the beginning of its id */
	const char *from;	/* address that asked for it */
	const char *result;	/* "ok", or what went wrong */
	const char *id;		/* of the request */
	int64_t ms;		/* how long it took */
};
void audit(const struct audit_event *e);

#endif
