/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where askers meet: a table of reads that are under way or kept. The lock
 * is held for look-ups only, never while anything is sent, read or checked.
 */
#include "base.h"

#include <openssl/crypto.h>

#include "clock.h"
#include "reading.h"
#include "reads.h"

#define READS_BUCKETS 4096	/* the lists of 300 clusters without a chain */
#define READS_KEPT_ONE (READS_KEPT_BYTES / 4)

struct reads {
	unsigned char key[READING_WHO];		/* of the digests */

	pthread_mutex_t lock;	/* of what follows */
	pthread_cond_t quiet;	/* nothing is under way */
	struct reading *table[READS_BUCKETS];
	struct reading *oldest, *youngest;	/* kept; in the order they
						   were over */
	int64_t fresh_ms;	/* the longest that is asked for */
	struct reads_counts counts;
};

struct reads *
reads_new(void)
{
	struct reads *rs = xcalloc(1, sizeof(*rs));

	secret_random(rs->key, sizeof(rs->key));
	pthread_mutex_init(&rs->lock, NULL);
	pthread_cond_init(&rs->quiet, NULL);
	return rs;
}

/* ---- the table; under the lock ---- */

static void
table_add(struct reads *rs, struct reading *rd)
{
	rd->chain = &rs->table[rd->hash % READS_BUCKETS];
	rd->next = *rd->chain;
	*rd->chain = rd;
}

static void
table_drop(struct reading *rd)
{
	struct reading **p = rd->chain;

	if (p == NULL)
		return;
	while (*p != rd)
		p = &(*p)->next;
	*p = rd->next;
	rd->chain = NULL;
}

/* ---- what is kept; under the lock ---- */

static void
kept_add(struct reads *rs, struct reading *rd)
{
	rd->kept = true;
	rd->older = rs->youngest;
	if (rd->older != NULL)
		rd->older->newer = rd;
	else
		rs->oldest = rd;
	rs->youngest = reading_ref(rd);
	rs->counts.kept++;
	rs->counts.kept_bytes += rd->fetch.body.cap;
}

static void
kept_drop(struct reads *rs, struct reading *rd)
{
	*(rd->older != NULL ? &rd->older->newer : &rs->oldest) = rd->newer;
	*(rd->newer != NULL ? &rd->newer->older : &rs->youngest) = rd->older;
	rd->kept = false;
	rs->counts.kept--;
	rs->counts.kept_bytes -= rd->fetch.body.cap;
	table_drop(rd);
	reading_put(rd);
}

static bool
kept_too_much(const struct reads *rs)
{
	return rs->counts.kept > READS_KEPT ||
	    rs->counts.kept_bytes > READS_KEPT_BYTES;
}

/* Those that began first are over first, by and large. */
static void
kept_sweep(struct reads *rs, int64_t now)
{
	while (rs->oldest != NULL && (kept_too_much(rs) ||
	    rs->oldest->began + rs->fresh_ms < now))
		kept_drop(rs, rs->oldest);
}

/* ---- may it be shared? ---- */

/* Who asks, when, and what for. */
struct asker {
	unsigned char who[READING_WHO];
	int64_t now, fresh_ms;
	unsigned writes;
	const struct credential *cred;
	struct guise *guise;	/* made when it is needed */
};

static bool
is_usable(const struct reading *rd, const struct asker *a)
{
	struct upstream_options opt;
	int64_t age = a->now - rd->began;

	if (rd->writes != a->writes ||
	    __atomic_load_n(&rd->useless, __ATOMIC_RELAXED))
		return false;
	if (rd->over)
		return age < a->fresh_ms;
	/* Most of its time is left for this one, too. */
	upstream_tell(rd->fetch.up, &opt);
	return age <= SD_MIN(clock_ms(opt.timeout / 4),
	    SD_MAX((int64_t)READS_JOIN_MS, a->fresh_ms));
}

/* Under the lock. What is of no use to this one is of none to later ones. */
static struct reading *
find(struct reads *rs, const struct fetch *f, const struct asker *a,
    unsigned hash)
{
	struct reading *rd = rs->table[hash % READS_BUCKETS];

	while (rd != NULL && (rd->hash != hash ||
	    !reading_is(rd, f, a->who)))
		rd = rd->next;
	if (rd == NULL || is_usable(rd, a))
		return rd;
	if (rd->kept)
		kept_drop(rs, rd);
	else
		table_drop(rd);
	return NULL;
}

/* ---- a read is over ---- */

/* A list of secrets is kept for nobody. */
static bool
is_fit_to_keep(const struct reads *rs, const struct reading *rd)
{
	const struct fetch *f = &rd->fetch;

	return rs->fresh_ms > 0 && rd->chain != NULL && f->err.code == 0 &&
	    f->status >= 200 && f->status < 300 && !rd->secret &&
	    f->body.cap <= READS_KEPT_ONE;
}

/* It had no answer before, so its err is clear. */
static void
waiter_tell(struct fetch *w, const struct reading *rd)
{
	w->status = rd->fetch.status;
	if (rd->fetch.err.code != 0)
		w->err = rd->fetch.err;
}

/* Under the lock: the groups that have everything now. */
static struct fetch_group *
tell_all(struct reading *rd)
{
	struct fetch_group *arrived = NULL, *g;
	struct fetch *w;

	for (w = rd->waiters; w != NULL; w = w->next) {
		waiter_tell(w, rd);
		g = w->group;
		if (--g->pending > 0)
			continue;
		g->next = arrived;
		arrived = g;
	}
	rd->waiters = NULL;
	return arrived;
}

/* On a thread of the transport, as a rule. */
static void
read_over(struct fetch *f)
{
	struct reading *rd = f->owner;
	struct reads *rs = rd->reads;
	struct guise *guise = rd->guise;
	struct fetch_group *arrived, *next;

	pthread_mutex_lock(&rs->lock);
	rd->over = true;
	rd->guise = NULL;
	if (is_fit_to_keep(rs, rd))
		kept_add(rs, rd);
	else
		table_drop(rd);
	arrived = tell_all(rd);
	kept_sweep(rs, clock_mono_ms());
	if (--rs->counts.under_way == 0)
		pthread_cond_broadcast(&rs->quiet);
	pthread_mutex_unlock(&rs->lock);
	for (; arrived != NULL; arrived = next) {
		next = arrived->next;	/* it may be gone when told */
		batch_arrived(arrived);
	}
	guise_put(guise);
	reading_put(rd);
}

/* ---- asking ---- */

static struct reading *
start(struct reads *rs, struct fetch *f, struct asker *a, unsigned hash)
{
	struct reading *rd;

	if (a->guise == NULL)
		a->guise = guise_new(a->cred);
	rd = reading_new(f, a->guise);
	rd->reads = rs;
	rd->fetch.done = read_over;
	memcpy(rd->who, a->who, READING_WHO);
	rd->hash = hash;
	rd->began = a->now;
	rd->writes = a->writes;
	table_add(rs, rd);
	rs->counts.reads++;
	rs->counts.under_way++;
	return rd;
}

static void
wait_for(struct reading *rd, struct fetch *f)
{
	f->reading = reading_ref(rd);
	f->group->pending++;
	f->next = rd->waiters;
	rd->waiters = f;
}

/* Under the lock: the read that is to be begun for f, or NULL. */
static struct reading *
ask(struct reads *rs, struct fetch *f, struct asker *a)
{
	unsigned hash = reading_hash(f, a->who);
	struct reading *rd = find(rs, f, a, hash), *new = NULL;

	if (rd == NULL)
		rd = new = start(rs, f, a, hash);
	else if (rd->over)
		rs->counts.reused++;
	else
		rs->counts.joined++;
	if (!rd->over) {
		wait_for(rd, f);
		return new;
	}
	f->reading = reading_ref(rd);
	waiter_tell(f, rd);
	return NULL;
}

/* Ask for all of it; the chain of fetches that are to be begun. */
static struct fetch *
ask_all(struct reads *rs, struct fetch_group *g, struct asker *a)
{
	struct fetch *first = NULL, **end = &first;
	struct reading *rd;
	size_t i;

	pthread_mutex_lock(&rs->lock);
	rs->fresh_ms = a->fresh_ms;
	kept_sweep(rs, a->now);
	g->pending = 1;		/* ours, so that it cannot arrive meanwhile */
	for (i = 0; i < g->n; i++) {
		if ((rd = ask(rs, &g->fetches[i], a)) == NULL)
			continue;
		*end = &rd->fetch;
		end = &rd->fetch.next;
	}
	pthread_mutex_unlock(&rs->lock);
	return first;
}

/* ---- leaving ---- */

/* Under the lock: f does not wait for it any more. */
static void
leave(struct fetch *f)
{
	struct reading *rd = f->reading;
	struct fetch **p = &rd->waiters;

	while (*p != f)
		p = &(*p)->next;
	*p = f->next;
	if (rd->waiters == NULL) {
		table_drop(rd);
		transport_drop(&rd->fetch);
	}
	f->reading = NULL;
	err_set(&f->err, E_GONE, "cancelled");
	reading_put(rd);	/* the transport's is left */
}

/* The batch does not wait for the group any more. */
static void
group_forget(struct fetch_group *g)
{
	struct reads *rs = g->forget_ctx;
	bool waits;
	size_t i;

	pthread_mutex_lock(&rs->lock);
	waits = g->pending > 0;
	for (i = 0; i < g->n && waits; i++)
		if (g->fetches[i].reading != NULL &&
		    !g->fetches[i].reading->over)
			leave(&g->fetches[i]);
	g->pending = 0;
	pthread_mutex_unlock(&rs->lock);
	if (waits)
		batch_arrived(g);
}

/* ---- for those who ask ---- */

static void
group_prepare(struct fetch_group *g, struct reads *rs)
{
	struct fetch *f;
	size_t i;

	g->deadline = INT64_MAX;	/* the reads have theirs */
	g->forget = group_forget;
	g->forget_ctx = rs;
	for (i = 0; i < g->n; i++) {
		f = &g->fetches[i];
		f->group = g;
		f->reading = NULL;
		f->status = 0;
		f->err = (struct err)ERR_INIT;
	}
}

static void
asker_init(struct asker *a, const struct reads *rs,
    const struct fetch_group *g, double fresh)
{
	const struct fetch *f = &g->fetches[0];

	a->now = clock_mono_ms();
	a->fresh_ms = clock_ms(fresh);
	a->cred = f->cred;
	a->guise = NULL;
	/* Before the read begins, so that one that comes meanwhile counts. */
	a->writes = upstream_writes(f->up);
	guise_digest(rs->key, a->cred, a->who);
}

void
reads_submit(struct reads *rs, struct batch *b, struct fetch_group *g,
    double fresh)
{
	struct fetch *first;
	struct asker a;
	bool arrived;

	if (g->n == 0) {
		batch_submit(b, g);
		return;
	}
	group_prepare(g, rs);
	asker_init(&a, rs, g, fresh);
	batch_expect(b, g);
	first = ask_all(rs, g, &a);
	if (first != NULL)
		transport_begin(first);
	guise_put(a.guise);
	pthread_mutex_lock(&rs->lock);
	arrived = --g->pending == 0;
	pthread_mutex_unlock(&rs->lock);
	if (arrived)
		batch_arrived(g);
}

void
reads_sweep(struct reads *rs)
{
	pthread_mutex_lock(&rs->lock);
	kept_sweep(rs, clock_mono_ms());
	pthread_mutex_unlock(&rs->lock);
}

void
reads_count(struct reads *rs, struct reads_counts *out)
{
	pthread_mutex_lock(&rs->lock);
	*out = rs->counts;
	pthread_mutex_unlock(&rs->lock);
}

void
reads_free(struct reads *rs)
{
	if (rs == NULL)
		return;
	pthread_mutex_lock(&rs->lock);
	while (rs->counts.under_way > 0)
		pthread_cond_wait(&rs->quiet, &rs->lock);
	while (rs->oldest != NULL)
		kept_drop(rs, rs->oldest);
	pthread_mutex_unlock(&rs->lock);
	pthread_cond_destroy(&rs->quiet);
	pthread_mutex_destroy(&rs->lock);
	OPENSSL_cleanse(rs->key, sizeof(rs->key));
	free(rs);
}
