/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Object types and the targets of their lists. Answers are spliced in the
 * order in which lists are added here.
 */
#include "base.h"

#include "arena.h"
#include "err.h"
#include "objects.h"
#include "settings.h"
#include "strbuf.h"

enum { BY_DEFAULT = 1, CLUSTER_WIDE = 2 };

struct object_type {
	const char *plural, *group, *version;
	unsigned flags;
};

/* The order of answers, whatever the order in kubernetes.objectTypes. */
static const struct object_type types[] = {
	{ "secrets", "", "v1", 0 },
	{ "persistentvolumes", "", "v1", CLUSTER_WIDE },
	{ "persistentvolumeclaims", "", "v1", 0 },
	{ "pods", "", "v1", BY_DEFAULT },
	{ "services", "", "v1", BY_DEFAULT },
	{ "configmaps", "", "v1", BY_DEFAULT },
	{ "limitranges", "", "v1", BY_DEFAULT },
	{ "resourcequotas", "", "v1", BY_DEFAULT },
	{ "deployments", "apps", "v1", BY_DEFAULT },
	{ "replicasets", "apps", "v1", BY_DEFAULT },
	{ "horizontalpodautoscalers", "autoscaling", "v2", BY_DEFAULT },
	{ "jobs", "batch", "v1", BY_DEFAULT },
	{ "cronjobs", "batch", "v1", BY_DEFAULT },
	{ "ingresses", "networking.k8s.io", "v1", BY_DEFAULT },
	{ "statefulsets", "apps", "v1", BY_DEFAULT },
	{ "daemonsets", "apps", "v1", BY_DEFAULT },
};

void
uri_component_add(struct strbuf *sb, const char *s)
{
	strbuf_add_percent(sb, s, "!*()");
}

/* A path segment that the other side would take for "here" or "up". */
static bool
is_dots(const char *s)
{
	return strcmp(s, ".") == 0 || strcmp(s, "..") == 0;
}

int
selector_make(const char *label, const char *namespace, struct arena *arena,
    struct selector *out, struct err *err)
{
	struct strbuf sb = STRBUF_INIT(STRBUF_UNLIMITED);

	out->in_namespace = out->namespace = "";
	out->label = label;
	if (namespace != NULL && *namespace != '\0') {
		if (is_dots(namespace))
			return err_set(err, E_INPUT, "namespace '%s' of the "
			    "entity cannot be used", namespace);
		strbuf_addstr(&sb, "/namespaces/");
		uri_component_add(&sb, namespace);
		out->in_namespace = arena_strndup(arena, sb.buf, sb.len);
		out->namespace = namespace;
		strbuf_reset(&sb);
	}
	strbuf_addstr(&sb, "?labelSelector=");
	uri_component_add(&sb, label);
	out->query = arena_strndup(arena, sb.buf, sb.len);
	strbuf_release(&sb);
	return 0;
}

static void
list_add(struct object_lists *lists, struct arena *arena,
    const struct object_list *list)
{
	struct object_list *grown;

	/* the arena frees nothing alone: grow at powers of two */
	if ((lists->n & (lists->n - 1)) == 0) {
		grown = arena_alloc(arena, SD_MAX(lists->n * 2, (size_t)1) *
		    sizeof(*grown));
		if (lists->n > 0)
			memcpy(grown, lists->items,
			    lists->n * sizeof(*grown));
		lists->items = grown;
	}
	lists->items[lists->n++] = *list;
}

static const char *
list_target(const struct custom_resource *what, const char *in_namespace,
    const char *query, struct arena *arena)
{
	struct strbuf sb = STRBUF_INIT(STRBUF_UNLIMITED);
	const char *target;

	strbuf_addstr(&sb, *what->group == '\0' ? "/api" : "/apis/");
	uri_component_add(&sb, what->group);
	strbuf_addch(&sb, '/');
	uri_component_add(&sb, what->version);
	strbuf_addstr(&sb, in_namespace);
	strbuf_addch(&sb, '/');
	uri_component_add(&sb, what->plural);
	strbuf_addstr(&sb, query);
	target = arena_strndup(arena, sb.buf, sb.len);
	strbuf_release(&sb);
	return target;
}

static void
list_make(struct object_list *list, const struct custom_resource *what,
    const struct selector *selector, struct arena *arena)
{
	list->target = list_target(what, selector->in_namespace,
	    selector->query, arena);
	list->everywhere = list_target(what, "", "", arena);
	list->secrets = *what->group == '\0' &&
	    strcmp(what->plural, "secrets") == 0;
}

static bool
type_wanted(const struct object_type *type, const struct settings *settings)
{
	size_t i;

	if (!settings->object_types_set)
		return type->flags & BY_DEFAULT;
	for (i = 0; i < settings->object_types.n; i++)
		if (strcmp(settings->object_types.items[i], type->plural) == 0)
			return true;
	return false;
}

static const char *
type_version(const struct object_type *type, const struct settings *settings)
{
	const char *version = type->version;
	size_t i;

	for (i = 0; i < settings->napi_versions; i++)
		if (strcmp(settings->api_versions[i].key, type->plural) == 0)
			version = settings->api_versions[i].value;
	return version;
}

void
objects_add_types(struct object_lists *lists, const struct settings *settings,
    const struct selector *selector, struct arena *arena)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(types); i++) {
		struct custom_resource what = {
			.group = types[i].group,
			.version = type_version(&types[i], settings),
			.plural = types[i].plural,
		};
		struct object_list list = { .type = types[i].plural };

		if (!type_wanted(&types[i], settings))
			continue;
		list_make(&list, &what, selector, arena);
		list.pods = strcmp(list.type, "pods") == 0;
		list.scope = types[i].flags & CLUSTER_WIDE ? LIVE_CLUSTER_WIDE :
		    LIVE_NAMESPACED;
		list_add(lists, arena, &list);
	}
}

void
objects_add_custom(struct object_lists *lists,
    const struct custom_resource *custom, size_t n,
    const struct selector *selector, struct arena *arena)
{
	size_t i;

	for (i = 0; i < n; i++) {
		struct object_list list = { .type = "customresources",
		    .custom = true };

		if (!object_custom_ok(&custom[i]))
			continue;
		list_make(&list, &custom[i], selector, arena);
		list_add(lists, arena, &list);
	}
}

bool
object_custom_ok(const struct custom_resource *cr)
{
	return *cr->version != '\0' && *cr->plural != '\0' &&
	    !is_dots(cr->group) && !is_dots(cr->version) &&
	    !is_dots(cr->plural);
}
