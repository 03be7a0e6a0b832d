/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values and leases in the memory of this process, for where no store is
 * configured: bounded, and gone when the process ends. Rows are kept in
 * order, so that they are found by halving and listed from where one was.
 */
#include "base.h"

#include <pthread.h>

#include "err.h"
#include "store_backend.h"

#define PAGE 4096
#define OVERHEAD 128		/* bytes of a row beside what it holds */

struct row {			/* a value or a lease */
	char *kind;
	unsigned char key[STORE_KEY];
	int64_t expires;	/* 0: never */
	int64_t length;		/* of a lease, ms */
	size_t len;
	unsigned char *bytes;	/* sealed, or its owner */
};

struct table {
	struct row **rows;
	size_t n, cap, bytes;
};

struct store_backend {
	struct store_limits limits;
	pthread_mutex_t lock;	/* of all */
	struct table items, leases;
};

/* --- Rows ----------------------------------------------------------------- */

static int
compare(const struct row *row, const char *kind, const unsigned char *key)
{
	int c = strcmp(row->kind, kind);

	return c != 0 ? c : memcmp(row->key, key, STORE_KEY);
}

/* Where it is or would be. */
static size_t
place_of(const struct table *t, const char *kind, const unsigned char *key)
{
	size_t low = 0, high = t->n, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (compare(t->rows[middle], kind, key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct row *
find(const struct table *t, const struct store_item *item)
{
	size_t i = place_of(t, item->kind, item->key);

	return i < t->n && compare(t->rows[i], item->kind, item->key) == 0 ?
	    t->rows[i] : NULL;
}

static size_t
size_of(const struct row *row)
{
	return row->len + OVERHEAD;
}

static void
row_set(struct table *t, struct row *row, const void *bytes, size_t len)
{
	unsigned char *copy = xmalloc(len + 1);

	memcpy(copy, bytes, len);
	free(row->bytes);
	t->bytes = t->bytes - row->len + len;
	row->bytes = copy;
	row->len = len;
}

static struct row *
row_add(struct table *t, const struct store_item *item)
{
	size_t i = place_of(t, item->kind, item->key);
	struct row *row = xcalloc(1, sizeof(*row));

	row->kind = xstrdup(item->kind);
	memcpy(row->key, item->key, STORE_KEY);
	if (t->n == t->cap) {
		t->cap = t->cap * 2 + 16;
		t->rows = xrealloc(t->rows, t->cap * sizeof(*t->rows));
	}
	memmove(t->rows + i + 1, t->rows + i, (t->n - i) * sizeof(*t->rows));
	t->rows[i] = row;
	t->n++;
	t->bytes += size_of(row);
	return row;
}

static void
row_free(struct table *t, struct row *row)
{
	t->bytes -= size_of(row);
	free(row->kind);
	free(row->bytes);
	free(row);
}

/* Remove those that are to go. */
static void
remove_if(struct table *t, bool (*goes)(const struct row *row, int64_t now),
    int64_t now)
{
	size_t i, n = 0;

	for (i = 0; i < t->n; i++) {
		if (goes(t->rows[i], now))
			row_free(t, t->rows[i]);
		else
			t->rows[n++] = t->rows[i];
	}
	t->n = n;
}

static bool
is_over(const struct row *row, int64_t now)
{
	return row->expires != 0 && row->expires <= now;
}

static bool
gives_way(const struct row *row, int64_t now UNUSED)
{
	return store_gives_way(row->kind);
}

static bool
all(const struct row *row UNUSED, int64_t now UNUSED)
{
	return true;
}

static bool
has_room(const struct store_backend *be, const struct table *t, size_t rows,
    size_t bytes)
{
	return t->n + rows <= be->limits.rows &&
	    t->bytes + bytes <= (size_t)be->limits.pages * PAGE;
}

/* Room for so much more, if what may go goes. (A lease that is not over does
   not.) */
static int
make_room(struct store_backend *be, struct table *t, const struct row *like,
    int64_t now, struct err *err)
{
	size_t rows = like->bytes == NULL ? 1 : 0;

	if (has_room(be, t, rows, like->len))
		return 0;
	remove_if(t, is_over, now);
	if (has_room(be, t, rows, like->len))
		return 0;
	if (t == &be->items && !gives_way(like, 0))
		remove_if(t, gives_way, 0);
	if (has_room(be, t, rows, like->len))
		return 0;
	return err_set(err, E_STORE, "the store is full: it is in this "
	    "process's memory and holds as many values as it may; configure "
	    "stagedoor.store for more");
}

/* --- Values --------------------------------------------------------------- */

static int
memory_get(struct store_backend *be, const struct store_item *item,
    struct strbuf *sealed, int64_t *expires, struct err *err)
{
	struct row *row;
	int r = 0;

	pthread_mutex_lock(&be->lock);
	row = find(&be->items, item);
	if (row == NULL) {
		r = err_set(err, E_NOTFOUND, "nothing is stored");
	} else {
		*expires = row->expires;
		strbuf_add(sealed, (const char *)row->bytes, row->len);
	}
	pthread_mutex_unlock(&be->lock);
	return r;
}

static int
memory_put(struct store_backend *be, const struct store_row *new,
    int64_t now, struct err *err)
{
	struct row like = { .kind = (char *)(uintptr_t)new->item->kind,
	    .len = new->len };
	struct row *row;
	int64_t expires = 0;
	int r;

	pthread_mutex_lock(&be->lock);
	row = find(&be->items, new->item);
	if (row != NULL) {	/* it stays, whatever goes */
		like.len = new->len - SD_MIN(row->len, new->len);
		like.bytes = row->bytes;
		expires = row->expires;
		row->expires = 0;
	}
	r = make_room(be, &be->items, &like, now, err);
	if (row != NULL)
		row->expires = expires;
	if (r == 0) {
		if (row == NULL)
			row = row_add(&be->items, new->item);
		row_set(&be->items, row, new->sealed, new->len);
		row->expires = new->expires;
	}
	pthread_mutex_unlock(&be->lock);
	return r;
}

static int
memory_del(struct store_backend *be, const struct store_item *item,
    struct err *err UNUSED)
{
	struct table *t = &be->items;
	size_t i;

	pthread_mutex_lock(&be->lock);
	if (find(t, item) != NULL) {
		i = place_of(t, item->kind, item->key);
		row_free(t, t->rows[i]);
		memmove(t->rows + i, t->rows + i + 1, (--t->n - i) *
		    sizeof(*t->rows));
	}
	pthread_mutex_unlock(&be->lock);
	return 0;
}

static int
memory_swap(struct store_backend *be, const struct store_row *new,
    const struct store_sealed_row *old, int64_t now UNUSED, struct err *err)
{
	struct row *row;
	int r = 0;

	pthread_mutex_lock(&be->lock);
	row = find(&be->items, new->item);
	if (row == NULL || row->len != old->sealed.len ||
	    memcmp(row->bytes, old->sealed.buf, row->len) != 0) {
		r = err_set(err, E_NOTFOUND, "another value is stored");
	} else {
		row_set(&be->items, row, new->sealed, new->len);
		row->expires = new->expires;
	}
	pthread_mutex_unlock(&be->lock);
	return r;
}

static void
list_add(struct store_list *list, const struct row *row)
{
	struct store_listed *to = store_list_room(list);

	list->n++;
	snprintf(to->kind, sizeof(to->kind), "%s", row->kind);
	memcpy(to->key, row->key, STORE_KEY);
	to->headlen = SD_MIN(row->len, (size_t)SEAL_HEAD);
	memcpy(to->head, row->bytes, to->headlen);
	list->last = *to;
}

static int
memory_list(struct store_backend *be, struct store_list *list,
    struct err *err UNUSED)
{
	const struct table *t = &be->items;
	size_t i;

	list->n = 0;
	pthread_mutex_lock(&be->lock);
	i = place_of(t, list->last.kind, list->last.key);
	if (i < t->n && compare(t->rows[i], list->last.kind,
	    list->last.key) == 0)
		i++;
	for (; i < t->n && list->n < STORE_LIST; i++)
		if (list->kind == NULL || str_eq(t->rows[i]->kind, list->kind))
			list_add(list, t->rows[i]);
	list->end = i == t->n;
	pthread_mutex_unlock(&be->lock);
	return 0;
}

static int
memory_sweep(struct store_backend *be, int64_t before,
    struct err *err UNUSED)
{
	pthread_mutex_lock(&be->lock);
	remove_if(&be->items, is_over, before);
	remove_if(&be->leases, is_over, before);
	pthread_mutex_unlock(&be->lock);
	return 0;
}

/* --- Leases --------------------------------------------------------------- */

static bool
is_owned(const struct row *row, const struct store_lease *lease)
{
	return row != NULL && memcmp(row->bytes, lease->owner,
	    sizeof(lease->owner)) == 0;
}

static void
lease_set(struct row *row, const struct store_claim *claim)
{
	row->expires = claim->now + claim->ms;
	row->length = claim->ms;
}

/* A lease that ends later than it could was taken before the clock was set
   back: its owner gets its whole time once more, and no more. */
static bool
is_taken(struct row *row, int64_t now)
{
	if (row == NULL || row->expires <= now)
		return false;
	row->expires = SD_MIN(row->expires, now + row->length);
	return true;
}

static int
memory_claim(struct store_backend *be, const struct store_claim *claim,
    struct err *err)
{
	const struct store_lease *lease = claim->lease;
	struct row like = { .kind = (char *)(uintptr_t)lease->item.kind,
	    .len = sizeof(lease->owner) };
	struct row *row;
	int r = 0;

	pthread_mutex_lock(&be->lock);
	row = find(&be->leases, &lease->item);
	if (is_taken(row, claim->now))
		r = err_set(err, E_BUSY, "another has the lease");
	else if (row == NULL && (r = make_room(be, &be->leases, &like,
	    claim->now, err)) == 0)
		row = row_add(&be->leases, &lease->item);
	if (r == 0) {
		row_set(&be->leases, row, lease->owner, sizeof(lease->owner));
		lease_set(row, claim);
	}
	pthread_mutex_unlock(&be->lock);
	return r;
}

static int
memory_renew(struct store_backend *be, const struct store_claim *claim,
    struct err *err)
{
	struct row *row;
	int r = 0;

	pthread_mutex_lock(&be->lock);
	row = find(&be->leases, &claim->lease->item);
	if (is_owned(row, claim->lease))
		lease_set(row, claim);
	else
		r = err_set(err, E_BUSY, "the lease was lost: its time was "
		    "over, and another took it");
	pthread_mutex_unlock(&be->lock);
	return r;
}

static void
memory_release(struct store_backend *be, const struct store_lease *lease)
{
	struct row *row;

	pthread_mutex_lock(&be->lock);
	row = find(&be->leases, &lease->item);
	if (is_owned(row, lease)) {
		row->expires = 1;	/* over; swept some time */
		memset(row->bytes, 0, row->len);
	}
	pthread_mutex_unlock(&be->lock);
}

/* --- Open and close ------------------------------------------------------- */

static struct store_backend *
memory_open(const struct store_settings *settings UNUSED,
    const struct store_limits *limits)
{
	struct store_backend *be = xcalloc(1, sizeof(*be));

	be->limits = *limits;
	pthread_mutex_init(&be->lock, NULL);
	return be;
}

static int
memory_look(struct store_backend *be UNUSED, struct err *err UNUSED)
{
	return 0;
}

static void
memory_close(struct store_backend *be)
{
	remove_if(&be->items, all, 0);
	remove_if(&be->leases, all, 0);
	free(be->items.rows);
	free(be->leases.rows);
	pthread_mutex_destroy(&be->lock);
	free(be);
}

const struct store_ops store_memory = {
	.type = NULL,
	.shared = false,
	.open = memory_open,
	.look = memory_look,
	.close = memory_close,
	.get = memory_get,
	.put = memory_put,
	.del = memory_del,
	.swap = memory_swap,
	.list = memory_list,
	.sweep = memory_sweep,
	.claim = memory_claim,
	.renew = memory_renew,
	.release = memory_release,
};
