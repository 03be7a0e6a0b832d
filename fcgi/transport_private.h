/* SPDX-License-Identifier: Apache-2.0 */
/* What the transport's own files share of struct transport. */
#ifndef STAGEDOOR_TRANSPORT_PRIVATE_H
#define STAGEDOOR_TRANSPORT_PRIVATE_H

#include <pthread.h>

#include "upstream.h"

#define FETCHERS_MAX 8
#define TRANSPORT_ORIGINS 1024

struct transport {
	struct fetcher *fetchers[FETCHERS_MAX];
	unsigned nfetchers;
	char *roots_pem;		/* beside the system's; or NULL */
	long connections;		/* that one fetcher may have */

	pthread_mutex_t lock;		/* of what follows */
	struct upstream *upstreams;
	unsigned next_fetcher;
	X509_STORE *roots;		/* made when first needed */

	unsigned idle_lanes;		/* atomic; so below */
	uint64_t batches;
	unsigned writes[TRANSPORT_ORIGINS];	/* of upstreams that hash so */
};

#endif
