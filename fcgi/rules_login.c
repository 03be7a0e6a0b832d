/* SPDX-License-Identifier: Apache-2.0 */
/* Rules for sign-in clients: what each kind of issuer needs. */
#include "base.h"

#include "../providers/provider.h"
#include "rules_private.h"
#include "settings_rules.h"

static void
needs(struct rules *r, const struct node *login, const char *key,
    const char *what)
{
	if (node_get(login, key) == NULL)
		rule_problem(r, false, login, key, what);
}

static void
rule_client_auth(struct rules *r, const struct node *login)
{
	const char *how = node_string(login, "clientAuth");
	bool secret = node_get(login, "clientSecret") != NULL ||
	    node_get(login, "clientSecretFile") != NULL;

	if (how == NULL || strcmp(how, "basic") == 0 ||
	    strcmp(how, "post") == 0) {
		if (!secret)
			rule_problem(r, false, login, "clientSecret", "this "
			    "key is missing; add it, or clientSecretFile, or "
			    "clientAuth = \"none\" for a public client");
	} else if (strcmp(how, "private_key_jwt") == 0) {
		needs(r, login, "keyFile", "this key is missing; add it: "
		    "clientAuth private_key_jwt signs with it");
	}
}

/* Anybody's own tenant would do then, and there is no list of those that
   may. */
static void
rule_tenant(struct rules *r, const struct node *login)
{
	static const char *const many[] = { "common", "organizations",
	    "consumers" };
	const char *tenant = node_string(login, "tenant");
	size_t i;

	needs(r, login, "tenant", "this key is missing; add the id or domain "
	    "of the Entra tenant");
	for (i = 0; tenant != NULL && i < ARRAY_LEN(many); i++)
		if (strcasecmp(tenant, many[i]) == 0)
			rule_problem(r, false, node_get(login, "tenant"),
			    "tenant", "people of any tenant could sign in; "
			    "name one by its id or domain");
}

static void
rule_login(struct rules *r, const struct node *login)
{
	const char *provider = node_string(login, "provider");

	if (provider == NULL)
		return;
	if (strcmp(provider, "oidc") == 0) {
		needs(r, login, "name", "this key is missing; add the "
		    "oidcTokenProvider of the clusters that it is for");
		needs(r, login, "issuer", "this key is missing; add the "
		    "issuer's address");
	} else if (node_get(login, "name") != NULL) {
		rule_problem(r, true, node_get(login, "name"), "name",
		    "this has no effect: only oidc has several");
	}
	if (strcmp(provider, "aks") == 0)
		rule_tenant(r, login);
	rule_client_auth(r, login);
}

static bool
same_login(const struct node *a, const struct node *b)
{
	const char *provider = node_string(a, "provider");

	return str_eq(provider, node_string(b, "provider")) &&
	    (!str_eq(provider, "oidc") ||
	    str_eq(node_string(a, "name"), node_string(b, "name")));
}

static void
rule_once(struct rules *r, const struct node *list)
{
	size_t i, k, len;

	for (i = 1; i < list->n; i++)
		for (k = 0; k < i; k++) {
			if (!same_login(list->items[i], list->items[k]))
				continue;
			len = path_index(&r->path, i);
			rule_problem(r, false, list->items[i], "provider",
			    "there is another login for the same clusters; "
			    "keep one of them");
			path_cut(&r->path, len);
			break;
		}
}

void
rule_logins(struct rules *r, const struct node *stagedoor)
{
	const struct node *list = node_get(stagedoor, "login");
	size_t len;

	if (list == NULL || list->type != NODE_LIST || list->n == 0)
		return;
	rule_each(r, stagedoor, "login", rule_login);
	len = path_key(&r->path, "login");
	rule_once(r, list);
	path_cut(&r->path, len);
	if (node_get(stagedoor, "store") == NULL)
		rule_problem(r, true, list, "store", "without a store, "
		    "sign-ins are kept in the memory of one process, and a "
		    "restart forgets them");
	if (node_get(stagedoor, "publicUrl") == NULL)
		rule_problem(r, false, list, "publicUrl", "this key is "
		    "missing; add it: issuers send browsers back there");
}

/* ---- clusters that they are for ---- */

static bool
opens(const struct node *login, const char *provider, const char *name)
{
	return str_eq(node_string(login, "provider"), provider) &&
	    (strcmp(provider, "oidc") != 0 ||
	    str_eq(node_string(login, "name"), name));
}

void
rule_sign_in(struct rules *r, const struct node *cluster)
{
	const struct node *n = cluster_provider_node(cluster);
	const struct node *meta = node_get(node_get(cluster, "authMetadata"),
	    META_OIDC);
	const struct node *list = node_get(node_get(r->root, "stagedoor"),
	    "login");
	const char *name = meta != NULL && meta->type == NODE_STRING ?
	    meta->string : node_string(cluster, "oidcTokenProvider");
	const struct provider_ops *p;
	size_t i;

	if (!str_eq(node_string(cluster, "signIn"), "stagedoor") ||
	    n == NULL || n->type != NODE_STRING)
		return;
	p = provider_find(n->string);
	if (p != NULL && !(p->flags & PROVIDER_USER_TOKEN))
		rule_problem(r, true, node_get(cluster, "signIn"), "signIn",
		    "this has no effect: only aks, google and oidc clusters "
		    "are opened with tokens of their users");
	if (p == NULL || !(p->flags & PROVIDER_USER_TOKEN))
		return;
	for (i = 0; list != NULL && i < list->n; i++)
		if (opens(list->items[i], n->string, name))
			return;
	rule_problem(r, true, node_get(cluster, "signIn"), "signIn", "nobody "
	    "can sign in for this cluster: stagedoor.login has no entry for "
	    "its authProvider (and oidcTokenProvider); add one");
}
