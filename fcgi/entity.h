/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Entities of Backstage's catalog: their references, and the few facts in
 * them that a query needs.
 */
#ifndef STAGEDOOR_ENTITY_H
#define STAGEDOOR_ENTITY_H

#include "cluster.h"

struct arena;
struct err;
struct json_object;

struct entity_ref {
	const char *kind, *namespace, *name;	/* as given */
	const char *full;			/* lower-cased */
};

/* Backstage allows 63 characters in each part; far longer is nonsense. */
#define ENTITY_REF_MAX 1000

/*
 * "kind:name" or "kind:namespace/name"; the first slash splits. E_INPUT with
 * the sentence of the contract: "Invalid entity ref, ...".
 */
int entity_ref_parse(const char *text, struct arena *arena,
    struct entity_ref *out, struct err *err);
/*
 * From an entity or a compound reference in a body, lower-cased. E_DENIED,
 * as Backstage has it, if it has no usable kind and name.
 */
int entity_ref_of(struct json_object *entity, struct arena *arena,
    struct entity_ref *out, struct err *err);

/* The annotations below backstage.io/kubernetes-, NULL where absent. */
struct entity {
	const char *name, *namespace;
	const char *id, *selector, *in_namespace, *cluster;
	struct string_list depends_on;	/* refs of resources */
};

/* Read the catalog's answer. E_PROTOCOL: it is no entity. */
int entity_read(const char *json, size_t len, struct arena *arena,
    struct entity *out, struct err *err);
/* A copy in another arena. */
void entity_copy(struct entity *to, const struct entity *from,
    struct arena *arena);
/* The label selector of its objects. In the arena. */
const char *entity_selector(const struct entity *e, struct arena *arena);

#endif
