/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /connect: the page and its JSON, and what is posted below it. Signing in,
 * which leads to an issuer and back, is connect_flow.h's.
 */
#include "base.h"

#include "api.h"
#include "arena.h"
#include "clock.h"
#include "connect_answer.h"
#include "connect_flow.h"
#include "connect_page.h"
#include "err.h"
#include "form.h"
#include "log.h"
#include "login.h"
#include "request.h"
#include "runtime.h"
#include "session.h"
#include "settings.h"
#include "signin.h"
#include "strbuf.h"

/* ---- looking ---- */

int
api_connect(struct request *req)
{
	struct strbuf sb = STRBUF_INIT(STRBUF_UNLIMITED);
	struct connect_page page = { .now = clock_wall_ms() };
	struct connect_list list;
	struct notice notice;
	const char *words = form_cookie(req, connect_words_cookie(req));
	int r;

	connect_list_read(req->rt, &req->who, req->arena, page.now, &list);
	notice_parse(req->rt, req->arena, req->query, &notice);
	if (words != NULL && req->who.user != NULL)
		notice_open(req->rt, req->arena, &notice, req->who.user,
		    words);
	page.list = &list;
	page.notice = &notice;
	page.after = connect_after(req, NULL);
	connect_page_print(&page, req->arena, &sb);
	r = connect_answer_page(req, 200, &sb);
	strbuf_release(&sb);
	return r;
}

int
api_connect_json(struct request *req)
{
	struct strbuf sb = STRBUF_INIT(STRBUF_UNLIMITED);
	struct connect_list list;
	int r;

	connect_list_read(req->rt, &req->who, req->arena, clock_wall_ms(),
	    &list);
	connect_list_json(&list, &sb);
	r = connect_answer_json(req, 200, sb.buf, sb.len);
	strbuf_release(&sb);
	return r;
}

int
api_connect_callback(struct request *req)
{
	return connect_callback(req);
}

/* ---- what is posted, and to which login ---- */

struct target {
	const char *provider, *name;	/* name "" but for oidc */
	bool disconnect;		/* "/disconnect" follows */
	const struct login_settings *login;	/* NULL: none such */
};

/* "/connect/oidc/okta/disconnect": only oidc has names, so that one may be
   called "disconnect". */
static int
parse_target(struct request *req, struct target *out, struct err *err)
{
	char *p = arena_strdup(req->arena, req->route_path);
	const char *rest;

	memset(out, 0, sizeof(*out));
	strsep(&p, "/");
	strsep(&p, "/");		/* "connect" */
	out->provider = p != NULL ? strsep(&p, "/") : "";
	out->name = "";
	if (strcmp(out->provider, "oidc") == 0 && p != NULL)
		out->name = strsep(&p, "/");
	rest = p != NULL ? strsep(&p, "/") : "";
	out->disconnect = strcmp(rest, "disconnect") == 0;
	if ((*rest != '\0' && !out->disconnect) || (p != NULL && *p != '\0'))
		return err_set(err, E_NOTFOUND, "there is no such login");
	out->login = settings_login(req->rt->settings, out->provider,
	    out->name);
	return 0;
}

/* ---- disconnecting ---- */

/* 0 also when there was nothing; E_NOTFOUND: and no such login either. */
static int
disconnect(struct request *req, const struct target *t, struct err *err)
{
	const struct token_key key = { .user = req->who.user,
	    .provider = t->provider, .name = t->name };
	const struct session_end end = { .id = req->id };
	int r;

	if ((r = connect_allowed(req, err)) != 0)
		return r;
	r = session_revoke(req->rt, &key, &end, err);
	if (r == E_NOTFOUND && t->login != NULL)
		return 0;
	if (r == E_NOTFOUND)
		err_set(err, E_NOTFOUND, "there is no such login");
	else if (r != 0)
		log_warn("%s cannot disconnect %s: %s%s%s", req->id, key.user,
		    err->text, err->detail[0] != '\0' ? ": " : "",
		    err->detail);
	return r;
}

/* Where to sign out at the issuer too; NULL: that is not asked for, or not
   offered. */
static const char *
issuer_logout(struct request *req, const struct target *t, const char *form)
{
	const struct form_want want = { .name = "logout", .max = 8 };
	struct strbuf url = STRBUF_INIT(16384);
	struct login_client client;
	struct oauth_begin fresh;
	const char *asked, *out = NULL;

	if (t->login == NULL || form_field(req->arena, form, &want, &asked,
	    NULL) != 0 || asked == NULL || strcmp(asked, "1") != 0)
		return NULL;
	login_client_init(&client, req->rt, t->login, req->arena);
	oauth_begin(&fresh);		/* a state that nobody looks at */
	if (oauth_logout_url(&client.oauth,
	    login_page(req->rt->settings, req->arena), fresh.state, &url,
	    NULL) == 0)
		out = arena_strndup(req->arena, url.buf, url.len);
	strbuf_release(&url);
	return out;
}

static int
post_disconnect(struct request *req, const struct target *t,
    const char *form)
{
	struct connect_cookies *cookies = arena_alloc(req->arena,
	    sizeof(*cookies));
	const struct notice done = { .code = NOTICE_DISCONNECTED,
	    .login = t->login };
	const char *after = connect_after(req, form), *url;
	struct err err = ERR_INIT;

	if (disconnect(req, t, &err) != 0)
		return connect_answer_refusal(req, &err);
	if ((url = issuer_logout(req, t, form)) != NULL)
		return connect_answer_location(req, url, cookies);
	if (after != NULL)
		return connect_answer_location(req, connect_url(req, after),
		    cookies);
	return connect_answer_notice(req, &done, cookies);
}

int
api_connect_post(struct request *req)
{
	struct err err = ERR_INIT;
	const char *form;
	struct target t;
	int r;

	if ((r = form_body(req, &form, &err)) == E_GONE)
		return r;
	if (r == 0)
		r = parse_target(req, &t, &err);
	if (r == 0 && !t.disconnect && t.login == NULL)
		r = err_set(&err, E_NOTFOUND, "there is no such login");
	if (r != 0)
		return connect_answer_refusal(req, &err);
	return t.disconnect ? post_disconnect(req, &t, form) :
	    connect_start(req, t.login, form);
}

int
api_connect_delete(struct request *req)
{
	struct err err = ERR_INIT;
	struct target t;
	int r;

	r = parse_target(req, &t, &err);
	if (r == 0 && t.disconnect)
		r = err_set(&err, E_NOTFOUND, "there is no such login");
	if (r == 0)
		r = disconnect(req, &t, &err);
	if (r != 0)
		return response_error(req, &err);
	return response_empty(req, 204);
}
