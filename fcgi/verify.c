/* SPDX-License-Identifier: Apache-2.0 */
/* Objects and lists against the table; single values are verify_value.c's. */
#include "base.h"

#include "keys.h"
#include "settings.h"
#include "suggest.h"
#include "verify_value.h"

/* So many slips, and a section of an app-config may be meant as ours. */
#define SECTION_SLIPS 2

static void verify_node(struct verify *v, struct node *n,
    const struct key *key);

/* Errors that make what is around them wrong too. */
static size_t
errors_of(const struct verify *v)
{
	return v->tree->problems->nerrors + v->silent - v->settled;
}

/* An app-config may hold what others read; libconfig files are ours alone. */
static bool
is_others(const struct node *m, const struct key *object)
{
	if (!m->source->yaml)
		return false;
	if (object->keys != keys_root)
		return (object->flags & KEY_SHARED) != 0;
	return suggest_distance(m->key, "kubernetes") > SECTION_SLIPS &&
	    suggest_distance(m->key, "stagedoor") > SECTION_SLIPS;
}

static void
report_unknown(struct verify *v, const struct node *m,
    const struct key *object, const char *type)
{
	struct strbuf path = PATH_INIT;
	bool warning = m->source->yaml && !(object->flags & KEY_STRICT);
	const char *ignored = warning ? ", ignored" : "";
	const char *better;
	char what[TREE_PATH_MAX];

	if (is_others(m, object))
		return;
	better = keys_suggest(object->keys, m->key, type, &path);
	if (better != NULL)
		snprintf(what, sizeof(what), "unknown key%s; did you mean "
		    "'%s'?", ignored, better);
	else
		snprintf(what, sizeof(what), "unknown key%s; 'stagedoor "
		    "check --keys' lists all", ignored);
	tree_strange(v->tree, warning, m, v->path.buf, what);
	strbuf_release(&path);
}

/* The word at "type", which decides what else may stand beside it. */
static const char *
verify_type(struct verify *v, struct node *object, const struct key *keys)
{
	const struct key *k = keys_find(keys, "type");
	struct node *n = node_get(object, "type");
	const char *word;
	size_t len;

	if (k == NULL || n == NULL)
		return NULL;
	len = path_key(&v->path, "type");
	verify_node(v, n, k);
	path_cut(&v->path, len);
	word = node_string(object, "type");
	return word != NULL && k->words != NULL &&
	    keys_word(k->words, word) >= 0 ? word : NULL;
}

static void
verify_member(struct verify *v, struct node *m, const struct key *object,
    const char *type)
{
	const struct key *k = keys_pick(object->keys, m->key, type);
	size_t len = path_key(&v->path, m->key);

	if (k == NULL && keys_find(object->keys, m->key) != NULL)
		verify_problem(v, m->source->yaml, m, "not a key of type "
		    "'%s'%s", type, m->source->yaml ? ", ignored" : "");
	else if (k == NULL)
		report_unknown(v, m, object, type);
	else if (!(k->flags & KEY_FOREIGN) && strcmp(k->name, "type") != 0)
		verify_node(v, m, k);
	path_cut(&v->path, len);
}

static void
report_missing(struct verify *v, const struct node *object,
    const struct key *keys, const char *type)
{
	const struct key *k;
	size_t len;

	for (k = keys; k->name != NULL; k++) {
		if (!(k->flags & KEY_REQUIRED) ||
		    (k->when != NULL && !str_eq(k->when, type)) ||
		    node_get(object, k->name) != NULL)
			continue;
		len = path_key(&v->path, k->name);
		verify_problem(v, false, object, "this key is missing; add it: "
		    "%s", k->text);
		path_cut(&v->path, len);
	}
}

/* null is the same as absent. */
static void
drop_nulls(struct node *object)
{
	size_t i = 0;

	while (i < object->n)
		if (object->items[i]->type == NODE_NULL)
			node_remove(object, i);
		else
			i++;
}

static void
verify_object(struct verify *v, struct node *object, const struct key *key)
{
	const char *type;
	size_t i;

	drop_nulls(object);
	type = verify_type(v, object, key->keys);
	for (i = 0; i < object->n; i++)
		verify_member(v, object->items[i], key, type);
	if (!(v->flags & VERIFY_PARTIAL))
		report_missing(v, object, key->keys, type);
}

/* An element with an error is wrong as a whole; the others are not. */
static void
verify_list(struct verify *v, struct node *list, const struct key *key)
{
	size_t i, len, errors;

	for (i = 0; i < list->n; i++) {
		len = path_index(&v->path, i);
		errors = errors_of(v);
		if (list->items[i]->type == NODE_OBJECT)
			verify_object(v, list->items[i], key);
		else
			verify_wrong_type(v, list->items[i], "an object");
		list->items[i]->wrong = errors_of(v) > errors;
		v->settled += errors_of(v) - errors;
		path_cut(&v->path, len);
	}
}

static void
verify_shape(struct verify *v, struct node *n, const struct key *key)
{
	if (key->type == KEY_OBJECT || (key->type == KEY_STRING &&
	    key->keys != NULL && n->type == NODE_OBJECT)) {
		if (n->type == NODE_OBJECT)
			verify_object(v, n, key);
		else
			verify_wrong_type(v, n, "an object");
	} else if (key->type == KEY_LIST) {
		if (n->type == NODE_LIST)
			verify_list(v, n, key);
		else
			verify_wrong_type(v, n, "a list of objects");
	} else {
		verify_value(v, n, key);
	}
}

static void
verify_node(struct verify *v, struct node *n, const struct key *key)
{
	bool object = key->type == KEY_OBJECT && n->type == NODE_OBJECT;
	size_t errors = errors_of(v);

	if (n->wrong) {
		v->silent++;
		return;
	}
	verify_shape(v, n, key);
	/* Of an object, its members are marked. */
	n->wrong = !object && errors_of(v) > errors;
}

void
verify_tree(struct tree *t, struct node *root, unsigned flags)
{
	static const struct key top = { .type = KEY_OBJECT,
	    .keys = keys_root };
	struct verify v = { .tree = t, .path = PATH_INIT, .flags = flags };

	verify_object(&v, root, &top);
	strbuf_release(&v.path);
}
