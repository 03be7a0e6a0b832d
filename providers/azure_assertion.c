/* SPDX-License-Identifier: Apache-2.0 */
/* The assertion of an application with a certificate. */
#include "base.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "arena.h"
#include "azure_assertion.h"
#include "jsonx.h"
#include "strbuf.h"

#define LIFE 600		/* s */
#define CHAIN_MAX 16		/* certificates in one file */
#define HEADER_MAX 131072	/* bytes: a file's certificates in base64 */
#define CLAIMS_MAX 8192

struct certificates {
	X509 *x[CHAIN_MAX];
	size_t n;
};

static void
certificates_read(struct certificates *c, const struct secret *pem)
{
	BIO *bio = pem->len == 0 ? NULL :
	    BIO_new_mem_buf(pem->ptr, (int)pem->len);
	X509 *x;

	while (bio != NULL && c->n < CHAIN_MAX &&
	    (x = PEM_read_bio_X509(bio, NULL, NULL, "")) != NULL)
		c->x[c->n++] = x;
	BIO_free(bio);
}

static void
certificates_release(struct certificates *c)
{
	while (c->n > 0)
		X509_free(c->x[--c->n]);
	ERR_clear_error();	/* libcurl would take it for its own */
}

/* Put the key's own one first; the issuers keep their order. */
static int
certificates_sort(struct certificates *c, EVP_PKEY *key, struct err *err)
{
	size_t i = 0;
	X509 *own;

	if (c->n == 0)
		return err_set(err, E_CONFIG, "there is no certificate in it: "
		    "it must have a block that begins with "
		    "-----BEGIN CERTIFICATE-----");
	while (i < c->n && X509_check_private_key(c->x[i], key) != 1)
		i++;
	if (i == c->n)
		return err_set(err, E_CONFIG, "its private key does not "
		    "belong to its certificate: store the two that were made "
		    "together");
	own = c->x[i];
	memmove(c->x + 1, c->x, i * sizeof(*c->x));
	c->x[0] = own;
	return 0;
}

/* Base64 of a certificate, with its padding. */
static char *
base64_of(struct arena *arena, const X509 *x)
{
	unsigned char *der = NULL;
	int len = i2d_X509(x, &der);
	char *out;

	if (len <= 0)
		return arena_strdup(arena, "");
	out = arena_alloc(arena, ((size_t)len + 2) / 3 * 4 + 1);
	EVP_EncodeBlock((unsigned char *)out, der, len);
	OPENSSL_free(der);
	return out;
}

static char *
thumbprint(struct arena *arena, const X509 *x, const EVP_MD *md)
{
	unsigned char sum[EVP_MAX_MD_SIZE];
	unsigned len = 0;

	if (X509_digest(x, md, sum, &len) != 1)
		BUG("no digest of a certificate");
	return jwt_base64url(arena, sum, len);
}

static char *
header_of(struct arena *arena, const struct azure_assertion *a,
    const struct certificates *c)
{
	struct strbuf sb = STRBUF_INIT(HEADER_MAX);
	bool sha1 = a->algorithm == JWT_RS256;
	char *out;
	size_t i;

	strbuf_addch(&sb, '{');
	jsonx_add_pair(&sb, "alg", jwt_algorithm_name(a->algorithm));
	jsonx_add_pair(&sb, "typ", "JWT");
	jsonx_add_pair(&sb, sha1 ? "x5t" : "x5t#S256", thumbprint(arena,
	    c->x[0], sha1 ? EVP_sha1() : EVP_sha256()));
	if (a->chain) {
		strbuf_addstr(&sb, ",\"x5c\":[");
		for (i = 0; i < c->n; i++)
			strbuf_addf(&sb, "%s\"%s\"", i > 0 ? "," : "",
			    base64_of(arena, c->x[i]));
		strbuf_addch(&sb, ']');
	}
	strbuf_addch(&sb, '}');
	out = arena_strdup(arena, sb.buf);
	strbuf_release(&sb);
	return out;
}

static char *
random_id(struct arena *arena)
{
	unsigned char b[16];

	secret_random(b, sizeof(b));
	b[6] = (b[6] & 0x0f) | 0x40;	/* RFC 9562: version 4 */
	b[8] = (b[8] & 0x3f) | 0x80;
	return arena_printf(arena, "%02x%02x%02x%02x-%02x%02x-%02x%02x-"
	    "%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1], b[2], b[3], b[4],
	    b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14],
	    b[15]);
}

static char *
claims_of(struct arena *arena, const struct azure_assertion *a)
{
	struct strbuf sb = STRBUF_INIT(CLAIMS_MAX);
	long long now = (long long)(a->now / 1000);
	char *out;

	strbuf_addch(&sb, '{');
	jsonx_add_pair(&sb, "aud", a->token_url);
	jsonx_add_pair(&sb, "iss", a->client_id);
	jsonx_add_pair(&sb, "sub", a->client_id);
	jsonx_add_pair(&sb, "jti", a->id != NULL ? a->id : random_id(arena));
	strbuf_addf(&sb, ",\"nbf\":%lld,\"exp\":%lld,\"iat\":%lld}", now,
	    now + LIFE, now);
	out = arena_strdup(arena, sb.buf);
	strbuf_release(&sb);
	return out;
}

int
azure_assertion(struct arena *arena, const struct azure_assertion *a,
    char **out, struct err *err)
{
	EVP_PKEY *key = jwt_key(a->pem, a->passphrase, err);
	struct certificates c = { .n = 0 };
	struct jwt jwt = { .algorithm = a->algorithm, .key = a->pem,
	    .passphrase = a->passphrase };
	int r = E_CONFIG;

	if (key == NULL)
		goto out;
	certificates_read(&c, a->pem);
	if ((r = certificates_sort(&c, key, err)) != 0)
		goto out;
	jwt.header = header_of(arena, a, &c);
	jwt.claims = claims_of(arena, a);
	r = jwt_sign(arena, &jwt, out, err);
 out:
	certificates_release(&c);
	EVP_PKEY_free(key);
	return r;
}
