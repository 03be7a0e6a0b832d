/* SPDX-License-Identifier: Apache-2.0 */
/* The first half of a sign-in. */
#include "base.h"

#include "arena.h"
#include "clock.h"
#include "connect_answer.h"
#include "connect_flow.h"
#include "connect_list.h"
#include "err.h"
#include "form.h"
#include "log.h"
#include "login.h"
#include "request.h"
#include "runtime.h"
#include "settings.h"
#include "signin.h"
#include "strbuf.h"
#include "streams.h"

#define PENDING_MAX 4		/* sign-ins that a browser has begun */
#define PENDING_BYTES 3072	/* of their cookies: headers have bounds, too */

const char *
connect_after(struct request *req, const char *form)
{
	const struct form_want want = { .name = "return",
	    .max = SIGNIN_RETURN_MAX };
	const char *path = NULL;

	if (form_field(req->arena, form, &want, &path, NULL) == 0 &&
	    path == NULL)
		form_field(req->arena, req->query, &want, &path, NULL);
	return path != NULL && signin_local(path) ? path : NULL;
}

int
connect_allowed(const struct request *req, struct err *err)
{
	if (req->who.kind != IDENTITY_USER)
		return err_set(err, E_DENIED, "only users who are signed in "
		    "to the portal can connect to clusters as themselves");
	if (req->rt->settings->public_url == NULL)
		return err_set(err, E_CONFIG, "nobody can sign in: "
		    "stagedoor.publicUrl, to which issuers send browsers "
		    "back, is not set");
	if (req->rt->store == NULL)
		return err_set(err, E_STORE, "nobody can sign in now: the "
		    "store of sign-ins does not work");
	return 0;
}

/* ---- cookies of sign-ins that were begun before ---- */

struct pending {
	struct request *req;
	struct connect_cookies *ended;
	size_t n, bytes;
};

static int
count_pending(void *ctx, const char *name, const char *value)
{
	struct pending *p = ctx;

	p->n++;
	p->bytes += strlen(name) + strlen(value);
	return 0;
}

static int
end_pending(void *ctx, const char *name, const char *value UNUSED)
{
	struct pending *p = ctx;

	connect_cookie(p->req, p->ended, name, "", 0);
	return 0;
}

/* Sign-ins that were begun and given up must not fill the browser's headers:
   before they do, they are forgotten. */
static void
forget_pending(struct request *req, struct connect_cookies *cookies)
{
	struct pending p = { .req = req, .ended = cookies };
	const char *prefix = connect_secure(req->rt) ?
	    SIGNIN_SECURE SIGNIN_COOKIE : SIGNIN_COOKIE;

	form_cookies(req, prefix, count_pending, &p);
	if (p.n > PENDING_MAX || p.bytes > PENDING_BYTES)
		form_cookies(req, prefix, end_pending, &p);
}

/* ---- the start ---- */

static int
seal_cookie(struct request *req, const struct signin *s,
    struct connect_cookies *cookies, struct err *err)
{
	char *name = arena_alloc(req->arena, SIGNIN_COOKIE_NAME);
	const char *value;

	signin_cookie(s->begun.state, connect_secure(req->rt), name);
	if (signin_seal(req->rt->store, req->arena, s, clock_wall_ms(),
	    &value) != 0)
		return err_set(err, E_TOOLARGE,
		    "the way back is too long to be remembered");
	forget_pending(req, cookies);
	connect_cookie(req, cookies, name, value, SIGNIN_MS / 1000);
	return 0;
}

static int
begin(struct request *req, const struct login_settings *login,
    struct signin *s, struct strbuf *url, struct err *err)
{
	const struct token_key key = login_key(login, req->who.user);
	struct login_client client;

	oauth_begin(&s->begun);
	s->user = key.user;
	s->provider = key.provider;
	s->name = key.name;
	login_client_init(&client, req->rt, login, req->arena);
	return oauth_authorize_url(&client.oauth, &s->begun, url, err);
}

/* With a place among those that may wait. */
static int
start(struct request *req, const struct login_settings *login,
    const char *form)
{
	struct signin *s = arena_alloc(req->arena, sizeof(*s));
	struct connect_cookies *cookies = arena_alloc(req->arena,
	    sizeof(*cookies));
	struct strbuf url = STRBUF_INIT(16384);
	struct err err = ERR_INIT;
	int r;

	s->after = connect_after(req, form);
	if (s->after == NULL)
		s->after = "";
	r = begin(req, login, s, &url, &err);
	if (r == 0)
		r = seal_cookie(req, s, cookies, &err);
	if (r != 0)
		log_warn("%s sign-in at %s cannot begin: %s%s%s", req->id,
		    connect_login_path(login, req->arena), err.text,
		    err.detail[0] != '\0' ? ": " : "", err.detail);
	r = r == 0 ? connect_answer_location(req, url.buf, cookies) :
	    connect_answer_refusal(req, &err);
	strbuf_wipe(&url);
	return r;
}

int
connect_start(struct request *req, const struct login_settings *login,
    const char *form)
{
	struct stream_place place;
	struct err err = ERR_INIT;
	int r;

	if (connect_allowed(req, &err) != 0)
		return connect_answer_refusal(req, &err);
	if (!streams_enter(&place, false, 0)) {
		err_set(&err, E_BUSY, "too many wait here already: try again "
		    "in a moment");
		return connect_answer_refusal(req, &err);
	}
	r = start(req, login, form);
	streams_leave(&place);
	return r;
}
