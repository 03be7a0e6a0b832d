/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The catalog locator: a list of clusters, as catalog_clusters.h has it, to
 * records. Many may write to the catalog, so it gives no credential and no
 * program, and leads to no network that is not public; where it may, the
 * settings say so.
 */
#include "base.h"

#include "../providers/plugin.h"
#include "arena.h"
#include "catalog_clusters.h"
#include "catalog_url.h"
#include "jsonx.h"
#include "locator.h"
#include "settings.h"
#include "shown.h"

/* Their credentials are the server's, or stand in settings. */
static const char *const refused_providers[] = { "serviceAccount", "exec",
    "x509" };

static const char *
note(struct json_object *item, const char *name)
{
	struct json_object *notes = jsonx_get(item, "annotations");
	struct json_object *value = jsonx_get(notes, name);

	return json_object_is_type(value, json_type_string) &&
	    json_object_get_string_len(value) > 0 ?
	    json_object_get_string(value) : NULL;
}

static bool
says_true(struct json_object *item, const char *name)
{
	return str_eq(note(item, name), "true");
}

/* NULL, or why it is refused. */
static const char *
provider_refused(const struct locating *l, const char *name)
{
	size_t i;

	if (name == NULL)
		return "it names no auth provider";
	for (i = 0; i < ARRAY_LEN(refused_providers); i++)
		if (strcmp(name, refused_providers[i]) == 0)
			return arena_printf(l->arena, "its auth provider is "
			    "%s, whose credentials the catalog cannot ask for",
			    name);
	if (plugins_find(l->settings->plugins, name) != NULL)
		return "its auth provider is one of stagedoor.providers, "
		    "whose credentials the catalog cannot ask for";
	return NULL;
}

static enum address_verdict
verdict_of(struct json_object *item)
{
	const char *dns = jsonx_str(item, "dns");

	if (str_eq(dns, "private"))
		return ADDRESS_PRIVATE;
	return str_eq(dns, "absent") ? ADDRESS_ABSENT : ADDRESS_UNKNOWN;
}

/* NULL with url and public_only filled, or why it is refused. */
static const char *
fill_address(const struct locating *l, struct cluster *c,
    struct json_object *item)
{
	const struct string_list *allow = &l->locator->catalog.allow;
	const char *text = note(item, KUBERNETES_IO "api-server");
	struct catalog_url u;
	const char *why;

	if (text == NULL)
		return "it has no address";
	if ((why = catalog_url_read(l->arena, text, &u)) != NULL)
		return why;
	c->url = arena_strdup(l->arena, text);
	c->public_only = !catalog_url_allowed(&u, allow);
	if (!c->public_only)
		return NULL;
	why = catalog_url_refused(&u, verdict_of(item));
	return why == NULL ? NULL : arena_printf(l->arena, "%s; where it may "
	    "be used, dangerouslyAllowClusterUrls says so", why);
}

/* All of kubernetes.io, as Backstage. */
static void
fill_metadata(const struct locating *l, struct cluster *c,
    struct json_object *item)
{
	struct json_object *notes = jsonx_get(item, "annotations");
	struct pair *p;

	c->metadata = arena_alloc(l->arena, sizeof(*c->metadata) *
	    (size_t)(json_object_object_length(notes) + 1));
	json_object_object_foreach(notes, key, value) {
		p = &c->metadata[c->nmetadata++];
		p->key = arena_strdup(l->arena, key);
		p->value = arena_strdup(l->arena,
		    json_object_get_string(value));
	}
	cluster_heed_metadata(c);
}

/* A JSON object; anything else counts for nothing, as in Backstage. */
static void
fill_parameters(struct cluster *c, const char *text)
{
	struct json_object *tree = NULL;

	if (text == NULL || jsonx_parse(text, strlen(text), &tree, NULL) != 0)
		return;
	if (json_object_is_type(tree, json_type_object)) {
		c->dashboard_parameters = tree;
		c->own_dashboard = true;
	} else {
		json_object_put(tree);
	}
}

static void
fill_rest(const struct locating *l, struct cluster *c,
    struct json_object *item)
{
	c->title = arena_strdup(l->arena, jsonx_str(item, "title"));
	c->ca_data = arena_strdup(l->arena, note(item,
	    KUBERNETES_IO "api-server-certificate-authority"));
	c->skip_metrics = says_true(item,
	    KUBERNETES_IO "skip-metrics-lookup");
	c->skip_tls_verify = l->locator->catalog.allow_skip_tls &&
	    says_true(item, KUBERNETES_IO "skip-tls-verify");
	c->dashboard_url = arena_strdup(l->arena, note(item,
	    KUBERNETES_IO "dashboard-url"));
	c->dashboard_app = arena_strdup(l->arena, note(item,
	    KUBERNETES_IO "dashboard-app"));
	fill_parameters(c, note(item, KUBERNETES_IO "dashboard-parameters"));
	fill_metadata(l, c, item);
}

static void
add_item(const struct locating *l, struct json_object *item)
{
	const char *name = jsonx_str(item, "name");
	const char *provider = note(item, KUBERNETES_IO "auth-provider");
	struct cluster *c;
	const char *why;

	if (name == NULL || !locator_name_ok(name)) {
		problems_add(l->problems, true, "%s: a cluster of the catalog "
		    "has a name that is none: it is left out",
		    l->locator->where);
		return;
	}
	c = locator_cluster(l->settings, l->arena, name);
	c->where = l->locator->where;
	c->auth_provider = arena_strdup(l->arena, provider);
	why = provider_refused(l, provider);
	if (why == NULL)
		why = fill_address(l, c, item);
	if (why != NULL) {
		problems_add(l->problems, true, "%s: resource '%s' of the "
		    "catalog is left out: %s", l->locator->where, name,
		    shown(l->arena, why, NULL));
		return;
	}
	fill_rest(l, c, item);
	locator_add(l->out, c);
}

void
locator_catalog(const struct locating *l, const char *list)
{
	struct json_object *tree;
	size_t i;

	if (jsonx_parse(list, strlen(list), &tree, NULL) != 0 ||
	    !json_object_is_type(tree, json_type_array))
		BUG("a list of the catalog is none");
	for (i = 0; i < json_object_array_length(tree); i++)
		add_item(l, json_object_array_get_idx(tree, i));
	json_object_put(tree);
}
