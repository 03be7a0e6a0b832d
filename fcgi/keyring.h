/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The key file of the store: lines "id:base64 of 32 bytes"; blank lines and
 * lines that begin with # say nothing. The first key seals, all open, so a
 * new key goes before the old ones, which stay as long as what they sealed.
 * Immutable once read: any thread.
 */
#ifndef STAGEDOOR_KEYRING_H
#define STAGEDOOR_KEYRING_H

struct err;
struct strbuf;

#define KEYRING_KEY 32		/* bytes of a key */
#define KEYRING_ID_MAX 32	/* letters, digits and ._- of an id */

struct keyring;

struct keyring_key {
	char id[KEYRING_ID_MAX + 1];
	unsigned char key[KEYRING_KEY];		/* as it is in the file */
	unsigned char seal[KEYRING_KEY];	/* made of it, for sealing */
};

/*
 * 0 with *out the caller's; E_CONFIG: err says what to do, and never what the
 * file holds. A file that others may read, or that its group may write, is
 * refused: its group may be the one that the server runs in.
 */
int keyring_read(const char *path, struct keyring **out, struct err *err);
/* One key that nobody else has and that ends with the ring. Never fails. */
struct keyring *keyring_random(void);
void keyring_free(struct keyring *ring);	/* NULL is fine; wipes */

const struct keyring_key *keyring_first(const struct keyring *ring);
size_t keyring_count(const struct keyring *ring);
/* The key of line i, from 0; there is one. */
const struct keyring_key *keyring_at(const struct keyring *ring, size_t i);
/* The key of that id, or NULL. id need not end with NUL. */
const struct keyring_key *keyring_find(const struct keyring *ring,
    const char *id, size_t len);
/* 32 bytes for a purpose (HKDF-SHA256, RFC 5869), other than .seal. */
void keyring_derive(const struct keyring_key *key, const char *purpose,
    unsigned char out[KEYRING_KEY]);

#define KEYRING_LINE 127	/* bytes of a line, at most */
/* Add a line with a new key; its id is the day (UTC) and six random digits. */
void keyring_add_line(struct strbuf *out);

#endif
