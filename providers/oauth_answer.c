/* SPDX-License-Identifier: Apache-2.0 */
/* What a token endpoint answers: tokens and how long they last, or why not. */
#include "base.h"

#include <math.h>

#include "credential.h"
#include "oauth_private.h"

#define ERROR_MAX 64			/* bytes of an error's name */
#define SCOPE_MAX 4096
#define GOOGLE_CLOUD "https://www.googleapis.com/auth/cloud-platform"
#define LIFE_UNSAID (INT64_C(300) * 1000)	/* ms */
#define LIFE_MAX (INT64_C(315360000) * 1000)	/* ten years */

/* --- Reading ------------------------------------------------------------- */

/* Names are words: "invalid_grant". Anything else has no name. */
static const char *
error_of(struct json_object *json)
{
	const char *name = jsonx_str(json, "error");
	size_t len = name != NULL ? strspn(name, "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") : 0;

	return len > 0 && len <= ERROR_MAX && name[len] == '\0' ? name : NULL;
}

void
oauth_answer_parse(const struct http_answer *from, struct oauth_answer *out)
{
	struct json_object *json = NULL;

	*out = (struct oauth_answer){ .status = from->status };
	if (from->body.len > 0)
		jsonx_parse(from->body.ptr, from->body.len, &json, NULL);
	if (json_object_is_type(json, json_type_object))
		out->json = json;
	else if (json != NULL)
		jsonx_wipe(json);
	out->error = error_of(out->json);
}

void
oauth_answer_release(struct oauth_answer *a)
{
	if (a->json != NULL)
		jsonx_wipe(a->json);
	*a = (struct oauth_answer)OAUTH_ANSWER_INIT;
}

bool
oauth_answer_good(const struct oauth_answer *a)
{
	return a->status >= 200 && a->status < 300 && a->json != NULL &&
	    jsonx_get(a->json, "error") == NULL;
}

/* --- Refusals ------------------------------------------------------------ */

/* What the user can end by signing in again, and what goes by itself; all
   else the operator has to look after. */
static int
code_of_name(const char *name)
{
	static const struct {
		const char *name;
		int code;
	} names[] = {
		{ "invalid_grant", E_SIGNIN },
		{ "interaction_required", E_SIGNIN },
		{ "consent_required", E_SIGNIN },
		{ "login_required", E_SIGNIN },
		{ "account_selection_required", E_SIGNIN },
		{ "access_denied", E_SIGNIN },
		{ "expired_token", E_SIGNIN },
		{ "temporarily_unavailable", E_BUSY },
		{ "server_error", E_BUSY },
		{ "slow_down", E_BUSY },
	};
	size_t i;

	for (i = 0; name != NULL && i < ARRAY_LEN(names); i++)
		if (strcmp(names[i].name, name) == 0)
			return names[i].code;
	return E_DENIED;
}

/* Dex says so of a refresh token that was used before, has expired or is gone:
   by its name it would be our request that is wrong. */
static bool
blames_refresh_token(const struct oauth_answer *a)
{
	const char *words = jsonx_str(a->json, "error_description");

	return str_eq(a->error, "invalid_request") && words != NULL &&
	    (strcasestr(words, "refresh token ") != NULL ||
	    strcasestr(words, "refresh_token ") != NULL);
}

/*
 * Of 502 and 504 a gateway is the author, of 408 nobody knows: what is behind
 * may have done it.
 */
static int
code_of(const struct oauth_answer *a)
{
	switch (a->status) {
	case 408:
	case 502:
	case 504:
		return E_PROTOCOL;
	case 425:
	case 429:
		return E_BUSY;
	}
	if (a->status >= 500)
		return E_BUSY;
	if (a->status >= 400 || (a->status / 100 == 2 && a->error != NULL))
		return blames_refresh_token(a) ? E_SIGNIN :
		    code_of_name(a->error);
	return E_PROTOCOL;
}

int
oauth_answer_refusal(struct oauth_call *call, const char *url,
    const struct oauth_answer *a, struct err *err)
{
	const char *name = a->error != NULL ? oauth_words(call, a->error) : "";
	const char *words = oauth_words(call, jsonx_str(a->json,
	    "error_description"));

	if (a->status / 100 == 2 && a->json == NULL)
		words = "what it says is no JSON object";
	return err_set(err, code_of(a), "%s answered %d%s%s%s%s",
	    oauth_host(call, url), a->status, *name ? ": " : "", name,
	    *words ? ": " : "", words);
}

/* --- Tokens -------------------------------------------------------------- */

/* "3600" as well as 3600: some write it so. ms; -1: not said. */
static int64_t
lifetime(struct json_object *v)
{
	const char *text;
	double s;

	if (json_object_is_type(v, json_type_string)) {
		text = json_object_get_string(v);
		if (*text == '\0' || text[strspn(text, "0123456789")] != '\0')
			return -1;
		s = strtod(text, NULL);
	} else if (json_object_is_type(v, json_type_int) ||
	    json_object_is_type(v, json_type_double)) {
		s = json_object_get_double(v);
	} else {
		return -1;
	}
	if (!isfinite(s) || s < 0)
		return -1;
	return s * 1000 < LIFE_MAX ? (int64_t)(s * 1000) : LIFE_MAX;
}

/* A token as it stands there: NULL: none. False: it is not fit to be sent. */
static bool
token_of(struct oauth_call *call, const struct oauth_answer *a,
    const char *name, const char **out)
{
	const char *token = jsonx_str(a->json, name);

	if (token != NULL && *token == '\0')
		token = NULL;
	*out = token;
	oauth_hide(call, token);
	return token == NULL || (strlen(token) <= OAUTH_TOKEN_MAX &&
	    credential_token_ok(token, strlen(token)));
}

struct tokens {
	const char *access, *refresh, *id, *scope;	/* borrowed */
};

static int
tokens_read(struct oauth_call *call, const struct oauth_answer *a,
    struct tokens *t, struct err *err)
{
	const char *host = oauth_host(call, call->issuer.token);
	const char *type = jsonx_str(a->json, "token_type"), *p;
	bool ok = token_of(call, a, "refresh_token", &t->refresh);

	if (!ok)
		t->refresh = NULL;
	if (!token_of(call, a, "access_token", &t->access) ||
	    !token_of(call, a, "id_token", &t->id) || !ok)
		return err_set(err, E_PROTOCOL, "%s: there is a token in its "
		    "answer that is none", host);
	if (t->access == NULL)
		return err_set(err, E_PROTOCOL, "%s: there is no access token "
		    "in its answer", host);
	if (type != NULL && strcasecmp(type, "Bearer") != 0)
		return err_set(err, E_PROTOCOL, "%s: its token is none for "
		    "bearers (token_type)", host);
	t->scope = jsonx_str(a->json, "scope");
	for (p = t->scope; p != NULL && *p != '\0'; p++)
		if (*p < ' ' || *p > '~' || p - t->scope >= SCOPE_MAX)
			return err_set(err, E_PROTOCOL, "%s: the scope in its "
			    "answer is none", host);
	return 0;
}

/* Does one of these scopes open clusters? The wider of the two has the other
   in it. */
static bool
has_cloud(const char *scopes)
{
	return oauth_has_scope(scopes, GOOGLE_CLOUD) ||
	    oauth_has_scope(scopes, OAUTH_GOOGLE_SCOPE);
}

/*
 * People may untick it, and then sign in to no avail. Without a scope in the
 * answer all was granted (RFC 6749, 5.1).
 */
static int
check_google(struct oauth_call *call, const char *scope, struct err *err)
{
	if (!oauth_is(call, LOGIN_GOOGLE) || scope == NULL ||
	    !has_cloud(oauth_scope(call)) || has_cloud(scope))
		return 0;
	return err_set(err, E_AUTH, "access to Google Cloud was not granted: "
	    "sign in again and leave it ticked");
}

static void
take_string(char **to, const char *text)
{
	if (text == NULL)
		return;
	free(*to);
	*to = xstrdup(text);
}

static void
take_token(struct secret *to, const char *token)
{
	if (token != NULL)
		secret_set(to, token, strlen(token));
}

/*
 * Of the id token, or why it is not used. A refreshed one whose key cannot
 * be had now is left out, and the old one kept: what was answered is spent
 * otherwise, and the next refresh brings another.
 */
static int
take_id_token(struct oauth_call *call, const struct tokens *t,
    const struct oauth_rules *rules, struct token_set *out, struct err *err)
{
	struct oauth_id_rules id = { .nonce = rules->nonce,
	    .access_token = t->access,
	    .subject = rules->old != NULL ? rules->old->subject : NULL };
	struct oauth_person person = { .expires = 0 };
	struct err why = ERR_INIT;
	int r;

	r = oauth_id_token(call, t->id, &id, &person, &why);
	if (r != 0 && r != E_AUTH && r != E_SIGNIN && rules->old != NULL)
		return 0;
	if (r != 0)
		return err_set(err, r == E_NOTFOUND ? E_AUTH : r, "%s",
		    why.text);
	take_string(&out->issuer, call->issuer.name);
	take_string(&out->subject, person.subject);
	take_string(&out->account, person.account);
	take_token(&out->id_token, t->id);
	out->id_expires = person.expires;
	return 0;
}

/* For the oidc provider the id token is what opens clusters. */
static int
check_without(struct oauth_call *call, const struct oauth_rules *rules,
    int64_t now, struct err *err)
{
	if (rules->old == NULL)
		return err_set(err, E_AUTH, "%s: there is no id token in its "
		    "answer", oauth_host(call, call->issuer.token));
	if (oauth_is(call, LOGIN_OIDC) && rules->old->id_expires <= now)
		return err_set(err, E_SIGNIN, "%s gives no new id token for a "
		    "refresh token, and the old one is over",
		    oauth_host(call, call->issuer.token));
	return 0;
}

static void
take_access(const struct oauth_answer *a, const struct tokens *t, int64_t now,
    struct token_set *out)
{
	int64_t life = lifetime(jsonx_get(a->json, "expires_in"));

	take_token(&out->access_token, t->access);
	take_token(&out->refresh_token, t->refresh);
	take_string(&out->scope, t->scope);
	if (life >= 0)
		out->access_expires = now + life;
	else if (t->id != NULL && out->id_expires > now)
		out->access_expires = out->id_expires;
	else
		out->access_expires = now + LIFE_UNSAID;
	out->refreshed = now;
	out->tries = 0;
}

int
oauth_answer_tokens(struct oauth_call *call, const struct oauth_answer *a,
    const struct oauth_rules *rules, struct token_set *out, struct err *err)
{
	int64_t now = call->o->io->now(call->o->io->ctx);
	struct tokens t = { .access = NULL };
	struct token_set made;
	int r;

	memset(&made, 0, sizeof(made));
	if (rules->old != NULL)
		token_set_copy(&made, rules->old);
	r = tokens_read(call, a, &t, err);
	if (r != 0 && t.refresh != NULL && rules->old != NULL)
		r = oauth_code_is(err, E_AUTH);
	else if (r == 0 && rules->old == NULL)
		r = check_google(call, t.scope, err);
	if (r == 0 && t.id != NULL)
		r = take_id_token(call, &t, rules, &made, err);
	else if (r == 0)
		r = check_without(call, rules, now, err);
	if (r == E_AUTH && rules->old != NULL) {
		take_token(&made.refresh_token, t.refresh);
		*out = made;
		return r;
	}
	if (r != 0)
		goto out;
	if (rules->old == NULL) {
		take_string(&made.scope, oauth_scope(call));
		made.signed_in = now;
	}
	take_access(a, &t, now, &made);
	token_set_renew(&made);
	*out = made;
	return 0;
 out:
	token_set_release(&made);
	return r;
}
