/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A token of another service account: IAM Credentials' generateAccessToken,
 * asked with a token of somebody who may create tokens for it.
 */
#include "base.h"

#include "arena.h"
#include "google_private.h"
#include "rfc3339.h"
#include "strbuf.h"

#define LIFE 3600	/* s; IAM's own default, and its bound for most */
#define LIFE_MIN 600
#define LIFE_MAX 43200
#define NAME_MAX_SHOWN 200

/* {"delegates":[...],"scope":[...],"lifetime":"3600s"} */
static const char *
question(struct arena *arena, const struct google_other *o)
{
	struct strbuf sb = STRBUF_INIT(STRBUF_UNLIMITED);
	int64_t life = LIFE;
	char *out;

	if (o->seconds != NULL)
		life = json_object_get_int64(o->seconds);
	life = SD_MAX(SD_MIN(life, (int64_t)LIFE_MAX), (int64_t)LIFE_MIN);
	strbuf_addch(&sb, '{');
	if (o->delegates != NULL) {
		strbuf_addstr(&sb, "\"delegates\":");
		jsonx_add_tree(&sb, o->delegates);
		strbuf_addch(&sb, ',');
	}
	strbuf_addf(&sb, "\"scope\":%s,\"lifetime\":\"%llds\"}",
	    google_quote_words(arena, o->scopes), (long long)life);
	out = arena_strdup(arena, sb.buf);
	strbuf_release(&sb);
	return out;
}

static int
take(struct google_work *w, struct json_object *answer,
    struct source_value *out, struct err *err)
{
	const char *token = jsonx_str(answer, "accessToken");
	const char *until = jsonx_str(answer, "expireTime");
	int64_t expires;

	if (token == NULL || !credential_token_ok(token, strlen(token)))
		return err_set(err, E_PROTOCOL, "%s answered no accessToken, "
		    "or what cannot be one", w->host);
	if (until == NULL || !rfc3339_parse(until, &expires))
		return err_set(err, E_PROTOCOL, "%s answered no expireTime, "
		    "or what is no time", w->host);
	secret_set(&out->part[0], token, strlen(token));
	return google_until(w, expires - w->skew, out, err);
}

const char *
google_other_url(struct json_object *c, struct err *err)
{
	const char *url = google_need(c, "service_account_impersonation_url",
	    err);

	if (url == NULL || google_url_ok(url, GOOGLE_OWN))
		return url;
	err_set(err, E_CONFIG, "its service_account_impersonation_url is not "
	    "https with a host of googleapis.com");
	return NULL;
}

/* For messages: whom the url names, and by whom that one is asked for. */
static const char *
name_other(const struct google_work *w, const char *url)
{
	const char *name = strrchr(url, '/') + 1;
	int len = (int)SD_MIN(strcspn(name, ":?#"), (size_t)NAME_MAX_SHOWN);

	return arena_printf(w->call->scratch, "service account '%.*s', as %s",
	    len, name, w->who != NULL ? w->who : "others");
}

int
google_become(struct google_work *w, const struct google_other *o,
    struct source_value *out, struct err *err)
{
	struct arena *arena = w->call->scratch;
	const char *headers[] = { "Content-Type: application/json",
	    arena_printf(arena, "Authorization: Bearer %s", o->token->ptr),
	    NULL };
	const char *body = question(arena, o);
	const struct http_request rq = { .method = "POST", .url = o->url,
	    .headers = headers, .body = body, .body_len = strlen(body),
	    .limit = GOOGLE_TOKEN_MAX };
	struct json_object *answer;
	int r;

	google_hide(w, o->token->ptr);
	w->who = name_other(w, o->url);
	w->is_signed = false;		/* what is asked here has no time */
	if ((r = google_ask(w, &rq, &answer, err)) != 0)
		return r;
	r = take(w, answer, out, err);
	jsonx_wipe(answer);
	return r;
}

int
google_from_impersonated(struct google_work *w, struct json_object *c,
    const char *scopes, struct source_value *out, struct err *err)
{
	struct json_object *source = jsonx_get(c, "source_credentials");
	struct json_object *delegates = jsonx_get(c, "delegates");
	struct source_value first = SOURCE_VALUE_INIT;
	struct google_other other = { .scopes = scopes,
	    .token = &first.part[0],
	    .url = google_other_url(c, err) };
	int r;

	if (other.url == NULL)
		return E_CONFIG;
	if (!json_object_is_type(source, json_type_object))
		return err_set(err, E_CONFIG, "source_credentials are missing "
		    "in it");
	if (json_object_is_type(delegates, json_type_array))
		other.delegates = delegates;
	r = google_from_json(w, source, GOOGLE_SCOPE_CLOUD, &first, err);
	if (r == 0)
		r = google_become(w, &other, out, err);
	source_value_release(&first);
	return r;
}
