/* SPDX-License-Identifier: Apache-2.0 */
/* AES-256-GCM around a value, with its name as additional data. */
#include "base.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include "err.h"
#include "keyring.h"
#include "seal.h"
#include "secret.h"

#define FORMAT 1
#define NONCE 12
#define TAG 16
#define NAME_MAX_BYTES 4096

struct parts {		/* of a sealed value; borrowed */
	const struct keyring_key *key;
	const unsigned char *nonce, *tag, *text;
	size_t len;
};

static void
add_part(struct strbuf *out, const void *data, size_t len)
{
	const char size[4] = { (char)(len >> 24), (char)(len >> 16),
	    (char)(len >> 8), (char)len };

	strbuf_add(out, size, sizeof(size));
	strbuf_add(out, data, len);
}

static void
name_bytes(const struct seal_name *name, struct strbuf *out)
{
	uint64_t expires = (uint64_t)name->expires;
	unsigned char time[8];
	size_t i;

	for (i = 0; i < sizeof(time); i++)
		time[i] = (unsigned char)(expires >> (56 - 8 * i));
	strbuf_addch(out, FORMAT);
	add_part(out, name->kind, strlen(name->kind));
	add_part(out, name->key, name->len);
	add_part(out, time, sizeof(time));
	if (out->overflow)
		BUG("the name of a value is too long");
}

/* Begin with key and nonce, and feed the name. */
static EVP_CIPHER_CTX *
begin(const struct parts *p, const struct seal_name *name, int encrypt)
{
	struct strbuf aad = STRBUF_INIT(NAME_MAX_BYTES);
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int n;

	name_bytes(name, &aad);
	if (ctx == NULL || EVP_CipherInit_ex(ctx, EVP_aes_256_gcm(), NULL,
	    p->key->seal, p->nonce, encrypt) != 1 || EVP_CipherUpdate(ctx,
	    NULL, &n, (unsigned char *)aad.buf, (int)aad.len) != 1)
		BUG("AES-GCM cannot begin");
	strbuf_release(&aad);
	return ctx;
}

void
seal_value(const struct keyring *ring, const struct seal_name *name,
    const struct secret *value, struct strbuf *out)
{
	const struct keyring_key *key = keyring_first(ring);
	size_t id = strlen(key->id);
	char *room = strbuf_room(out, 2 + id + NONCE + TAG + value->len);
	unsigned char *p = (unsigned char *)room, *tag;
	struct parts parts = { .key = key };
	EVP_CIPHER_CTX *ctx;
	int n = 0;

	if (room == NULL)
		BUG("no room for a sealed value");
	*p++ = FORMAT;
	*p++ = (unsigned char)id;
	memcpy(p, key->id, id);
	p += id;
	secret_random(p, NONCE);
	parts.nonce = p;
	tag = p + NONCE;
	p = tag + TAG;
	ctx = begin(&parts, name, 1);
	if ((value->len > 0 && EVP_CipherUpdate(ctx, p, &n,
	    (unsigned char *)value->ptr, (int)value->len) != 1) ||
	    EVP_CipherFinal_ex(ctx, p + n, &n) != 1 || EVP_CIPHER_CTX_ctrl(
	    ctx, EVP_CTRL_AEAD_GET_TAG, TAG, tag) != 1)
		BUG("AES-GCM failed");
	EVP_CIPHER_CTX_free(ctx);
	out->len += 2 + id + NONCE + TAG + value->len;
	out->buf[out->len] = '\0';
}

static int
damaged(struct err *err)
{
	return err_set(err, E_STORE, "a stored value is damaged or was "
	    "altered: it does not open with the key that it names");
}

/* Take a sealed value apart. */
static int
split(const struct keyring *ring, const struct strbuf *sealed,
    struct parts *out, struct err *err)
{
	const unsigned char *p = (const unsigned char *)sealed->buf;
	size_t head;

	if (sealed->len < 2)
		return damaged(err);
	if (p[0] != FORMAT)
		return err_set(err, E_STORE, "a stored value has format %u, "
		    "and this program knows %u: it is damaged, or a later "
		    "version wrote it", p[0], FORMAT);
	head = 2 + (size_t)p[1] + NONCE + TAG;
	if (sealed->len < head)
		return damaged(err);
	out->key = keyring_find(ring, sealed->buf + 2, p[1]);
	if (out->key == NULL)
		return err_set(err, E_NOTFOUND, "a stored value was sealed "
		    "with a key that is no longer in the key file");
	out->nonce = p + 2 + p[1];
	out->tag = out->nonce + NONCE;
	out->text = out->tag + TAG;
	out->len = sealed->len - head;
	return 0;
}

int
seal_open(const struct keyring *ring, const struct seal_name *name,
    const struct strbuf *sealed, struct secret *out, struct err *err)
{
	struct secret plain = SECRET_INIT;
	EVP_CIPHER_CTX *ctx;
	struct parts p = { .len = 0 };
	int n = 0, rest = 0, r;
	bool ok;

	if ((r = split(ring, sealed, &p, err)) != 0)
		return r;
	plain.ptr = xcalloc(1, p.len + 1);
	plain.len = p.len;
	ctx = begin(&p, name, 0);
	ok = (p.len == 0 || EVP_CipherUpdate(ctx, (unsigned char *)plain.ptr,
	    &n, p.text, (int)p.len) == 1) && EVP_CIPHER_CTX_ctrl(ctx,
	    EVP_CTRL_AEAD_SET_TAG, TAG, (void *)(uintptr_t)p.tag) == 1 &&
	    EVP_CipherFinal_ex(ctx, (unsigned char *)plain.ptr + n,
	    &rest) == 1;
	EVP_CIPHER_CTX_free(ctx);
	ERR_clear_error();	/* libcurl would take it for its own */
	if (!ok)
		r = damaged(err);
	else if (p.len == 0)
		secret_release(out);
	else
		secret_move(out, &plain);
	secret_release(&plain);
	return r;
}

const struct keyring_key *
seal_key(const struct keyring *ring, const void *head, size_t len)
{
	const unsigned char *p = head;

	if (len < 2 || p[0] != FORMAT || len < 2 + (size_t)p[1])
		return NULL;
	return keyring_find(ring, (const char *)p + 2, p[1]);
}
