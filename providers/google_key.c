/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A service account's key: an assertion that is signed with it gets an access
 * token (RFC 7523). Its audience is always Google's own token endpoint, also
 * where token_uri names another address of it.
 */
#include "base.h"

#include "arena.h"
#include "google_private.h"
#include "jwt.h"

#define TOKEN_URI "https://oauth2.googleapis.com/token"
#define GRANT "urn:ietf:params:oauth:grant-type:jwt-bearer"
#define ASSERTION_LIFE 3600	/* s; Google takes no more */

char *
google_assertion(struct arena *arena, const struct google_assertion *a,
    struct err *err)
{
	long long now = a->now / 1000;
	struct jwt jwt = { .algorithm = JWT_RS256, .key = a->key };
	char *out = NULL;

	jwt.header = arena_printf(arena, "{\"typ\":\"JWT\",\"alg\":\"RS256\""
	    "%s%s}", a->key_id != NULL ? ",\"kid\":" : "",
	    a->key_id != NULL ? google_quote(arena, a->key_id) : "");
	jwt.claims = arena_printf(arena, "{\"iat\":%lld,\"exp\":%lld,"
	    "\"iss\":%s,\"aud\":\"" TOKEN_URI "\",\"scope\":%s%s%s}", now,
	    now + ASSERTION_LIFE, google_quote(arena, a->email),
	    google_quote(arena, a->scopes),
	    a->subject != NULL ? ",\"sub\":" : "",
	    a->subject != NULL ? google_quote(arena, a->subject) : "");
	return jwt_sign(arena, &jwt, &out, err) == 0 ? out : NULL;
}

static const char *
address_of(struct json_object *c, struct err *err)
{
	const char *url = jsonx_str(c, "token_uri");

	if (url == NULL || *url == '\0')
		return TOKEN_URI;
	if (google_url_ok(url, GOOGLE_TLS))
		return url;
	err_set(err, E_CONFIG, "its token_uri is no https URL");
	return NULL;
}

static char *
sign(struct google_work *w, struct json_object *c, const char *scopes,
    struct err *err)
{
	struct secret key = SECRET_INIT;
	struct google_assertion a = { .scopes = scopes, .key = &key,
	    .email = jsonx_str(c, "client_email"),
	    .key_id = jsonx_str(c, "private_key_id"), .now = w->clock };
	const char *pem = google_need(c, "private_key", err);
	char *out;

	if (pem == NULL)
		return NULL;
	secret_set(&key, pem, strlen(pem));
	out = google_assertion(w->call->scratch, &a, err);
	secret_release(&key);
	w->is_signed = true;
	google_hide(w, out);
	return out;
}

int
google_from_key(struct google_work *w, struct json_object *c,
    const char *scopes, struct source_value *out, struct err *err)
{
	const char *email = google_need(c, "client_email", err);
	struct google_form form = { .n = 2 };
	struct json_object *answer;
	char *assertion;
	int r;

	if (email == NULL || (form.url = address_of(c, err)) == NULL)
		return E_CONFIG;
	w->who = arena_printf(w->call->scratch, "service account '%.200s'",
	    email);
	if ((assertion = sign(w, c, scopes, err)) == NULL)
		return E_CONFIG;
	form.fields = (const struct pair[]){ { "grant_type", GRANT },
	    { "assertion", assertion } };
	if ((r = google_post(w, &form, &answer, err)) != 0)
		return r;
	r = google_take(w, answer, out, err);
	jsonx_wipe(answer);
	return r;
}
