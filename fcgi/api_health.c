/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET /healthz and /readyz, for load balancers and those who look after the
 * process. A cluster that is bad costs its own row, so it does not make the
 * process unready.
 */
#include "base.h"

#include "api.h"
#include "arena.h"
#include "clock.h"
#include "cluster_state.h"
#include "err.h"
#include "form.h"
#include "jsonx.h"
#include "metrics.h"
#include "request.h"
#include "response.h"
#include "runtime.h"
#include "settings.h"
#include "shown.h"
#include "store.h"
#include "watchers.h"

#define TEXT "text/plain; charset=utf-8"

struct readiness {
	struct request *req;
	struct strbuf out;
	bool json;
	const char *why;	/* it is not ready; NULL: it is */
	const char *cluster;	/* only this one; NULL: all */
	size_t told;
};

int
api_healthz(struct request *req)
{
	struct strbuf sb = STRBUF_INIT(64);
	int r;

	strbuf_addstr(&sb, "ok\n");
	r = response_text(req, 200, TEXT, &sb);
	strbuf_release(&sb);
	return r;
}

/* What the process cannot work without. */
static const char *
not_ready(const struct request *req)
{
	if (metric_get(METRIC_ENDING) != 0)
		return "it is ending";
	if (!req->rt->settings->have_kubernetes)
		return "there are no kubernetes settings";
	return NULL;
}

/* Those who may not know more get one word. */
static int
answer_briefly(struct readiness *rd)
{
	strbuf_addstr(&rd->out, rd->why == NULL ? "ok\n" : "not ready\n");
	return response_text(rd->req, rd->why == NULL ? 200 : 503, TEXT,
	    &rd->out);
}

static void
add_cluster(struct readiness *rd, const struct cluster *c)
{
	char stamp[CLOCK_STAMP_LEN];
	int64_t since;
	const char *state = cluster_state_names[cluster_state_of(rd->req->rt,
	    c, &since)];

	clock_stamp(since, stamp);
	if (!rd->json) {
		strbuf_addf(&rd->out, "cluster %s: %s since %s\n",
		    shown(rd->req->arena, c->name, NULL), state, stamp);
	} else {
		jsonx_add_comma(&rd->out);
		strbuf_addch(&rd->out, '{');
		jsonx_add_pair(&rd->out, "name", c->name);
		jsonx_add_pair(&rd->out, "state", state);
		jsonx_add_pair(&rd->out, "since", stamp);
		strbuf_addch(&rd->out, '}');
	}
	rd->told++;
}

/* Of two of one name, /proxy takes the first; so it is the one told of. */
static void
add_clusters(struct readiness *rd)
{
	const struct clusters *cs = &rd->req->rt->clusters;
	size_t i;

	if (rd->cluster != NULL) {
		const struct cluster *c = clusters_find(cs, rd->cluster);

		if (c != NULL)
			add_cluster(rd, c);
		return;
	}
	for (i = 0; i < cs->n; i++)
		add_cluster(rd, cs->items[i]);
}

/* Users' sign-ins wait for it; nothing else does. */
static const char *
store_state(const struct request *req)
{
	struct err err = ERR_INIT;

	if (req->rt->store == NULL)
		return "none";
	return store_look(req->rt->store, &err) == 0 ? "ok" : "failed";
}

static void
print_text(struct readiness *rd)
{
	if (rd->why == NULL)
		strbuf_addstr(&rd->out, "ok\n");
	else
		strbuf_addf(&rd->out, "not ready: %s\n", rd->why);
	strbuf_addf(&rd->out, "store: %s\n", store_state(rd->req));
	add_clusters(rd);
}

static void
print_json(struct readiness *rd)
{
	strbuf_addf(&rd->out, "{\"ready\":%s", rd->why == NULL ? "true" :
	    "false");
	if (rd->why != NULL)
		jsonx_add_pair(&rd->out, "reason", rd->why);
	jsonx_add_pair(&rd->out, "store", store_state(rd->req));
	strbuf_addstr(&rd->out, ",\"clusters\":[");
	add_clusters(rd);
	strbuf_addstr(&rd->out, "]}\n");
}

static int
answer_fully(struct readiness *rd)
{
	struct err err = ERR_INIT;

	if (rd->json)
		print_json(rd);
	else
		print_text(rd);
	if (rd->cluster != NULL && rd->told == 0) {
		err_set(&err, E_NOTFOUND, "Cluster '%s' not found",
		    rd->cluster);
		return response_error(rd->req, &err);
	}
	return response_text(rd->req, rd->why == NULL ? 200 : 503,
	    rd->json ? "application/json; charset=utf-8" : TEXT, &rd->out);
}

/* A field of the query; NULL: it is not there, or odd. */
static const char *
field(const struct request *req, const char *name)
{
	const struct form_want want = { .name = name, .max = 256 };
	struct err err = ERR_INIT;
	const char *value = NULL;

	if (form_field(req->arena, req->query, &want, &value, &err) != 0)
		return NULL;
	return value;
}

int
api_readyz(struct request *req)
{
	struct readiness rd = {
		.req = req,
		.out = STRBUF_INIT(STRBUF_UNLIMITED),
		.why = not_ready(req),
	};
	const char *accept = request_header(req, "accept");
	bool verbose = field(req, "verbose") != NULL;
	int r;

	rd.json = accept != NULL && strcasestr(accept, "json") != NULL;
	rd.cluster = field(req, "cluster");
	if (watchers_have(req) && (rd.json || rd.cluster != NULL || verbose))
		r = answer_fully(&rd);
	else
		r = answer_briefly(&rd);
	strbuf_release(&rd.out);
	return r;
}
