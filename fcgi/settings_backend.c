/* SPDX-License-Identifier: Apache-2.0 */
/* What Backstage's own sections say: tokens of programs, and where it is. */
#include "base.h"

#include "arena.h"
#include "settings_read.h"

/* Backstage's permissions on this plug-in, with their action. */
static const struct {
	const char *name, *action;
} permissions[] = {
	{ "kubernetes.clusters.read", "read" },
	{ "kubernetes.resources.read", "read" },
	{ "kubernetes.proxy", NULL },
};

/* Backstage splits each string at blanks and commas. */
static void
read_words(struct arena *arena, const struct node *list,
    struct string_list *out)
{
	size_t i, n = 0, len;
	const char *p;

	memset(out, 0, sizeof(*out));
	for (i = 0; list != NULL && i < list->n; i++)
		n += strlen(list->items[i]->string) / 2 + 1;
	if (n == 0)
		return;
	out->items = arena_alloc(arena, n * sizeof(*out->items));
	for (i = 0; i < list->n; i++)
		for (p = list->items[i]->string; *p != '\0'; p += len) {
			p += strspn(p, " ,");
			if ((len = strcspn(p, " ,")) > 0)
				out->items[out->n++] = arena_strndup(arena, p,
				    len);
		}
}

static bool
has_word(const struct string_list *list, const char *word)
{
	size_t i;

	for (i = 0; i < list->n; i++)
		if (strcmp(list->items[i], word) == 0)
			return true;
	return false;
}

/*
 * An action narrows the permissions down to those that carry it. Here that
 * is worked out at once, for this plug-in's few permissions.
 */
static void
narrow(struct arena *arena, const struct string_list *wanted,
    struct access_restriction *ar)
{
	struct string_list left = { NULL, 0 };
	size_t i;

	left.items = arena_alloc(arena, sizeof(*left.items) *
	    ARRAY_LEN(permissions));
	for (i = 0; i < ARRAY_LEN(permissions); i++)
		if (permissions[i].action != NULL &&
		    has_word(wanted, permissions[i].action) &&
		    (!ar->has_permissions ||
		    has_word(&ar->permissions, permissions[i].name)))
			left.items[left.n++] = permissions[i].name;
	ar->has_permissions = true;
	ar->permissions = left;
}

static void
read_restriction(struct arena *arena, const struct node *n,
    struct access_restriction *ar)
{
	struct string_list wanted;

	ar->plugin = read_string(arena, n, "plugin");
	read_words(arena, node_get(n, "permission"), &ar->permissions);
	ar->has_permissions = ar->permissions.n > 0;
	read_words(arena, node_get(node_get(n, "permissionAttribute"),
	    "action"), &wanted);
	if (wanted.n > 0)
		narrow(arena, &wanted, ar);
}

static void
read_access(struct arena *arena, const struct node *n,
    struct external_access *ea)
{
	const struct node *list = node_get(n, "accessRestrictions");
	const char *token = node_string(node_get(n, "options"), "token");
	size_t i;

	secret_set(&ea->token, token, strlen(token));
	ea->subject = read_string(arena, node_get(n, "options"), "subject");
	ea->restrictions = read_room(arena, list, sizeof(*ea->restrictions),
	    &ea->nrestrictions);
	ea->has_restrictions = ea->nrestrictions > 0;
	for (i = 0; i < ea->nrestrictions; i++)
		read_restriction(arena, list->items[i], &ea->restrictions[i]);
}

/* Only static tokens; settings_rules said so of the others. */
static void
read_external(struct settings *s, const struct node *list)
{
	size_t i, n;

	s->external = read_room(s->arena, list, sizeof(*s->external), &n);
	for (i = 0; i < n; i++)
		if (str_eq(node_string(list->items[i], "type"), "static"))
			read_access(s->arena, list->items[i],
			    &s->external[s->nexternal++]);
}

static void
read_discovery(struct settings *s, const struct node *list)
{
	const struct key *keys = keys_find(keys_discovery, "endpoints")->keys;
	size_t i;

	s->discovery = read_room(s->arena, list, sizeof(*s->discovery),
	    &s->ndiscovery);
	for (i = 0; i < s->ndiscovery; i++) {
		const struct node *n = list->items[i];
		const struct node *target = node_get(n, "target");

		read_keys(s->arena, keys, n, &s->discovery[i]);
		s->discovery[i].target = target->type == NODE_OBJECT ?
		    read_string(s->arena, target, "internal") :
		    read_string(s->arena, n, "target");
	}
}

void
read_backend(struct settings *s, const struct node *root)
{
	const struct node *backend = node_get(root, "backend");

	s->have_backend = backend != NULL;
	read_external(s, node_get(node_get(backend, "auth"),
	    "externalAccess"));
	read_discovery(s, node_get(node_get(root, "discovery"), "endpoints"));
}
