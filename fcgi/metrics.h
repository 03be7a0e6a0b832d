/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is counted for machines that watch: the one owner of numbers that
 * only go into /metrics and /readyz. Counting is a relaxed atomic addition
 * and no more: no lock, no allocation, no clock; exact however many threads
 * count. What another module keeps anyway (threads, caches) is read there,
 * when somebody asks (api_metrics.c).
 *
 * Labels are constants of ours or names of the settings and locators, so
 * their number is bounded, and nothing that a client chose is among them.
 * All of it is the process's own: it outlives runtimes, and processes that
 * share a socket count each for itself.
 */
#ifndef STAGEDOOR_METRICS_H
#define STAGEDOOR_METRICS_H

/* Single numbers: counters, which only grow, and gauges. */
enum metric {
	METRIC_IN_FLIGHT,	/* gauge: requests */
	METRIC_POOL_THREADS,	/* gauges; so up to the next blank line */
	METRIC_POOL_BUSY,
	METRIC_POOL_KEPT,	/* connections that wait without a thread */
	METRIC_ENDING,		/* the pool takes no new work */
	METRIC_STARTED,		/* wall ms */

	METRIC_PLACES_REFUSED,	/* 503s for want of threads or `streams` */
	METRIC_CATALOG_KEPT,	/* look-ups answered by a kept entity, */
	METRIC_CATALOG_WAITED,	/* by one that another was reading, */
	METRIC_CATALOG_READ,	/* or by the catalog */
	METRIC_RELOADS,
	METRIC_RELOADS_REFUSED,	/* the old settings stayed */
	METRIC_LOG_LOST,	/* lines */
	METRIC_AUDIT_LOST,
	METRIC_N
};
void metric_add(enum metric m, int64_t n);
int64_t metric_get(enum metric m);

/* Times in buckets: how many took at most so many microseconds. */
#define HISTOGRAM_BOUNDS 15
extern const int64_t histogram_bounds[HISTOGRAM_BOUNDS];
struct histogram {
	uint64_t buckets[HISTOGRAM_BOUNDS + 1];	/* not cumulative; the last:
						   above all bounds */
	uint64_t sum;				/* microseconds */
};
void histogram_add(struct histogram *h, int64_t us);
/* What it holds now; returns how many there are. */
uint64_t histogram_read(const struct histogram *h, struct histogram *out);

/* ---- requests ---- */

#define METRICS_ROUTES 64
#define METRICS_STATUS_NONE 1	/* the client left before any answer */

/* One that was answered, by the number of its route (route.h). */
void metrics_request(unsigned route, int status, int64_t us);
/* The statuses that are counted one by one, ascending; 0 ends them. */
extern const int metrics_statuses[];
/* Of that route: how many had metrics_statuses[i]; i past its end: others. */
uint64_t metrics_requests(unsigned route, size_t i);
const struct histogram *metrics_request_times(unsigned route);

/* ---- clusters ---- */

enum failure { FAILURE_BREAKER, FAILURE_CANCELLED, FAILURE_CONNECT,
    FAILURE_OTHER, FAILURE_PROTOCOL, FAILURE_TIMEOUT, FAILURE_TLS,
    FAILURE_TOO_LARGE, FAILURES };
extern const char *const failure_names[FAILURES];

#define METRICS_CLUSTERS 8192	/* names in the life of a process */

struct cluster_counts {
	const char *name;
	struct cluster_counts *next;	/* of its bucket */
	uint64_t answers[6];		/* by the status's first digit */
	uint64_t failures[FAILURES];
	struct histogram times;		/* to the end of a list, or to the
					   headers of a stream */
	/* Wall ms of the last time that its credential became available, or
	   was not any more; 0: it never was but there. */
	int64_t credential_changed;
	bool credential_lacking;
	unsigned printed;		/* api_metrics.c's, under its lock */
};
/*
 * What is counted for the cluster of that name; it is never freed, so a name
 * that comes back goes on. After METRICS_CLUSTERS names all others share one
 * that is called "". Any thread, takes a lock.
 */
struct cluster_counts *metrics_cluster(const char *name);
/* c may be NULL for all of these: then nothing is counted. */
void metrics_answer(struct cluster_counts *c, int status, int64_t us);
void metrics_failure(struct cluster_counts *c, int code);	/* E_* */
void metrics_credential(struct cluster_counts *c, bool there);

/* ---- credentials ---- */

/* How something ended, of an E_* or 0. */
enum outcome { OUTCOME_BUSY, OUTCOME_FAILED, OUTCOME_NOT_FOUND, OUTCOME_OK,
    OUTCOME_REFUSED, OUTCOME_TIMEOUT, OUTCOMES };
extern const char *const outcome_names[OUTCOMES];

struct outcome_counts {
	const char *name;
	uint64_t outcomes[OUTCOMES];
	struct histogram times;
};

#define METRICS_KINDS 64
/* A credential was made, or not. kind: a constant (source.h). */
void metrics_source(const char *kind, int r, int64_t us);
/* The i-th kind; NULL: there is none. */
const struct outcome_counts *metrics_source_at(size_t i);

/* An event of the audit log (audit.h), but for requests. */
#define METRICS_EVENTS 8
#define METRICS_LOGINS 4
extern const char *const metrics_events[METRICS_EVENTS];
extern const char *const metrics_logins[METRICS_LOGINS];
void metrics_event(const char *event, const char *provider);
uint64_t metrics_events_of(size_t event, size_t login);

/* ---- store ---- */

enum store_call { STORE_CALL_CLAIM, STORE_CALL_DEL, STORE_CALL_GET,
    STORE_CALL_LIST, STORE_CALL_PUT, STORE_CALL_RELEASE, STORE_CALL_RENEW,
    STORE_CALL_SWAP, STORE_CALL_SWEEP, STORE_CALLS };
extern const char *const store_call_names[STORE_CALLS];
void metrics_store(enum store_call call, int r, int64_t us);
const struct outcome_counts *metrics_store_of(enum store_call call);

#endif
