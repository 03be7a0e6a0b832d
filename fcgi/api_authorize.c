/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who asks, told to the web server, so that it can tell others: GET
 * /authorize for nginx's auth_request, and the authorizer's role of FastCGI
 * (specification, section 6.3) for Apache. What is said is never read from
 * anything but what identity.h reads.
 */
#include "base.h"

#include "api.h"
#include "arena.h"
#include "err.h"
#include "path.h"
#include "request.h"
#include "response.h"
#include "runtime.h"
#include "settings.h"

/* Is it a path of ours that leads to a cluster? Whatever cannot be told is
   one. */
static bool
leads_to_cluster(const struct request *req, const char *uri)
{
	const char *base = req->rt->settings->base_path;
	size_t len = strlen(base);
	const char *path = path_normalise(req->arena, arena_strndup(
	    req->arena, uri, strcspn(uri, "?")));

	if (path == NULL)
		return true;
	if (strncasecmp(path, base, len) != 0)
		return false;
	path += len;
	return strncasecmp(path, "/proxy", 6) == 0 ||
	    strncasecmp(path, "/clusters/", 10) == 0;
}

static bool
wants_cluster(const struct request *req)
{
	const char *cluster = request_param(req, "STAGEDOOR_CLUSTER");
	const char *uri = request_param(req, "STAGEDOOR_URI");

	return (cluster != NULL && *cluster != '\0') ||
	    (uri != NULL && leads_to_cluster(req, uri));
}

/* A comma would make two of one. */
static const char *
groups_joined(const struct request *req)
{
	struct strbuf sb = STRBUF_INIT(STRBUF_UNLIMITED);
	const char *text;
	size_t i;

	for (i = 0; i < req->who.ngroups; i++) {
		if (strchr(req->who.groups[i], ',') != NULL)
			continue;
		if (sb.len > 0)
			strbuf_addch(&sb, ',');
		strbuf_addstr(&sb, req->who.groups[i]);
	}
	text = arena_strndup(req->arena, sb.buf, sb.len);
	strbuf_release(&sb);
	return text;
}

/* 0, or why there is nobody to name. */
static int
may_be_named(const struct request *req, struct err *err)
{
	if (req->who.kind == IDENTITY_SERVICE)
		return err_set(err, E_DENIED, "this token is a service's, and "
		    "stands for no user");
	if (wants_cluster(req))
		return err_set(err, E_NOTBUILT, "credentials of clusters are "
		    "not handed out here yet: only who asks");
	return 0;
}

static int
say(struct request *req, int status, const char *const names[2])
{
	const char *groups = groups_joined(req);

	response_start(req, status);
	response_header(req, "Cache-Control", "no-store");
	if (req->who.user != NULL) {
		response_header(req, names[0], req->who.user);
		if (*groups != '\0')
			response_header(req, names[1], groups);
	}
	return response_body(req);
}

int
api_authorize(struct request *req)
{
	static const char *const names[] = { "X-Stagedoor-User",
	    "X-Stagedoor-Groups" };
	struct err err = ERR_INIT;

	if (may_be_named(req, &err) != 0)
		return response_error(req, &err);
	return say(req, 204, names);
}

/* 200 lets the request pass; any other answer goes to the client as it is. */
int
api_authorizer(struct request *req)
{
	static const char *const names[] = { "Variable-STAGEDOOR_USER",
	    "Variable-STAGEDOOR_GROUPS" };
	struct err err = ERR_INIT;

	if (may_be_named(req, &err) != 0)
		return response_error(req, &err);
	return say(req, 200, names);
}
