/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Backstage's permission back end, where permission.enabled says that it
 * decides: one question for a request, with the token of whoever asks.
 */
#ifndef STAGEDOOR_PERMISSION_H
#define STAGEDOOR_PERMISSION_H

struct err;
struct permissions;
struct problems;
struct request;
struct settings;
struct transport;

#define PERMISSION_TIMEOUT 5.0		/* seconds */

/*
 * NULL where permission.enabled is false. Warns where the settings leave
 * nobody a token to ask with. Settings and transport must live longer.
 */
struct permissions *permissions_new(const struct settings *settings,
    struct transport *transport, struct problems *problems);
void permissions_free(struct permissions *p);	/* NULL is fine */

/*
 * May req->who do that ("kubernetes.proxy")? Services may without a question:
 * what their tokens are restricted to is another matter. Users of the web
 * server's have no token of Backstage's: then stagedoor.backstage.token asks,
 * and without it they may not. p may be NULL: then everybody may. 0; E_DENIED
 * with "Unauthorized"; E_AUTH: a limited token does not do; else there was no
 * answer, so nobody may: E_BUSY (it cannot be reached), E_PROTOCOL (it
 * answered something else), E_CONFIG, E_GONE. Blocks.
 */
int permission_ask(const struct permissions *p, struct request *req,
    const char *name, struct err *err);

#endif
