/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A curl multi handle whose sockets are in an epoll set of its thread. One
 * thread may have several: the events carry the number of their handle. For
 * the transport's own files; all on the thread that owns it.
 */
#ifndef STAGEDOOR_MULTI_H
#define STAGEDOOR_MULTI_H

#include <curl/curl.h>

struct multi {
	CURLM *curl;
	int epoll;		/* borrowed */
	unsigned number;	/* not 0: that is the thread's own event */
	int64_t at;		/* mono ms: curl wants to be called; -1: not */
};

/* m must not move. With at most so many connections, idle ones too. */
void multi_init(struct multi *m, int epoll, unsigned number,
    long connections);
/* Closes every connection; nothing may be under way. */
void multi_release(struct multi *m);

/* The number of the handle that an event is for: data.u64 of epoll. */
unsigned multi_number(uint64_t key);
/* Hand over an event; events are epoll's. */
void multi_event(struct multi *m, uint64_t key, unsigned events);
/* Call curl if it wants to be called by now. */
void multi_run_timer(struct multi *m, int64_t now);
/*
 * The next transfer that curl is done with: its CURLOPT_PRIVATE, and how it
 * ended; NULL: none. The caller takes it off the handle.
 */
void *multi_next_done(struct multi *m, CURLcode *rc);

#endif
