/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sealing a value with AES-256-GCM (NIST SP 800-38D), so that nobody without
 * the key file reads it, and nobody changes it, gives it another name or a
 * longer life unseen. An old row that is put back as it was opens until it
 * expires.
 *
 * A sealed value: version (1), length of the key's id, id, nonce (12 random
 * bytes), tag (16), ciphertext. Additional data: version, then kind, key and
 * expiry, each after its length (32 bits, big endian). Random nonces are good
 * for 2^32 values of one key: a new key once a year leaves a wide margin.
 */
#ifndef STAGEDOOR_SEAL_H
#define STAGEDOOR_SEAL_H

#include "strbuf.h"

struct err;
struct keyring;
struct secret;

#define SEAL_OVERHEAD (2 + 32 + 12 + 16)	/* at most so many bytes more */
#define SEAL_HEAD (2 + 32)	/* so many at the front name the key */

struct seal_name {	/* what the value is sealed for */
	const char *kind;
	const unsigned char *key;
	size_t len;
	int64_t expires;
};

/* Seal with the first key, into out, which has room. */
void seal_value(const struct keyring *ring, const struct seal_name *name,
    const struct secret *value, struct strbuf *out);
/*
 * 0 with out the caller's; E_NOTFOUND: the key that sealed it is not in the
 * file; E_STORE: damaged, altered, of another name, or by a later version.
 */
int seal_open(const struct keyring *ring, const struct seal_name *name,
    const struct strbuf *sealed, struct secret *out, struct err *err);
/* The key that head, the first SEAL_HEAD bytes of a sealed value or all there
   are, names; NULL: the ring has none such, or it is damaged. */
const struct keyring_key *seal_key(const struct keyring *ring,
    const void *head, size_t len);

#endif
