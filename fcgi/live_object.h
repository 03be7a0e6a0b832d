/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One object of the live lane: its bytes as they go out, and what it is found
 * by. Made in one piece of memory, and not changed afterwards but for the
 * links, which are the index's.
 */
#ifndef STAGEDOOR_LIVE_OBJECT_H
#define STAGEDOOR_LIVE_OBJECT_H

#include "jsonscan.h"
#include "label_selector.h"
#include "live_table.h"

struct err;
struct live_group;
struct live_object;

/* An object among those that share a label or a namespace. */
struct live_link {
	struct live_object *object;
	struct live_group *group;
	struct live_link *next, **at;	/* what points here */
};

struct live_object {
	struct live_node node;
	size_t size;		/* of all, with its slots in tables */
	uint64_t seen;		/* by this load; the writer's */
	const char *key;	/* "namespace/name", or "name" */
	const char *namespace;	/* "" for none */
	const char *data;
	size_t len;
	struct label *labels;
	size_t nlabels;
	struct live_link *links;	/* of each label; then the
					   namespace's, if there is one */
	size_t nlinks;
};

/* How items look, and what becomes of them. */
struct live_shape {
	bool known;		/* has_kind and has_version are */
	bool has_kind, has_version;	/* kind and apiVersion stand in items
				   of a list */
	bool hide;		/* they are secrets */
	bool listed;		/* those at hand come from a list */
	bool custom;		/* they get the kind of their list */
	struct json_span kind;	/* of the list */
};

/* Take the shape of the first item of a list. */
void live_shape_learn(struct live_shape *shape, struct json_span item);
/*
 * From checked bytes, whose kind and apiVersion go if they do not stand in
 * items of lists. The caller frees *out. E_PROTOCOL: it has no name, or is
 * of another shape.
 */
int live_object_read(const struct live_shape *shape, struct json_span item,
    struct live_object **out, struct err *err);
/* Only what it is found by: for an object that is gone. */
int live_object_read_key(struct json_span item, struct live_object **out,
    struct err *err);

#endif
