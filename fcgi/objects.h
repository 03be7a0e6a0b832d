/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a query asks of a cluster: the table of object types, custom
 * resources, and the request targets of their lists for one selector.
 */
#ifndef STAGEDOOR_OBJECTS_H
#define STAGEDOOR_OBJECTS_H

#include "live_index.h"

struct arena;
struct custom_resource;
struct err;
struct settings;
struct strbuf;

/* How the objects of an entity are found, ready for a request target. */
struct selector {
	const char *query;	/* "?labelSelector=a%3Db" */
	const char *in_namespace;	/* "/namespaces/x", or "" for all */
	const char *label, *namespace;	/* the same, not encoded; "": all */
};

/*
 * Percent-encode a label selector and a namespace (NULL or "": all).
 * E_INPUT: the namespace is "." or "..", which is no name but a way out.
 */
int selector_make(const char *label, const char *namespace,
    struct arena *arena, struct selector *out, struct err *err);
/* Append as JavaScript's encodeURIComponent does, and the apostrophe as its
   URLs encode that. */
void uri_component_add(struct strbuf *sb, const char *s);

/* One list to fetch. */
struct object_list {
	const char *type;	/* the objectType of the answer */
	const char *target;	/* below the cluster's base path, encoded,
				   with the selector's query */
	const char *everywhere;	/* the same for all namespaces, without a
				   query */
	enum live_scope scope;	/* known of the table's types */
	bool custom;		/* items get the kind of their list */
	bool secrets;		/* values are never shown */
	bool pods;		/* has metrics */
};

struct object_lists {
	struct object_list *items;
	size_t n;
};

/*
 * Append the lists that kubernetes.objectTypes and apiVersionOverrides ask
 * for, in the order of the table. Everything lives in the arena.
 */
void objects_add_types(struct object_lists *lists,
    const struct settings *settings, const struct selector *selector,
    struct arena *arena);
/* Append custom resources; what object_custom_ok refuses is left out. */
void objects_add_custom(struct object_lists *lists,
    const struct custom_resource *custom, size_t n,
    const struct selector *selector, struct arena *arena);
/* Can group (may be ""), version and plural stand in a path? */
bool object_custom_ok(const struct custom_resource *cr);

#endif
