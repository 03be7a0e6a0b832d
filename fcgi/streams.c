/* SPDX-License-Identifier: Apache-2.0 */
/* Counting who holds workers, and telling long requests from short ones. */
#include "base.h"

#include <pthread.h>

#include "arena.h"
#include "metrics.h"
#include "path.h"
#include "streams.h"

#define RESERVE_SHARE 8		/* one thread in so many is left for others */
#define PATIENCE_MS 1000	/* short exchanges end sooner */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t freed = PTHREAD_COND_INITIALIZER;
static unsigned places = UINT_MAX, held, held_long;
static bool stuck;	/* someone waited in vain since a place was freed */

void
streams_threads(unsigned threads)
{
	unsigned reserve = SD_MAX(threads / RESERVE_SHARE, 1U);

	pthread_mutex_lock(&lock);
	places = threads > reserve ? threads - reserve : 1;
	pthread_mutex_unlock(&lock);
}

/* Under the lock: wait for a place, unless that was in vain just now. */
static bool
wait_for_place(void)
{
	struct timespec until;
	int r = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += PATIENCE_MS / 1000;
	while (held >= places && !stuck && r == 0)
		r = pthread_cond_clockwait(&freed, &lock, CLOCK_MONOTONIC,
		    &until);
	if (held < places)
		return true;
	stuck = true;
	return false;
}

bool
streams_enter(struct stream_place *place, bool is_long, unsigned max)
{
	bool ok;

	place->is_long = is_long;
	pthread_mutex_lock(&lock);
	ok = (!is_long || held_long < max) &&
	    (held < places || wait_for_place());
	/* Others may have come in while we waited. */
	ok = ok && (!is_long || held_long < max);
	if (ok) {
		held++;
		held_long += is_long;
	}
	pthread_mutex_unlock(&lock);
	if (!ok)
		metric_add(METRIC_PLACES_REFUSED, 1);
	return ok;
}

void
streams_leave(const struct stream_place *place)
{
	pthread_mutex_lock(&lock);
	held--;
	held_long -= place->is_long;
	stuck = false;
	pthread_cond_signal(&freed);
	pthread_mutex_unlock(&lock);
}

void
streams_count(struct streams_counts *out)
{
	pthread_mutex_lock(&lock);
	*out = (struct streams_counts){ .places = places, .held = held,
	    .held_long = held_long };
	pthread_mutex_unlock(&lock);
}

/* As the API server reads it: whatever is not plainly no is yes. */
static bool
is_yes(const char *value)
{
	return value == NULL || (strcmp(value, "0") != 0 &&
	    strcasecmp(value, "false") != 0);
}

static bool
asks_for_more(struct arena *arena, const char *pair, size_t len)
{
	const char *eq = memchr(pair, '=', len);
	size_t klen = eq == NULL ? len : (size_t)(eq - pair);
	const char *key = path_decode(arena, pair, klen), *value = NULL;

	if (key == NULL || (strcmp(key, "watch") != 0 &&
	    strcmp(key, "follow") != 0))
		return false;
	if (eq != NULL)
		value = path_decode(arena, eq + 1, len - klen - 1);
	return is_yes(value);
}

bool
streams_is_long(struct arena *arena, const char *path, const char *query)
{
	size_t len;

	if (strstr(path, "/watch/") != NULL)	/* the old way to watch */
		return true;
	for (; query != NULL && *query != '\0'; query += len) {
		query += strspn(query, "&");
		len = strcspn(query, "&");
		if (asks_for_more(arena, query, len))
			return true;
	}
	return false;
}
