/* SPDX-License-Identifier: Apache-2.0 */
/* Layers of files, and what stands for something else in them. */
#include "base.h"

#include "expand.h"
#include "keys.h"
#include "layer.h"
#include "settings.h"

struct layer {
	struct tree *tree;
	struct strbuf path;
	unsigned includes;	/* that are open around us */
	bool complete;
};

static struct node *shape(struct layer *l, struct node *n,
    const struct key *key);

static void
fail(struct layer *l, const struct node *at, const char *what)
{
	tree_problem(l->tree, false, at, l->path.buf, "%s", what);
	l->complete = false;
}

/* --- Lists of pairs ------------------------------------------------------ */

static bool
is_pair(const struct node *n)
{
	return n->type == NODE_OBJECT && n->n == 2 &&
	    node_string(n, "key") != NULL && node_get(n, "value") != NULL;
}

static bool
is_pairs(const struct node *n)
{
	size_t i;

	for (i = 0; i < n->n; i++)
		if (!is_pair(n->items[i]))
			return false;
	return n->n <= TREE_MEMBERS_MAX;
}

/* ( { key = "a"; value = "b"; } ) to { a = "b" }. */
static void
make_map(struct layer *l, struct node *n)
{
	struct node **pairs = n->items;
	size_t i, len = n->n;

	n->type = NODE_OBJECT;
	n->items = NULL;
	n->n = n->cap = 0;
	for (i = 0; i < len; i++) {
		size_t at = strcmp(pairs[i]->items[0]->key, "value") == 0 ?
		    0 : 1;
		const char *name = node_string(pairs[i], "key");
		struct node *value = pairs[i]->items[at];

		pairs[i]->items[at] = xcalloc(1, sizeof(*value));
		if (!node_add(n, name, value))
			fail(l, pairs[i], "this key stands here twice; keep "
			    "one of them");
		node_free(pairs[i]);
	}
	free(pairs);
}

/* --- $env, $file, $include ----------------------------------------------- */

static struct node *
directive(const struct node *n)
{
	static const char *const names[] = { "$env", "$file", "$include",
	    NULL };
	size_t i;

	if (n->type != NODE_OBJECT || !n->source->yaml)
		return NULL;
	for (i = 0; i < n->n; i++)
		if (keys_word(names, n->items[i]->key) >= 0)
			return n->items[i];
	return NULL;
}

static char *
argument(struct layer *l, const struct node *n, const struct node *d)
{
	char *text, *missing = NULL;

	if (n->n != 1) {
		fail(l, d, "$env, $file or $include must stand alone");
		return NULL;
	}
	if (d->type != NODE_STRING || *d->string == '\0') {
		fail(l, d, "$env, $file and $include take a string");
		return NULL;
	}
	text = expand(d->string, &missing);
	if (text == NULL) {
		tree_problem(l->tree, false, d, l->path.buf, "environment "
		    "variable %s is not set", missing);
		l->complete = false;
		free(missing);
	}
	return text;
}

static struct node *
env_node(struct layer *l, const struct node *d, const char *name)
{
	struct strbuf text = STRBUF_INIT(TREE_PATH_MAX);
	struct node *n = NULL;

	if (strpbrk(name, "{}") != NULL) {
		fail(l, d, "no name of an environment variable");
	} else {
		strbuf_addf(&text, "${%s}", name);
		n = node_new_string(l->tree, d->source, d->line, text.buf,
		    text.len);
	}
	strbuf_release(&text);
	return n;
}

static struct node *
file_node(struct layer *l, const struct node *d, const char *path)
{
	struct strbuf text = STRBUF_INIT(4 * PATH_MAX);
	struct node *n = node_new_string(l->tree, d->source, d->line, "", 0);

	if (*path != '/')
		strbuf_addf(&text, "%s/", d->source->dir);
	strbuf_addstr(&text, path);
	if (n != NULL)
		n->file = strbuf_detach(&text, NULL);
	strbuf_release(&text);
	return n;
}

/* The part of an included tree that a.b names; takes root. */
static struct node *
fragment(struct layer *l, const struct node *d, struct node *root, char *name)
{
	struct node *n = root, *parent = NULL;
	char *word, *rest = name;

	while (n != NULL && rest != NULL &&
	    (word = strsep(&rest, ".")) != NULL) {
		parent = n;
		n = node_get(n, word);
	}
	if (n == NULL) {
		fail(l, d, "the included file has no such part");
	} else if (parent != NULL) {
		size_t i;

		for (i = 0; parent->items[i] != n; i++)
			;
		parent->items[i] = xcalloc(1, sizeof(*n));
	}
	if (n != root)
		node_free(root);
	return n;
}

static struct node *
include_node(struct layer *l, const struct node *d, char *path)
{
	char *hash = strchr(path, '#'), *dot;
	struct node *root;

	if (hash != NULL)
		*hash++ = '\0';
	dot = strrchr(path, '.');
	if (dot == NULL || (strcmp(dot, ".yaml") != 0 &&
	    strcmp(dot, ".yml") != 0 && strcmp(dot, ".json") != 0)) {
		fail(l, d, "$include takes files named .yaml, .yml or .json");
		return NULL;
	}
	if (l->includes >= TREE_INCLUDES_MAX) {
		fail(l, d, "too many files that include each other");
		return NULL;
	}
	root = tree_read(l->tree, path, d);
	if (root == NULL)
		l->complete = false;
	else if (hash != NULL && *hash != '\0')
		root = fragment(l, d, root, hash);
	return root;
}

/* What n stands for; NULL if that failed. Takes n. */
static struct node *
follow(struct layer *l, struct node *n, const struct node *d)
{
	char *text = argument(l, n, d);
	struct node *got = NULL;

	if (text != NULL && strcmp(d->key, "$env") == 0)
		got = env_node(l, d, text);
	else if (text != NULL && strcmp(d->key, "$file") == 0)
		got = file_node(l, d, text);
	else if (text != NULL)
		got = include_node(l, d, text);
	free(text);
	if (got != NULL) {
		free(got->key);
		got->key = n->key;
		n->key = NULL;
	}
	node_free(n);
	return got;
}

/* --- Walking ------------------------------------------------------------- */

static const struct key *
key_of_child(const struct key *key, const struct node *child,
    struct key *element)
{
	static const struct key any = { .type = KEY_ANY };
	const struct key *k;

	if (key->type == KEY_LIST) {
		*element = (struct key){ .type = KEY_OBJECT,
		    .keys = key->keys };
		return element;
	}
	if (key->type != KEY_OBJECT)
		return &any;
	k = keys_find(key->keys, child->key);
	return k == NULL || (k->flags & KEY_FOREIGN) ? NULL : k;
}

static void
shape_children(struct layer *l, struct node *n, const struct key *key)
{
	const struct key *k;
	struct key element;
	size_t i, len, kept = 0;

	for (i = 0; i < n->n; i++) {
		struct node *child = n->items[i];

		if (n->type == NODE_LIST)
			len = path_index(&l->path, i);
		else
			len = path_key(&l->path, child->key);
		k = key_of_child(key, child, &element);
		if (k != NULL)
			child = shape(l, child, k);
		if (child != NULL)
			n->items[kept++] = child;
		path_cut(&l->path, len);
	}
	n->n = kept;
}

/* Takes n; NULL if what it stands for could not be had. */
static struct node *
shape(struct layer *l, struct node *n, const struct key *key)
{
	unsigned includes = l->includes;
	const struct node *d;

	while (n != NULL && (d = directive(n)) != NULL) {
		n = follow(l, n, d);
		l->includes++;		/* each could lead to the next */
	}
	if (n == NULL) {
		l->includes = includes;
		return NULL;
	}
	if (n->type == NODE_LIST && !n->source->yaml && is_pairs(n) &&
	    (key->type == KEY_MAP || (key->type == KEY_ANY && n->n > 0)))
		make_map(l, n);
	/* A list where the table wants an object has no keys to go by. */
	if (n->type == NODE_OBJECT || (n->type == NODE_LIST &&
	    key->type != KEY_OBJECT))
		shape_children(l, n, key);
	l->includes = includes;
	return n;
}

static struct node *
layer_read(struct layer *l, const char *file)
{
	static const struct key top = { .type = KEY_OBJECT,
	    .keys = keys_root };
	struct node *root = tree_read(l->tree, file, NULL);

	if (root == NULL) {
		l->complete = false;
		return NULL;
	}
	root = shape(l, root, &top);
	if (root == NULL || root->type == NODE_OBJECT)
		return root;
	if (root->type != NODE_NULL)
		fail(l, root, "the settings must be an object of sections");
	node_free(root);
	return NULL;
}

struct node *
layers_read(struct tree *t, const char *const *files, size_t n,
    bool *complete)
{
	static const struct tree_source nowhere = { .name = "settings" };
	struct layer l = { .tree = t, .path = PATH_INIT, .complete = true };
	struct node *base = NULL, *over;
	size_t i;

	for (i = 0; i < n; i++) {
		if ((over = layer_read(&l, files[i])) == NULL)
			continue;
		base = base == NULL ? over : node_merge(base, over);
	}
	if (base == NULL) {
		base = xcalloc(1, sizeof(*base));
		base->type = NODE_OBJECT;
		base->source = t->nsources > 0 ? t->sources[0] : &nowhere;
		base->line = 1;
	}
	*complete = l.complete;
	strbuf_release(&l.path);
	return base;
}
