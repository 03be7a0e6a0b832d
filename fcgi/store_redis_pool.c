/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections to Redis, shared by threads: kept when they are idle, made anew
 * when they are lost. While Redis is away one thread at a time looks whether
 * it is back, and the others fail at once: what can do without the store must
 * not be slow for it.
 */
#include "base.h"

#include <hiredis.h>

#include "clock.h"
#include "err.h"
#include "secret.h"
#include "store_redis.h"

#define LINKS_MAX 16
#define AWAY_MS 500		/* between looks whether it is back */

struct store_backend *
redis_pool_new(const struct store_settings *settings,
    const struct store_limits *limits)
{
	struct store_backend *be = xcalloc(1, sizeof(*be));
	pthread_condattr_t attr;

	redis_address_init(&be->address, settings);
	be->limits = *limits;
	pthread_mutex_init(&be->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&be->left, &attr);
	pthread_condattr_destroy(&attr);
	return be;
}

/* Under the lock. */
static void
drop_idle(struct store_backend *be)
{
	struct redis_link *l;

	while ((l = be->idle) != NULL) {
		be->idle = l->next;
		redis_link_free(l);
		be->links--;
	}
}

void
redis_pool_free(struct store_backend *be)
{
	drop_idle(be);
	pthread_cond_destroy(&be->left);
	pthread_mutex_destroy(&be->lock);
	redis_address_release(&be->address);
	free(be);
}

/* --- Away ----------------------------------------------------------------- */

/* Under the lock. E_STORE: it is away, and others look after it. */
static int
may_try(struct store_backend *be, int64_t now, struct err *err)
{
	if (!be->away)
		return 0;
	if (now < be->until) {
		if (err != NULL)
			*err = be->why;
		return E_STORE;
	}
	be->until = now + be->limits.wait_ms + AWAY_MS;	/* this one looks */
	return 0;
}

/* Whatever it was becomes E_STORE, and says where. Redis is away: a login
   that it refuses is refused to all. */
static int
failed(struct store_backend *be, const struct err *why, struct err *err)
{
	struct err full = ERR_INIT;

	err_set(&full, E_STORE, "%s", why->text);
	err_detail(&full, "%s%s%s", be->address.url, why->detail[0] != '\0' ?
	    ": " : "", why->detail);
	pthread_mutex_lock(&be->lock);
	be->away = true;
	be->until = clock_mono_ms() + AWAY_MS;
	be->why = full;
	drop_idle(be);
	pthread_cond_broadcast(&be->left);
	pthread_mutex_unlock(&be->lock);
	if (err != NULL)
		*err = full;
	return E_STORE;
}

/* --- Taking and giving back ----------------------------------------------- */

/* Room for one more; *out an idle one, or NULL: one is to be opened. */
static int
take(struct store_backend *be, int64_t deadline, struct redis_link **out,
    struct err *err)
{
	const struct timespec until = { .tv_sec = (time_t)(deadline / 1000),
	    .tv_nsec = (long)(deadline % 1000) * 1000000 };
	int r;

	pthread_mutex_lock(&be->lock);
	while ((r = may_try(be, clock_mono_ms(), err)) == 0 &&
	    be->idle == NULL && be->links >= LINKS_MAX)
		if (pthread_cond_timedwait(&be->left, &be->lock, &until) ==
		    ETIMEDOUT) {
			r = err_set(err, E_STORE, "the store is too slow: "
			    "others have waited for it for %u ms",
			    be->limits.wait_ms);
			break;
		}
	if (r == 0 && (*out = be->idle) != NULL)
		be->idle = (*out)->next;
	else if (r == 0)
		be->links++;
	pthread_mutex_unlock(&be->lock);
	return r;
}

/* good: it may be used again, and Redis is there. */
static void
give_back(struct store_backend *be, struct redis_link *l, bool good)
{
	pthread_mutex_lock(&be->lock);
	if (good) {
		be->away = false;
		l->next = be->idle;
		be->idle = l;
	} else {
		be->links--;
	}
	pthread_cond_signal(&be->left);
	pthread_mutex_unlock(&be->lock);
	if (!good)
		redis_link_free(l);
}

/* --- Asking --------------------------------------------------------------- */

struct turn {			/* of one that asks */
	const struct redis_args *args;
	struct redis_link *link;
	int64_t deadline;
};

static int
ask_on(struct store_backend *be, struct turn *turn, redisReply **out,
    struct err *err)
{
	bool stale = turn->link != NULL && redis_link_is_stale(turn->link);
	int r = E_GONE;

	if (turn->link != NULL && !stale)
		r = redis_link_ask(turn->link, turn->args, turn->deadline,
		    out, err);
	if (r != E_GONE)
		return r;
	redis_link_free(turn->link);
	turn->link = NULL;
	r = redis_link_open(&be->address, turn->deadline, &turn->link, err);
	return r != 0 ? r : redis_link_ask(turn->link, turn->args,
	    turn->deadline, out, err);
}

int
redis_ask(struct store_backend *be, const struct redis_args *args,
    redisReply **out, enum redis_refusal *refusal, struct err *err)
{
	struct turn turn = { .args = args,
		.deadline = clock_mono_ms() + be->limits.wait_ms };
	struct err why = ERR_INIT;
	redisReply *reply = NULL;
	int r = take(be, turn.deadline, &turn.link, err);

	if (r != 0)
		return r;
	r = ask_on(be, &turn, &reply, &why);
	give_back(be, turn.link, r == 0);
	if (r != 0)
		return failed(be, &why, err);
	if (reply->type != REDIS_REPLY_ERROR) {
		*out = reply;
		return 0;
	}
	if (refusal != NULL)
		*refusal = redis_is_error(reply, "OOM") ? REDIS_FULL :
		    redis_is_error(reply, "WRONGTYPE") ? REDIS_WRONG_TYPE :
		    REDIS_REFUSED;
	r = redis_refused(reply, &why);
	freeReplyObject(reply);
	err_set(err, r, "%s", why.text);
	err_detail(err, "%s: %s", be->address.url, why.detail);
	return r;
}
