/* SPDX-License-Identifier: Apache-2.0 */
/*
 * References of entities, with Backstage's own sentences about bad ones, and
 * what an entity says about its Kubernetes objects. The catalog's answer is
 * walked, not made into a tree: most of it is of no use here.
 */
#include "base.h"

#include "arena.h"
#include "entity.h"
#include "err.h"
#include "jsonscan.h"
#include "jsonx.h"
#include "strbuf.h"

#define ANNOTATION(name) "backstage.io/kubernetes-" name

static void
lower(char *s)
{
	for (; *s != '\0'; s++)
		if (*s >= 'A' && *s <= 'Z')
			*s += 'a' - 'A';
}

static const char *
ref_full(const struct entity_ref *ref, struct arena *arena)
{
	char *full = arena_printf(arena, "%s:%s/%s", ref->kind,
	    ref->namespace, ref->name);

	lower(full);
	return full;
}

static int
ref_without_kind(const char *text, struct arena *arena, struct err *err)
{
	struct strbuf sb = STRBUF_INIT(STRBUF_UNLIMITED);
	const char *quoted;

	jsonx_add_string(&sb, text, strlen(text));
	quoted = arena_strndup(arena, sb.buf, sb.len);
	strbuf_release(&sb);
	return err_set(err, E_INPUT, "Invalid entity ref, Error: Entity "
	    "reference %s had missing or empty kind (e.g. did not start with "
	    "\"component:\" or similar)", quoted);
}

int
entity_ref_parse(const char *text, struct arena *arena,
    struct entity_ref *out, struct err *err)
{
	const char *colon = strchr(text, ':'), *slash = strchr(text, '/');
	const char *rest;

	if (strlen(text) > ENTITY_REF_MAX)
		return err_set(err, E_INPUT, "Invalid entity ref, it is "
		    "longer than %d bytes", ENTITY_REF_MAX);
	if (colon != NULL && slash != NULL && slash < colon)
		colon = NULL;	/* it belongs to the name */
	rest = colon != NULL ? colon + 1 : text;
	out->name = slash != NULL ? slash + 1 : rest;
	if (colon == text || slash == rest || *out->name == '\0')
		return err_set(err, E_INPUT, "Invalid entity ref, TypeError: "
		    "Entity reference \"%s\" was not on the form "
		    "[<kind>:][<namespace>/]<name>", text);
	if (colon == NULL)
		return ref_without_kind(text, arena, err);
	out->kind = arena_strndup(arena, text, (size_t)(colon - text));
	out->namespace = slash == NULL ? "default" :
	    arena_strndup(arena, rest, (size_t)(slash - rest));
	out->name = arena_strdup(arena, out->name);
	out->full = ref_full(out, arena);
	return 0;
}

/* A lower-cased copy of a member; NULL unless a string that says something. */
static const char *
lower_member(struct json_object *obj, const char *key, struct arena *arena)
{
	const char *s = jsonx_str(obj, key);
	char *copy;

	if (s == NULL || *s == '\0')
		return NULL;
	copy = arena_strdup(arena, s);
	lower(copy);
	return copy;
}

int
entity_ref_of(struct json_object *entity, struct arena *arena,
    struct entity_ref *out, struct err *err)
{
	struct json_object *metadata = jsonx_get(entity, "metadata");
	struct json_object *where = metadata != NULL ? metadata : entity;

	out->kind = lower_member(entity, "kind", arena);
	out->name = lower_member(where, "name", arena);
	out->namespace = jsonx_get(where, "namespace") == NULL ? "default" :
	    lower_member(where, "namespace", arena);
	if (out->kind == NULL || out->namespace == NULL || out->name == NULL ||
	    strlen(out->kind) + strlen(out->namespace) + strlen(out->name) >
	    ENTITY_REF_MAX)
		return err_set(err, E_DENIED, "Invalid entity reference");
	out->full = ref_full(out, arena);
	return 0;
}

/* The text of a string that says something, else NULL. */
static const char *
text_of(struct json_span value, struct arena *arena)
{
	return value.len > 2 ? jsonscan_string(value, arena) : NULL;
}

static void
read_annotations(struct json_span annotations, struct arena *arena,
    struct entity *out)
{
	struct json_span id, selector, namespace, cluster;
	const struct json_pick picks[] = {
		{ ANNOTATION("id"), &id },
		{ ANNOTATION("label-selector"), &selector },
		{ ANNOTATION("namespace"), &namespace },
		{ ANNOTATION("cluster"), &cluster },
	};

	jsonscan_pick(annotations, picks, ARRAY_LEN(picks));
	out->id = text_of(id, arena);
	out->selector = text_of(selector, arena);
	out->in_namespace = text_of(namespace, arena);
	out->cluster = text_of(cluster, arena);
}

/* The target of a relation "depends on a resource", else NULL. */
static const char *
resource_depended_on(struct json_span relation, struct arena *arena)
{
	struct json_span type, target;
	const struct json_pick picks[] = {
		{ "type", &type }, { "targetRef", &target },
	};
	const char *ref;

	jsonscan_pick(relation, picks, ARRAY_LEN(picks));
	if (!jsonscan_is(type, "dependsOn"))
		return NULL;
	ref = text_of(target, arena);
	return ref != NULL && str_starts(ref, "resource:") ? ref : NULL;
}

static void
read_relations(struct json_span relations, struct arena *arena,
    struct string_list *out)
{
	struct json_span one;
	struct jsonscan it;
	const char *ref;
	size_t n = 0;

	if (!jsonscan_begin(&it, relations, '['))
		return;
	while (jsonscan_element(&it, &one))
		n++;
	out->items = arena_alloc(arena, n * sizeof(*out->items));
	jsonscan_begin(&it, relations, '[');
	while (jsonscan_element(&it, &one))
		if ((ref = resource_depended_on(one, arena)) != NULL)
			out->items[out->n++] = ref;
}

int
entity_read(const char *json, size_t len, struct arena *arena,
    struct entity *out, struct err *err)
{
	struct json_span metadata, relations, name, namespace, annotations;
	const struct json_pick members[] = {
		{ "metadata", &metadata }, { "relations", &relations },
	};
	const struct json_pick facts[] = {
		{ "name", &name }, { "namespace", &namespace },
		{ "annotations", &annotations },
	};
	const struct json_rules rules = { .depth = JSONSCAN_DEPTH,
	    .picks = members, .npicks = ARRAY_LEN(members) };

	memset(out, 0, sizeof(*out));
	if (jsonscan_check(json, len, &rules, err) != 0)
		return E_PROTOCOL;
	jsonscan_pick(metadata, facts, ARRAY_LEN(facts));
	out->name = text_of(name, arena);
	out->namespace = text_of(namespace, arena);
	if (out->name == NULL)
		return err_set(err, E_PROTOCOL, "entity has no metadata.name");
	if (out->namespace == NULL)
		out->namespace = "default";
	read_annotations(annotations, arena, out);
	read_relations(relations, arena, &out->depends_on);
	return 0;
}

void
entity_copy(struct entity *to, const struct entity *from, struct arena *arena)
{
	size_t i;

	to->name = arena_strdup(arena, from->name);
	to->namespace = arena_strdup(arena, from->namespace);
	to->id = arena_strdup(arena, from->id);
	to->selector = arena_strdup(arena, from->selector);
	to->in_namespace = arena_strdup(arena, from->in_namespace);
	to->cluster = arena_strdup(arena, from->cluster);
	to->depends_on.n = from->depends_on.n;
	to->depends_on.items = arena_alloc(arena,
	    from->depends_on.n * sizeof(*to->depends_on.items));
	for (i = 0; i < from->depends_on.n; i++)
		to->depends_on.items[i] = arena_strdup(arena,
		    from->depends_on.items[i]);
}

const char *
entity_selector(const struct entity *e, struct arena *arena)
{
	if (e->selector != NULL)
		return e->selector;
	return arena_printf(arena, ANNOTATION("id") "=%s",
	    e->id != NULL ? e->id : e->name);
}
