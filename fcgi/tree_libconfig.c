/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libconfig to a tree. Groups are objects, arrays and lists are lists; what
 * is a list of pairs and what is a map is decided later, by the table of
 * keys.
 */
#include "base.h"

#include <libconfig.h>

#include "jsonscan.h"
#include "libconfig_text.h"
#include "settings.h"
#include "tree.h"

/*
 * libconfig 1.5 loses 64 bytes where a string stands before a syntax error.
 * They hold a mark of libconfig_text.c, so no secret is lost with them.
 */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAS_LEAK_SANITIZER 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(HAS_LEAK_SANITIZER)
#define FOR_SANITIZER __attribute__((visibility("default")))
FOR_SANITIZER const char *__lsan_default_suppressions(void);
FOR_SANITIZER const char *__lsan_default_options(void);

const char *
__lsan_default_suppressions(void)
{
	return "leak:strbuf_append\n";
}

/* Else it reports that it had nothing to report. */
const char *
__lsan_default_options(void)
{
	return "print_suppressions=0";
}
#endif

struct reader {
	struct tree *tree;
	const struct libconfig_text *text;
	struct strbuf path;
};

static struct node *read_setting(struct reader *r, config_setting_t *cs);

static struct node *
read_string(struct reader *r, config_setting_t *cs)
{
	return node_take_string(r->tree, r->text->parts[0].source, 0,
	    libconfig_text_string(r->text, config_setting_get_string(cs)));
}

static bool
read_members(struct reader *r, config_setting_t *cs, struct node *n)
{
	int i, len = config_setting_length(cs);
	struct node *child;
	size_t outer;

	for (i = 0; i < len; i++) {
		config_setting_t *member = config_setting_get_elem(cs,
		    (unsigned)i);
		const char *name = config_setting_name(member);

		outer = name != NULL ? path_key(&r->path, name) :
		    path_index(&r->path, (size_t)i);
		child = read_setting(r, member);
		path_cut(&r->path, outer);
		if (child == NULL)
			return false;
		if (name != NULL)
			node_add(n, name, child);
		else
			node_append(n, child);
	}
	return true;
}

static struct node *
new_node(struct reader *r, config_setting_t *cs)
{
	const struct tree_source *src = r->text->parts[0].source;
	struct tree *t = r->tree;
	struct node *n;

	switch (config_setting_type(cs)) {
	case CONFIG_TYPE_STRING:
		return read_string(r, cs);
	case CONFIG_TYPE_INT:
	case CONFIG_TYPE_INT64:
		n = node_new(t, src, 0, NODE_INTEGER);
		if (n != NULL)
			n->integer = config_setting_get_int64(cs);
		return n;
	case CONFIG_TYPE_FLOAT:
		n = node_new(t, src, 0, NODE_NUMBER);
		if (n != NULL)
			n->number = config_setting_get_float(cs);
		return n;
	case CONFIG_TYPE_BOOL:
		n = node_new(t, src, 0, NODE_BOOL);
		if (n != NULL)
			n->boolean = config_setting_get_bool(cs) != 0;
		return n;
	case CONFIG_TYPE_GROUP:
		return node_new(t, src, 0, NODE_OBJECT);
	default:
		return node_new(t, src, 0, NODE_LIST);
	}
}

/* A string may be any bytes in libconfig; ours are text. */
static void
check_text(struct reader *r, struct node *n)
{
	const char *p = n->string, *end = p + strlen(p);
	size_t len;

	for (; p < end; p += len)
		if ((len = jsonscan_utf8(p, (size_t)(end - p))) == 0) {
			tree_strange(r->tree, false, n, r->path.buf,
			    "not UTF-8 text");
			n->wrong = true;
			return;
		}
}

/* Depth and numbers were bounded in libconfig_text.c. */
static struct node *
read_setting(struct reader *r, config_setting_t *cs)
{
	struct node *n = new_node(r, cs);

	if (n == NULL)
		return NULL;
	libconfig_text_place(r->text, config_setting_source_line(cs), n);
	if (n->type == NODE_STRING)
		check_text(r, n);
	if (r->text->nwrong > 0 && libconfig_text_wrong(r->text, r->path.buf))
		n->wrong = true;
	if (config_setting_is_aggregate(cs) && !read_members(r, cs, n)) {
		node_free(n);
		return NULL;
	}
	return n;
}

static void
report_syntax(struct tree *t, const struct libconfig_text *text,
    const config_t *config)
{
	struct node at = { .line = 0 };
	char what[256];

	libconfig_text_place(text, (unsigned)config_error_line(config), &at);
	snprintf(what, sizeof(what), "%s here or just before; is a ; , = "
	    "or quote missing?", config_error_text(config));
	tree_strange(t, false, &at, "", what);
}

struct node *
tree_parse_libconfig(struct tree *t, const struct tree_source *src, char *text,
    size_t len)
{
	struct libconfig_text whole;
	struct reader r = { .tree = t, .text = &whole, .path = PATH_INIT };
	struct node *root = NULL;
	config_t config;

	config_init(&config);
	if (libconfig_text_read(t, src, text, len, &whole) != 0)
		goto out;
	if (config_read_string(&config, whole.text.buf))
		root = read_setting(&r, config_root_setting(&config));
	else
		report_syntax(t, &whole, &config);
 out:
	config_destroy(&config);
	strbuf_release(&r.path);
	libconfig_text_release(&whole);
	return root;
}
