/* SPDX-License-Identifier: Apache-2.0 */
/* Strings, numbers, booleans, lists of strings, maps. */
#include "base.h"

#include <math.h>
#include <openssl/crypto.h>

#include "err.h"
#include "expand.h"
#include "files.h"
#include "keys.h"
#include "secret.h"
#include "suggest.h"
#include "verify_value.h"

#define VALUE_FILE_MAX (1024 * 1024)	/* a bundle of all roots is 220 KB */

enum resolved {
	RESOLVED,
	UNKNOWN_YET,	/* and so it may be anything */
	FAILED,		/* said so */
};

void
verify_problem(struct verify *v, bool warning, const struct node *n,
    const char *fmt, ...)
{
	char text[TREE_PATH_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	tree_problem(v->tree, warning, n, v->path.buf, "%s", text);
}

void
verify_wrong_type(struct verify *v, const struct node *n, const char *wanted)
{
	bool quotes = strcmp(wanted, "a string") == 0 &&
	    (n->type == NODE_INTEGER || n->type == NODE_NUMBER ||
	    n->type == NODE_BOOL);

	verify_problem(v, false, n, "must be %s, and is %s%s", wanted,
	    node_type_name(n), quotes ? "; put it in quotes" : "");
}

bool
verify_unknown_yet(const struct node *n)
{
	return n->type == NODE_STRING && (n->file != NULL ||
	    (!n->final && expand_refers(n->string)));
}

/* --- Strings ------------------------------------------------------------- */

/* As Backstage reads $file: without the white space at its end. */
static enum resolved
resolve_file(struct verify *v, struct node *n)
{
	struct secret content = SECRET_INIT;
	struct err err = ERR_INIT;

	if (file_read(n->file, VALUE_FILE_MAX, &content, &err) != 0) {
		verify_problem(v, false, n, "%s", err.text);
		return FAILED;
	}
	while (content.len > 0 && strchr(" \t\r\n",
	    content.ptr[content.len - 1]) != NULL)
		content.len--;
	node_set_string(n, xstrndup(content.len > 0 ? content.ptr : "",
	    content.len));
	n->final = n->outside = true;
	secret_release(&content);
	return RESOLVED;
}

static enum resolved
resolve(struct verify *v, struct node *n)
{
	char *text, *missing = NULL;

	if ((v->flags & VERIFY_KEEP) && verify_unknown_yet(n))
		return UNKNOWN_YET;
	if (n->final || (v->flags & VERIFY_KEEP))
		return RESOLVED;
	if (n->file != NULL)
		return resolve_file(v, n);
	text = expand(n->string, &missing);
	if (text == NULL) {
		verify_problem(v, false, n, "environment variable %s is not "
		    "set; set it, or write $${%s} for the text itself",
		    missing, missing);
		free(missing);
		return FAILED;
	}
	n->outside = expand_refers(n->string);
	node_set_string(n, text);
	n->final = true;
	return RESOLVED;
}

static void
verify_word(struct verify *v, const struct node *n, const char *const *words)
{
	const char *near = suggest(n->string, words);
	const char *shown = n->outside ? "the variable's value" : n->string;
	struct strbuf list = STRBUF_INIT(TREE_PATH_MAX);
	size_t i;

	if (keys_word(words, n->string) >= 0)
		return;
	for (i = 0; words[i] != NULL; i++)
		strbuf_addf(&list, "%s%s", i > 0 ? ", " : "", words[i]);
	if (near != NULL)
		verify_problem(v, false, n, "'%.64s' is not known; did you "
		    "mean '%s'?", shown, near);
	else
		verify_problem(v, false, n, "'%.64s' is not known; it must be "
		    "one of: %s", shown, list.buf);
	strbuf_release(&list);
}

static void
verify_octal(struct verify *v, const struct node *n)
{
	size_t len = strlen(n->string);

	if (len > 4 || n->string[strspn(n->string, "01234567")] != '\0' ||
	    strtoul(n->string, NULL, 8) > 0777)
		verify_problem(v, false, n, "not a mode such as \"0660\"");
}

/* Relative paths start at the file that names them. */
static void
make_absolute(struct node *n)
{
	struct strbuf path = STRBUF_INIT(4 * PATH_MAX);
	char *dir;

	if (*n->string == '/' || (!n->final && str_starts(n->string, "${")))
		return;
	dir = n->final ? xstrdup(n->source->dir) :
	    expand_escape(n->source->dir);
	strbuf_addf(&path, "%s%s%s", dir, strcmp(dir, "/") == 0 ? "" : "/",
	    n->string);
	free(dir);
	node_set_string(n, strbuf_detach(&path, NULL));
}

/* A string under a key of any of the types that are written as one. */
static void
verify_string(struct verify *v, struct node *n, const struct key *key)
{
	enum resolved r;
	const char *what;

	if (n->type != NODE_STRING) {
		verify_wrong_type(v, n, "a string");
		return;
	}
	if (key->type == KEY_PATH || key->type == KEY_CONTENT) {
		r = resolve(v, n);
		if (r != FAILED && n->file == NULL && *n->string != '\0')
			make_absolute(n);
	} else {
		r = resolve(v, n);
	}
	if (r != RESOLVED)
		return;
	if (*n->string == '\0' && !(key->flags & KEY_EMPTY_OK))
		verify_problem(v, false, n, "must not be empty; leave the key "
		    "out where there is nothing to say");
	else if (key->words != NULL)
		verify_word(v, n, key->words);
	else if (key->type == KEY_OCTAL)
		verify_octal(v, n);
	else if (key->check != NULL && (what = key->check(n->string)) != NULL)
		verify_problem(v, false, n, "%s", what);
}

/* --- Booleans and numbers ------------------------------------------------ */

static const char *
skip_blanks(const char *s)
{
	return s + strspn(s, " \t\r\n");
}

/* 1, 0, -1: neither. The words are Backstage's. */
static int
bool_word(const char *s)
{
	static const char *const words[] = { "n", "y", "no", "yes", "false",
	    "true", "0", "1", "off", "on" };
	size_t i, len;

	s = skip_blanks(s);
	len = strcspn(s, " \t\r\n");
	if (*skip_blanks(s + len) != '\0')
		return -1;
	for (i = 0; i < ARRAY_LEN(words); i++)
		if (strlen(words[i]) == len &&
		    strncasecmp(s, words[i], len) == 0)
			return (int)(i % 2);
	return -1;
}

static void
set_bool(struct node *n, bool value)
{
	if (n->type == NODE_STRING)
		free(n->string);
	n->type = NODE_BOOL;
	n->boolean = value;
}

static void
verify_bool(struct verify *v, struct node *n)
{
	int word = -1;

	if (n->type == NODE_BOOL)
		return;
	if (n->type == NODE_STRING) {
		if (resolve(v, n) != RESOLVED)
			return;
		word = bool_word(n->string);
	} else if (n->type == NODE_INTEGER) {
		word = n->integer == 0 || n->integer == 1 ?
		    (int)n->integer : -1;
	}
	if (word >= 0)
		set_bool(n, word == 1);
	else
		verify_problem(v, false, n, "must be true or false%s%s",
		    n->type == NODE_STRING ? "" : ", and is ",
		    n->type == NODE_STRING ? "" : node_type_name(n));
}

static bool
number_of(struct node *n)
{
	const char *s;
	char *end;
	double d;

	if (n->type == NODE_INTEGER || n->type == NODE_NUMBER)
		return true;
	if (n->type != NODE_STRING)
		return false;
	s = skip_blanks(n->string);
	if (*s == '\0' || strpbrk(s, "xXnNpP") != NULL)
		return false;	/* no hex, inf or nan */
	d = strtod(s, &end);
	if (*skip_blanks(end) != '\0')
		return false;
	free(n->string);
	n->type = NODE_NUMBER;
	n->number = d;
	return true;
}

static void
verify_number(struct verify *v, struct node *n, const struct key *key)
{
	const char *wanted = key->type == KEY_INTEGER ? "a whole number" :
	    "a number";
	double d;

	if (n->type == NODE_STRING && resolve(v, n) != RESOLVED)
		return;
	if (!number_of(n)) {
		verify_wrong_type(v, n, wanted);
		return;
	}
	d = n->type == NODE_INTEGER ? (double)n->integer : n->number;
	if (!isfinite(d) || (key->type == KEY_INTEGER && floor(d) != d))
		verify_problem(v, false, n, "must be %s", wanted);
	else if ((key->min != 0 || key->max != 0) &&
	    (d < key->min || d > key->max))
		verify_problem(v, false, n, "%.15g is out of range; it must "
		    "be from %.15g to %.15g", d, key->min, key->max);
}

/* --- More than one value ------------------------------------------------- */

/* A lone string becomes the list of it. */
static void
make_list(struct verify *v, struct node *n)
{
	struct node *item = node_new(v->tree, n->source, n->line, n->type);

	if (item == NULL)
		return;
	item->string = n->string;
	item->final = n->final;
	item->file = n->file;
	n->type = NODE_LIST;
	n->file = NULL;
	node_append(n, item);
}

static void
verify_strings(struct verify *v, struct node *n, const struct key *key)
{
	size_t i, len;

	if (n->type == NODE_STRING && (key->flags & KEY_ONE_OK))
		make_list(v, n);
	if (n->type != NODE_LIST) {
		verify_wrong_type(v, n, "a list of strings");
		return;
	}
	for (i = 0; i < n->n; i++) {
		len = path_index(&v->path, i);
		verify_string(v, n->items[i], key);
		path_cut(&v->path, len);
	}
}

/* Every string of the value, however deep; its shape is free. */
static void
resolve_all(struct verify *v, struct node *n)
{
	size_t i, len;

	if (n->type == NODE_STRING)
		resolve(v, n);
	for (i = 0; i < n->n; i++) {
		len = n->type == NODE_LIST ? path_index(&v->path, i) :
		    path_key(&v->path, n->items[i]->key);
		resolve_all(v, n->items[i]);
		path_cut(&v->path, len);
	}
}

/* Backstage takes numbers and booleans as the text they are written as. */
static void
make_string(struct node *n)
{
	char text[32];

	if (n->type == NODE_BOOL)
		node_set_string(n, xstrdup(n->boolean ? "true" : "false"));
	if (n->type == NODE_INTEGER)
		snprintf(text, sizeof(text), "%lld", (long long)n->integer);
	else if (n->type == NODE_NUMBER)
		snprintf(text, sizeof(text), "%.17g", n->number);
	else
		return;
	node_set_string(n, xstrdup(text));
}

static void
verify_map(struct verify *v, struct node *n, const struct key *key)
{
	bool lenient = (key->flags & KEY_LENIENT) != 0;
	size_t i, len;

	if (n->type != NODE_OBJECT && lenient) {
		verify_problem(v, true, n, "must be an object, and is %s; "
		    "ignored", node_type_name(n));
		return;
	}
	if (n->type != NODE_OBJECT) {
		verify_wrong_type(v, n, "an object");
		return;
	}
	for (i = 0; i < n->n; i++) {
		struct node *m = n->items[i];

		len = path_key(&v->path, m->key);
		if (lenient)
			make_string(m);
		if (key->flags & KEY_LOOSE)
			resolve_all(v, m);
		else if (lenient && m->type == NODE_STRING)
			resolve(v, m);
		else if (lenient)
			verify_problem(v, true, m, "must be a string, and is "
			    "%s; ignored", node_type_name(m));
		else
			verify_string(v, m, key);
		path_cut(&v->path, len);
	}
}

void
verify_value(struct verify *v, struct node *n, const struct key *key)
{
	switch (key->type) {
	case KEY_BOOL:
		verify_bool(v, n);
		return;
	case KEY_NUMBER:
	case KEY_INTEGER:
		verify_number(v, n, key);
		return;
	case KEY_STRINGS:
		verify_strings(v, n, key);
		return;
	case KEY_MAP:
		verify_map(v, n, key);
		return;
	case KEY_ANY:
		resolve_all(v, n);
		return;
	default:
		verify_string(v, n, key);
		return;
	}
}
