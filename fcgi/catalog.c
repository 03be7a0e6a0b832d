/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client of the catalog. It knows one call; what is kept of answers, and
 * for how long, is in catalog_cache.c.
 */
#include "base.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "arena.h"
#include "catalog.h"
#include "catalog_cache.h"
#include "entity.h"
#include "jsonscan.h"
#include "log.h"
#include "request.h"
#include "runtime.h"
#include "settings.h"
#include "transport.h"

/* Thousands of relations; the catalog itself refuses far smaller entities. */
#define CATALOG_ANSWER_MAX (4 << 20)

struct catalog {
	const struct settings *settings;
	struct transport *transport;
	struct upstream *up;		/* NULL: see broken */
	char *broken;
	struct catalog_cache *cache;
	unsigned char key[32];		/* of the cache's HMACs */
};

/* Fill in every {{pluginId}} of a discovery target. */
static void
target_add(struct strbuf *sb, const char *target, const char *plugin)
{
	const char *open, *name, *end;

	while ((open = strstr(target, "{{")) != NULL) {
		name = open + 2 + strspn(open + 2, " ");
		end = name;
		if (str_starts(name, "pluginId"))
			end = name + 8 + strspn(name + 8, " ");
		strbuf_add(sb, target, (size_t)(open - target));
		if (end != name && str_starts(end, "}}")) {
			strbuf_addstr(sb, plugin);
			target = end + 2;
		} else {
			strbuf_addstr(sb, "{{");
			target = open + 2;
		}
	}
	strbuf_addstr(sb, target);
}

/* The base address of the catalog, without slashes at its end. */
static void
base_add(struct strbuf *sb, const struct settings *s)
{
	const char *target = NULL;
	size_t i, j;

	for (i = 0; i < s->ndiscovery; i++)
		for (j = 0; j < s->discovery[i].plugins.n; j++)
			if (strcmp(s->discovery[i].plugins.items[j],
			    "catalog") == 0)
				target = s->discovery[i].target;
	if (target != NULL)
		target_add(sb, target, "catalog");
	else if (s->backend_base_url != NULL)
		strbuf_addstr(sb, s->backend_base_url);
	while (sb->len > 0 && sb->buf[sb->len - 1] == '/')
		sb->buf[--sb->len] = '\0';
	if (target == NULL && sb->len > 0)
		strbuf_addstr(sb, "/api/catalog");
}

static int
catalog_connect(struct catalog *c, const char *base, struct err *err)
{
	const struct settings *s = c->settings;
	struct upstream_options opt = {
		.url = base,
		.connect_timeout = s->limit_connect,
		.timeout = s->limit_cluster,
		.breaker_failures = s->breaker_failures,
		.breaker_probe = s->breaker_probe,
	};

	if (*base == '\0')
		return err_set(err, E_CONFIG, "the catalog's address is not "
		    "known: set backend.baseUrl or discovery.endpoints");
	return upstream_get(c->transport, &opt, &c->up, err);
}

struct catalog *
catalog_new(const struct settings *settings, struct transport *transport,
    struct problems *problems)
{
	struct catalog *c = xcalloc(1, sizeof(*c));
	struct strbuf base = STRBUF_INIT(STRBUF_UNLIMITED);
	struct err err = ERR_INIT;

	c->settings = settings;
	c->transport = transport;
	c->cache = catalog_cache_new(settings->catalog_fresh);
	secret_random(c->key, sizeof(c->key));
	base_add(&base, settings);
	if (catalog_connect(c, base.buf, &err) != 0) {
		c->broken = xstrdup(err.text);
		if (settings->have_kubernetes)
			problems_add(problems, true, "queries will fail: %s",
			    err.text);
	}
	strbuf_release(&base);
	return c;
}

void
catalog_free(struct catalog *c)
{
	if (c == NULL)
		return;
	catalog_cache_free(c->cache);
	upstream_put(c->up);
	free(c->broken);
	OPENSSL_cleanse(c->key, sizeof(c->key));
	free(c);
}

/*
 * Whose token the catalog gets. Only a token that we have verified to be
 * Backstage's own is passed on, never what a stranger sent.
 */
static void
take_token(const struct catalog *c, const struct request *req,
    struct credential *cred)
{
	const char *h = request_header(req, "authorization");
	const struct secret *ours = &c->settings->backstage_token;
	struct secret token = SECRET_INIT;

	cred->kind = CREDENTIAL_ANONYMOUS;
	if (req->who.kind == IDENTITY_SERVICE && !req->who.restricted &&
	    h != NULL && strncasecmp(h, "bearer ", 7) == 0) {
		h += 7 + strspn(h + 7, " ");
		secret_set(&token, h, strlen(h));
	} else if (ours->len > 0) {
		secret_set(&token, ours->ptr, ours->len);
	}
	if (token.len > 0)
		credential_take_bearer(cred, &token);
	secret_release(&token);
}

static void
make_key(const struct catalog *c, const struct credential *cred,
    const struct entity_ref *ref, unsigned char out[CATALOG_KEY_LEN])
{
	struct strbuf sb = STRBUF_INIT(STRBUF_UNLIMITED);

	strbuf_add(&sb, cred->value.ptr ? cred->value.ptr : "",
	    cred->value.len);
	strbuf_addch(&sb, '\0');
	strbuf_addstr(&sb, ref->full);
	if (HMAC(EVP_sha256(), c->key, sizeof(c->key),
	    (const unsigned char *)sb.buf, sb.len, out, NULL) == NULL)
		BUG("HMAC failed");
	strbuf_wipe(&sb);
}

/* One look-up, for the reader of the cache. */
struct lookup {
	const struct catalog *catalog;
	const struct entity_ref *ref;
	const struct credential *cred;
	int gone_fd;
};

static const char *
reason_phrase(int status)
{
	static const struct {
		int status;
		const char *phrase;
	} table[] = {
		{ 400, "Bad Request" }, { 401, "Unauthorized" },
		{ 403, "Forbidden" }, { 429, "Too Many Requests" },
		{ 500, "Internal Server Error" }, { 502, "Bad Gateway" },
		{ 503, "Service Unavailable" }, { 504, "Gateway Timeout" },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(table); i++)
		if (table[i].status == status)
			return table[i].phrase;
	return "";
}

/* What the catalog says went wrong, for the log. */
static void
log_refusal(const struct lookup *l, const struct fetch *f)
{
	struct arena *scratch = arena_new();
	struct json_span error, message;
	const struct json_pick picks[] = { { "error", &error } };
	const struct json_rules rules = { .depth = JSONSCAN_DEPTH,
	    .picks = picks, .npicks = 1 };
	const char *text = NULL;

	if (jsonscan_check(f->body.buf, f->body.len, &rules, NULL) == 0) {
		message = jsonscan_get(error, "message");
		text = jsonscan_string(message, scratch);
	}
	log_warn("catalog answered %d for %s%s%s", f->status, l->ref->full,
	    text ? ": " : "", text ? text : "");
	arena_free(scratch);
}

/* The answer of the catalog, whatever it is. */
static int
lookup_answer(const struct lookup *l, const struct fetch *f,
    struct arena *arena, struct entity *out, struct err *err)
{
	struct err why = ERR_INIT;
	const char *phrase;

	if (f->err.code == E_GONE)
		return err_set(err, E_GONE, "the client left");
	if (f->err.code != 0)
		return err_set(err, E_BUSY, "cannot reach the catalog: %s",
		    f->err.text);
	if (f->status == 404)
		return err_set(err, E_NOTFOUND, "no such entity");
	if (f->status < 200 || f->status > 299) {
		log_refusal(l, f);
		phrase = reason_phrase(f->status);
		return err_set(err, E_PROTOCOL, "Request failed with %d%s%s",
		    f->status, *phrase ? " " : "", phrase);
	}
	if (entity_read(f->body.buf, f->body.len, arena, out, &why) != 0)
		return err_set(err, E_PROTOCOL, "cannot read the catalog's "
		    "answer: %s", why.text);
	return 0;
}

static int
lookup_read(void *ctx, struct arena *arena, struct entity *out,
    struct err *err)
{
	const struct lookup *l = ctx;
	struct strbuf path = STRBUF_INIT(STRBUF_UNLIMITED);
	struct fetch f = { .up = l->catalog->up, .cred = l->cred,
	    .limit = CATALOG_ANSWER_MAX };
	int r;

	strbuf_addstr(&path, "/entities/by-name/");
	strbuf_add_percent(&path, l->ref->kind, "");
	strbuf_addch(&path, '/');
	strbuf_add_percent(&path, l->ref->namespace, "");
	strbuf_addch(&path, '/');
	strbuf_add_percent(&path, l->ref->name, "");
	f.path = path.buf;
	transport_fetch(l->catalog->transport, &f, l->gone_fd);
	r = lookup_answer(l, &f, arena, out, err);
	strbuf_release(&f.body);
	strbuf_release(&path);
	return r;
}

static bool
is_dots(const char *s)
{
	return strcmp(s, ".") == 0 || strcmp(s, "..") == 0;
}

int
catalog_entity(struct request *req, const struct entity_ref *ref,
    struct entity *out, struct err *err)
{
	struct catalog *c = req->rt->catalog;
	struct credential cred = CREDENTIAL_INIT;
	struct lookup l = { .catalog = c, .ref = ref, .cred = &cred };
	struct catalog_reader reader = { .read = lookup_read, .ctx = &l };
	int r;

	if (c->up == NULL)
		return err_set(err, E_CONFIG, "%s", c->broken);
	/* no entity is called so, and the address would be another one */
	if (is_dots(ref->kind) || is_dots(ref->namespace) ||
	    is_dots(ref->name))
		return err_set(err, E_NOTFOUND, "no such entity");
	take_token(c, req, &cred);
	make_key(c, &cred, ref, reader.key);
	/* a shared reading does not end with one client */
	l.gone_fd = c->settings->catalog_fresh > 0 ? -1 : req->fd;
	r = catalog_cache_get(c->cache, &reader, req->arena, out, err);
	credential_release(&cred);
	return r;
}
