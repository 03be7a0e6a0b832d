/* SPDX-License-Identifier: Apache-2.0 */
/* A thread that sweeps the store and seals anew what old keys sealed. */
#include "base.h"

#include <openssl/evp.h>
#include <pthread.h>

#include "clock.h"
#include "err.h"
#include "log.h"
#include "store.h"
#include "store_keeper.h"
#include "strbuf.h"

#define EVERY_MS 3600000
#define RETRY_MS 60000		/* where the store failed */
#define TURN_MS 600000		/* nobody else does the same so soon */
#define NAMES_MAX 4096

struct store_keeper {
	struct store *st;
	pthread_t thread;
	pthread_mutex_t lock;	/* of new_keys */
	pthread_cond_t wake;
	bool new_keys;
	int stop;		/* atomic */
};

/* --- One turn ------------------------------------------------------------- */

/* Those with the same keys in the same order do the same. */
static struct store_item
turn_of(struct store *st)
{
	struct strbuf names = STRBUF_INIT(NAMES_MAX);
	struct strbuf others = STRBUF_INIT(NAMES_MAX);
	struct store_item item = { .kind = "keeper" };

	store_key_names(st, &names, &others);
	strbuf_addf(&names, ", %s", others.buf);
	if (EVP_Digest(names.buf, names.len, item.key, NULL, EVP_sha256(),
	    NULL) != 1)
		BUG("SHA-256 failed");
	strbuf_release(&names);
	strbuf_release(&others);
	return item;
}

static void
report(struct store *st, const struct store_resealed *done)
{
	struct strbuf first = STRBUF_INIT(NAMES_MAX);
	struct strbuf others = STRBUF_INIT(NAMES_MAX);

	store_key_names(st, &first, &others);
	if (done->lost > 0)
		log_warn("stagedoor.store: %zu values cannot be opened: they "
		    "are damaged, or their key is no longer in the key file",
		    done->lost);
	if (others.len > 0 && done->old == 0)
		log_info("stagedoor.store: all values are sealed with key "
		    "'%s' (%zu of them just now): once every server has had "
		    "this key file for ten minutes, its lines %s are not "
		    "needed any more", first.buf, done->now, others.buf);
	strbuf_release(&first);
	strbuf_release(&others);
}

/* 0, E_BUSY (another does it, or did it just now) or E_STORE. */
static int
take_turn(struct store_keeper *k, bool new_keys, struct err *err)
{
	const struct store_item item = turn_of(k->st);
	struct store_resealed done;
	struct store_lease lease;
	int r = store_lease(k->st, &item, TURN_MS, &lease, err);

	if (r != 0 && !(r == E_BUSY && new_keys))
		return r;
	err->code = 0;
	if ((r = store_sweep(k->st, err)) == 0)
		r = store_reseal(k->st, &k->stop, &done, err);
	if (r != 0 || __atomic_load_n(&k->stop, __ATOMIC_RELAXED))
		store_lease_end(k->st, &lease);
	else
		report(k->st, &done);
	return r;
}

/* --- The thread ----------------------------------------------------------- */

/* True: go on, *new_keys saying why. */
static bool
wait_for_turn(struct store_keeper *k, int64_t ms, bool *new_keys)
{
	int64_t at = clock_mono_ms() + ms;
	const struct timespec until = { .tv_sec = (time_t)(at / 1000),
	    .tv_nsec = (long)(at % 1000) * 1000000 };
	bool stop;

	pthread_mutex_lock(&k->lock);
	while (!(stop = __atomic_load_n(&k->stop, __ATOMIC_RELAXED)) &&
	    !k->new_keys && pthread_cond_timedwait(&k->wake, &k->lock,
	    &until) != ETIMEDOUT)
		;
	*new_keys = k->new_keys;
	k->new_keys = false;
	pthread_mutex_unlock(&k->lock);
	return !stop;
}

static void *
keep(void *arg)
{
	struct store_keeper *k = arg;
	bool new_keys = false;
	int64_t ms;

	do {
		struct err err = ERR_INIT;
		int r = take_turn(k, new_keys, &err);

		if (r != 0 && r != E_BUSY)
			log_warn("stagedoor.store cannot be looked after: "
			    "%s%s%s", err.text, err.detail[0] != '\0' ? ": " :
			    "", err.detail);
		ms = r != 0 && r != E_BUSY ? RETRY_MS : EVERY_MS;
	} while (wait_for_turn(k, ms, &new_keys));
	return NULL;
}

struct store_keeper *
store_keeper_new(struct store *st)
{
	struct store_keeper *k = xcalloc(1, sizeof(*k));
	pthread_condattr_t attr;

	k->st = st;
	pthread_mutex_init(&k->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&k->wake, &attr);
	pthread_condattr_destroy(&attr);
	if (pthread_create(&k->thread, NULL, keep, k) != 0) {
		log_warn("there is no thread to look after the store");
		k->stop = 2;
	}
	return k;
}

void
store_keeper_keys(struct store_keeper *k)
{
	struct err err = ERR_INIT;

	if (store_keys_again(k->st, &err) != 0) {
		log_error("stagedoor.store.keyFile: %s: the keys stay as they "
		    "were", err.text);
		return;
	}
	pthread_mutex_lock(&k->lock);
	k->new_keys = true;
	pthread_cond_signal(&k->wake);
	pthread_mutex_unlock(&k->lock);
}

void
store_keeper_free(struct store_keeper *k)
{
	if (k == NULL)
		return;
	if (k->stop == 0) {
		pthread_mutex_lock(&k->lock);
		__atomic_store_n(&k->stop, 1, __ATOMIC_RELAXED);
		pthread_cond_signal(&k->wake);
		pthread_mutex_unlock(&k->lock);
		pthread_join(k->thread, NULL);
	}
	pthread_cond_destroy(&k->wake);
	pthread_mutex_destroy(&k->lock);
	free(k);
}
