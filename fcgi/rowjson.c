/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a row looks: cluster, resources, podMetrics, errors. Lists go from the
 * cluster's bytes straight to the client; only what is small or changed is
 * built here.
 */
#include "base.h"

#include "arena.h"
#include "jsonx.h"
#include "objects.h"
#include "request.h"
#include "response.h"
#include "row.h"
#include "row_live.h"

/* Built bytes leave when there are so many. */
#define ROW_SPILL 16384

struct row_out {
	const struct row *row;
	struct request *req;
	struct strbuf sb;
	bool whole;		/* nothing leaves before all is there */
	int r;			/* 0, or E_GONE from where nothing is sent */
};

static void
spill(struct row_out *o)
{
	if (o->whole)
		return;
	if (o->r == 0 && o->sb.len > 0)
		o->r = response_write(o->req, o->sb.buf, o->sb.len);
	strbuf_reset(&o->sb);
}

/* A small span is copied, so that it leaves together with its neighbours. */
static void
put_span(struct row_out *o, const char *data, size_t len)
{
	if (len >= ROW_SPILL / 4 && !o->whole) {
		spill(o);
		if (o->r == 0)
			o->r = response_write(o->req, data, len);
		return;
	}
	strbuf_add(&o->sb, data, len);
	if (o->sb.len >= ROW_SPILL)
		spill(o);
}

static void
put_cluster(struct row_out *o)
{
	const struct cluster *c = o->row->cluster;

	strbuf_addstr(&o->sb, "\"cluster\":{");
	jsonx_add_pair(&o->sb, "name", c->name);
	if (c->title != NULL)
		jsonx_add_pair(&o->sb, "title", c->title);
	if (c->dashboard_url != NULL)
		jsonx_add_pair(&o->sb, "dashboardUrl", c->dashboard_url);
	if (c->dashboard_app != NULL)
		jsonx_add_pair(&o->sb, "dashboardApp", c->dashboard_app);
	if (c->dashboard_parameters != NULL) {
		strbuf_addstr(&o->sb, ",\"dashboardParameters\":");
		jsonx_add_tree(&o->sb, c->dashboard_parameters);
	}
	strbuf_addch(&o->sb, '}');
}

static void
put_resources(struct row_out *o)
{
	const struct row *row = o->row;
	size_t i;

	strbuf_addstr(&o->sb, ",\"resources\":[");
	for (i = 0; row->answers != NULL && i < row->lists->n; i++) {
		const struct object_list *list = &row->lists->items[i];
		const struct splice *s = &row->answers[i].splice;

		if (!row->answers[i].ok)
			continue;
		jsonx_add_comma(&o->sb);
		strbuf_addstr(&o->sb, "{\"type\":\"");
		strbuf_addstr(&o->sb, list->type);
		strbuf_addstr(&o->sb, "\",\"resources\":");
		if (s->any && !s->changes)
			put_span(o, s->items.ptr, s->items.len);
		else
			splice_add_items(&o->sb, list, s);
		strbuf_addch(&o->sb, '}');
	}
	strbuf_addch(&o->sb, ']');
}

static void
put_pods_of(struct row_out *o, size_t ns, bool *first)
{
	const struct pods *pods = &o->row->pods;
	struct pod_metrics metrics;
	size_t i;

	pod_metrics_read(&metrics, o->row->metrics_answers[ns].splice.items);
	for (i = pods->namespaces[ns].first; i != SIZE_MAX;
	    i = pods->items[i].next) {
		if (!*first)
			strbuf_addch(&o->sb, ',');
		*first = false;
		pod_metrics_add(&o->sb, &pods->items[i], &metrics);
		if (o->sb.len >= ROW_SPILL)
			spill(o);
	}
	pod_metrics_release(&metrics);
}

static void
put_metrics(struct row_out *o)
{
	bool first = true;
	size_t i;

	strbuf_addstr(&o->sb, ",\"podMetrics\":[");
	for (i = 0; i < o->row->nmetrics; i++)
		if (o->row->metrics_answers[i].ok)
			put_pods_of(o, i, &first);
	strbuf_addch(&o->sb, ']');
}

static const char *
status_type(int status)
{
	switch (status) {
	case 400:
		return "BAD_REQUEST";
	case 401:
		return "UNAUTHORIZED_ERROR";
	case 404:
		return "NOT_FOUND";
	case 500:
		return "SYSTEM_ERROR";
	default:	/* 403 too: Backstage's pages know no other */
		return "UNKNOWN_ERROR";
	}
}

static void
put_status(struct row_out *o, int status, const char *base,
    const char *target)
{
	const char *path = arena_printf(o->req->arena, "%s%.*s", base,
	    (int)strcspn(target, "?"), target);

	jsonx_add_comma(&o->sb);
	strbuf_addch(&o->sb, '{');
	jsonx_add_pair(&o->sb, "errorType", status_type(status));
	strbuf_addf(&o->sb, ",\"statusCode\":%d", status);
	jsonx_add_pair(&o->sb, "resourcePath", path);
	strbuf_addch(&o->sb, '}');
}

static void
put_message(struct row_out *o, const char *message)
{
	jsonx_add_comma(&o->sb);
	strbuf_addstr(&o->sb, "{\"errorType\":\"FETCH_ERROR\"");
	jsonx_add_pair(&o->sb, "message", message);
	strbuf_addch(&o->sb, '}');
}

/* What is the matter with an answer of ours; NULL: nothing. */
static const struct fetch *
failure(const struct row_answer *a)
{
	return a->ok ? NULL : a->fetch;
}

/*
 * Is a failure worth no entry of its own? Not if an earlier one gave the same
 * reason; an open breaker is none if something is there that opened it.
 */
static bool
said_already(const struct row_answer *answers, size_t n, size_t at)
{
	const struct fetch *f = answers[at].fetch, *other;
	size_t i, end = f->err.code == E_BREAKER ? n : at;

	for (i = 0; i < end; i++) {
		if ((other = answers[i].fetch) == NULL)
			continue;
		if (i < at && other->err.code == f->err.code &&
		    strcmp(other->err.text, f->err.text) == 0)
			return true;
		if (f->err.code == E_BREAKER && other->err.code != 0 &&
		    other->err.code != E_BREAKER)
			return true;
	}
	return false;
}

static void
put_failure(struct row_out *o, const struct fetch *f, bool invalid)
{
	struct arena *arena = o->req->arena;
	const char *url = o->row->access.url;

	if (f->err.code == 0)
		put_status(o, f->status, o->row->access.base_path, f->path);
	else if (invalid)
		put_message(o, arena_printf(arena, "invalid json response "
		    "body at %s%s reason: %s", url, f->path, f->err.text));
	else
		put_message(o, arena_printf(arena, "request to %s%s failed, "
		    "reason: %s", url, f->path, f->err.text));
}

/* Statuses one by one; other failures once for each distinct reason. */
static void
put_failures(struct row_out *o, const struct row_answer *answers, size_t n)
{
	const struct fetch *f;
	size_t i;

	for (i = 0; answers != NULL && i < n; i++) {
		f = failure(&answers[i]);
		if (f != NULL && (f->err.code == 0 ||
		    !said_already(answers, n, i)))
			put_failure(o, f, answers[i].invalid);
	}
}

/*
 * Why there was no access. Who must sign in gets the 401 that pages count,
 * and a sentence that says what to do.
 */
static void
put_no_access(struct row_out *o)
{
	const struct row *row = o->row;
	const char *base = row->cluster->base_path;

	if (row->verdict == PROVIDER_NEEDS_USER && row->lists->n > 0)
		put_status(o, 401, base != NULL ? base : "",
		    row->lists->items[0].target);
	put_message(o, row->err.text);
}

static void
put_errors(struct row_out *o)
{
	strbuf_addstr(&o->sb, ",\"errors\":[");
	if (o->row->verdict != PROVIDER_OK)
		put_no_access(o);
	put_failures(o, o->row->answers, o->row->lists->n);
	put_failures(o, o->row->metrics_answers, o->row->nmetrics);
	strbuf_addch(&o->sb, ']');
}

int
row_write(struct row *row, struct request *req)
{
	struct row_out o = { .row = row, .req = req,
	    .sb = STRBUF_INIT(STRBUF_UNLIMITED) };

	if (row->ready != NULL)
		return response_write(req, row->ready_data, row->ready_len);
	o.whole = row_live_whole(row);
	strbuf_addch(&o.sb, '{');
	put_cluster(&o);
	put_resources(&o);
	put_metrics(&o);
	put_errors(&o);
	strbuf_addch(&o.sb, '}');
	if (o.whole)
		row_live_keep(row, req, o.sb.buf, o.sb.len);
	o.whole = false;
	spill(&o);
	strbuf_release(&o.sb);
	return o.r;
}
