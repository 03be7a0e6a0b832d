/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON trees, for what is small and read by us: request bodies, entities,
 * settings. Strict: the whole input, UTF-8, bounded depth, no NUL in strings
 * ("admin\u0000evil" must not become admin); of duplicate keys the last
 * wins, as in Backstage. json-c makes the tree after jsonscan accepted it.
 */
#ifndef STAGEDOOR_JSONX_H
#define STAGEDOOR_JSONX_H

#include <json-c/json.h>

struct err;
struct strbuf;

#define JSONX_DEPTH 32

/*
 * Parse. On 0, *out is owned by the caller (json_object_put); JSON null gives
 * NULL. A UTF-8 BOM at the start is skipped. E_INPUT with a sentence else.
 */
int jsonx_parse(const char *data, size_t len, struct json_object **out,
    struct err *err);
/* A member, or NULL; NULL too if obj is NULL or no object. Borrowed. */
struct json_object *jsonx_get(struct json_object *obj, const char *key);
/* A member that is a string (borrowed), or NULL. */
const char *jsonx_str(struct json_object *obj, const char *key);
/* As JavaScript's truthiness: "", 0, NaN, false and null are false. */
bool jsonx_truthy(struct json_object *obj);
/* Overwrite every string in the tree, then put it: for trees with tokens. */
void jsonx_wipe(struct json_object *obj);

/* Append a JSON string with its quotes; bad UTF-8 becomes U+FFFD. */
void jsonx_add_string(struct strbuf *sb, const char *s, size_t len);
/* Append "key":"value", with a comma before it unless after { or [. */
void jsonx_add_pair(struct strbuf *sb, const char *key, const char *value);
/* Append a comma unless the buffer is empty or ends in { [ or : or a comma. */
void jsonx_add_comma(struct strbuf *sb);
/*
 * Append a number in the shortest decimal form that reads back as the same
 * double; null if it is not finite.
 */
void jsonx_add_double(struct strbuf *sb, double d);
/* Append a tree, compact, slashes unescaped. */
void jsonx_add_tree(struct strbuf *sb, struct json_object *obj);

#endif
