/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole lists. What is there already is only marked as seen; what is new or
 * has changed waits until the list is complete. So a list that comes again
 * needs little memory, and answers that it does not change stay ready.
 */
#include "base.h"

#include "err.h"
#include "live_index_private.h"

struct live_load {
	struct live_index *idx;
	uint64_t mark;
	struct live_shape shape;
	struct strbuf kind;
	struct live_object **fresh;
	size_t n, cap;
};

struct live_load *
live_load_begin(struct live_index *idx)
{
	struct live_load *load = xcalloc(1, sizeof(*load));

	load->idx = idx;
	load->mark = ++idx->loads;
	load->shape = idx->shape;
	load->shape.known = false;
	load->shape.listed = true;
	strbuf_init(&load->kind, STRBUF_UNLIMITED);
	return load;
}

static bool
is_same(const struct live_object *a, const struct live_object *b)
{
	return a->len == b->len && memcmp(a->data, b->data, a->len) == 0;
}

static int
add_object(struct live_load *load, struct json_span item, struct err *err)
{
	struct live_object *o, *old;
	int r;

	if (item.ptr[0] != '{')
		return err_set(err, E_PROTOCOL, "an object is none");
	if (!load->shape.known)
		live_shape_learn(&load->shape, item);
	if ((r = live_object_read(&load->shape, item, &o, err)) != 0)
		return r;
	old = live_index_find(load->idx, o);
	if (old != NULL && is_same(old, o)) {
		old->seen = load->mark;
		free(o);
		return 0;
	}
	if ((r = live_budget_take(load->idx->budget, o->size, err)) != 0) {
		free(o);
		return r;
	}
	if (load->n == load->cap) {
		load->cap = SD_MAX(load->cap + load->cap / 2, (size_t)64);
		load->fresh = xrealloc(load->fresh,
		    load->cap * sizeof(*load->fresh));
	}
	load->fresh[load->n++] = o;
	return 0;
}

static int
check_list(struct live_load *load, const char *list, size_t len,
    struct json_span *items, struct err *err)
{
	struct json_span kind;
	const struct json_pick picks[] = {
		{ "items", items }, { "kind", &kind },
	};
	const struct json_rules rules = { .depth = JSONSCAN_DEPTH,
	    .picks = picks, .npicks = ARRAY_LEN(picks) };

	if (jsonscan_check(list, len, &rules, err) != 0)
		return E_PROTOCOL;
	if (items->ptr == NULL || (*items->ptr != '[' && *items->ptr != 'n'))
		return err_set(err, E_PROTOCOL, "it has no items");
	if (load->shape.custom &&
	    (!jsonscan_is_string(kind) || kind.len == 2))
		return err_set(err, E_PROTOCOL, "it has no kind");
	strbuf_reset(&load->kind);
	if (kind.ptr != NULL)
		strbuf_add(&load->kind, kind.ptr, kind.len);
	load->shape.kind = (struct json_span){ load->kind.buf,
	    load->kind.len };
	load->shape.hide = load->idx->form.secrets ||
	    jsonscan_is(kind, "SecretList");
	return 0;
}

int
live_load_add(struct live_load *load, const char *list, size_t len,
    struct err *err)
{
	struct json_span items, item;
	struct jsonscan it;
	int r;

	if ((r = check_list(load, list, len, &items, err)) != 0)
		return r;
	if (!jsonscan_begin(&it, items, '['))
		return 0;	/* null: an empty list of Go's */
	while (r == 0 && jsonscan_element(&it, &item))
		r = add_object(load, item, err);
	return r;
}

/* An empty list tells nothing of the form of its items. */
static void
take_shape(struct live_load *load)
{
	struct live_shape *to = &load->idx->shape;
	struct strbuf old = load->idx->kind;

	load->idx->kind = load->kind;
	load->kind = old;
	load->shape.listed = false;
	if (!load->shape.known) {
		load->shape.known = to->known;
		load->shape.has_kind = to->has_kind;
		load->shape.has_version = to->has_version;
	}
	*to = load->shape;
}

/* What the list did not have any more. */
static void
sweep(struct live_index *idx, uint64_t mark)
{
	struct live_node *node, *next;
	struct live_object *o;
	size_t i;

	for (i = 0; i < idx->objects.nslots; i++)
		for (node = idx->objects.slots[i]; node != NULL; node = next) {
			next = node->next;
			o = (struct live_object *)node;
			if (o->seen != mark)
				live_index_replace(idx, o, NULL);
		}
}

void
live_load_commit(struct live_load *load)
{
	struct live_index *idx = load->idx;
	enum live_scope scope;
	size_t i;

	take_shape(load);
	pthread_rwlock_wrlock(&idx->lock);
	scope = idx->scope;
	for (i = 0; i < load->n; i++) {
		load->fresh[i]->seen = load->mark;
		live_index_replace(idx, live_index_find(idx, load->fresh[i]),
		    load->fresh[i]);
	}
	load->n = 0;	/* they are the index's */
	sweep(idx, load->mark);
	if (idx->objects.n == 0)
		idx->scope = idx->form.scope;
	if (idx->scope != scope)	/* it was defined anew */
		live_answers_drop_all(idx);
	idx->untold = idx->form.custom &&
	    jsonscan_is(idx->shape.kind, "PodList");
	pthread_rwlock_unlock(&idx->lock);
	live_load_drop(load);
}

void
live_load_drop(struct live_load *load)
{
	size_t i;

	if (load == NULL)
		return;
	for (i = 0; i < load->n; i++) {
		live_budget_give(load->idx->budget, load->fresh[i]->size);
		free(load->fresh[i]);
	}
	free(load->fresh);
	strbuf_release(&load->kind);
	free(load);
}
