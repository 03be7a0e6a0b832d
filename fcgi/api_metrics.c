/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET /metrics: what metrics.h counted and what other modules keep, as
 * Prometheus reads it. Names, labels and meanings are what dashboards are
 * made of (etc/grafana): they stay.
 */
#include "base.h"

#include "api.h"
#include "api_metrics_private.h"
#include "err.h"
#include "exposition.h"
#include "metrics.h"
#include "process_numbers.h"
#include "request.h"
#include "response.h"
#include "route.h"
#include "runtime.h"
#include "sources.h"
#include "store.h"
#include "streams.h"
#include "watchers.h"

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
	exposition_single(x, "stagedoor_requests_in_flight", "gauge",
	    "Requests that are being answered, this one too.",
	    metric_get(METRIC_IN_FLIGHT));
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
	exposition_single(x, "stagedoor_credential_cache_entries", "gauge",
	    "Credentials that are kept, or being made.", (int64_t)c.entries);
	exposition_single(x, "stagedoor_credential_jobs", "gauge",
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
		exposition_single(x, "stagedoor_proxy_places_limit",
		    "gauge", "How many they may hold.", c.places);
	exposition_single(x, "stagedoor_proxy_places_refused_total", "counter",
	    "Requests that got 503 because there was no place.",
	    metric_get(METRIC_PLACES_REFUSED));
}

static void
print_pool(struct exposition *x)
{
	exposition_single(x, "stagedoor_pool_threads", "gauge",
	    "Worker threads.", metric_get(METRIC_POOL_THREADS));
	exposition_single(x, "stagedoor_pool_threads_busy", "gauge",
	    "Worker threads that have a request.",
	    metric_get(METRIC_POOL_BUSY));
	exposition_single(x, "stagedoor_pool_connections_kept", "gauge",
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
	metrics_print_clusters(&x, req->rt);
	metrics_print_reads(&x, req->rt);
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
