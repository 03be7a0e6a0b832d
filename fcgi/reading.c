/* SPDX-License-Identifier: Apache-2.0 */
/* A shared read: made of somebody's fetch, looked at once, counted. */
#include "base.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "err.h"
#include "reading.h"
#include "reads.h"

/* ---- whose it is ---- */

static void
digest_add(struct strbuf *sb, const void *data, size_t len)
{
	strbuf_add(sb, (const char *)&len, sizeof(len));
	if (len > 0)
		strbuf_add(sb, data, len);
}

void
guise_digest(const unsigned char key[READING_WHO],
    const struct credential *cred, unsigned char out[READING_WHO])
{
	struct strbuf sb = STRBUF_INIT(STRBUF_UNLIMITED);
	const char *const *line;
	char kind = (char)cred->kind;

	digest_add(&sb, &kind, 1);
	digest_add(&sb, cred->value.ptr, cred->value.len);
	digest_add(&sb, cred->certificate.ptr, cred->certificate.len);
	digest_add(&sb, cred->key.ptr, cred->key.len);
	for (line = cred->acting; line != NULL && *line != NULL; line++)
		digest_add(&sb, *line, strlen(*line));
	if (HMAC(EVP_sha256(), key, READING_WHO,
	    (const unsigned char *)sb.buf, sb.len, out, NULL) == NULL)
		BUG("HMAC failed");
	strbuf_wipe(&sb);
}

/* Pointers and lines in one piece of memory. */
static const char *const *
lines_copy(const char *const *lines)
{
	size_t i, n, len = 0;
	char **copy, *p;

	if (lines == NULL)
		return NULL;
	for (n = 0; lines[n] != NULL; n++)
		len += strlen(lines[n]) + 1;
	copy = xmalloc((n + 1) * sizeof(*copy) + len);
	p = (char *)(copy + n + 1);
	for (i = 0; i < n; i++) {
		copy[i] = p;
		len = strlen(lines[i]) + 1;
		memcpy(p, lines[i], len);
		p += len;
	}
	copy[n] = NULL;
	return (const char *const *)copy;
}

struct guise *
guise_new(const struct credential *cred)
{
	struct guise *g = xcalloc(1, sizeof(*g));

	g->refs = 1;
	g->cred.kind = cred->kind;
	g->cred.from_client = cred->from_client;
	secret_set(&g->cred.value, cred->value.ptr, cred->value.len);
	secret_set(&g->cred.certificate, cred->certificate.ptr,
	    cred->certificate.len);
	secret_set(&g->cred.key, cred->key.ptr, cred->key.len);
	g->cred.acting = lines_copy(cred->acting);
	return g;
}

void
guise_put(struct guise *g)
{
	if (g == NULL || __atomic_sub_fetch(&g->refs, 1,
	    __ATOMIC_ACQ_REL) != 0)
		return;
	free((void *)(uintptr_t)g->cred.acting);
	credential_release(&g->cred);
	free(g);
}

/* ---- what is read ---- */

unsigned
reading_hash(const struct fetch *f, const unsigned char who[READING_WHO])
{
	uint32_t h = 2166136261u;	/* FNV-1a, begun by a keyed digest */
	const char *p;
	size_t i;

	for (i = 0; i < sizeof(h); i++)
		h = (h ^ who[i]) * 16777619u;
	for (p = f->path; *p != '\0'; p++)
		h = (h ^ (unsigned char)*p) * 16777619u;
	return h ^ (uint32_t)((uintptr_t)f->up >> 6);
}

bool
reading_is(const struct reading *rd, const struct fetch *f,
    const unsigned char who[READING_WHO])
{
	return rd->fetch.up == f->up && rd->fetch.limit == f->limit &&
	    memcmp(rd->who, who, READING_WHO) == 0 &&
	    strcmp(rd->fetch.path, f->path) == 0;
}

struct reading *
reading_new(const struct fetch *like, struct guise *guise)
{
	struct reading *rd = xcalloc(1, sizeof(*rd));

	rd->refs = 1;
	rd->secret = like->unkept;
	rd->guise = guise;
	__atomic_add_fetch(&guise->refs, 1, __ATOMIC_RELAXED);
	upstream_ref(like->up);
	rd->fetch.up = like->up;
	rd->fetch.path = xstrdup(like->path);
	rd->fetch.limit = like->limit;
	rd->fetch.id = like->id == NULL ? NULL : xstrdup(like->id);
	rd->fetch.counts = like->counts;
	rd->fetch.cred = &guise->cred;
	rd->fetch.owner = rd;
	strbuf_init(&rd->fetch.body, 0);
	pthread_mutex_init(&rd->looking, NULL);
	return rd;
}

struct reading *
reading_ref(struct reading *rd)
{
	__atomic_add_fetch(&rd->refs, 1, __ATOMIC_RELAXED);
	return rd;
}

void
reading_put(struct reading *rd)
{
	if (rd == NULL || __atomic_sub_fetch(&rd->refs, 1,
	    __ATOMIC_ACQ_REL) != 0)
		return;
	if (rd->secret)
		strbuf_wipe(&rd->fetch.body);
	else
		strbuf_release(&rd->fetch.body);
	guise_put(rd->guise);
	upstream_put(rd->fetch.up);
	free((void *)(uintptr_t)rd->fetch.path);
	free((void *)(uintptr_t)rd->fetch.id);
	free(rd->why);
	pthread_mutex_destroy(&rd->looking);
	free(rd);
}

/* The first one looks, the others wait for that. */
static void
look(struct reading *rd)
{
	const struct strbuf *body = &rd->fetch.body;
	struct err err = ERR_INIT;

	if (rd->looked)
		return;
	rd->looked = true;
	if (splice_scan(body->buf, body->len, &rd->splice, &err) != 0)
		rd->why = xstrdup(err.text);
	__atomic_store_n(&rd->useless, rd->why != NULL, __ATOMIC_RELAXED);
}

int
reading_splice(struct reading *rd, const struct object_list *list,
    struct splice *out, struct err *err)
{
	pthread_mutex_lock(&rd->looking);
	look(rd);
	pthread_mutex_unlock(&rd->looking);
	if (rd->why != NULL)
		return err_set(err, E_PROTOCOL, "%s", rd->why);
	*out = rd->splice;
	return splice_fit(list, out, err);
}
