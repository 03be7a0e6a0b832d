/* SPDX-License-Identifier: Apache-2.0 */
/* Which credentials, and the source that makes tokens with them. */
#include "base.h"

#include "arena.h"
#include "google_private.h"
#include "settings.h"

#define SETTING "googleServiceAccountCredentials"
#define VARIABLE "GOOGLE_APPLICATION_CREDENTIALS"
#define GCLOUD_FILE "application_default_credentials.json"
#define SKEW_MIN 30000		/* ms: Google minds less than a few minutes */

/* Whose tokens: the JSON of credentials, or the metadata server. */
struct origin {
	const char *words;	/* "the credentials of SETTING" */
	struct secret text;
	const char *metadata;	/* its URL; NULL: text has credentials */
	const char *scopes;
};

/* --- Looking for credentials --------------------------------------------- */

static const char *
variable(const struct provider_call *call, const char *name)
{
	const char *value = provider_variable(call, name);

	call->note(call, "%s is %sset", name, value != NULL ? "" : "not ");
	return value;
}

/* A file that somebody named. Its path is for the log only. */
static int
read_named(const struct provider_call *call, const char *path,
    struct origin *out, struct err *err)
{
	struct err why = ERR_INIT;

	if (call->read_file(path, &out->text, &why) == 0 && out->text.len > 0)
		return 0;
	err_set(err, E_CONFIG, "no Google token with %s: the file is empty or "
	    "cannot be read: the log says why", out->words);
	err_detail(err, "%s", why.code != 0 ? why.text : path);
	return E_CONFIG;
}

static const char *
gcloud_path(const struct provider_call *call)
{
	const char *folder = variable(call, "CLOUDSDK_CONFIG"), *home;

	if (folder != NULL)
		return arena_printf(call->scratch, "%s/" GCLOUD_FILE, folder);
	if ((home = provider_variable(call, "HOME")) == NULL)
		return NULL;
	return arena_printf(call->scratch, "%s/.config/gcloud/" GCLOUD_FILE,
	    home);
}

/* *found: the file is there. That it is not is no error. */
static int
read_gcloud(const struct provider_call *call, struct origin *out,
    bool *found, struct err *err)
{
	const char *path = gcloud_path(call);
	struct err why = ERR_INIT;
	int r;

	*found = false;
	if (path == NULL)
		return 0;
	r = call->read_file(path, &out->text, &why);
	if (r == E_NOTFOUND) {
		call->note(call, "there is no " GCLOUD_FILE " of gcloud's");
		return 0;
	}
	*found = true;
	out->words = "gcloud's " GCLOUD_FILE;
	call->note(call, "%s is there", out->words);
	if (r == 0 && out->text.len > 0)
		return 0;
	err_set(err, E_CONFIG, "no Google token with %s: the file is empty or "
	    "cannot be read: the log says why", out->words);
	err_detail(err, "%s", r != 0 ? why.text : path);
	return E_CONFIG;
}

static int
find_settings(const struct provider_call *call, const struct settings *s,
    struct origin *out, struct err *err)
{
	if (s->google_credentials_file != NULL) {
		call->note(call, SETTING "File is set");
		out->words = "the credentials of " SETTING "File";
		return read_named(call, s->google_credentials_file, out, err);
	}
	call->note(call, SETTING " is set");
	out->words = "the credentials of " SETTING;
	secret_set(&out->text, s->google_credentials.ptr,
	    s->google_credentials.len);
	return 0;
}

static int
find_metadata(const struct provider_call *call, struct origin *out,
    struct err *err)
{
	struct err why = ERR_INIT;

	out->words = "the metadata server, as no credentials are set";
	out->metadata = google_metadata_base(call, &why);
	if (out->metadata != NULL) {
		call->note(call, "the metadata server is at %s",
		    out->metadata);
		return 0;
	}
	call->note(call, "%s", why.text);
	return err_set(err, E_CONFIG, "there are no Google credentials: "
	    "neither " SETTING " nor " VARIABLE " is set, gcloud left none, "
	    "and %s", why.text);
}

static int
find(const struct provider_call *call, const struct settings *s,
    struct origin *out, struct err *err)
{
	const char *path;
	bool found;
	int r;

	if (s->google_credentials_file != NULL || s->google_credentials.len > 0)
		return find_settings(call, s, out, err);
	call->note(call, SETTING " is not set");
	if ((path = variable(call, VARIABLE)) != NULL) {
		out->words = "the credentials that " VARIABLE " names";
		return read_named(call, path, out, err);
	}
	if ((r = read_gcloud(call, out, &found, err)) != 0 || found)
		return r;
	return find_metadata(call, out, err);
}

/* --- Making a token ------------------------------------------------------ */

static int
make_once(struct google_work *w, const struct origin *o,
    struct source_value *out, struct err *err)
{
	struct json_object *tree = NULL;
	int r;

	if (o->metadata != NULL)
		return google_from_metadata(w, o->metadata, o->scopes, out,
		    err);
	if (jsonx_parse(o->text.ptr, o->text.len, &tree, NULL) != 0 ||
	    !json_object_is_type(tree, json_type_object))
		r = err_set(err, E_CONFIG, "they are no JSON object");
	else
		r = google_from_json(w, tree, o->scopes, out, err);
	jsonx_wipe(tree);
	return r;
}

/* A clock that is wrong is not worth failing for: Google told its own. */
static int
make_twice(struct google_work *w, const struct origin *o,
    struct source_value *out, struct err *err)
{
	int r = make_once(w, o, out, err);

	if (r != E_DENIED || !w->is_signed ||
	    (w->skew < SKEW_MIN && w->skew > -SKEW_MIN))
		return r;
	w->call->note(w->call, "once more, by Google's clock");
	w->clock += w->skew;
	w->depth = 0;
	w->nsecrets = 0;
	w->is_signed = false;
	return make_once(w, o, out, err);
}

static int
make(const struct provider_call *call, const void *ctx,
    struct source_value *out, struct err *err)
{
	const struct origin *o = ctx;
	struct google_work w = { .call = call, .clock = call->now };
	struct err why = ERR_INIT;
	int r = make_twice(&w, o, out, &why);

	if (r == 0)
		return 0;
	out->retry_after = w.retry_after;
	err_set(err, r, "no Google token with %s%s%s%s: %s", o->words,
	    w.who != NULL ? " (" : "", w.who != NULL ? w.who : "",
	    w.who != NULL ? ")" : "", why.text);
	err_detail(err, "%s", why.detail);
	return r;
}

/* What of the environment may go into a token (google_external_aws.c). */
static const char *const environment[] = { "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION",
    "AWS_DEFAULT_REGION" };

int
google_token(const struct provider_call *call, const struct settings *s,
    const char *scopes, struct source_value *out, struct err *err)
{
	struct origin origin = { .scopes = scopes };
	const char *inputs[ARRAY_LEN(environment) + 4], *value;
	const struct source source = { .kind = "google token",
	    .inputs = inputs, .make = make, .ctx = &origin };
	size_t i, n = 0;
	int r = find(call, s, &origin, err);

	if (r == 0) {
		inputs[n++] = scopes;
		inputs[n++] = origin.metadata != NULL ? "metadata" : "json";
		inputs[n++] = origin.metadata != NULL ? origin.metadata :
		    origin.text.ptr;
		for (i = 0; origin.metadata == NULL &&
		    i < ARRAY_LEN(environment); i++) {
			value = call->getenv(environment[i]);
			inputs[n++] = value != NULL ? value : "";
		}
		inputs[n] = NULL;
		r = call->source(call, &source, out, err);
	}
	secret_release(&origin.text);
	return r;
}
