/* SPDX-License-Identifier: Apache-2.0 */
/* Looking at a client certificate and its key before TLS does. */
#include "base.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <time.h>

#include "keypair.h"
#include "secret.h"

#define DIGEST_LEN 32
#define KNOWN_MAX 256		/* good pairs that are known again */

struct known {
	unsigned char digest[DIGEST_LEN];
	int64_t expires;	/* 0: not used */
};

static pthread_mutex_t known_lock = PTHREAD_MUTEX_INITIALIZER;
static struct known known[KNOWN_MAX];
static size_t known_next;

static void
digest_of(const struct secret *certificate, const struct secret *key,
    unsigned char out[DIGEST_LEN])
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();

	/* The NUL at the end of the first parts the two. */
	if (md == NULL || !EVP_DigestInit_ex(md, EVP_sha256(), NULL) ||
	    !EVP_DigestUpdate(md, certificate->ptr, certificate->len + 1) ||
	    !EVP_DigestUpdate(md, key->ptr, key->len) ||
	    !EVP_DigestFinal_ex(md, out, NULL))
		BUG("SHA-256 failed");
	EVP_MD_CTX_free(md);
}

static bool
known_find(const unsigned char digest[DIGEST_LEN], int64_t *expires)
{
	bool found = false;
	size_t i;

	pthread_mutex_lock(&known_lock);
	for (i = 0; i < KNOWN_MAX && !found; i++) {
		found = known[i].expires != 0 &&
		    memcmp(known[i].digest, digest, DIGEST_LEN) == 0;
		if (found)
			*expires = known[i].expires;
	}
	pthread_mutex_unlock(&known_lock);
	return found;
}

static void
known_add(const unsigned char digest[DIGEST_LEN], int64_t expires)
{
	pthread_mutex_lock(&known_lock);
	memcpy(known[known_next].digest, digest, DIGEST_LEN);
	known[known_next].expires = expires;
	known_next = (known_next + 1) % KNOWN_MAX;
	pthread_mutex_unlock(&known_lock);
}

/* Nobody is there to be asked for a passphrase; that one was wanted counts. */
static int
no_passphrase(char *buf UNUSED, int size UNUSED, int writing UNUSED,
    void *wanted)
{
	*(bool *)wanted = true;
	return -1;
}

static X509 *
read_certificate(const struct secret *pem)
{
	BIO *bio = BIO_new_mem_buf(pem->ptr, (int)pem->len);
	bool wanted = false;
	X509 *x = bio == NULL ? NULL : PEM_read_bio_X509(bio, NULL,
	    no_passphrase, &wanted);

	BIO_free(bio);
	return x;
}

static EVP_PKEY *
read_key(const struct secret *pem, bool *wanted)
{
	BIO *bio = BIO_new_mem_buf(pem->ptr, (int)pem->len);
	EVP_PKEY *key = bio == NULL ? NULL : PEM_read_bio_PrivateKey(bio,
	    NULL, no_passphrase, wanted);

	BIO_free(bio);
	return key;
}

/* Past what 64 bits of ms hold nothing comes: X.509 ends in the year 9999. */
static int64_t
end_of(const X509 *x)
{
	struct tm tm;

	if (ASN1_TIME_to_tm(X509_get0_notAfter(x), &tm) != 1)
		return 1;	/* no time at all: long over */
	return (int64_t)timegm(&tm) * 1000;
}

static const char *
look_at(const struct secret *certificate, const struct secret *pem,
    int64_t *expires)
{
	bool wanted = false;
	X509 *x = read_certificate(certificate);
	EVP_PKEY *key = read_key(pem, &wanted);
	const char *flaw = NULL;

	if (x == NULL)
		flaw = "its client certificate is not PEM: it must have a "
		    "block that begins with -----BEGIN CERTIFICATE-----";
	else if (key == NULL && wanted)
		flaw = "its client key is encrypted: store it without a "
		    "passphrase, readable for the server only";
	else if (key == NULL)
		flaw = "its client key is not PEM: it must have a block that "
		    "begins with -----BEGIN PRIVATE KEY----- or the like";
	else if (X509_check_private_key(x, key) != 1)
		flaw = "its client key does not belong to its client "
		    "certificate: set the two that were made together";
	else
		*expires = end_of(x);
	X509_free(x);
	EVP_PKEY_free(key);
	ERR_clear_error();	/* libcurl would take it for its own */
	return flaw;
}

const char *
keypair_flaw(const struct secret *certificate, const struct secret *key,
    int64_t *expires)
{
	unsigned char digest[DIGEST_LEN];
	const char *flaw;

	if (certificate->len == 0)
		return "its client certificate is empty: store it as PEM";
	if (key->len == 0)
		return "its client key is empty: store it as PEM";
	digest_of(certificate, key, digest);
	if (known_find(digest, expires))
		return NULL;
	flaw = look_at(certificate, key, expires);
	if (flaw == NULL)
		known_add(digest, *expires);
	return flaw;
}
