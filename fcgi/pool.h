/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Worker threads that answer requests from one listening socket. Waiting
 * connections, kept ones too, sit in one epoll set and hold no thread; a
 * thread has a connection only while a request is on it. No lock is held
 * around accept or I/O.
 */
#ifndef STAGEDOOR_POOL_H
#define STAGEDOOR_POOL_H

struct err;
struct listener;
struct pool;
struct runtime;

/* Start n threads; takes a reference to rt. 0 or E_SYSTEM. */
int pool_start(struct listener *l, struct runtime *rt, unsigned n,
    struct pool **out, struct err *err);
/* Requests that begin from now on use rt; takes a reference. */
void pool_use(struct pool *p, struct runtime *rt);
/*
 * Take no new work, let what is under way finish, at most seconds. True if
 * all finished: then the pool is freed. False: threads still run, and the
 * process must end without freeing what they use.
 */
bool pool_stop(struct pool *p, double seconds);

#endif
