/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the index share. One thread changes an index; it may read
 * objects and groups without the lock, which it takes to change them. Answers
 * have a lock of their own, so that one that is ready waits for no change.
 */
#ifndef STAGEDOOR_LIVE_INDEX_PRIVATE_H
#define STAGEDOOR_LIVE_INDEX_PRIVATE_H

#include <pthread.h>

#include "live_index.h"
#include "live_object.h"
#include "strbuf.h"

/* Objects that share a label, or a namespace (key ""). */
struct live_group {
	struct live_node node;
	struct live_link *links;
	size_t n, size;
	struct label label;	/* in text */
	char text[];
};

/* An answer that is ready. */
struct live_answer {
	struct live_node node;	/* of namespace and selector */
	struct live_answer *newer, *older;
	struct live_text *text;
	struct label_selector *selector;
	uint64_t needs;		/* hash of the label it needs; 0: none */
	int64_t used;		/* mono ms */
	size_t size;
	const char *namespace;	/* in names */
	const char *selector_text;
	char names[];
};

struct live_index {
	struct live_budget *budget;
	struct live_form form;
	pthread_rwlock_t lock;	/* of what follows */
	struct live_table objects, groups;
	enum live_scope scope;	/* what the objects tell */
	bool untold;	/* pods that were asked for as a custom resource: what
			   metrics they have is said by their list */
	uint64_t version;	/* atomic, as is count */
	size_t count;

	/* The writer's. */
	struct live_shape shape;
	struct strbuf kind;	/* what shape.kind points into */
	uint64_t loads;

	pthread_mutex_t ready;	/* of what follows; after lock */
	struct live_table answers;
	struct live_answer *newest, *oldest;
};

/* live_index.c: the object of that key; any. */
struct live_object *live_index_find(const struct live_index *idx,
    const struct live_object *like);
/* With the lock to change: old and fresh may be NULL; old is freed. */
void live_index_replace(struct live_index *idx, struct live_object *old,
    struct live_object *fresh);
struct live_group *live_group_find(const struct live_index *idx,
    const struct label *label);
/* Take memory for an object; 0 or E_TOOLARGE. */
int live_budget_take(struct live_budget *b, size_t size, struct err *err);
void live_budget_give(struct live_budget *b, size_t size);

/* live_select.c: with the lock held, or by the writer. */
struct live_text *live_index_build(const struct live_index *idx,
    const char *namespace, const struct label_selector *selector);

/* live_answers.c. NULL: none is ready. */
struct live_text *live_answer_find(struct live_index *idx,
    const char *namespace, const char *selector);
/* With the lock held; takes the selector. */
void live_answer_keep(struct live_index *idx, const char *namespace,
    const char *text, struct label_selector *selector,
    struct live_text *answer);
/* With the lock to change: drop what the object is or would be part of. */
void live_answers_drop(struct live_index *idx, const struct live_object *o);
void live_answers_drop_all(struct live_index *idx);

#endif
