/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a worker waits for: groups of fetches. The worker is woken when a
 * whole group is finished, not for each fetch.
 */
#include "base.h"

#include <poll.h>
#include <sched.h>
#include <sys/socket.h>

#include "clock.h"
#include "fetcher.h"
#include "metrics.h"
#include "transport_private.h"

#define BATCH_LOOK 100	/* ms between looks whether the client left */

struct batch {
	struct transport *transport;
	uint64_t id;
	int gone_fd;
	size_t running;		/* groups; the worker's alone, as below */
	struct fetch_group *expected;

	pthread_mutex_t lock;	/* of what follows */
	pthread_cond_t cond;
	bool waiting;
	unsigned wakers;	/* atomic: about to signal, so do not free */
	struct fetch_group *finished, **finished_end;
};

struct batch *
batch_new(struct transport *t, int gone_fd)
{
	struct batch *b = xcalloc(1, sizeof(*b));
	pthread_condattr_t attr;

	b->transport = t;
	b->id = __atomic_add_fetch(&t->batches, 1, __ATOMIC_RELAXED);
	b->gone_fd = gone_fd;
	b->finished_end = &b->finished;
	pthread_mutex_init(&b->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&b->cond, &attr);
	pthread_condattr_destroy(&attr);
	return b;
}

uint64_t
batch_id(const struct batch *b)
{
	return b->id;
}

static void
group_finished(struct fetch_group *g)
{
	struct batch *b = g->batch;
	bool wake;

	pthread_mutex_lock(&b->lock);
	g->next = NULL;
	*b->finished_end = g;
	b->finished_end = &g->next;
	wake = b->waiting;
	if (wake)
		__atomic_add_fetch(&b->wakers, 1, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&b->lock);
	if (!wake)		/* b may be gone by now */
		return;
	/* Under the lock the worker would wake up only to wait for it. */
	pthread_cond_signal(&b->cond);
	__atomic_sub_fetch(&b->wakers, 1, __ATOMIC_RELEASE);
}

void
batch_fetched(struct fetch *f)
{
	struct fetch_group *g = f->group;

	if (__atomic_sub_fetch(&g->pending, 1, __ATOMIC_ACQ_REL) == 0)
		group_finished(g);
}

static void
fetch_prepare(struct fetch_group *g, struct fetch *f)
{
	f->status = 0;
	f->err = (struct err)ERR_INIT;
	f->group = g;
	f->dropped = f->probe = false;
	f->tries = 0;
	f->uploaded = 0;
	strbuf_init(&f->body, f->limit);
	if (f->secret)
		strbuf_room(&f->body, f->limit);
}

/* Set up one of the group; does the breaker refuse it? */
static bool
fetch_refused(struct fetch_group *g, size_t i)
{
	struct fetch *f = &g->fetches[i];

	fetch_prepare(g, f);
	f->next = NULL;
	if (i > 0 && f[-1].up == f->up)		/* asked a moment ago */
		f->err = f[-1].err;
	else
		upstream_admit(f->up, &f->err);
	if (f->err.code == 0)
		return false;
	metrics_failure(f->counts, f->err.code);
	return true;
}

/* The fetches of one thread, in order, handed over under one lock. */
static void
submit_to(struct fetcher *fetcher, struct fetch_group *g)
{
	struct fetch *first = NULL, **end = &first, *last = NULL;
	size_t i;

	for (i = 0; i < g->n; i++) {
		struct fetch *f = &g->fetches[i];

		/* In this order: another thread's may be running. */
		if (f->up->fetcher != fetcher || f->err.code != 0)
			continue;
		*end = last = f;
		end = &f->next;
	}
	if (first != NULL)
		fetcher_submit(fetcher, first, last);
}

void
batch_submit(struct batch *b, struct fetch_group *g)
{
	struct transport *t = b->transport;
	size_t i, n = g->n, refused = 0;

	g->batch = b;
	g->pending = n + 1;	/* ours, so that it cannot finish meanwhile */
	b->running++;
	for (i = 0; i < n; i++)
		refused += fetch_refused(g, i);
	for (i = 0; i < t->nfetchers && refused < n; i++)
		submit_to(t->fetchers[i], g);
	if (__atomic_sub_fetch(&g->pending, refused + 1,
	    __ATOMIC_ACQ_REL) == 0)
		group_finished(g);
}

/* ---- what belongs to no batch ---- */

static void
refuse(struct fetch *f, const struct err *err)
{
	struct fetch *next;

	for (; f != NULL; f = next) {
		next = f->next;
		f->err = *err;
		metrics_failure(f->counts, err->code);
		f->done(f);
	}
}

void
transport_begin(struct fetch *first)
{
	struct upstream *up = first->up;
	struct err err = ERR_INIT;
	struct fetch *f, *last = first;

	for (f = first; f != NULL; f = f->next) {
		fetch_prepare(NULL, f);
		last = f;
	}
	if (upstream_admit(up, &err) == 0)
		fetcher_submit(up->fetcher, first, last);
	else
		refuse(first, &err);
}

void
transport_drop(struct fetch *f)
{
	__atomic_store_n(&f->dropped, true, __ATOMIC_RELAXED);
	fetcher_sweep(f->up->fetcher);
}

/* ---- what is not fetched ---- */

void
batch_expect(struct batch *b, struct fetch_group *g)
{
	g->batch = b;
	g->late = false;
	g->expected_next = b->expected;
	b->expected = g;
	b->running++;
}

void
batch_arrived(struct fetch_group *g)
{
	group_finished(g);
}

static void
expected_drop(struct batch *b, const struct fetch_group *g)
{
	struct fetch_group **p = &b->expected;

	while (*p != NULL && *p != g)
		p = &(*p)->expected_next;
	if (*p != NULL)
		*p = g->expected_next;
}

/* Forgetting one has it arrive, but not leave the list: that is for later. */
static void
expected_forget(struct batch *b, int64_t until)
{
	struct fetch_group *g;

	for (g = b->expected; g != NULL; g = g->expected_next)
		if (g->deadline <= until && !g->late) {
			g->late = true;
			g->forget(g);
		}
}

/* ---- waiting ---- */

static bool
client_gone(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN | POLLRDHUP };
	char c;

	if (fd < 0 || poll(&p, 1, 0) <= 0)
		return false;
	if (p.revents & (POLLRDHUP | POLLHUP | POLLERR | POLLNVAL))
		return true;
	return recv(fd, &c, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

/* Under the lock; waits a moment at most. */
static void
wait_moment(struct batch *b)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	ts.tv_nsec += BATCH_LOOK * 1000000L;
	if (ts.tv_nsec >= 1000000000L) {
		ts.tv_nsec -= 1000000000L;
		ts.tv_sec++;
	}
	b->waiting = true;
	pthread_cond_timedwait(&b->cond, &b->lock, &ts);
	b->waiting = false;
}

static struct fetch_group *
take_finished(struct batch *b)
{
	struct fetch_group *g = b->finished;

	if (g == NULL)
		return NULL;
	b->finished = g->next;
	if (b->finished == NULL)
		b->finished_end = &b->finished;
	b->running--;
	expected_drop(b, g);
	return g;
}

/* End everything, and wait until no thread touches it. */
static void
batch_cancel(struct batch *b)
{
	unsigned i;

	for (i = 0; i < b->transport->nfetchers && b->running > 0; i++)
		fetcher_cancel(b->transport->fetchers[i], b->id);
	expected_forget(b, INT64_MAX);
	pthread_mutex_lock(&b->lock);
	while (b->running > 0)
		if (take_finished(b) == NULL)
			wait_moment(b);
	pthread_mutex_unlock(&b->lock);
}

struct fetch_group *
batch_wait(struct batch *b, struct err *err)
{
	struct fetch_group *g = NULL;
	bool gone = false;

	if (err != NULL)
		err->code = 0;
	pthread_mutex_lock(&b->lock);
	while (b->running > 0 && !gone && (g = take_finished(b)) == NULL) {
		wait_moment(b);
		if (b->finished != NULL)
			continue;
		pthread_mutex_unlock(&b->lock);
		gone = client_gone(b->gone_fd);
		expected_forget(b, clock_mono_ms());
		pthread_mutex_lock(&b->lock);
	}
	pthread_mutex_unlock(&b->lock);
	if (gone) {
		batch_cancel(b);
		err_set(err, E_GONE, "the client left");
	}
	return g;
}

void
batch_free(struct batch *b)
{
	if (b == NULL)
		return;
	batch_cancel(b);
	while (__atomic_load_n(&b->wakers, __ATOMIC_ACQUIRE) > 0)
		sched_yield();
	pthread_mutex_destroy(&b->lock);
	pthread_cond_destroy(&b->cond);
	free(b);
}

int
transport_fetch(struct transport *t, struct fetch *f, int gone_fd)
{
	struct fetch_group g = { .fetches = f, .n = 1 };
	struct batch *b = batch_new(t, gone_fd);

	batch_submit(b, &g);
	batch_wait(b, NULL);
	batch_free(b);
	return f->err.code;
}
