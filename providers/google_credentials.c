/* SPDX-License-Identifier: Apache-2.0 */
/* Credentials by their type, and those of a person who signed in once. */
#include "base.h"

#include "arena.h"
#include "google_private.h"

#define TOKEN_URL "https://oauth2.googleapis.com/token"
#define UNIVERSE "googleapis.com"

/* What `gcloud auth application-default login` leaves. Libraries do not heed
   a token_uri in it; here it may name loopback only. */
static int
from_user(struct google_work *w, struct json_object *c,
    const char *scopes UNUSED, struct source_value *out, struct err *err)
{
	const char *uri = jsonx_str(c, "token_uri");
	const char *id = google_need(c, "client_id", err);
	const char *secret = google_need(c, "client_secret", err);
	const char *refresh = google_need(c, "refresh_token", err);
	const struct pair fields[] = { { "grant_type", "refresh_token" },
	    { "client_id", id }, { "client_secret", secret },
	    { "refresh_token", refresh } };
	const struct google_form form = { .fields = fields,
	    .n = ARRAY_LEN(fields), .url = uri != NULL &&
	    google_url_ok(uri, GOOGLE_LOOPBACK) ? uri : TOKEN_URL };
	struct json_object *answer;
	int r;

	if (id == NULL || secret == NULL || refresh == NULL)
		return E_CONFIG;
	w->who = "a user who signed in with gcloud";
	google_hide(w, secret);
	google_hide(w, refresh);
	if ((r = google_post(w, &form, &answer, err)) != 0)
		return r;
	r = google_take(w, answer, out, err);
	/* Of a user, Google may send another. It is not kept: nobody does. */
	jsonx_wipe(answer);
	return r;
}

static int
refused(struct google_work *w, struct json_object *c,
    const char *scopes UNUSED, struct source_value *out UNUSED,
    struct err *err)
{
	w->who = NULL;
	return err_set(err, E_CONFIG, "credentials of type '%s' cannot be "
	    "used here: take a service account's key, a workload identity "
	    "(external_account) or gcloud's application default credentials",
	    jsonx_str(c, "type"));
}

static const struct {
	const char *type;
	int (*make)(struct google_work *w, struct json_object *c,
	    const char *scopes, struct source_value *out, struct err *err);
} types[] = {
	{ "service_account", google_from_key },
	{ "authorized_user", from_user },
	{ "external_account", google_from_external },
	{ "impersonated_service_account", google_from_impersonated },
	{ "external_account_authorized_user", refused },
	{ "gdch_service_account", refused },
};

/* Google's library for Node takes a key without a type for a service
   account's, and so did settings that worked with it. */
static const char *
type_of(struct json_object *c)
{
	const char *type = jsonx_str(c, "type");

	if (type == NULL && jsonx_get(c, "type") == NULL &&
	    jsonx_str(c, "private_key") != NULL)
		return "service_account";
	return type;
}

int
google_from_json(struct google_work *w, struct json_object *c,
    const char *scopes, struct source_value *out, struct err *err)
{
	const char *type = type_of(c), *universe;
	size_t i;

	universe = jsonx_str(c, "universe_domain");
	if (type == NULL)
		return err_set(err, E_CONFIG, "there is no type in it, so it "
		    "is no credentials of Google's");
	if (universe != NULL && strcmp(universe, UNIVERSE) != 0)
		return err_set(err, E_CONFIG, "its universe_domain is not "
		    UNIVERSE ", and others are not known here");
	if (++w->depth > GOOGLE_DEPTH)
		return err_set(err, E_CONFIG, "more than %d source_credentials "
		    "are in one another", GOOGLE_DEPTH - 1);
	for (i = 0; i < ARRAY_LEN(types); i++) {
		if (strcmp(type, types[i].type) != 0)
			continue;
		w->call->note(w->call, "credentials of type %s", type);
		return types[i].make(w, c, scopes, out, err);
	}
	return err_set(err, E_CONFIG, "credentials of that type are not known: "
	    "service_account, authorized_user, external_account and "
	    "impersonated_service_account are");
}
