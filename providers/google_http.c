/* SPDX-License-Identifier: Apache-2.0 */
/* Asking Google and what stands beside it, and reading what they answer. */
#include "base.h"

#include "arena.h"
#include "google_private.h"
#include "redact.h"

#define TRIES 3
#define PAUSE_FIRST 1000	/* ms; then the double, each +-10 % */
#define PAUSE_MAX 5000		/* who asks for more is asked by the core */
#define TOLD_MAX 200		/* bytes of what an answer says of an error */
#define ECHO_MIN 12		/* so much of a secret is one */
#define LIFE_UNKNOWN 300	/* s, if the answer does not say */
#define LIFE_MAX 86400
#define MARGIN (5 * 60 * 1000)	/* ms */

void
google_hide(struct google_work *w, const char *s)
{
	if (s != NULL && strlen(s) >= 4 && w->nsecrets < GOOGLE_SECRETS)
		w->secrets[w->nsecrets++] = arena_strdup(w->call->scratch, s);
}

/* --- What an answer says of an error ------------------------------------- */

/* How much of a secret stands at p: all of it, or the beginning. */
static size_t
secret_at(const struct google_work *w, const char *p)
{
	size_t i, n, most = 0;

	for (i = 0; i < w->nsecrets; i++) {
		const char *s = w->secrets[i];

		for (n = 0; s[n] != '\0' && s[n] == p[n]; n++)
			;
		if (n >= ECHO_MIN || s[n] == '\0')
			most = SD_MAX(most, n);
	}
	return most;
}

/* A copy in which none of them stands. */
static char *
without_secrets(struct google_work *w, const char *text)
{
	char *out = arena_alloc(w->call->scratch, 3 * strlen(text) + 1);
	char *p = out;
	size_t n;

	while (*text != '\0') {
		if ((n = secret_at(w, text)) > 0) {
			memcpy(p, "***", 3);
			p += 3;
			text += n;
		} else {
			*p++ = *text++;
		}
	}
	redact(out);		/* and nobody else's */
	return out;
}

/* Printable and short. */
static const char *
told(struct google_work *w, const char *text)
{
	char *out = without_secrets(w, text), *p;

	if (strlen(out) > TOLD_MAX)
		memcpy(out + TOLD_MAX - 3, "...", 4);
	for (p = out; *p != '\0'; p++)
		if (*p < ' ' || *p > '~')
			*p = ' ';
	return out;
}

/* {"error": "x", "error_description": "y"}, or
   {"error": {"status": "X", "message": "y"}}; code is the first of them. */
static const char *
words_of(struct google_work *w, struct json_object *tree, const char **code)
{
	struct json_object *inner = jsonx_get(tree, "error");
	const char *text;

	*code = jsonx_str(tree, "error");
	text = jsonx_str(tree, "error_description");
	if (json_object_is_type(inner, json_type_object)) {
		*code = jsonx_str(inner, "status");
		text = jsonx_str(inner, "message");
	}
	if (*code == NULL && text == NULL)
		return "";
	return told(w, arena_printf(w->call->scratch, " %s%s%s",
	    *code != NULL ? *code : "", *code != NULL && text != NULL ? ": " :
	    "", text != NULL ? text : ""));
}

static bool
code_may_pass(const char *code)
{
	return str_eq(code, "server_error") || str_eq(code,
	    "temporarily_unavailable") || str_eq(code, "internal_failure");
}

static int
kind_of(int status, const char *code)
{
	if (status == 408 || status == 429 || status >= 500 ||
	    code_may_pass(code))
		return E_BUSY;
	return status >= 400 ? E_DENIED : E_PROTOCOL;
}

static int
refused(struct google_work *w, const struct http_answer *a, struct err *err)
{
	struct json_object *tree = NULL;
	const char *code = NULL, *words = "", *clock = "";
	int r;

	if (a->body.len > 0 && jsonx_parse(a->body.ptr, a->body.len, &tree,
	    NULL) == 0)
		words = words_of(w, tree, &code);
	if (w->is_signed && a->skew != 0)
		clock = arena_printf(w->call->scratch, " (its clock is %lld s "
		    "%s ours)", (long long)(a->skew > 0 ? a->skew : -a->skew) /
		    1000, a->skew > 0 ? "ahead of" : "behind");
	r = err_set(err, kind_of(a->status, code), "%s answered %d%s%s",
	    w->host, a->status, words, clock);
	jsonx_wipe(tree);
	return r;
}

/* --- Asking -------------------------------------------------------------- */

static bool
status_may_pass(int status)
{
	return status == 408 || status == 429 || status == 500 ||
	    status == 503 || status == 504;
}

/* *again: it may work in a moment. */
static int
fetch_once(struct google_work *w, const struct http_request *rq,
    struct http_answer *out, bool *again, struct err *err)
{
	struct err why = ERR_INIT;
	int r = w->call->http(w->call, rq, out, &why);

	*again = false;
	if (r != 0) {
		err_set(err, r, "%s: %s", w->host, why.text);
		err_detail(err, "%s", why.detail);
		return r;
	}
	w->skew = out->skew;
	w->status = out->status;
	if (out->status >= 200 && out->status < 300)
		return 0;
	r = refused(w, out, err);
	w->retry_after = out->retry_after;
	*again = r == E_BUSY && (status_may_pass(out->status) ||
	    out->status < 500);
	http_answer_release(out);
	return r;
}

/* Not longer than a request may be made to wait. */
static bool
pause_before(struct google_work *w, unsigned tries)
{
	int64_t ms = PAUSE_FIRST << (tries - 1);
	uint16_t chance;

	secret_random(&chance, sizeof(chance));
	ms += ms * (chance % 201 - 100) / 1000;
	if (w->retry_after > PAUSE_MAX)
		return false;
	ms = SD_MAX(ms, w->retry_after);
	return w->call->sleep(w->call, ms, NULL) == 0;
}

int
google_fetch(struct google_work *w, const struct http_request *rq,
    struct http_answer *out, struct err *err)
{
	unsigned tries = 0;
	bool again;
	int r;

	w->host = google_host(w->call->scratch, rq->url);
	w->call->note(w->call, "asking %s", w->host);
	do {
		*out = (struct http_answer)HTTP_ANSWER_INIT;
		w->retry_after = 0;
		r = fetch_once(w, rq, out, &again, err);
		tries++;
	} while (r != 0 && again && tries < TRIES && pause_before(w, tries));
	return r;
}

int
google_ask(struct google_work *w, const struct http_request *rq,
    struct json_object **out, struct err *err)
{
	struct http_answer a;
	int r = google_fetch(w, rq, &a, err);

	*out = NULL;
	if (r != 0)
		return r;
	if (a.body.len == 0 || jsonx_parse(a.body.ptr, a.body.len, out,
	    NULL) != 0 || !json_object_is_type(*out, json_type_object)) {
		jsonx_wipe(*out);
		*out = NULL;
		r = err_set(err, E_PROTOCOL, "%s answered what is no JSON "
		    "object", w->host);
	}
	http_answer_release(&a);
	return r;
}

int
google_post(struct google_work *w, const struct google_form *form,
    struct json_object **out, struct err *err)
{
	struct arena *arena = w->call->scratch;
	const char *headers[] = {
		"Content-Type: application/x-www-form-urlencoded",
		form->extra, NULL };
	char *body = arena_strdup(arena, "");
	size_t i;

	for (i = 0; i < form->n; i++)
		if (form->fields[i].value != NULL)
			body = arena_printf(arena, "%s%s%s=%s", body,
			    *body != '\0' ? "&" : "", form->fields[i].key,
			    google_encode(arena, form->fields[i].value));
	return google_ask(w, &(struct http_request){ .method = "POST",
	    .url = form->url, .headers = headers, .body = body,
	    .body_len = strlen(body), .limit = GOOGLE_TOKEN_MAX }, out, err);
}

/* --- Tokens -------------------------------------------------------------- */

int
google_until(const struct google_work *w, int64_t expires,
    struct source_value *out, struct err *err)
{
	int64_t life = expires - w->call->now;

	if (life <= 0)
		return err_set(err, E_PROTOCOL, "%s answered a token that "
		    "has expired already", w->host);
	if (life > LIFE_MAX * INT64_C(1000))
		life = LIFE_MAX * INT64_C(1000);
	out->expires = w->call->now + life;
	/* Google's metadata server gives tokens that end soon. */
	out->margin = SD_MIN((int64_t)MARGIN, life / 2);
	return 0;
}

static int64_t
life_of(struct json_object *answer)
{
	struct json_object *n = jsonx_get(answer, "expires_in");

	if (!json_object_is_type(n, json_type_int) &&
	    !json_object_is_type(n, json_type_double))
		return LIFE_UNKNOWN;
	return SD_MIN(json_object_get_int64(n), (int64_t)LIFE_MAX);
}

int
google_take(struct google_work *w, struct json_object *answer,
    struct source_value *out, struct err *err)
{
	const char *token = jsonx_str(answer, "access_token");
	const char *type = jsonx_str(answer, "token_type");

	if (token == NULL || !credential_token_ok(token, strlen(token)))
		return err_set(err, E_PROTOCOL, "%s answered no access_token, "
		    "or what cannot be one", w->host);
	if (type != NULL && strcasecmp(type, "Bearer") != 0)
		return err_set(err, E_PROTOCOL, "%s answered a token of a type "
		    "that is not Bearer", w->host);
	secret_set(&out->part[0], token, strlen(token));
	return google_until(w, w->call->now + life_of(answer) * 1000, out,
	    err);
}
