/* SPDX-License-Identifier: Apache-2.0 */
/* Base64 to bytes that may be a key. */
#include "base.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "base64.h"
#include "err.h"
#include "secret.h"

int
base64_decode(const char *text, struct secret *out)
{
	size_t len = strlen(text), n = 0, i;
	unsigned char *buf = xmalloc(len + 4);
	char *clean = xmalloc(len + 1);
	int got;

	for (i = 0; i < len; i++)
		if (strchr(" \t\r\n", text[i]) == NULL)
			clean[n++] = text[i];
	got = EVP_DecodeBlock(buf, (unsigned char *)clean, (int)n);
	while (got > 0 && n > 0 && clean[n - 1] == '=') {
		got--;
		n--;
	}
	if (got > 0)
		secret_set(out, (char *)buf, (size_t)got);
	OPENSSL_cleanse(buf, len + 4);
	OPENSSL_cleanse(clean, len + 1);
	free(buf);
	free(clean);
	return got > 0 ? 0 : E_INPUT;
}

static int
base64url_value(char ch)
{
	if (ch >= 'A' && ch <= 'Z')
		return ch - 'A';
	if (ch >= 'a' && ch <= 'z')
		return ch - 'a' + 26;
	if (ch >= '0' && ch <= '9')
		return ch - '0' + 52;
	return ch == '-' ? 62 : ch == '_' ? 63 : -1;
}

ssize_t
base64url_decode(const char *text, size_t len, void *out)
{
	unsigned char *p = out;
	unsigned bits = 0, held = 0;
	size_t i;
	int v;

	for (i = 0; i < len; i++) {
		if ((v = base64url_value(text[i])) < 0)
			return E_INPUT;
		held = (held << 6 | (unsigned)v) & 0xfff;
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			*p++ = (unsigned char)(held >> bits);
		}
	}
	if (len % 4 == 1 || (held & ((1U << bits) - 1)) != 0)
		return E_INPUT;
	return p - (unsigned char *)out;
}
