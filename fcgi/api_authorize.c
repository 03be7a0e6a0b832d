/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who asks, and what opens a cluster for whoever asks, told to the web
 * server: GET /authorize for nginx's auth_request, and the authorizer's role
 * of FastCGI (specification, section 6.3) for Apache. What is said is never
 * read from anything but what identity.h reads.
 *
 * Of a cluster is told where STAGEDOOR_CLUSTER names one, or STAGEDOOR_URI
 * (with STAGEDOOR_METHOD) leads to one; and where an authorizer, who is shown
 * the request itself, has STAGEDOOR_LANE. That request's own checks are made,
 * and the audit log has it as that request.
 */
#include "base.h"

#include "api.h"
#include "arena.h"
#include "direct.h"
#include "err.h"
#include "path.h"
#include "request.h"
#include "response.h"
#include "route.h"
#include "runtime.h"
#include "settings.h"

/* How the web server is told. */
struct form {
	int status;		/* of yes */
	const char *prefix;
	bool variables;		/* NAME_OF_IT, not Name-Of-It */
};

static const struct form headers = { 204, "X-Stagedoor-", false };
static const struct form variables = { 200, "Variable-STAGEDOOR_", true };

static void
tell(struct request *req, const struct form *form, const char *name,
    const char *value)
{
	char *full, *p;

	if (value == NULL)
		return;
	full = arena_printf(req->arena, "%s%s", form->prefix, name);
	for (p = full + strlen(form->prefix); form->variables && *p != '\0';
	    p++) {
		if (*p == '-')
			*p = '_';
		else if (*p >= 'a' && *p <= 'z')
			*p -= 'a' - 'A';
	}
	response_header(req, full, value);
}

static bool
is_of_cluster(const struct request *req, const char *path)
{
	const char *base = req->rt->settings->base_path;
	size_t len = strlen(base);

	if (strncasecmp(path, base, len) != 0)
		return false;
	path += len;
	return strncasecmp(path, "/proxy", 6) == 0 ||
	    strncasecmp(path, "/clusters/", 10) == 0;
}

/* Is it a path of ours that leads to a cluster, as it came or once its dots
   are gone? Whatever cannot be told is one. */
static bool
leads_to_cluster(const struct request *req, const char *uri)
{
	const char *raw = arena_strndup(req->arena, uri, strcspn(uri, "?"));
	const char *path = path_normalise(req->arena, raw);

	return path == NULL || is_of_cluster(req, path) ||
	    is_of_cluster(req, raw);
}

/* The web server's question about a cluster. */
struct question {
	const char *cluster, *uri, *method;
};

/* Empty is not given. */
static const char *
param(const struct request *req, const char *name)
{
	const char *value = request_param(req, name);

	return value != NULL && *value != '\0' ? value : NULL;
}

static bool
asks_for_cluster(const struct request *req, const struct form *form,
    struct question *q)
{
	if (form->variables && param(req, "STAGEDOOR_LANE") != NULL) {
		*q = (struct question){ NULL, req->query == NULL ?
		    req->raw_path : arena_printf(req->arena, "%s?%s",
		    req->raw_path, req->query), req->method };
		return true;
	}
	q->cluster = param(req, "STAGEDOOR_CLUSTER");
	q->uri = param(req, "STAGEDOOR_URI");
	q->method = param(req, "STAGEDOOR_METHOD");
	return q->cluster != NULL ||
	    (q->uri != NULL && leads_to_cluster(req, q->uri));
}

static int
check_question(const struct request *req, const struct question *q,
    struct err *err)
{
	if (request_param_count(req, "STAGEDOOR_CLUSTER") > 1 ||
	    request_param_count(req, "STAGEDOOR_URI") > 1 ||
	    request_param_count(req, "STAGEDOOR_METHOD") > 1)
		return err_set(err, E_INPUT, "a parameter came twice");
	if (q->method == NULL)
		return err_set(err, E_INPUT, "parameter STAGEDOOR_METHOD is "
		    "missing: the method of the request that is asked about");
	return 0;
}

/* The request that is asked about, with all its checks. */
static int
open_question(struct request *req, const struct question *q,
    struct direct *out, struct err *err)
{
	const char *target = q->cluster == NULL ? q->uri : NULL;
	int r;

	if ((r = check_question(req, q, err)) != 0 ||
	    (r = request_become(req, q->method, target, err)) != 0 ||
	    (r = route_admit_proxy(req, target != NULL, err)) != 0)
		return r;
	return q->cluster != NULL ?
	    direct_open_named(req, q->cluster, out, err) :
	    direct_open(req, out, err);
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
	text = sb.len > 0 ? arena_strndup(req->arena, sb.buf, sb.len) : NULL;
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
	/* What else the web server guards is not for kubectl's token. */
	if (req->who.portal != NULL)
		return err_set(err, E_DENIED, "a token of stagedoor login is "
		    "good for clusters only");
	return 0;
}

static void
start(struct request *req, const struct form *form)
{
	response_start_bare(req, form->status);
	response_header(req, "Cache-Control", "no-store");
	if (req->who.user != NULL && req->who.kind != IDENTITY_SERVICE) {
		tell(req, form, "User", req->who.user);
		tell(req, form, "Groups", groups_joined(req));
	}
}

static void
tell_cluster(struct request *req, const struct form *form,
    const struct direct *d)
{
	size_t i;

	tell(req, form, "Upstream", d->upstream);
	tell(req, form, "Path", d->path);
	tell(req, form, "Authorization", d->authorization);
	/* kubectl sends it several times, and nginx before 1.23 sees one. */
	tell(req, form, "Stream-Protocols",
	    request_header(req, "x-stream-protocol-version"));
	tell(req, form, "Impersonate-User", d->user);
	tell(req, form, "Impersonate-Uid", d->uid);
	for (i = 0; i < d->ngroups; i++)
		tell(req, form, arena_printf(req->arena,
		    "Impersonate-Group-%zu", i + 1), d->groups[i]);
	for (i = 0; i < d->nextra; i++)
		tell(req, form, arena_printf(req->arena,
		    "Impersonate-Extra-%s", d->extra[i].key),
		    d->extra[i].value);
}

/*
 * Apache drops headers by their whole names only, so what could have any name
 * keeps a request out of its lane: others' tokens, and whom to act for.
 */
static int
check_names(const struct request *req, struct err *err)
{
	static const char *const any[] = { "HTTP_IMPERSONATE_EXTRA_",
	    "HTTP_BACKSTAGE_KUBERNETES_AUTHORIZATION_" };
	static const char *const dropped[] = {
	    "HTTP_BACKSTAGE_KUBERNETES_AUTHORIZATION_AKS=",
	    "HTTP_BACKSTAGE_KUBERNETES_AUTHORIZATION_GOOGLE=" };
	char **p;

	for (p = req->params; *p != NULL; p++) {
		if (str_starts(*p, dropped[0]) || str_starts(*p, dropped[1]))
			continue;
		if (str_starts(*p, any[0]) || str_starts(*p, any[1]))
			return err_set(err, E_DENIED, "a header Impersonate-"
			    "Extra-* or Backstage-Kubernetes-Authorization-* "
			    "does not pass here: ask through the module");
	}
	return 0;
}

static bool
acts(const struct direct *d)
{
	return d->user != NULL || d->uid != NULL || d->ngroups > 0 ||
	    d->nextra > 0;
}

static int
answer(struct request *req, const struct form *form)
{
	struct err err = ERR_INIT;
	struct question q;
	struct direct d;

	if (asks_for_cluster(req, form, &q)) {
		if ((form->variables && check_names(req, &err) != 0) ||
		    open_question(req, &q, &d, &err) != 0)
			return response_error(req, &err);
		if (form->variables && acts(&d)) {
			direct_close(&d);
			err_set(&err, E_BUSY, "Apache cannot hold back all "
			    "Impersonate-* of a client's: ask cluster '%s' "
			    "through the module", d.cluster->name);
			return response_error(req, &err);
		}
		start(req, form);
		tell_cluster(req, form, &d);
		req->told = true;
		direct_close(&d);
	} else if (may_be_named(req, &err) != 0) {
		return response_error(req, &err);
	} else {
		start(req, form);
	}
	return response_body(req);
}

int
api_authorize(struct request *req)
{
	return answer(req, &headers);
}

/* 200 lets the request pass; any other answer goes to the client as it is. */
int
api_authorizer(struct request *req)
{
	return answer(req, &variables);
}
