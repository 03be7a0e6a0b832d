/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The thread of a server that looks after its store: at the start, each hour,
 * and when the key file was read again, what is over is removed, and what an
 * old key sealed is sealed with the new one. Of the processes with the same
 * keys one does it. The log says when old lines of the key file are not needed
 * any more.
 */
#ifndef STAGEDOOR_STORE_KEEPER_H
#define STAGEDOOR_STORE_KEEPER_H

struct store;
struct store_keeper;

struct store_keeper *store_keeper_new(struct store *st);	/* borrows */
/* Read the key file again; the log says what came of it. */
void store_keeper_keys(struct store_keeper *k);
/* Waits for the thread: seconds at most. NULL is fine. */
void store_keeper_free(struct store_keeper *k);

#endif
