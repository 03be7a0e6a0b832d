/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Leases that are kept alive. The thread only renews: what is done under a
 * lease is done by whoever took it. Renewing runs without the lock, for a
 * store may take its time; a lease that is ended meanwhile waits for that.
 */
#include "base.h"

#include <pthread.h>
#include <signal.h>

#include "clock.h"
#include "leases.h"
#include "log.h"

struct lease {
	struct leases *of;
	struct store_lease held;
	int64_t until;		/* mono ms: ours until then, for sure */
	bool lost, busy;	/* busy: being renewed at this moment */
	struct lease *next;
};

struct leases {
	struct store *store;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct lease *first;
	pthread_t thread;
	bool started, stop;
	bool failing;		/* the thread's: that was said */
};

struct leases *
leases_new(struct store *st)
{
	struct leases *ls = xcalloc(1, sizeof(*ls));
	pthread_condattr_t attr;

	ls->store = st;
	pthread_mutex_init(&ls->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&ls->changed, &attr);
	pthread_condattr_destroy(&attr);
	return ls;
}

void
leases_free(struct leases *ls)
{
	if (ls == NULL)
		return;
	if (ls->first != NULL)
		BUG("a lease is still held");
	pthread_mutex_lock(&ls->lock);
	ls->stop = true;
	pthread_cond_broadcast(&ls->changed);
	pthread_mutex_unlock(&ls->lock);
	if (ls->started)
		pthread_join(ls->thread, NULL);
	pthread_mutex_destroy(&ls->lock);
	pthread_cond_destroy(&ls->changed);
	free(ls);
}

/* The lock is given up while the store is asked. False: it was not renewed. */
static bool
lease_renew(struct leases *ls, struct lease *l)
{
	struct err err = ERR_INIT;
	int64_t now = clock_mono_ms();
	int r;

	l->busy = true;
	pthread_mutex_unlock(&ls->lock);
	r = store_lease_renew(ls->store, &l->held, LEASE_MS, &err);
	if (r == E_BUSY || (r != 0 && !ls->failing))
		log_warn("a lease of the store was not renewed: %s%s%s",
		    err.text, err.detail[0] != '\0' ? ": " : "", err.detail);
	ls->failing = r != 0 && r != E_BUSY;
	pthread_mutex_lock(&ls->lock);
	l->busy = false;
	l->lost = l->lost || r == E_BUSY;
	if (r == 0)
		l->until = now + LEASE_MS;
	pthread_cond_broadcast(&ls->changed);
	return r == 0;
}

/* One that has to be renewed by now. */
static struct lease *
lease_due(struct leases *ls)
{
	int64_t now = clock_mono_ms();
	struct lease *l = ls->first;

	while (l != NULL && (l->lost || l->busy ||
	    now < l->until - LEASE_MS + LEASE_RENEW_MS))
		l = l->next;
	return l;
}

static void
leases_pause(struct leases *ls)
{
	int64_t until = clock_mono_ms() + LEASE_RENEW_MS / 4;
	struct timespec ts = { until / 1000, until % 1000 * 1000000 };

	if (ls->first == NULL)
		pthread_cond_wait(&ls->changed, &ls->lock);
	else
		pthread_cond_timedwait(&ls->changed, &ls->lock, &ts);
}

static void *
leases_main(void *arg)
{
	struct leases *ls = arg;
	struct lease *l;

	pthread_mutex_lock(&ls->lock);
	while (!ls->stop) {
		/* What fails is tried again, after a pause. */
		l = lease_due(ls);
		if (l == NULL || !lease_renew(ls, l))
			leases_pause(ls);
	}
	pthread_mutex_unlock(&ls->lock);
	return NULL;
}

/* Signals are for the main thread. Without a thread a lease lasts as long as
   it was asked for, which is long enough for most. */
static void
leases_start(struct leases *ls)
{
	sigset_t all, old;

	if (ls->started)
		return;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	ls->started = pthread_create(&ls->thread, NULL, leases_main, ls) == 0;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (!ls->started)
		log_error("no thread to keep leases of the store alive: raise "
		    "the limit of processes");
}

int
lease_begin(struct leases *ls, const struct store_item *item,
    struct lease **out, struct err *err)
{
	struct lease *l = xcalloc(1, sizeof(*l));
	int64_t now = clock_mono_ms();
	int r = store_lease(ls->store, item, LEASE_MS, &l->held, err);

	if (r != 0) {
		free(l);
		return r;
	}
	l->of = ls;
	l->until = now + LEASE_MS;
	pthread_mutex_lock(&ls->lock);
	l->next = ls->first;
	ls->first = l;
	leases_start(ls);
	pthread_cond_broadcast(&ls->changed);
	pthread_mutex_unlock(&ls->lock);
	*out = l;
	return 0;
}

bool
lease_holds(struct lease *l)
{
	bool holds;

	pthread_mutex_lock(&l->of->lock);
	holds = !l->lost && clock_mono_ms() < l->until;
	pthread_mutex_unlock(&l->of->lock);
	return holds;
}

void
lease_end(struct lease *l)
{
	struct leases *ls = l->of;
	struct lease **p;

	pthread_mutex_lock(&ls->lock);
	while (l->busy)
		pthread_cond_wait(&ls->changed, &ls->lock);
	for (p = &ls->first; *p != l; p = &(*p)->next)
		continue;
	*p = l->next;
	pthread_mutex_unlock(&ls->lock);
	store_lease_end(ls->store, &l->held);
	free(l);
}
