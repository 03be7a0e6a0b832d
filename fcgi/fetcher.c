/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fetch thread: a queue, an epoll set, a curl multi handle driven by
 * socket events, and its own deadlines (curl's would count from the start of
 * a transfer, ours count from the end of the request).
 */
#include "base.h"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "clock.h"
#include "fetcher.h"
#include "lane.h"
#include "transfer.h"
#include "transport_private.h"

#define FETCHER_CONNECTIONS 512L	/* kept by one thread, all clusters */
#define FETCHER_EVENTS 64		/* taken from epoll at once */
#define FETCHER_NAP 10000		/* ms; then idle streams are reaped */
#define FETCHER_PRESIZE (1 << 20)	/* trust a Content-Length so far */

struct running {
	struct transfer transfer;
	struct fetch *fetch;
	struct fetcher *fetcher;
	struct running *prev, *next;
	bool headers;			/* of an answer came */
};

struct fetcher {
	struct transport *transport;
	pthread_t thread;
	CURLM *multi;
	int epoll, event;
	int64_t curl_at;	/* when curl wants to be called; -1: not */
	int64_t scan_at;	/* no deadline is earlier */
	int64_t reap_at;
	struct running *running;
	struct upstream *busy;	/* with fetches waiting */

	pthread_mutex_t lock;	/* of what follows */
	struct fetch *queue, **queue_end;
	uint64_t *cancels;	/* numbers of batches */
	size_t ncancels;
	bool asleep, sweep, stop;
};

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

/* ---- the end of a fetch ---- */

static void
fetch_over(struct fetch *f)
{
	if (f->group->batch != NULL)
		batch_fetched(f);
	else
		upstream_probe_end(f);
}

static void
fetch_fail(struct fetch *f, int code, const char *text)
{
	err_set(&f->err, code, "%s", text);
	fetch_over(f);
}

/* ---- running ---- */

static void
deadline_set(struct fetcher *f, struct fetch *fetch, int64_t deadline)
{
	fetch->deadline = deadline;
	f->scan_at = SD_MIN(f->scan_at, deadline);
}

static void
on_send(void *ctx)
{
	struct running *run = ctx;

	if (run->transfer.sends == 1)	/* a second one gets no more time */
		deadline_set(run->fetcher, run->fetch, clock_mono_ms() +
		    run->fetch->up->timeout_ms);
}

static size_t
on_head(char *data, size_t size UNUSED, size_t len, void *ctx)
{
	struct running *run = ctx;

	if (len > 9 && memcmp(data, "HTTP/", 5) == 0)
		run->headers = true;
	return len;
}

/* One allocation of the right size instead of growing to it. */
static void
presize(struct running *run)
{
	struct strbuf *body = &run->fetch->body;
	curl_off_t len = -1;

	curl_easy_getinfo(run->transfer.easy,
	    CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &len);
	if (len > 0 && (size_t)len <= SD_MIN(body->max,
	    (size_t)FETCHER_PRESIZE))
		strbuf_room(body, (size_t)len);
}

static size_t
on_body(char *data, size_t size UNUSED, size_t len, void *ctx)
{
	struct running *run = ctx;

	if (run->fetch->body.cap == 0)
		presize(run);
	return strbuf_add(&run->fetch->body, data, len) == 0 ? len :
	    CURL_WRITEFUNC_ERROR;
}

static int
run_init(struct running *run, struct fetch *fetch)
{
	struct transfer_spec spec = {
		.up = fetch->up,
		.path = fetch->path,
		.lines = fetch->headers,
		.cred = fetch->cred,
		.bounded = true,
		.limit = fetch->limit,
		.ctx = run,
		.on_head = on_head,
		.on_body = on_body,
		.on_send = on_send,
	};

	return transfer_init(&run->transfer, &spec, &fetch->err);
}

static void
run_start(struct fetcher *f, struct fetch *fetch)
{
	struct running *run = xcalloc(1, sizeof(*run));
	int64_t now = clock_mono_ms();

	if (run_init(run, fetch) != 0) {
		free(run);
		fetch_over(fetch);
		return;
	}
	run->fetch = fetch;
	run->fetcher = f;
	run->next = f->running;
	if (run->next != NULL)
		run->next->prev = run;
	f->running = run;
	fetch->up->active++;
	fetch->began = now;
	/* Until it is sent; connecting has curl's deadline besides. */
	deadline_set(f, fetch, now + fetch->up->connect_ms +
	    fetch->up->timeout_ms);
	if (curl_multi_add_handle(f->multi, run->transfer.easy) != CURLM_OK)
		BUG("curl_multi_add_handle failed");
}

/* Take it off the multi and free it; the fetch is not told. */
static struct fetch *
run_remove(struct fetcher *f, struct running *run)
{
	struct fetch *fetch = run->fetch;

	curl_multi_remove_handle(f->multi, run->transfer.easy);
	transfer_release(&run->transfer);
	if (run->prev != NULL)
		run->prev->next = run->next;
	else
		f->running = run->next;
	if (run->next != NULL)
		run->next->prev = run->prev;
	fetch->up->active--;
	free(run);
	return fetch;
}

static void
run_note_version(struct running *run)
{
	long version = 0;

	curl_easy_getinfo(run->transfer.easy, CURLINFO_HTTP_VERSION,
	    &version);
	run->fetch->up->multiplexed = version == CURL_HTTP_VERSION_2_0;
}

static void
run_end(struct fetcher *f, struct running *run, CURLcode rc)
{
	struct fetch *fetch = run->fetch;
	long status = 0;

	if (run->headers) {
		curl_easy_getinfo(run->transfer.easy, CURLINFO_RESPONSE_CODE,
		    &status);
		run_note_version(run);
	}
	fetch->status = (int)status;
	if (fetch->body.overflow || rc == CURLE_FILESIZE_EXCEEDED)
		err_set(&fetch->err, E_TOOLARGE,
		    "the answer is larger than %zu bytes", fetch->limit);
	else
		transfer_result(&run->transfer, rc, &fetch->err);
	upstream_report(fetch->up, fetch->err.code, run->headers,
	    fetch->began);
	fetch_over(run_remove(f, run));
}

/* ---- waiting ---- */

static unsigned
upstream_room(const struct upstream *up)
{
	return up->multiplexed ? UPSTREAM_FETCHES_HTTP2 :
	    UPSTREAM_FETCHES_HTTP1;
}

static void
wait_append(struct fetcher *f, struct fetch *fetch)
{
	struct upstream *up = fetch->up;

	fetch->next = NULL;
	deadline_set(f, fetch, clock_mono_ms() + up->connect_ms +
	    up->timeout_ms);
	*up->waiting_end = fetch;
	up->waiting_end = &fetch->next;
	if (!up->busy) {	/* the list keeps it alive */
		upstream_ref(up);
		up->busy = true;
		up->busy_next = f->busy;
		f->busy = up;
	}
}

static struct fetch *
wait_pop(struct upstream *up)
{
	struct fetch *fetch = up->waiting;

	if (fetch == NULL)
		return NULL;
	up->waiting = fetch->next;
	if (up->waiting == NULL)
		up->waiting_end = &up->waiting;
	return fetch;
}

static void
accept_one(struct fetcher *f, struct fetch *fetch)
{
	struct upstream *up = fetch->up;

	if (fetch->group->batch == NULL ||
	    (up->waiting == NULL && up->active < upstream_room(up)))
		run_start(f, fetch);
	else
		wait_append(f, fetch);
}

/* Start what fits; drop upstreams from the list when nothing waits. */
static void
start_waiting(struct fetcher *f)
{
	struct upstream **p = &f->busy, *up;
	struct fetch *fetch;

	while ((up = *p) != NULL) {
		while (up->active < upstream_room(up) &&
		    (fetch = wait_pop(up)) != NULL)
			run_start(f, fetch);
		if (up->waiting == NULL) {
			*p = up->busy_next;
			up->busy = false;
			upstream_put(up);
		} else {
			p = &up->busy_next;
		}
	}
}

static void
fail_waiting(struct upstream *up)
{
	struct fetch *fetch;

	while ((fetch = wait_pop(up)) != NULL)
		fetch_fail(fetch, E_BREAKER, UPSTREAM_OPEN_TEXT);
}

static void
sweep_open(struct fetcher *f)
{
	struct upstream *up;

	for (up = f->busy; up != NULL; up = up->busy_next)
		if (up->waiting != NULL && upstream_is_open(up))
			fail_waiting(up);
}

/* ---- deadlines ---- */

/* Those that wait are in the order of their deadlines. */
static int64_t
expire_waiting(struct fetcher *f, int64_t now)
{
	int64_t next = INT64_MAX;
	struct upstream *up;

	for (up = f->busy; up != NULL; up = up->busy_next) {
		while (up->waiting != NULL && up->waiting->deadline <= now)
			fetch_fail(wait_pop(up), E_TIMEOUT,
			    "no connection was free in time");
		if (up->waiting != NULL)
			next = SD_MIN(next, up->waiting->deadline);
	}
	return next;
}

static void
expire(struct fetcher *f, int64_t now)
{
	struct running *run, *following;
	int64_t next;

	if (now < f->scan_at)
		return;
	f->scan_at = INT64_MAX;
	next = expire_waiting(f, now);
	for (run = f->running; run != NULL; run = following) {
		following = run->next;
		if (run->fetch->deadline <= now)
			run_end(f, run, CURLE_OPERATION_TIMEDOUT);
		else
			next = SD_MIN(next, run->fetch->deadline);
	}
	f->scan_at = SD_MIN(f->scan_at, next);
}

/* ---- cancelling ---- */

/* A number and not an address: that might be another batch's by now. */
static bool
is_of(const struct fetch *f, uint64_t batch)
{
	return batch == 0 ||
	    (f->group->batch != NULL && batch_id(f->group->batch) == batch);
}

static void
cancel_waiting(struct upstream *up, uint64_t batch)
{
	struct fetch *all = up->waiting, *next;

	up->waiting = NULL;
	up->waiting_end = &up->waiting;
	for (; all != NULL; all = next) {
		next = all->next;
		if (is_of(all, batch)) {
			fetch_fail(all, E_GONE, "cancelled");
			continue;
		}
		all->next = NULL;
		*up->waiting_end = all;
		up->waiting_end = &all->next;
	}
}

/* 0: everything. */
static void
cancel(struct fetcher *f, uint64_t batch)
{
	struct running *run, *following;
	struct upstream *up;

	for (up = f->busy; up != NULL; up = up->busy_next)
		cancel_waiting(up, batch);
	for (run = f->running; run != NULL; run = following) {
		following = run->next;
		if (is_of(run->fetch, batch))
			fetch_fail(run_remove(f, run), E_GONE, "cancelled");
	}
}

/* ---- curl's side ---- */

static int
on_socket(CURL *easy UNUSED, curl_socket_t fd, int what, void *ctx,
    void *known)
{
	struct fetcher *f = ctx;
	struct epoll_event ev = { .data.fd = fd };

	if (what == CURL_POLL_REMOVE) {
		epoll_ctl(f->epoll, EPOLL_CTL_DEL, fd, NULL);
		curl_multi_assign(f->multi, fd, NULL);
		return 0;
	}
	ev.events = (what & CURL_POLL_IN ? EPOLLIN : 0u) |
	    (what & CURL_POLL_OUT ? EPOLLOUT : 0u);
	if (known == NULL)
		curl_multi_assign(f->multi, fd, f);
	if (epoll_ctl(f->epoll, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd,
	    &ev) != 0)
		epoll_ctl(f->epoll, known ? EPOLL_CTL_ADD : EPOLL_CTL_MOD,
		    fd, &ev);
	return 0;
}

static int
on_timer(CURLM *multi UNUSED, long ms, void *ctx)
{
	struct fetcher *f = ctx;

	f->curl_at = ms < 0 ? -1 : clock_mono_ms() + ms;
	return 0;
}

static void
socket_event(struct fetcher *f, const struct epoll_event *ev)
{
	int mask = 0, running;

	if (ev->data.fd == f->event)
		return;
	if (ev->events & (EPOLLIN | EPOLLHUP))
		mask |= CURL_CSELECT_IN;
	if (ev->events & EPOLLOUT)
		mask |= CURL_CSELECT_OUT;
	if (ev->events & EPOLLERR)
		mask |= CURL_CSELECT_ERR;
	curl_multi_socket_action(f->multi, ev->data.fd, mask, &running);
}

static void
collect(struct fetcher *f)
{
	struct running *run;
	CURLMsg *msg;
	CURLcode rc;
	int left;

	while ((msg = curl_multi_info_read(f->multi, &left)) != NULL) {
		rc = msg->data.result;
		curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE,
		    (char **)&run);
		run_end(f, run, rc);
	}
}

/* ---- the loop ---- */

/* Take what others left. False: stop. */
static bool
take(struct fetcher *f)
{
	struct fetch *queue, *next;
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
	sweep = f->sweep;
	f->sweep = false;
	stop = f->stop;
	pthread_mutex_unlock(&f->lock);
	for (; queue != NULL; queue = next) {
		next = queue->next;
		accept_one(f, queue);
	}
	for (i = 0; i < n; i++)
		cancel(f, cancels[i]);
	free(cancels);
	if (sweep)
		sweep_open(f);
	start_waiting(f);
	return !stop;
}

/* From here others wake us by the event; false if they left something. */
static bool
fall_asleep(struct fetcher *f)
{
	bool idle;

	pthread_mutex_lock(&f->lock);
	idle = f->queue == NULL && f->ncancels == 0 && !f->sweep && !f->stop;
	f->asleep = idle;
	pthread_mutex_unlock(&f->lock);
	return idle;
}

static int
sleep_time(const struct fetcher *f, int64_t now)
{
	int64_t until = SD_MIN(f->scan_at, now + FETCHER_NAP);

	if (f->curl_at >= 0)
		until = SD_MIN(until, f->curl_at);
	return until <= now ? 0 : (int)(until - now);
}

static void
run_timers(struct fetcher *f)
{
	int64_t now = clock_mono_ms();
	int running;

	if (f->curl_at >= 0 && f->curl_at <= now) {
		f->curl_at = -1;
		curl_multi_socket_action(f->multi, CURL_SOCKET_TIMEOUT, 0,
		    &running);
		collect(f);
	}
	expire(f, now);
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
		socket_event(f, &events[i]);
	collect(f);
}

static void
reap(struct fetcher *f, int64_t now)
{
	if (now < f->reap_at)
		return;
	f->reap_at = now + FETCHER_NAP;
	lane_reap(f->transport, now);
}

static void *
fetcher_main(void *arg)
{
	struct fetcher *f = arg;

	while (take(f)) {
		run_timers(f);
		start_waiting(f);
		wait_events(f);
		reap(f, clock_mono_ms());
	}
	cancel(f, 0);
	start_waiting(f);	/* lets go of the upstreams */
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
	f->curl_at = -1;
	f->scan_at = INT64_MAX;
	f->queue_end = &f->queue;
	pthread_mutex_init(&f->lock, NULL);
	f->epoll = epoll_create1(EPOLL_CLOEXEC);
	f->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ev.data.fd = f->event;
	if (f->epoll < 0 || f->event < 0 ||
	    epoll_ctl(f->epoll, EPOLL_CTL_ADD, f->event, &ev) != 0)
		BUG("epoll: %s", strerror(errno));
	f->multi = transfer_multi_new(FETCHER_CONNECTIONS);
	curl_multi_setopt(f->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(f->multi, CURLMOPT_SOCKETDATA, f);
	curl_multi_setopt(f->multi, CURLMOPT_TIMERFUNCTION, on_timer);
	curl_multi_setopt(f->multi, CURLMOPT_TIMERDATA, f);
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
	curl_multi_cleanup(f->multi);
	close(f->epoll);
	close(f->event);
	pthread_mutex_destroy(&f->lock);
	free(f->cancels);
	free(f);
}
