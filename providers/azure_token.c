/* SPDX-License-Identifier: Apache-2.0 */
/* Asking for Azure tokens, and reading what comes back. */
#include "base.h"

#include <ctype.h>

#include "arena.h"
#include "azure_token.h"
#include "jsonx.h"

#define PAUSE_FIRST 800			/* ms */
#define PAUSE_LAST 6400
#define PAUSE_ASKED_MAX 15000		/* longer than that, others wait */
#define RUN_MAX 64			/* bytes without a blank: a token */
#define SECONDS_MAX INT64_C(253402300800)	/* the year 10000 */

const char *
azure_variable(const struct provider_call *call, const char *name)
{
	const char *value = call->getenv(name);

	return value != NULL && *value != '\0' ? value : NULL;
}

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

/* --- Words --------------------------------------------------------------- */

static void
cut_secret(char *text, const char *secret)
{
	size_t len = secret != NULL ? strlen(secret) : 0;
	char *at;

	if (len == 0)
		return;
	while ((at = strstr(text, secret)) != NULL) {
		*at = '*';
		memmove(at + 1, at + len, strlen(at + len) + 1);
	}
}

/* What a program printed as JSON, perhaps cut off at its end. */
static void
cut_value(char *text, const char *key)
{
	char *at = text, *end;

	while ((at = strstr(at, key)) != NULL) {
		at += strlen(key);
		at += strspn(at, " \t:");
		if (*at++ != '"')
			continue;
		end = at + strcspn(at, "\"");
		memmove(at, end, strlen(end) + 1);
	}
}

static bool
is_run(char c)
{
	return isalnum((unsigned char)c) ||
	    (c != '\0' && strchr("_-.+=~", c) != NULL);
}

/* JSON Web Tokens, and whatever else is as long as a token. */
static void
cut_tokens(char *text)
{
	size_t len;

	for (; *text != '\0'; text++) {
		for (len = 0; is_run(text[len]); len++)
			;
		if (len >= RUN_MAX || (len > 10 && str_starts(text, "eyJ"))) {
			*text = '*';
			memmove(text + 1, text + len, strlen(text + len) + 1);
		} else if (len > 0) {
			text += len - 1;
		}
	}
}

char *
azure_words(const struct provider_call *call, const char *text,
    const char *secret)
{
	char *out = arena_strdup(call->scratch, text != NULL ? text : ""), *p;

	cut_secret(out, secret);
	cut_value(out, "\"accessToken\"");
	cut_value(out, "\"access_token\"");
	cut_tokens(out);
	out[strcspn(out, "\r\n")] = '\0';
	/* What Entra appends is for Microsoft's support. */
	if ((p = strstr(out, " Trace ID:")) != NULL)
		*p = '\0';
	for (p = out; *p != '\0'; p++)
		if (*p < ' ' || *p > '~')
			*p = ' ';
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

/* "2026-11-24T12:00:00[.ffffff][Z|±hh:mm]" */
static int64_t
iso_seconds(const char *text)
{
	struct tm tm = { 0 };
	char *end = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	int hours, minutes;
	char sign;
	int64_t s;

	if (end == NULL)
		return 0;
	s = (int64_t)timegm(&tm);
	if (*end == '.')
		end += 1 + strspn(end + 1, "0123456789");
	if (sscanf(end, "%c%2d:%2d", &sign, &hours, &minutes) == 3)
		s += (sign == '-' ? 60 : -60) * (hours * 60 + minutes);
	return s;
}

int64_t
azure_seconds(struct json_object *obj)
{
	const char *text = json_object_get_string(obj);
	int64_t s;
	char *end;

	if (text == NULL)
		return 0;
	s = strtoll(text, &end, 10);
	if (end == text || (*end != '\0' && *end != '.'))
		s = iso_seconds(text);
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
