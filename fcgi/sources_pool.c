/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The threads that make credentials. They are started when there is more to
 * do than there are idle ones, and end when they have been idle for long. A
 * job that waits for a value waits for a thread that is at work on it, never
 * for one that is queued: so no number of jobs can block each other.
 */
#include "base.h"

#include <signal.h>

#include "clock.h"
#include "identity.h"
#include "log.h"
#include "runtime.h"
#include "sources_private.h"
#include "../providers/provider.h"

#define THREADS_MAX 128		/* sources that hang hold one each */
#define THREAD_IDLE_MS 30000
#define JOB_MS 60000		/* longer than any source may take, but for
				   a shared object that blocks */
#define STOP_SPARE_MS 5000

/* Not under the lock: a runtime may go with it. */
static void
job_free(struct queued_job *q)
{
	runtime_put(q->job.rt);
	free(q->job.user);
	free(q->lane);
	free(q);
}

/* Under the lock; NULL when it is time to end. */
static struct queued_job *
job_take(struct sources *s)
{
	int64_t until = clock_mono_ms() + THREAD_IDLE_MS;
	struct timespec ts = { .tv_sec = until / 1000 };

	s->idle++;
	while (s->ready.first == NULL && !s->stop &&
	    pthread_cond_timedwait(&s->work, &s->lock, &ts) == 0)
		continue;
	s->idle--;
	return s->stop ? NULL : job_next(s);
}

/* Once more, as if nobody had asked yet. 0 or E_*. */
static int
job_try(struct sources *s, struct queued_job *q, struct err *err)
{
	int r;

	q->job.asker.used.n = 0;
	q->job.asker.deadline = clock_mono_ms() + JOB_MS;
	pthread_mutex_unlock(&s->lock);
	r = obtain_source(&q->job, err);
	pthread_mutex_lock(&s->lock);
	return r;
}

static void
job_run(struct sources *s, struct queued_job *q)
{
	struct err err = ERR_INIT;
	const char *kind = q->entry->kind;
	bool failed;
	int r = 0;

	/* Another job may have come to it on its way. */
	if (q->entry->state == ENTRY_QUEUED)
		r = job_try(s, q, &err);
	job_leave(s, q);
	if (r == E_PENDING && q->entry->state == ENTRY_QUEUED) {
		if (job_park(s, q))
			return;
		r = err_set(&err, E_BUSY, "%s: it waits for what waits for it",
		    kind);
	}
	failed = entry_settle(s, q->entry, r != 0 && r != E_PENDING ? &err :
	    NULL);
	s->jobs--;
	pthread_mutex_unlock(&s->lock);
	if (failed)
		source_report(kind, &err);
	job_free(q);
	pthread_mutex_lock(&s->lock);
}

static void *
thread_main(void *arg)
{
	struct sources *s = arg;
	struct queued_job *q;

	pthread_mutex_lock(&s->lock);
	s->starting--;
	while ((q = job_take(s)) != NULL)
		job_run(s, q);
	s->threads--;
	ended_add(&s->ended);
	pthread_cond_broadcast(&s->made);
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

/* Signals are for the main thread. False: there is none to be had. */
static bool
thread_start(struct sources *s)
{
	sigset_t all, old;
	pthread_t thread;
	bool started;

	ended_join(&s->ended);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	started = pthread_create(&thread, NULL, thread_main, s) == 0;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	s->threads += started;
	s->starting += started;
	return started;
}

/*
 * No thread was to be had. If there are others, they come to the job in their
 * time; else it fails, and is tried again like any other.
 */
static void
jobs_fail(struct sources *s)
{
	struct queued_job *q;
	struct err err = ERR_INIT;

	s->failing = true;
	while (s->threads == 0 && (q = job_next(s)) != NULL) {
		err_set(&err, E_SYSTEM, "%s: the system gave no thread to ask "
		    "for it: raise its limit of processes", q->entry->kind);
		job_leave(s, q);
		entry_settle(s, q->entry, &err);
		s->jobs--;
		job_free(q);
	}
	s->failing = false;
}

void
sources_wake(struct sources *s)
{
	unsigned i;

	if (s->stop || s->failing)	/* it comes to this one too */
		return;
	for (i = 0; i < s->ready.n && i < s->idle; i++)
		pthread_cond_signal(&s->work);
	while (s->ready.n > s->idle + s->starting &&
	    s->threads < THREADS_MAX && thread_start(s))
		continue;
	jobs_fail(s);
}

bool
sources_queue(struct sources *s, struct entry *e,
    const struct provider_call *call, const struct source *source)
{
	const struct source_asker *asker = call->core;
	struct queued_job *q;

	if (jobs_full(s, source->lane))
		return false;
	q = xcalloc(1, sizeof(*q));
	q->job.rt = runtime_ref(asker->rt);
	q->job.cluster = call->cluster;
	if (call->who != NULL && call->who->user != NULL)
		q->job.user = xstrdup(call->who->user);
	q->job.asker.rt = asker->rt;
	q->job.asker.blocking = true;
	q->job.asker.job = q;
	q->job.asker.refused = asker->refused;
	if (source->lane != NULL)
		q->lane = xstrdup(source->lane);
	q->entry = e;
	e->pins++;
	e->state = ENTRY_QUEUED;
	s->jobs++;
	job_add(s, q);
	sources_wake(s);
	return true;
}

bool
sources_stop(struct sources *s)
{
	int64_t until = clock_mono_ms() + JOB_MS + STOP_SPARE_MS;
	struct timespec ts = { .tv_sec = until / 1000 };
	struct queued_job *q;
	bool ended;

	pthread_mutex_lock(&s->lock);
	s->stop = true;
	pthread_cond_broadcast(&s->work);
	while (s->threads > 0 &&
	    pthread_cond_timedwait(&s->made, &s->lock, &ts) == 0)
		continue;
	/* Requests that outlast their time may still be queuing more. */
	while ((q = job_drop(s)) != NULL) {
		job_leave(s, q);
		s->jobs--;
		job_free(q);
	}
	ended = s->threads == 0;
	ended_join(&s->ended);
	pthread_mutex_unlock(&s->lock);
	return ended;
}
