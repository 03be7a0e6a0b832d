/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way from (cluster, who asks) to a credential: checks that the user may
 * use the cluster, then asks its provider. Handlers call this and never a
 * provider.
 */
#ifndef STAGEDOOR_OBTAIN_H
#define STAGEDOOR_OBTAIN_H

#include "../providers/provider.h"

struct request;

/*
 * auth: the tokens the client brought (borrowed; NULL for none). auth_lower:
 * they came by header, so the names of oidc providers are lower-cased.
 * On PROVIDER_OK the caller owns out. Else err has the sentence for the row
 * or the answer: E_SIGNIN, E_DENIED, E_NOTBUILT, E_CONFIG, E_SYSTEM.
 */
enum provider_verdict obtain_credential(const struct request *req,
    const struct cluster *cluster, struct json_object *auth, bool auth_lower,
    struct credential *out, struct err *err);

#endif
