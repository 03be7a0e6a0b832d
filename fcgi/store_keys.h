/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The key ring of a store while it is in use: read again when we are told to,
 * and when something was sealed with a key that it does not have and the file
 * has changed. A file that cannot be read leaves the ring that was. Any
 * thread.
 */
#ifndef STAGEDOOR_STORE_KEYS_H
#define STAGEDOOR_STORE_KEYS_H

struct err;
struct keyring;
struct store_keys;

/*
 * Never fails; path NULL: a random key of this process. Where the file is
 * wrong, store_keys_ready says so until it is put right.
 */
struct store_keys *store_keys_new(const char *path);
void store_keys_free(struct store_keys *sk);	/* NULL is fine */

/* 0; E_CONFIG with the file in the text. The file is read again at most once
   a second. */
int store_keys_ready(struct store_keys *sk, struct err *err);
/* Read it now: 0 or E_CONFIG. */
int store_keys_read(struct store_keys *sk, struct err *err);
/* Another number with each ring. */
unsigned store_keys_serial(struct store_keys *sk);
/* Read it if it is another file than was read: true if there is another ring
   than that of serial now. */
bool store_keys_refresh(struct store_keys *sk, unsigned serial);

/* The ring, which stays as it is until it is let go: soon. */
const struct keyring *store_keys_hold(struct store_keys *sk);
void store_keys_let(struct store_keys *sk);

#endif
