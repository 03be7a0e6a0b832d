/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One cluster as the transport sees it: where it is, whom to trust, how long
 * to wait, its breaker, and the connections that streams keep. For the
 * transport's own files; others hold a struct upstream and look away.
 */
#ifndef STAGEDOOR_UPSTREAM_H
#define STAGEDOOR_UPSTREAM_H

#include <curl/curl.h>
#include <openssl/ossl_typ.h>
#include <pthread.h>

#include "breaker.h"
#include "transport.h"

/*
 * Fetches under way of one cluster over HTTP/1.1, where each takes a
 * connection, and over HTTP/2, where more would only queue in the server
 * (its usual limit is 100 to 250). Where one thread asks many clusters at
 * once they share UPSTREAM_FETCHES_ALL, but the lists of one query always
 * find room, so that clusters that hang do not starve those that answer.
 * What is over waits without costing more than its struct.
 */
#define UPSTREAM_FETCHES_HTTP1 32
#define UPSTREAM_FETCHES_HTTP2 100
#define UPSTREAM_FETCHES_ALL 320
#define UPSTREAM_FETCHES_QUERY 13

struct fetcher;
struct lane;

struct upstream {
	struct transport *transport;
	struct upstream *next;		/* in the transport's list */
	unsigned refs;			/* under the transport's lock */

	/* Immutable. */
	char *url;			/* as given, to compare */
	char *origin;			/* scheme://host:port/ */
	char *base;			/* "" or "/prefix" */
	char *host;			/* for messages */
	bool tls, insecure, public_only;
	char *ca_pem;			/* NULL: the transport's roots */
	double connect_timeout, timeout;
	unsigned breaker_failures;
	double breaker_probe;
	int64_t connect_ms, timeout_ms;
	struct fetcher *fetcher;	/* all its fetches run there */
	unsigned *writes;		/* atomic, in the transport */

	pthread_mutex_t lock;		/* of what follows */
	struct breaker breaker;
	int64_t changed;		/* wall ms: it opened or closed */
	struct err last;		/* the failure that it counted last */
	struct lane *lanes;		/* idle, the youngest first */
	unsigned nlanes;

	/* The fetcher's alone. */
	struct fetch *waiting, **waiting_end;
	struct upstream *busy_next;	/* of those with fetches waiting */
	bool busy;
	bool multiplexed;		/* it answered over HTTP/2 */
	unsigned active;
};

/* The words of upstream_admit's E_BREAKER. */
int upstream_refuse(struct upstream *up, struct err *err);
/*
 * Tell the breaker how a transfer ended that began at `began`. err holds the
 * failure, code 0 if there was none; answered: the headers of an answer came,
 * whatever followed.
 */
void upstream_report(struct upstream *up, const struct err *err, bool answered,
    int64_t began);
bool upstream_is_open(struct upstream *up);
/* How many fetches it may have under way on a thread that asks so many. */
unsigned upstream_room(const struct upstream *up, unsigned asked);

#endif
