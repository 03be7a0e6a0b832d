/* SPDX-License-Identifier: Apache-2.0 */
/* Whose id token it is: its claims, and its signature by the issuer's keys. */
#include "base.h"

#include "id_token.h"
#include "jwk.h"
#include "oauth_private.h"

#define ACCOUNT_MAX 256			/* bytes */
#define SUBJECT_MAX 255			/* OpenID Connect Core 1.0, section 2 */

/* --- Keys ---------------------------------------------------------------- */

static int
keys_get(struct oauth_call *call, bool force, struct jwk_set **out,
    struct err *err)
{
	const struct oauth_io *io = call->o->io;
	struct document_want want = { .url = call->issuer.keys,
	    .max_age = JWKS_AGE_MS, .force = force };
	const struct document *doc = NULL;
	struct err why = ERR_INIT;
	int r;

	r = io->document(io->ctx, &want, &doc, &why);
	if (r == 0)
		r = jwk_set_parse(doc->text, doc->len, out, &why);
	document_put(doc);
	if (r == 0)
		return 0;
	return err_set(err, r == E_AUTH ? E_PROTOCOL : r, "the issuer's keys "
	    "cannot be had: %s", why.text);
}

int
oauth_keys_ready(struct oauth_call *call, struct err *err)
{
	struct jwk_set *set = NULL;
	int r = keys_get(call, false, &set, err);

	jwk_set_free(set);
	return r;
}

/* A key that is not there may be a new one: look once more. */
static int
verify(struct oauth_call *call, const struct jwt_parts *parts,
    struct err *err)
{
	struct jwk_set *set = NULL;
	bool force = false;
	int r;

	for (;;) {
		if ((r = keys_get(call, force, &set, err)) != 0)
			return r;
		r = jwt_verify(parts, set, err);
		jwk_set_free(set);
		set = NULL;
		if (r != E_NOTFOUND || force)
			return r;
		force = true;
	}
}

/* --- Claims -------------------------------------------------------------- */

/* Google may leave out the scheme (its documentation of id tokens). */
static bool
google_issuer_ok(const struct oauth_call *call, const struct jwt_parts *parts)
{
	const char *iss = jsonx_str(parts->claims, "iss");
	const char *name = call->issuer.name;

	return iss != NULL && (strcmp(iss, name) == 0 ||
	    strcmp(iss, strstr(name, "://") + 3) == 0);
}

static int
claims_check(struct oauth_call *call, const struct jwt_parts *parts,
    const struct oauth_id_rules *rules, struct err *err)
{
	struct id_token_rules id = { .issuer = call->issuer.name,
	    .client_id = call->o->login->client_id, .nonce = rules->nonce,
	    .access_token = rules->access_token,
	    .now = call->o->io->now(call->o->io->ctx),
	    .leeway = ID_TOKEN_LEEWAY_MS };
	const char *subject = jsonx_str(parts->claims, "sub");
	int r;

	if (oauth_is(call, LOGIN_GOOGLE)) {
		if (!google_issuer_ok(call, parts))
			return err_set(err, E_AUTH, "the id token is of "
			    "another issuer");
		id.issuer = NULL;
	}
	if ((r = id_token_check(parts, &id, err)) != 0)
		return r;
	if (subject == NULL || *subject == '\0' ||
	    strlen(subject) > SUBJECT_MAX)
		return err_set(err, E_AUTH, "the id token names nobody (sub)");
	if (rules->subject != NULL && strcmp(rules->subject, subject) != 0)
		return err_set(err, E_SIGNIN, "the new id token is somebody "
		    "else's");
	return 0;
}

/* --- The person ---------------------------------------------------------- */

/* Fit to be shown as a name: something, not too long, no control characters.
   (What is not UTF-8 is no JSON.) */
static const char *
name_of(const struct jwt_parts *parts, const char *claim)
{
	const char *text = jsonx_str(parts->claims, claim), *p;

	if (text == NULL || *text == '\0' || strlen(text) > ACCOUNT_MAX)
		return NULL;
	for (p = text; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			return NULL;
	return text;
}

/* An address that somebody merely says is theirs is nobody's name. */
static bool
email_counts(const struct jwt_parts *parts)
{
	struct json_object *v = jsonx_get(parts->claims, "email_verified");

	if (json_object_is_type(v, json_type_string))
		return strcmp(json_object_get_string(v), "true") == 0;
	return v == NULL || json_object_get_boolean(v);
}

static const char *
account_of(const struct jwt_parts *parts)
{
	static const char *const claims[] = { "email", "preferred_username",
	    "upn", "name" };
	const char *text;
	size_t i;

	for (i = email_counts(parts) ? 0 : 1; i < ARRAY_LEN(claims); i++)
		if ((text = name_of(parts, claims[i])) != NULL)
			return text;
	text = name_of(parts, "sub");
	return text != NULL ? text : "";
}

int
oauth_id_token(struct oauth_call *call, const char *token,
    const struct oauth_id_rules *rules, struct oauth_person *out,
    struct err *err)
{
	const unsigned allowed = JWT_ALLOW(JWT_RS256) | JWT_ALLOW(JWT_ES256) |
	    JWT_ALLOW(JWT_PS256);
	struct jwt_parts parts;
	int r;

	if (jwt_parse(token, strlen(token), allowed, &parts, err) != 0)
		return oauth_code_is(err, E_AUTH);
	/* Claims first: what is not for us makes nobody fetch keys. */
	if ((r = claims_check(call, &parts, rules, err)) != 0 ||
	    (r = verify(call, &parts, err)) != 0)
		goto out;
	out->subject = arena_strdup(call->scratch, jsonx_str(parts.claims,
	    "sub"));
	out->account = arena_strdup(call->scratch, account_of(&parts));
	if (!jwt_time(&parts, "exp", &out->expires))
		r = err_set(err, E_AUTH, "the id token does not say when it "
		    "ends");
 out:
	jwt_parts_release(&parts);
	return r;
}
