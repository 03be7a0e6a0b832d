/* SPDX-License-Identifier: Apache-2.0 */
/* The worst of what is known of a cluster. */
#include "base.h"

#include "../providers/provider.h"
#include "cluster.h"
#include "cluster_state.h"
#include "metrics.h"
#include "runtime.h"
#include "transport.h"

const char *const cluster_state_names[CLUSTER_STATES] = {
	[CLUSTER_OK] = "ok",
	[CLUSTER_BREAKER] = "breaker",
	[CLUSTER_BROKEN] = "broken",
	[CLUSTER_CREDENTIAL] = "no credential",
};

/* In a pod, the provider may know of another address (serviceAccount). */
static bool
is_broken(const struct cluster *c)
{
	if (c->broken == NULL)
		return false;
	return c->provider == NULL || c->provider->locate == NULL ||
	    c->token.len > 0 || getenv("KUBERNETES_SERVICE_HOST") == NULL;
}

enum cluster_state
cluster_state_of(const struct runtime *rt, const struct cluster *c,
    int64_t *since)
{
	int64_t changed = 0, credential;
	bool refuses;

	*since = rt->made;
	if (is_broken(c))
		return CLUSTER_BROKEN;
	refuses = c->upstream != NULL &&
	    upstream_refuses(c->upstream, &changed);
	credential = __atomic_load_n(&c->counts->credential_changed,
	    __ATOMIC_RELAXED);
	if (refuses) {
		*since = changed;
		return CLUSTER_BREAKER;
	}
	if (__atomic_load_n(&c->counts->credential_lacking,
	    __ATOMIC_RELAXED)) {
		*since = credential;
		return CLUSTER_CREDENTIAL;
	}
	*since = SD_MAX(changed, credential);
	if (*since == 0)
		*since = metric_get(METRIC_STARTED);
	return CLUSTER_OK;
}
