/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whom Backstage's user tokens stand for. A token is verified with the keys
 * of Backstage's auth back end (fetched, kept and renewed by documents.h; an
 * unknown key has them fetched at once), and what came of it is kept until
 * the token ends or the keys change. Groups are what the token says, or,
 * where it does not, what the userinfo endpoint says; without an answer a
 * user has no groups for USERINFO_RETRY_MS, so that what is open to a group
 * stays shut. Any thread.
 */
#ifndef STAGEDOOR_BACKSTAGE_USERS_H
#define STAGEDOOR_BACKSTAGE_USERS_H

struct arena;
struct backstage_users;
struct documents;
struct err;
struct settings;
struct transport;

#define BACKSTAGE_USERS_KEPT 1024	/* tokens; each at most 32 KiB */
#define BACKSTAGE_GROUPS_MAX 16384	/* bytes of all groups of a user */
#define USERINFO_RETRY_MS 10000

/* documents may be NULL: then no token can be checked. Settings, transport
   and documents must live longer. */
struct backstage_users *backstage_users_new(const struct settings *settings,
    struct transport *transport, struct documents *documents);
void backstage_users_free(struct backstage_users *bu);	/* NULL is fine */

struct backstage_user {		/* strings are in the caller's arena */
	const char *user;	/* lower-cased, "user:ns/name" */
	const char **groups;	/* refs, likewise; none with a comma */
	size_t ngroups;
	bool limited;		/* the token is for reading only */
};

struct backstage_question {
	const char *token;
	bool limited_ok;	/* else limited tokens are refused */
};

/*
 * 0; E_NOTFOUND: this is no user token; E_AUTH: it is not a good one; E_BUSY:
 * the keys cannot be had now (E_CONFIG: or ever), which says nothing about
 * the token. err.text may be shown to a stranger, the detail is for the log.
 * May block as long as the keys and the user's groups take.
 */
int backstage_users_find(struct backstage_users *bu,
    const struct backstage_question *q, struct arena *arena,
    struct backstage_user *out, struct err *err);

#endif
