/* SPDX-License-Identifier: Apache-2.0 */
/* Rules between keys: clusters, object types, what is ours. */
#include "base.h"

#include "../providers/provider.h"
#include "files.h"
#include "keys.h"
#include "rules_private.h"
#include "settings.h"
#include "settings_rules.h"
#include "suggest.h"
#include "verify.h"

#define META_PROVIDER "kubernetes.io/auth-provider"
#define NAMES_MAX 64		/* of providers, in a suggestion */

void
rule_problem(struct rules *r, bool warning, const struct node *at,
    const char *key, const char *what)
{
	size_t len = *key != '\0' ? path_key(&r->path, key) : r->path.len;

	tree_problem(r->tree, warning, at, r->path.buf, "%s", what);
	path_cut(&r->path, len);
}

void
rule_each(struct rules *r, const struct node *object, const char *key,
    void (*rule)(struct rules *, const struct node *element))
{
	const struct node *list = node_get(object, key);
	const struct problems *p = r->tree->problems;
	size_t len, i, inner, errors;

	if (list == NULL || list->type != NODE_LIST)
		return;
	len = path_key(&r->path, key);
	for (i = 0; i < list->n; i++) {
		inner = path_index(&r->path, i);
		errors = p->nerrors - r->settled;
		rule(r, list->items[i]);
		errors = p->nerrors - r->settled - errors;
		list->items[i]->wrong = list->items[i]->wrong || errors > 0;
		r->settled += errors;
		path_cut(&r->path, inner);
	}
	path_cut(&r->path, len);
}

/* --- Clusters ------------------------------------------------------------ */

const struct node *
cluster_provider_node(const struct node *cluster)
{
	const struct node *n = node_get(node_get(cluster, "authMetadata"),
	    META_PROVIDER);

	return n != NULL ? n : node_get(cluster, "authProvider");
}

/* The built-in names and those of stagedoor.providers. */
static void
known_providers(const struct rules *r, const char **names)
{
	const char *const *built_in = provider_names();
	const struct node *list = node_get(node_get(r->root, "stagedoor"),
	    "providers");
	size_t n = 0, i;

	while (n < NAMES_MAX && built_in[n] != NULL) {
		names[n] = built_in[n];
		n++;
	}
	for (i = 0; list != NULL && i < list->n && n < NAMES_MAX; i++)
		if (node_string(list->items[i], "name") != NULL)
			names[n++] = node_string(list->items[i], "name");
	names[n] = NULL;
}

static void
rule_provider(struct rules *r, const struct node *cluster)
{
	const struct node *n = cluster_provider_node(cluster);
	const char *names[NAMES_MAX + 1], *near;
	char what[256];

	if (n == NULL || (n->type == NODE_STRING && *n->string == '\0')) {
		/* An empty authProvider is a type error, and was reported. */
		if (n == NULL || n != node_get(cluster, "authProvider"))
			rule_problem(r, false, cluster, "authProvider", "this "
			    "key is missing; add it, or " META_PROVIDER
			    " in authMetadata");
		return;
	}
	known_providers(r, names);
	if (n->type != NODE_STRING || verify_unknown_yet(n) ||
	    keys_word(names, n->string) >= 0)
		return;
	near = suggest(n->string, names);
	snprintf(what, sizeof(what), near != NULL ? "there is no provider "
	    "'%.64s'; did you mean '%s'?" : "there is no provider '%.64s'",
	    n->outside ? "of the variable's value" : n->string, near);
	rule_problem(r, false, n, "authProvider", what);
}

static void
rule_oidc(struct rules *r, const struct node *cluster)
{
	const struct node *n = cluster_provider_node(cluster);
	const struct node *meta = node_get(node_get(cluster, "authMetadata"),
	    META_OIDC);

	if (n == NULL || n->type != NODE_STRING ||
	    strcmp(n->string, "oidc") != 0)
		return;
	if (meta == NULL)
		meta = node_get(cluster, "oidcTokenProvider");
	if (meta == NULL || (meta->type == NODE_STRING &&
	    *meta->string == '\0'))
		rule_problem(r, false, cluster, "oidcTokenProvider", "this key "
		    "is missing; add it: whose tokens open the cluster");
}

static void
rule_impersonate(struct rules *r, const struct node *cluster)
{
	const struct node *n = cluster_provider_node(cluster);
	const struct node *im = node_get(cluster, "impersonate");
	const struct provider_ops *p;

	if (im == NULL || n == NULL || n->type != NODE_STRING)
		return;
	p = provider_find(n->string);
	if (p != NULL && (p->flags & PROVIDER_USER_TOKEN))
		rule_problem(r, true, im, "impersonate", "this has no effect: "
		    "users open this cluster with tokens of their own");
}

static void
rule_cluster(struct rules *r, const struct node *cluster)
{
	if (cluster->type != NODE_OBJECT)
		return;
	rule_provider(r, cluster);
	rule_oidc(r, cluster);
	rule_impersonate(r, cluster);
	rule_sign_in(r, cluster);
}

struct name {
	const struct node *node;
	size_t place;
};

static int
compare_names(const void *a, const void *b)
{
	const struct name *x = a, *y = b;
	int c = strcmp(x->node->string, y->node->string);

	return c != 0 ? c : x->place < y->place ? -1 : 1;
}

static void
report_taken(struct rules *r, const struct name *n, unsigned line)
{
	size_t len = path_key(&r->path, "clusters");
	char what[256];

	path_index(&r->path, n->place);
	snprintf(what, sizeof(what), "the name '%.64s' is taken by the "
	    "cluster at line %u; rename one of them", n->node->string, line);
	rule_problem(r, false, n->node, "name", what);
	r->settled++;		/* the locator itself is right */
	path_cut(&r->path, len);
}

/* Names are compared sorted: a thousand clusters are usual somewhere. */
static void
rule_unique(struct rules *r, const struct node *list)
{
	struct name *names = xcalloc(list->n, sizeof(*names));
	size_t n = 0, i;

	for (i = 0; i < list->n; i++)
		if (node_string(list->items[i], "name") != NULL)
			names[n++] = (struct name){ node_get(list->items[i],
			    "name"), i };
	qsort(names, n, sizeof(*names), compare_names);
	for (i = 1; i < n; i++)
		if (strcmp(names[i].node->string,
		    names[i - 1].node->string) == 0)
			report_taken(r, &names[i], names[i - 1].node->line);
	free(names);
}

static void
rule_locator(struct rules *r, const struct node *locator)
{
	const struct node *list = node_get(locator, "clusters");

	if (!str_eq(node_string(locator, "type"), "config"))
		return;
	rule_each(r, locator, "clusters", rule_cluster);
	if (list != NULL && list->type == NODE_LIST)
		rule_unique(r, list);
}

/* --- Object types -------------------------------------------------------- */

static const char *const object_types[] = { "pods", "services", "configmaps",
    "limitranges", "resourcequotas", "deployments", "replicasets",
    "horizontalpodautoscalers", "jobs", "cronjobs", "ingresses",
    "statefulsets", "daemonsets",
    /* not unless asked for: */
    "secrets", "persistentvolumes", "persistentvolumeclaims", NULL };
#define OBJECT_TYPES_DEFAULT 13

bool
object_type_listed(const struct node *kubernetes, const char *type)
{
	const struct node *list = node_get(kubernetes, "objectTypes");
	int place = keys_word(object_types, type);
	size_t i;

	if (list == NULL)
		return place >= 0 && place < OBJECT_TYPES_DEFAULT;
	for (i = 0; place >= 0 && i < list->n; i++)
		if (list->items[i]->type == NODE_STRING &&
		    strcmp(list->items[i]->string, type) == 0)
			return true;
	return false;
}

static void
rule_known_type(struct rules *r, const struct node *at, const char *type)
{
	const char *near = suggest(type, object_types);
	char what[256];

	if (keys_word(object_types, type) >= 0)
		return;
	snprintf(what, sizeof(what), near != NULL ? "'%.64s' is no object "
	    "type, ignored; did you mean '%s'?" :
	    "'%.64s' is no object type, ignored", type, near);
	rule_problem(r, true, at, "", what);
}

static void
rule_object_type(struct rules *r, const struct node *n)
{
	if (n->type == NODE_STRING && *n->string != '\0' &&
	    !verify_unknown_yet(n))
		rule_known_type(r, n, n->string);
}

/* As in Backstage: only versions of types that are listed are looked at. */
static void
rule_versions(struct rules *r, const struct node *kubernetes)
{
	const struct node *map = node_get(kubernetes, "apiVersionOverrides");
	size_t len, inner, i;

	if (map == NULL || map->type != NODE_OBJECT)
		return;
	len = path_key(&r->path, "apiVersionOverrides");
	for (i = 0; i < map->n; i++) {
		struct node *m = map->items[i];

		inner = path_key(&r->path, m->key);
		rule_known_type(r, m, m->key);
		if (object_type_listed(kubernetes, m->key) &&
		    (m->type != NODE_STRING || *m->string == '\0')) {
			rule_problem(r, false, m, "", "must be a string such "
			    "as \"v1\"");
			m->wrong = true;
		}
		path_cut(&r->path, inner);
	}
	path_cut(&r->path, len);
}

static void
rule_kubernetes(struct rules *r)
{
	const struct node *k = node_get(r->root, "kubernetes");
	size_t len = path_key(&r->path, "kubernetes");

	if (k == NULL)
		tree_problem(r->tree, true, r->root, r->path.buf, "there is no "
		    "such section: every route answers 404");
	rule_each(r, k, "clusterLocatorMethods", rule_locator);
	rule_each(r, k, "objectTypes", rule_object_type);
	rule_versions(r, k);
	path_cut(&r->path, len);
}

/* --- Ours ---------------------------------------------------------------- */

static double
number(const struct node *object, const char *key)
{
	const struct node *n = node_get(object, key);

	if (n == NULL)
		return 0;
	return n->type == NODE_INTEGER ? (double)n->integer :
	    n->type == NODE_NUMBER ? n->number : 0;
}

static void
rule_stagedoor(struct rules *r)
{
	const struct node *s = node_get(r->root, "stagedoor");
	double threads = number(s, "threads");
	size_t len = path_key(&r->path, "stagedoor");

	if (threads > 0 && number(s, "streams") > threads)
		rule_problem(r, false, node_get(s, "streams"), "streams",
		    "more than stagedoor.threads; lower it, or raise those");
	rule_logins(r, s);
	path_cut(&r->path, len);
}

void
settings_rules(struct tree *t, const struct node *root)
{
	struct rules r = { .tree = t, .root = root, .path = PATH_INIT };

	rule_kubernetes(&r);
	rule_stagedoor(&r);
	rule_aws(&r);
	rule_access(&r);
	strbuf_release(&r.path);
}
