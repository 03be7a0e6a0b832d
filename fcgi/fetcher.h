/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A thread that runs fetches: it owns a curl multi handle and waits in epoll
 * for its sockets. Others hand it work through a queue. For the transport's
 * own files.
 */
#ifndef STAGEDOOR_FETCHER_H
#define STAGEDOOR_FETCHER_H

#include "transport.h"

struct fetcher;

/* Starts the thread. */
struct fetcher *fetcher_new(struct transport *t);
/* Ends what is under way with E_GONE, stops the thread. */
void fetcher_free(struct fetcher *f);

/* Append a chain of fetches (linked by next); wakes the thread if needed. */
void fetcher_submit(struct fetcher *f, struct fetch *first,
    struct fetch *last);
/* End the batch's fetches with E_GONE; it hears of each as usual. */
void fetcher_cancel(struct fetcher *f, uint64_t batch);
/* End the fetches that are `dropped`. */
void fetcher_sweep(struct fetcher *f);
/* A breaker opened: look what waits for it. */
void fetcher_look(struct fetcher *f);

/* batch.c: a fetch is over; the thread must not touch it any more. */
void batch_fetched(struct fetch *f);
uint64_t batch_id(const struct batch *b);	/* from 1, never used again */

#endif
