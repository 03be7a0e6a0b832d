/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One read of a list that several may share: the fetch, what of the
 * credential went out with it, and the answer, which is checked once and
 * then borrowed by all. For reads.c; rows know only what stands in reads.h.
 */
#ifndef STAGEDOOR_READING_H
#define STAGEDOOR_READING_H

#include <pthread.h>

#include "credential.h"
#include "splice.h"
#include "transport.h"

#define READING_WHO 32

/* A credential's copy: whoever brought it may leave before the answer. */
struct guise {
	unsigned refs;		/* atomic */
	struct credential cred;
};

struct guise *guise_new(const struct credential *cred);
void guise_put(struct guise *guise);		/* NULL is fine */
/*
 * HMAC over all that goes out of a credential: kind, token, certificate, key,
 * and whom it acts for.
 */
void guise_digest(const unsigned char key[READING_WHO],
    const struct credential *cred, unsigned char out[READING_WHO]);

struct reading {
	unsigned refs;		/* atomic; changed by reading_ref and _put */
	struct fetch fetch;	/* its path and upstream are ours */
	struct reads *reads;
	struct guise *guise;	/* until it is over */
	unsigned char who[READING_WHO];
	unsigned hash;
	int64_t began;		/* mono ms */
	unsigned writes;	/* of the upstream, before it began */

	/* Under the lock of struct reads. */
	struct reading **chain, *next;	/* in its table; or chain is NULL */
	struct reading *older, *newer;	/* of those that are kept */
	struct fetch *waiters;
	bool over, kept, secret;

	pthread_mutex_t looking;	/* of what follows */
	bool looked;
	struct splice splice;
	char *why;		/* it is of no use; or NULL */
	bool useless;		/* why is set; atomic */
};

/* Ready to begin, with one reference. Takes a reference of the guise. */
struct reading *reading_new(const struct fetch *like, struct guise *guise);
struct reading *reading_ref(struct reading *rd);
unsigned reading_hash(const struct fetch *f,
    const unsigned char who[READING_WHO]);
/* Is it the answer to the same question, asked by the same? */
bool reading_is(const struct reading *rd, const struct fetch *f,
    const unsigned char who[READING_WHO]);

#endif
