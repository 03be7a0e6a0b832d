/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the credential cache share: sources.c decides,
 * source_table.c finds, source_entries.c keeps, sources_pool.c has the
 * threads, sources_lanes.c says whose turn it is, sources_store.c has what
 * processes share.
 */
#ifndef STAGEDOOR_SOURCES_PRIVATE_H
#define STAGEDOOR_SOURCES_PRIVATE_H

#include <pthread.h>

#include "ended.h"
#include "err.h"
#include "sources.h"

#define SOURCE_SPARE_MS 1000	/* a value that ends so soon has ended */
#define SOURCE_BACK_OFF_MS 1000	/* after the first failure; then doubled */
#define SOURCE_BACK_OFF_MAX 60000	/* but for what a cloud asks for */
#define SOURCE_FORCED_MS 60000	/* between renewals that 401s force */
/* Those who share a read meet its 401 together: so long they count as one. */
#define SOURCE_TOGETHER_MS 1000

enum entry_state { ENTRY_IDLE, ENTRY_QUEUED, ENTRY_MAKING };

struct entry {
	unsigned char key[SOURCE_KEY];
	struct entry *next;		/* of its bucket */
	struct entry *newer, *older;	/* by use */
	const char *kind;
	enum entry_state state;
	bool have;			/* value is there, maybe out of date */
	struct source_value value;
	uint64_t serial, generation;	/* as in struct source_use */
	int64_t due;			/* wall ms: from then on renew it */
	/* The same and its end by the clock that nobody sets, mono ms: a value
	   gets no older when the wall clock is set back. */
	int64_t due_mono, ends_mono;
	int64_t made;			/* mono ms */
	int64_t used;			/* mono ms, last */
	int64_t forced;			/* mono ms of the last 401's; 0: none */
	uint64_t forced_serial;		/* what it was to */
	unsigned pins;			/* it must stay */
	struct err *failure;		/* NULL: the last try went well */
	unsigned failures;		/* in a row */
	int64_t retry_at;		/* mono ms: no try before */
	struct source_wait *waits;
	struct queued_job *parked;	/* to be queued when it is idle */
	struct entry *after;		/* its own job is parked there */
};

struct queued_job {
	struct source_job job;
	struct entry *entry;		/* which is ENTRY_QUEUED */
	char *lane;			/* of its source, owned; or NULL */
	struct source_lane *place;	/* its own there, once it may run */
	struct queued_job *next;
};

struct job_queue {
	struct queued_job *first, **end;
	unsigned n;
};

struct source_lane {
	struct source_lane *next;
	char *name;
	unsigned running;		/* places taken */
	struct job_queue held;		/* those without a place */
};

struct sources {
	struct store *store;
	unsigned char secret[32];	/* of all HMACs */

	pthread_mutex_t lock;		/* of what follows */
	pthread_cond_t made;		/* a value was made, or failed */
	pthread_cond_t work;		/* a job was queued, or stop */
	struct entry **buckets;		/* by key */
	struct entry *newest, *oldest;	/* by use */
	size_t nentries;
	unsigned hand;			/* the bucket to be swept next */
	int64_t swept;			/* mono ms */
	struct job_queue ready;		/* for the next thread */
	struct source_lane *lanes;	/* those with jobs */
	unsigned jobs, places;		/* in all; taken in all lanes */
	bool failing;			/* for want of threads */
	unsigned threads, idle, starting;
	struct ended ended;
	uint64_t serials;
	bool stop;
};

/* ---- source_table.c, under the lock ---- */

void entries_init(struct sources *s);
void entries_free(struct sources *s);
struct entry *entry_find(struct sources *s, const unsigned char *key);
/* The one there is, or a new one. */
struct entry *entry_get(struct sources *s, const unsigned char *key,
    const char *kind);
/* The next of all, in no order, from NULL to NULL; nothing may be added or
   dropped meanwhile. */
struct entry *entry_next(struct sources *s, struct entry *e);

/* ---- source_entries.c, under the lock ---- */

void source_key(const struct sources *s, const struct source *source,
    unsigned char out[SOURCE_KEY]);
/* The same value is the same generation, in each process of one store. */
uint64_t generation_of(const struct sources *s, const struct source_value *v);
/* A credential of more sources than there is room for forgets the first. */
void uses_add(struct source_uses *uses, const struct entry *e);

/* May its value be used by who asks? Is it time to renew it? */
bool entry_is_good(const struct entry *e, const struct source_asker *asker);
bool entry_is_due(const struct entry *e);
bool value_is_good(const struct source_value *v, int64_t wall);
/* Takes v. */
void entry_succeed(struct sources *s, struct entry *e,
    struct source_value *v);
void entry_fail(struct entry *e, const struct err *err, int64_t retry_after);
/* ms to wait after so many failures before the last one. */
int64_t source_back_off(unsigned failures, int64_t retry_after);
/* It is idle: tell those that wait, and queue the jobs that do. */
void entry_wake(struct sources *s, struct entry *e);
/* Its job ended: if that never came to make it, it is not queued any more.
   True: then err is its failure, which nobody reported. */
bool entry_settle(struct sources *s, struct entry *e, const struct err *err);

/* A line in the log; not under the lock, for writing it may block. */
void source_report(const char *kind, const struct err *err);

/* ---- sources_store.c, not under the lock ---- */

struct share {			/* of one value, while it is made */
	const unsigned char *key;
	const struct source *source;
	const struct provider_call *call;
	const struct source_uses *refused;
};

/*
 * source->make, or what another process made of it. Without a store just the
 * former.
 */
int share_make(struct sources *s, const struct share *sh,
    struct source_value *out, struct err *err);

/* ---- sources_lanes.c, under the lock ---- */

/* Are so many waiting (of that lane; NULL: of none) that no more may? */
bool jobs_full(struct sources *s, const char *lane);
/* Let it run when there is a place for it; then sources_wake. */
void job_add(struct sources *s, struct queued_job *q);
/* The next one to run; NULL: there is none. */
struct queued_job *job_next(struct sources *s);
/* It does not run any more: its place is another's. */
void job_leave(struct sources *s, struct queued_job *q);
/*
 * Its entry is not made yet: it asked for others, of another lane (asker's
 * pending). Let it run again when they are there. False: they wait for it.
 */
bool job_park(struct sources *s, struct queued_job *q);
/* Those that wait for e. */
void jobs_unpark(struct sources *s, struct entry *e);
/* Any one of those that do not run, taken out; NULL: there is none. */
struct queued_job *job_drop(struct sources *s);

/* ---- sources_pool.c, under the lock ---- */

/*
 * Have the provider of the call's cluster run on a thread, for e, which is
 * source's. False: too many wait for that.
 */
bool sources_queue(struct sources *s, struct entry *e,
    const struct provider_call *call, const struct source *source);
/* Jobs came to `ready`, at other hands than a thread's that takes the next:
   there shall be threads for them. */
void sources_wake(struct sources *s);

#endif
