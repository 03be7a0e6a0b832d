/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signing in on another device (RFC 8628): for people before a terminal. The
 * device code is a secret, the user code is shown.
 */
#include "base.h"

#include <math.h>

#include "oauth_private.h"

#define GRANT "urn:ietf:params:oauth:grant-type:device_code"
#define INTERVAL 5000			/* ms, where the issuer says none */
#define INTERVAL_MAX 60000
#define SLOWER 5000			/* ms, for each slow_down */
#define LIFE INT64_C(600000)		/* ms, where the issuer says none */
#define LIFE_MAX INT64_C(3600000)
#define USER_CODE_MAX 64

void
oauth_device_release(struct oauth_device *d)
{
	secret_release(&d->device_code);
	free(d->user_code);
	free(d->verification_uri);
	free(d->verification_uri_complete);
	memset(d, 0, sizeof(*d));
}

/* --- Beginning ----------------------------------------------------------- */

static int64_t
milliseconds(struct json_object *v, int64_t unsaid, int64_t max)
{
	double s = json_object_is_type(v, json_type_int) ||
	    json_object_is_type(v, json_type_double) ?
	    json_object_get_double(v) : 0;

	if (!isfinite(s) || s <= 0)
		return unsaid;
	return s * 1000 < (double)max ? (int64_t)(s * 1000) : max;
}

/* A code to be typed: printable, and not a page of text. */
static bool
user_code_ok(const char *code)
{
	const char *p;

	for (p = code; *p != '\0'; p++)
		if (*p < ' ' || *p > '~')
			return false;
	return p > code && p - code <= USER_CODE_MAX;
}

/* Addresses are shown to a person, who will go there. */
static bool
address_ok(const struct oauth_call *call, const char *url)
{
	return url != NULL && oauth_url_ok(url,
	    str_starts(call->issuer.name, "http://"));
}

static int
device_take(struct oauth_call *call, struct json_object *json,
    struct oauth_device *out, struct err *err)
{
	const char *device = jsonx_str(json, "device_code");
	const char *code = jsonx_str(json, "user_code");
	const char *uri = jsonx_str(json, "verification_uri");
	const char *whole = jsonx_str(json, "verification_uri_complete");

	if (device == NULL || *device == '\0' ||
	    strlen(device) > OAUTH_TOKEN_MAX || code == NULL ||
	    !user_code_ok(code) || !address_ok(call, uri))
		return err_set(err, E_PROTOCOL, "%s: its answer has no codes "
		    "or no address for a sign-in on another device",
		    oauth_host(call, call->issuer.device));
	secret_set(&out->device_code, device, strlen(device));
	out->user_code = xstrdup(code);
	out->verification_uri = xstrdup(uri);
	if (address_ok(call, whole))
		out->verification_uri_complete = xstrdup(whole);
	out->expires = call->o->io->now(call->o->io->ctx) +
	    milliseconds(jsonx_get(json, "expires_in"), LIFE, LIFE_MAX);
	out->interval = milliseconds(jsonx_get(json, "interval"), INTERVAL,
	    INTERVAL_MAX);
	return 0;
}

static int
device_ask(struct oauth_call *call, struct oauth_device *out,
    struct err *err)
{
	const char *url = call->issuer.device;
	struct oauth_form form = { .url = url };
	struct http_answer answer = HTTP_ANSWER_INIT;
	struct oauth_answer a = OAUTH_ANSWER_INIT;
	int r;

	oauth_form_add(&form, "scope", oauth_scope(call));
	oauth_form_add(&form, "audience", call->o->login->audience);
	if ((r = oauth_post(call, &form, &answer, err)) != 0)
		goto out;
	oauth_answer_parse(&answer, &a);
	r = oauth_answer_good(&a) ? device_take(call, a.json, out, err) :
	    oauth_answer_refusal(call, url, &a, err);
 out:
	oauth_answer_release(&a);
	http_answer_release(&answer);
	return r;
}

/* Google's does not let people reach clusters. */
int
oauth_device_begin(const struct oauth *o, struct oauth_device *out,
    struct err *err)
{
	struct oauth_call call;
	int r;

	memset(out, 0, sizeof(*out));
	if (!o->login->device || o->login->provider == LOGIN_GOOGLE)
		return err_set(err, E_NOTFOUND, "%s offers no sign-in on "
		    "another device", o->login->device ? "Google" :
		    "this login (device)");
	if ((r = oauth_call_begin(&call, o, err)) == 0 &&
	    call.issuer.device == NULL)
		r = err_set(err, E_NOTFOUND, "the issuer offers no sign-in on "
		    "another device");
	if (r == 0)
		r = device_ask(&call, out, err);
	oauth_call_end(&call);
	return r;
}

/* --- Polling ------------------------------------------------------------- */

/* Names with which a device code is over (the last two are Entra's). */
static bool
is_over(const char *name)
{
	return str_eq(name, "access_denied") || str_eq(name,
	    "expired_token") || str_eq(name, "authorization_declined") ||
	    str_eq(name, "bad_verification_code");
}

static int
wait_longer(struct oauth_device *d, int64_t interval, struct err *err)
{
	d->interval = SD_MIN(interval, (int64_t)INTERVAL_MAX);
	return oauth_code_is(err, E_PENDING);
}

static int
not_yet(struct oauth_call *call, struct oauth_device *d,
    const struct oauth_answer *a, struct err *err)
{
	int r = oauth_answer_refusal(call, call->issuer.token, a, err);

	if (str_eq(a->error, "authorization_pending"))
		return wait_longer(d, d->interval, err);
	if (str_eq(a->error, "slow_down"))
		return wait_longer(d, d->interval + SLOWER, err);
	if (is_over(a->error))
		return oauth_code_is(err, E_DENIED);
	if (r == E_DENIED)	/* it refuses us, and nobody has been asked */
		return oauth_code_is(err, E_CONFIG);
	return r == E_SIGNIN ? oauth_code_is(err, E_AUTH) : r;
}

/* What goes by itself: RFC 8628, 3.5, wants us to ask less often then. */
static bool
is_passing(int r)
{
	return r == E_TIMEOUT || r == E_CONNECT || r == E_BUSY;
}

static int
poll_once(struct oauth_call *call, struct oauth_device *d,
    struct token_set *out, struct err *err)
{
	struct oauth_form form = { .url = call->issuer.token };
	struct oauth_rules rules = { .nonce = NULL };
	struct http_answer answer = HTTP_ANSWER_INIT;
	struct oauth_answer a = OAUTH_ANSWER_INIT;
	int r;

	oauth_hide(call, d->device_code.ptr);
	oauth_form_add(&form, "grant_type", GRANT);
	oauth_form_add(&form, "device_code", d->device_code.ptr);
	if ((r = oauth_post(call, &form, &answer, err)) != 0)
		goto out;
	oauth_answer_parse(&answer, &a);
	r = oauth_answer_good(&a) ?
	    oauth_answer_tokens(call, &a, &rules, out, err) :
	    not_yet(call, d, &a, err);
 out:
	oauth_answer_release(&a);
	http_answer_release(&answer);
	return r;
}

int
oauth_device_poll(const struct oauth *o, struct oauth_device *d,
    struct token_set *out, struct err *err)
{
	struct oauth_call call;
	int r;

	if (o->io->now(o->io->ctx) >= d->expires)
		return err_set(err, E_DENIED, "the code has run out before "
		    "anybody entered it");
	r = oauth_call_begin(&call, o, err);
	if (r == 0)
		r = oauth_keys_ready(&call, err);
	if (r == 0)
		r = poll_once(&call, d, out, err);
	if (is_passing(r))
		r = wait_longer(d, 2 * d->interval, err);
	oauth_call_end(&call);
	return r;
}
