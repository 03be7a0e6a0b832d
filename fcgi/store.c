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
#include "store_backend.h"

/* Users times clusters, with much to spare; 1 GiB holds as many values of
   16 KiB, and most have two. */
static const struct store_limits usual = {
	.rows = 65536,
	.pages = 262144,
	.wait_ms = 2000,
	.sweep = 64,
	.now = clock_wall_ms,
};

struct store {
	struct keyring *keys;
	const struct store_ops *ops;
	struct store_backend *be;
	int64_t (*now)(void);
};

static const struct store_ops *const backends[] = { &store_sqlite };

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

int
store_open_limited(const struct store_settings *settings,
    const struct store_limits *limits, struct store **out, struct err *err)
{
	const struct store_ops *ops = backend_of(settings->type);
	struct store *st = xcalloc(1, sizeof(*st));
	int r;

	if (ops == NULL) {
		r = err_set(err, E_NOTBUILT, "a store of type '%s' is not "
		    "built in yet", settings->type ? settings->type : "");
		goto out;
	}
	if ((r = keyring_read(settings->key_file, &st->keys, err)) != 0)
		goto out;
	st->ops = ops;
	st->now = limits->now;
	if ((r = ops->open(settings, limits, &st->be, err)) != 0)
		goto out;
	*out = st;
	st = NULL;
 out:
	store_close(st);
	return r;
}

int
store_open(const struct store_settings *settings, struct store **out,
    struct err *err)
{
	return store_open_limited(settings, &usual, out, err);
}

void
store_close(struct store *st)
{
	if (st == NULL)
		return;
	if (st->be != NULL)
		st->ops->close(st->be);
	keyring_free(st->keys);
	free(st);
}

void
store_derive(const struct store *st, const char *purpose,
    unsigned char out[32])
{
	keyring_derive(keyring_first(st->keys), purpose, out);
}

static struct seal_name
name_of(const struct store_item *item, int64_t expires)
{
	if (strlen(item->kind) > STORE_KIND_MAX)
		BUG("kind '%s' is too long", item->kind);
	return (struct seal_name){ .kind = item->kind, .key = item->key,
	    .len = STORE_KEY, .expires = expires };
}

int
store_get(struct store *st, const struct store_item *item,
    struct secret *out, int64_t *expires, struct err *err)
{
	struct strbuf sealed = STRBUF_INIT(STORE_VALUE_MAX + SEAL_OVERHEAD);
	struct seal_name name;
	int64_t until = 0;
	int r;

	r = st->ops->get(st->be, item, &sealed, &until, err);
	if (r == 0 && until != 0 && until <= st->now())
		r = err_set(err, E_NOTFOUND, "what was stored has expired");
	name = name_of(item, until);
	if (r == 0)
		r = seal_open(st->keys, &name, &sealed, out, err);
	if (r == 0)
		*expires = until;
	strbuf_release(&sealed);
	return r;
}

int
store_put(struct store *st, const struct store_item *item,
    const struct secret *value, int64_t expires, struct err *err)
{
	struct strbuf sealed = STRBUF_INIT(STORE_VALUE_MAX + SEAL_OVERHEAD);
	struct seal_name name = name_of(item, expires);
	struct store_row row = { .item = item, .expires = expires };
	int r;

	if (value->len > STORE_VALUE_MAX)
		return err_set(err, E_STORE, "a value of %zu bytes is too "
		    "long to store: %d may be", value->len, STORE_VALUE_MAX);
	if (expires < 0)
		return err_set(err, E_STORE, "a value that expired before "
		    "1970 cannot be stored");
	seal_value(st->keys, &name, value, &sealed);
	row.sealed = sealed.buf;
	row.len = sealed.len;
	r = st->ops->put(st->be, &row, st->now(), err);
	strbuf_release(&sealed);
	return r;
}

void
store_seal(const struct store *st, const struct store_item *item,
    int64_t expires, const struct secret *value, struct strbuf *out)
{
	struct seal_name name = name_of(item, expires);

	seal_value(st->keys, &name, value, out);
}

int
store_unseal(const struct store *st, const struct store_sealed *sealed,
    struct secret *out, struct err *err)
{
	struct seal_name name = name_of(sealed->item, sealed->expires);

	if (sealed->expires != 0 && sealed->expires <= st->now())
		return err_set(err, E_NOTFOUND, "what was sealed has expired");
	return seal_open(st->keys, &name, sealed->bytes, out, err);
}

int
store_del(struct store *st, const struct store_item *item, struct err *err)
{
	return st->ops->del(st->be, item, err);
}

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
	return st->ops->claim(st->be, &claim, err);
}

int
store_lease_renew(struct store *st, const struct store_lease *lease,
    int64_t ms, struct err *err)
{
	const struct store_claim claim = { .lease = lease, .now = st->now(),
		.ms = lease_ms(ms) };

	return st->ops->renew(st->be, &claim, err);
}

void
store_lease_end(struct store *st, const struct store_lease *lease)
{
	st->ops->release(st->be, lease);
}
