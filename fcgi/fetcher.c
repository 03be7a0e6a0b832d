/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fetch thread: a queue that others fill, and the loop around epoll.
 */
#include "base.h"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "clock.h"
#include "fetcher_private.h"
#include "lane.h"

#define FETCHER_EVENTS 64	/* taken from epoll at once */
#define FETCHER_NAP 10000	/* ms between looks at what is idle */

/* ---- from other threads ---- */

/* Unlocks. The event's counter is never read: epoll is edge-triggered. */
static void
fetcher_wake(struct fetcher *f)
{
	bool wake = f->asleep;
	uint64_t one = 1;

	f->asleep = false;
	pthread_mutex_unlock(&f->lock);
	if (wake && write(f->event, &one, sizeof(one)) != sizeof(one))
		BUG("eventfd: %s", strerror(errno));
}

void
fetcher_submit(struct fetcher *f, struct fetch *first, struct fetch *last)
{
	pthread_mutex_lock(&f->lock);
	last->next = NULL;
	*f->queue_end = first;
	f->queue_end = &last->next;
	fetcher_wake(f);
}

void
fetcher_cancel(struct fetcher *f, uint64_t batch)
{
	pthread_mutex_lock(&f->lock);
	ARRAY_PUSH(f->cancels, f->ncancels) = batch;
	fetcher_wake(f);
}

void
fetcher_sweep(struct fetcher *f)
{
	pthread_mutex_lock(&f->lock);
	f->sweep = true;
	fetcher_wake(f);
}

void
fetcher_look(struct fetcher *f)
{
	pthread_mutex_lock(&f->lock);
	f->look = true;
	fetcher_wake(f);
}

/* ---- the loop ---- */

static void
cancel(struct fetcher *f, uint64_t batch)
{
	wait_cancel(f, batch);
	run_cancel(f, batch);
}

static void
accept_all(struct fetcher *f, struct fetch *queue)
{
	struct fetch *next;

	for (; queue != NULL; queue = next) {
		next = queue->next;
		wait_accept(f, queue);
	}
}

/* Take what others left. False: stop. */
static bool
take(struct fetcher *f)
{
	struct fetch *queue;
	uint64_t *cancels;
	size_t n, i;
	bool sweep, stop;

	pthread_mutex_lock(&f->lock);
	f->asleep = false;
	queue = f->queue;
	f->queue = NULL;
	f->queue_end = &f->queue;
	cancels = f->cancels;
	n = f->ncancels;
	f->cancels = NULL;
	f->ncancels = 0;
	f->look = false;
	sweep = f->sweep;
	f->sweep = false;
	stop = f->stop;
	pthread_mutex_unlock(&f->lock);
	accept_all(f, queue);
	for (i = 0; i < n; i++)
		cancel(f, cancels[i]);
	free(cancels);
	if (sweep)
		cancel(f, FETCH_DROPPED);
	return !stop;
}

/* From here others wake us by the event; false if they left something. */
static bool
fall_asleep(struct fetcher *f)
{
	bool idle;

	pthread_mutex_lock(&f->lock);
	idle = f->queue == NULL && f->ncancels == 0 && !f->look &&
	    !f->sweep && !f->stop;
	f->asleep = idle;
	pthread_mutex_unlock(&f->lock);
	return idle;
}

static int
sleep_time(const struct fetcher *f, int64_t now)
{
	int64_t until = SD_MIN(f->scan_at, now + FETCHER_NAP);

	until = SD_MIN(until, pool_next_timer(f));
	return until <= now ? 0 : (int)(until - now);
}

static void
wait_events(struct fetcher *f)
{
	struct epoll_event events[FETCHER_EVENTS];
	int i, n, timeout = 0;

	if (fall_asleep(f))
		timeout = sleep_time(f, clock_mono_ms());
	n = epoll_wait(f->epoll, events, FETCHER_EVENTS, timeout);
	if (n < 0 && errno != EINTR)
		BUG("epoll_wait: %s", strerror(errno));
	for (i = 0; i < n; i++)
		pool_event(f, events[i].data.u64, events[i].events);
}

static void
expire(struct fetcher *f, int64_t now)
{
	int64_t next;

	if (now < f->scan_at)
		return;
	f->scan_at = INT64_MAX;
	next = SD_MIN(wait_expire(f, now), run_expire(f, now));
	f->scan_at = SD_MIN(f->scan_at, next);
}

static void
reap(struct fetcher *f, int64_t now)
{
	if (now < f->reap_at)
		return;
	f->reap_at = now + FETCHER_NAP;
	lane_reap(f->transport, now);
	pool_reap(f, now);
}

static void *
fetcher_main(void *arg)
{
	struct fetcher *f = arg;
	int64_t now;

	while (take(f)) {
		now = clock_mono_ms();
		expire(f, now);
		do {	/* an end makes room for those that wait */
			wait_start(f);
			pool_run_timers(f, clock_mono_ms());
		} while (pool_collect(f) && f->busy != NULL);
		wait_events(f);
		pool_collect(f);
		reap(f, now);
	}
	cancel(f, FETCH_ANY);
	wait_start(f);		/* lets go of the upstreams */
	return NULL;
}

/* ---- life ---- */

/* Signals are for the main thread. */
static void
start_thread(struct fetcher *f)
{
	sigset_t all, old;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	if (pthread_create(&f->thread, NULL, fetcher_main, f) != 0)
		BUG("pthread_create failed");
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

struct fetcher *
fetcher_new(struct transport *t)
{
	struct fetcher *f = xcalloc(1, sizeof(*f));
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET };

	f->transport = t;
	f->scan_at = INT64_MAX;
	f->queue_end = &f->queue;
	pthread_mutex_init(&f->lock, NULL);
	f->epoll = epoll_create1(EPOLL_CLOEXEC);
	f->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (f->epoll < 0 || f->event < 0 ||
	    epoll_ctl(f->epoll, EPOLL_CTL_ADD, f->event, &ev) != 0)
		BUG("epoll: %s", strerror(errno));
	start_thread(f);
	return f;
}

void
fetcher_free(struct fetcher *f)
{
	pthread_mutex_lock(&f->lock);
	f->stop = true;
	fetcher_wake(f);
	pthread_join(f->thread, NULL);
	pool_free_all(f);
	close(f->epoll);
	close(f->event);
	pthread_mutex_destroy(&f->lock);
	free(f->cancels);
	free(f);
}
