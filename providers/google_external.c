/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Workload identity federation: a token of another issuer (the subject
 * token), from a file, a URL or AWS, is exchanged for one of Google (RFC
 * 8693), and that, if so configured, for one of a service account.
 */
#include "base.h"

#include <openssl/evp.h>

#include "arena.h"
#include "google_private.h"

#define EXCHANGE "https://sts.googleapis.com/v1/token"
#define GRANT "urn:ietf:params:oauth:grant-type:token-exchange"
#define WANTED "urn:ietf:params:oauth:token-type:access_token"
#define HEADERS_MAX 16

/* --- The subject token --------------------------------------------------- */

/* The text, or a member of the JSON that it is; blanks around it go. */
static char *
read_subject(struct google_work *w, const struct secret *text,
    struct json_object *format, struct err *err)
{
	const char *type = jsonx_str(format, "type");
	struct json_object *tree = NULL;
	const char *s = text->ptr, *field;
	char *out;

	if (type != NULL && strcmp(type, "json") == 0) {
		field = google_need(format, "subject_token_field_name", err);
		if (field == NULL)
			return NULL;
		if (s != NULL)
			jsonx_parse(s, text->len, &tree, NULL);
		s = jsonx_str(tree, field);
	}
	if (s != NULL)
		s += strspn(s, " \t\r\n");
	if (s == NULL || *s == '\0') {
		err_set(err, E_CONFIG, "there is no subject token where its "
		    "credential_source says");
		jsonx_wipe(tree);
		return NULL;
	}
	out = arena_strdup(w->call->scratch, s);
	jsonx_wipe(tree);
	while (strchr(" \t\r\n", out[strlen(out) - 1]) != NULL)
		out[strlen(out) - 1] = '\0';
	return out;
}

static char *
from_file(struct google_work *w, struct json_object *source, struct err *err)
{
	struct secret text = SECRET_INIT;
	struct err why = ERR_INIT;
	char *out;

	w->call->note(w->call, "the subject token is in a file");
	if (w->call->read_file(jsonx_str(source, "file"), &text, &why) != 0) {
		err_set(err, E_SYSTEM, "the file of its credential_source "
		    "cannot be read: the log says why");
		err_detail(err, "%s", why.text);
		return NULL;
	}
	out = read_subject(w, &text, jsonx_get(source, "format"), err);
	secret_release(&text);
	return out;
}

/* Values may be secret: of GitHub's, for one. */
static bool
add_headers(struct google_work *w, struct json_object *from,
    const char *to[HEADERS_MAX + 1])
{
	size_t n = 0;

	if (!json_object_is_type(from, json_type_object))
		return true;
	json_object_object_foreach(from, name, value) {
		const char *text = json_object_is_type(value,
		    json_type_string) ? json_object_get_string(value) : NULL;

		if (text == NULL || n == HEADERS_MAX || *name == '\0' ||
		    strpbrk(name, ": \t\r\n") != NULL ||
		    strpbrk(text, "\r\n") != NULL)
			return false;
		to[n++] = arena_printf(w->call->scratch, "%s: %s", name, text);
		google_hide(w, text);
	}
	return true;
}

static char *
from_url(struct google_work *w, struct json_object *source, struct err *err)
{
	const char *headers[HEADERS_MAX + 1] = { NULL };
	struct http_request rq = { .url = jsonx_str(source, "url"),
	    .headers = headers, .limit = GOOGLE_TOKEN_MAX };
	struct http_answer a;
	char *out;

	if (!google_url_ok(rq.url, GOOGLE_ANYWHERE)) {
		err_set(err, E_CONFIG, "the url of its credential_source is "
		    "none");
		return NULL;
	}
	if (!add_headers(w, jsonx_get(source, "headers"), headers)) {
		err_set(err, E_CONFIG, "the headers of its credential_source "
		    "are none, or too many");
		return NULL;
	}
	if (google_fetch(w, &rq, &a, err) != 0)
		return NULL;
	out = read_subject(w, &a.body, jsonx_get(source, "format"), err);
	http_answer_release(&a);
	return out;
}

static char *
subject_of(struct google_work *w, struct json_object *c, struct err *err)
{
	struct json_object *source = jsonx_get(c, "credential_source");
	const char *refused = NULL;

	if (jsonx_get(source, "executable") != NULL)
		refused = "executable";
	if (jsonx_get(source, "certificate") != NULL)
		refused = "certificate";
	if (refused != NULL)
		err_set(err, E_CONFIG, "its credential_source is of kind "
		    "'%s', which cannot be used here: file, url and "
		    "aws can", refused);
	else if (jsonx_str(source, "environment_id") != NULL)
		return google_aws_subject(w, source, jsonx_str(c, "audience"),
		    err);
	else if (jsonx_str(source, "file") != NULL)
		return from_file(w, source, err);
	else if (jsonx_str(source, "url") != NULL)
		return from_url(w, source, err);
	else
		err_set(err, E_CONFIG, "its credential_source has no file, no "
		    "url and no environment_id");
	return NULL;
}

/* --- The exchange -------------------------------------------------------- */

/* Authorization of the client, if it has a name; NULL: it has none. */
static char *
client_header(struct google_work *w, struct json_object *c)
{
	struct arena *arena = w->call->scratch;
	const char *id = jsonx_str(c, "client_id");
	const char *secret = jsonx_str(c, "client_secret");
	char *both, *text;

	if (id == NULL || *id == '\0')
		return NULL;
	google_hide(w, secret);
	both = arena_printf(arena, "%s:%s", id, secret != NULL ? secret : "");
	text = arena_alloc(arena, strlen(both) / 3 * 4 + 5);
	EVP_EncodeBlock((unsigned char *)text, (const unsigned char *)both,
	    (int)strlen(both));
	return arena_printf(arena, "Authorization: Basic %s", text);
}

/* Whose quota a workforce pool's user takes; the client's own has one. */
static char *
options_of(struct google_work *w, struct json_object *c)
{
	const char *project = jsonx_str(c, "workforce_pool_user_project");

	if (project == NULL || jsonx_str(c, "client_id") != NULL)
		return NULL;
	return arena_printf(w->call->scratch, "{\"userProject\":%s}",
	    google_quote(w->call->scratch, project));
}

static int
exchange(struct google_work *w, struct json_object *c, const char *scopes,
    struct source_value *out, struct err *err)
{
	const char *url = jsonx_str(c, "token_url");
	const char *audience = google_need(c, "audience", err);
	const char *type = google_need(c, "subject_token_type", err);
	struct json_object *answer;
	struct google_form form = { .url = url != NULL ? url : EXCHANGE };
	char *subject;
	int r;

	if (audience == NULL || type == NULL)
		return E_CONFIG;
	if (!google_url_ok(form.url, GOOGLE_OWN))
		return err_set(err, E_CONFIG, "its token_url is not https with "
		    "a host of googleapis.com");
	if ((subject = subject_of(w, c, err)) == NULL)
		return err->code;
	google_hide(w, subject);
	form.fields = (const struct pair[]){ { "grant_type", GRANT },
	    { "audience", audience }, { "scope", scopes },
	    { "requested_token_type", WANTED }, { "subject_token", subject },
	    { "subject_token_type", type }, { "options", options_of(w, c) } };
	form.n = 7;
	form.extra = client_header(w, c);
	if ((r = google_post(w, &form, &answer, err)) != 0)
		return r;
	r = google_take(w, answer, out, err);
	jsonx_wipe(answer);
	return r;
}

int
google_from_external(struct google_work *w, struct json_object *c,
    const char *scopes, struct source_value *out, struct err *err)
{
	struct json_object *how = jsonx_get(c, "service_account_impersonation");
	struct source_value first = SOURCE_VALUE_INIT;
	struct google_other other = { .scopes = scopes,
	    .token = &first.part[0],
	    .seconds = jsonx_get(how, "token_lifetime_seconds") };
	int r;

	w->who = "workload identity";
	if (jsonx_get(c, "service_account_impersonation_url") == NULL)
		return exchange(w, c, scopes, out, err);
	if ((other.url = google_other_url(c, err)) == NULL)
		return E_CONFIG;
	r = exchange(w, c, GOOGLE_SCOPE_CLOUD, &first, err);
	if (r == 0)
		r = google_become(w, &other, out, err);
	source_value_release(&first);
	return r;
}
