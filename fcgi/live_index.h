/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The objects of one kind in one cluster, kept as bytes of JSON as a list of
 * the API server has them, indexed by namespace and labels. Any number of
 * threads read; one at a time changes (live.c's).
 *
 * An object of a watch has kind and apiVersion where one of a list has none
 * (built-in types) or has them too (custom resources): the first list tells,
 * and what comes later is kept in its form.
 */
#ifndef STAGEDOOR_LIVE_INDEX_H
#define STAGEDOOR_LIVE_INDEX_H

struct err;
struct live_index;

/*
 * Memory that several indexes share; the numbers are read and changed
 * atomically. A quarter of the limit is for what is ready and may go at any
 * time, half of it for answers (the other for whole rows: row_live.h); objects
 * leave it free.
 */
struct live_budget {
	size_t limit;		/* bytes */
	size_t used, ready;	/* by objects; by answers */
};

enum live_scope { LIVE_SCOPE_UNKNOWN, LIVE_NAMESPACED, LIVE_CLUSTER_WIDE };

struct live_form {
	bool secrets;	/* values are replaced by "***" before it is kept */
	bool custom;	/* items get the kind of their list (see splice.h) */
	enum live_scope scope;	/* unknown: the objects tell */
};
struct live_index *live_index_new(struct live_budget *budget,
    const struct live_form *form);
void live_index_free(struct live_index *idx);		/* NULL is fine */

/*
 * A whole list that takes the place of what is there, in pages perhaps:
 * begin, add each page (a List of the API; checked), then commit, or drop;
 * meanwhile nothing is put or deleted. Readers see the old objects until
 * commit. What has not changed costs nothing again. add: 0; E_PROTOCOL;
 * E_TOOLARGE: the budget is spent.
 */
struct live_load;
struct live_load *live_load_begin(struct live_index *idx);
int live_load_add(struct live_load *load, const char *list, size_t len,
    struct err *err);
void live_load_commit(struct live_load *load);
void live_load_drop(struct live_load *load);		/* NULL is fine */

/*
 * One object of an event: ADDED and MODIFIED, or DELETED; checked. 0;
 * E_PROTOCOL: it is no object with a name; E_TOOLARGE; E_PENDING: all lists
 * were empty, so the form is not known: list again. After an error the index
 * is to be loaded anew; what was loaded once is remembered to be of its form.
 */
int live_index_put(struct live_index *idx, const char *object, size_t len,
    struct err *err);
int live_index_delete(struct live_index *idx, const char *object, size_t len,
    struct err *err);

/* Bytes that several hold; nobody changes them. */
struct live_text {
	unsigned refs;
	size_t n;		/* items in it */
	size_t len;
	char data[];		/* "[{...},{...}]" */
};
struct live_text *live_text_ref(struct live_text *t);	/* NULL is fine */
void live_text_put(struct live_text *t);		/* NULL is fine */

/*
 * The objects that match, in the order in which the API server lists them
 * (by "namespace/name", bytewise), as splice.h would pass them on. namespace
 * "": all. Kept until one of them changes, so the same text comes again as
 * long as the answer is the same, as far as the budget goes. The caller puts
 * it. NULL: ask the cluster, for the selector is one that it refuses or that
 * we are not sure of, or the kind has no namespaces, or may have none.
 */
struct live_text *live_index_select(struct live_index *idx,
    const char *namespace, const char *selector);
/* Grows with each change. */
uint64_t live_index_version(const struct live_index *idx);
size_t live_index_count(const struct live_index *idx);

#endif
