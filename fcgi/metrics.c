/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers, and the names of what they count. */
#include "base.h"

#include <pthread.h>

#include "clock.h"
#include "err.h"
#include "metrics.h"

#define CLUSTER_BUCKETS 1024

const int64_t histogram_bounds[HISTOGRAM_BOUNDS] = { 500, 1000, 2500, 5000,
    10000, 25000, 50000, 100000, 250000, 500000, 1000000, 2500000, 5000000,
    10000000, 30000000 };

const int metrics_statuses[] = { METRICS_STATUS_NONE, 101, 200, 201, 202,
    204, 206, 301, 302, 303, 304, 307, 308, 400, 401, 403, 404, 405, 406, 409,
    410, 411, 412, 413, 415, 422, 429, 500, 501, 502, 503, 504, 0 };
#define STATUSES (ARRAY_LEN(metrics_statuses) - 1)

const char *const failure_names[FAILURES] = {
	[FAILURE_BREAKER] = "breaker",
	[FAILURE_CANCELLED] = "cancelled",
	[FAILURE_CONNECT] = "connect",
	[FAILURE_OTHER] = "other",
	[FAILURE_PROTOCOL] = "protocol",
	[FAILURE_TIMEOUT] = "timeout",
	[FAILURE_TLS] = "tls",
	[FAILURE_TOO_LARGE] = "too large",
};

const char *const outcome_names[OUTCOMES] = {
	[OUTCOME_BUSY] = "busy",
	[OUTCOME_FAILED] = "failed",
	[OUTCOME_NOT_FOUND] = "not found",
	[OUTCOME_OK] = "ok",
	[OUTCOME_REFUSED] = "refused",
	[OUTCOME_TIMEOUT] = "timeout",
};

const char *const store_call_names[STORE_CALLS] = {
	[STORE_CALL_CLAIM] = "claim",
	[STORE_CALL_DEL] = "del",
	[STORE_CALL_GET] = "get",
	[STORE_CALL_LIST] = "list",
	[STORE_CALL_PUT] = "put",
	[STORE_CALL_RELEASE] = "release",
	[STORE_CALL_RENEW] = "renew",
	[STORE_CALL_SWAP] = "swap",
	[STORE_CALL_SWEEP] = "sweep",
};

/* The last of each stands for what is none of them. */
const char *const metrics_events[METRICS_EVENTS] = { "device", "refresh",
    "refresh-failed", "revoke", "sign-in", "sign-in-failed", "sign-out",
    "other" };
const char *const metrics_logins[METRICS_LOGINS] = { "aks", "google", "oidc",
    "other" };

static int64_t numbers[METRIC_N];
static struct {
	uint64_t statuses[STATUSES + 1];
	struct histogram times;
} routes[METRICS_ROUTES];
static struct outcome_counts kinds[METRICS_KINDS], store[STORE_CALLS];
static uint64_t events[METRICS_EVENTS][METRICS_LOGINS];

static pthread_mutex_t clusters_lock = PTHREAD_MUTEX_INITIALIZER;
static struct cluster_counts *clusters[CLUSTER_BUCKETS], others = {
    .name = "" };
static size_t nclusters;

/* ---- adding ---- */

static void
up(uint64_t *n, uint64_t by)
{
	__atomic_add_fetch(n, by, __ATOMIC_RELAXED);
}

static uint64_t
now_of(const uint64_t *n)
{
	return __atomic_load_n(n, __ATOMIC_RELAXED);
}

void
metric_add(enum metric m, int64_t n)
{
	__atomic_add_fetch(&numbers[m], n, __ATOMIC_RELAXED);
}

int64_t
metric_get(enum metric m)
{
	return __atomic_load_n(&numbers[m], __ATOMIC_RELAXED);
}

void
histogram_add(struct histogram *h, int64_t us)
{
	size_t i = 0;

	us = SD_MAX(us, (int64_t)0);
	while (i < HISTOGRAM_BOUNDS && us > histogram_bounds[i])
		i++;
	up(&h->buckets[i], 1);
	up(&h->sum, (uint64_t)us);
}

uint64_t
histogram_read(const struct histogram *h, struct histogram *out)
{
	uint64_t n = 0;
	size_t i;

	for (i = 0; i <= HISTOGRAM_BOUNDS; i++)
		n += out->buckets[i] = now_of(&h->buckets[i]);
	out->sum = now_of(&h->sum);
	return n;
}

static size_t
index_of(const char *const *names, size_t n, const char *name)
{
	size_t i = 0;

	while (i < n - 1 && !str_eq(names[i], name))
		i++;
	return i;
}

static enum outcome
outcome_of(int r)
{
	switch (r) {
	case 0:
		return OUTCOME_OK;
	case E_BUSY:
		return OUTCOME_BUSY;
	case E_NOTFOUND:
		return OUTCOME_NOT_FOUND;
	case E_TIMEOUT:
		return OUTCOME_TIMEOUT;
	case E_AUTH:
	case E_DENIED:
	case E_SIGNIN:
		return OUTCOME_REFUSED;
	default:
		return OUTCOME_FAILED;
	}
}

static void
outcome_add(struct outcome_counts *c, int r, int64_t us)
{
	up(&c->outcomes[outcome_of(r)], 1);
	histogram_add(&c->times, us);
}

/* ---- requests ---- */

void
metrics_request(unsigned route, int status, int64_t us)
{
	size_t i = 0;

	route = SD_MIN(route, (unsigned)METRICS_ROUTES - 1);
	if (status == 0)
		status = METRICS_STATUS_NONE;
	while (i < STATUSES && metrics_statuses[i] != status)
		i++;
	up(&routes[route].statuses[i], 1);
	histogram_add(&routes[route].times, us);
}

uint64_t
metrics_requests(unsigned route, size_t i)
{
	return now_of(&routes[route].statuses[i]);
}

const struct histogram *
metrics_request_times(unsigned route)
{
	return &routes[route].times;
}

/* ---- clusters ---- */

static size_t
bucket_of(const char *name)
{
	uint32_t h = 2166136261u;	/* FNV-1a: names are the settings' */

	for (; *name != '\0'; name++)
		h = (h ^ (unsigned char)*name) * 16777619u;
	return h % CLUSTER_BUCKETS;
}

struct cluster_counts *
metrics_cluster(const char *name)
{
	struct cluster_counts **p, *c;

	pthread_mutex_lock(&clusters_lock);
	p = &clusters[bucket_of(name)];
	while (*p != NULL && strcmp((*p)->name, name) != 0)
		p = &(*p)->next;
	if ((c = *p) == NULL && nclusters == METRICS_CLUSTERS) {
		c = &others;
	} else if (c == NULL) {
		c = xcalloc(1, sizeof(*c));
		c->name = xstrdup(name);
		*p = c;
		nclusters++;
	}
	pthread_mutex_unlock(&clusters_lock);
	return c;
}

void
metrics_answer(struct cluster_counts *c, int status, int64_t us)
{
	if (c == NULL)
		return;
	up(&c->answers[status < 100 || status > 599 ? 0 : status / 100], 1);
	histogram_add(&c->times, us);
}

static enum failure
failure_of(int code)
{
	switch (code) {
	case E_BREAKER:
		return FAILURE_BREAKER;
	case E_GONE:
		return FAILURE_CANCELLED;
	case E_CONNECT:
		return FAILURE_CONNECT;
	case E_PROTOCOL:
		return FAILURE_PROTOCOL;
	case E_TIMEOUT:
		return FAILURE_TIMEOUT;
	case E_TLS:
		return FAILURE_TLS;
	case E_TOOLARGE:
		return FAILURE_TOO_LARGE;
	default:
		return FAILURE_OTHER;
	}
}

void
metrics_failure(struct cluster_counts *c, int code)
{
	if (c != NULL)
		up(&c->failures[failure_of(code)], 1);
}

void
metrics_credential(struct cluster_counts *c, bool there)
{
	bool was = there;

	/* Mostly nothing has changed: then nothing is written. */
	if (c == NULL || __atomic_load_n(&c->credential_lacking,
	    __ATOMIC_RELAXED) != there ||
	    !__atomic_compare_exchange_n(&c->credential_lacking, &was, !there,
	    false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		return;
	__atomic_store_n(&c->credential_changed, clock_wall_ms(),
	    __ATOMIC_RELAXED);
}

/* ---- credentials ---- */

/* The slot of that kind, taken if need be; the last one is for all others. */
static struct outcome_counts *
kind_slot(const char *kind)
{
	const char *name;
	size_t i;

	for (i = 0; i < METRICS_KINDS - 1; i++) {
		name = __atomic_load_n(&kinds[i].name, __ATOMIC_ACQUIRE);
		if (name == NULL && __atomic_compare_exchange_n(
		    &kinds[i].name, &name, kind, false, __ATOMIC_ACQ_REL,
		    __ATOMIC_ACQUIRE))
			return &kinds[i];
		if (strcmp(name, kind) == 0)
			return &kinds[i];
	}
	return &kinds[i];
}

void
metrics_source(const char *kind, int r, int64_t us)
{
	outcome_add(kind_slot(kind), r, us);
}

const struct outcome_counts *
metrics_source_at(size_t i)
{
	return i < METRICS_KINDS - 1 && __atomic_load_n(&kinds[i].name,
	    __ATOMIC_ACQUIRE) != NULL ? &kinds[i] : NULL;
}

void
metrics_event(const char *event, const char *provider)
{
	up(&events[index_of(metrics_events, METRICS_EVENTS, event)][
	    index_of(metrics_logins, METRICS_LOGINS, provider)], 1);
}

uint64_t
metrics_events_of(size_t event, size_t login)
{
	return now_of(&events[event][login]);
}

/* ---- store ---- */

void
metrics_store(enum store_call call, int r, int64_t us)
{
	outcome_add(&store[call], r, us);
}

const struct outcome_counts *
metrics_store_of(enum store_call call)
{
	return &store[call];
}
