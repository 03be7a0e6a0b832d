/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who asks, where kubectl shows a token of stagedoor login (portal.h), in
 * either mode. It counts for clusters only: with it nobody signs in, lists or
 * allows anything, so who steals one has a cluster for an hour and no more.
 */
#include "base.h"

#include "arena.h"
#include "err.h"
#include "identity_private.h"
#include "portal.h"
#include "request.h"
#include "runtime.h"
#include "settings.h"

const char *
identity_portal_token(const struct request *req)
{
	const char *h = request_header(req, "authorization");

	if (h == NULL || strncasecmp(h, "bearer ", 7) != 0)
		return NULL;
	h += 7;
	while (*h == ' ')
		h++;
	return portal_token_looks(h) ? h : NULL;
}

/*
 * The web server's location for kubectl knows no session, so it names nobody.
 * Where it does name somebody, it may have asked /authorize about this very
 * token; two users at once are not guessed between.
 */
static int
check_named(struct request *req, const char *user, struct err *err)
{
	const char *named, *ref;
	int r;

	if (req->rt->settings->identity_backstage)
		return 0;
	r = identity_param(req, "STAGEDOOR_USER", IDENTITY_REF_MAX, &named,
	    err);
	if (r != 0 || named == NULL)
		return r;
	ref = identity_ref(req->arena, named, "user");
	if (ref != NULL && strcmp(ref, user) == 0)
		return 0;
	return err_set(err, E_AUTH, "the web server names another user than "
	    "the token of stagedoor login");
}

int
identity_portal(struct request *req, const char *token,
    struct identity *who, struct err *err)
{
	struct portal_session *s = arena_alloc(req->arena, sizeof(*s));
	int r;

	if (!req->portal_ok)
		return err_set(err, E_AUTH, "a token of stagedoor login is "
		    "good for clusters only");
	r = portal_find(req->rt, req->arena, token, s, err);
	if (r == E_CONFIG)
		return err_set(err, E_AUTH, "tokens of stagedoor login are "
		    "not good here");
	if (r != 0 || (r = check_named(req, s->user, err)) != 0)
		return r;
	who->kind = IDENTITY_USER;
	who->email = s->email;
	who->groups = s->groups;
	who->ngroups = s->ngroups;
	who->portal = s->id;
	identity_set_user(req->arena, who, s->user);
	return 0;
}
