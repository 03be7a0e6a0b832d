/* SPDX-License-Identifier: Apache-2.0 */
/* Asking Entra for a token. */
#include "base.h"

#include "arena.h"
#include "azure_entra.h"
#include "azure_sources.h"
#include "strbuf.h"

#define FORM_MAX 262144		/* bytes: an assertion with its certificates */
#define TRIES 3

/* --- Where --------------------------------------------------------------- */

/* Nothing that would make another host or path of it. */
static bool
host_ok(const char *host)
{
	return *host != '\0' && host[strspn(host, "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:[]")] == '\0';
}

/* With a port or without. */
static bool
is_loopback(const char *host)
{
	static const char *const names[] = { "localhost", "127.0.0.1",
	    "[::1]" };
	size_t i, len;

	for (i = 0; i < ARRAY_LEN(names); i++) {
		len = strlen(names[i]);
		if (strncasecmp(host, names[i], len) == 0 &&
		    (host[len] == '\0' || host[len] == ':'))
			return true;
	}
	return false;
}

/* NULL if it cannot be. http is true if the settings may name such a URL. */
static char *
origin_of(const struct provider_call *call, const char *text, bool http)
{
	bool plain = strncasecmp(text, "http://", 7) == 0;
	char *host;
	size_t len;

	if (plain)
		text += 7;
	else if (strncasecmp(text, "https://", 8) == 0)
		text += 8;
	host = arena_strdup(call->scratch, text);
	for (len = strlen(host); len > 0 && host[len - 1] == '/'; len--)
		host[len - 1] = '\0';
	if (!host_ok(host) || (plain && !(http && is_loopback(host))))
		return NULL;
	return arena_printf(call->scratch, "%s://%s",
	    plain ? "http" : "https", host);
}

int
azure_token_url(const struct provider_call *call, const char *host,
    struct azure_application *app, struct err *err)
{
	const char *tenant = provider_variable(call, "AZURE_TENANT_ID");
	const char *set = provider_variable(call, "AZURE_AUTHORITY_HOST");

	if (tenant == NULL || !azure_tenant_ok(tenant))
		return err_set(err, E_CONFIG, AZURE_TENANT_FLAW);
	if (host != NULL)
		app->where = origin_of(call, host, true);
	else
		app->where = origin_of(call, set != NULL ? set :
		    AZURE_AUTHORITY, false);
	if (app->where == NULL)
		return err_set(err, E_CONFIG, "%s must be https://HOST",
		    host != NULL ? "cloud.entraHost of the settings" :
		    "AZURE_AUTHORITY_HOST");
	app->token_url = arena_printf(call->scratch, "%s/%s/oauth2/v2.0/token",
	    app->where, tenant);
	return 0;
}

/* --- Asking -------------------------------------------------------------- */

static void
add(struct strbuf *sb, const char *name, const char *value)
{
	strbuf_addf(sb, "%s%s=", sb->len > 0 ? "&" : "", name);
	strbuf_add_percent(sb, value, "");
}

char *
azure_form(const struct provider_call *call,
    const struct azure_application *app)
{
	struct strbuf sb = STRBUF_INIT(FORM_MAX);
	char *out = NULL;

	add(&sb, "client_id", app->client_id);
	add(&sb, "scope", AZURE_SCOPE);
	add(&sb, "grant_type", "client_credentials");
	if (app->secret != NULL) {
		add(&sb, "client_secret", app->secret);
	} else {
		add(&sb, "client_assertion_type", AZURE_ASSERTION_TYPE);
		add(&sb, "client_assertion", app->assertion);
	}
	if (!sb.overflow)
		out = arena_strdup(call->scratch, sb.buf);
	strbuf_wipe(&sb);
	return out;
}

int
azure_entra(const struct provider_call *call,
    struct azure_application *app, struct source_value *out,
    struct err *err)
{
	static const char *const headers[] = {
		"Content-Type: application/x-www-form-urlencoded",
		"Accept: application/json", NULL };
	struct http_request http = { .method = "POST", .url = app->token_url,
	    .headers = headers, .body = azure_form(call, app) };
	struct azure_request rq = { .http = &http, .where = app->where,
	    .secret = app->secret != NULL ? app->secret : app->assertion,
	    .tries = TRIES, .again = azure_again };
	struct http_answer answer = HTTP_ANSWER_INIT;
	int r;

	if (http.body == NULL)
		return err_set(err, E_CONFIG, "what would be sent is too "
		    "large");
	http.body_len = strlen(http.body);
	if ((r = azure_ask(call, &rq, &answer, err)) == 0)
		r = azure_take(call, &rq, &answer, out, err);
	app->skew = answer.skew;
	http_answer_release(&answer);
	return r;
}
