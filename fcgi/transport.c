/* SPDX-License-Identifier: Apache-2.0 */
/* The transport's beginning and end. */
#include "base.h"

#include <openssl/x509_vfy.h>
#include <signal.h>

#include "fetcher.h"
#include "transport_private.h"

#define FETCHERS_DEFAULT 2

struct transport *
transport_new(const struct transport_options *opt)
{
	struct transport *t = xcalloc(1, sizeof(*t));
	unsigned n = opt->threads ? opt->threads : FETCHERS_DEFAULT;

	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		BUG("curl_global_init failed");
	signal(SIGPIPE, SIG_IGN);
	pthread_mutex_init(&t->lock, NULL);
	if (opt->roots_pem != NULL)
		t->roots_pem = xstrdup(opt->roots_pem);
	for (; t->nfetchers < SD_MIN(n, FETCHERS_MAX); t->nfetchers++)
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
