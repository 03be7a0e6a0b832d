/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The answer to one list: `items` is found while the bytes are checked, and
 * is passed on as it came, or with what must change in it.
 */
#ifndef STAGEDOOR_SPLICE_H
#define STAGEDOOR_SPLICE_H

#include "jsonscan.h"

struct err;
struct object_list;
struct strbuf;

struct splice {
	struct json_span items;	/* the array; so below: NULL if it is empty */
	struct json_span kind;	/* of the list */
	bool any;		/* there is at least one item */
	bool changes;		/* items do not go out as they came */
};

/*
 * Check an answer to the list; out points into data. E_PROTOCOL: it is no
 * JSON, has no items, or lacks a kind that is needed.
 */
int splice_read(const struct object_list *list, const char *data, size_t len,
    struct splice *out, struct err *err);
/* The same in two steps: what is true of the answer to any list, */
int splice_scan(const char *data, size_t len, struct splice *out,
    struct err *err);
/* and of a copy of that what is true for this one. */
int splice_fit(const struct object_list *list, struct splice *out,
    struct err *err);
/*
 * Append the array of items. Secrets lose their values, custom resources get
 * the kind of their list. (If !changes, out.items is the same.)
 */
void splice_add_items(struct strbuf *sb, const struct object_list *list,
    const struct splice *s);
/*
 * Append one item: without its values if hide; with the kind of its list, if
 * that is given, in place of its own.
 */
void splice_add_item(struct strbuf *sb, struct json_span item, bool hide,
    const struct json_span *kind);
/* Do the items have metrics: pods, by type or by what the first one says? */
bool splice_has_pods(const struct object_list *list, const struct splice *s);

#endif
