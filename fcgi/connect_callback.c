/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The second half of a sign-in: the issuer sent the browser back. What the
 * address says is believed only as far as a cookie of this very browser, a
 * user who is the same as before, and then the issuer's own answer bear it
 * out (mix-up, replay, fixation, forged requests).
 */
#include "base.h"

#include "arena.h"
#include "audit.h"
#include "clock.h"
#include "connect_answer.h"
#include "connect_flow.h"
#include "connect_list.h"
#include "err.h"
#include "form.h"
#include "log.h"
#include "login.h"
#include "notice.h"
#include "request.h"
#include "runtime.h"
#include "session.h"
#include "settings.h"
#include "signin.h"
#include "streams.h"

#define STATE_MAX 128		/* ours have 43 */
#define CODE_MAX 8192		/* Entra's have up to 2 KB */
#define ISS_MAX 2048
#define ERROR_MAX 128
#define DESCRIPTION_MAX 300	/* is for people, and cut */

struct callback {
	struct request *req;
	/* As the address has them; NULL: absent. */
	const char *state, *code, *iss, *error, *description;
	struct signin begun;
	const struct login_settings *login;
	struct connect_cookies cookies;
	struct notice notice;
	struct err err;		/* of what failed */
};

/* false, and what is told: this was it. */
static bool
fail(struct callback *cb, enum notice_code code, const char *why)
{
	cb->notice.code = code;
	cb->notice.login = cb->login;
	if (why != NULL)
		err_set(&cb->err, E_AUTH, "%s", why);
	return false;
}

/* ---- what came ---- */

static bool
read_query(struct callback *cb)
{
	const struct {
		struct form_want want;
		const char **to;
	} fields[] = {
		{ { "state", STATE_MAX, false }, &cb->state },
		{ { "code", CODE_MAX, false }, &cb->code },
		{ { "iss", ISS_MAX, false }, &cb->iss },
		{ { "error", ERROR_MAX, false }, &cb->error },
		{ { "error_description", DESCRIPTION_MAX, true },
		    &cb->description },
	};
	struct request *req = cb->req;
	bool ok = true;
	size_t i;

	for (i = 0; i < ARRAY_LEN(fields); i++)
		if (form_field(req->arena, req->query, &fields[i].want,
		    fields[i].to, ok ? &cb->err : NULL) != 0)
			ok = false;
	if (!ok)
		return fail(cb, NOTICE_GARBLED, NULL);
	if (cb->state == NULL)
		return fail(cb, NOTICE_STRANGE, "it came without a state");
	return true;
}

/* The cookie of that state, which goes in any case. */
static const char *
take_cookie(struct callback *cb)
{
	struct request *req = cb->req;
	char *name = arena_alloc(req->arena, SIGNIN_COOKIE_NAME);
	const char *value;

	signin_cookie(cb->state, connect_secure(req->rt), name);
	value = form_cookie(req, name);
	if (value != NULL)
		connect_cookie(req, &cb->cookies, name, "", 0);
	return value;
}

/* Is it this browser's, this user's, and new? Then it is used up. */
static bool
open_signin(struct callback *cb, const char *value)
{
	struct request *req = cb->req;
	const struct signin *s = &cb->begun;
	int r;

	if (value == NULL)
		return fail(cb, NOTICE_STRANGE, "this browser did not begin "
		    "it, or lost the cookie");
	r = signin_open(req->rt->store, req->arena, cb->state, value,
	    &cb->begun);
	if (r != 0)
		return fail(cb, NOTICE_STRANGE, r == E_NOTFOUND ?
		    "it took longer than ten minutes" :
		    "its cookie was altered");
	if (strcmp(s->user, req->who.user) != 0)
		return fail(cb, NOTICE_OTHER_USER, "another user began it");
	cb->login = settings_login(req->rt->settings, s->provider, s->name);
	if (cb->login == NULL)
		return fail(cb, NOTICE_SETUP, "its login is not in the "
		    "settings any more");
	r = signin_use(req->rt->store, cb->state, &cb->err);
	if (r == E_BUSY)
		return fail(cb, NOTICE_USED, "it was completed before");
	return r == 0 || fail(cb, NOTICE_NOT_KEPT, NULL);
}

/* The issuer says no. Its words are shown if they are not another's. */
static bool
told_error(struct callback *cb)
{
	struct arena *a = cb->req->arena;
	bool denied = strcmp(cb->error, "access_denied") == 0;

	if (cb->iss == NULL || str_eq(cb->iss, cb->login->issuer))
		cb->notice.words = cb->description == NULL ? cb->error :
		    arena_printf(a, "%s: %s", cb->error, cb->description);
	return fail(cb, denied ? NOTICE_DENIED : NOTICE_REFUSED,
	    arena_printf(a, "the issuer answered %s", cb->error));
}

/* ---- the tokens ---- */

static void
report(struct callback *cb, const struct token_set *ts)
{
	const struct request *req = cb->req;
	bool ok = cb->notice.code == NOTICE_CONNECTED;
	const struct audit_event e = {
		.event = ok ? "sign-in" : "sign-in-failed",
		.user = req->who.user,
		.kind = req->who.kind == IDENTITY_USER ? "user" : NULL,
		.provider = cb->begun.provider,
		.name = cb->begun.name != NULL && *cb->begun.name != '\0' ?
		    cb->begun.name : NULL,
		.account = ts != NULL ? ts->account : NULL,
		.issuer = ts != NULL ? ts->issuer : NULL,
		.result = ok ? "ok" : cb->err.text,
		.id = req->id,
		.ms = clock_mono_ms() - req->started,
	};

	audit(&e);
	if (!ok)
		log_warn("%s sign-in of %s failed: %s%s%s", req->id,
		    req->who.user != NULL ? req->who.user : "-",
		    cb->err.text, cb->err.detail[0] != '\0' ? ": " : "",
		    cb->err.detail);
}

static bool
keep(struct callback *cb, struct token_set *ts)
{
	const struct token_key key = login_key(cb->login, cb->begun.user);

	ts->user = xstrdup(cb->begun.user);
	ts->provider = xstrdup(cb->begun.provider);
	ts->name = xstrdup(cb->begun.name);
	ts->signed_in = ts->refreshed = clock_wall_ms();
	token_set_renew(ts);
	if (tokens_put(cb->req->rt->store, ts, &cb->err) != 0)
		return fail(cb, NOTICE_NOT_KEPT, NULL);
	session_forget(cb->req->rt, &key);
	cb->notice.code = NOTICE_CONNECTED;
	cb->notice.login = cb->login;
	report(cb, ts);
	return true;
}

/* The code is good once: it is never sent a second time. */
static bool
trade(struct callback *cb)
{
	const struct oauth_callback back = {
		.code = cb->code,
		.iss = cb->iss,
		.begun = &cb->begun.begun,
	};
	struct token_set ts = { .user = NULL };
	struct login_client client;
	bool ok = false;
	int r;

	login_client_init(&client, cb->req->rt, cb->login, cb->req->arena);
	r = oauth_code(&client.oauth, &back, &ts, &cb->err);
	if (r == 0) {
		ok = keep(cb, &ts);
	} else {
		cb->notice.words = cb->err.text;
		fail(cb, notice_of(r), NULL);
	}
	token_set_release(&ts);
	return ok;
}

static bool
complete(struct callback *cb)
{
	bool read = read_query(cb);
	const char *value = cb->state != NULL ? take_cookie(cb) : NULL;

	if (!read)
		return false;
	if (connect_allowed(cb->req, &cb->err) != 0)
		return fail(cb, cb->req->who.kind != IDENTITY_USER ?
		    NOTICE_STRANGE : NOTICE_NOT_KEPT, NULL);
	if (!open_signin(cb, value))
		return false;
	if (cb->error != NULL)
		return told_error(cb);
	if (cb->code == NULL)
		return fail(cb, NOTICE_GARBLED, "it came without a code");
	return trade(cb);
}

int
connect_callback(struct request *req)
{
	struct callback *cb = arena_alloc(req->arena, sizeof(*cb));
	struct stream_place place;
	struct err err = ERR_INIT;

	cb->req = req;
	if (!streams_enter(&place, false, 0)) {
		err_set(&err, E_BUSY, "too many wait here already: load this "
		    "page again in a moment");
		return connect_answer_refusal(req, &err);
	}
	if (!complete(cb))
		report(cb, NULL);
	streams_leave(&place);
	if (cb->notice.code == NOTICE_CONNECTED && *cb->begun.after != '\0')
		return connect_answer_location(req,
		    connect_url(req, cb->begun.after), &cb->cookies);
	return connect_answer_notice(req, &cb->notice, &cb->cookies);
}
