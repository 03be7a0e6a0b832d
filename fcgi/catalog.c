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
#include "backstage.h"
#include "catalog.h"
#include "catalog_cache.h"
#include "entity.h"
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

struct catalog *
catalog_new(const struct settings *settings, struct transport *transport,
    struct problems *problems)
{
	struct catalog *c = xcalloc(1, sizeof(*c));
	const struct backstage_peer peer = { "catalog",
	    settings->limit_cluster };
	struct err err = ERR_INIT;

	c->settings = settings;
	c->transport = transport;
	c->cache = catalog_cache_new(settings->catalog_fresh);
	secret_random(c->key, sizeof(c->key));
	if (backstage_connect(settings, transport, &peer, &c->up,
	    &err) != 0) {
		c->broken = xstrdup(err.text);
		if (settings->have_kubernetes)
			problems_add(problems, true, "queries will fail: %s",
			    err.text);
	}
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

/* What the catalog says went wrong, for the log. */
static void
log_refusal(const struct lookup *l, const struct fetch *f)
{
	struct arena *scratch = arena_new();
	const char *text = backstage_message(f, scratch);

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
	char text[64];

	if (f->err.code == E_GONE)
		return err_set(err, E_GONE, "the client left");
	if (f->err.code != 0)
		return err_set(err, E_BUSY, "cannot reach the catalog: %s",
		    f->err.text);
	if (f->status == 404)
		return err_set(err, E_NOTFOUND, "no such entity");
	if (f->status < 200 || f->status > 299) {
		log_refusal(l, f);
		backstage_status_text(f->status, text, sizeof(text));
		return err_set(err, E_PROTOCOL, "%s", text);
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
	backstage_credential(req, &cred);
	make_key(c, &cred, ref, reader.key);
	/* a shared reading does not end with one client */
	l.gone_fd = c->settings->catalog_fresh > 0 ? -1 : req->fd;
	r = catalog_cache_get(c->cache, &reader, req->arena, out, err);
	credential_release(&cred);
	return r;
}
