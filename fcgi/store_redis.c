/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values and leases in Redis or Valkey, for processes of several hosts. A
 * value is at stagedoor:KIND:HEX, its expiry (8 bytes, big endian) before the
 * sealed bytes; a lease is at stagedoor:lease:KIND:HEX, its owner as value.
 * Both end by Redis's clock. Each command, sent twice, does what it does once:
 * a lost connection leaves nobody in doubt. What was put is as durable as
 * Redis is set to be (appendonly, appendfsync).
 */
#include "base.h"

#include <hiredis.h>

#include "err.h"
#include "secret.h"
#include "store_redis.h"

#define LEASE_PREFIX REDIS_PREFIX "lease:"
#define BYTES_MAX (REDIS_TIME + STORE_VALUE_MAX + SEAL_OVERHEAD)
#define LIFE_MAX INT64_C(315360000000)	/* ten years in ms, then for ever */

/* There already: the answer to the first time was lost. (No two sealed values
   are the same.) */
static const char swap_script[] =
    "local v = redis.call('get', KEYS[1]) "
    "if v == ARGV[2] then return 1 end "
    "if v ~= ARGV[1] then return 0 end "
    "if ARGV[3] == '0' then redis.call('set', KEYS[1], ARGV[2]) else "
    "redis.call('set', KEYS[1], ARGV[2], 'PX', ARGV[3]) end return 1";
/* Ours already: the answer to the first time was lost. */
static const char claim_script[] =
    "local v = redis.call('get', KEYS[1]) "
    "if v and v ~= ARGV[1] then return 0 end "
    "redis.call('set', KEYS[1], ARGV[1], 'PX', ARGV[2]) return 1";
static const char renew_script[] =
    "if redis.call('get', KEYS[1]) ~= ARGV[1] then return 0 end "
    "return redis.call('pexpire', KEYS[1], ARGV[2])";
static const char release_script[] =
    "if redis.call('get', KEYS[1]) ~= ARGV[1] then return 0 end "
    "return redis.call('del', KEYS[1])";

/* --- Commands ------------------------------------------------------------- */

static void
add(struct redis_args *args, const void *data, size_t len)
{
	args->argv[args->n] = data;
	args->len[args->n++] = len;
}

void
redis_add_text(struct redis_args *args, const char *text)
{
	add(args, text, strlen(text));
}

static void
key_of(const char *prefix, const struct store_item *item,
    char out[REDIS_KEY_MAX])
{
	size_t i, n;

	n = (size_t)snprintf(out, REDIS_KEY_MAX, "%s%s:", prefix, item->kind);
	for (i = 0; i < STORE_KEY && n + 2 < REDIS_KEY_MAX; i++, n += 2)
		snprintf(out + n, 3, "%02x", item->key[i]);
}

int
redis_unexpected(const struct store_backend *be, redisReply *reply,
    struct err *err)
{
	freeReplyObject(reply);
	err_set(err, E_STORE, "the store's Redis answers what was not asked");
	err_detail(err, "%s", be->address.url);
	return E_STORE;
}

/* Something that answers with a number. refusal may be NULL. */
static int
ask_number(struct store_backend *be, const struct redis_args *args,
    long long *out, enum redis_refusal *refusal, struct err *err)
{
	redisReply *reply = NULL;
	int r = redis_ask(be, args, &reply, refusal, err);

	if (r != 0)
		return r;
	if (reply->type != REDIS_REPLY_INTEGER)
		return redis_unexpected(be, reply, err);
	*out = reply->integer;
	freeReplyObject(reply);
	return 0;
}

static void
add_script(struct redis_args *args, const char *script, const char *key)
{
	redis_add_text(args, "EVAL");
	redis_add_text(args, script);
	redis_add_text(args, "1");
	redis_add_text(args, key);
}

/* --- Values --------------------------------------------------------------- */

/* Shorter than any, longer than any: given as nothing, which is damage. */
static void
take_apart(const redisReply *reply, struct strbuf *sealed, int64_t *expires)
{
	uint64_t time = 0;
	size_t i;

	*expires = 0;
	if (reply == NULL || reply->len < REDIS_TIME || reply->len > BYTES_MAX)
		return;
	for (i = 0; i < REDIS_TIME; i++)
		time = time << 8 | (unsigned char)reply->str[i];
	*expires = (int64_t)time;
	strbuf_add(sealed, reply->str + REDIS_TIME, reply->len - REDIS_TIME);
}

/* 0 with *out NULL: there is something, and it is nothing of ours. */
int
redis_get_range(struct store_backend *be, const char *key, const char *last,
    redisReply **out, struct err *err)
{
	enum redis_refusal refusal = REDIS_REFUSED_NOT;
	struct redis_args args = { .n = 0 };
	struct err why = ERR_INIT;
	int r;

	*out = NULL;
	redis_add_text(&args, "GETRANGE");
	redis_add_text(&args, key);
	redis_add_text(&args, "0");
	redis_add_text(&args, last);
	r = redis_ask(be, &args, out, &refusal, &why);
	if (r != 0 && refusal != REDIS_WRONG_TYPE && err != NULL)
		*err = why;
	if (r != 0)
		return refusal == REDIS_WRONG_TYPE ? 0 : r;
	return (*out)->type == REDIS_REPLY_STRING ? 0 :
	    redis_unexpected(be, *out, err);
}

static int
redis_get(struct store_backend *be, const struct store_item *item,
    struct strbuf *sealed, int64_t *expires, struct err *err)
{
	char key[REDIS_KEY_MAX], last[16];
	redisReply *reply = NULL;
	int r;

	key_of(REDIS_PREFIX, item, key);
	snprintf(last, sizeof(last), "%d", BYTES_MAX);
	if ((r = redis_get_range(be, key, last, &reply, err)) != 0)
		return r;
	if (reply != NULL && reply->len == 0)
		r = err_set(err, E_NOTFOUND, "nothing is stored");
	else
		take_apart(reply, sealed, expires);
	freeReplyObject(reply);
	return r;
}

static void
put_together(const struct store_row *row, struct strbuf *out)
{
	uint64_t time = (uint64_t)row->expires;
	int i;

	strbuf_room(out, REDIS_TIME + row->len);
	for (i = REDIS_TIME - 1; i >= 0; i--)
		strbuf_addch(out, (char)(time >> (8 * i)));
	strbuf_add(out, row->sealed, row->len);
}

/* ms that it has to live; 0: for ever. */
static int64_t
life_of(const struct store_row *row, int64_t now)
{
	if (row->expires == 0 || row->expires - now > LIFE_MAX)
		return 0;
	return SD_MAX(row->expires - now, (int64_t)1);
}

static int
set_once(struct store_backend *be, const struct redis_args *args,
    enum redis_refusal *refusal, struct err *err)
{
	redisReply *reply = NULL;
	int r = redis_ask(be, args, &reply, refusal, err);

	if (r == 0)
		freeReplyObject(reply);
	return r;
}

/* Redis was full, but it is worth another try. */
static bool
made_room(struct store_backend *be, const struct store_item *item,
    enum redis_refusal refusal)
{
	return refusal == REDIS_FULL && !store_gives_way(item->kind) &&
	    redis_remove_others(be, NULL) == 0;
}

static int
redis_put(struct store_backend *be, const struct store_row *row, int64_t now,
    struct err *err)
{
	struct strbuf bytes = STRBUF_INIT(STRBUF_UNLIMITED);
	struct redis_args args = { .n = 0 };
	char key[REDIS_KEY_MAX], life[24];
	int64_t ms = life_of(row, now);
	enum redis_refusal refusal = REDIS_REFUSED_NOT;
	struct err why = ERR_INIT;
	int r;

	key_of(REDIS_PREFIX, row->item, key);
	put_together(row, &bytes);
	snprintf(life, sizeof(life), "%lld", (long long)ms);
	redis_add_text(&args, "SET");
	redis_add_text(&args, key);
	add(&args, bytes.buf, bytes.len);
	if (ms != 0) {
		redis_add_text(&args, "PX");
		redis_add_text(&args, life);
	}
	r = set_once(be, &args, &refusal, &why);
	if (made_room(be, row->item, refusal))
		r = set_once(be, &args, &refusal, &why);
	strbuf_release(&bytes);
	if (r != 0 && err != NULL)
		*err = why;
	return r;
}

int
redis_del_key(struct store_backend *be, const char *key, struct err *err)
{
	struct redis_args args = { .n = 0 };
	long long n;

	redis_add_text(&args, "DEL");
	redis_add_text(&args, key);
	return ask_number(be, &args, &n, NULL, err);
}

static int
redis_del(struct store_backend *be, const struct store_item *item,
    struct err *err)
{
	char key[REDIS_KEY_MAX];

	key_of(REDIS_PREFIX, item, key);
	return redis_del_key(be, key, err);
}

static int
redis_swap(struct store_backend *be, const struct store_row *row,
    const struct store_sealed_row *old, int64_t now, struct err *err)
{
	const struct store_row was = { .sealed = old->sealed.buf,
		.len = old->sealed.len, .expires = old->expires };
	struct strbuf before = STRBUF_INIT(STRBUF_UNLIMITED);
	struct strbuf after = STRBUF_INIT(STRBUF_UNLIMITED);
	struct redis_args args = { .n = 0 };
	enum redis_refusal refusal = REDIS_REFUSED_NOT;
	char key[REDIS_KEY_MAX], life[24];
	struct err why = ERR_INIT;
	long long swapped = 0;
	int r;

	key_of(REDIS_PREFIX, row->item, key);
	put_together(&was, &before);
	put_together(row, &after);
	snprintf(life, sizeof(life), "%lld", (long long)life_of(row, now));
	add_script(&args, swap_script, key);
	add(&args, before.buf, before.len);
	add(&args, after.buf, after.len);
	redis_add_text(&args, life);
	r = ask_number(be, &args, &swapped, &refusal, &why);
	if (made_room(be, row->item, refusal))
		r = ask_number(be, &args, &swapped, NULL, &why);
	strbuf_release(&before);
	strbuf_release(&after);
	if (r == 0 && swapped == 0)
		return err_set(err, E_NOTFOUND, "another value is stored");
	if (r != 0 && err != NULL)
		*err = why;
	return r;
}

/* --- Leases --------------------------------------------------------------- */

/* *done: it is the owner's. */
static int
lease(struct store_backend *be, const char *script,
    const struct store_claim *claim, bool *done, struct err *err)
{
	enum redis_refusal refusal = REDIS_REFUSED_NOT;
	const struct store_lease *l = claim->lease;
	struct redis_args args = { .n = 0 };
	char key[REDIS_KEY_MAX], ms[24];
	struct err why = ERR_INIT;
	long long n = 0;
	int r;

	key_of(LEASE_PREFIX, &l->item, key);
	snprintf(ms, sizeof(ms), "%lld", (long long)claim->ms);
	add_script(&args, script, key);
	add(&args, l->owner, sizeof(l->owner));
	redis_add_text(&args, ms);
	r = ask_number(be, &args, &n, &refusal, &why);
	if (made_room(be, &l->item, refusal))
		r = ask_number(be, &args, &n, NULL, &why);
	if (r != 0 && err != NULL)
		*err = why;
	*done = r == 0 && n != 0;
	return r;
}

static int
redis_claim(struct store_backend *be, const struct store_claim *claim,
    struct err *err)
{
	bool mine;
	int r = lease(be, claim_script, claim, &mine, err);

	return r == 0 && !mine ? err_set(err, E_BUSY,
	    "another has the lease") : r;
}

static int
redis_renew(struct store_backend *be, const struct store_claim *claim,
    struct err *err)
{
	bool mine;
	int r = lease(be, renew_script, claim, &mine, err);

	return r == 0 && !mine ? err_set(err, E_BUSY, "the lease was lost: its "
	    "time was over") : r;
}

static void
redis_release(struct store_backend *be, const struct store_lease *held)
{
	const struct store_claim claim = { .lease = held };
	bool done;

	lease(be, release_script, &claim, &done, NULL);
}

/* --- Open and close ------------------------------------------------------- */

/* All that a store does, so that what is forbidden is said at the start. */
static int
redis_look(struct store_backend *be, struct err *err)
{
	struct store_lease l = { .item = { .kind = "look" } };
	const struct store_claim claim = { .lease = &l, .ms = 1000 };
	struct store_row row = { .item = &l.item, .sealed = "", .expires = 1 };
	struct store_list *list = xcalloc(1, sizeof(*list));
	struct strbuf sealed = STRBUF_INIT(BYTES_MAX);
	int64_t expires;
	bool mine;
	int r;

	list->kind = l.item.kind;
	secret_random(l.item.key, sizeof(l.item.key));
	secret_random(l.owner, sizeof(l.owner));
	if ((r = redis_get(be, &l.item, &sealed, &expires, err)) ==
	    E_NOTFOUND)
		r = redis_put(be, &row, 0, err);
	if (r == 0)
		r = redis_del(be, &l.item, err);
	if (r == 0)
		r = lease(be, claim_script, &claim, &mine, err);
	if (r == 0)
		r = lease(be, renew_script, &claim, &mine, err);
	if (r == 0)
		r = lease(be, release_script, &claim, &mine, err);
	if (r == 0)
		r = redis_list(be, list, err);
	strbuf_release(&sealed);
	store_list_free(list);
	return r;
}

const struct store_ops store_redis = {
	.type = "redis",
	.shared = true,
	.open = redis_pool_new,
	.look = redis_look,
	.close = redis_pool_free,
	.get = redis_get,
	.put = redis_put,
	.del = redis_del,
	.swap = redis_swap,
	.list = redis_list,
	.sweep = redis_sweep,
	.claim = redis_claim,
	.renew = redis_renew,
	.release = redis_release,
};
