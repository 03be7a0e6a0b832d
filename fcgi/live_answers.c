/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers that are ready: kept by namespace and selector until an object
 * comes or goes that they have or should have. The least used go first.
 */
#include "base.h"

#include "clock.h"
#include "live_index_private.h"

/* Each change looks at all of them. */
#define ANSWERS_MAX 1024
/* Nobody asks any more. */
#define ANSWER_IDLE_MS 300000

static uint64_t
name_hash(const char *namespace, const char *selector)
{
	return live_hash(namespace, strlen(namespace), selector,
	    strlen(selector));
}

static struct live_answer *
find(const struct live_index *idx, const char *namespace,
    const char *selector)
{
	struct live_node *node = live_table_find(&idx->answers,
	    name_hash(namespace, selector));
	struct live_answer *a;

	for (; node != NULL; node = live_table_next(node)) {
		a = (struct live_answer *)node;
		if (strcmp(a->selector_text, selector) == 0 &&
		    strcmp(a->namespace, namespace) == 0)
			return a;
	}
	return NULL;
}

static void
line_out(struct live_index *idx, struct live_answer *a)
{
	*(a->newer != NULL ? &a->newer->older : &idx->newest) = a->older;
	*(a->older != NULL ? &a->older->newer : &idx->oldest) = a->newer;
}

static void
line_in(struct live_index *idx, struct live_answer *a)
{
	a->newer = NULL;
	a->older = idx->newest;
	*(a->older != NULL ? &a->older->newer : &idx->oldest) = a;
	idx->newest = a;
	a->used = clock_mono_ms();
}

static void
drop(struct live_index *idx, struct live_answer *a)
{
	live_table_remove(&idx->answers, &a->node);
	line_out(idx, a);
	__atomic_sub_fetch(&idx->budget->ready, a->size, __ATOMIC_RELAXED);
	live_text_put(a->text);
	label_selector_free(a->selector);
	free(a);
}

struct live_text *
live_answer_find(struct live_index *idx, const char *namespace,
    const char *selector)
{
	struct live_text *t = NULL;
	struct live_answer *a;

	pthread_mutex_lock(&idx->ready);
	if ((a = find(idx, namespace, selector)) != NULL) {
		t = live_text_ref(a->text);
		if (a != idx->newest) {
			line_out(idx, a);
			line_in(idx, a);
		}
	}
	pthread_mutex_unlock(&idx->ready);
	return t;
}

static struct live_answer *
answer_make(const char *namespace, const char *text,
    struct label_selector *selector)
{
	const struct label *needs = label_selector_needs(selector);
	size_t nspace = strlen(namespace) + 1, ntext = strlen(text) + 1;
	struct live_answer *a = xcalloc(1, sizeof(*a) + nspace + ntext);

	a->node.hash = name_hash(namespace, text);
	a->namespace = memcpy(a->names, namespace, nspace);
	a->selector_text = memcpy(a->names + nspace, text, ntext);
	a->selector = selector;
	if (needs != NULL)
		a->needs = live_hash(needs->key, strlen(needs->key),
		    needs->value, strlen(needs->value));
	/* the selector's words and requirements, too */
	a->size = sizeof(*a) + nspace + 8 * ntext + 256;
	return a;
}

/* Room for one more, at the cost of the least used. False: there is none. */
static bool
make_room(struct live_index *idx, size_t size)
{
	struct live_budget *b = idx->budget;
	size_t limit = __atomic_load_n(&b->limit, __ATOMIC_RELAXED) / 8;
	int64_t stale = clock_mono_ms() - ANSWER_IDLE_MS;

	while (idx->oldest != NULL && (idx->oldest->used < stale ||
	    idx->answers.n >= ANSWERS_MAX))
		drop(idx, idx->oldest);
	if (size > limit / 4)
		return false;
	while (__atomic_add_fetch(&b->ready, size, __ATOMIC_RELAXED) > limit) {
		__atomic_sub_fetch(&b->ready, size, __ATOMIC_RELAXED);
		if (idx->oldest == NULL)
			return false;
		drop(idx, idx->oldest);
	}
	return true;
}

void
live_answer_keep(struct live_index *idx, const char *namespace,
    const char *text, struct label_selector *selector,
    struct live_text *answer)
{
	struct live_answer *a = answer_make(namespace, text, selector);

	a->size += answer->len;
	pthread_mutex_lock(&idx->ready);
	/* another reader may have been as quick */
	if (find(idx, namespace, text) == NULL && make_room(idx, a->size)) {
		a->text = live_text_ref(answer);
		live_table_add(&idx->answers, &a->node);
		line_in(idx, a);
		a = NULL;
	}
	pthread_mutex_unlock(&idx->ready);
	if (a != NULL)
		label_selector_free(a->selector);
	free(a);
}

static bool
has_link(const struct live_object *o, uint64_t label)
{
	size_t i;

	for (i = 0; i < o->nlabels; i++)
		if (o->links[i].group->node.hash == label)
			return true;
	return false;
}

static bool
concerns(const struct live_answer *a, const struct live_object *o)
{
	if (a->needs != 0 && !has_link(o, a->needs))
		return false;
	return (*a->namespace == '\0' ||
	    strcmp(a->namespace, o->namespace) == 0) &&
	    label_selector_matches(a->selector, o->labels, o->nlabels);
}

void
live_answers_drop(struct live_index *idx, const struct live_object *o)
{
	struct live_answer *a, *older;

	pthread_mutex_lock(&idx->ready);
	for (a = idx->newest; a != NULL; a = older) {
		older = a->older;
		if (concerns(a, o))
			drop(idx, a);
	}
	pthread_mutex_unlock(&idx->ready);
}

void
live_answers_drop_all(struct live_index *idx)
{
	pthread_mutex_lock(&idx->ready);
	while (idx->newest != NULL)
		drop(idx, idx->newest);
	pthread_mutex_unlock(&idx->ready);
}
