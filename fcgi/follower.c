/* SPDX-License-Identifier: Apache-2.0 */
/* The following thread: its loop around epoll, its beginning and end. */
#include "base.h"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "clock.h"
#include "follow_private.h"

#define FOLLOWER_EVENTS 64	/* taken from epoll at once */
#define FOLLOWER_NAP 60000	/* ms: no wait is longer */
/* Together less than FOLLOW_SILENCE_S. */
#define FOLLOWER_QUIET 4000	/* ms: nothing heard, ask */
#define FOLLOWER_BEAT 5000	/* ms: for the answer */

void
follower_wake(struct follower *f)
{
	uint64_t one = 1;
	bool wake;

	pthread_mutex_lock(&f->lock);
	wake = f->asleep;
	f->asleep = false;
	f->woken = true;
	pthread_mutex_unlock(&f->lock);
	/* The counter is never read: epoll is edge-triggered. */
	if (wake && write(f->event, &one, sizeof(one)) != sizeof(one))
		BUG("eventfd: %s", strerror(errno));
}

/* What others want. False: stop. */
static bool
take(struct follower *f, bool *woken)
{
	bool stop;

	pthread_mutex_lock(&f->lock);
	f->asleep = false;
	*woken = f->woken;
	f->woken = false;
	stop = f->stop;
	pthread_mutex_unlock(&f->lock);
	return !stop;
}

/* From here others wake us by the event; false if they want something. */
static bool
fall_asleep(struct follower *f)
{
	bool idle;

	pthread_mutex_lock(&f->lock);
	idle = !f->woken && !f->stop;
	f->asleep = idle;
	pthread_mutex_unlock(&f->lock);
	return idle;
}

static int
sleep_time(const struct follower *f, int64_t now)
{
	int64_t until = SD_MIN(f->turn_at, now + FOLLOWER_NAP);

	until = SD_MIN(until, peer_next_time(f));
	until = SD_MIN(until, follow_next_deadline(f));
	return until <= now ? 0 : (int)(until - now);
}

static void
wait_events(struct follower *f)
{
	struct epoll_event events[FOLLOWER_EVENTS];
	int i, n, timeout = 0;

	if (fall_asleep(f))
		timeout = sleep_time(f, clock_mono_ms());
	n = epoll_wait(f->epoll, events, FOLLOWER_EVENTS, timeout);
	if (n < 0 && errno != EINTR)
		BUG("epoll_wait: %s", strerror(errno));
	for (i = 0; i < n; i++)
		peer_event(f, events[i].data.u64, events[i].events);
}

static void *
follower_main(void *arg)
{
	struct follower *f = arg;
	bool woken;
	int64_t now;

	while (take(f, &woken)) {
		now = clock_mono_ms();
		if (woken || f->turn_at <= now)
			f->turn_at = f->opt.turn(f->opt.ctx, now);
		follow_sweep(f, now);
		follow_start_new(f);
		peer_run(f, now);
		peer_look(f, now);
		wait_events(f);
	}
	while (f->follows != NULL)
		follow_drop(f->follows);
	peer_free_all(f);
	return NULL;
}

/* Signals are for the main thread. */
static void
start_thread(struct follower *f)
{
	sigset_t all, old;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	if (pthread_create(&f->thread, NULL, follower_main, f) != 0)
		BUG("pthread_create failed");
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

struct follower *
follower_new(const struct follower_options *opt)
{
	struct follower *f = xcalloc(1, sizeof(*f));
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET };

	f->opt = *opt;
	if (f->opt.quiet == 0)
		f->opt.quiet = FOLLOWER_QUIET;
	if (f->opt.beat == 0)
		f->opt.beat = FOLLOWER_BEAT;
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
follower_free(struct follower *f)
{
	if (f == NULL)
		return;
	pthread_mutex_lock(&f->lock);
	f->stop = true;
	pthread_mutex_unlock(&f->lock);
	follower_wake(f);
	pthread_join(f->thread, NULL);
	close(f->epoll);
	close(f->event);
	pthread_mutex_destroy(&f->lock);
	free(f);
}
