/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Settings as a tree, whichever syntax they were written in. Every node
 * knows the file and line it came from, for messages. Strings may be tokens:
 * freeing a node wipes them, which is why this is no json-c tree (json-c
 * leaves copies behind).
 *
 * Everything is bounded: the sizes of files, depth, nodes, bytes of strings.
 * A tree belongs to one thread and lives while settings are being read.
 */
#ifndef STAGEDOOR_TREE_H
#define STAGEDOOR_TREE_H

#include "strbuf.h"

struct json_object;
struct problems;

/* A thousand clusters with their CAs are 3 MB. */
#define TREE_FILE_MAX (8 * 1024 * 1024)
#define TREE_BYTES_MAX (64 * 1024 * 1024)	/* aliases multiply strings */
#define TREE_NODES_MAX 200000
#define TREE_MEMBERS_MAX 4096	/* of one object: they are searched in order */
#define TREE_DEPTH_MAX 32
#define TREE_INCLUDES_MAX 8	/* files that include files */
#define TREE_PATH_MAX 1024
#define TREE_STRANGE_MAX 20	/* lines about a file that is no settings */

struct tree_source {
	char *name;		/* as it was asked for */
	char *dir;		/* absolute: relative paths start here */
	bool yaml;
	size_t strange[2];	/* see tree_strange: errors, warnings */
};

enum node_type { NODE_NULL, NODE_BOOL, NODE_INTEGER, NODE_NUMBER, NODE_STRING,
    NODE_LIST, NODE_OBJECT };

struct node {
	enum node_type type;
	unsigned line;
	const struct tree_source *source;
	char *key;		/* its name, in an object */
	union {
		bool boolean;
		int64_t integer;
		double number;
		char *string;	/* holds no NUL */
	};
	bool wrong;		/* said so: node_prune removes it */
	bool final;		/* string: a ${NAME} in it means just that */
	bool outside;		/* string: from the environment or a file of
				   its own; not to be shown */
	char *file;		/* string: it is the content of this file */
	struct node **items;	/* list, object; owned */
	size_t n, cap;
};

struct tree {
	struct problems *problems;	/* borrowed */
	struct tree_source **sources;
	size_t nsources, nodes, bytes;
	bool full;		/* said so already */
};

void tree_init(struct tree *t, struct problems *problems);
void tree_release(struct tree *t);	/* after every node of it */

/*
 * Read one file: *.yaml, *.yml and *.json as YAML, all others as libconfig.
 * NULL: problems says why. from is the node that asks for an include, or
 * NULL; the path is relative to its file then.
 */
struct node *tree_read(struct tree *t, const char *path,
    const struct node *from);
/* The two readers; text is NUL-terminated behind len. */
struct node *tree_parse_yaml(struct tree *t, const struct tree_source *src,
    char *text, size_t len);
struct node *tree_parse_libconfig(struct tree *t,
    const struct tree_source *src, char *text, size_t len);
/* Open another file: as tree_read, but gives its bytes (free() them). */
char *tree_slurp(struct tree *t, const char *path, const struct node *from,
    const struct tree_source **src, size_t *len);

/* A node, or NULL past the bounds (said once in problems). */
struct node *node_new(struct tree *t, const struct tree_source *src,
    unsigned line, enum node_type type);
struct node *node_new_string(struct tree *t, const struct tree_source *src,
    unsigned line, const char *s, size_t len);
/* The same, but takes s. */
struct node *node_take_string(struct tree *t, const struct tree_source *src,
    unsigned line, char *s);
void node_free(struct node *n);		/* wipes; NULL is fine */
/* Takes child. */
void node_append(struct node *parent, struct node *child);
/* Takes child; returns false (and frees it) if the key is there already. */
bool node_add(struct node *object, const char *key, struct node *child);
/* The member, or NULL if it is absent or null (which is the same). */
struct node *node_get(const struct node *object, const char *key);
/* The member's string, or NULL if it is none. */
const char *node_string(const struct node *object, const char *key);
/* Give a string node another string: takes s, wipes the old one. */
void node_set_string(struct node *n, char *s);
/* Free the member at i and close the gap. */
void node_remove(struct node *parent, size_t i);
/* A copy of its own; NULL past the bounds. */
struct node *node_copy(struct tree *t, const struct node *n);
/* over laid over base: objects merge, all else is replaced. Takes both. */
struct node *node_merge(struct node *base, struct node *over);
/* Remove whatever is marked as wrong, to go on with the rest. */
void node_prune(struct node *n);
struct json_object *node_to_json(const struct node *n);
const char *node_type_name(const struct node *n);	/* "a list" */

/* "file:line: path: what, what to do". path "" names no key. */
void tree_problem(struct tree *t, bool warning, const struct node *at,
    const char *path, const char *fmt, ...) PRINTF_LIKE(5, 6);
/*
 * The same for what is no settings at all (syntax, unknown keys), where one
 * wrong file could give a message for each of its lines: of those, only the
 * first of each file are shown, and tree_report_rest says how many more.
 */
void tree_strange(struct tree *t, bool warning, const struct node *at,
    const char *path, const char *what);
void tree_report_rest(struct tree *t);

/* Key paths, grown and cut back on the way through a tree. */
#define PATH_INIT STRBUF_INIT(TREE_PATH_MAX)
size_t path_key(struct strbuf *path, const char *key);	/* the old length */
size_t path_index(struct strbuf *path, size_t i);
void path_cut(struct strbuf *path, size_t len);

#endif
