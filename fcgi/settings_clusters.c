/* SPDX-License-Identifier: Apache-2.0 */
/* Cluster locators, and the clusters that stand in the settings. */
#include "base.h"

#include "arena.h"
#include "err.h"
#include "files.h"
#include "identity.h"
#include "settings_read.h"
#include "settings_rules.h"

#define TOKEN_FILE_MAX 65536	/* service account tokens are about 1 KB */
#define META_TOKEN "serviceAccountToken"

void
read_custom(struct arena *arena, const struct node *list,
    struct custom_resource **out, size_t *n)
{
	const struct key *keys = keys_find(keys_cluster,
	    "customResources")->keys;
	size_t i;

	*out = read_room(arena, list, sizeof(**out), n);
	for (i = 0; i < *n; i++)
		read_keys(arena, keys, list->items[i], &(*out)[i]);
}

/* serviceAccountToken never gets into the list that others may print. */
static void
read_metadata(struct arena *arena, const struct node *n, struct cluster *c)
{
	size_t i;

	if (n == NULL || n->type != NODE_OBJECT)
		return;
	c->metadata = read_room(arena, n, sizeof(*c->metadata), &i);
	for (i = 0; i < n->n; i++) {
		const struct node *m = n->items[i];

		if (m->type != NODE_STRING)
			continue;
		if (strcmp(m->key, META_TOKEN) == 0) {
			secret_set(&c->token, m->string, strlen(m->string));
			continue;
		}
		c->metadata[c->nmetadata].key = arena_strdup(arena, m->key);
		c->metadata[c->nmetadata++].value = arena_strdup(arena,
		    m->string);
	}
	cluster_heed_metadata(c);
}

/* A token that cannot be read costs its cluster only. */
static void
read_token_file(struct arena *arena, const char *path, struct cluster *c)
{
	struct err err = ERR_INIT;

	if (path == NULL)
		return;
	if (file_read(path, TOKEN_FILE_MAX, &c->token, &err) == 0 &&
	    c->token.len > 0)
		return;
	c->broken = arena_printf(arena, "cluster '%s' cannot work: its "
	    "serviceAccountTokenFile cannot be read or is empty", c->name);
	c->broken_detail = arena_strdup(arena, err.code ? err.text : path);
}

/* Single values came by the table. */
static void
read_impersonate(struct arena *arena, const struct node *n, struct cluster *c)
{
	const struct node *map = node_get(n, "extra");
	struct impersonation *im = &c->impersonate;
	size_t i;

	im->on = n != NULL;
	im->extra = read_room(arena, map, sizeof(*im->extra), &im->nextra);
	for (i = 0; i < im->nextra; i++)
		im->extra[i] = (struct pair){
			arena_strdup(arena, map->items[i]->key),
			arena_strdup(arena, map->items[i]->string),
		};
}

/* A path starts at the file it stands in, as a kubeconfig's does. */
static void
read_exec(struct arena *arena, const struct node *n, struct cluster *c)
{
	const struct node *map = node_get(n, "env");
	const struct node *command = node_get(n, "command");
	struct exec_plugin *x = &c->exec;
	size_t i;

	if (command != NULL && strchr(command->string, '/') != NULL &&
	    command->string[0] != '/')
		x->command = arena_printf(arena, "%s/%s",
		    command->source->dir, command->string);
	x->env = read_room(arena, map, sizeof(*x->env), &x->nenv);
	for (i = 0; i < x->nenv; i++)
		x->env[i] = (struct pair){
			arena_strdup(arena, map->items[i]->key),
			arena_strdup(arena, map->items[i]->string),
		};
}

static void
read_allow(struct arena *arena, struct cluster *c)
{
	size_t i;

	for (i = 0; i < c->allow.n; i++)
		c->allow.items[i] = identity_ref(arena, c->allow.items[i],
		    "user");
}

static void
read_cluster(struct settings *s, const struct node *n, struct cluster *c)
{
	const struct node *parameters = node_get(n, "dashboardParameters");
	const struct node *custom = node_get(n, "customResources");
	struct arena *a = s->arena;

	read_keys(a, keys_cluster, n, c);
	c->where = arena_printf(a, "%s:%u", n->source->name, n->line);
	c->auth_provider = arena_strdup(a, cluster_provider_node(n)->string);
	read_token_file(a, node_string(n, "serviceAccountTokenFile"), c);
	read_metadata(a, node_get(n, "authMetadata"), c);
	read_allow(a, c);
	c->custom_set = custom != NULL;
	read_custom(a, custom, &c->custom, &c->ncustom);
	if (parameters != NULL)
		c->dashboard_parameters = node_to_json(parameters);
	if (c->connect_timeout == 0)
		c->connect_timeout = s->limit_connect;
	if (c->timeout == 0)
		c->timeout = s->limit_cluster;
	read_impersonate(a, node_get(n, "impersonate"), c);
	read_exec(a, node_get(n, "exec"), c);
}

static void
read_labels(struct arena *arena, const struct node *list,
    struct gke_settings *gke)
{
	size_t i;

	gke->labels = read_room(arena, list, sizeof(*gke->labels),
	    &gke->nlabels);
	for (i = 0; i < gke->nlabels; i++)
		gke->labels[i] = (struct pair){
			read_string(arena, list->items[i], "key"),
			read_string(arena, list->items[i], "value"),
		};
}

void
read_locators(struct settings *s, const struct node *kubernetes)
{
	const struct node *list = node_get(kubernetes,
	    "clusterLocatorMethods");
	const struct key *keys = keys_find(keys_kubernetes,
	    "clusterLocatorMethods")->keys;
	size_t i, k;

	s->locators = read_room(s->arena, list, sizeof(*s->locators),
	    &s->nlocators);
	for (i = 0; i < s->nlocators; i++) {
		struct locator_settings *ls = &s->locators[i];
		const struct node *n = list->items[i];

		read_keys(s->arena, keys, n, ls);
		ls->where = arena_printf(s->arena, "%s:%u", n->source->name,
		    n->line);
		read_labels(s->arena, node_get(n, "matchingResourceLabels"),
		    &ls->gke);
		if (ls->refresh == 0)
			ls->refresh = ls->type == LOCATOR_GKE ? 300 : 30;
		if (ls->type != LOCATOR_CONFIG)
			continue;
		ls->clusters = read_room(s->arena, node_get(n, "clusters"),
		    sizeof(*ls->clusters), &ls->nclusters);
		for (k = 0; k < ls->nclusters; k++)
			read_cluster(s, node_get(n, "clusters")->items[k],
			    &ls->clusters[k]);
	}
}
