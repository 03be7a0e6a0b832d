/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a signed-in user does about kubectl: GET and POST /portal/activate,
 * where a machine is allowed, and POST /portal/end. The same-origin rule and
 * the pages' policies are those of /connect; no page but ours can have
 * somebody allow anything, and none can frame this one.
 */
#include "base.h"

#include "api.h"
#include "arena.h"
#include "audit.h"
#include "clock.h"
#include "connect_answer.h"
#include "connect_list.h"
#include "err.h"
#include "form.h"
#include "log.h"
#include "notice.h"
#include "portal.h"
#include "portal_page.h"
#include "request.h"
#include "runtime.h"
#include "settings.h"
#include "strbuf.h"

#define CODE_TEXT_MAX 32

/* Only users, with sessions of their own, and not by such a session. */
static int
check(const struct request *req, struct err *err)
{
	if (req->who.kind != IDENTITY_USER || req->who.portal != NULL)
		return err_set(err, E_DENIED, "only users who are signed in "
		    "to the portal can use kubectl through it");
	return portal_ready(req->rt, err);
}

static int
refuse(struct request *req, const struct err *err)
{
	if (err->code == E_GONE)
		return E_GONE;
	if (err->code == E_STORE)
		log_warn("%s kubectl of %s: %s%s%s", req->id, req->who.user,
		    err->text, err->detail[0] != '\0' ? ": " : "",
		    err->detail);
	return connect_answer_refusal(req, err);
}

/* This page's path, as the browser has it. */
static const char *
page_path(struct request *req)
{
	return arena_printf(req->arena, "%s/portal/activate",
	    portal_path(req->rt, req->arena));
}

static int
read_code(struct request *req, const char *text, const char **out,
    struct err *err)
{
	const struct form_want want = { .name = "code",
	    .max = CODE_TEXT_MAX };

	return form_field(req->arena, text, &want, out, err);
}

/* ---- looking ---- */

/* The row, if it is this user's. What is another's is not there. */
static int
find_request(struct request *req, const char *code,
    struct portal_request **out, struct err *err)
{
	struct portal_request *pr = arena_alloc(req->arena, sizeof(*pr));
	int r = portal_request_get(req->rt->store, req->arena, code, pr, err);

	*out = NULL;
	if (r == 0 && strcmp(pr->user, req->who.user) == 0)
		*out = pr;
	return r == E_NOTFOUND ? 0 : r;
}

static int
show(struct request *req, const char *text)
{
	struct portal_page page = {
		.user = req->who.user,
		.path = page_path(req),
		.clusters = connect_base(req->rt, req->arena),
		.code = text,
		.now = clock_wall_ms(),
		.lifetime = clock_ms(req->rt->settings->portal_lifetime),
	};
	struct strbuf sb = STRBUF_INIT(STRBUF_UNLIMITED);
	struct portal_request *pr = NULL;
	char code[PORTAL_CODE];
	struct err err = ERR_INIT;
	int r;

	page.wrong = text != NULL && !portal_code_parse(text, code);
	if (text != NULL && !page.wrong) {
		page.code = arena_strdup(req->arena, code);
		if (find_request(req, code, &pr, &err) != 0)
			return refuse(req, &err);
		page.request = pr;
	}
	portal_page_print(&page, req->arena, &sb);
	r = connect_answer_page(req, 200, &sb);
	strbuf_release(&sb);
	return r;
}

int
api_portal_activate(struct request *req)
{
	struct err err = ERR_INIT;
	const char *text;

	if (check(req, &err) != 0 ||
	    read_code(req, req->query, &text, &err) != 0)
		return refuse(req, &err);
	return show(req, text);
}

/* ---- deciding ---- */

static void
report(const struct request *req, const char *event,
    const struct portal_request *pr)
{
	const struct audit_event e = {
		.event = event,
		.id = req->id,
		.user = req->who.user,
		.kind = "user",
		.provider = "portal",
		.account = *pr->name != '\0' ? pr->name : NULL,
		.from = pr->from,
		.result = "ok",
	};

	audit(&e);
}

/* device: what the page that was answered showed. Another one must not be
   allowed in its place. */
static int
decide(struct request *req, const char *code, const char *device,
    bool allow, struct err *err)
{
	struct portal_request *pr;
	int r = find_request(req, code, &pr, err);

	if (r != 0)
		return r;
	if (pr == NULL || pr->state != PORTAL_ASKING || device == NULL ||
	    strcmp(pr->nonce, device) != 0)
		return err_set(err, E_INPUT, "this code has run out, or has "
		    "been answered: please begin anew");
	r = portal_request_decide(req->rt->store, pr, &req->who, allow, err);
	if (r == 0)
		report(req, allow ? "allow" : "refuse", pr);
	return r;
}

static int
take_step(struct request *req, const char *form, const char *code,
    struct err *err)
{
	const struct form_want want_step = { .name = "step", .max = 16 };
	const struct form_want want_device = { .name = "device",
	    .max = PORTAL_ID };
	struct portal_request *pr = arena_alloc(req->arena, sizeof(*pr));
	const char *step, *device;
	int r;

	if ((r = form_field(req->arena, form, &want_step, &step, err)) != 0 ||
	    (r = form_field(req->arena, form, &want_device, &device,
	    err)) != 0)
		return r;
	memcpy(pr->code, code, PORTAL_CODE);
	if (str_eq(step, "look"))
		return portal_request_claim(req->rt->store, req->arena,
		    &req->who, pr, err);
	if (str_eq(step, "allow") || str_eq(step, "refuse"))
		return decide(req, code, device, *step == 'a', err);
	return err_set(err, E_INPUT, "parameter step is missing, or unknown");
}

int
api_portal_decide(struct request *req)
{
	char code[PORTAL_CODE];
	struct err err = ERR_INIT;
	const char *form, *text;

	if (check(req, &err) != 0 || form_body(req, &form, &err) != 0 ||
	    read_code(req, form, &text, &err) != 0)
		return refuse(req, &err);
	if (text == NULL || !portal_code_parse(text, code))
		return show(req, text != NULL ? text : "");
	if (take_step(req, form, code, &err) != 0)
		return refuse(req, &err);
	return connect_answer_location(req, connect_url(req, arena_printf(
	    req->arena, "%s?code=%s", page_path(req), code)), NULL);
}

/* ---- ending ---- */

static int
end(struct request *req, const char *id, struct err *err)
{
	struct portal_session *s = arena_alloc(req->arena, sizeof(*s));
	struct audit_event e = {
		.event = "revoke",
		.id = req->id,
		.user = req->who.user,
		.kind = "user",
		.provider = "portal",
		.session = portal_id_short(req->arena, id),
		.result = "ok",
	};
	int r;

	s->user = req->who.user;
	snprintf(s->id, sizeof(s->id), "%s", id);
	r = portal_session_end(req->rt->store, req->arena, s, err);
	if (r == 0) {
		portal_forget(req->rt, id);
		e.account = *s->device != '\0' ? s->device : NULL;
		e.from = s->from;
		audit(&e);
	}
	return r == E_NOTFOUND ? 0 : r;
}

int
api_portal_end(struct request *req)
{
	const struct form_want want = { .name = "session", .max = PORTAL_ID };
	struct connect_cookies *cookies = arena_alloc(req->arena,
	    sizeof(*cookies));
	const struct notice done = { .code = NOTICE_ENDED };
	struct err err = ERR_INIT;
	const char *form, *id;

	if (check(req, &err) != 0 || form_body(req, &form, &err) != 0 ||
	    form_field(req->arena, form, &want, &id, &err) != 0)
		return refuse(req, &err);
	if (id == NULL)
		err_set(&err, E_INPUT, "parameter session is missing");
	if (id == NULL || end(req, id, &err) != 0)
		return refuse(req, &err);
	return connect_answer_notice(req, &done, cookies);
}
