/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET /metrics: what metrics.h counted and what other modules keep, as
 * Prometheus reads it. Names, labels and meanings are what dashboards are
 * made of (etc/grafana): they stay.
 */
#include "base.h"

#include <pthread.h>

#include "api.h"
#include "cluster_state.h"
#include "err.h"
#include "exposition.h"
#include "live.h"
#include "metrics.h"
#include "process_numbers.h"
#include "reads.h"
#include "request.h"
#include "response.h"
#include "route.h"
#include "runtime.h"
#include "sources.h"
#include "store.h"
#include "streams.h"
#include "watchers.h"

#define CLUSTER_FIRST_BOUND 3	/* 5 ms: there are many clusters */

/* A family of one number. */
static void
single(struct exposition *x, const char *name, const char *type,
    const char *help, int64_t value)
{
	exposition_family(x, name, type, help);
	exposition_sample(x, NULL, value);
}

/* One of METRIC_*, as a sample of a family with one label. */
static void
labelled(struct exposition *x, const char *label, const char *value,
    enum metric m)
{
	exposition_sample(x, LABELS({ label, value }), metric_get(m));
}

/* ---- requests ---- */

static void
print_route(struct exposition *x, unsigned route)
{
	uint64_t n;
	char text[16];
	size_t i;
	bool last = false;

	for (i = 0; !last; i++) {
		last = metrics_statuses[i] == 0;
		if ((n = metrics_requests(route, i)) == 0)
			continue;
		snprintf(text, sizeof(text), "%d", metrics_statuses[i]);
		exposition_sample(x, LABELS({ "route", route_label(route) },
		    { "status", last ? "other" : metrics_statuses[i] ==
		    METRICS_STATUS_NONE ? "none" : text }), (int64_t)n);
	}
}

static void
print_requests(struct exposition *x)
{
	struct histogram h;
	unsigned i;

	exposition_family(x, "stagedoor_requests_total", "counter",
	    "Requests that were answered, by the pattern of their route and "
	    "the answer's status; none: the client left before.");
	for (i = 0; route_label(i) != NULL; i++)
		print_route(x, i);
	exposition_family(x, "stagedoor_request_duration_seconds",
	    "histogram", "How long they took, to the end of the answer: of "
	    "watches and logs too.");
	for (i = 0; route_label(i) != NULL; i++)
		if (histogram_read(metrics_request_times(i), &h) > 0)
			exposition_histogram(x, LABELS({ "route",
			    route_label(i) }), metrics_request_times(i), 0);
	single(x, "stagedoor_requests_in_flight", "gauge",
	    "Requests that are being answered, this one too.",
	    metric_get(METRIC_IN_FLIGHT));
}

/* ---- clusters ---- */

/* Names that two locators gave are counted, and printed, once. */
struct printed_clusters {
	const struct runtime *rt;
	const struct cluster **items;
	size_t n;
	size_t states[CLUSTER_STATES];
};

static void
clusters_once(struct printed_clusters *pc)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static unsigned number;
	const struct clusters *cs = &pc->rt->clusters;
	int64_t since;
	size_t i;

	pc->items = xcalloc(cs->n + 1, sizeof(*pc->items));
	pthread_mutex_lock(&lock);
	number++;
	for (i = 0; i < cs->n; i++) {
		if (cs->items[i]->counts->printed == number)
			continue;
		cs->items[i]->counts->printed = number;
		pc->items[pc->n++] = cs->items[i];
	}
	pthread_mutex_unlock(&lock);
	for (i = 0; i < pc->n; i++)
		pc->states[cluster_state_of(pc->rt, pc->items[i], &since)]++;
}

/* One that nobody asked for yet has no numbers. */
static bool
was_asked(const struct cluster_counts *c)
{
	struct histogram h;
	bool any = histogram_read(&c->times, &h) > 0;
	size_t i;

	for (i = 0; i < FAILURES && !any; i++)
		any = __atomic_load_n(&c->failures[i], __ATOMIC_RELAXED) != 0;
	return any;
}

static void
print_answers(struct exposition *x, const struct cluster_counts *c)
{
	static const char *const classes[] = { "other", "1xx", "2xx", "3xx",
	    "4xx", "5xx" };
	size_t i;

	for (i = 0; i < ARRAY_LEN(classes); i++)
		if (i >= 2 || __atomic_load_n(&c->answers[i],
		    __ATOMIC_RELAXED) != 0)
			exposition_sample(x, LABELS({ "cluster", c->name },
			    { "status", classes[i] }), (int64_t)
			    __atomic_load_n(&c->answers[i],
			    __ATOMIC_RELAXED));
}

static void
print_failures(struct exposition *x, const struct cluster_counts *c)
{
	size_t i;

	for (i = 0; i < FAILURES; i++)
		exposition_sample(x, LABELS({ "cluster", c->name },
		    { "kind", failure_names[i] }), (int64_t)
		    __atomic_load_n(&c->failures[i], __ATOMIC_RELAXED));
}

static void
print_times(struct exposition *x, const struct cluster_counts *c)
{
	exposition_histogram(x, LABELS({ "cluster", c->name }), &c->times,
	    CLUSTER_FIRST_BOUND);
}

static void
each_asked(struct exposition *x, const struct printed_clusters *pc,
    void (*print)(struct exposition *x, const struct cluster_counts *c))
{
	size_t i;

	for (i = 0; i < pc->n; i++)
		if (was_asked(pc->items[i]->counts))
			print(x, pc->items[i]->counts);
}

static void
print_states(struct exposition *x, const struct printed_clusters *pc)
{
	enum cluster_state state;
	int64_t since;
	size_t i;

	exposition_family(x, "stagedoor_clusters", "gauge",
	    "Clusters of the settings and locators, by their state.");
	for (i = 0; i < CLUSTER_STATES; i++)
		exposition_sample(x, LABELS({ "state",
		    cluster_state_names[i] }), (int64_t)pc->states[i]);
	exposition_family(x, "stagedoor_cluster_state", "gauge",
	    "1 for the state that the cluster is in.");
	for (i = 0; i < pc->n; i++) {
		state = cluster_state_of(pc->rt, pc->items[i], &since);
		exposition_sample(x, LABELS({ "cluster",
		    pc->items[i]->name }, { "state",
		    cluster_state_names[state] }), 1);
	}
}

static void
print_clusters(struct exposition *x, const struct runtime *rt)
{
	struct printed_clusters pc = { .rt = rt };
	size_t i;
	int64_t since;

	clusters_once(&pc);
	print_states(x, &pc);
	exposition_family(x, "stagedoor_breaker_open", "gauge",
	    "1: the cluster did not answer, and is not asked until it is "
	    "back.");
	for (i = 0; i < pc.n; i++)
		exposition_sample(x, LABELS({ "cluster", pc.items[i]->name }),
		    cluster_state_of(rt, pc.items[i], &since) ==
		    CLUSTER_BREAKER);
	exposition_family(x, "stagedoor_upstream_answers_total", "counter",
	    "Answers of clusters that were asked, by the class of their "
	    "status.");
	each_asked(x, &pc, print_answers);
	exposition_family(x, "stagedoor_upstream_failures_total", "counter",
	    "Requests to clusters without an answer, or with part of one; "
	    "breaker: not sent; cancelled: the client left.");
	each_asked(x, &pc, print_failures);
	exposition_family(x, "stagedoor_upstream_duration_seconds",
	    "histogram", "Time of clusters that answered: to the end of a "
	    "list, to the headers of what is passed on.");
	each_asked(x, &pc, print_times);
	free(pc.items);
}

/* ---- reads that are not made ---- */

/* A sample of a family with one label. */
static void
one_of(struct exposition *x, const char *label, const char *value, uint64_t n)
{
	exposition_sample(x, LABELS({ label, value }), (int64_t)n);
}

static void
print_reads(struct exposition *x, struct reads *reads)
{
	struct reads_counts c = { .reads = 0 };

	if (reads != NULL)
		reads_count(reads, &c);
	exposition_family(x, "stagedoor_reads_total", "counter",
	    "Lists of queries, but for the live lane's: read, joined to one "
	    "under way, or kept from before (stagedoor.fresh).");
	one_of(x, "how", "joined", c.joined);
	one_of(x, "how", "kept", c.reused);
	one_of(x, "how", "read", c.reads);
	single(x, "stagedoor_reads_under_way", "gauge",
	    "Lists that are being read.", c.under_way);
	single(x, "stagedoor_reads_kept_bytes", "gauge",
	    "Bytes of lists that are kept.", (int64_t)c.kept_bytes);
}

static void
print_live_kinds(struct exposition *x, const struct live_counts *c)
{
	exposition_family(x, "stagedoor_live_kinds", "gauge",
	    "Kinds of live clusters: fit to answer, or not (yet).");
	one_of(x, "state", "ready", c->used);
	one_of(x, "state", "waiting", c->kinds - c->used);
	single(x, "stagedoor_live_objects", "gauge",
	    "Objects that are kept in memory.", (int64_t)c->objects);
	single(x, "stagedoor_live_bytes", "gauge",
	    "Memory that they take, of stagedoor.live.memory.",
	    (int64_t)c->bytes);
}

static void
print_live(struct exposition *x, const struct live *live)
{
	struct live_counts c = { .kinds = 0 };

	if (live != NULL)
		live_count(live, &c);
	print_live_kinds(x, &c);
	exposition_family(x, "stagedoor_live_answers_total", "counter",
	    "Lists that were answered from memory (hit), or had to be read "
	    "though their cluster is live (miss).");
	one_of(x, "how", "hit", c.hits);
	one_of(x, "how", "miss", c.misses);
	exposition_family(x, "stagedoor_live_events_total", "counter",
	    "What watches brought and what became of them; gone: 410, listed "
	    "again; over_budget, refused: read directly from then on.");
	one_of(x, "event", "bookmark", c.bookmarks);
	one_of(x, "event", "change", c.events);
	one_of(x, "event", "failure", c.failures);
	one_of(x, "event", "gone", c.gone);
	one_of(x, "event", "list", c.lists);
	one_of(x, "event", "over_budget", c.over_budget);
	one_of(x, "event", "refused", c.refused);
}

/* ---- credentials and sign-ins ---- */

static void
print_outcomes(struct exposition *x, const char *label,
    const struct outcome_counts *c, const char *name)
{
	uint64_t n;
	size_t i;

	for (i = 0; i < OUTCOMES; i++) {
		n = __atomic_load_n(&c->outcomes[i], __ATOMIC_RELAXED);
		if (n != 0 || i == OUTCOME_OK || i == OUTCOME_FAILED)
			exposition_sample(x, LABELS({ label, name },
			    { "outcome", outcome_names[i] }), (int64_t)n);
	}
}

static void
print_cache(struct exposition *x, struct sources *sources)
{
	struct source_counts c = { 0 };

	if (sources != NULL)
		sources_count(sources, &c);
	single(x, "stagedoor_credential_cache_entries", "gauge",
	    "Credentials that are kept, or being made.", (int64_t)c.entries);
	single(x, "stagedoor_credential_jobs", "gauge",
	    "Credentials that are being made, or wait for a thread.",
	    c.jobs);
	exposition_family(x, "stagedoor_credential_threads", "gauge",
	    "Threads that make credentials.");
	exposition_sample(x, LABELS({ "state", "busy" }),
	    c.threads - c.idle);
	exposition_sample(x, LABELS({ "state", "idle" }), c.idle);
}

static void
print_credentials(struct exposition *x, struct sources *sources)
{
	const struct outcome_counts *c;
	size_t i;

	exposition_family(x, "stagedoor_credential_refreshes_total",
	    "counter", "Credentials that were made or renewed, by the kind "
	    "of their source.");
	for (i = 0; (c = metrics_source_at(i)) != NULL; i++)
		print_outcomes(x, "kind", c, c->name);
	exposition_family(x, "stagedoor_credential_refresh_duration_seconds",
	    "histogram", "How long that took.");
	for (i = 0; (c = metrics_source_at(i)) != NULL; i++)
		exposition_histogram(x, LABELS({ "kind", c->name }),
		    &c->times, 0);
	print_cache(x, sources);
}

static void
print_events(struct exposition *x)
{
	uint64_t n;
	size_t i, k;

	exposition_family(x, "stagedoor_sign_in_events_total", "counter",
	    "Sign-ins, refreshes and sign-outs of users, as the audit log "
	    "names them.");
	for (i = 0; i < METRICS_EVENTS; i++)
		for (k = 0; k < METRICS_LOGINS; k++)
			if ((n = metrics_events_of(i, k)) != 0)
				exposition_sample(x, LABELS({ "event",
				    metrics_events[i] }, { "provider",
				    metrics_logins[k] }), (int64_t)n);
}

static bool
was_called(enum store_call call)
{
	struct histogram h;

	return histogram_read(&metrics_store_of(call)->times, &h) > 0;
}

static void
print_store(struct exposition *x, const struct store *st)
{
	const char *type = st == NULL ? "none" : store_type(st);
	unsigned i;

	exposition_family(x, "stagedoor_store_info", "gauge",
	    "1, with the kind of the store.");
	exposition_sample(x, LABELS({ "type", type == NULL ? "memory" :
	    type }), 1);
	exposition_family(x, "stagedoor_store_operations_total", "counter",
	    "What the store was told to do, and how that ended.");
	for (i = 0; i < STORE_CALLS; i++)
		if (was_called(i))
			print_outcomes(x, "operation", metrics_store_of(i),
			    store_call_names[i]);
	exposition_family(x, "stagedoor_store_operation_duration_seconds",
	    "histogram", "How long that took.");
	for (i = 0; i < STORE_CALLS; i++)
		if (was_called(i))
			exposition_histogram(x, LABELS({ "operation",
			    store_call_names[i] }),
			    &metrics_store_of(i)->times, 0);
}

/* ---- the process ---- */

static void
print_places(struct exposition *x)
{
	struct streams_counts c;

	streams_count(&c);
	exposition_family(x, "stagedoor_proxy_places", "gauge",
	    "Threads that /proxy and sign-ins hold; long: watches and logs "
	    "among them.");
	exposition_sample(x, LABELS({ "kind", "all" }), c.held);
	exposition_sample(x, LABELS({ "kind", "long" }), c.held_long);
	if (c.places != UINT_MAX)
		single(x, "stagedoor_proxy_places_limit", "gauge",
		    "How many they may hold.", c.places);
	single(x, "stagedoor_proxy_places_refused_total", "counter",
	    "Requests that got 503 because there was no place.",
	    metric_get(METRIC_PLACES_REFUSED));
}

static void
print_pool(struct exposition *x)
{
	single(x, "stagedoor_pool_threads", "gauge", "Worker threads.",
	    metric_get(METRIC_POOL_THREADS));
	single(x, "stagedoor_pool_threads_busy", "gauge",
	    "Worker threads that have a request.",
	    metric_get(METRIC_POOL_BUSY));
	single(x, "stagedoor_pool_connections_kept", "gauge",
	    "Connections of the web server that wait without a thread.",
	    metric_get(METRIC_POOL_KEPT));
	print_places(x);
}

static void
print_catalog(struct exposition *x)
{
	exposition_family(x, "stagedoor_catalog_lookups_total", "counter",
	    "Entities of Backstage's catalog: read, kept from before, or "
	    "waited for while another request read them.");
	labelled(x, "how", "kept", METRIC_CATALOG_KEPT);
	labelled(x, "how", "read", METRIC_CATALOG_READ);
	labelled(x, "how", "waited", METRIC_CATALOG_WAITED);
}

static void
print_process(struct exposition *x, const struct request *req)
{
	exposition_family(x, "stagedoor_build_info", "gauge",
	    "1, with the version, and how it was started; cgi: all numbers "
	    "are of this one request.");
	exposition_sample(x, LABELS({ "mode", req->fd < 0 ? "cgi" : "pool" },
	    { "version", PACKAGE_VERSION }), 1);
	exposition_family(x, "stagedoor_reloads_total", "counter",
	    "Settings that were read again, and taken or not.");
	labelled(x, "outcome", "ok", METRIC_RELOADS);
	labelled(x, "outcome", "refused", METRIC_RELOADS_REFUSED);
	exposition_family(x, "stagedoor_lines_lost_total", "counter",
	    "Lines that a log did not take.");
	labelled(x, "log", "audit", METRIC_AUDIT_LOST);
	labelled(x, "log", "program", METRIC_LOG_LOST);
	exposition_family(x, "process_start_time_seconds", "gauge",
	    "When it started, in seconds since 1970.");
	exposition_real(x, NULL, (double)metric_get(METRIC_STARTED) / 1e3);
	process_numbers_print(x);
}

int
api_metrics(struct request *req)
{
	struct strbuf sb = STRBUF_INIT(STRBUF_UNLIMITED);
	struct exposition x = { .out = &sb };
	struct err err = ERR_INIT;
	int r;

	if (!watchers_have(req)) {
		err_set(&err, E_DENIED, "metrics are not for this address: "
		    "see stagedoor.metrics.allow");
		return response_error(req, &err);
	}
	print_requests(&x);
	print_clusters(&x, req->rt);
	print_reads(&x, req->rt->reads);
	print_live(&x, req->rt->live);
	print_credentials(&x, req->rt->sources);
	print_events(&x);
	print_store(&x, req->rt->store);
	print_catalog(&x);
	print_pool(&x);
	print_process(&x, req);
	r = response_text(req, 200, EXPOSITION_TYPE, &sb);
	strbuf_release(&sb);
	return r;
}
