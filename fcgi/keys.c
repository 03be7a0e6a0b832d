/* SPDX-License-Identifier: Apache-2.0 */
/* The top of the table of keys, looking things up in it, printing it. */
#include "base.h"

#include "keys.h"
#include "settings.h"
#include "suggest.h"

#define PATH_MAX_LEN 512

const struct key keys_root[] = {
	{ "kubernetes", KEY_OBJECT, .keys = keys_kubernetes,
	  .text = "clusters, and what is read from them" },
	{ "stagedoor", KEY_OBJECT, .keys = keys_stagedoor,
	  .text = "what Backstage has no key for" },
	{ "aws", KEY_OBJECT, KEY_SHARED, .keys = keys_aws,
	  .text = "AWS accounts and their credentials" },
	{ "backend", KEY_OBJECT, KEY_SHARED, .keys = keys_backend,
	  .text = "where Backstage is, and which of its tokens count" },
	{ "discovery", KEY_OBJECT, .keys = keys_discovery,
	  .text = "where Backstage's plug-ins are" },
	{ "permission", KEY_OBJECT, KEY_SHARED, .keys = keys_permission,
	  .text = "Backstage's permission framework" },
	{ "auth", KEY_ANY, KEY_FOREIGN,
	  .text = "Backstage's sign-in providers; not read" },
	{ .name = NULL }
};

const struct key *
keys_find(const struct key *keys, const char *name)
{
	for (; keys != NULL && keys->name != NULL; keys++)
		if (strcmp(keys->name, name) == 0)
			return keys;
	return NULL;
}

const struct key *
keys_pick(const struct key *keys, const char *name, const char *type)
{
	const struct key *k = keys_find(keys, name);

	/* One name may be a key of several types. */
	while (k != NULL && k->when != NULL && type != NULL &&
	    strcmp(k->when, type) != 0)
		k = keys_find(k + 1, name);
	return k;
}

int
keys_word(const char *const *words, const char *word)
{
	int i;

	for (i = 0; words[i] != NULL; i++)
		if (strcmp(words[i], word) == 0)
			return i;
	return -1;
}

/* --- Suggesting ---------------------------------------------------------- */

/* A key of just this name anywhere below keys; its path without the top. */
static bool
find_anywhere(const struct key *keys, const char *name, struct strbuf *path)
{
	for (; keys != NULL && keys->name != NULL; keys++) {
		size_t len = path->len;

		if (keys->flags & KEY_FOREIGN)
			continue;
		strbuf_addf(path, "%s%s", len > 0 ? "." : "", keys->name);
		if (len > 0 && strcasecmp(keys->name, name) == 0)
			return true;
		if (keys->type == KEY_LIST)
			strbuf_addstr(path, "[]");
		if (find_anywhere(keys->keys, name, path))
			return true;
		path->len = len;
		path->buf[len] = '\0';
	}
	return false;
}

const char *
keys_suggest(const struct key *keys, const char *name, const char *type,
    struct strbuf *path)
{
	const char *best = NULL;
	unsigned least = SUGGEST_WORD_MAX;
	const struct key *k;

	for (k = keys; k->name != NULL; k++) {
		unsigned d = suggest_distance(name, k->name);

		if (k->when != NULL && !str_eq(k->when, type))
			continue;
		if (d < least && suggest_near(name, k->name)) {
			least = d;
			best = k->name;
		}
	}
	if (best != NULL)
		return best;
	return find_anywhere(keys_root, name, path) ? path->buf : NULL;
}

/* --- Printing ------------------------------------------------------------ */

static void
print_words(const struct key *key, struct strbuf *out)
{
	size_t i;

	for (i = 0; key->words[i] != NULL; i++)
		strbuf_addf(out, "%s\"%s\"", i == 0 ? "" :
		    key->words[i + 1] == NULL ? " or " : ", ", key->words[i]);
}

void
keys_print_type(const struct key *key, struct strbuf *out)
{
	static const char *const names[] = {
		[KEY_STRING] = "string", [KEY_SECRET] = "string",
		[KEY_PATH] = "path", [KEY_CONTENT] = "path",
		[KEY_OCTAL] = "string of octal digits", [KEY_BOOL] = "boolean",
		[KEY_NUMBER] = "number", [KEY_INTEGER] = "integer",
		[KEY_STRINGS] = "list of strings",
		[KEY_MAP] = "map of strings", [KEY_ANY] = "anything",
		[KEY_OBJECT] = "object", [KEY_LIST] = "list of objects",
	};

	if (key->type == KEY_WORD)
		print_words(key, out);
	else
		strbuf_addstr(out, names[key->type]);
	if (key->type == KEY_STRING && key->keys != NULL)
		strbuf_addstr(out, " or object");
	if (key->flags & KEY_ONE_OK)
		strbuf_addstr(out, " or one string");
	if (key->min != 0 || key->max != 0)
		strbuf_addf(out, " from %.15g to %.15g", key->min, key->max);
}

static void
print_key(const struct key *key, const char *path, struct strbuf *out)
{
	strbuf_addf(out, "%s\n\t", path);
	keys_print_type(key, out);
	if (key->flags & KEY_REQUIRED)
		strbuf_addstr(out, ", required");
	if (key->when != NULL)
		strbuf_addf(out, ", with type \"%s\"", key->when);
	if (key->fallback != NULL && (key->type == KEY_NUMBER ||
	    key->type == KEY_INTEGER || key->type == KEY_BOOL ||
	    key->type == KEY_STRINGS))
		strbuf_addf(out, ", default %s", key->fallback);
	else if (key->fallback != NULL)
		strbuf_addf(out, ", default \"%s\"", key->fallback);
	strbuf_addf(out, "\n\t%s\n", key->text);
}

static void
print_keys(const struct key *keys, struct strbuf *path, struct strbuf *out)
{
	for (; keys != NULL && keys->name != NULL; keys++) {
		size_t len = path->len;

		strbuf_addf(path, "%s%s", len > 0 ? "." : "", keys->name);
		print_key(keys, path->buf, out);
		if (keys->type == KEY_LIST)
			strbuf_addstr(path, "[]");
		print_keys(keys->keys, path, out);
		path->len = len;
		path->buf[len] = '\0';
	}
}

void
settings_print_keys(struct strbuf *out)
{
	struct strbuf path = STRBUF_INIT(PATH_MAX_LEN);

	print_keys(keys_root, &path, out);
	strbuf_release(&path);
}
