/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers from an index: the smallest group that has all that can match, what
 * does match in the order of the API server, and their bytes in one piece.
 */
#include "base.h"

#include "live_index_private.h"

#define NAMESPACE_MAX 63	/* a DNS label */

struct matches {
	const struct live_object **items;
	size_t n, cap, bytes;
	const char *namespace;
	const struct label_selector *selector;
};

struct live_text *
live_text_ref(struct live_text *t)
{
	if (t != NULL)
		__atomic_add_fetch(&t->refs, 1, __ATOMIC_RELAXED);
	return t;
}

void
live_text_put(struct live_text *t)
{
	if (t != NULL && __atomic_sub_fetch(&t->refs, 1, __ATOMIC_ACQ_REL) == 0)
		free(t);
}

static void
consider(struct matches *m, const struct live_object *o)
{
	if ((*m->namespace != '\0' &&
	    strcmp(m->namespace, o->namespace) != 0) ||
	    !label_selector_matches(m->selector, o->labels, o->nlabels))
		return;
	if (m->n == m->cap) {
		m->cap = SD_MAX(m->cap + m->cap / 2, (size_t)16);
		m->items = xrealloc(m->items, m->cap * sizeof(*m->items));
	}
	m->items[m->n++] = o;
	m->bytes += o->len;
}

static void
consider_all(struct matches *m, const struct live_table *objects)
{
	const struct live_node *node;
	size_t i;

	for (i = 0; i < objects->nslots; i++)
		for (node = objects->slots[i]; node != NULL; node = node->next)
			consider(m, (const struct live_object *)node);
}

/* Those of the namespace or of the label, whichever are fewer. */
static void
consider_some(struct matches *m, const struct live_index *idx)
{
	const struct label namespace = { "", m->namespace };
	const struct label *needs = label_selector_needs(m->selector);
	const struct live_group *g = NULL, *other;
	const struct live_link *link;

	if (needs != NULL && (g = live_group_find(idx, needs)) == NULL)
		return;
	if (*m->namespace != '\0') {
		if ((other = live_group_find(idx, &namespace)) == NULL)
			return;
		if (g == NULL || other->n < g->n)
			g = other;
	}
	if (g == NULL) {
		consider_all(m, &idx->objects);
		return;
	}
	for (link = g->links; link != NULL; link = link->next)
		consider(m, link->object);
}

static int
by_key(const void *a, const void *b)
{
	const struct live_object *const *x = a, *const *y = b;

	return strcmp((*x)->key, (*y)->key);
}

static struct live_text *
text_of(const struct matches *m)
{
	size_t i, len = m->bytes + 2 + (m->n > 0 ? m->n - 1 : 0);
	struct live_text *t = xmalloc(sizeof(*t) + len);
	char *to = t->data;

	t->refs = 1;
	t->n = m->n;
	t->len = len;
	*to++ = '[';
	for (i = 0; i < m->n; i++) {
		if (i > 0)
			*to++ = ',';
		memcpy(to, m->items[i]->data, m->items[i]->len);
		to += m->items[i]->len;
	}
	*to = ']';
	return t;
}

struct live_text *
live_index_build(const struct live_index *idx, const char *namespace,
    const struct label_selector *selector)
{
	struct matches m = { .namespace = namespace, .selector = selector };
	struct live_text *t;

	consider_some(&m, idx);
	if (m.n > 1)
		qsort(m.items, m.n, sizeof(*m.items), by_key);
	t = text_of(&m);
	free(m.items);
	return t;
}

/* What is no name of a namespace may mean another path to the cluster. */
static bool
is_namespace(const char *s)
{
	size_t len = strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-");

	return len > 0 && len <= NAMESPACE_MAX && s[len] == '\0';
}

static bool
can_tell(const struct live_index *idx, const char *namespace)
{
	if (idx->untold)
		return false;
	return *namespace == '\0' ||
	    (idx->scope == LIVE_NAMESPACED && is_namespace(namespace));
}

struct live_text *
live_index_select(struct live_index *idx, const char *namespace,
    const char *text)
{
	struct live_text *t = live_answer_find(idx, namespace, text);
	struct label_selector *selector;

	if (t != NULL || (selector = label_selector_parse(text, NULL)) == NULL)
		return t;
	pthread_rwlock_rdlock(&idx->lock);
	if (can_tell(idx, namespace)) {
		t = live_index_build(idx, namespace, selector);
		live_answer_keep(idx, namespace, text, selector, t);
		selector = NULL;	/* taken */
	}
	pthread_rwlock_unlock(&idx->lock);
	label_selector_free(selector);
	return t;
}
