/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kubeconfig locator: each context becomes a cluster (kubeconfig v1 of
 * client-go's clientcmd: $KUBECONFIG may name several files, of equal names
 * the first counts, relative paths start at their file). A context whose
 * user needs more than a token is listed with the reason.
 */
#include "base.h"

#include <libgen.h>

#include "arena.h"
#include "err.h"
#include "files.h"
#include "locator.h"
#include "settings.h"
#include "tree.h"

#define KUBECONFIG_MAX (1024 * 1024)
#define KUBECONFIG_FILES 16

struct kubeconfig {
	const struct settings *settings;
	const struct locator_settings *locator;
	struct arena *arena;
	struct clusters *out;
	struct problems *problems;
	struct tree tree;
	struct tree_source sources[KUBECONFIG_FILES];
	struct node *roots[KUBECONFIG_FILES];
	size_t n;
};

static void
read_one(struct kubeconfig *k, const char *path)
{
	struct tree_source *src = &k->sources[k->n];
	struct secret text = SECRET_INIT;
	struct err err = ERR_INIT;
	char *copy;

	if (k->n == KUBECONFIG_FILES)
		return;
	if (file_read(path, KUBECONFIG_MAX, &text, &err) != 0) {
		problems_add(k->problems, true, "kubeconfig: %s", err.text);
		return;
	}
	copy = realpath(path, NULL);
	src->name = arena_strdup(k->arena, path);
	src->dir = arena_strdup(k->arena, dirname(copy));
	src->yaml = true;
	free(copy);
	if (text.len > 0)
		k->roots[k->n] = tree_parse_yaml(&k->tree, src, text.ptr,
		    text.len);
	if (k->roots[k->n] != NULL)
		k->n++;
	secret_release(&text);
}

static void
read_all(struct kubeconfig *k)
{
	const char *path = k->locator->path, *home = getenv("HOME"), *end;

	if (path == NULL)
		path = getenv("KUBECONFIG");
	if (path == NULL || *path == '\0')
		path = arena_printf(k->arena, "%s/.kube/config",
		    home ? home : "");
	for (; *path != '\0'; path = *end == ':' ? end + 1 : end) {
		end = path + strcspn(path, ":");
		if (end > path)
			read_one(k, arena_strndup(k->arena, path,
			    (size_t)(end - path)));
	}
}

/* The entry of that name in a list of all files ("clusters": "cluster"). */
static const struct node *
find_named(const struct kubeconfig *k, const char *list, const char *inner,
    const char *name)
{
	size_t f, i;

	for (f = 0; f < k->n && name != NULL; f++) {
		const struct node *l = node_get(k->roots[f], list);

		for (i = 0; l != NULL && i < l->n; i++)
			if (str_eq(node_string(l->items[i], "name"), name))
				return node_get(l->items[i], inner);
	}
	return NULL;
}

/* A path of the file that the node came from. */
static const char *
relative(struct kubeconfig *k, const struct node *n, const char *path)
{
	if (path == NULL || *path == '/')
		return arena_strdup(k->arena, path);
	return arena_printf(k->arena, "%s/%s", n->source->dir, path);
}

/* Why this user entry cannot be used; NULL if it can. */
static const char *
unusable(const struct node *user)
{
	static const struct {
		const char *key, *why;
	} kinds[] = {
		{ "exec", "an exec plug-in, which is not built in yet" },
		{ "client-certificate", "a client certificate, which is not "
		    "built in yet" },
		{ "client-certificate-data", "a client certificate, which is "
		    "not built in yet" },
		{ "auth-provider", "an auth-provider, which kubectl itself "
		    "gave up" },
		{ "username", "a password, which API servers gave up" },
	};
	size_t i;

	for (i = 0; user != NULL && i < ARRAY_LEN(kinds); i++)
		if (node_get(user, kinds[i].key) != NULL)
			return kinds[i].why;
	return "no token";
}

static void
fill_user(struct kubeconfig *k, struct cluster *c, const char *name)
{
	const struct node *user = find_named(k, "users", "user", name);
	const char *token = user ? node_string(user, "token") : NULL;
	const char *file = user ? node_string(user, "tokenFile") : NULL;

	/* client-go: the file beats the token. */
	if (file != NULL)
		c->token_file = relative(k, user, file);
	else if (token != NULL)
		secret_set(&c->token, token, strlen(token));
	else
		c->broken = arena_printf(k->arena, "context '%s': its user "
		    "'%s' has %s", c->name, name ? name : "",
		    unusable(user));
}

static bool
is_true(const struct node *object, const char *key)
{
	const struct node *n = node_get(object, key);

	return n != NULL && n->type == NODE_BOOL && n->boolean;
}

static void
fill_cluster(struct kubeconfig *k, struct cluster *c, const char *name)
{
	const struct node *n = find_named(k, "clusters", "cluster", name);
	const char *server = n ? node_string(n, "server") : NULL;

	c->url = arena_strdup(k->arena, server ? server : "");
	if (server == NULL) {
		c->broken = arena_printf(k->arena, "context '%s': its cluster "
		    "'%s' has no server", c->name, name ? name : "");
		return;
	}
	c->skip_tls_verify = is_true(n, "insecure-skip-tls-verify");
	c->ca_data = arena_strdup(k->arena,
	    node_string(n, "certificate-authority-data"));
	/* client-go: data beats the file. */
	if (c->ca_data == NULL)
		c->ca_file = relative(k, n,
		    node_string(n, "certificate-authority"));
}

static bool
wanted(const struct kubeconfig *k, const char *name)
{
	const struct string_list *l = &k->locator->contexts;
	size_t i;

	for (i = 0; i < l->n; i++)
		if (strcmp(l->items[i], name) == 0)
			return true;
	return l->n == 0 && clusters_find(k->out, name) == NULL;
}

static void
add_context(struct kubeconfig *k, const struct node *entry)
{
	const char *name = node_string(entry, "name");
	const struct node *context = node_get(entry, "context");
	struct cluster *c;

	if (name == NULL || context == NULL || !wanted(k, name))
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
	struct kubeconfig k = { .settings = s, .locator = ls, .arena = arena,
	    .out = out, .problems = problems };
	size_t f, i;

	tree_init(&k.tree, problems);
	read_all(&k);
	for (f = 0; f < k.n; f++) {
		const struct node *l = node_get(k.roots[f], "contexts");

		for (i = 0; l != NULL && i < l->n; i++)
			add_context(&k, l->items[i]);
	}
	for (f = 0; f < k.n; f++)
		node_free(k.roots[f]);
	tree_release(&k.tree);
}
