/* SPDX-License-Identifier: Apache-2.0 */
/*
 * oidc: the user's id token: as auth.oidc.NAME, NAME being the cluster's
 * oidcTokenProvider, or of a sign-in with us. Headers carry names in lower
 * case, so there case does not matter; in a body it does, as in Backstage.
 */
#include "base.h"

#include <json-c/json.h>

#include "arena.h"
#include "client_token.h"
#include "jsonx.h"

static struct json_object *
find_token(const struct provider_call *call, const char *name)
{
	struct json_object *oidc = jsonx_get(call->auth, "oidc");

	if (!call->auth_lower)
		return jsonx_get(oidc, name);
	if (!json_object_is_type(oidc, json_type_object))
		return NULL;
	json_object_object_foreach(oidc, key, value)
		if (strcasecmp(key, name) == 0)
			return value;
	return NULL;
}

static int
check(const struct cluster *cluster, struct err *err)
{
	if (cluster->oidc_token_provider == NULL)
		return err_set(err, E_CONFIG,
		    "authProvider oidc needs an oidcTokenProvider");
	return 0;
}

static enum provider_verdict
obtain(const void *state UNUSED, const struct provider_call *call,
    struct credential *out, struct err *err)
{
	const char *name = call->cluster->oidc_token_provider;

	return client_token(call, find_token(call, name),
	    arena_printf(call->scratch, "auth.oidc.%s", name), out, err);
}

extern const struct provider_ops provider_oidc;
const struct provider_ops provider_oidc = {
	.name = "oidc",
	.flags = PROVIDER_USER_TOKEN,
	.check = check,
	.obtain = obtain,
};
