/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sets of tokens as the store keeps them: one JSON object each, sealed by the
 * store and named by a hash, so that a row tells nobody whose it is.
 */
#include "base.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "clock.h"
#include "jsonx.h"
#include "strbuf.h"
#include "tokens.h"

#define FORMAT 1
#define DAY_MS INT64_C(86400000)
#define IDLE_MS (90 * DAY_MS)	/* a session that nobody used for so long, or
				   a sign-in that ended, is forgotten */

/* In the order of a set's fields; one table to write and to read them. */
#define FIELD(f) { #f, offsetof(struct token_set, f) }
static const struct field {
	const char *name;
	size_t at;
} texts[] = {
	FIELD(user), FIELD(provider), FIELD(name), FIELD(issuer),
	FIELD(subject), FIELD(account), FIELD(scope), FIELD(ended),
}, secrets[] = {
	FIELD(id_token), FIELD(access_token), FIELD(refresh_token),
}, times[] = {
	FIELD(id_expires), FIELD(access_expires), FIELD(signed_in),
	FIELD(refreshed),
};

static char **
text_at(const struct token_set *ts, const struct field *f)
{
	return (char **)(uintptr_t)((const char *)ts + f->at);
}

static struct secret *
secret_at(const struct token_set *ts, const struct field *f)
{
	return (struct secret *)(uintptr_t)((const char *)ts + f->at);
}

static int64_t *
time_at(const struct token_set *ts, const struct field *f)
{
	return (int64_t *)(uintptr_t)((const char *)ts + f->at);
}

void
token_set_release(struct token_set *ts)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(texts); i++)
		free(*text_at(ts, &texts[i]));
	for (i = 0; i < ARRAY_LEN(secrets); i++)
		secret_release(secret_at(ts, &secrets[i]));
	memset(ts, 0, sizeof(*ts));
}

void
token_set_copy(struct token_set *to, const struct token_set *from)
{
	size_t i;

	*to = *from;
	for (i = 0; i < ARRAY_LEN(texts); i++) {
		const char *text = *text_at(from, &texts[i]);

		*text_at(to, &texts[i]) = text != NULL ? xstrdup(text) : NULL;
	}
	for (i = 0; i < ARRAY_LEN(secrets); i++) {
		const struct secret *s = secret_at(from, &secrets[i]);

		*secret_at(to, &secrets[i]) = (struct secret)SECRET_INIT;
		secret_set(secret_at(to, &secrets[i]), s->ptr, s->len);
	}
}

void
token_set_renew(struct token_set *ts)
{
	static const char hex[] = "0123456789abcdef";
	unsigned char random[(TOKEN_SET_GENERATION - 1) / 2];
	size_t i;

	secret_random(random, sizeof(random));
	for (i = 0; i < sizeof(random); i++) {
		ts->generation[2 * i] = hex[random[i] >> 4];
		ts->generation[2 * i + 1] = hex[random[i] & 15];
	}
	ts->generation[2 * i] = '\0';
}

void
token_set_end(struct token_set *ts, const char *why)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(secrets); i++)
		secret_release(secret_at(ts, &secrets[i]));
	ts->id_expires = ts->access_expires = 0;
	free(ts->ended);
	ts->ended = xstrdup(why);
	token_set_renew(ts);
}

/* ---- as bytes ---- */

static void
add_number(struct strbuf *sb, const char *name, int64_t n)
{
	jsonx_add_comma(sb);
	strbuf_addf(sb, "\"%s\":%lld", name, (long long)n);
}

static void
print(const struct token_set *ts, struct secret *out)
{
	struct strbuf sb = STRBUF_INIT(STORE_VALUE_MAX * 2);
	size_t i, size = 1024;

	for (i = 0; i < ARRAY_LEN(secrets); i++)
		size += secret_at(ts, &secrets[i])->len * 2;
	strbuf_room(&sb, size);		/* growing would leave copies */
	strbuf_addf(&sb, "{\"v\":%d", FORMAT);
	for (i = 0; i < ARRAY_LEN(texts); i++)
		if (*text_at(ts, &texts[i]) != NULL)
			jsonx_add_pair(&sb, texts[i].name,
			    *text_at(ts, &texts[i]));
	for (i = 0; i < ARRAY_LEN(times); i++)
		add_number(&sb, times[i].name, *time_at(ts, &times[i]));
	add_number(&sb, "tries", ts->tries);
	jsonx_add_pair(&sb, "generation", ts->generation);
	for (i = 0; i < ARRAY_LEN(secrets); i++)
		if (secret_at(ts, &secrets[i])->len > 0)
			jsonx_add_pair(&sb, secrets[i].name,
			    secret_at(ts, &secrets[i])->ptr);
	strbuf_addch(&sb, '}');
	secret_set(out, sb.buf, sb.len);
	strbuf_wipe(&sb);
}

static int64_t
number_of(struct json_object *o, const char *name)
{
	struct json_object *n = jsonx_get(o, name);

	return json_object_is_type(n, json_type_int) ?
	    json_object_get_int64(n) : 0;
}

static void
read_fields(struct json_object *o, struct token_set *out)
{
	const char *text;
	size_t i;

	for (i = 0; i < ARRAY_LEN(texts); i++)
		if ((text = jsonx_str(o, texts[i].name)) != NULL)
			*text_at(out, &texts[i]) = xstrdup(text);
	for (i = 0; i < ARRAY_LEN(secrets); i++)
		if ((text = jsonx_str(o, secrets[i].name)) != NULL)
			secret_set(secret_at(out, &secrets[i]), text,
			    strlen(text));
	for (i = 0; i < ARRAY_LEN(times); i++)
		*time_at(out, &times[i]) = number_of(o, times[i].name);
	out->tries = (unsigned)number_of(o, "tries");
	text = jsonx_str(o, "generation");
	snprintf(out->generation, sizeof(out->generation), "%s",
	    text != NULL ? text : "");
}

static int
parse(const struct secret *value, struct token_set *out, struct err *err)
{
	struct json_object *o = NULL;
	int r = jsonx_parse(value->ptr, value->len, &o, err);

	memset(out, 0, sizeof(*out));
	if (r != 0)
		return err_set(err, E_STORE, "a stored sign-in is damaged");
	if (number_of(o, "v") < 1 || number_of(o, "v") > FORMAT)
		r = err_set(err, E_STORE, "a stored sign-in is of another "
		    "version of this program");
	else
		read_fields(o, out);
	jsonx_wipe(o);
	if (r == 0 && (out->user == NULL || out->provider == NULL ||
	    out->name == NULL))
		r = err_set(err, E_STORE, "a stored sign-in is damaged");
	if (r != 0)
		token_set_release(out);
	return r;
}

/* ---- in the store ---- */

/* Lengths go in too: "ab", "c" is not "a", "bc". */
struct store_item
tokens_item(const struct token_key *key)
{
	struct store_item item = { .kind = TOKENS_KIND };
	struct strbuf sb = STRBUF_INIT(STRBUF_UNLIMITED);

	strbuf_addf(&sb, "tokens %zu %s %zu %s %zu %s", strlen(key->user),
	    key->user, strlen(key->provider), key->provider,
	    strlen(key->name), key->name);
	if (EVP_Digest(sb.buf, sb.len, item.key, NULL, EVP_sha256(),
	    NULL) != 1)
		BUG("SHA-256 failed");
	strbuf_release(&sb);
	return item;
}

/* With a refresh token as long as it is used now and then; without one, no
   longer than the tokens are good. */
static int64_t
expiry_of(const struct token_set *ts)
{
	if (ts->refresh_token.len > 0 || ts->ended != NULL)
		return clock_wall_ms() + IDLE_MS;
	return SD_MAX(SD_MAX(ts->id_expires, ts->access_expires),
	    clock_wall_ms() + 1000);
}

int
tokens_get(struct store *st, const struct token_key *key,
    struct token_set *out, struct err *err)
{
	struct store_item item = tokens_item(key);
	struct secret value = SECRET_INIT;
	int64_t expires;
	int r;

	memset(out, 0, sizeof(*out));
	if ((r = store_get(st, &item, &value, &expires, err)) != 0)
		return r;
	r = parse(&value, out, err);
	secret_release(&value);
	if (r == 0 && (strcmp(out->user, key->user) != 0 ||
	    strcmp(out->provider, key->provider) != 0 ||
	    strcmp(out->name, key->name) != 0)) {
		token_set_release(out);
		r = err_set(err, E_STORE, "a stored sign-in is another's");
	}
	return r;
}

int
tokens_put(struct store *st, const struct token_set *ts, struct err *err)
{
	const struct token_key key = { ts->user, ts->provider, ts->name };
	struct store_item item = tokens_item(&key);
	struct secret value = SECRET_INIT;
	int r;

	print(ts, &value);
	r = store_put(st, &item, &value, expiry_of(ts), err);
	secret_release(&value);
	return r;
}

static bool
is_generation(void *ctx, const struct secret *now)
{
	const char *generation = ctx;
	struct token_set ts;
	bool is;

	if (parse(now, &ts, NULL) != 0)
		return false;
	is = strcmp(ts.generation, generation) == 0;
	token_set_release(&ts);
	return is;
}

int
tokens_swap(struct store *st, const struct token_set *ts,
    const char *generation, struct err *err)
{
	const struct token_key key = { ts->user, ts->provider, ts->name };
	struct store_item item = tokens_item(&key);
	struct secret value = SECRET_INIT;
	const struct store_swap swap = {
		.item = &item,
		.is = is_generation,
		.ctx = (void *)(uintptr_t)generation,
		.value = &value,
		.expires = expiry_of(ts),
	};
	int r;

	print(ts, &value);
	r = store_swap(st, &swap, err);
	secret_release(&value);
	return r;
}

int
tokens_del(struct store *st, const struct token_key *key, struct err *err)
{
	struct store_item item = tokens_item(key);
	int r = store_del(st, &item, err);

	return r == E_NOTFOUND ? 0 : r;
}

struct each {
	int (*each)(void *ctx, const struct token_set *ts);
	void *ctx;
	struct store *drop;	/* remove what cannot be read; or NULL */
	size_t bad;
	struct err *err;
};

static int
each_value(void *ctx, const struct store_item *item,
    const struct secret *value)
{
	struct each *e = ctx;
	struct token_set ts;
	int r = 0;

	if (parse(value, &ts, NULL) != 0) {
		e->bad++;
		if (e->drop != NULL)
			r = store_del(e->drop, item, e->err);
		return r == E_NOTFOUND ? 0 : r;
	}
	if (e->each != NULL)
		r = e->each(e->ctx, &ts);
	token_set_release(&ts);
	return r;
}

int
tokens_each(struct store *st, int (*each)(void *ctx,
    const struct token_set *ts), void *ctx, size_t *bad, struct err *err)
{
	struct each e = { .each = each, .ctx = ctx };
	struct store_visit visit = { .kind = TOKENS_KIND, .each = each_value,
		.ctx = &e };
	int r = store_each(st, &visit, err);

	if (bad != NULL)
		*bad = e.bad + visit.bad;
	return r;
}

int
tokens_drop_unread(struct store *st, size_t *n, struct err *err)
{
	struct each e = { .drop = st, .err = err };
	struct store_visit visit = { .kind = TOKENS_KIND, .each = each_value,
		.ctx = &e, .drop_bad = true };
	int r = store_each(st, &visit, err);

	*n = e.bad + visit.bad;
	return r;
}
