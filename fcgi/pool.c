/* SPDX-License-Identifier: Apache-2.0 */
/* Threads, one epoll set, drain and reload. */
#include "base.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "clock.h"
#include "err.h"
#include "fcgi.h"
#include "listen.h"
#include "log.h"
#include "metrics.h"
#include "pool.h"
#include "runtime.h"
#include "streams.h"

/* A web server sends a request's records together: a pause is a fault. */
#define READ_TIMEOUT_S 60
/* A reader that takes nothing for so long has left. */
#define WRITE_TIMEOUT_S 600
/* libcurl and OpenSSL need little; 64 threads should not reserve 512 MiB. */
#define WORKER_STACK ((size_t)512 * 1024)

/* Connections past this descriptor are not kept. */
#define KEPT_MAX 65536

struct pool {
	struct listener *listener;
	int epoll, stop;
	pthread_t *threads;
	unsigned n;

	pthread_mutex_t keeping;	/* of what follows */
	/* Which connections wait in the epoll set: whoever clears the mark
	   (a worker, or the stop) has the connection. */
	bool waiting[KEPT_MAX];
	bool stopping;

	pthread_mutex_t lock;	/* of what follows */
	pthread_cond_t changed;
	struct runtime *rt;
	unsigned running;	/* threads that have not ended */
};

static struct runtime *
pool_runtime(struct pool *p)
{
	struct runtime *rt;

	pthread_mutex_lock(&p->lock);
	rt = runtime_ref(p->rt);
	pthread_mutex_unlock(&p->lock);
	return rt;
}

static bool
take(struct pool *p, int fd)
{
	bool mine;

	pthread_mutex_lock(&p->keeping);
	mine = p->waiting[fd];
	p->waiting[fd] = false;
	pthread_mutex_unlock(&p->keeping);
	metric_add(METRIC_POOL_KEPT, -mine);
	return mine;
}

/* Wait for the next event on fd, for one thread, once. */
static int
watch(struct pool *p, int fd, int op)
{
	struct epoll_event ev = { .data.fd = fd,
	    .events = EPOLLIN | EPOLLRDHUP | EPOLLONESHOT };

	return epoll_ctl(p->epoll, op, fd, &ev);
}

/* Let the connection wait, without a thread, for what comes next. */
static void
keep_connection(struct pool *p, int fd, int op)
{
	bool kept = false;

	if (fd < KEPT_MAX) {
		pthread_mutex_lock(&p->keeping);
		kept = !p->stopping && watch(p, fd, op) == 0;
		p->waiting[fd] = kept;
		metric_add(METRIC_POOL_KEPT, kept);
		pthread_mutex_unlock(&p->keeping);
	}
	if (!kept)
		close(fd);
}

/* One request on the connection; then it waits again, or is closed. */
static void
serve(struct pool *p, int fd, int op)
{
	struct runtime *rt = pool_runtime(p);
	enum fcgi_after after;

	metric_add(METRIC_POOL_BUSY, 1);
	after = fcgi_serve(fd, rt);
	metric_add(METRIC_POOL_BUSY, -1);
	runtime_put(rt);
	if (after == FCGI_KEEP)
		keep_connection(p, fd, op);
	else if (after == FCGI_CLOSE)
		close(fd);
}

static int
accept_one(struct pool *p)
{
	static const struct timeval rcv = { .tv_sec = READ_TIMEOUT_S };
	static const struct timeval snd = { .tv_sec = WRITE_TIMEOUT_S };
	int fd = accept4(p->listener->fd, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &rcv, sizeof(rcv));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &snd, sizeof(snd));
	return fd;
}

/* Out of descriptors: spinning on a full backlog would help nobody. */
static void
accept_pause(void)
{
	if (errno != EMFILE && errno != ENFILE && errno != ENOMEM)
		return;
	log_error("cannot accept a connection: %s", strerror(errno));
	usleep(100000);
}

static void
take_connection(struct pool *p)
{
	int fd = accept_one(p);
	char c;

	if (fd < 0)
		accept_pause();
	watch(p, p->listener->fd, EPOLL_CTL_MOD);
	if (fd < 0)
		return;
	/* One that says nothing yet waits without a thread. */
	if (recv(fd, &c, 1, MSG_PEEK | MSG_DONTWAIT) > 0)
		serve(p, fd, EPOLL_CTL_ADD);
	else
		keep_connection(p, fd, EPOLL_CTL_ADD);
}

/* The web server closes connections that it does not need any more. */
static void
take_event(struct pool *p, int fd, uint32_t events)
{
	if (events & (EPOLLHUP | EPOLLERR | EPOLLRDHUP))
		close(fd);
	else
		serve(p, fd, EPOLL_CTL_MOD);
}

/* Who connected before we said stop gets an answer. */
static void
drain_backlog(struct pool *p)
{
	int fd;

	while (!p->listener->inherited && (fd = accept_one(p)) >= 0) {
		struct runtime *rt = pool_runtime(p);

		if (fcgi_serve(fd, rt) != FCGI_CLOSED)
			close(fd);
		runtime_put(rt);
	}
}

static void *
worker(void *arg)
{
	struct pool *p = arg;
	struct epoll_event ev;

	for (;;) {
		if (epoll_wait(p->epoll, &ev, 1, -1) != 1)
			continue;
		if (ev.data.fd == p->stop)
			break;
		if (ev.data.fd == p->listener->fd)
			take_connection(p);
		else if (take(p, ev.data.fd))
			take_event(p, ev.data.fd, ev.events);
	}
	drain_backlog(p);
	pthread_mutex_lock(&p->lock);
	p->running--;
	pthread_cond_signal(&p->changed);
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

static int
start_threads(struct pool *p, unsigned n, struct err *err)
{
	pthread_attr_t attr;
	int r = 0;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, WORKER_STACK);
	p->threads = xcalloc(n, sizeof(*p->threads));
	while (p->n < n && r == 0) {
		r = pthread_create(&p->threads[p->n], &attr, worker, p);
		if (r == 0)
			p->n++;
	}
	pthread_attr_destroy(&attr);
	metric_add(METRIC_POOL_THREADS, p->n);
	pthread_mutex_lock(&p->lock);
	p->running += p->n;
	pthread_mutex_unlock(&p->lock);
	if (p->n == 0)
		return err_set(err, E_SYSTEM, "cannot start threads: %s",
		    strerror(r));
	if (r != 0)
		log_warn("only %u of %u threads could be started: %s", p->n, n,
		    strerror(r));
	return 0;
}

int
pool_start(struct listener *l, struct runtime *rt, unsigned n,
    struct pool **out, struct err *err)
{
	struct pool *p = xcalloc(1, sizeof(*p));
	struct epoll_event stop = { .events = EPOLLIN };
	pthread_condattr_t attr;

	p->listener = l;
	p->rt = runtime_ref(rt);
	pthread_mutex_init(&p->lock, NULL);
	pthread_mutex_init(&p->keeping, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&p->changed, &attr);
	pthread_condattr_destroy(&attr);
	p->epoll = epoll_create1(EPOLL_CLOEXEC);
	p->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (p->epoll < 0 || p->stop < 0)
		return err_set(err, E_SYSTEM, "cannot start the pool: %s",
		    strerror(errno));
	/* Several threads and processes may be woken for one connection. */
	fcntl(l->fd, F_SETFL, fcntl(l->fd, F_GETFL) | O_NONBLOCK);
	stop.data.fd = p->stop;
	epoll_ctl(p->epoll, EPOLL_CTL_ADD, p->stop, &stop);
	watch(p, l->fd, EPOLL_CTL_ADD);
	*out = p;
	streams_threads(n);
	return start_threads(p, n, err);
}

void
pool_use(struct pool *p, struct runtime *rt)
{
	struct runtime *old;

	pthread_mutex_lock(&p->lock);
	old = p->rt;
	p->rt = runtime_ref(rt);
	pthread_mutex_unlock(&p->lock);
	runtime_put(old);
}

/* True when all threads ended before the deadline. */
static bool
wait_for_threads(struct pool *p, double seconds)
{
	int64_t until = clock_mono_ms() + clock_ms(seconds);
	struct timespec ts = { .tv_sec = until / 1000,
	    .tv_nsec = until % 1000 * 1000000 };
	int r = 0;

	pthread_mutex_lock(&p->lock);
	while (p->running > 0 && r == 0)
		r = pthread_cond_timedwait(&p->changed, &p->lock, &ts);
	if (p->running > 0)
		log_warn("%u requests did not finish in %.0f s: ending without "
		    "them", p->running, seconds);
	r = p->running == 0;
	pthread_mutex_unlock(&p->lock);
	return r;
}

/* So that the web server opens new ones, to whoever serves from now on. */
static void
close_waiting(struct pool *p)
{
	int fd;

	pthread_mutex_lock(&p->keeping);
	p->stopping = true;
	for (fd = 0; fd < KEPT_MAX; fd++) {
		if (!p->waiting[fd])
			continue;
		p->waiting[fd] = false;
		metric_add(METRIC_POOL_KEPT, -1);
		close(fd);
	}
	pthread_mutex_unlock(&p->keeping);
}

bool
pool_stop(struct pool *p, double seconds)
{
	uint64_t one = 1;
	unsigned i;

	metric_add(METRIC_ENDING, 1);
	listen_unlink(p->listener);
	if (write(p->stop, &one, sizeof(one)) != sizeof(one))
		BUG("cannot signal the pool");
	close_waiting(p);
	if (!wait_for_threads(p, seconds))
		return false;
	for (i = 0; i < p->n; i++)
		pthread_join(p->threads[i], NULL);
	close(p->stop);
	close(p->epoll);
	runtime_put(p->rt);
	pthread_cond_destroy(&p->changed);
	pthread_mutex_destroy(&p->lock);
	pthread_mutex_destroy(&p->keeping);
	free(p->threads);
	free(p);
	return true;
}
