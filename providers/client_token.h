/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A user's own token: what aks, google and oidc share. The client brought it
 * along (the body's "auth", or headers of /proxy), or it is of the user's
 * sign-in with us. Never registered.
 */
#ifndef STAGEDOOR_CLIENT_TOKEN_H
#define STAGEDOOR_CLIENT_TOKEN_H

#include "provider.h"

/*
 * Make value (borrowed; NULL: none) the bearer credential of this request.
 * where names it in messages: "auth.google". A value that is no string is
 * written out as JavaScript would. Without one, and with signIn =
 * "stagedoor", the kept token. PROVIDER_NEEDS_USER when there is none,
 * PROVIDER_FAILED when it cannot stand in a header.
 */
enum provider_verdict client_token(const struct provider_call *call,
    struct json_object *value, const char *where, struct credential *out,
    struct err *err);

#endif
