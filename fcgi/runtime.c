/* SPDX-License-Identifier: Apache-2.0 */
/* Settings made ready to serve requests, with counted references. */
#include "base.h"

#include <openssl/crypto.h>

#include "arena.h"
#include "backstage_users.h"
#include "catalog.h"
#include "clock.h"
#include "err.h"
#include "locator.h"
#include "metrics.h"
#include "obtain.h"
#include "permission.h"
#include "row_live.h"
#include "runtime.h"
#include "settings.h"
#include "../providers/plugin.h"
#include "../providers/provider.h"

/* --- States of providers ------------------------------------------------- */

/* What one provider made of the settings. */
struct provider_state {
	const struct provider_ops *ops;
	void *memory;
};

static void
state_release(struct provider_state *state)
{
	if (state->ops->wipe != NULL)
		state->ops->wipe(state->memory);
	OPENSSL_cleanse(state->memory, state->ops->state_size);
	free(state->memory);
}

/* 0 with *out filled, or what init says. A failure is that of each cluster. */
static int
state_of(struct runtime *rt, const struct provider_ops *ops, void **out,
    struct err *err)
{
	struct provider_state state = { .ops = ops };
	size_t i;
	int r;

	*out = NULL;
	if (ops->state_size == 0)
		return 0;
	for (i = 0; i < rt->nstates; i++)
		if (rt->states[i].ops == ops) {
			*out = rt->states[i].memory;
			return 0;
		}
	state.memory = xcalloc(1, ops->state_size);
	if (ops->init != NULL &&
	    (r = ops->init(state.memory, rt->settings, err)) != 0) {
		state_release(&state);
		return r;
	}
	ARRAY_PUSH(rt->states, rt->nstates) = state;
	*out = state.memory;
	return 0;
}

static void
give_state(struct runtime *rt, struct cluster *c)
{
	struct err err = ERR_INIT;

	if (c->broken != NULL || state_of(rt, c->provider,
	    &c->provider_state, &err) == 0)
		return;
	c->broken = arena_printf(rt->arena, "cluster '%s' cannot work: %s",
	    c->name, err.text);
	if (err.detail[0] != '\0')
		c->broken_detail = arena_strdup(rt->arena, err.detail);
}

/* --- Clusters ------------------------------------------------------------ */

/* Its files may come later, so this costs nothing but a line in the log. */
static void
try_cluster(struct runtime *rt, struct cluster *c, struct problems *problems)
{
	struct err err = ERR_INIT;

	if (c->broken != NULL || !(c->provider->flags & PROVIDER_FILES) ||
	    obtain_try(rt, c, &err) == 0)
		return;
	metrics_credential(c->counts, false);
	c->doubt = arena_strdup(rt->arena, err.text);
	problems_add(problems, true, "%s: %s%s%s", c->where ? c->where :
	    "settings", err.text, err.detail[0] != '\0' ? ": " : "",
	    err.detail);
}

static void
report_cluster(const struct cluster *c, struct problems *problems)
{
	const char *where = c->where ? c->where : "settings";

	if (c->broken != NULL)
		problems_add(problems, true, "%s: %s%s%s", where, c->broken,
		    c->broken_detail ? ": " : "",
		    c->broken_detail ? c->broken_detail : "");
	if (c->skip_tls_verify)
		problems_add(problems, true, "%s: cluster '%s' has "
		    "skipTLSVerify: its certificate is NOT verified, whoever "
		    "answers there gets the credentials", where, c->name);
}

static void
report_duplicates(const struct clusters *cs, struct problems *problems)
{
	size_t i;

	for (i = 0; i < cs->n; i++)
		if (clusters_find(cs, cs->items[i]->name) != cs->items[i])
			problems_add(problems, true, "cluster name '%s' comes "
			    "from more than one locator: /proxy takes the "
			    "first", cs->items[i]->name);
}

struct runtime *
runtime_new(struct settings *settings, const struct services *services,
    struct problems *problems)
{
	struct runtime *rt = xcalloc(1, sizeof(*rt));
	struct transport *transport = services->transport;
	size_t i;

	rt->refs = 1;
	rt->made = clock_wall_ms();
	rt->arena = arena_new();
	rt->settings = settings;
	rt->transport = transport;
	rt->sources = services->sources;
	rt->store = services->store;
	rt->documents = services->documents;
	rt->leases = services->leases;
	rt->portal = services->portal;
	rt->live = services->live;
	rt->reads = services->reads;
	rt->located = located_new();
	rt->rows = rows_kept_new(settings->live_memory / 8);
	settings->plugins = plugins_new(settings, problems);
	rt->catalog = catalog_new(settings, transport, problems);
	rt->permissions = permissions_new(settings, transport, problems);
	if (settings->identity_backstage)
		rt->users = backstage_users_new(settings, transport,
		    services->documents);
	locators_run(settings, services->lists, rt->arena, &rt->clusters,
	    problems);
	for (i = 0; i < rt->clusters.n; i++) {
		cluster_prepare(rt->clusters.items[i], settings, transport,
		    rt->arena);
		give_state(rt, rt->clusters.items[i]);
		report_cluster(rt->clusters.items[i], problems);
		try_cluster(rt, rt->clusters.items[i], problems);
	}
	report_duplicates(&rt->clusters, problems);
	return rt;
}

struct runtime *
runtime_ref(struct runtime *rt)
{
	__atomic_add_fetch(&rt->refs, 1, __ATOMIC_RELAXED);
	return rt;
}

void
runtime_put(struct runtime *rt)
{
	size_t i;

	if (rt == NULL || __atomic_sub_fetch(&rt->refs, 1,
	    __ATOMIC_ACQ_REL) != 0)
		return;
	for (i = 0; i < rt->clusters.n; i++)
		cluster_release(rt->clusters.items[i]);
	free(rt->clusters.items);
	for (i = 0; i < rt->nstates; i++)
		state_release(&rt->states[i]);
	free(rt->states);
	permissions_free(rt->permissions);
	backstage_users_free(rt->users);
	catalog_free(rt->catalog);
	located_free(rt->located);
	rows_kept_free(rt->rows);
	settings_free(rt->settings);
	arena_free(rt->arena);
	free(rt);
}
