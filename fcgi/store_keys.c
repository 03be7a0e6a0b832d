/* SPDX-License-Identifier: Apache-2.0 */
/* The key ring of a store, and how it is exchanged for another one. */
#include "base.h"

#include <pthread.h>
#include <sys/stat.h>

#include "clock.h"
#include "err.h"
#include "keyring.h"
#include "store_keys.h"

#define RETRY_MS 1000

struct store_keys {
	char *path;			/* NULL: it is random */
	pthread_mutex_t reading;	/* guards what is below it */
	struct stat seen;		/* the file that was looked at last */
	int64_t tried;			/* monotonic ms */
	pthread_rwlock_t lock;		/* guards the rest */
	struct keyring *ring;
	unsigned serial;
	struct err wrong;		/* code 0: the ring is the file's */
};

/* A new ring, or err; under `reading`. */
static int
read_file(struct store_keys *sk, struct err *err)
{
	struct keyring *ring = NULL, *old = NULL;
	struct err why = ERR_INIT;
	int r;

	sk->tried = clock_mono_ms();
	memset(&sk->seen, 0, sizeof(sk->seen));
	/* Looked at first: what is written meanwhile is seen next time. */
	if (stat(sk->path, &sk->seen) != 0)
		memset(&sk->seen, 0, sizeof(sk->seen));
	r = keyring_read(sk->path, &ring, &why);
	pthread_rwlock_wrlock(&sk->lock);
	if (r == 0) {
		old = sk->ring;
		sk->ring = ring;
		sk->serial++;
		sk->wrong.code = 0;
	} else if (sk->wrong.code != 0) {
		sk->wrong = why;
	}
	pthread_rwlock_unlock(&sk->lock);
	keyring_free(old);
	if (r != 0 && err != NULL)
		*err = why;
	return r;
}

struct store_keys *
store_keys_new(const char *path)
{
	struct store_keys *sk = xcalloc(1, sizeof(*sk));

	sk->path = path == NULL ? NULL : xstrdup(path);
	sk->ring = keyring_random();
	pthread_mutex_init(&sk->reading, NULL);
	pthread_rwlock_init(&sk->lock, NULL);
	if (path != NULL) {
		sk->wrong.code = E_CONFIG;
		store_keys_read(sk, NULL);
	}
	return sk;
}

void
store_keys_free(struct store_keys *sk)
{
	if (sk == NULL)
		return;
	keyring_free(sk->ring);
	pthread_rwlock_destroy(&sk->lock);
	pthread_mutex_destroy(&sk->reading);
	free(sk->path);
	free(sk);
}

int
store_keys_read(struct store_keys *sk, struct err *err)
{
	int r;

	if (sk->path == NULL)
		return 0;
	pthread_mutex_lock(&sk->reading);
	r = read_file(sk, err);
	pthread_mutex_unlock(&sk->reading);
	return r;
}

static int
wrong(struct store_keys *sk, struct err *err)
{
	int r;

	pthread_rwlock_rdlock(&sk->lock);
	r = sk->wrong.code;
	if (r != 0 && err != NULL)
		*err = sk->wrong;
	pthread_rwlock_unlock(&sk->lock);
	return r;
}

int
store_keys_ready(struct store_keys *sk, struct err *err)
{
	int r = wrong(sk, err);

	if (r == 0)
		return 0;
	pthread_mutex_lock(&sk->reading);
	if (clock_mono_ms() - sk->tried >= RETRY_MS)
		read_file(sk, NULL);
	pthread_mutex_unlock(&sk->reading);
	return wrong(sk, err);
}

static bool
same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino &&
	    a->st_size == b->st_size &&
	    a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	    a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

unsigned
store_keys_serial(struct store_keys *sk)
{
	unsigned serial;

	pthread_rwlock_rdlock(&sk->lock);
	serial = sk->serial;
	pthread_rwlock_unlock(&sk->lock);
	return serial;
}

bool
store_keys_refresh(struct store_keys *sk, unsigned serial)
{
	struct stat now;

	if (sk->path == NULL)
		return false;
	pthread_mutex_lock(&sk->reading);
	if (stat(sk->path, &now) == 0 && !same_file(&now, &sk->seen))
		read_file(sk, NULL);
	pthread_mutex_unlock(&sk->reading);
	return store_keys_serial(sk) != serial;
}

const struct keyring *
store_keys_hold(struct store_keys *sk)
{
	pthread_rwlock_rdlock(&sk->lock);
	return sk->ring;
}

void
store_keys_let(struct store_keys *sk)
{
	pthread_rwlock_unlock(&sk->lock);
}
