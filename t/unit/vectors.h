/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inputs and outputs of other people's libraries, recorded, in the folder
 * t/vectors or the one that STAGEDOOR_VECTORS names. Include the rig first:
 * its arena, rig_setup and rig_teardown are used here.
 */
#ifndef STAGEDOOR_TEST_VECTORS_H
#define STAGEDOOR_TEST_VECTORS_H

#include "files.h"
#include "jsonx.h"

#define VECTORS_MAX (4 * 1024 * 1024)	/* bytes of a file */

/* One case; false: it fails, and it has printed why. */
typedef bool vectors_case(struct json_object *in,
    struct json_object *expected);

static inline struct json_object *
vectors_load(const char *kind)
{
	const char *folder = getenv("STAGEDOOR_VECTORS");
	const char *top = getenv("top_srcdir");
	struct json_object *all = NULL;
	struct secret text = SECRET_INIT;
	struct err err = ERR_INIT;
	char path[4096];

	if (folder != NULL)
		snprintf(path, sizeof(path), "%s/%s.json", folder, kind);
	else
		snprintf(path, sizeof(path), "%s/t/vectors/%s.json",
		    top != NULL ? top : ".", kind);
	if (file_read(path, VECTORS_MAX, &text, &err) != 0 ||
	    jsonx_parse(text.ptr, text.len, &all, &err) != 0)
		fail_msg("%s", err.text);
	secret_release(&text);
	assert_true(json_object_array_length(jsonx_get(all, "cases")) > 0);
	return all;
}

/* All cases of a file ("aws_sts_calls"), each with a rig of its own. */
static inline void
vectors_each(const char *kind, vectors_case *test)
{
	struct json_object *all = vectors_load(kind), *cases, *one;
	size_t i, failed = 0;

	cases = jsonx_get(all, "cases");
	for (i = 0; i < json_object_array_length(cases); i++) {
		one = json_object_array_get_idx(cases, i);
		rig_setup(NULL);
		if (!test(jsonx_get(one, "inputs"),
		    jsonx_get(one, "expected"))) {
			print_error("%s: %s fails\n", kind,
			    jsonx_str(one, "id"));
			failed++;
		}
		rig_teardown(NULL);
	}
	json_object_put(all);
	assert_int_equal(failed, 0);
}

/* Keys stand there under another label, so that nobody takes them for some;
   text with the right one, in the rig's arena. */
static inline char *
vectors_with_keys(const char *text)
{
	char *out = arena_strdup(rig.arena, "");
	const char *at;

	while ((at = strstr(text, "TEST KEY")) != NULL) {
		out = arena_printf(rig.arena, "%s%.*sPRIVATE KEY", out,
		    (int)(at - text), text);
		text = at + strlen("TEST KEY");
	}
	return arena_printf(rig.arena, "%s%s", out, text);
}

static inline bool
vectors_same(const char *what, const char *want, const char *got)
{
	if (str_eq(want, got))
		return true;
	print_error("%s: expected\n%s\ngot\n%s\n", what, want ? want : "-",
	    got ? got : "-");
	return false;
}

/* As JSON: the order of members is free. */
static inline bool
vectors_same_json(const char *what, struct json_object *want,
    struct json_object *got)
{
	return json_object_equal(want, got) || vectors_same(what,
	    json_object_to_json_string(want), json_object_to_json_string(got));
}

#endif
