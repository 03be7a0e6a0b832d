/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Multi handles of a fetch thread and their sockets in its epoll set. curl
 * tells what to watch and when to be called; an event goes back to the multi
 * handle whose number it carries.
 */
#include "base.h"

#include <sys/epoll.h>

#include "clock.h"
#include "fetcher_private.h"

#define POOL_IDLE_MS 50000	/* a certificate's pool without use */
#define POOL_IDLE_MAX 64	/* of these beside the first */

static uint64_t
pool_key(const struct fetcher_pool *pool, int fd)
{
	return (uint64_t)pool->number << 32 | (uint32_t)fd;
}

static int
on_socket(CURL *easy UNUSED, curl_socket_t fd, int what, void *ctx,
    void *known)
{
	struct fetcher_pool *pool = ctx;
	struct epoll_event ev = { .data.u64 = pool_key(pool, fd) };
	int epoll = pool->fetcher->epoll;

	if (what == CURL_POLL_REMOVE) {
		epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL);
		return 0;
	}
	ev.events = (what & CURL_POLL_IN ? EPOLLIN : 0u) |
	    (what & CURL_POLL_OUT ? EPOLLOUT : 0u);
	if (known == NULL)
		curl_multi_assign(pool->multi, fd, pool);
	/* What curl closed without a word has left the set by itself. */
	if (epoll_ctl(epoll, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd,
	    &ev) != 0)
		epoll_ctl(epoll, known ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd,
		    &ev);
	return 0;
}

static int
on_timer(CURLM *multi UNUSED, long ms, void *ctx)
{
	struct fetcher_pool *pool = ctx;

	pool->curl_at = ms < 0 ? -1 : clock_mono_ms() + ms;
	return 0;
}

static struct fetcher_pool *
pool_new(struct fetcher *f, const unsigned char identity[TRANSFER_IDENTITY])
{
	struct fetcher_pool *pool = xcalloc(1, sizeof(*pool));

	pool->fetcher = f;
	pool->number = ++f->next_pool;	/* 0 is the fetcher's own event */
	pool->curl_at = -1;
	memcpy(pool->identity, identity, TRANSFER_IDENTITY);
	pool->multi = transfer_multi_new(f->transport->connections);
	curl_multi_setopt(pool->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(pool->multi, CURLMOPT_SOCKETDATA, pool);
	curl_multi_setopt(pool->multi, CURLMOPT_TIMERFUNCTION, on_timer);
	curl_multi_setopt(pool->multi, CURLMOPT_TIMERDATA, pool);
	pool->next = f->pools;
	f->pools = pool;
	f->npools++;
	return pool;
}

struct fetcher_pool *
pool_get(struct fetcher *f, const unsigned char identity[TRANSFER_IDENTITY])
{
	struct fetcher_pool *pool;

	for (pool = f->pools; pool != NULL; pool = pool->next)
		if (memcmp(pool->identity, identity, TRANSFER_IDENTITY) == 0)
			return pool;
	return pool_new(f, identity);
}

int64_t
pool_next_timer(const struct fetcher *f)
{
	const struct fetcher_pool *pool;
	int64_t next = INT64_MAX;

	for (pool = f->pools; pool != NULL; pool = pool->next)
		if (pool->curl_at >= 0)
			next = SD_MIN(next, pool->curl_at);
	return next;
}

void
pool_run_timers(struct fetcher *f, int64_t now)
{
	struct fetcher_pool *pool;
	int running;

	for (pool = f->pools; pool != NULL; pool = pool->next) {
		if (pool->curl_at < 0 || pool->curl_at > now)
			continue;
		pool->curl_at = -1;
		curl_multi_socket_action(pool->multi, CURL_SOCKET_TIMEOUT, 0,
		    &running);
	}
}

void
pool_event(struct fetcher *f, uint64_t key, unsigned events)
{
	struct fetcher_pool *pool = f->pools;
	int mask = 0, running;

	while (pool != NULL && pool->number != key >> 32)
		pool = pool->next;
	if (pool == NULL)
		return;
	if (events & (EPOLLIN | EPOLLHUP))
		mask |= CURL_CSELECT_IN;
	if (events & EPOLLOUT)
		mask |= CURL_CSELECT_OUT;
	if (events & EPOLLERR)
		mask |= CURL_CSELECT_ERR;
	curl_multi_socket_action(pool->multi, (curl_socket_t)(uint32_t)key,
	    mask, &running);
}

static bool
collect_one(struct fetcher_pool *pool)
{
	struct running *run;
	CURLMsg *msg;
	bool any = false;
	int left;

	while ((msg = curl_multi_info_read(pool->multi, &left)) != NULL) {
		CURLcode rc = msg->data.result;

		curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE,
		    (char **)&run);
		run_end(run, rc);	/* msg is gone with its handle */
		any = true;
	}
	return any;
}

bool
pool_collect(struct fetcher *f)
{
	struct fetcher_pool *pool;
	bool any = false;

	for (pool = f->pools; pool != NULL; pool = pool->next)
		any = collect_one(pool) || any;
	return any;
}

static void
pool_free(struct fetcher *f, struct fetcher_pool **p)
{
	struct fetcher_pool *pool = *p;

	*p = pool->next;
	f->npools--;
	curl_multi_cleanup(pool->multi);
	free(pool);
}

void
pool_reap(struct fetcher *f, int64_t now)
{
	static const unsigned char bearers[TRANSFER_IDENTITY];
	struct fetcher_pool **p = &f->pools;
	int64_t age = f->npools > POOL_IDLE_MAX ? 0 : POOL_IDLE_MS;

	while (*p != NULL)
		if ((*p)->active == 0 && (*p)->idle_since + age <= now &&
		    memcmp((*p)->identity, bearers, TRANSFER_IDENTITY) != 0)
			pool_free(f, p);
		else
			p = &(*p)->next;
}

void
pool_free_all(struct fetcher *f)
{
	while (f->pools != NULL)
		pool_free(f, &f->pools);
}
