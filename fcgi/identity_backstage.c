/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who asks, where Backstage's tokens say so: a user's token or a static
 * external one in the Authorization header, and, for the few pages that are
 * read only, the limited token in Backstage's cookie.
 */
#include "base.h"

#include "arena.h"
#include "backstage_users.h"
#include "err.h"
#include "identity_private.h"
#include "request.h"
#include "runtime.h"
#include "settings.h"

#define PLUGIN "kubernetes"
#define COOKIE "backstage-auth"

/* The token of a Bearer header; NULL: there is none. Another scheme is as good
   as no header, and so is a token with a blank in it, as for Backstage. */
static const char *
bearer_token(const struct request *req)
{
	const char *h = request_header(req, "authorization");

	if (h == NULL || strncasecmp(h, "bearer ", 7) != 0)
		return NULL;
	h += 7;
	while (*h == ' ')
		h++;
	return *h == '\0' || strpbrk(h, " \t") != NULL ? NULL : h;
}

/* NULL: there is none, or more than one. */
static const char *
cookie_token(const struct request *req)
{
	const char *p = request_header(req, "cookie"), *found = NULL;
	size_t len;

	for (; p != NULL && *p != '\0'; p += len + (p[len] != '\0')) {
		p += strspn(p, " ");
		len = strcspn(p, ";");
		if (!str_starts(p, COOKIE "="))
			continue;
		if (found != NULL)
			return NULL;
		found = arena_strndup(req->arena, p + sizeof(COOKIE),
		    len - sizeof(COOKIE));
	}
	return found != NULL && *found != '\0' ? found : NULL;
}

/* ---- static external tokens ---- */

static const struct access_restriction *
restriction_for_us(const struct external_access *ea)
{
	size_t i;

	for (i = 0; i < ea->nrestrictions; i++)
		if (strcmp(ea->restrictions[i].plugin, PLUGIN) == 0)
			return &ea->restrictions[i];
	return NULL;
}

static int
restricted_elsewhere(struct request *req, const struct external_access *ea,
    struct err *err)
{
	const char *list = "";
	size_t i;

	for (i = 0; i < ea->nrestrictions; i++)
		list = arena_printf(req->arena, "%s%s'%s'", list,
		    *list ? ", " : "", ea->restrictions[i].plugin);
	return err_set(err, E_DENIED,
	    "This token's access is restricted to plugin(s) %s", list);
}

static int
service_identity(struct request *req, const struct external_access *ea,
    struct identity *who, struct err *err)
{
	const struct access_restriction *ar;

	who->kind = IDENTITY_SERVICE;
	who->user = ea->subject;
	if (!ea->has_restrictions)
		return 0;
	if ((ar = restriction_for_us(ea)) == NULL)
		return restricted_elsewhere(req, ea, err);
	if (ar->has_permissions) {
		who->restricted = true;
		who->permissions = (const char *const *)ar->permissions.items;
		who->npermissions = ar->permissions.n;
	}
	return 0;
}

/* ---- users ---- */

/* A token in a cookie is for reading, whatever it says itself. */
static int
user_identity(struct request *req, const char *token, bool cookie,
    struct identity *who, struct err *err)
{
	const struct backstage_question q = { token, req->limited_ok };
	struct backstage_user user;
	int r = backstage_users_find(req->rt->users, &q, req->arena, &user,
	    err);

	if (r == E_NOTFOUND)
		return err_set(err, E_AUTH, "Illegal token");
	if (r != 0)
		return r;
	who->kind = IDENTITY_USER;
	who->groups = user.groups;
	who->ngroups = user.ngroups;
	who->limited = cookie || user.limited;
	who->session = cookie;
	who->bearer = !who->limited;
	identity_set_user(req->arena, who, user.user);
	return 0;
}

int
identity_backstage(struct request *req, struct identity *who, struct err *err)
{
	const struct settings *s = req->rt->settings;
	const char *token = bearer_token(req), *cookie;
	const struct external_access *hit = NULL;
	size_t i;

	if (token == NULL && req->limited_ok &&
	    (cookie = cookie_token(req)) != NULL)
		return user_identity(req, cookie, true, who, err);
	if (token == NULL && s->auth_disabled)
		return 0;
	if (token == NULL)
		return err_set(err, E_AUTH, "Missing credentials");
	/* All are compared, so that time tells nothing about which matched. */
	for (i = 0; i < s->nexternal; i++)
		if (secret_equal(&s->external[i].token, token, strlen(token)))
			hit = &s->external[i];
	if (hit != NULL)
		return service_identity(req, hit, who, err);
	return user_identity(req, token, false, who, err);
}

const char *
identity_backstage_token(const struct request *req)
{
	const struct identity *who = &req->who;

	if (!who->bearer &&
	    (who->kind != IDENTITY_SERVICE || who->restricted))
		return NULL;
	return bearer_token(req);
}
