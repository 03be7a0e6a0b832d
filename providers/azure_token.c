/* SPDX-License-Identifier: Apache-2.0 */
/* Asking for Azure tokens, and reading what comes back. */
#include "base.h"

#include "arena.h"
#include "azure_token.h"
#include "jsonx.h"
#include "redact.h"
#include "rfc3339.h"

#define PAUSE_FIRST 800			/* ms */
#define PAUSE_LAST 6400
#define PAUSE_ASKED_MAX 15000		/* longer than that, others wait */
#define WORDS_READ 2048			/* bytes that are looked at for them */
#define SECONDS_MAX INT64_C(253402300800)	/* the year 10000 */

int
azure_next(struct err *err, const char *fmt, ...)
{
	char text[sizeof(err->text)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	err_set(err, E_CONFIG, "%s", text);
	return AZURE_NEXT;
}

char *
azure_words(const struct provider_call *call, const char *text,
    const char *secret)
{
	char *out = arena_strndup(call->scratch, text != NULL ? text : "",
	    text != NULL ? strnlen(text, WORDS_READ) : 0), *p;

	out[strcspn(out, "\r\n")] = '\0';
	/* What Entra appends is for Microsoft's support. */
	if ((p = strstr(out, " Trace ID:")) != NULL)
		*p = '\0';
	for (p = out; *p != '\0'; p++)
		if (*p < ' ' || *p > '~')
			*p = ' ';
	if (secret != NULL)
		redact_value(out, secret);
	redact(out);
	if (strlen(out) > AZURE_WORDS)
		out[AZURE_WORDS] = '\0';
	return out;
}

/* --- Asking -------------------------------------------------------------- */

bool
azure_again(int status)
{
	return status == 429 || status >= 500;
}

/* May it be asked again, and the pause before that is over? */
static bool
paused(const struct provider_call *call, int64_t pause, int64_t asked)
{
	if (asked > PAUSE_ASKED_MAX)
		return false;
	return call->sleep(call, SD_MAX(pause, asked), NULL) == 0;
}

int
azure_ask(const struct provider_call *call, const struct azure_request *rq,
    struct http_answer *out, struct err *err)
{
	int64_t pause = PAUSE_FIRST;
	struct err why = ERR_INIT;
	unsigned tries = rq->tries;
	int r;

	for (;;) {
		*out = (struct http_answer)HTTP_ANSWER_INIT;
		r = call->http(call, rq->http, out, &why);
		if (r != 0)
			call->note(call, "%s: %s", rq->where, why.text);
		else
			call->note(call, "%s answered %d", rq->where,
			    out->status);
		if (r == E_CONFIG || r == E_TOOLARGE ||
		    (r == E_CONNECT && rq->must_connect) ||
		    (r == 0 && !rq->again(out->status)))
			break;
		if (--tries == 0 || !paused(call, pause, out->retry_after))
			break;
		pause = SD_MIN(2 * pause, PAUSE_LAST);
		http_answer_release(out);
	}
	if (r != 0)
		err_set(err, r, "%s: %s", rq->where, why.text);
	return r;
}

/* --- Reading ------------------------------------------------------------- */

/* What an answer that is no token says: Entra's words, others' words, or
   the text itself. */
static const char *
words_of(const struct provider_call *call, const struct azure_request *rq,
    const struct http_answer *answer, struct json_object *obj)
{
	struct json_object *error = jsonx_get(obj, "error");
	const char *text = jsonx_str(obj, "error_description");

	if (text == NULL)
		text = jsonx_str(error, "message");
	if (text == NULL)
		text = jsonx_str(obj, "message");
	if (text == NULL)
		text = jsonx_str(obj, "error");
	if (text == NULL && obj == NULL)
		text = answer->body.ptr;
	return azure_words(call, text, rq->secret);
}

static int
refused(const struct provider_call *call, const struct azure_request *rq,
    const struct http_answer *answer, struct json_object *obj,
    struct err *err)
{
	const char *words = words_of(call, rq, answer, obj);
	int code = rq->again(answer->status) ? E_BUSY : E_DENIED;

	return err_set(err, code, "%s answered %d%s%s", rq->where,
	    answer->status, *words != '\0' ? ": " : "", words);
}

int64_t
azure_seconds(struct json_object *obj)
{
	const char *text = json_object_get_string(obj);
	int64_t s, ms;
	char *end;

	if (text == NULL)
		return 0;
	s = strtoll(text, &end, 10);
	if (end == text || (*end != '\0' && *end != '.'))
		s = rfc3339_parse(text, &ms) ? ms / 1000 : 0;
	return s > 0 && s < SECONDS_MAX ? s : 0;
}

int
azure_keep(const struct provider_call *call, const char *token,
    int64_t expires, struct source_value *out, struct err *err)
{
	int64_t life = expires - call->now;

	if (token == NULL || !credential_token_ok(token, strlen(token)))
		return err_set(err, E_PROTOCOL, "there is no token in what it "
		    "answered");
	if (expires == 0)
		return err_set(err, E_PROTOCOL, "it does not say when its "
		    "token ends");
	if (life <= 0)
		return err_set(err, E_PROTOCOL, "its token has expired "
		    "already: look at the clocks");
	secret_set(&out->part[0], token, strlen(token));
	out->expires = expires;
	out->margin = SD_MIN(AZURE_MARGIN, life / 2);
	return 0;
}

/* On our clock; what is relative needs no clock of theirs. */
static int64_t
end_of(const struct provider_call *call, const struct http_answer *answer,
    struct json_object *obj)
{
	struct json_object *in = jsonx_get(obj, "expires_in");
	int64_t at = azure_seconds(jsonx_get(obj, "expires_on"));

	if (at != 0)
		return at * 1000 - answer->skew;
	return in != NULL ? call->now + azure_seconds(in) * 1000 : 0;
}

int
azure_take(const struct provider_call *call, const struct azure_request *rq,
    const struct http_answer *answer, struct source_value *out,
    struct err *err)
{
	struct json_object *obj = NULL;
	struct err why = ERR_INIT;
	int r = 0;

	if (answer->body.len > 0)
		jsonx_parse(answer->body.ptr, answer->body.len, &obj, NULL);
	if (answer->status != 200) {
		out->retry_after = answer->retry_after;
		r = refused(call, rq, answer, obj, err);
	} else if (azure_keep(call, jsonx_str(obj, "access_token"),
	    end_of(call, answer, obj), out, &why) != 0) {
		r = err_set(err, E_PROTOCOL, "%s: %s", rq->where, why.text);
	}
	if (obj != NULL)
		jsonx_wipe(obj);
	return r;
}
