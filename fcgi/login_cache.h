/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where `stagedoor login` keeps a portal's token on a person's machine, so
 * that kubectl does not ask each time: a file of its owner's only, in
 * $XDG_CACHE_HOME/stagedoor, else ~/.cache/stagedoor, by the hash of the
 * portal's address. It is replaced as a whole. One process at a time has it;
 * others wait.
 */
#ifndef STAGEDOOR_LOGIN_CACHE_H
#define STAGEDOOR_LOGIN_CACHE_H

#include "secret.h"

struct err;

struct login_cache {
	char *file;
	int lock;
};

#define LOGIN_CACHE_INIT { NULL, -1 }

struct login_kept {
	struct secret token;
	int64_t expires;	/* wall ms */
	int64_t checked;	/* wall ms: then the portal said it is good */
};

#define LOGIN_KEPT_INIT { SECRET_INIT, 0, 0 }

/*
 * Make the folder, if there is none, and wait until nobody else has it; then
 * calls waiting first, if it is not NULL. 0 with *lc for login_cache_close;
 * E_SYSTEM: no home, or a folder that is not safe.
 */
int login_cache_open(const char *portal, void (*waiting)(void),
    struct login_cache *lc, struct err *err);
/* 0 with *out the caller's; E_NOTFOUND: there is none, or nothing that can be
   read; E_SYSTEM: others may read or write it. */
int login_cache_read(const struct login_cache *lc, struct login_kept *out,
    struct err *err);
/* 0 or E_SYSTEM. */
int login_cache_write(const struct login_cache *lc,
    const struct login_kept *kept, struct err *err);
void login_cache_remove(const struct login_cache *lc);
void login_cache_close(struct login_cache *lc);
void login_kept_release(struct login_kept *kept);

#endif
