/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the fetch thread share: fetcher.c has the thread and its
 * loop, fetcher_pool.c its multi handles, fetcher_run.c what is under way,
 * fetcher_wait.c what waits for room. All but the queue belongs to the thread
 * alone.
 */
#ifndef STAGEDOOR_FETCHER_PRIVATE_H
#define STAGEDOOR_FETCHER_PRIVATE_H

#include "fetcher.h"
#include "multi.h"
#include "transfer.h"
#include "transport_private.h"

/*
 * A multi handle. All bearers share the first; each client certificate has
 * one of its own, so that no connection serves two of them.
 */
struct fetcher_pool {
	struct fetcher_pool *next;
	struct multi multi;
	unsigned active;
	int64_t idle_since;
	unsigned char identity[TRANSFER_IDENTITY];
};

struct running {
	struct transfer transfer;
	struct fetch *fetch;
	struct fetcher *fetcher;
	struct fetcher_pool *pool;
	struct running *prev, *next;
	bool headers;			/* of an answer came */
};

struct fetcher {
	struct transport *transport;
	pthread_t thread;
	int epoll, event;
	int64_t scan_at;	/* no deadline is earlier */
	int64_t reap_at;
	struct fetcher_pool *pools;
	unsigned npools, next_pool;
	struct running *running;
	unsigned asked;		/* upstreams with fetches under way */
	struct upstream *busy;	/* with fetches waiting; holds them */

	pthread_mutex_t lock;	/* of what follows */
	struct fetch *queue, **queue_end;
	uint64_t *cancels;	/* numbers of batches */
	size_t ncancels;
	bool asleep, look, sweep, stop;
};

/* ---- fetcher_pool.c ---- */

struct fetcher_pool *pool_get(struct fetcher *f,
    const unsigned char identity[TRANSFER_IDENTITY]);
/* When curl wants to be called; INT64_MAX: not. */
int64_t pool_next_timer(const struct fetcher *f);
void pool_run_timers(struct fetcher *f, int64_t now);
void pool_event(struct fetcher *f, uint64_t key, unsigned events);
/* End the fetches that curl is done with. True if there were any. */
bool pool_collect(struct fetcher *f);
/* Close certificate pools that are not used. */
void pool_reap(struct fetcher *f, int64_t now);
void pool_free_all(struct fetcher *f);

/* ---- fetcher_run.c ---- */

void run_start(struct fetcher *f, struct fetch *fetch);
void run_end(struct running *run, CURLcode rc);
/* End those past their deadline; the next one, or INT64_MAX. */
int64_t run_expire(struct fetcher *f, int64_t now);
void run_cancel(struct fetcher *f, uint64_t batch);
/* The fetch of a batch of this number? Or one of these: */
#define FETCH_ANY 0
#define FETCH_DROPPED UINT64_MAX
bool fetch_is_of(const struct fetch *f, uint64_t batch);
/* Tell whoever waits; the fetch is not ours from here. */
void fetch_over(struct fetch *f);
void fetch_fail(struct fetch *f, int code, const char *text);
void fetch_set_deadline(struct fetcher *f, struct fetch *fetch,
    int64_t deadline);

/* ---- fetcher_wait.c ---- */

/* Start it or let it wait for room. */
void wait_accept(struct fetcher *f, struct fetch *fetch);
/* Start what fits; fail what waits for a cluster whose breaker is open. */
void wait_start(struct fetcher *f);
int64_t wait_expire(struct fetcher *f, int64_t now);
void wait_cancel(struct fetcher *f, uint64_t batch);

#endif
