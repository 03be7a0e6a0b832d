/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A source credential: what takes a network or a process to get, and is
 * worth keeping: an assumed role, an Entra token, a Google access token, the
 * output of a plug-in; and what is made of one for a cluster (an EKS token).
 * A provider describes it; the core decides when it is made, keeps it,
 * shares it and renews it (sources.h).
 */
#ifndef STAGEDOOR_SOURCE_H
#define STAGEDOOR_SOURCE_H

#include "err.h"
#include "secret.h"

struct provider_call;

#define SOURCE_PARTS 4
#define SOURCE_LANE_MAX 16

/* The parts mean what the kind says: a token; or an AWS key id, its secret,
   the session token; or a certificate and its key. Empty: there is none. */
struct source_value {
	struct secret part[SOURCE_PARTS];
	int64_t expires;	/* wall ms; 0: never */
	int64_t margin;		/* ms before that at which to renew it */
	int64_t retry_after;	/* of a failure: ms that the cloud asked us to
				   wait; 0: it did not */
};

#define SOURCE_VALUE_INIT { .expires = 0 }

void source_value_copy(struct source_value *to,
    const struct source_value *from);
void source_value_release(struct source_value *v);
/* As bytes, and back; false: they are none. */
void source_value_print(const struct source_value *v, struct secret *out);
bool source_value_parse(const struct secret *bytes, struct source_value *out);

struct source {
	const char *kind;	/* "aws role": a constant, without secrets */
	/* Everything that went into it, secrets included, NULL at the end:
	   other inputs are another source. Hashed, never kept. */
	const char *const *inputs;
	bool local;		/* made without waiting: done at once */
	bool unshared;		/* make knows itself what other processes
				   have: the store is not asked */
	/* On whom it waits: of one lane only SOURCE_LANE_MAX are made at once,
	   so that an issuer that hangs leaves threads for others. NULL: none */
	const char *lane;
	bool brief;		/* it waits for seconds at most: whoever comes
				   to it from another lane makes it himself */
	/*
	 * Make one. ctx is the provider's, and lives as long as the call to
	 * call->source. May ask for other sources. 0, or E_*: E_DENIED when
	 * the cloud refused for good, E_PENDING passed on from another
	 * source, anything else may pass.
	 */
	int (*make)(const struct provider_call *call, const void *ctx,
	    struct source_value *out, struct err *err);
	const void *ctx;
};

#endif
