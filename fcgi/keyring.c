/* SPDX-License-Identifier: Apache-2.0 */
/* The key file of the store, and what is made of its keys. */
#include "base.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <sys/stat.h>

#include "base64.h"
#include "clock.h"
#include "err.h"
#include "files.h"
#include "keyring.h"
#include "secret.h"
#include "strbuf.h"

#define FILE_MAX 65536		/* bytes */
#define KEYS_MAX 64
#define UNSAFE (S_IWGRP | S_IROTH | S_IWOTH)
#define INFO_MAX 256

struct keyring {
	struct keyring_key keys[KEYS_MAX];
	size_t n;
};

/* What is made for one use says nothing about what is made for another. */
static void
hkdf(const unsigned char key[KEYRING_KEY], const char *use,
    const char *purpose, unsigned char out[KEYRING_KEY])
{
	struct strbuf info = STRBUF_INIT(INFO_MAX);
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	EVP_KDF_CTX *ctx = kdf == NULL ? NULL : EVP_KDF_CTX_new(kdf);
	OSSL_PARAM params[4];

	strbuf_addf(&info, "stagedoor %s:%s", use, purpose);
	if (info.overflow)
		BUG("a purpose is too long");
	params[0] = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST,
	    (char *)"SHA256", 0);
	params[1] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY,
	    (void *)(uintptr_t)key, KEYRING_KEY);
	params[2] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO,
	    info.buf, info.len);
	params[3] = OSSL_PARAM_construct_end();
	if (ctx == NULL || EVP_KDF_derive(ctx, out, KEYRING_KEY, params) != 1)
		BUG("HKDF failed");
	EVP_KDF_CTX_free(ctx);
	EVP_KDF_free(kdf);
	strbuf_release(&info);
}

void
keyring_derive(const struct keyring_key *key, const char *purpose,
    unsigned char out[KEYRING_KEY])
{
	hkdf(key->key, "derive", purpose, out);
}

static bool
id_ok(const char *id, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvw"
		    "xyz0123456789._-", id[i]) == NULL || id[i] == '\0')
			return false;
	return len > 0 && len <= KEYRING_ID_MAX;
}

/* What is wrong with the line, or NULL. It ends with NUL. */
static const char *
add_key(struct keyring *ring, const char *line)
{
	size_t len = strcspn(line, ":");
	struct secret key = SECRET_INIT;
	const char *wrong = NULL;
	struct keyring_key *k;

	if (line[len] == '\0')
		return "has no colon";
	if (!id_ok(line, len))
		return "has an id that is not 1 to 32 of letters, digits, "
		    "'.', '_' and '-'";
	if (keyring_find(ring, line, len) != NULL)
		return "has the id of a line before it";
	if (ring->n == KEYS_MAX)
		return "is one too many: there may be 64 keys";
	if (base64_decode(line + len + 1, &key) != 0 || key.len != KEYRING_KEY)
		wrong = "has a key that is not base64 of 32 bytes";
	if (wrong == NULL) {
		k = &ring->keys[ring->n++];
		memcpy(k->id, line, len);
		memcpy(k->key, key.ptr, KEYRING_KEY);
		hkdf(k->key, "seal", "", k->seal);
	}
	secret_release(&key);
	return wrong;
}

/* text is cut into its lines. */
static int
parse(struct keyring *ring, const char *path, struct secret *text,
    struct err *err)
{
	char *line = text->ptr, *end = text->ptr + text->len, *stop;
	unsigned number = 0;
	const char *wrong;

	for (; line != NULL && line <= end; line = stop + 1) {
		number++;
		stop = memchr(line, '\n', (size_t)(end - line));
		stop = stop == NULL ? end : stop;
		*stop = '\0';
		line += strspn(line, " \t\r");
		if (line == stop || *line == '#')
			continue;
		wrong = strlen(line) != (size_t)(stop - line) ?
		    "has a NUL byte" : add_key(ring, line);
		if (wrong != NULL)
			return err_set(err, E_CONFIG, "key file '%s', line "
			    "%u %s: it must be id:base64, as 'stagedoor key' "
			    "prints it", path, number, wrong);
	}
	if (ring->n > 0)
		return 0;
	return err_set(err, E_CONFIG, "key file '%s' holds no key: make one "
	    "with 'stagedoor key'", path);
}

static int
check_mode(const char *path, struct err *err)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return err_set(err, E_CONFIG, "cannot read '%s': %s%s", path,
		    strerror(errno), errno == ENOENT ? ": make it with "
		    "'umask 077; stagedoor key >FILE'" : "");
	if (S_ISREG(st.st_mode) && (st.st_mode & UNSAFE) != 0)
		return err_set(err, E_CONFIG, "key file '%s' has mode %04o, "
		    "which lets others in: chmod 600 it, or 640 for the group "
		    "of the server", path, (unsigned)st.st_mode & 07777);
	return 0;
}

int
keyring_read(const char *path, struct keyring **out, struct err *err)
{
	struct secret text = SECRET_INIT;
	struct keyring *ring = NULL;
	int r;

	if ((r = check_mode(path, err)) != 0)
		return r;
	if (file_read(path, FILE_MAX, &text, err) != 0) {
		if (err != NULL)
			err->code = E_CONFIG;
		return E_CONFIG;
	}
	ring = xcalloc(1, sizeof(*ring));
	if ((r = parse(ring, path, &text, err)) == 0) {
		*out = ring;
		ring = NULL;
	}
	keyring_free(ring);
	secret_release(&text);
	return r;
}

struct keyring *
keyring_random(void)
{
	struct keyring *ring = xcalloc(1, sizeof(*ring));
	struct keyring_key *k = &ring->keys[ring->n++];

	memcpy(k->id, "here", sizeof("here"));
	secret_random(k->key, sizeof(k->key));
	hkdf(k->key, "seal", "", k->seal);
	return ring;
}

void
keyring_free(struct keyring *ring)
{
	if (ring != NULL)
		OPENSSL_cleanse(ring, sizeof(*ring));
	free(ring);
}

const struct keyring_key *
keyring_first(const struct keyring *ring)
{
	return &ring->keys[0];
}

size_t
keyring_count(const struct keyring *ring)
{
	return ring->n;
}

const struct keyring_key *
keyring_at(const struct keyring *ring, size_t i)
{
	return &ring->keys[i];
}

const struct keyring_key *
keyring_find(const struct keyring *ring, const char *id, size_t len)
{
	size_t i;

	for (i = 0; i < ring->n; i++)
		if (strlen(ring->keys[i].id) == len &&
		    memcmp(ring->keys[i].id, id, len) == 0)
			return &ring->keys[i];
	return NULL;
}

void
keyring_add_line(struct strbuf *out)
{
	unsigned char key[KEYRING_KEY], text[KEYRING_KEY * 2], id[3];
	time_t now = (time_t)(clock_wall_ms() / 1000);
	char day[16];
	struct tm tm;

	gmtime_r(&now, &tm);
	strftime(day, sizeof(day), "%Y%m%d", &tm);
	secret_random(id, sizeof(id));
	secret_random(key, sizeof(key));
	EVP_EncodeBlock(text, key, KEYRING_KEY);
	strbuf_room(out, KEYRING_LINE);		/* no copy is left behind */
	strbuf_addf(out, "%s-%02x%02x%02x:%s\n", day, id[0], id[1], id[2],
	    (char *)text);
	OPENSSL_cleanse(key, sizeof(key));
	OPENSSL_cleanse(text, sizeof(text));
}
