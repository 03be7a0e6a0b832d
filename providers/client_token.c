/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A user's own token becomes the credential of one request: the one that the
 * client brought, else, where users sign in with us, the one we keep.
 */
#include "base.h"

#include "arena.h"
#include "client_token.h"
#include "jsonx.h"
#include "session.h"
#include "strbuf.h"

/* As String(value) of JavaScript, which Backstage sends. */
static const char *
as_text(struct json_object *value)
{
	switch (json_object_get_type(value)) {
	case json_type_object:
		return "[object Object]";
	case json_type_string:
	case json_type_int:
	case json_type_double:
	case json_type_boolean:
		return json_object_get_string(value);
	default:
		return "";
	}
}

/* The token that the user's sign-in left with us. */
static enum provider_verdict
kept_token(const struct provider_call *call, struct credential *out,
    struct err *err)
{
	struct user_token ut;
	int r = call->user_token(call, &ut, err);

	if (r == 0) {
		call->note(call, "the token of the user's sign-in with us: is "
		    "there%s", ut.refreshes ? ", renewed by itself" : "");
		credential_take_bearer(out, &ut.token);
		out->expires = ut.expires;
		return PROVIDER_OK;
	}
	if (r != E_PENDING)
		call->note(call, "the token of the user's sign-in with us: is "
		    "not to be had");
	return r == E_SIGNIN ? PROVIDER_NEEDS_USER :
	    r == E_DENIED ? PROVIDER_REFUSED : PROVIDER_FAILED;
}

enum provider_verdict
client_token(const struct provider_call *call, struct json_object *value,
    const char *where, struct credential *out, struct err *err)
{
	struct secret token = SECRET_INIT;
	const char *text;
	size_t len;

	call->note(call, "the token that the user's page brings, %s: %s",
	    where, jsonx_truthy(value) ? "is there" : "is not there");
	if (!jsonx_truthy(value) && call->cluster->sign_in_stagedoor)
		return kept_token(call, out, err);
	if (!jsonx_truthy(value)) {
		err_set(err, E_SIGNIN, "no token for cluster '%s': sign in, so "
		    "that the request brings %s", call->cluster->name, where);
		return PROVIDER_NEEDS_USER;
	}
	text = as_text(value);
	len = json_object_is_type(value, json_type_string) ?
	    (size_t)json_object_get_string_len(value) : strlen(text);
	/* What JavaScript makes of an object goes out, as in Backstage: the
	   cluster refuses it. */
	if (!json_object_is_type(value, json_type_object) &&
	    !credential_token_ok(text, len)) {
		err_set(err, E_INPUT, "the token under %s holds characters "
		    "that no token has", where);
		return PROVIDER_FAILED;
	}
	secret_set(&token, text, len);
	credential_take_bearer(out, &token);
	out->from_client = true;
	return PROVIDER_OK;
}
