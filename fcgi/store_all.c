/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All values of the store, one after the other: shown to somebody, sealed
 * with a new key, removed when they are over. Names come in pages and each
 * value by itself, so that nothing is held while somebody looks at it.
 */
#include "base.h"

#include "err.h"
#include "keyring.h"
#include "secret.h"
#include "store_private.h"

#define EACH_MAX 1048576	/* names of a kind: 32 MiB of them */
#define GRACE_MS 3600000	/* what is over stays as long */

bool
store_gives_way(const char *kind)
{
	return str_starts(kind, STORE_GIVES_WAY);
}

struct store_listed *
store_list_room(struct store_list *list)
{
	if (list->n == list->cap) {
		list->cap += STORE_LIST;
		list->rows = xrealloc(list->rows, list->cap *
		    sizeof(*list->rows));
	}
	memset(&list->rows[list->n], 0, sizeof(*list->rows));
	return &list->rows[list->n];
}

void
store_list_free(struct store_list *list)
{
	if (list != NULL)
		free(list->rows);
	free(list);
}

struct names {			/* keys of one kind */
	unsigned char (*keys)[STORE_KEY];
	size_t n;
};

static int
compare(const void *a, const void *b)
{
	return memcmp(a, b, STORE_KEY);
}

/* Redis may say a name twice, and another one comes where it was. */
static void
names_sort(struct names *names)
{
	size_t i, n = 0;

	if (names->n == 0)
		return;
	qsort(names->keys, names->n, STORE_KEY, compare);
	for (i = 1; i < names->n; i++)
		if (compare(names->keys[n], names->keys[i]) != 0)
			memcpy(names->keys[++n], names->keys[i], STORE_KEY);
	names->n = n + 1;
}

static void
names_add(struct names *names, const struct store_list *list)
{
	size_t i;

	names->keys = xrealloc(names->keys, (names->n + list->n + 1) *
	    STORE_KEY);
	for (i = 0; i < list->n; i++)
		memcpy(names->keys[names->n++], list->rows[i].key, STORE_KEY);
}

static int
names_get(struct store *st, const char *kind, struct names *names,
    struct err *err)
{
	struct store_list *list = xcalloc(1, sizeof(*list));
	int r = 0;

	list->kind = kind;
	while (r == 0 && !list->end && names->n < EACH_MAX) {
		r = store_do_list(st, list, err);
		if (r == 0)
			names_add(names, list);
	}
	store_list_free(list);
	names_sort(names);
	return r;
}

static int
visit_bad(struct store *st, const struct store_item *item,
    struct store_visit *visit, struct err *err)
{
	int r = 0;

	visit->bad++;
	if (visit->drop_bad)
		r = store_del(st, item, err);
	return r == E_NOTFOUND ? 0 : r;
}

/* E_STORE: the store failed; else what each gave. */
static int
visit_one(struct store *st, const struct store_item *item,
    struct store_visit *visit, struct err *err)
{
	struct store_sealed_row row = STORE_SEALED_ROW_INIT;
	struct secret value = SECRET_INIT;
	int r = store_fetch(st, item, &row, err);

	if (r == 0 && store_row_open(st, item, &row, &value, NULL) != 0)
		r = visit_bad(st, item, visit, err);
	else if (r == 0)
		r = visit->each(visit->ctx, item, &value);
	else if (r == E_NOTFOUND)	/* gone meanwhile */
		r = 0;
	secret_release(&value);
	strbuf_release(&row.sealed);
	return r;
}

int
store_each(struct store *st, struct store_visit *visit, struct err *err)
{
	struct store_item item = { .kind = visit->kind };
	struct names names = { .n = 0 };
	size_t i;
	int r = store_ready(st, err);

	visit->bad = 0;
	if (r == 0)
		r = names_get(st, visit->kind, &names, err);
	for (i = 0; i < names.n && r == 0; i++) {
		memcpy(item.key, names.keys[i], STORE_KEY);
		r = visit_one(st, &item, visit, err);
	}
	free(names.keys);
	return r;
}

int
store_sweep(struct store *st, struct err *err)
{
	return store_do_sweep(st, st->now() - GRACE_MS, err);
}

/* --- Sealed anew ---------------------------------------------------------- */

enum sealer { SEALER_FIRST, SEALER_LATER, SEALER_UNKNOWN };

static enum sealer
sealer_of(struct store *st, const struct store_listed *row)
{
	const struct keyring *ring = store_keys_hold(st->keys);
	const struct keyring_key *key = seal_key(ring, row->head,
	    row->headlen);
	enum sealer sealer = key == NULL ? SEALER_UNKNOWN :
	    key == keyring_first(ring) ? SEALER_FIRST : SEALER_LATER;

	store_keys_let(st->keys);
	return sealer;
}

static int
seal_anew(struct store *st, const struct store_item *item,
    const struct store_sealed_row *old, const struct secret *value,
    struct err *err)
{
	struct strbuf sealed = STRBUF_INIT(STORE_VALUE_MAX + SEAL_OVERHEAD);
	struct store_row row = { .item = item, .expires = old->expires };
	int r;

	store_seal(st, item, old->expires, value, &sealed);
	row.sealed = sealed.buf;
	row.len = sealed.len;
	r = store_do_swap(st, &row, old, err);
	strbuf_release(&sealed);
	return r;
}

/* 0, or E_STORE: the store failed. */
static int
reseal_one(struct store *st, const struct store_item *item,
    struct store_resealed *out, struct err *err)
{
	struct store_sealed_row row = STORE_SEALED_ROW_INIT;
	struct secret value = SECRET_INIT;
	int r = store_fetch(st, item, &row, err);

	if (r == 0 && store_row_open(st, item, &row, &value, NULL) != 0) {
		out->lost++;
	} else if (r == 0) {
		r = seal_anew(st, item, &row, &value, err);
		out->now += r == 0;
		out->old += r != 0;	/* by whom it was changed? */
	}
	secret_release(&value);
	strbuf_release(&row.sealed);
	return r == E_NOTFOUND ? 0 : r;
}

static int
reseal_page(struct store *st, const struct store_list *list, const int *stop,
    struct store_resealed *out, struct err *err)
{
	struct store_item item;
	enum sealer sealer;
	size_t i;
	int r;

	for (i = 0; i < list->n; i++) {
		if (stop != NULL && __atomic_load_n(stop, __ATOMIC_RELAXED))
			return 0;
		out->values++;
		sealer = sealer_of(st, &list->rows[i]);
		out->lost += sealer == SEALER_UNKNOWN;
		if (sealer != SEALER_LATER)
			continue;
		item.kind = list->rows[i].kind;
		memcpy(item.key, list->rows[i].key, STORE_KEY);
		if ((r = reseal_one(st, &item, out, err)) != 0)
			return r;
	}
	return 0;
}

int
store_reseal(struct store *st, const int *stop, struct store_resealed *out,
    struct err *err)
{
	struct store_list *list = xcalloc(1, sizeof(*list));
	int r = store_ready(st, err);

	memset(out, 0, sizeof(*out));
	while (r == 0 && !list->end && !(stop != NULL &&
	    __atomic_load_n(stop, __ATOMIC_RELAXED))) {
		r = store_do_list(st, list, err);
		if (r == 0)
			r = reseal_page(st, list, stop, out, err);
	}
	store_list_free(list);
	return r;
}
