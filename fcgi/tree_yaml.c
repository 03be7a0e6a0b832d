/* SPDX-License-Identifier: Apache-2.0 */
/*
 * YAML (and so JSON) to a tree, with the scalar types of YAML 1.2's core
 * schema: "yes" is a string, 0660 is six hundred and sixty. Merge keys (<<)
 * are ordinary keys, as in Backstage. One document a file.
 */
#include "base.h"

#include <math.h>
#include <openssl/crypto.h>
#include <yaml.h>

#include "settings.h"
#include "tree.h"

#define ANCHORS_MAX 1024	/* each alias searches them in order */

struct anchor {
	char *name;
	struct node *node;	/* NULL while it is being read */
};

struct reader {
	struct tree *tree;
	const struct tree_source *source;
	yaml_parser_t parser;
	struct anchor *anchors;
	size_t nanchors;
	struct strbuf path;
	bool failed;		/* reading cannot go on */
};

static struct node *read_value(struct reader *r, yaml_event_t *ev,
    unsigned depth);

static void
complain(struct reader *r, const yaml_mark_t *mark, const char *what)
{
	struct node at = { .source = r->source,
	    .line = (unsigned)mark->line + 1 };

	tree_strange(r->tree, false, &at, r->path.buf, what);
}

static void
fail(struct reader *r, const yaml_mark_t *mark, const char *what)
{
	if (!r->failed)
		complain(r, mark, what);
	r->failed = true;
}

static void
event_wipe(yaml_event_t *ev)
{
	if (ev->type == YAML_SCALAR_EVENT)
		OPENSSL_cleanse(ev->data.scalar.value, ev->data.scalar.length);
	yaml_event_delete(ev);
}

static bool
next_event(struct reader *r, yaml_event_t *ev)
{
	const yaml_parser_t *p = &r->parser;
	char what[256];

	if (r->failed)
		return false;
	if (yaml_parser_parse(&r->parser, ev))
		return true;
	snprintf(what, sizeof(what), "%s%s%s: this is no YAML here",
	    p->context ? p->context : "", p->context ? ": " : "",
	    p->problem ? p->problem : "cannot be read");
	path_cut(&r->path, 0);
	fail(r, &p->problem_mark, what);
	return false;
}

/* --- Scalars ------------------------------------------------------------- */

static bool
is_one_of(const char *s, const char *const *words)
{
	for (; *words != NULL; words++)
		if (strcmp(s, *words) == 0)
			return true;
	return false;
}

static bool
is_integer(const char *s)
{
	s += *s == '-' || *s == '+';
	return *s != '\0' && s[strspn(s, "0123456789")] == '\0';
}

static bool
is_float(const char *s)
{
	size_t whole, part = 0;

	s += *s == '-' || *s == '+';
	s += whole = strspn(s, "0123456789");
	if (*s == '.') {
		s++;
		s += part = strspn(s, "0123456789");
	}
	if (whole + part == 0)
		return false;
	if (*s == 'e' || *s == 'E') {
		s++;
		s += *s == '-' || *s == '+';
		if (*s == '\0')
			return false;
		s += strspn(s, "0123456789");
	}
	return *s == '\0';
}

/* 0o17 and 0x1f, the only other bases of the core schema. */
static int
other_base(const char *s)
{
	if (str_starts(s, "0o") && s[2] != '\0' &&
	    s[2 + strspn(s + 2, "01234567")] == '\0')
		return 8;
	if (str_starts(s, "0x") && s[2] != '\0' &&
	    s[2 + strspn(s + 2, "0123456789abcdefABCDEF")] == '\0')
		return 16;
	return 0;
}

static void
set_integer(struct node *n, const char *s, int base)
{
	char *end;

	errno = 0;
	n->type = NODE_INTEGER;
	n->integer = strtoll(s, &end, base);
	if (errno == ERANGE) {
		n->type = NODE_NUMBER;
		n->number = strtod(s, &end);
	}
}

/* A plain scalar's type by its looks; n is a string so far, without bytes. */
static void
resolve_plain(struct node *n, const char *s)
{
	static const char *const nulls[] = { "", "~", "null", "Null", "NULL",
	    NULL };
	static const char *const trues[] = { "true", "True", "TRUE", NULL };
	static const char *const falses[] = { "false", "False", "FALSE", NULL };
	char *end;
	int base;

	if (is_one_of(s, nulls)) {
		n->type = NODE_NULL;
	} else if (is_one_of(s, trues) || is_one_of(s, falses)) {
		n->type = NODE_BOOL;
		n->boolean = is_one_of(s, trues);
	} else if (is_integer(s)) {
		set_integer(n, s, 10);
	} else if ((base = other_base(s)) != 0) {
		set_integer(n, s + 2, base);
	} else if (is_float(s)) {
		n->type = NODE_NUMBER;
		n->number = strtod(s, &end);
	}
}

/* !!str and ! mean a string; the tags of the core schema change nothing. */
static bool
tag_is_string(struct reader *r, const yaml_event_t *ev, const char *tag)
{
	static const char *const core[] = { YAML_NULL_TAG, YAML_BOOL_TAG,
	    YAML_INT_TAG, YAML_FLOAT_TAG, NULL };

	if (strcmp(tag, YAML_STR_TAG) == 0 || strcmp(tag, "!") == 0)
		return true;
	if (!is_one_of(tag, core))
		fail(r, &ev->start_mark, "a tag (!) that is not known here");
	return false;
}

static struct node *
read_scalar(struct reader *r, const yaml_event_t *ev)
{
	const char *s = (const char *)ev->data.scalar.value;
	const char *tag = (const char *)ev->data.scalar.tag;
	size_t len = ev->data.scalar.length;
	struct node *n;
	bool is_string = ev->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;

	if (tag != NULL)
		is_string = tag_is_string(r, ev, tag);
	if (memchr(s, '\0', len) != NULL)
		fail(r, &ev->start_mark, "a NUL in a string");
	if (r->failed)
		return NULL;
	n = node_new_string(r->tree, r->source,
	    (unsigned)ev->start_mark.line + 1, s, len);
	if (n == NULL) {
		r->failed = true;
		return NULL;
	}
	if (!is_string) {
		char *plain = n->string;

		resolve_plain(n, plain);
		if (n->type != NODE_STRING)
			free(plain);
	}
	return n;
}

/* --- Anchors and aliases ------------------------------------------------- */

static struct anchor *
find_anchor(struct reader *r, const char *name)
{
	size_t i;

	for (i = r->nanchors; i > 0; i--)	/* the latest of a name */
		if (strcmp(r->anchors[i - 1].name, name) == 0)
			return &r->anchors[i - 1];
	return NULL;
}

static struct node *
read_alias(struct reader *r, const yaml_event_t *ev)
{
	const struct anchor *a = find_anchor(r,
	    (const char *)ev->data.alias.anchor);
	struct node *n;

	if (a == NULL || a->node == NULL) {
		fail(r, &ev->start_mark, a == NULL ? "no anchor (&) of this "
		    "name comes before" : "an alias inside its own anchor");
		return NULL;
	}
	if ((n = node_copy(r->tree, a->node)) == NULL)
		r->failed = true;
	else
		n->line = (unsigned)ev->start_mark.line + 1;
	return n;
}

static const char *
event_anchor(const yaml_event_t *ev)
{
	switch (ev->type) {
	case YAML_SCALAR_EVENT:
		return (const char *)ev->data.scalar.anchor;
	case YAML_SEQUENCE_START_EVENT:
		return (const char *)ev->data.sequence_start.anchor;
	case YAML_MAPPING_START_EVENT:
		return (const char *)ev->data.mapping_start.anchor;
	default:
		return NULL;
	}
}

/* --- Collections --------------------------------------------------------- */

static void
read_list(struct reader *r, struct node *list, unsigned depth)
{
	yaml_event_t ev;
	struct node *child;
	size_t len;

	while (next_event(r, &ev)) {
		if (ev.type == YAML_SEQUENCE_END_EVENT) {
			yaml_event_delete(&ev);
			return;
		}
		len = path_index(&r->path, list->n);
		if ((child = read_value(r, &ev, depth)) != NULL)
			node_append(list, child);
		path_cut(&r->path, len);
	}
}

/* The value behind one key; a key that is there already is reported. */
static void
read_member(struct reader *r, struct node *object, const yaml_event_t *key,
    unsigned depth)
{
	const char *name = (const char *)key->data.scalar.value;
	size_t len = path_key(&r->path, name), slot = r->nanchors;
	yaml_event_t ev;
	struct node *child;

	if (memchr(name, '\0', key->data.scalar.length) != NULL)
		fail(r, &key->start_mark, "a NUL in a key");
	else if (object->n >= TREE_MEMBERS_MAX)
		fail(r, &key->start_mark, "too many keys in one object");
	if (next_event(r, &ev) &&
	    (child = read_value(r, &ev, depth)) != NULL) {
		child->line = (unsigned)key->start_mark.line + 1;
		if (!node_add(object, name, child)) {
			complain(r, &key->start_mark, "this key stands here "
			    "twice; keep one of them");
			for (; slot < r->nanchors; slot++)
				r->anchors[slot].node = NULL;	/* freed */
		}
	}
	path_cut(&r->path, len);
}

static void
read_object(struct reader *r, struct node *object, unsigned depth)
{
	yaml_event_t key;

	while (next_event(r, &key)) {
		bool end = key.type == YAML_MAPPING_END_EVENT;

		if (!end && key.type != YAML_SCALAR_EVENT)
			fail(r, &key.start_mark, "a key must be a word");
		else if (!end)
			read_member(r, object, &key, depth);
		yaml_event_delete(&key);
		if (end)
			return;
	}
}

static struct node *
read_collection(struct reader *r, const yaml_event_t *ev, unsigned depth)
{
	bool list = ev->type == YAML_SEQUENCE_START_EVENT;
	struct node *n;

	if (depth >= TREE_DEPTH_MAX) {
		fail(r, &ev->start_mark, "nested too deeply");
		return NULL;
	}
	n = node_new(r->tree, r->source, (unsigned)ev->start_mark.line + 1,
	    list ? NODE_LIST : NODE_OBJECT);
	if (n == NULL) {
		r->failed = true;
		return NULL;
	}
	if (list)
		read_list(r, n, depth + 1);
	else
		read_object(r, n, depth + 1);
	if (r->failed) {
		node_free(n);
		return NULL;
	}
	return n;
}

/* Consumes ev. NULL: reading failed. */
static struct node *
read_value(struct reader *r, yaml_event_t *ev, unsigned depth)
{
	const char *name = event_anchor(ev);
	size_t slot = r->nanchors;
	struct node *n = NULL;

	if (name != NULL && slot >= ANCHORS_MAX)
		fail(r, &ev->start_mark, "too many anchors (&)");
	if (name != NULL)
		ARRAY_PUSH(r->anchors, r->nanchors).name = xstrdup(name);
	if (ev->type == YAML_SCALAR_EVENT)
		n = read_scalar(r, ev);
	else if (ev->type == YAML_ALIAS_EVENT)
		n = read_alias(r, ev);
	else
		n = read_collection(r, ev, depth);
	if (name != NULL)
		r->anchors[slot].node = n;
	event_wipe(ev);
	return n;
}

static struct node *
read_document(struct reader *r)
{
	struct node *root = NULL;
	yaml_event_t ev;

	while (next_event(r, &ev)) {
		switch (ev.type) {
		case YAML_STREAM_END_EVENT:
			yaml_event_delete(&ev);
			return root;
		case YAML_STREAM_START_EVENT:
		case YAML_DOCUMENT_END_EVENT:
			break;
		case YAML_DOCUMENT_START_EVENT:
			if (root != NULL)
				fail(r, &ev.start_mark, "a second document "
				    "(---); put it in a file of its own");
			break;
		default:
			root = read_value(r, &ev, 0);
			continue;
		}
		yaml_event_delete(&ev);
	}
	node_free(root);
	return NULL;
}

/*
 * JSON writes characters past U+FFFF as two escapes, which YAML refuses.
 * In a file that begins as JSON does they become one escape, in place:
 * \ud83d\ude00 and \U0001f600 with two blanks less.
 */
static size_t
join_surrogates(char *text, size_t len)
{
	char *in = text, *out = text, *end = text + len, pair[13];
	unsigned high, low;

	while (in < end) {
		if (in[0] == '\\' && end - in >= 12 && in[1] == 'u' &&
		    sscanf(in, "\\u%4x\\u%4x", &high, &low) == 2 &&
		    high >= 0xd800 && high < 0xdc00 && low >= 0xdc00 &&
		    low < 0xe000) {
			snprintf(pair, sizeof(pair), "\\U%08x", 0x10000 +
			    ((high - 0xd800) << 10) + (low - 0xdc00));
			memcpy(out, pair, 10);
			out += 10;
			in += 12;
			continue;
		}
		if (in[0] == '\\' && end - in >= 2)
			*out++ = *in++;		/* \\u is no escape of u */
		*out++ = *in++;
	}
	*out = '\0';
	return (size_t)(out - text);
}

struct node *
tree_parse_yaml(struct tree *t, const struct tree_source *src, char *text,
    size_t len)
{
	struct reader r = { .tree = t, .source = src, .path = PATH_INIT };
	size_t i, errors = t->problems->nerrors;
	struct node *root;

	if (text[strspn(text, " \t\r\n")] == '{')
		len = join_surrogates(text, len);
	if (!yaml_parser_initialize(&r.parser))
		BUG("libyaml has no memory");
	yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&r.parser, (unsigned char *)text, len);
	root = read_document(&r);
	if (root == NULL && t->problems->nerrors == errors)
		root = node_new(t, src, 1, NODE_OBJECT);	/* empty */
	/* libyaml's buffers held what the file holds: secrets too. */
	OPENSSL_cleanse(r.parser.buffer.start, (size_t)
	    (r.parser.buffer.end - r.parser.buffer.start));
	OPENSSL_cleanse(r.parser.raw_buffer.start, (size_t)
	    (r.parser.raw_buffer.end - r.parser.raw_buffer.start));
	yaml_parser_delete(&r.parser);
	for (i = 0; i < r.nanchors; i++)
		free(r.anchors[i].name);
	free(r.anchors);
	strbuf_release(&r.path);
	return root;
}
