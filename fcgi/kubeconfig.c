/* SPDX-License-Identifier: Apache-2.0 */
/* Finding and reading the files of a kubeconfig. */
#include "base.h"

#include <libgen.h>
#include <unistd.h>

#include "arena.h"
#include "err.h"
#include "files.h"
#include "kubeconfig.h"
#include "settings.h"
#include "watch.h"

#define KUBECONFIG_MAX (1024 * 1024)

/*
 * Not realpath: where a link moves to the next version of a folder, its old
 * target is gone by then.
 */
static char *
folder_of(struct arena *arena, const char *path)
{
	char *cwd = *path == '/' ? NULL : getcwd(NULL, 0);
	char *full = arena_printf(arena, "%s%s%s", cwd ? cwd : "",
	    cwd ? "/" : "", path);

	free(cwd);
	return dirname(full);
}

static void
parse_one(struct kubeconfig *k, const char *path, struct arena *arena,
    struct secret *text)
{
	struct tree_source *src = &k->sources[k->n];
	struct node *root = NULL;

	src->name = arena_strdup(arena, path);
	src->dir = folder_of(arena, path);
	src->yaml = true;
	if (text->len > 0)
		root = tree_parse_yaml(&k->tree, src, text->ptr, text->len);
	else
		problems_add(k->tree.problems, true, "%s: is empty", path);
	if (root != NULL && root->type != NODE_OBJECT) {
		problems_add(k->tree.problems, true, "%s: is no kubeconfig",
		    path);
		node_free(root);
		root = NULL;
	}
	if (root == NULL)
		k->broken++;
	else
		k->roots[k->n++] = root;
}

static void
read_one(struct kubeconfig *k, const char *path, struct arena *arena)
{
	struct secret text = SECRET_INIT;
	struct err err = ERR_INIT;

	if (file_read(path, KUBECONFIG_MAX, &text, &err) == 0) {
		parse_one(k, path, arena, &text);
	} else {
		k->broken += access(path, F_OK) == 0;
		problems_add(k->tree.problems, true, "kubeconfig: %s",
		    err.text);
	}
	secret_release(&text);
}

static void
list_paths(const struct locator_settings *ls, struct arena *arena,
    struct string_list *out)
{
	const char *path = ls->path, *home = getenv("HOME"), *end;

	out->items = arena_alloc(arena, KUBECONFIG_FILES *
	    sizeof(*out->items));
	out->n = 0;
	if (path == NULL)
		path = getenv("KUBECONFIG");
	if (path == NULL || *path == '\0')
		path = arena_printf(arena, "%s/.kube/config",
		    home ? home : "");
	for (; *path != '\0'; path = *end == ':' ? end + 1 : end) {
		end = path + strcspn(path, ":");
		if (end > path && out->n < KUBECONFIG_FILES)
			out->items[out->n++] = arena_strndup(arena, path,
			    (size_t)(end - path));
	}
}

void
kubeconfig_read(struct kubeconfig *k, const struct locator_settings *ls,
    struct arena *arena, struct problems *problems)
{
	struct string_list paths;
	size_t i;

	memset(k, 0, sizeof(*k));
	tree_init(&k->tree, problems);
	list_paths(ls, arena, &paths);
	for (i = 0; i < paths.n; i++)
		read_one(k, paths.items[i], arena);
}

void
kubeconfig_release(struct kubeconfig *k)
{
	size_t i;

	for (i = 0; i < k->n; i++)
		node_free(k->roots[i]);
	tree_release(&k->tree);
}

const struct node *
kubeconfig_find(const struct kubeconfig *k, const char *list,
    const char *inner, const char *name)
{
	size_t f, i;

	for (f = 0; f < k->n && name != NULL; f++) {
		const struct node *l = node_get(k->roots[f], list);

		for (i = 0; l != NULL && l->type == NODE_LIST && i < l->n; i++)
			if (str_eq(node_string(l->items[i], "name"), name))
				return node_get(l->items[i], inner);
	}
	return NULL;
}

const char *
kubeconfig_string(const struct node *entry, const char *key)
{
	const char *s = entry != NULL ? node_string(entry, key) : NULL;

	return s != NULL && *s != '\0' ? s : NULL;
}

bool
kubeconfig_true(const struct node *entry, const char *key)
{
	const struct node *n = node_get(entry, key);

	return n != NULL && n->type == NODE_BOOL && n->boolean;
}

const char *
kubeconfig_path(struct arena *arena, const struct node *entry, const char *key)
{
	const char *path = kubeconfig_string(entry, key);

	if (path == NULL || *path == '/')
		return arena_strdup(arena, path);
	return arena_printf(arena, "%s/%s", entry->source->dir, path);
}

void
kubeconfig_look(const struct settings *s, struct kubeconfig_state *out,
    struct problems *problems)
{
	struct arena *arena = arena_new();
	struct kubeconfig k;
	size_t i;

	memset(out, 0, sizeof(*out));
	for (i = 0; i < s->nlocators; i++) {
		if (s->locators[i].type != LOCATOR_KUBECONFIG)
			continue;
		kubeconfig_read(&k, &s->locators[i], arena, problems);
		out->good += k.n;
		out->broken += k.broken;
		kubeconfig_release(&k);
	}
	arena_free(arena);
}

void
kubeconfig_watch(const struct settings *s, struct watch *w)
{
	struct arena *arena = arena_new();
	struct string_list paths;
	size_t i, f;

	for (i = 0; i < s->nlocators; i++) {
		if (s->locators[i].type != LOCATOR_KUBECONFIG)
			continue;
		list_paths(&s->locators[i], arena, &paths);
		for (f = 0; f < paths.n; f++)
			watch_add(w, paths.items[f]);
	}
	arena_free(arena);
}
