/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A sign-in client of the settings, made ready to talk to its issuer over
 * the runtime's transport, and the addresses of ours that go with it.
 */
#ifndef STAGEDOOR_LOGIN_H
#define STAGEDOOR_LOGIN_H

#include "../providers/oauth.h"

struct arena;
struct cluster;
struct runtime;
struct settings;

struct login_client {
	struct oauth oauth;	/* points into this struct: it must not move */
	struct oauth_io io;
};

/* Borrows rt and login; strings go to the arena. */
void login_client_init(struct login_client *lc, const struct runtime *rt,
    const struct login_settings *login, struct arena *arena);

/* The login whose tokens open the cluster; NULL: there is none. */
const struct login_settings *login_of(const struct settings *s,
    const struct cluster *cluster);
/* Its place among the tokens of a user. */
struct token_key login_key(const struct login_settings *login,
    const char *user);
/* Our sign-in page as the browser sees it; a path without publicUrl. */
const char *login_page(const struct settings *s, struct arena *arena);

#endif
