/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The part of /metrics about clusters: how each is, what was asked of it, and
 * what did not have to be asked.
 */
#include "base.h"

#include <pthread.h>

#include "api_metrics_private.h"
#include "cluster_state.h"
#include "exposition.h"
#include "live.h"
#include "metrics.h"
#include "reads.h"
#include "runtime.h"

#define CLUSTER_FIRST_BOUND 3	/* 5 ms: there are many clusters */

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

void
metrics_print_clusters(struct exposition *x, const struct runtime *rt)
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
	exposition_single(x, "stagedoor_reads_under_way", "gauge",
	    "Lists that are being read.", c.under_way);
	exposition_single(x, "stagedoor_reads_kept_bytes", "gauge",
	    "Bytes of lists that are kept.", (int64_t)c.kept_bytes);
}

static void
print_live_kinds(struct exposition *x, const struct live_counts *c)
{
	exposition_family(x, "stagedoor_live_kinds", "gauge",
	    "Kinds of live clusters: fit to answer, or not (yet).");
	one_of(x, "state", "ready", c->used);
	one_of(x, "state", "waiting", c->kinds - c->used);
	exposition_single(x, "stagedoor_live_objects", "gauge",
	    "Objects that are kept in memory.", (int64_t)c->objects);
	exposition_single(x, "stagedoor_live_bytes", "gauge",
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

void
metrics_print_reads(struct exposition *x, const struct runtime *rt)
{
	print_reads(x, rt->reads);
	print_live(x, rt->live);
}
