/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The credential cache and its pool of threads. A source credential is made
 * off the threads of requests, one at a time for one key, and detached from
 * whoever asked: a client that leaves cuts nothing short. Those that need it
 * wait, each as long as it likes.
 *
 * - A key is an HMAC over everything that went into the credential.
 * - Before a value ends, by its margin, one job renews it; the old one is
 *   used meanwhile.
 * - A failure is remembered for 1, 2, 4 ... 60 s, or as long as the cloud
 *   asked: within that nobody tries again, and a value that is still good
 *   goes on being used.
 * - A 401 from a cluster refuses one generation of a value: whoever met it
 *   waits for the next one, at most one a minute for a key; the others keep
 *   theirs until it is there.
 * - With a store, processes share values, failures and the right to renew
 *   (but for sources that are `unshared`: their make sees to that).
 * - Of one lane only SOURCE_LANE_MAX are made at once. A job that comes to a
 *   source of another lane than its own gives its thread back until that one
 *   is made, as a job of its own; but for `brief` ones.
 * - Too many at once are refused (E_BUSY), not queued. What has ended and was
 *   not asked for in a minute is forgotten.
 *
 * Outlives the runtimes, as the transport does. Safe from any thread.
 */
#ifndef STAGEDOOR_SOURCES_H
#define STAGEDOOR_SOURCES_H

#include "source.h"

struct batch;
struct cluster;
struct fetch_group;
struct provider_call;
struct queued_job;
struct runtime;
struct sources;
struct store;

#define SOURCE_KEY 32
#define SOURCE_USES 8	/* sources that one credential is made of, at most */

/* One value among those of a key: which try of ours gave it, and what it is,
   for other processes may have it too. */
struct source_use {
	unsigned char key[SOURCE_KEY];
	uint64_t serial, generation;
};

struct source_uses {
	struct source_use items[SOURCE_USES];
	unsigned n;
};

/* What the core keeps for one call of a provider: provider_call.core. Zeroed,
   then filled. */
struct source_asker {
	struct runtime *rt;		/* borrowed */
	bool blocking;			/* may make values and wait */
	int64_t deadline;		/* mono ms, when blocking */
	const struct queued_job *job;	/* the pool's; NULL: on no thread of
					   the pool */
	struct source_uses used;	/* out */
	struct source_uses refused;	/* in: not these */
	unsigned char pending[SOURCE_KEY];	/* out, with E_PENDING */
	const char *pending_kind;
	/* For stagedoor explain: provider_call.note; or NULL. */
	void (*note)(void *ctx, const char *line);
	void *note_ctx;
};

/* Borrows the store, which may be NULL: memory only. */
struct sources *sources_new(struct store *store);
/* Drop what is queued and wait for what is being made, which may take a
   minute. Nothing is begun any more. False: a thread does not come back (a
   shared object that blocks), and uses what it uses. */
bool sources_stop(struct sources *s);
/* After that, and gone; nobody may wait for a value any more. */
void sources_free(struct sources *s);		/* NULL is fine */

/* provider_call.source. call->core is a source_asker. */
int sources_get(struct sources *s, const struct provider_call *call,
    const struct source *source, struct source_value *out, struct err *err);
/* What the source was made of has changed: whoever asks next does not get what
   is kept. Others' processes are not told. */
void sources_forget(struct sources *s, const struct source *source);
/*
 * A cluster answered 401 to a credential made of these. True: ask again with
 * what is left of them refused, there is or will be another generation.
 * False: there is nothing better to be had now.
 */
bool sources_reject(struct sources *s, struct source_uses *used);

/* The wait of one row or request for one key; zeroed at first. */
struct source_wait {
	struct sources *sources;
	struct fetch_group *group;
	unsigned char key[SOURCE_KEY];
	struct source_wait *next;
	bool waiting;
};

/*
 * Let the batch's group arrive when the key's value was made or failed, or at
 * the deadline (mono ms). False: there is nothing to wait for; ask anew.
 */
bool sources_await(struct source_wait *w, struct batch *b,
    struct fetch_group *group, int64_t deadline);

/* What there is now. */
struct source_counts {
	size_t entries;
	unsigned jobs, threads, idle;	/* jobs: not ended yet */
};
void sources_count(struct sources *s, struct source_counts *out);

/* ---- for obtain.c, which runs what the pool is given ---- */

struct source_job {
	struct runtime *rt;		/* a reference */
	const struct cluster *cluster;
	char *user;		/* who asked first, owned; NULL: nobody */
	struct source_asker asker;
};

/* Run the provider of the job's cluster once more, blocking. 0 or E_*;
   E_PENDING: the asker says on what. */
int obtain_source(struct source_job *job, struct err *err);

#endif
