/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many workers /proxy, and sign-ins that wait for an issuer, may hold in
 * this process, so that some are always left for everyone else: most of the
 * threads for all of it, and the setting `streams` for what says of itself
 * that it is long (a watch, a log that follows). Thread-safe.
 */
#ifndef STAGEDOOR_STREAMS_H
#define STAGEDOOR_STREAMS_H

struct arena;

/* The pool has so many threads. Without this call there is no bound. */
void streams_threads(unsigned threads);

/* A place for an exchange; long ones take one of at most max besides. */
struct stream_place {
	bool is_long;
};

/*
 * Take a place; false if there is none. When short exchanges hold them all,
 * this waits a moment for one of them to end.
 */
bool streams_enter(struct stream_place *place, bool is_long, unsigned max);
void streams_leave(const struct stream_place *place);

struct streams_counts {
	unsigned places;	/* UINT_MAX: no bound */
	unsigned held, held_long;
};
void streams_count(struct streams_counts *out);

/* Does the request ask for an answer without end? query may be NULL. */
bool streams_is_long(struct arena *arena, const char *path,
    const char *query);

#endif
