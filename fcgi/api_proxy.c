/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /proxy and /clusters/NAME/proxy: one request passed to one cluster, byte
 * for byte, with a credential in place of what the client sent. Choosing the
 * cluster and its credential happens here; proxy_headers.c knows which
 * headers may pass.
 */
#include "base.h"

#include "api.h"
#include "arena.h"
#include "audit_request.h"
#include "direct.h"
#include "err.h"
#include "jsonx.h"
#include "obtain.h"
#include "proxy_headers.h"
#include "proxy_target.h"
#include "request.h"
#include "response.h"
#include "runtime.h"
#include "settings.h"
#include "streams.h"
#include "transport.h"

struct proxy {
	struct request *req;
	const struct cluster *cluster;
	struct audit_use *use;
	const char *path;		/* below the cluster's base path */
	struct access access;
	struct access again;		/* after a 401 */
	struct stream_request rq;
	bool again_ok;			/* it may be sent once more */
	bool rejected;			/* a 401 came that is not passed on */
};

/* The client's connection, as a stream sees it. */
static ssize_t
io_read(void *ctx, char *buf, size_t len)
{
	struct request *req = ((struct proxy *)ctx)->req;

	return req->carrier->read(req->carrier_ctx, buf, len);
}

static bool
io_gone(void *ctx)
{
	struct request *req = ((struct proxy *)ctx)->req;

	return req->carrier->gone(req->carrier_ctx);
}

/* Where a location of the site's own forgot to turn buffering off. */
static bool
behind_nginx(const struct request *req)
{
	const char *server = request_param(req, "SERVER_SOFTWARE");

	return server != NULL && str_starts(server, "nginx");
}

/* For what comes next; this request does not wait for it. */
static void
renew(struct proxy *p)
{
	const struct client_tokens none = { .lower = true };
	struct err err = ERR_INIT;

	if (obtain_access(p->req, p->cluster, &none, &p->again, &err) ==
	    PROVIDER_OK)
		access_release(&p->again);
}

static bool
is_read(const struct request *req)
{
	return strcmp(req->method, "GET") == 0 || req->is_head ||
	    strcmp(req->method, "OPTIONS") == 0;
}

/* Who asks for lists from now on does not see older ones. */
static void
proxy_wrote(const struct proxy *p)
{
	if (!is_read(p->req))
		upstream_wrote(p->access.up);
}

/* A 401 to what another credential of ours may get an answer to? */
static bool
is_rejected(struct proxy *p, int status)
{
	if (status != 401 || !obtain_again(p->req, &p->access, &p->again))
		return false;
	p->rejected = p->again_ok;
	if (!p->rejected)
		renew(p);
	return p->rejected;
}

static int
io_head(void *ctx, int status, const struct header *headers, size_t n)
{
	struct proxy *p = ctx;
	struct request *req = p->req;
	size_t i;

	if (is_rejected(p, status))
		return E_PENDING;
	proxy_wrote(p);
	response_start(req, status);
	for (i = 0; i < n; i++) {
		/* Apache takes that for its own command, to go elsewhere. */
		if (status == 200 &&
		    strcasecmp(headers[i].name, "location") == 0)
			continue;
		if (proxy_header_back(headers, n, i))
			response_header(req, headers[i].name,
			    headers[i].value);
	}
	if (status != 204 && status != 304)
		response_header(req, "Vary", "Accept-Encoding");
	if (behind_nginx(req))
		response_header(req, "X-Accel-Buffering", "no");
	return response_body(req);
}

static int
io_body(void *ctx, const char *data, size_t len)
{
	return response_write(((struct proxy *)ctx)->req, data, len);
}

static int
io_flush(void *ctx)
{
	return response_flush(((struct proxy *)ctx)->req);
}

/* The contract's words for an exchange that failed before any header. */
static int
answer_failed(struct proxy *p, const struct err *err)
{
	struct request *req = p->req;
	struct strbuf extra = STRBUF_INIT(4096);
	struct api_error e = { .code = err->code };
	int r;

	p->use->result = "no answer";
	e.status = err->code == E_TIMEOUT ? 504 : 500;
	e.name = "Error";
	e.message = arena_printf(req->arena,
	    "Cluster '%s' request error; caused by Error: %s",
	    p->cluster->name, err->text);
	e.url = req->query == NULL ? req->raw_path : arena_printf(req->arena,
	    "%s?%s", req->raw_path, req->query);
	strbuf_addstr(&extra, ",\"cause\":{");
	proxy_error_cause(&extra, err);
	strbuf_addch(&extra, '}');
	e.extra = extra.buf;
	r = response_api_error(req, &e);
	strbuf_release(&extra);
	return r;
}

static int
run_stream(struct proxy *p)
{
	struct request *req = p->req;
	struct err err = ERR_INIT;
	const struct stream_io io = {
		.ctx = p,
		.head = io_head,
		.body = io_body,
		.flush = io_flush,
		.read = io_read,
		.gone = io_gone,
		.fd = req->fd,
	};
	int r = transport_stream(req->rt->transport, &p->rq, &io, &err);

	proxy_wrote(p);
	if (r == 0 || p->rejected)
		return 0;
	if (r == E_GONE || req->response.failed) {
		req->response.failed = true;
		return E_GONE;
	}
	if (err.code == E_INPUT && !req->response.started)
		return response_error(req, &err);
	if (req->response.started) {
		/* The rest cannot be told but by ending short. */
		req->response.aborted = true;
		return 0;
	}
	return answer_failed(p, &err);
}

static int
send_on(struct proxy *p)
{
	struct request *req = p->req;

	p->rq.up = p->access.up;
	p->rq.method = req->method;
	p->rq.path = req->query == NULL ? p->path : arena_printf(req->arena,
	    "%s?%s", p->path, req->query);
	p->rq.headers = proxy_headers_out(req, &p->access.cred,
	    &p->rq.nheaders);
	p->rq.cred = &p->access.cred;
	p->rq.length = req->length;
	p->rq.id = req->id;
	p->rq.counts = p->cluster->counts;
	return run_stream(p);
}

/* No token of this user: what the contract answers, or what we improve. */
static int
answer_refused(struct proxy *p, enum provider_verdict v,
    const struct err *err)
{
	struct request *req = p->req;
	struct api_error e = { .code = err->code, .message = err->text };

	if (v == PROVIDER_NEEDS_USER)
		p->use->result = "sign-in needed";
	else if (v == PROVIDER_FAILED)
		p->use->result = "no credential";
	if (v == PROVIDER_FAILED && err->code != E_NOTBUILT &&
	    err->code != E_INPUT) {
		e.status = 500;
		e.name = "Error";
	}
	return response_api_error(req, &e);
}

/* Another credential; if there is none, the cluster may say 401 again. */
static int
send_again(struct proxy *p)
{
	struct err err = ERR_INIT;

	p->rejected = p->again_ok = false;
	if (proxy_access(p->req, p->cluster, &p->again, &err) == PROVIDER_OK) {
		access_release(&p->access);
		p->access = p->again;	/* taken */
	}
	if (err.code == E_GONE)
		return E_GONE;
	return send_on(p);
}

static int
answer_busy(struct request *req)
{
	struct err err = ERR_INIT;

	err_set(&err, E_BUSY, "too many long answers are under way: try again "
	    "later, or raise stagedoor.streams");
	return response_error(req, &err);
}

static int
pass_on(struct proxy *p)
{
	struct request *req = p->req;
	const struct cluster *c = p->cluster;
	struct err err = ERR_INIT;
	enum provider_verdict v;
	int r;

	p->access = (struct access)ACCESS_INIT;
	v = proxy_access(req, c, &p->access, &err);
	if (v != PROVIDER_OK)
		return answer_refused(p, v, &err);
	audit_use_access(req, p->use, &p->access);
	p->again_ok = proxy_is_read(req) && req->length == 0;
	r = send_on(p);
	if (p->rejected)
		r = send_again(p);
	access_release(&p->access);
	return r;
}

/* From here a worker may be held for long, by the wait for a credential too. */
static int
pass_on_counted(struct proxy *p)
{
	struct request *req = p->req;
	struct stream_place place;
	int r;

	if (!streams_enter(&place, streams_is_long(req->arena, p->path,
	    req->query), req->rt->settings->streams))
		return answer_busy(req);
	r = pass_on(p);
	streams_leave(&place);
	return r;
}

/*
 * The module has no upgrades: a cluster that would be reached is reached by
 * the web server itself. Who would not be let through learns why.
 */
static int
answer_upgrade(struct request *req)
{
	struct err err = ERR_INIT;
	struct direct d;
	int r = direct_open(req, &d, &err);

	if (r == E_BREAKER)
		return answer_failed(&(struct proxy){ .req = req,
		    .cluster = d.cluster, .use = d.use }, &err);
	if (r == 0) {
		direct_close(&d);
		if (request_param(req, "STAGEDOOR_LANE") != NULL)
			err_set(&err, E_BUSY, "the web server does not know "
			    "this cluster's address yet, or not any more: run "
			    "stagedoor nginx and reload it");
		else
			err_set(&err, E_NOTBUILT, "upgrades (exec, attach, "
			    "port-forward) go through the web server's direct "
			    "lane, which is not switched on: see "
			    "stagedoor-lane.conf");
	}
	return response_error(req, &err);
}

int
api_proxy(struct request *req)
{
	struct proxy p = { .req = req };
	struct err err = ERR_INIT;
	const char *rest;

	if (proxy_wants_upgrade(req))
		return answer_upgrade(req);
	p.cluster = proxy_cluster(req, &rest, &err);
	if (p.cluster == NULL)
		return response_error(req, &err);
	p.use = audit_use(req, p.cluster);
	if (proxy_allowed(req, p.cluster, &err) != 0)
		return response_error(req, &err);
	if ((p.path = proxy_path(req, rest, &err)) == NULL)
		return response_error(req, &err);
	return pass_on_counted(&p);
}
