/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values that processes share through the store: one of them makes what all
 * need, its failures count for all, and so does what a 401 forced. Nothing
 * here is needed for a credential to be had: where the store fails, each
 * process makes its own, and the log says why.
 */
#include "base.h"

#include "clock.h"
#include "log.h"
#include "sources_private.h"
#include "store.h"
#include "../providers/provider.h"

/*
 * Longer than most tries take, shorter than a person waits: if its holder was
 * killed, another goes on after that. A slower one may be made twice, which
 * does no harm.
 */
#define LEASE_MS 15000
#define POLL_MS 100
#define KEEP_MS 3600000		/* what never expires, as long as that */

static struct store_item
item_of(const char *kind, const unsigned char *key)
{
	struct store_item item = { .kind = kind };

	memcpy(item.key, key, SOURCE_KEY);
	return item;
}

/* Whatever goes wrong there costs no more than the sharing. */
static bool
store_failed(int r, const struct err *err)
{
	if (r == 0 || r == E_NOTFOUND || r == E_BUSY)
		return false;
	log_warn("credentials are not shared: %s%s%s", err->text,
	    err->detail[0] != '\0' ? ": " : "", err->detail);
	return true;
}

/* Is that very value refused, whoever made it? v NULL: is any of the key? */
static bool
is_refused(struct sources *s, const struct share *sh,
    const struct source_value *v)
{
	const struct source_use *use = sh->refused->items;
	unsigned i;

	for (i = 0; i < sh->refused->n; i++, use++)
		if (memcmp(use->key, sh->key, SOURCE_KEY) == 0 && (v == NULL ||
		    use->generation == generation_of(s, v)))
			return true;
	return false;
}

/* ---- what is there ---- */

/* Another process's value, if it is good. */
static bool
value_get(struct sources *s, const struct share *sh, struct source_value *out)
{
	struct store_item item = item_of("source", sh->key);
	struct secret bytes = SECRET_INIT;
	struct err err = ERR_INIT;
	int64_t expires;
	int r = store_get(s->store, &item, &bytes, &expires, &err);
	bool good;

	if (r != 0)
		return store_failed(r, &err), false;
	good = source_value_parse(&bytes, out) &&
	    value_is_good(out, clock_wall_ms()) &&
	    !is_refused(s, sh, out);
	secret_release(&bytes);
	if (!good)
		source_value_release(out);
	return good;
}

static void
value_put(struct sources *s, const struct share *sh,
    const struct source_value *v)
{
	struct store_item item = item_of("source", sh->key);
	int64_t expires = v->expires ? v->expires : clock_wall_ms() + KEEP_MS;
	struct secret bytes = SECRET_INIT;
	struct err err = ERR_INIT;

	source_value_print(v, &bytes);
	store_failed(store_put(s->store, &item, &bytes, expires, &err), &err);
	secret_release(&bytes);
}

/* The failure that one of us met lately: its code and words; or 0. */
static int
failure_get(struct sources *s, const struct share *sh, struct err *err)
{
	struct store_item item = item_of("source failure", sh->key);
	struct secret text = SECRET_INIT;
	struct err ignored = ERR_INIT;
	int64_t expires;
	char *words;
	int code;

	if (store_get(s->store, &item, &text, &expires, &ignored) != 0)
		return 0;
	code = (int)strtol(text.ptr, &words, 10);
	if (code < 0 && *words == ' ')
		err_set(err, code, "%s", words + 1);
	secret_release(&text);
	return code < 0 ? code : 0;
}

/* How often one of us failed in a row. */
static unsigned
failures_get(struct sources *s, const struct share *sh)
{
	struct store_item item = item_of("source failures", sh->key);
	struct secret text = SECRET_INIT;
	struct err ignored = ERR_INIT;
	unsigned n = 0;
	int64_t expires;

	if (store_get(s->store, &item, &text, &expires, &ignored) == 0)
		n = (unsigned)strtoul(text.ptr, NULL, 10);
	secret_release(&text);
	return n;
}

static void
text_put(struct sources *s, const struct store_item *item, int64_t lives,
    const char *text)
{
	struct secret bytes = SECRET_INIT;
	struct err err = ERR_INIT;

	secret_set(&bytes, text, strlen(text));
	store_failed(store_put(s->store, item, &bytes, clock_wall_ms() + lives,
	    &err), &err);
	secret_release(&bytes);
}

/* What it said is forgotten when one may try again, that it failed is not:
   who tries then may be another. */
static void
failure_put(struct sources *s, const struct share *sh, const struct err *why,
    int64_t retry_after)
{
	struct store_item item = item_of("source failure", sh->key);
	struct store_item count = item_of("source failures", sh->key);
	unsigned n = failures_get(s, sh);
	int64_t wait = source_back_off(n, retry_after);
	char text[sizeof(why->text) + 16];

	snprintf(text, sizeof(text), "%d %s", why->code, why->text);
	text_put(s, &item, wait, text);
	snprintf(text, sizeof(text), "%u", n + 1);
	text_put(s, &count, wait + SOURCE_BACK_OFF_MAX, text);
}

static void
failures_forget(struct sources *s, const struct share *sh)
{
	struct store_item item = item_of("source failures", sh->key);
	struct err err = ERR_INIT;

	if (failures_get(s, sh) > 0)
		store_failed(store_del(s->store, &item, &err), &err);
}

/*
 * A 401 forces at most one value a minute for all of us. False: there was one
 * lately.
 */
static bool
force(struct sources *s, const struct share *sh)
{
	struct store_item item = item_of("source forced", sh->key);
	struct secret mark = SECRET_INIT;
	struct err err = ERR_INIT;
	int64_t expires;
	int r;

	if (!is_refused(s, sh, NULL))
		return true;
	r = store_get(s->store, &item, &mark, &expires, &err);
	secret_release(&mark);
	if (r == 0)
		return false;
	secret_set(&mark, "x", 1);
	r = store_put(s->store, &item, &mark, clock_wall_ms() +
	    SOURCE_FORCED_MS, &err);
	store_failed(r, &err);
	secret_release(&mark);
	return true;
}

/* ---- making one ---- */

enum look {
	LOOK_NONE,	/* nothing of use is there */
	LOOK_OLD,	/* a value that is good, but due */
	LOOK_GOOD,	/* a value to use */
	LOOK_FAILED,	/* none, and nobody may try now */
};

/* out is filled with OLD and GOOD, err with FAILED. */
static enum look
look(struct sources *s, const struct share *sh, struct source_value *out,
    struct err *err)
{
	const char *kind = sh->source->kind;
	bool have;

	source_value_release(out);	/* of an earlier look */
	have = value_get(s, sh, out);
	if (have)
		sh->call->note(sh->call, "%s: one is in the store", kind);
	if (have && (out->expires == 0 ||
	    clock_wall_ms() < out->expires - out->margin))
		return LOOK_GOOD;
	if (failure_get(s, sh, err) != 0) {
		sh->call->note(sh->call, "%s: another process tried a moment "
		    "ago, and failed", kind);
		return have ? LOOK_GOOD : LOOK_FAILED;
	}
	return have ? LOOK_OLD : LOOK_NONE;
}

static int
make_one(struct sources *s, const struct share *sh, struct source_value *v,
    struct err *err)
{
	int r;

	if (!force(s, sh))
		return err_set(err, E_BUSY, "%s: another one was asked for "
		    "less than a minute ago", sh->source->kind);
	r = sh->source->make(sh->call, sh->source->ctx, v, err);
	if (r == 0) {
		value_put(s, sh, v);
		failures_forget(s, sh);
	} else if (r != E_PENDING) {
		failure_put(s, sh, err, v->retry_after);
	}
	return r;
}

/* With the lease. An old value in out stays there if no new one is had. */
static int
make_leased(struct sources *s, const struct share *sh,
    struct source_value *out, struct err *err)
{
	struct source_value v = SOURCE_VALUE_INIT;
	enum look seen = look(s, sh, out, err);
	int r;

	if (seen == LOOK_GOOD || seen == LOOK_FAILED)
		return seen == LOOK_GOOD ? 0 : err->code;
	r = make_one(s, sh, &v, err);
	if (r == 0) {
		source_value_release(out);
		*out = v;		/* taken */
		return 0;
	}
	if (seen == LOOK_NONE)
		out->retry_after = v.retry_after;
	source_value_release(&v);
	return seen == LOOK_OLD ? 0 : r;
}

/* 0: the lease is ours; E_BUSY: another has it, and may be done soon. */
static int
lease_get(struct sources *s, const struct share *sh,
    struct store_lease *lease)
{
	struct store_item item = item_of("source", sh->key);
	struct err err = ERR_INIT;
	int r = store_lease(s->store, &item, LEASE_MS, lease, &err);

	store_failed(r, &err);
	return r;
}

int
share_make(struct sources *s, const struct share *sh,
    struct source_value *out, struct err *err)
{
	struct store_lease lease;
	enum look seen;
	int r;

	if (s->store == NULL)
		return sh->source->make(sh->call, sh->source->ctx, out, err);
	for (;;) {
		seen = look(s, sh, out, err);
		if (seen == LOOK_GOOD || seen == LOOK_FAILED)
			return seen == LOOK_GOOD ? 0 : err->code;
		r = lease_get(s, sh, &lease);
		if (r != E_BUSY || seen == LOOK_OLD)
			break;
		if ((r = sh->call->sleep(sh->call, POLL_MS, err)) != 0)
			return r;
	}
	if (r == E_BUSY)	/* the old one, until the other has its own */
		return 0;
	if (r == 0) {
		r = make_leased(s, sh, out, err);
		store_lease_end(s->store, &lease);
		return r;
	}
	source_value_release(out);
	return sh->source->make(sh->call, sh->source->ctx, out, err);
}
