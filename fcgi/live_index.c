/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The objects of one kind: a table by name, and groups of those that share a
 * label or a namespace. Lists that replace all are in live_load.c, answers in
 * live_select.c.
 */
#include "base.h"

#include "err.h"
#include "live_index_private.h"

static const struct json_rules object_rules = { .depth = JSONSCAN_DEPTH };

static void
lock_init(pthread_rwlock_t *lock)
{
	pthread_rwlockattr_t attr;

	pthread_rwlockattr_init(&attr);
	/* or readers that never pause keep changes out for ever */
	pthread_rwlockattr_setkind_np(&attr,
	    PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(lock, &attr);
	pthread_rwlockattr_destroy(&attr);
}

struct live_index *
live_index_new(struct live_budget *budget, const struct live_form *form)
{
	struct live_index *idx = xcalloc(1, sizeof(*idx));

	idx->budget = budget;
	idx->form = *form;
	idx->scope = form->scope;
	idx->shape.custom = form->custom;
	strbuf_init(&idx->kind, STRBUF_UNLIMITED);
	lock_init(&idx->lock);
	pthread_mutex_init(&idx->ready, NULL);
	return idx;
}

static void
objects_free(struct live_index *idx)
{
	struct live_node *node, *next;
	size_t i;

	for (i = 0; i < idx->objects.nslots; i++)
		for (node = idx->objects.slots[i]; node != NULL; node = next) {
			next = node->next;
			live_index_replace(idx, (struct live_object *)node,
			    NULL);
		}
}

void
live_index_free(struct live_index *idx)
{
	if (idx == NULL)
		return;
	live_answers_drop_all(idx);
	objects_free(idx);
	live_table_release(&idx->objects);
	live_table_release(&idx->groups);
	live_table_release(&idx->answers);
	strbuf_release(&idx->kind);
	pthread_rwlock_destroy(&idx->lock);
	pthread_mutex_destroy(&idx->ready);
	free(idx);
}

int
live_budget_take(struct live_budget *b, size_t size, struct err *err)
{
	size_t limit = __atomic_load_n(&b->limit, __ATOMIC_RELAXED);
	size_t used = __atomic_add_fetch(&b->used, size, __ATOMIC_RELAXED);

	if (used <= limit - limit / 4)
		return 0;
	live_budget_give(b, size);
	return err_set(err, E_TOOLARGE, "objects need more memory than "
	    "stagedoor.live.memory allows");
}

void
live_budget_give(struct live_budget *b, size_t size)
{
	__atomic_sub_fetch(&b->used, size, __ATOMIC_RELAXED);
}

struct live_object *
live_index_find(const struct live_index *idx, const struct live_object *like)
{
	struct live_node *node = live_table_find(&idx->objects,
	    like->node.hash);

	while (node != NULL &&
	    strcmp(((struct live_object *)node)->key, like->key) != 0)
		node = live_table_next(node);
	return (struct live_object *)node;
}

/* --- Groups --------------------------------------------------------------- */

static uint64_t
label_hash(const struct label *label)
{
	return live_hash(label->key, strlen(label->key), label->value,
	    strlen(label->value));
}

struct live_group *
live_group_find(const struct live_index *idx, const struct label *label)
{
	struct live_node *node = live_table_find(&idx->groups,
	    label_hash(label));
	struct live_group *g;

	for (; node != NULL; node = live_table_next(node)) {
		g = (struct live_group *)node;
		if (strcmp(g->label.key, label->key) == 0 &&
		    strcmp(g->label.value, label->value) == 0)
			return g;
	}
	return NULL;
}

static struct live_group *
group_make(struct live_index *idx, const struct label *label)
{
	size_t nkey = strlen(label->key) + 1;
	size_t nvalue = strlen(label->value) + 1;
	struct live_group *g = xcalloc(1, sizeof(*g) + nkey + nvalue);

	g->node.hash = label_hash(label);
	g->label.key = memcpy(g->text, label->key, nkey);
	g->label.value = memcpy(g->text + nkey, label->value, nvalue);
	g->size = sizeof(*g) + nkey + nvalue + 4 * sizeof(void *);
	live_table_add(&idx->groups, &g->node);
	/* the object it is made for was asked about already */
	__atomic_add_fetch(&idx->budget->used, g->size, __ATOMIC_RELAXED);
	return g;
}

static void
link_in(struct live_index *idx, struct live_link *link,
    struct live_object *o, const struct label *label)
{
	struct live_group *g = live_group_find(idx, label);

	if (g == NULL)
		g = group_make(idx, label);
	link->object = o;
	link->group = g;
	link->next = g->links;
	link->at = &g->links;
	if (g->links != NULL)
		g->links->at = &link->next;
	g->links = link;
	g->n++;
}

static void
link_out(struct live_index *idx, struct live_link *link)
{
	struct live_group *g = link->group;

	*link->at = link->next;
	if (link->next != NULL)
		link->next->at = link->at;
	if (--g->n > 0)
		return;
	live_table_remove(&idx->groups, &g->node);
	live_budget_give(idx->budget, g->size);
	free(g);
}

/* --- Changes -------------------------------------------------------------- */

static void
object_add(struct live_index *idx, struct live_object *o)
{
	const struct label namespace = { "", o->namespace };
	size_t i;

	live_table_add(&idx->objects, &o->node);
	for (i = 0; i < o->nlinks; i++)
		link_in(idx, &o->links[i], o, i < o->nlabels ?
		    &o->labels[i] : &namespace);
	idx->scope = *o->namespace != '\0' ? LIVE_NAMESPACED :
	    LIVE_CLUSTER_WIDE;
	live_answers_drop(idx, o);
}

static void
object_remove(struct live_index *idx, struct live_object *o)
{
	size_t i;

	live_answers_drop(idx, o);
	live_table_remove(&idx->objects, &o->node);
	for (i = 0; i < o->nlinks; i++)
		link_out(idx, &o->links[i]);
	live_budget_give(idx->budget, o->size);
	free(o);
}

void
live_index_replace(struct live_index *idx, struct live_object *old,
    struct live_object *fresh)
{
	if (old != NULL)
		object_remove(idx, old);
	if (fresh != NULL)
		object_add(idx, fresh);
	__atomic_add_fetch(&idx->version, 1, __ATOMIC_RELAXED);
	__atomic_store_n(&idx->count, idx->objects.n, __ATOMIC_RELAXED);
}

static void
replace_locked(struct live_index *idx, struct live_object *old,
    struct live_object *fresh)
{
	pthread_rwlock_wrlock(&idx->lock);
	live_index_replace(idx, old, fresh);
	pthread_rwlock_unlock(&idx->lock);
}

static int
check_object(const char *object, size_t len, struct json_span *item,
    struct err *err)
{
	if (jsonscan_check(object, len, &object_rules, err) != 0)
		return E_PROTOCOL;
	*item = (struct json_span){ object, len };
	return len > 0 && *object == '{' ? 0 :
	    err_set(err, E_PROTOCOL, "an object is none");
}

int
live_index_put(struct live_index *idx, const char *object, size_t len,
    struct err *err)
{
	struct live_object *fresh, *old;
	struct json_span item;
	int r;

	if ((r = check_object(object, len, &item, err)) != 0)
		return r;
	if (!idx->shape.known)
		return err_set(err, E_PENDING, "the form of a list's items is "
		    "not known yet");
	if ((r = live_object_read(&idx->shape, item, &fresh, err)) != 0)
		return r;
	old = live_index_find(idx, fresh);
	if ((r = live_budget_take(idx->budget, fresh->size, err)) != 0) {
		free(fresh);
		return r;
	}
	replace_locked(idx, old, fresh);
	return 0;
}

int
live_index_delete(struct live_index *idx, const char *object, size_t len,
    struct err *err)
{
	struct live_object *key, *old;
	struct json_span item;
	int r;

	if ((r = check_object(object, len, &item, err)) != 0 ||
	    (r = live_object_read_key(item, &key, err)) != 0)
		return r;
	old = live_index_find(idx, key);
	free(key);
	if (old != NULL)
		replace_locked(idx, old, NULL);
	return 0;
}

uint64_t
live_index_version(const struct live_index *idx)
{
	return __atomic_load_n(&idx->version, __ATOMIC_RELAXED);
}

size_t
live_index_count(const struct live_index *idx)
{
	return __atomic_load_n(&idx->count, __ATOMIC_RELAXED);
}
