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
struct label_selector;
struct live_index;

/* Memory that several indexes share; used is read and changed atomically. */
struct live_budget {
	size_t limit, used;	/* bytes */
};

/* secrets: values are replaced by "***" before anything is kept. */
struct live_index *live_index_new(struct live_budget *budget, bool secrets);
void live_index_free(struct live_index *idx);

/*
 * A whole list that takes the place of what is there, in pages perhaps:
 * begin, add each page (a List of the API; checked), then commit, or drop.
 * Readers see the old objects until commit. add: 0; E_PROTOCOL; E_TOOLARGE:
 * the budget is spent.
 */
struct live_load;
struct live_load *live_load_begin(struct live_index *idx);
int live_load_add(struct live_load *load, const char *list, size_t len,
    struct err *err);
void live_load_commit(struct live_load *load);
void live_load_drop(struct live_load *load);

/*
 * One object of an event: ADDED and MODIFIED, or DELETED. 0; E_PROTOCOL: it
 * is no object with a name; E_TOOLARGE; E_PENDING: the list was empty, so the
 * form is not known: list again. After an error the index is to be loaded
 * anew.
 */
int live_index_put(struct live_index *idx, const char *object, size_t len,
    struct err *err);
int live_index_delete(struct live_index *idx, const char *object, size_t len,
    struct err *err);

/* Bytes that several hold. */
struct live_text {
	unsigned refs;
	size_t n;		/* items in it */
	size_t len;
	char data[];		/* "[{...},{...}]" */
};
struct live_text *live_text_ref(struct live_text *t);
void live_text_put(struct live_text *t);	/* NULL is fine */

/*
 * The objects that match, in the order in which the API server lists them
 * (by "namespace/name", bytewise). namespace "": all. Kept until one of them
 * changes, within the budget, so that many who ask the same cost little.
 * selector_text is the selector as it came, for that. The caller puts it.
 */
struct live_text *live_index_select(struct live_index *idx,
    const char *namespace, const struct label_selector *selector,
    const char *selector_text);
/* Grows with each change. */
uint64_t live_index_version(const struct live_index *idx);
size_t live_index_count(const struct live_index *idx);

#endif
