/* SPDX-License-Identifier: Apache-2.0 */
/* The transport's beginning and end. */
#include "base.h"

#include <openssl/x509_vfy.h>
#include <signal.h>
#include <sys/resource.h>

#include "fetcher.h"
#include "transport_private.h"

#define FETCHERS_DEFAULT 2
/*
 * Descriptors that are not for fetches: 64 idle and 64 busy streams with
 * three each, clients, files.
 */
#define TRANSPORT_OTHER_FDS 640
#define TRANSPORT_CONNECTIONS_MIN 64
#define TRANSPORT_CONNECTIONS_MAX 2048

/* So many that descriptors do not run out: idle ones are closed first. */
static long
connections_each(unsigned nfetchers)
{
	struct rlimit r = { 1024, 1024 };
	rlim_t n;

	getrlimit(RLIMIT_NOFILE, &r);
	n = SD_MIN(r.rlim_cur, (rlim_t)1 << 20);
	n = n > TRANSPORT_OTHER_FDS ? n - TRANSPORT_OTHER_FDS : 0;
	n = SD_MIN(n / nfetchers, (rlim_t)TRANSPORT_CONNECTIONS_MAX);
	return SD_MAX((long)n, (long)TRANSPORT_CONNECTIONS_MIN);
}

struct transport *
transport_new(const struct transport_options *opt)
{
	struct transport *t = xcalloc(1, sizeof(*t));
	unsigned n = SD_MIN(opt->threads ? opt->threads : FETCHERS_DEFAULT,
	    FETCHERS_MAX);

	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		BUG("curl_global_init failed");
	signal(SIGPIPE, SIG_IGN);
	t->connections = connections_each(n);
	pthread_mutex_init(&t->lock, NULL);
	if (opt->roots_pem != NULL)
		t->roots_pem = xstrdup(opt->roots_pem);
	for (; t->nfetchers < n; t->nfetchers++)
		t->fetchers[t->nfetchers] = fetcher_new(t);
	return t;
}

void
transport_free(struct transport *t)
{
	unsigned i;

	if (t == NULL)
		return;
	for (i = 0; i < t->nfetchers; i++)
		fetcher_free(t->fetchers[i]);
	if (t->upstreams != NULL)
		BUG("an upstream outlives its transport");
	X509_STORE_free(t->roots);
	pthread_mutex_destroy(&t->lock);
	free(t->roots_pem);
	free(t);
}
