/* SPDX-License-Identifier: Apache-2.0 */
/* Answers of /connect. */
#include "base.h"

#include "arena.h"
#include "clock.h"
#include "connect_answer.h"
#include "connect_page.h"
#include "err.h"
#include "form.h"
#include "html.h"
#include "jsonx.h"
#include "request.h"
#include "runtime.h"
#include "settings.h"
#include "signin.h"
#include "strbuf.h"

bool
connect_secure(const struct runtime *rt)
{
	const char *url = rt->settings->public_url;

	return url != NULL && strncasecmp(url, "https:", 6) == 0;
}

const char *
connect_words_cookie(const struct request *req)
{
	return connect_secure(req->rt) ? SIGNIN_SECURE NOTICE_COOKIE :
	    NOTICE_COOKIE;
}

void
connect_cookie(struct request *req, struct connect_cookies *cs,
    const char *name, const char *value, int64_t seconds)
{
	if (cs->n == CONNECT_COOKIES_MAX)
		return;
	cs->items[cs->n++] = (struct response_cookie){
		.name = name,
		.value = value,
		.path = connect_base(req->rt, req->arena),
		.seconds = seconds,
		.secure = connect_secure(req->rt),
	};
}

const char *
connect_url(struct request *req, const char *path)
{
	const char *url = req->rt->settings->public_url, *host;

	host = url == NULL ? NULL : strstr(url, "://");
	if (host == NULL)
		return path;
	host += 3;
	return arena_printf(req->arena, "%.*s%s",
	    (int)(host - url) + (int)strcspn(host, "/?#"), url, path);
}

bool
connect_wants_json(const struct request *req)
{
	const char *accept = request_header(req, "accept");

	return accept != NULL && strcasestr(accept, "text/html") == NULL &&
	    strcasestr(accept, "application/json") != NULL;
}

/* ---- whole answers ---- */

static void
start(struct request *req, int status, const char *referrer)
{
	const struct page_policy policy = {
		.csp = html_policy(req->arena,
		    connect_form_action(req->rt->settings)),
		.referrer = referrer,
	};

	response_start_page(req, status, &policy);
	if (status == 503 || status == 429)
		response_header(req, "Retry-After", "5");
	response_header(req, "Vary", "Accept, Accept-Encoding, Cookie");
}

static void
set_cookies(struct request *req, const struct connect_cookies *cookies)
{
	size_t i;

	for (i = 0; cookies != NULL && i < cookies->n; i++)
		response_cookie(req, &cookies->items[i]);
}

static int
finish(struct request *req, const char *type, const char *data, size_t len)
{
	char length[24];

	snprintf(length, sizeof(length), "%zu", len);
	response_header(req, "Content-Type", type);
	response_header(req, "Content-Length", length);
	response_body(req);
	return response_write(req, data, len);
}

int
connect_answer_page(struct request *req, int status,
    const struct strbuf *page)
{
	/*
	 * Not no-referrer: with that, browsers send "Origin: null" with our
	 * own forms, and those that say no Sec-Fetch-Site could not show
	 * where they come from.
	 */
	start(req, status, "same-origin");
	return finish(req, "text/html; charset=utf-8", page->buf, page->len);
}

int
connect_answer_json(struct request *req, int status, const char *data,
    size_t len)
{
	start(req, status, "no-referrer");
	return finish(req, "application/json; charset=utf-8", data, len);
}

int
connect_answer_location(struct request *req, const char *url,
    const struct connect_cookies *cookies)
{
	bool json = connect_wants_json(req);
	struct strbuf sb = STRBUF_INIT(STRBUF_UNLIMITED);
	int r;

	start(req, json ? 200 : 303, "no-referrer");
	set_cookies(req, cookies);
	if (json) {
		strbuf_addch(&sb, '{');
		jsonx_add_pair(&sb, "location", url);
		strbuf_addch(&sb, '}');
		r = finish(req, "application/json; charset=utf-8", sb.buf,
		    sb.len);
	} else {
		response_header(req, "Location", url);
		response_header(req, "Content-Length", "0");
		r = response_body(req);
	}
	strbuf_wipe(&sb);
	return r;
}

int
connect_answer_refusal(struct request *req, const struct err *err)
{
	struct strbuf sb = STRBUF_INIT(STRBUF_UNLIMITED);
	/* That the store is away passes. */
	int status = err->code == E_STORE ? 503 : response_status(err->code);
	const struct api_error e = { .code = err->code, .status = status,
	    .message = err->text };
	int r;

	if (connect_wants_json(req))
		return response_api_error(req, &e);
	/* The contract's words for it are not for people. */
	connect_page_refusal(err->code == E_AUTH ? "The portal does not know "
	    "who you are. Please sign in to the portal, then come back." :
	    err->text, connect_base(req->rt, req->arena), &sb);
	r = connect_answer_page(req, status, &sb);
	strbuf_release(&sb);
	return r;
}

int
connect_answer_notice(struct request *req, const struct notice *n,
    struct connect_cookies *cookies)
{
	const char *words = req->who.user == NULL ? NULL : notice_seal(req->rt,
	    req->arena, n, req->who.user, clock_wall_ms());
	const char *name = connect_words_cookie(req);

	if (words != NULL)
		connect_cookie(req, cookies, name, words, NOTICE_MS / 1000);
	else if (form_cookie(req, name) != NULL)	/* of another time */
		connect_cookie(req, cookies, name, "", 0);
	return connect_answer_location(req, connect_url(req, arena_printf(
	    req->arena, "%s?%s", connect_base(req->rt, req->arena),
	    notice_query(req->arena, n))), cookies);
}
