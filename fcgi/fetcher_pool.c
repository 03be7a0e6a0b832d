/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Multi handles of a fetch thread: one for all bearers, one for each client
 * certificate.
 */
#include "base.h"

#include "clock.h"
#include "fetcher_private.h"

#define POOL_IDLE_MS 50000	/* a certificate's pool without use */
#define POOL_IDLE_MAX 64	/* of these beside the first */

static struct fetcher_pool *
pool_new(struct fetcher *f, const unsigned char identity[TRANSFER_IDENTITY])
{
	struct fetcher_pool *pool = xcalloc(1, sizeof(*pool));

	memcpy(pool->identity, identity, TRANSFER_IDENTITY);
	multi_init(&pool->multi, f->epoll, ++f->next_pool,
	    f->transport->connections);
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
		if (pool->multi.at >= 0)
			next = SD_MIN(next, pool->multi.at);
	return next;
}

void
pool_run_timers(struct fetcher *f, int64_t now)
{
	struct fetcher_pool *pool;

	for (pool = f->pools; pool != NULL; pool = pool->next)
		multi_run_timer(&pool->multi, now);
}

void
pool_event(struct fetcher *f, uint64_t key, unsigned events)
{
	struct fetcher_pool *pool = f->pools;

	while (pool != NULL && pool->multi.number != multi_number(key))
		pool = pool->next;
	if (pool != NULL)
		multi_event(&pool->multi, key, events);
}

static bool
collect_one(struct fetcher_pool *pool)
{
	struct running *run;
	CURLcode rc;
	bool any = false;

	while ((run = multi_next_done(&pool->multi, &rc)) != NULL) {
		run_end(run, rc);
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
	multi_release(&pool->multi);
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
