/* SPDX-License-Identifier: Apache-2.0 */
/* Single values from the tree, or from the defaults of the table. */
#include "base.h"

#include "arena.h"
#include "settings_read.h"

static bool
bool_of(const struct key *key, const struct node *n)
{
	if (n != NULL)
		return n->boolean;
	return key->fallback != NULL && strcmp(key->fallback, "true") == 0;
}

static double
number_of(const struct key *key, const struct node *n)
{
	if (n == NULL)
		return key->fallback ? strtod(key->fallback, NULL) : 0;
	return n->type == NODE_INTEGER ? (double)n->integer : n->number;
}

static const char *
text_of(const struct key *key, const struct node *n)
{
	return n != NULL ? n->string : key->fallback;
}

/* Whole numbers and places in lists, as wide as the field is. */
static void
store_whole(const struct key *key, void *at, uint64_t value)
{
	switch (key->size) {
	case sizeof(bool):
		*(bool *)at = value != 0;
		return;
	case sizeof(unsigned):
		*(unsigned *)at = (unsigned)value;
		return;
	case sizeof(size_t):
		*(size_t *)at = (size_t)value;
		return;
	}
	BUG("key '%s' goes into %zu bytes", key->name, key->size);
}

static void
store_word(struct arena *arena, const struct key *key, const char *text,
    void *at)
{
	int place;

	if (key->size == sizeof(char *)) {
		*(const char **)at = arena_strdup(arena, text);
	} else if (text != NULL) {
		place = keys_word(key->words, text);
		store_whole(key, at, (uint64_t)SD_MAX(place, 0));
	}
}

static void
store(struct arena *arena, const struct key *key, const struct node *n,
    void *at)
{
	const char *text;

	switch (key->type) {
	case KEY_BOOL:
		*(bool *)at = bool_of(key, n);
		return;
	case KEY_NUMBER:
		*(double *)at = number_of(key, n);
		return;
	case KEY_INTEGER:
		store_whole(key, at, (uint64_t)number_of(key, n));
		return;
	case KEY_OCTAL:
		store_whole(key, at, strtoul(text_of(key, n), NULL, 8));
		return;
	case KEY_STRINGS:
		read_strings(arena, n, at);
		return;
	case KEY_SECRET:
		if ((text = text_of(key, n)) != NULL)
			secret_set(at, text, strlen(text));
		return;
	case KEY_WORD:
		store_word(arena, key, text_of(key, n), at);
		return;
	case KEY_STRING:
	case KEY_PATH:
	case KEY_CONTENT:	/* read later, each time */
		*(const char **)at = arena_strdup(arena, text_of(key, n));
		return;
	default:
		BUG("key '%s' cannot be stored by the table", key->name);
	}
}

void
read_keys(struct arena *arena, const struct key *keys, const struct node *obj,
    void *base)
{
	for (; keys->name != NULL; keys++) {
		const struct node *n = node_get(obj, keys->name);

		if (keys->size > 0)
			store(arena, keys, n, (char *)base + keys->at);
		else if (keys->type == KEY_OBJECT)
			read_keys(arena, keys->keys, n, base);
	}
}

const char *
read_string(struct arena *arena, const struct node *obj, const char *key)
{
	return arena_strdup(arena, node_string(obj, key));
}

void
read_strings(struct arena *arena, const struct node *list,
    struct string_list *out)
{
	size_t i;

	out->items = read_room(arena, list, sizeof(*out->items), &out->n);
	for (i = 0; i < out->n; i++)
		out->items[i] = arena_strdup(arena, list->items[i]->string);
}

void *
read_room(struct arena *arena, const struct node *list, size_t size, size_t *n)
{
	*n = list != NULL ? list->n : 0;
	return *n > 0 ? arena_alloc(arena, *n * size) : NULL;
}
