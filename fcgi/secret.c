/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens and keys: moved, compared in constant time, wiped. */
#include "base.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <pthread.h>
#include <sys/random.h>

#include "secret.h"

static unsigned char tag_key[32];
static pthread_once_t tag_once = PTHREAD_ONCE_INIT;

void
secret_set(struct secret *s, const char *data, size_t len)
{
	char *p = NULL;

	if (len > 0) {
		p = xmalloc(len + 1);
		memcpy(p, data, len);
		p[len] = '\0';
	}
	secret_release(s);
	s->ptr = p;
	s->len = len;
}

void
secret_move(struct secret *to, struct secret *from)
{
	secret_release(to);
	*to = *from;
	from->ptr = NULL;
	from->len = 0;
}

void
secret_release(struct secret *s)
{
	if (s->ptr != NULL) {
		OPENSSL_cleanse(s->ptr, s->len);
		free(s->ptr);
	}
	s->ptr = NULL;
	s->len = 0;
}

bool
secret_equal(const struct secret *s, const char *data, size_t len)
{
	if (s->len == 0 || len != s->len)
		return false;
	return CRYPTO_memcmp(s->ptr, data, len) == 0;
}

void
secret_random(void *out, size_t len)
{
	if (getrandom(out, len, 0) != (ssize_t)len) {
		fputs("stagedoor: the system gave no random bytes\n", stderr);
		_exit(1);
	}
}

static void
tag_init(void)
{
	secret_random(tag_key, sizeof(tag_key));
}

const char *
secret_tag(const struct secret *s, char out[SECRET_TAG_LEN])
{
	unsigned char mac[EVP_MAX_MD_SIZE];

	if (s->len == 0)
		return snprintf(out, SECRET_TAG_LEN, "none"), out;
	pthread_once(&tag_once, tag_init);
	if (HMAC(EVP_sha256(), tag_key, sizeof(tag_key),
	    (const unsigned char *)s->ptr, s->len, mac, NULL) == NULL)
		BUG("HMAC failed");
	snprintf(out, SECRET_TAG_LEN, "%02x%02x%02x%02x", mac[0], mac[1],
	    mac[2], mac[3]);
	return out;
}
