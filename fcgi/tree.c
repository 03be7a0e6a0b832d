/* SPDX-License-Identifier: Apache-2.0 */
/* Nodes: making, finding, merging, wiping. Files are tree_file.c's. */
#include "base.h"

#include <json-c/json.h>
#include <openssl/crypto.h>

#include "settings.h"
#include "tree.h"

void
tree_init(struct tree *t, struct problems *problems)
{
	memset(t, 0, sizeof(*t));
	t->problems = problems;
}

void
tree_release(struct tree *t)
{
	size_t i;

	for (i = 0; i < t->nsources; i++) {
		free(t->sources[i]->name);
		free(t->sources[i]->dir);
		free(t->sources[i]);
	}
	free(t->sources);
	tree_init(t, NULL);
}

void
tree_problem(struct tree *t, bool warning, const struct node *at,
    const char *path, const char *fmt, ...)
{
	struct strbuf text = STRBUF_INIT(2 * TREE_PATH_MAX);
	char what[TREE_PATH_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	if (at != NULL && at->source != NULL)
		strbuf_addf(&text, "%s:%u: ", at->source->name, at->line);
	if (*path != '\0')
		strbuf_addf(&text, "%s: ", path);
	strbuf_addstr(&text, what);
	problems_add(t->problems, warning, "%s", text.buf);
	strbuf_release(&text);
}

void
tree_strange(struct tree *t, bool warning, const struct node *at,
    const char *path, const char *what)
{
	size_t i;

	for (i = 0; i < t->nsources && t->sources[i] != at->source; i++)
		;
	if (i < t->nsources &&
	    ++t->sources[i]->strange[warning] > TREE_STRANGE_MAX)
		t->problems->nerrors += !warning;
	else
		tree_problem(t, warning, at, path, "%s", what);
}

void
tree_report_rest(struct tree *t)
{
	size_t i, k;

	for (i = 0; i < t->nsources; i++)
		for (k = 0; k < ARRAY_LEN(t->sources[i]->strange); k++) {
			size_t n = t->sources[i]->strange[k];

			if (n <= TREE_STRANGE_MAX)
				continue;
			t->problems->nerrors -= k == 0;	/* counts as one */
			problems_add(t->problems, k == 1, "%s: and %zu more "
			    "of the kind; are these settings?",
			    t->sources[i]->name, n - TREE_STRANGE_MAX);
			t->sources[i]->strange[k] = 0;
		}
}

struct node *
node_new(struct tree *t, const struct tree_source *src, unsigned line,
    enum node_type type)
{
	struct node *n;

	if (t->nodes >= TREE_NODES_MAX || t->bytes > TREE_BYTES_MAX) {
		if (!t->full)
			problems_add(t->problems, false, "%s:%u: the settings "
			    "are too large: over %d values or %d bytes",
			    src->name, line, TREE_NODES_MAX, TREE_BYTES_MAX);
		t->full = true;
		return NULL;
	}
	t->nodes++;
	n = xcalloc(1, sizeof(*n));
	n->type = type;
	n->source = src;
	n->line = line;
	return n;
}

static void
wipe_string(char *s)
{
	if (s != NULL)
		OPENSSL_cleanse(s, strlen(s));
	free(s);
}

struct node *
node_take_string(struct tree *t, const struct tree_source *src, unsigned line,
    char *s)
{
	struct node *n;

	t->bytes += strlen(s);
	n = node_new(t, src, line, NODE_STRING);
	if (n == NULL)
		wipe_string(s);
	else
		n->string = s;
	return n;
}

struct node *
node_new_string(struct tree *t, const struct tree_source *src, unsigned line,
    const char *s, size_t len)
{
	return node_take_string(t, src, line, xstrndup(s, len));
}

void
node_free(struct node *n)
{
	size_t i;

	if (n == NULL)
		return;
	for (i = 0; i < n->n; i++)
		node_free(n->items[i]);
	free(n->items);
	if (n->type == NODE_STRING)
		wipe_string(n->string);
	free(n->key);
	free(n->file);
	free(n);
}

void
node_set_string(struct node *n, char *s)
{
	if (n->type == NODE_STRING)
		wipe_string(n->string);
	n->type = NODE_STRING;
	n->string = s;
}

void
node_append(struct node *parent, struct node *child)
{
	if (parent->n == parent->cap) {
		parent->cap = parent->cap * 2 + 4;
		parent->items = xrealloc(parent->items,
		    parent->cap * sizeof(*parent->items));
	}
	parent->items[parent->n++] = child;
}

/* Null members count here: where they stand, nothing else may. */
static size_t
find(const struct node *object, const char *key)
{
	size_t i;

	for (i = 0; i < object->n; i++)
		if (strcmp(object->items[i]->key, key) == 0)
			break;
	return i;
}

bool
node_add(struct node *object, const char *key, struct node *child)
{
	if (find(object, key) < object->n) {
		node_free(child);
		return false;
	}
	free(child->key);
	child->key = xstrdup(key);
	node_append(object, child);
	return true;
}

struct node *
node_get(const struct node *object, const char *key)
{
	size_t i;

	if (object == NULL || object->type != NODE_OBJECT ||
	    (i = find(object, key)) == object->n ||
	    object->items[i]->type == NODE_NULL)
		return NULL;
	return object->items[i];
}

const char *
node_string(const struct node *object, const char *key)
{
	const struct node *n = node_get(object, key);

	return n != NULL && n->type == NODE_STRING ? n->string : NULL;
}

void
node_remove(struct node *parent, size_t i)
{
	node_free(parent->items[i]);
	memmove(&parent->items[i], &parent->items[i + 1],
	    (--parent->n - i) * sizeof(*parent->items));
}

void
node_prune(struct node *n)
{
	size_t i = 0;

	while (i < n->n)
		if (n->items[i]->wrong)
			node_remove(n, i);
		else
			node_prune(n->items[i++]);
}

struct node *
node_copy(struct tree *t, const struct node *n)
{
	struct node *copy, *child;
	size_t i;

	if (n->type == NODE_STRING)
		copy = node_new_string(t, n->source, n->line, n->string,
		    strlen(n->string));
	else
		copy = node_new(t, n->source, n->line, n->type);
	if (copy == NULL)
		return NULL;
	if (n->type == NODE_BOOL)
		copy->boolean = n->boolean;
	else if (n->type != NODE_STRING)
		copy->integer = n->integer;	/* or number: as wide */
	copy->final = n->final;
	copy->file = n->file ? xstrdup(n->file) : NULL;
	for (i = 0; i < n->n; i++) {
		if ((child = node_copy(t, n->items[i])) == NULL) {
			node_free(copy);
			return NULL;
		}
		child->key = n->items[i]->key ? xstrdup(n->items[i]->key) :
		    NULL;
		node_append(copy, child);
	}
	return copy;
}

struct node *
node_merge(struct node *base, struct node *over)
{
	size_t i, at;

	if (base->type != NODE_OBJECT || over->type != NODE_OBJECT) {
		node_free(base);
		return over;
	}
	for (i = 0; i < over->n; i++) {
		struct node *child = over->items[i];

		if ((at = find(base, child->key)) < base->n)
			base->items[at] = node_merge(base->items[at], child);
		else
			node_append(base, child);
	}
	over->n = 0;
	node_free(over);
	return base;
}

struct json_object *
node_to_json(const struct node *n)
{
	struct json_object *out;
	size_t i;

	switch (n->type) {
	case NODE_NULL:
		return NULL;
	case NODE_BOOL:
		return json_object_new_boolean(n->boolean);
	case NODE_INTEGER:
		return json_object_new_int64(n->integer);
	case NODE_NUMBER:
		return json_object_new_double(n->number);
	case NODE_STRING:
		return json_object_new_string(n->string);
	case NODE_LIST:
		out = json_object_new_array();
		for (i = 0; i < n->n; i++)
			json_object_array_add(out, node_to_json(n->items[i]));
		return out;
	case NODE_OBJECT:
		out = json_object_new_object();
		for (i = 0; i < n->n; i++)
			json_object_object_add(out, n->items[i]->key,
			    node_to_json(n->items[i]));
		return out;
	}
	BUG("node of type %d", n->type);
}

const char *
node_type_name(const struct node *n)
{
	static const char *const names[] = { "nothing", "a boolean",
	    "a number", "a number", "a string", "a list", "an object" };

	if (n->type == NODE_STRING && *n->string == '\0')
		return "an empty string";
	return names[n->type];
}

size_t
path_key(struct strbuf *path, const char *key)
{
	size_t len = path->len;

	strbuf_addf(path, "%s%s", len > 0 ? "." : "", key);
	return len;
}

size_t
path_index(struct strbuf *path, size_t i)
{
	size_t len = path->len;

	strbuf_addf(path, "[%zu]", i);
	return len;
}

void
path_cut(struct strbuf *path, size_t len)
{
	path->overflow = false;
	path->len = len;
	if (path->cap != 0)
		path->buf[len] = '\0';
}
