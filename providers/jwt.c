/* SPDX-License-Identifier: Apache-2.0 */
/* JSON Web Tokens, signed. */
#include "base.h"

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "arena.h"
#include "jwt.h"

#define HASH_LEN 32		/* of SHA-256; of r and s, each, too */
#define PASSPHRASE_MAX 1024

struct passphrase {
	const char *text;
	bool wanted;		/* somebody asked for it */
};

static const char *const names[] = {
	[JWT_RS256] = "RS256", [JWT_PS256] = "PS256", [JWT_ES256] = "ES256",
};

const char *
jwt_algorithm_name(enum jwt_algorithm a)
{
	return names[a];
}

char *
jwt_base64url(struct arena *arena, const void *data, size_t len)
{
	/* In threes, and a NUL; EVP pads. */
	char *text = arena_alloc(arena, (len + 2) / 3 * 4 + 1), *p;

	EVP_EncodeBlock((unsigned char *)text, data, (int)len);
	for (p = text; *p != '\0'; p++) {
		if (*p == '+')
			*p = '-';
		else if (*p == '/')
			*p = '_';
	}
	text[strcspn(text, "=")] = '\0';
	return text;
}

/* --- The key ------------------------------------------------------------- */

static int
give_passphrase(char *buf, int size, int writing UNUSED, void *from)
{
	struct passphrase *p = from;
	size_t len = p->text != NULL ? strlen(p->text) : 0;

	p->wanted = true;
	if (len == 0 || len > (size_t)size || len > PASSPHRASE_MAX)
		return -1;
	memcpy(buf, p->text, len);
	return (int)len;
}

EVP_PKEY *
jwt_key(const struct secret *pem, const char *passphrase, struct err *err)
{
	struct passphrase p = { .text = passphrase };
	BIO *bio = pem->len == 0 ? NULL :
	    BIO_new_mem_buf(pem->ptr, (int)pem->len);
	EVP_PKEY *key = bio == NULL ? NULL : PEM_read_bio_PrivateKey(bio,
	    NULL, give_passphrase, &p);

	BIO_free(bio);
	if (key != NULL)
		return key;
	if (p.wanted && p.text != NULL)
		err_set(err, E_CONFIG, "its private key does not open with "
		    "the passphrase that was given");
	else if (p.wanted)
		err_set(err, E_CONFIG, "its private key is encrypted");
	else
		err_set(err, E_CONFIG, "there is no private key in it: it must "
		    "have a block that begins with -----BEGIN PRIVATE KEY----- "
		    "or the like");
	return NULL;
}

static bool
is_p256(const EVP_PKEY *key)
{
	char group[32] = "";

	return EVP_PKEY_is_a(key, "EC") && EVP_PKEY_get_group_name(key, group,
	    sizeof(group), NULL) == 1 && (strcmp(group, "prime256v1") == 0 ||
	    strcmp(group, "P-256") == 0);
}

static bool
key_fits(const EVP_PKEY *key, enum jwt_algorithm a)
{
	switch (a) {
	case JWT_RS256:
		return EVP_PKEY_is_a(key, "RSA");
	case JWT_PS256:
		return EVP_PKEY_is_a(key, "RSA") ||
		    EVP_PKEY_is_a(key, "RSA-PSS");
	case JWT_ES256:
		return is_p256(key);
	}
	return false;
}

/* --- The signature ------------------------------------------------------- */

static bool
digest_sign(EVP_PKEY *key, enum jwt_algorithm a, const char *text,
    unsigned char **out, size_t *len)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	EVP_PKEY_CTX *ctx = NULL;
	bool ok;

	ok = md != NULL &&
	    EVP_DigestSignInit(md, &ctx, EVP_sha256(), NULL, key) == 1 &&
	    (a != JWT_PS256 ||
	    (EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) == 1 &&
	    EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, HASH_LEN) == 1)) &&
	    EVP_DigestSign(md, NULL, len, (const unsigned char *)text,
	    strlen(text)) == 1;
	if (ok) {
		*out = xmalloc(*len);
		ok = EVP_DigestSign(md, *out, len,
		    (const unsigned char *)text, strlen(text)) == 1;
	}
	EVP_MD_CTX_free(md);
	return ok;
}

/* OpenSSL gives DER; a JWT has the two numbers one after the other. */
static bool
two_numbers(const unsigned char *der, size_t len,
    unsigned char out[2 * HASH_LEN])
{
	ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, (long)len);
	bool ok = sig != NULL &&
	    BN_bn2binpad(ECDSA_SIG_get0_r(sig), out, HASH_LEN) > 0 &&
	    BN_bn2binpad(ECDSA_SIG_get0_s(sig), out + HASH_LEN, HASH_LEN) > 0;

	ECDSA_SIG_free(sig);
	return ok;
}

/* NULL if it cannot be. */
static char *
signature_of(struct arena *arena, EVP_PKEY *key, enum jwt_algorithm a,
    const char *text)
{
	unsigned char raw[2 * HASH_LEN], *sig = NULL;
	char *out = NULL;
	size_t len = 0;

	if (digest_sign(key, a, text, &sig, &len)) {
		if (a != JWT_ES256)
			out = jwt_base64url(arena, sig, len);
		else if (two_numbers(sig, len, raw))
			out = jwt_base64url(arena, raw, sizeof(raw));
	}
	free(sig);
	return out;
}

int
jwt_sign(struct arena *arena, const struct jwt *jwt, char **out,
    struct err *err)
{
	EVP_PKEY *key = jwt_key(jwt->key, jwt->passphrase, err);
	char *text, *sig = NULL;
	int r = E_CONFIG;

	if (key == NULL)
		goto out;
	if (!key_fits(key, jwt->algorithm)) {
		err_set(err, E_CONFIG, "its private key is not one for %s: it "
		    "must be %s", names[jwt->algorithm],
		    jwt->algorithm == JWT_ES256 ? "EC on P-256" : "RSA");
		goto out;
	}
	text = arena_printf(arena, "%s.%s",
	    jwt_base64url(arena, jwt->header, strlen(jwt->header)),
	    jwt_base64url(arena, jwt->claims, strlen(jwt->claims)));
	sig = signature_of(arena, key, jwt->algorithm, text);
	if (sig == NULL) {
		err_set(err, E_CONFIG, "its private key cannot sign: is it "
		    "shorter than 2048 bits?");
		goto out;
	}
	*out = arena_printf(arena, "%s.%s", text, sig);
	r = 0;
 out:
	EVP_PKEY_free(key);
	ERR_clear_error();	/* libcurl would take it for its own */
	return r;
}
