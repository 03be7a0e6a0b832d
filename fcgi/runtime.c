/* SPDX-License-Identifier: Apache-2.0 */
/* Settings made ready to serve requests, with counted references. */
#include "base.h"

#include "arena.h"
#include "catalog.h"
#include "locator.h"
#include "obtain.h"
#include "runtime.h"
#include "settings.h"

/* Its files may come later, so this costs nothing but a line in the log. */
static void
try_cluster(struct cluster *c, struct arena *arena, struct problems *problems)
{
	struct err err = ERR_INIT;

	if (c->broken != NULL || !(c->provider->flags & PROVIDER_FILES) ||
	    obtain_try(c, &err) == 0)
		return;
	c->doubt = arena_strdup(arena, err.text);
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
runtime_new(struct settings *settings, struct transport *transport,
    struct problems *problems)
{
	struct runtime *rt = xcalloc(1, sizeof(*rt));
	size_t i;

	rt->refs = 1;
	rt->arena = arena_new();
	rt->settings = settings;
	rt->transport = transport;
	rt->located = located_new();
	rt->catalog = catalog_new(settings, transport, problems);
	locators_run(settings, rt->arena, &rt->clusters, problems);
	for (i = 0; i < rt->clusters.n; i++) {
		cluster_prepare(rt->clusters.items[i], settings, transport,
		    rt->arena);
		report_cluster(rt->clusters.items[i], problems);
		try_cluster(rt->clusters.items[i], rt->arena, problems);
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
	catalog_free(rt->catalog);
	located_free(rt->located);
	settings_free(rt->settings);
	arena_free(rt->arena);
	free(rt);
}
