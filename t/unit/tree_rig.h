/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of the two readers share: text in, JSON or errors out.
 * Define PARSER as the reader before.
 */
#ifndef STAGEDOOR_TEST_TREE_RIG_H
#define STAGEDOOR_TEST_TREE_RIG_H

#include <json-c/json.h>
#include <setjmp.h>
#include <cmocka.h>

#include "settings.h"
#include "tree.h"

static struct tree tree;
static struct problems problems;
static struct node *root;
static char said[256];

static inline void
parse_bytes(const char *text, size_t len)
{
	static struct tree_source src = { .name = (char *)"f",
	    .dir = (char *)"/nowhere" };
	char *copy = xmalloc(len + 1);

	memcpy(copy, text, len);
	copy[len] = '\0';
	tree_init(&tree, &problems);
	root = PARSER(&tree, &src, copy, len);
	free(copy);
}

static inline void
forget(void)
{
	node_free(root);
	tree_release(&tree);
	problems_release(&problems);
}

/* The text is this JSON. */
static inline void
gives(const char *text, const char *json)
{
	struct json_object *obj;

	parse_bytes(text, strlen(text));
	obj = root != NULL ? node_to_json(root) : NULL;
	if (problems.n > 0) {
		fprintf(stderr, "# of %s: %s\n", text,
		    problems.items[0].text);
		obj = NULL;
	}
	forget();
	assert_string_equal(json_object_to_json_string_ext(obj,
	    JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE), json);
	json_object_put(obj);
}

/* The text gives exactly one error; said is valid afterwards. */
static inline void
fails_bytes(const char *text, size_t len,
    const char *error)
{
	size_t n;

	parse_bytes(text, len);
	n = problems.nerrors;
	snprintf(said, sizeof(said), "%s", n > 0 ? problems.items[0].text :
	    "nothing");
	forget();
	assert_string_equal(said, error);
	assert_int_equal(n, 1);
}

static inline void
fails(const char *text, const char *error)
{
	fails_bytes(text, strlen(text), error);
}

#endif
