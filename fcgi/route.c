/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one table of routes. Order of a request: parameters, who asks (before
 * routing, so that an unknown path tells a stranger nothing), route, what a
 * token is restricted to, origin, Backstage's permissions, handler.
 */
#include "base.h"

#include "api.h"
#include "arena.h"
#include "audit_request.h"
#include "clock.h"
#include "connect_answer.h"
#include "err.h"
#include "log.h"
#include "metrics.h"
#include "permission.h"
#include "request.h"
#include "response.h"
#include "route.h"
#include "runtime.h"
#include "settings.h"

struct route {
	const char *method;	/* NULL: any; GET answers HEAD too */
	/* Segments; "*" is any one; a last "**" is anything or nothing. */
	const char *pattern;
	const char *permission;	/* that a restricted token must have; NULL:
				   none will do */
	int (*handler)(struct request *req);
};

static const struct route routes[] = {
	{ "GET", "/authorize", NULL, api_authorize },
	{ "GET", "/clusters", "kubernetes.clusters.read", api_clusters },
	{ "POST", "/services/*", "kubernetes.resources.read", api_services },
	{ "POST", "/resources/workloads/query", "kubernetes.resources.read",
	    api_workloads },
	{ "POST", "/resources/custom/query", "kubernetes.resources.read",
	    api_custom },
	{ NULL, "/proxy/**", "kubernetes.proxy", api_proxy },
	{ NULL, "/clusters/*/proxy/**", "kubernetes.proxy", api_proxy },
	{ "GET", "/connect", "kubernetes.clusters.read", api_connect },
	{ "GET", "/connect.json", "kubernetes.clusters.read",
	    api_connect_json },
	{ "GET", "/connect/callback", "kubernetes.clusters.read",
	    api_connect_callback },
	{ "GET", "/connect/kubeconfig", "kubernetes.clusters.read",
	    api_kubeconfig },
	{ "GET", "/connect/kubeconfig/*", "kubernetes.clusters.read",
	    api_kubeconfig_one },
	{ "POST", "/connect/**", "kubernetes.clusters.read",
	    api_connect_post },
	{ "DELETE", "/connect/**", "kubernetes.clusters.read",
	    api_connect_delete },
	{ "POST", "/portal/device", NULL, api_portal_device },
	{ "POST", "/portal/token", NULL, api_portal_token },
	{ "POST", "/portal/revoke", NULL, api_portal_revoke },
	{ "POST", "/portal/introspect", NULL, api_portal_introspect },
	{ "GET", "/portal/activate", "kubernetes.clusters.read",
	    api_portal_activate },
	{ "POST", "/portal/activate", "kubernetes.clusters.read",
	    api_portal_decide },
	{ "POST", "/portal/end", "kubernetes.clusters.read", api_portal_end },
};

/* For machines that watch, who are nobody; and the numbers of what is counted
   besides. */
enum { OPEN_HEALTHZ, OPEN_READYZ, OPEN_METRICS, OPEN_AUTHORIZER, OPEN_NONE,
    OPENS };
#define NUMBER_OF(open) ((unsigned)ARRAY_LEN(routes) + (open))
static const struct {
	const char *label;
	int (*handler)(struct request *req);
} opens[OPENS] = {
	[OPEN_HEALTHZ] = { "/healthz", api_healthz },
	[OPEN_READYZ] = { "/readyz", api_readyz },
	[OPEN_METRICS] = { "/metrics", api_metrics },	/* settings */
	[OPEN_AUTHORIZER] = { "authorizer", NULL },
	[OPEN_NONE] = { "none", NULL },
};

const char *
route_label(unsigned number)
{
	_Static_assert(ARRAY_LEN(routes) + OPENS <= METRICS_ROUTES,
	    "too many routes to count");

	if (number < ARRAY_LEN(routes))
		return routes[number].pattern;
	number -= ARRAY_LEN(routes);
	return number < OPENS ? opens[number].label : NULL;
}

/* Pages to read, for which a limited token of Backstage will do, also the one
   in its cookie. */
static const char *const limited_patterns[] = { "/connect", "/connect.json",
    "/connect/kubeconfig", "/connect/kubeconfig/*", "/portal/activate" };
/* Where a token of stagedoor login says who asks. */
static const char *const portal_patterns[] = { "/proxy/**",
    "/clusters/*/proxy/**", "/authorize" };
/* For stagedoor login itself: whoever asks has a code or a token to show. */
static const char *const open_patterns[] = { "/portal/device",
    "/portal/token", "/portal/revoke", "/portal/introspect" };

static const char ambiguous[] = "path is ambiguous: its dot segments or "
    "escapes lead to another route";

/* Case does not matter, a slash at the end does not either. */
static bool
route_matches(const char *pattern, const char *path)
{
	while (*pattern == '/') {
		size_t plen = strcspn(pattern + 1, "/");
		size_t len;

		if (plen == 2 && str_starts(pattern + 1, "**"))
			return *path == '/' || *path == '\0';
		if (*path != '/')
			return false;
		len = strcspn(path + 1, "/");
		if (plen == 1 && pattern[1] == '*') {
			if (len == 0)
				return false;
		} else if (len != plen ||
		    strncasecmp(pattern + 1, path + 1, len) != 0) {
			return false;
		}
		pattern += 1 + plen;
		path += 1 + len;
	}
	return *path == '\0' || strcmp(path, "/") == 0;
}

static bool
method_matches(const struct route *r, const struct request *req)
{
	if (r->method == NULL || strcmp(r->method, req->method) == 0)
		return true;
	return req->is_head && strcmp(r->method, "GET") == 0;
}

static const struct route *
route_find(const struct request *req, const char *path, bool any_method)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(routes); i++)
		if (route_matches(routes[i].pattern, path) &&
		    (any_method || method_matches(&routes[i], req)))
			return &routes[i];
	return NULL;
}

/* OPTIONS of a route that does not take it lists the methods, as Express. */
static int
answer_options(struct request *req, const struct route *r)
{
	const char *allow = strcmp(r->method, "GET") == 0 ? "GET,HEAD" :
	    r->method;
	char length[24];

	response_start(req, 200);
	response_header(req, "Allow", allow);
	response_header(req, "Content-Type", "text/html; charset=utf-8");
	snprintf(length, sizeof(length), "%zu", strlen(allow));
	response_header(req, "Content-Length", length);
	response_body(req);
	return response_write(req, allow, strlen(allow));
}

static bool
permitted(const struct identity *who, const char *permission)
{
	size_t i;

	if (!who->restricted)
		return true;
	for (i = 0; permission != NULL && i < who->npermissions; i++)
		if (strcmp(who->permissions[i], permission) == 0)
			return true;
	return false;
}

/* /proxy answers a denial in a shape of its own (contract, section 1). */
static int
answer_denied(struct request *req, const struct route *r)
{
	static const char body[] = "{\"error\":{\"name\":\"NotAllowedError\","
	    "\"message\":\"Unauthorized\"}}";
	struct err err = ERR_INIT;

	if (str_eq(r->permission, "kubernetes.proxy"))
		return response_json(req, 403, body, sizeof(body) - 1);
	err_set(&err, E_DENIED, "Unauthorized");
	return response_error(req, &err);
}

/* What Backstage's permissions said; or there was no answer of theirs, and
   then nobody goes on either. */
static int
answer_refused(struct request *req, const struct route *r,
    const struct err *err)
{
	struct api_error e = { .code = err->code, .message = err->text };

	if (err->code == E_DENIED)
		return answer_denied(req, r);
	if (err->code == E_GONE)
		return E_GONE;
	if (err->code == E_PROTOCOL) {	/* in Backstage's words */
		e.status = 500;
		e.name = "ResponseError";
	}
	return response_api_error(req, &e);
}

/* Somebody who looks at /connect reads a page, all others the contract. */
static int
answer_error(struct request *req, const struct err *err)
{
	const char *accept = request_header(req, "accept");

	if (accept != NULL && strcasestr(accept, "text/html") != NULL &&
	    (route_matches("/connect", req->route_path) ||
	    route_matches("/portal/**", req->route_path) ||
	    route_matches("/connect/**", req->route_path)))
		return connect_answer_refusal(req, err);
	return response_error(req, err);
}

/*
 * With the default policy disabled a bad token is still refused, in the
 * contract's words.
 */
static int
answer_unknown(struct request *req, struct err *err)
{
	const struct settings *s = req->rt->settings;
	struct api_error e = { .code = err->code, .message = err->text };

	if (err->code == E_AUTH && s->identity_backstage &&
	    s->auth_disabled) {
		e.message = arena_printf(req->arena, "Could not resolve "
		    "credentials; caused by AuthenticationError: %s",
		    err->text);
		e.extra = arena_printf(req->arena, ",\"cause\":{\"name\":"
		    "\"AuthenticationError\",\"message\":\"%s\"}", err->text);
		return response_api_error(req, &e);
	}
	return answer_error(req, err);
}

/* Is its route one of these? */
static bool
is_one_of(const struct request *req, const char *const *patterns, size_t n)
{
	const struct route *r = route_find(req, req->route_path, false);
	size_t i;

	if (r == NULL || r != route_find(req, req->below, false))
		return false;
	for (i = 0; i < n; i++)
		if (strcmp(r->pattern, patterns[i]) == 0)
			return true;
	return false;
}

#define IS_ONE_OF(req, patterns)                                              \
	is_one_of(req, patterns, ARRAY_LEN(patterns))

/* May a limited token of Backstage say who asks? Only to read. */
static bool
limited_ok(const struct request *req)
{
	return (strcmp(req->method, "GET") == 0 || req->is_head) &&
	    IS_ONE_OF(req, limited_patterns);
}

/* Which of those that are open to all; OPEN_NONE. */
static unsigned
open_find(const struct request *req, const char *path)
{
	const char *pattern;
	unsigned i;

	if (strcmp(req->method, "GET") != 0 && !req->is_head)
		return OPEN_NONE;
	for (i = 0; i <= OPEN_METRICS; i++) {
		pattern = i == OPEN_METRICS ?
		    req->rt->settings->metrics_path : opens[i].label;
		if (pattern != NULL && route_matches(pattern, path) &&
		    route_find(req, path, true) == NULL)
			return i;
	}
	return OPEN_NONE;
}

static int
dispatch(struct request *req, struct err *err)
{
	const struct route *r = route_find(req, req->route_path, false);
	const struct route *raw = route_find(req, req->below, false);
	const struct route *other;

	if (r != raw) {
		err_set(err, E_INPUT, "%s", ambiguous);
		return response_error(req, err);
	}
	if (r == NULL) {
		other = route_find(req, req->route_path, true);
		if (other != NULL && strcmp(req->method, "OPTIONS") == 0)
			return answer_options(req, other);
		return response_empty(req, 404);
	}
	req->route = (unsigned)(r - routes);
	if (!permitted(&req->who, r->permission))
		return answer_denied(req, r);
	if (identity_same_origin(req, &req->who, err) != 0)
		return answer_error(req, err);
	if (r->permission != NULL && permission_ask(req->rt->permissions, req,
	    r->permission, err) != 0)
		return answer_refused(req, r, err);
	return r->handler(req);
}

int
route_admit_proxy(struct request *req, bool has_path, struct err *err)
{
	static const char permission[] = "kubernetes.proxy";
	const struct route *r = route_find(req, req->route_path, false);

	if (has_path && r != route_find(req, req->below, false))
		return err_set(err, E_INPUT, "%s", ambiguous);
	if (has_path && (r == NULL || !str_eq(r->permission, permission)))
		return err_set(err, E_NOTFOUND, "this path leads to no "
		    "cluster");
	if (!permitted(&req->who, permission))
		return err_set(err, E_DENIED, "Unauthorized");
	if (identity_same_origin(req, &req->who, err) != 0)
		return err->code;
	return permission_ask(req->rt->permissions, req, permission, err);
}

/* Any path will do: the web server asks about its own. */
static int
answer_authorizer(struct request *req, struct err *err)
{
	req->portal_ok = true;
	if (identity_of(req, &req->who, err) != 0)
		return answer_unknown(req, err);
	return api_authorizer(req);
}

static int
answer_role(struct request *req, int r, const char *role, struct err *err)
{
	if (strcmp(role, "AUTHORIZER") != 0) {
		err_set(err, E_NOTBUILT, "FastCGI role %s is not built in",
		    role);
		return response_error(req, err);
	}
	return r != 0 && r != E_NOTFOUND ? response_error(req, err) :
	    answer_authorizer(req, err);
}

static int
answer(struct request *req, struct err *err)
{
	const char *role = request_param(req, "FCGI_ROLE");
	int r = request_init(req, err);

	unsigned open;

	req->route = NUMBER_OF(OPEN_NONE);
	if (role != NULL && strcmp(role, "RESPONDER") != 0) {
		req->route = NUMBER_OF(OPEN_AUTHORIZER);
		return answer_role(req, r, role, err);
	}
	if (r == E_NOTFOUND)
		return response_empty(req, 404);
	if (r != 0)
		return response_error(req, err);
	open = open_find(req, req->route_path);
	if (open != OPEN_NONE && open == open_find(req, req->below)) {
		req->route = NUMBER_OF(open);
		return opens[open].handler(req);
	}
	if (!req->rt->settings->have_kubernetes)
		return response_empty(req, 404);
	if (IS_ONE_OF(req, open_patterns))
		return dispatch(req, err);
	req->limited_ok = limited_ok(req);
	req->portal_ok = IS_ONE_OF(req, portal_patterns);
	if (identity_of(req, &req->who, err) != 0)
		return answer_unknown(req, err);
	return dispatch(req, err);
}

/* Machines that watch ask every few seconds, and touch nothing. */
static void
tell(struct request *req, const struct err *err)
{
	bool open = req->route >= ARRAY_LEN(routes) &&
	    opens[req->route - ARRAY_LEN(routes)].handler != NULL;
	bool quiet = req->told || (open && req->response.status < 400);

	log_msg(quiet ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO,
	    "%s %s %s status=%d bytes=%llu ms=%lld user=%s%s%s%s", req->id,
	    req->method, req->raw_path, req->response.status,
	    (unsigned long long)req->response.bytes,
	    (long long)(clock_mono_ms() - req->started),
	    req->who.user ? req->who.user : "-",
	    req->response.failed ? " (client left)" : "",
	    err->detail[0] ? " " : "", err->detail);
	if (!open)
		audit_request(req);
}

void
route_handle(struct request *req)
{
	struct err err = ERR_INIT;
	int64_t began = clock_mono_us();
	int r;

	metric_add(METRIC_IN_FLIGHT, 1);
	r = answer(req, &err);
	if (r == 0 && !req->response.started)
		BUG("no answer to %s %s", req->method, req->raw_path);
	tell(req, &err);
	metrics_request(req->route, req->response.status,
	    clock_mono_us() - began);
	metric_add(METRIC_IN_FLIGHT, -1);
}
