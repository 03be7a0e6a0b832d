/* SPDX-License-Identifier: Apache-2.0 */
/* From a path below basePath to a cluster and a path on it. */
#include "base.h"

#include "arena.h"
#include "err.h"
#include "path.h"
#include "proxy_target.h"
#include "request.h"
#include "runtime.h"

#define NAMED "/clusters/"

bool
proxy_is_read(const struct request *req)
{
	return strcmp(req->method, "GET") == 0 || req->is_head ||
	    strcmp(req->method, "OPTIONS") == 0;
}

bool
proxy_wants_upgrade(const struct request *req)
{
	const char *to = request_header(req, "upgrade");

	/* Some web servers keep the former header for themselves. */
	return (to != NULL && (strcasestr(to, "websocket") != NULL ||
	    strcasestr(to, "spdy/") != NULL)) ||
	    request_header(req, "sec-websocket-key") != NULL;
}

const struct cluster *
proxy_cluster_named(const struct request *req, const char *name,
    struct err *err)
{
	const struct clusters *cs = &req->rt->clusters;
	const struct cluster *c = clusters_find(cs, name);

	if (c != NULL && identity_may_use(&req->who, c))
		return c;
	if (cs->n == 0)
		err_set(err, E_NOTFOUND, "No Clusters configured");
	else
		err_set(err, E_NOTFOUND, "Cluster '%s' not found", name);
	return NULL;
}

/* The name of the only cluster that who asks may use; NULL: not one. */
static const char *
only_name(const struct request *req)
{
	const struct clusters *cs = &req->rt->clusters;
	const char *name = NULL;
	size_t i;

	for (i = 0; i < cs->n; i++) {
		if (!identity_may_use(&req->who, cs->items[i]))
			continue;
		if (name != NULL)
			return NULL;
		name = cs->items[i]->name;
	}
	return name;
}

static const struct cluster *
named_by_header(const struct request *req, struct err *err)
{
	const char *name = request_header(req, "backstage-kubernetes-cluster");

	if (name == NULL || *name == '\0') {
		const char *only = only_name(req);

		name = only != NULL ? only : name;
	}
	return proxy_cluster_named(req, name ? name : "undefined", err);
}

static const struct cluster *
named_by_path(const struct request *req, const char **rest, struct err *err)
{
	const char *name = req->below + strlen(NAMED);
	size_t len = strcspn(name, "/");
	const char *plain = path_decode(req->arena, name, len);

	*rest = name + len + strlen("/proxy");
	return proxy_cluster_named(req, plain ? plain : "", err);
}

const struct cluster *
proxy_cluster(struct request *req, const char **rest, struct err *err)
{
	if (strncasecmp(req->below, NAMED, strlen(NAMED)) == 0)
		return named_by_path(req, rest, err);
	*rest = req->below + strlen("/proxy");
	return named_by_header(req, err);
}

const char *
proxy_path(const struct request *req, const char *rest, struct err *err)
{
	if (path_climbs(rest)) {
		err_set(err, E_INPUT, "path leaves the cluster's base path");
		return NULL;
	}
	rest = path_squeeze(req->arena, rest);
	return *rest == '/' ? rest : arena_printf(req->arena, "/%s", rest);
}

/* TRACE asks to be shown the request, and whoever answers it on the way would
   show the credential in it: Apache does. */
static bool
passes(const char *method)
{
	return strcmp(method, "TRACE") != 0 && strcmp(method, "CONNECT") != 0;
}

int
proxy_allowed(const struct request *req, const struct cluster *c,
    struct err *err)
{
	if (!passes(req->method))
		return err_set(err, E_INPUT, "method %s does not pass",
		    req->method);
	if (!c->read_only || (proxy_is_read(req) && !proxy_wants_upgrade(req)))
		return 0;
	return err_set(err, E_DENIED, "cluster '%s' is read-only", c->name);
}
