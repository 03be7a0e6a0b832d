/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A verified tree, written as libconfig: what the table of keys knows, the
 * rest left out. Variables stay variables and files stay files, so that no
 * secret moves.
 */
#include "base.h"

#include "err.h"
#include "expand.h"
#include "keys.h"
#include "layer.h"
#include "settings.h"
#include "settings_rules.h"
#include "tree.h"
#include "verify.h"

struct import {
	struct tree *tree;
	struct strbuf *out;
	struct strbuf path;
	unsigned depth;
};

static void write_value(struct import *im, const struct node *n,
    const struct key *key);

static void
new_line(struct import *im)
{
	unsigned i;

	strbuf_addch(im->out, '\n');
	for (i = 0; i < im->depth; i++)
		strbuf_addch(im->out, '\t');
}

/* --- Single values ------------------------------------------------------- */

static void
write_string(struct import *im, const char *s)
{
	strbuf_addch(im->out, '"');
	for (; *s != '\0'; s++) {
		if (*s == '"' || *s == '\\')
			strbuf_addf(im->out, "\\%c", *s);
		else if (*s == '\n')
			strbuf_addstr(im->out, "\\n");
		else if ((unsigned char)*s < 0x20 || *s == 0x7f)
			strbuf_addf(im->out, "\\x%02x", *s);
		else
			strbuf_addch(im->out, *s);
	}
	strbuf_addch(im->out, '"');
}

static void
write_number(struct import *im, const struct node *n)
{
	char text[40];

	if (n->type == NODE_INTEGER) {
		strbuf_addf(im->out, "%lld%s", (long long)n->integer,
		    n->integer > INT32_MAX || n->integer < INT32_MIN ? "L" :
		    "");
		return;
	}
	snprintf(text, sizeof(text), "%.15g", n->number);
	if (strtod(text, NULL) != n->number)
		snprintf(text, sizeof(text), "%.17g", n->number);
	strbuf_addf(im->out, "%s%s", text,
	    strpbrk(text, ".e") == NULL ? ".0" : "");
}

static void
write_scalar(struct import *im, const struct node *n)
{
	if (n->type == NODE_BOOL)
		strbuf_addstr(im->out, n->boolean ? "true" : "false");
	else if (n->type == NODE_STRING && n->file == NULL)
		write_string(im, n->string);
	else if (n->type == NODE_INTEGER || n->type == NODE_NUMBER)
		write_number(im, n);
	else
		tree_problem(im->tree, false, n, im->path.buf, "%s cannot be "
		    "written in libconfig here", n->type == NODE_STRING ?
		    "$file" : "null");
}

/* --- Lists and maps ------------------------------------------------------ */

/* A name that libconfig can write; true and false are values there. */
static bool
plain_name(const char *s)
{
	static const char others[] = "0123456789-_";
	static const char letters[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ*";
	size_t len = strspn(s, letters);

	if (len == 0 || strcasecmp(s, "true") == 0 ||
	    strcasecmp(s, "false") == 0)
		return false;
	while (s[len] != '\0' && (strchr(letters, s[len]) != NULL ||
	    strchr(others, s[len]) != NULL))
		len++;
	return s[len] == '\0';
}

/* In libconfig this list would be taken for a map. */
static bool
looks_like_map(const struct node *n)
{
	size_t i;

	for (i = 0; i < n->n; i++)
		if (n->items[i]->n != 2 ||
		    node_string(n->items[i], "key") == NULL ||
		    node_get(n->items[i], "value") == NULL)
			return false;
	return n->n > 0;
}

static void
write_list(struct import *im, const struct node *n, const struct key *key)
{
	bool array = key->type == KEY_STRINGS;
	size_t i, len;

	if (key->type == KEY_ANY && looks_like_map(n))
		tree_problem(im->tree, false, n, im->path.buf, "a list of "
		    "objects that have key and value cannot be written in "
		    "libconfig here");
	strbuf_addch(im->out, array ? '[' : '(');
	im->depth++;
	for (i = 0; i < n->n; i++) {
		len = path_index(&im->path, i);
		strbuf_addstr(im->out, i > 0 ? "," : "");
		new_line(im);
		write_value(im, n->items[i], key);
		path_cut(&im->path, len);
	}
	im->depth--;
	if (n->n > 0)
		new_line(im);
	strbuf_addch(im->out, array ? ']' : ')');
}

/* What a map leaves out: null, and what Backstage would not look at. */
static bool
is_left_out(const struct node *m, const struct key *key)
{
	return m->type == NODE_NULL || (key->type == KEY_MAP &&
	    (key->flags & (KEY_LENIENT | KEY_LOOSE)) &&
	    m->type != NODE_STRING);
}

static void
write_setting(struct import *im, const char *name, const struct node *n,
    const struct key *key)
{
	new_line(im);
	strbuf_addf(im->out, "%s = ", name);
	write_value(im, n, key);
	strbuf_addch(im->out, ';');
}

static void
write_pair(struct import *im, const struct node *m, const struct key *key)
{
	new_line(im);
	strbuf_addstr(im->out, "{ key = ");
	write_string(im, m->key);
	strbuf_addstr(im->out, "; value = ");
	write_value(im, m, key);
	strbuf_addstr(im->out, "; }");
}

static void
write_map(struct import *im, const struct node *n, const struct key *key)
{
	bool group = true, first = true;
	size_t i, len;

	for (i = 0; i < n->n; i++)
		group = group && plain_name(n->items[i]->key);
	strbuf_addch(im->out, group ? '{' : '(');
	im->depth++;
	for (i = 0; i < n->n; i++) {
		const struct node *m = n->items[i];

		if (is_left_out(m, key))
			continue;
		len = path_key(&im->path, m->key);
		strbuf_addstr(im->out, first || group ? "" : ",");
		if (group)
			write_setting(im, m->key, m, key);
		else
			write_pair(im, m, key);
		first = false;
		path_cut(&im->path, len);
	}
	im->depth--;
	if (!first)
		new_line(im);
	strbuf_addch(im->out, group ? '}' : ')');
}

/* --- Objects ------------------------------------------------------------- */

/* A value in a file of its own stays there, under the key that says so. */
static bool
write_file_key(struct import *im, const struct node *m,
    const struct key *keys)
{
	char name[64];
	const struct key *twin;

	snprintf(name, sizeof(name), "%sFile", m->key);
	twin = keys_find(keys, name);
	if (m->type != NODE_STRING || m->file == NULL || twin == NULL ||
	    twin->type != KEY_CONTENT)
		return false;
	new_line(im);
	strbuf_addf(im->out, "%s = ", name);
	write_string(im, m->file);
	strbuf_addch(im->out, ';');
	return true;
}

static void
write_member(struct import *im, const struct node *m, const struct key *keys,
    const char *type)
{
	const struct key *k = keys_pick(keys, m->key, type);
	size_t len;

	if (k == NULL || (k->flags & KEY_FOREIGN) || (k->type == KEY_MAP &&
	    m->type != NODE_OBJECT) || write_file_key(im, m, keys))
		return;
	len = path_key(&im->path, m->key);
	write_setting(im, m->key, m, k);
	path_cut(&im->path, len);
}

static void
write_members(struct import *im, const struct node *n, const struct key *keys)
{
	const char *type = keys_find(keys, "type") == NULL ? NULL :
	    node_string(n, "type");
	size_t i;

	for (i = 0; i < n->n; i++)
		write_member(im, n->items[i], keys, type);
}

static void
write_object(struct import *im, const struct node *n, const struct key *keys)
{
	strbuf_addch(im->out, '{');
	im->depth++;
	write_members(im, n, keys);
	im->depth--;
	new_line(im);
	strbuf_addch(im->out, '}');
}

static void
write_value(struct import *im, const struct node *n, const struct key *key)
{
	if (n->type == NODE_OBJECT && key->keys != NULL)
		write_object(im, n, key->keys);
	else if (n->type == NODE_OBJECT)
		write_map(im, n, key);
	else if (n->type == NODE_LIST)
		write_list(im, n, key);
	else
		write_scalar(im, n);
}

int
settings_import(const char *const *files, size_t n, struct strbuf *out,
    struct problems *problems)
{
	size_t errors = problems->nerrors;
	struct import im = { .out = out, .path = PATH_INIT };
	struct node *root;
	struct tree t;
	bool complete;

	tree_init(&t, problems);
	im.tree = &t;
	root = layers_read(&t, files, n, &complete);
	verify_tree(&t, root, VERIFY_KEEP | (complete ? 0 : VERIFY_PARTIAL));
	if (complete)
		settings_rules(&t, root);
	tree_report_rest(&t);
	if (problems->nerrors == errors) {
		strbuf_addstr(out, "# Written by stagedoor import.");
		write_members(&im, root, keys_root);
		strbuf_addch(out, '\n');
	}
	strbuf_release(&im.path);
	node_free(root);
	tree_release(&t);
	return problems->nerrors == errors ? 0 : E_CONFIG;
}
