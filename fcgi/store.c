/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The front of the store: what goes in is sealed, what comes out is opened
 * and held against the clock, and a lease belongs to who drew its owner.
 * Where the bytes are kept is a back end's business (store_backend.h).
 */
#include "base.h"

#include "clock.h"
#include "err.h"
#include "keyring.h"
#include "seal.h"
#include "store_private.h"

#define SWAP_TRIES 3

/* Users times clusters, with much to spare; 1 GiB holds as many values of
   16 KiB, and most have two. */
static const struct store_limits usual = {
	.rows = 65536,
	.pages = 262144,
	.wait_ms = 2000,
	.sweep = 64,
	.now = clock_wall_ms,
};

static const struct store_ops *const backends[] = { &store_memory,
    &store_redis, &store_sqlite };

static const struct store_ops *
backend_of(const char *type)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(backends); i++)
		if (str_eq(backends[i]->type, type))
			return backends[i];
	return NULL;
}

int
store_check(const struct store_settings *settings, struct err *err)
{
	struct keyring *keys = NULL;
	int r = keyring_read(settings->key_file, &keys, err);

	keyring_free(keys);
	return r;
}

bool
store_settings_same(const struct store_settings *a,
    const struct store_settings *b)
{
	return str_eq(a->type, b->type) && str_eq(a->path, b->path) &&
	    str_eq(a->url, b->url) && str_eq(a->username, b->username) &&
	    (a->password.len == b->password.len && (a->password.len == 0 ||
	    secret_equal(&a->password, b->password.ptr, b->password.len))) &&
	    str_eq(a->password_file, b->password_file) &&
	    str_eq(a->key_file, b->key_file);
}

static struct store *
store_new(const struct store_ops *ops, const struct store_settings *settings,
    const struct store_limits *limits)
{
	struct store *st = xcalloc(1, sizeof(*st));

	st->ops = ops;
	st->keys = store_keys_new(settings->type == NULL ? NULL :
	    settings->key_file);
	st->now = limits->now;
	st->be = ops->open(settings, limits);
	return st;
}

/* Text and detail in one: whoever opens it may know where it is. */
static int
look(struct store *st, struct err *err)
{
	struct err why = ERR_INIT;
	int r = store_keys_ready(st->keys, err);

	if (r != 0 || (r = st->ops->look(st->be, &why)) == 0)
		return r;
	return err_set(err, r, "%s (%s)", why.text, why.detail);
}

int
store_open_limited(const struct store_settings *settings,
    const struct store_limits *limits, struct store **out, struct err *err)
{
	const struct store_ops *ops = backend_of(settings->type);
	struct store *st;
	int r;

	if (ops == NULL)
		return err_set(err, E_NOTBUILT, "a store of type '%s' is not "
		    "built in yet", settings->type);
	st = store_new(ops, settings, limits);
	if ((r = look(st, err)) != 0)
		store_close(st);
	else
		*out = st;
	return r;
}

int
store_open(const struct store_settings *settings, struct store **out,
    struct err *err)
{
	return store_open_limited(settings, &usual, out, err);
}

struct store *
store_open_later(const struct store_settings *settings, struct err *err)
{
	const struct store_settings memory = { .type = NULL };
	const struct store_ops *ops = backend_of(settings->type);
	struct store *st;

	if (ops == NULL) {
		err_set(err, E_NOTBUILT, "a store of type '%s' is not built "
		    "in yet", settings->type);
		return store_new(&store_memory, &memory, &usual);
	}
	st = store_new(ops, settings, &usual);
	look(st, err);
	return st;
}

void
store_close(struct store *st)
{
	if (st == NULL)
		return;
	st->ops->close(st->be);
	store_keys_free(st->keys);
	free(st);
}

int
store_look(struct store *st, struct err *err)
{
	return look(st, err);
}

const char *
store_type(const struct store *st)
{
	return st->ops->type;
}

bool
store_is_shared(const struct store *st)
{
	return st->ops->shared;
}

/* --- Keys ----------------------------------------------------------------- */

int
store_ready(struct store *st, struct err *err)
{
	struct err why = ERR_INIT;

	if (store_keys_ready(st->keys, &why) == 0)
		return 0;
	err_set(err, E_STORE, "the store cannot be used: its key file is "
	    "wrong");
	err_detail(err, "%s", why.text);
	return E_STORE;
}

void
store_derive(struct store *st, const char *purpose, unsigned char out[32])
{
	keyring_derive(keyring_first(store_keys_hold(st->keys)), purpose,
	    out);
	store_keys_let(st->keys);
}

int
store_keys_again(struct store *st, struct err *err)
{
	return store_keys_read(st->keys, err);
}

void
store_key_names(struct store *st, struct strbuf *first, struct strbuf *others)
{
	const struct keyring *ring = store_keys_hold(st->keys);
	size_t i;

	strbuf_addstr(first, keyring_first(ring)->id);
	for (i = 1; i < keyring_count(ring); i++)
		strbuf_addf(others, "%s%s", i > 1 ? ", " : "",
		    keyring_at(ring, i)->id);
	store_keys_let(st->keys);
}

struct seal_name
store_name_of(const struct store_item *item, int64_t expires)
{
	if (strlen(item->kind) > STORE_KIND_MAX)
		BUG("kind '%s' is too long", item->kind);
	return (struct seal_name){ .kind = item->kind, .key = item->key,
	    .len = STORE_KEY, .expires = expires };
}

static void
seal(struct store *st, const struct seal_name *name,
    const struct secret *value, struct strbuf *out)
{
	seal_value(store_keys_hold(st->keys), name, value, out);
	store_keys_let(st->keys);
}

static int
unseal(struct store *st, const struct seal_name *name,
    const struct strbuf *sealed, struct secret *out, struct err *err)
{
	struct err why = ERR_INIT;
	unsigned serial;
	int r;

	do {
		serial = store_keys_serial(st->keys);
		r = seal_open(store_keys_hold(st->keys), name, sealed, out,
		    &why);
		store_keys_let(st->keys);
	} while (r == E_NOTFOUND && store_keys_refresh(st->keys, serial));
	return r == 0 ? 0 : err_set(err, r, "%s", why.text);
}

/* --- Values --------------------------------------------------------------- */

int
store_fetch(struct store *st, const struct store_item *item,
    struct store_sealed_row *out, struct err *err)
{
	int r = store_ready(st, err);

	if (r != 0)
		return r;
	r = store_do_get(st, item, out, err);
	if (r == 0 && out->expires != 0 && out->expires <= st->now())
		r = err_set(err, E_NOTFOUND, "what was stored has expired");
	return r;
}

int
store_row_open(struct store *st, const struct store_item *item,
    const struct store_sealed_row *row, struct secret *out, struct err *err)
{
	struct seal_name name = store_name_of(item, row->expires);

	return unseal(st, &name, &row->sealed, out, err);
}

int
store_get(struct store *st, const struct store_item *item,
    struct secret *out, int64_t *expires, struct err *err)
{
	struct store_sealed_row row = STORE_SEALED_ROW_INIT;
	int r = store_fetch(st, item, &row, err);

	if (r == 0)
		r = store_row_open(st, item, &row, out, err);
	if (r == 0)
		*expires = row.expires;
	strbuf_release(&row.sealed);
	return r;
}

/* What may be stored, sealed; row is for as long as sealed is. */
static int
row_seal(struct store *st, const struct secret *value, struct store_row *row,
    struct strbuf *sealed, struct err *err)
{
	struct seal_name name = store_name_of(row->item, row->expires);

	if (value->len > STORE_VALUE_MAX)
		return err_set(err, E_STORE, "a value of %zu bytes is too "
		    "long to store: %d may be", value->len, STORE_VALUE_MAX);
	if (row->expires < 0)
		return err_set(err, E_STORE, "a value that expired before "
		    "1970 cannot be stored");
	seal(st, &name, value, sealed);
	row->sealed = sealed->buf;
	row->len = sealed->len;
	return 0;
}

int
store_put(struct store *st, const struct store_item *item,
    const struct secret *value, int64_t expires, struct err *err)
{
	struct strbuf sealed = STRBUF_INIT(STORE_VALUE_MAX + SEAL_OVERHEAD);
	struct store_row row = { .item = item, .expires = expires };
	int r = store_ready(st, err);

	if (r == 0)
		r = row_seal(st, value, &row, &sealed, err);
	if (r == 0)
		r = store_do_put(st, &row, err);
	strbuf_release(&sealed);
	return r;
}

/* Put row in the place of these bytes, if they are those of the right one. */
static int
swap_with(struct store *st, const struct store_swap *swap,
    const struct store_sealed_row *old, const struct store_row *row,
    struct err *err)
{
	struct secret now = SECRET_INIT;
	int r = store_row_open(st, swap->item, old, &now, err);
	bool is = r == 0 && swap->is(swap->ctx, &now);

	secret_release(&now);
	if (r != 0)
		return r;
	if (!is)
		return err_set(err, E_BUSY, "another value is stored now");
	return store_do_swap(st, row, old, err);
}

int
store_swap(struct store *st, const struct store_swap *swap, struct err *err)
{
	struct strbuf sealed = STRBUF_INIT(STORE_VALUE_MAX + SEAL_OVERHEAD);
	struct store_row row = { .item = swap->item,
		.expires = swap->expires };
	int r = row_seal(st, swap->value, &row, &sealed, err);
	int tries;

	/* The right one may be sealed anew while we look at it. */
	for (tries = 0; r == 0; tries++) {
		struct store_sealed_row old = STORE_SEALED_ROW_INIT;

		r = store_fetch(st, swap->item, &old, err);
		if (r == 0)
			r = swap_with(st, swap, &old, &row, err);
		strbuf_release(&old.sealed);
		if (r != E_NOTFOUND || tries == SWAP_TRIES)
			break;
		r = 0;
	}
	strbuf_release(&sealed);
	return r;
}

int
store_del(struct store *st, const struct store_item *item, struct err *err)
{
	return store_do_del(st, item, err);
}

void
store_seal(struct store *st, const struct store_item *item, int64_t expires,
    const struct secret *value, struct strbuf *out)
{
	struct seal_name name = store_name_of(item, expires);

	seal(st, &name, value, out);
}

int
store_unseal(struct store *st, const struct store_sealed *sealed,
    struct secret *out, struct err *err)
{
	struct seal_name name = store_name_of(sealed->item, sealed->expires);

	if (sealed->expires != 0 && sealed->expires <= st->now())
		return err_set(err, E_NOTFOUND, "what was sealed has expired");
	return unseal(st, &name, sealed->bytes, out, err);
}

/* --- Leases --------------------------------------------------------------- */

static int64_t
lease_ms(int64_t ms)
{
	return SD_MIN(SD_MAX(ms, (int64_t)1), (int64_t)STORE_LEASE_MAX);
}

int
store_lease(struct store *st, const struct store_item *item, int64_t ms,
    struct store_lease *out, struct err *err)
{
	const struct store_claim claim = { .lease = out, .now = st->now(),
		.ms = lease_ms(ms) };

	out->item = *item;
	secret_random(out->owner, sizeof(out->owner));
	return store_do_claim(st, &claim, err);
}

int
store_lease_renew(struct store *st, const struct store_lease *lease,
    int64_t ms, struct err *err)
{
	const struct store_claim claim = { .lease = lease, .now = st->now(),
		.ms = lease_ms(ms) };

	return store_do_renew(st, &claim, err);
}

void
store_lease_end(struct store *st, const struct store_lease *lease)
{
	store_do_release(st, lease);
}
