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
