/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kubeconfig locator: each context becomes a cluster. A context whose
 * user has no token, client certificate or exec plug-in is listed with the
 * reason.
 */
#include "base.h"

#include "arena.h"
#include "base64.h"
#include "err.h"
#include "kubeconfig.h"
#include "locator.h"
#include "settings.h"

struct contexts {
	const struct settings *settings;
	const struct locator_settings *locator;
	struct arena *arena;
	struct clusters *out;
	size_t before;		/* clusters of other locators */
	struct kubeconfig config;
};

struct kind {
	const char *key, *why;
};

/* Leaving these out would give everyone more than the user entry does. */
static const struct kind acting[] = {
	{ "as", "impersonation (as), which is not built in yet" },
	{ "as-uid", "impersonation (as-uid), which is not built in yet" },
	{ "as-groups", "impersonation (as-groups), which is not built in yet" },
	{ "as-user-extra", "impersonation (as-user-extra), which is not built "
	    "in yet" },
	{ NULL, NULL }
};

static const struct kind unusable[] = {
	{ "client-key", "a client key, but no client-certificate" },
	{ "client-key-data", "a client key, but no client-certificate" },
	{ "auth-provider", "an auth-provider, which kubectl itself gave up" },
	{ "username", "username and password (basic), which API servers gave "
	    "up: use a token or a client certificate" },
	{ "password", "username and password (basic), which API servers gave "
	    "up: use a token or a client certificate" },
	{ NULL, NULL }
};

static const char *
why_of(const struct kind *kinds, const struct node *user)
{
	for (; user != NULL && kinds->key != NULL; kinds++) {
		const struct node *n = node_get(user, kinds->key);

		if (n != NULL && (n->type != NODE_STRING || *n->string != '\0'))
			return kinds->why;
	}
	return NULL;
}

/* One half of a certificate: client-go takes the data before the file. */
static const char *
fill_half(struct contexts *k, const struct node *user, const char *key,
    struct secret *data, const char **file)
{
	const char *name = arena_printf(k->arena, "%s-data", key);
	const char *text = kubeconfig_string(user, name);

	if (text != NULL)
		return base64_decode(text, data) == 0 ? NULL :
		    arena_printf(k->arena, "a %s that is not base64", name);
	*file = kubeconfig_path(k->arena, user, key);
	return *file != NULL ? NULL : arena_printf(k->arena, "a client "
	    "certificate without its %s", key);
}

/*
 * A token beside it is not used: API servers look at the certificate first,
 * so with kubectl too it decides who asks.
 */
static const char *
fill_certificate(struct contexts *k, struct cluster *c,
    const struct node *user)
{
	const char *why = fill_half(k, user, "client-certificate",
	    &c->client_certificate, &c->client_certificate_file);

	c->auth_provider = "x509";
	if (why != NULL)
		return why;
	return fill_half(k, user, "client-key", &c->client_key,
	    &c->client_key_file);
}

static const char *
fill_exec(struct contexts *k, struct cluster *c, const struct node *user)
{
	c->auth_provider = "exec";
	return kubeconfig_exec(k->arena, node_get(user, "exec"), &c->exec);
}

/* Returns what the user has that cannot be used; NULL if all is well. */
static const char *
fill_credential(struct contexts *k, struct cluster *c,
    const struct node *user)
{
	const char *token = kubeconfig_string(user, "token");
	const char *why = why_of(acting, user);

	if (why != NULL)
		return why;
	if (kubeconfig_string(user, "client-certificate") != NULL ||
	    kubeconfig_string(user, "client-certificate-data") != NULL)
		return fill_certificate(k, c, user);
	/* client-go: the file beats the token. */
	c->token_file = kubeconfig_path(k->arena, user, "tokenFile");
	if (c->token_file != NULL)
		return NULL;
	if (token == NULL && node_get(user, "exec") != NULL)
		return fill_exec(k, c, user);
	if (token == NULL && (why = why_of(unusable, user)) == NULL)
		why = "no token, client certificate or exec plug-in";
	if (token != NULL)
		secret_set(&c->token, token, strlen(token));
	return why;
}

static void
fill_user(struct contexts *k, struct cluster *c, const char *name)
{
	const struct node *user = kubeconfig_find(&k->config, "users", "user",
	    name);
	const char *why = fill_credential(k, c, user);

	if (why != NULL)
		c->broken = arena_printf(k->arena, "context '%s': its user "
		    "'%s' has %s", c->name, name ? name : "", why);
}

/* Without them another host would be asked, or none that is there. */
static const char *const not_built[] = { "tls-server-name", "proxy-url" };

static void
fill_cluster(struct contexts *k, struct cluster *c, const char *name)
{
	const struct node *n = kubeconfig_find(&k->config, "clusters",
	    "cluster", name);
	const char *server = kubeconfig_string(n, "server");
	size_t i;

	c->url = arena_strdup(k->arena, server ? server : "");
	if (server == NULL) {
		c->broken = arena_printf(k->arena, "context '%s': its cluster "
		    "'%s' has no server", c->name, name ? name : "");
		return;
	}
	c->skip_tls_verify = kubeconfig_true(n, "insecure-skip-tls-verify");
	c->ca_data = arena_strdup(k->arena,
	    kubeconfig_string(n, "certificate-authority-data"));
	/* client-go: data beats the file. */
	if (c->ca_data == NULL)
		c->ca_file = kubeconfig_path(k->arena, n,
		    "certificate-authority");
	c->exec.config = kubeconfig_exec_config(k->arena, n);
	for (i = 0; i < ARRAY_LEN(not_built); i++)
		if (kubeconfig_string(n, not_built[i]) != NULL)
			c->broken = arena_printf(k->arena, "context '%s': its "
			    "cluster '%s' has %s, which is not built in yet",
			    c->name, name, not_built[i]);
}

/* Is there a cluster of that context yet? */
static bool
is_there(const struct contexts *k, const char *name)
{
	size_t i;

	for (i = k->before; i < k->out->n; i++)
		if (strcmp(k->out->items[i]->name, name) == 0)
			return true;
	return false;
}

static bool
wanted(const struct contexts *k, const char *name)
{
	const struct string_list *l = &k->locator->contexts;
	size_t i;

	for (i = 0; i < l->n; i++)
		if (strcmp(l->items[i], name) == 0)
			return true;
	return l->n == 0;
}

static void
report_missing(const struct contexts *k, struct problems *problems)
{
	const struct string_list *l = &k->locator->contexts;
	size_t i;

	for (i = 0; i < l->n; i++)
		if (!is_there(k, l->items[i]))
			problems_add(problems, true, "%s: kubeconfig: there "
			    "is no context '%s'", k->locator->where ?
			    k->locator->where : "settings", l->items[i]);
}

static void
add_context(struct contexts *k, const struct node *entry)
{
	const char *name = node_string(entry, "name");
	const struct node *context = node_get(entry, "context");
	struct cluster *c;

	if (name == NULL || context == NULL || !wanted(k, name) ||
	    is_there(k, name))
		return;
	c = locator_cluster(k->settings, k->arena, name);
	c->where = arena_printf(k->arena, "%s:%u", entry->source->name,
	    entry->line);
	c->auth_provider = "serviceAccount";
	fill_user(k, c, node_string(context, "user"));
	fill_cluster(k, c, node_string(context, "cluster"));
	locator_add(k->out, c);
}

void
locator_kubeconfig(const struct settings *s, const struct locator_settings *ls,
    struct arena *arena, struct clusters *out, struct problems *problems)
{
	struct contexts k = { .settings = s, .locator = ls, .arena = arena,
	    .out = out, .before = out->n };
	size_t f, i;

	kubeconfig_read(&k.config, ls, arena, problems);
	for (f = 0; f < k.config.n; f++) {
		const struct node *l = node_get(k.config.roots[f], "contexts");

		for (i = 0; l != NULL && l->type == NODE_LIST && i < l->n; i++)
			add_context(&k, l->items[i]);
	}
	out->unlisted += k.config.broken > 0;
	report_missing(&k, problems);
	kubeconfig_release(&k.config);
}
