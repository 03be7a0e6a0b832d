/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signing in over a browser: sent to the issuer (connect_start.c), and back
 * with a code (connect_callback.c). Each answers the request, whatever
 * happens; both wait for the issuer, on the calling thread, in one of the
 * places of streams.h, so that an issuer that hangs leaves threads for
 * others. Functions return 0 or E_GONE, but where they say otherwise.
 */
#ifndef STAGEDOOR_CONNECT_FLOW_H
#define STAGEDOOR_CONNECT_FLOW_H

struct err;
struct login_settings;
struct request;

/*
 * Begin: 303 to the issuer, and a cookie that binds it to this browser. form
 * (or the query) may say where to come back to: `return`.
 */
int connect_start(struct request *req, const struct login_settings *login,
    const char *form);
/* GET /connect/callback. */
int connect_callback(struct request *req);

/* `return` of the form, else of the query, if it is a path of our own site;
   NULL: there is none that would do. */
const char *connect_after(struct request *req, const char *form);
/* Is it a user, with a store to keep tokens in? 0, E_DENIED or E_STORE. */
int connect_allowed(const struct request *req, struct err *err);

#endif
