/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an id token must say. Each rule that the specification leaves open to
 * taste is taken strictly: an issuer that keeps to it passes, and what is
 * half right is refused.
 */
#include "base.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "arena.h"
#include "id_token.h"
#include "jsonx.h"

#define HASH_LEN 32		/* all our algorithms are over SHA-256 */

static bool
has(struct json_object *claims, const char *name)
{
	return json_object_object_get_ex(claims, name, NULL);
}

/* A claim is this very text. In constant time: one of them is the nonce. */
static bool
is(struct json_object *value, const char *text)
{
	size_t len = strlen(text);

	return json_object_is_type(value, json_type_string) && len > 0 &&
	    (size_t)json_object_get_string_len(value) == len &&
	    CRYPTO_memcmp(json_object_get_string(value), text, len) == 0;
}

static int
refuse(struct err *err, const char *why)
{
	return err_set(err, E_AUTH, "the id token %s", why);
}

/* ---- for whom ---- */

/* Of strings only, and ours is among them. */
static bool
audience_has(struct json_object *aud, const char *client_id)
{
	struct json_object *item;
	bool found = false;
	size_t i;

	if (!json_object_is_type(aud, json_type_array))
		return is(aud, client_id);
	for (i = 0; i < json_object_array_length(aud); i++) {
		item = json_object_array_get_idx(aud, i);
		if (!json_object_is_type(item, json_type_string))
			return false;
		found |= is(item, client_id);
	}
	return found;
}

static int
check_audience(struct json_object *claims, const struct id_token_rules *rules,
    struct err *err)
{
	struct json_object *aud = jsonx_get(claims, "aud");
	bool several = json_object_is_type(aud, json_type_array) &&
	    json_object_array_length(aud) > 1;

	if (!audience_has(aud, rules->client_id))
		return refuse(err, "is for another client (aud)");
	if (several && !has(claims, "azp"))
		return refuse(err, "is for several clients and does not say "
		    "which of them asked (azp)");
	if (has(claims, "azp") &&
	    !is(jsonx_get(claims, "azp"), rules->client_id))
		return refuse(err, "was asked for by another client (azp)");
	return 0;
}

/* ---- when ---- */

static int
check_times(const struct jwt_parts *token, const struct id_token_rules *rules,
    struct err *err)
{
	int64_t exp, iat, nbf;

	if (!jwt_time(token, "exp", &exp))
		return refuse(err, "does not say until when it holds (exp)");
	if (exp <= rules->now - rules->leeway)
		return refuse(err, "has run out (exp): is the clock right?");
	if (!jwt_time(token, "iat", &iat))
		return refuse(err, "does not say when it was made (iat)");
	if (iat > rules->now + rules->leeway)
		return refuse(err, "was made in the future (iat): is the clock "
		    "right?");
	if (!has(token->claims, "nbf"))
		return 0;
	if (!jwt_time(token, "nbf", &nbf))
		return refuse(err, "says from when it holds, but with no "
		    "number (nbf)");
	if (nbf > rules->now + rules->leeway)
		return refuse(err, "does not hold yet (nbf): is the clock "
		    "right?");
	return 0;
}

/* ---- what it belongs to ---- */

/* BASE64URL of the left half of its hash. */
static bool
is_hash_of(struct json_object *value, const char *text)
{
	unsigned char hash[HASH_LEN];
	struct arena *arena;
	bool same;

	if (EVP_Digest(text, strlen(text), hash, NULL, EVP_sha256(),
	    NULL) != 1)
		return false;
	arena = arena_new();
	same = is(value, jwt_base64url(arena, hash, HASH_LEN / 2));
	arena_free(arena);
	return same;
}

static int
check_bindings(struct json_object *claims, const struct id_token_rules *rules,
    struct err *err)
{
	if (rules->nonce != NULL &&
	    !is(jsonx_get(claims, "nonce"), rules->nonce))
		return refuse(err, "belongs to another sign-in (nonce)");
	if (rules->access_token != NULL && has(claims, "at_hash") &&
	    !is_hash_of(jsonx_get(claims, "at_hash"), rules->access_token))
		return refuse(err, "belongs to another access token (at_hash)");
	return 0;
}

int
id_token_check(const struct jwt_parts *token,
    const struct id_token_rules *rules, struct err *err)
{
	struct json_object *claims = token->claims;
	const char *sub = jsonx_str(claims, "sub");
	int r;

	if (rules->issuer != NULL &&
	    !is(jsonx_get(claims, "iss"), rules->issuer))
		return refuse(err, "is from another issuer (iss)");
	if (sub == NULL || *sub == '\0')
		return refuse(err, "does not say who it is about (sub)");
	if ((r = check_audience(claims, rules, err)) != 0)
		return r;
	if ((r = check_times(token, rules, err)) != 0)
		return r;
	return check_bindings(claims, rules, err);
}
