/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What stagedoor login asks for, without an identity: a device's codes, its
 * token (RFC 8628), an end to that (RFC 7009), whether it is good (RFC 7662).
 * A code or a token is shown; nothing is kept for those who show none.
 */
#include "base.h"

#include <arpa/inet.h>

#include "api.h"
#include "arena.h"
#include "audit.h"
#include "clock.h"
#include "connect_answer.h"
#include "err.h"
#include "form.h"
#include "jsonx.h"
#include "log.h"
#include "portal.h"
#include "portal_code.h"
#include "request.h"
#include "runtime.h"
#include "settings.h"
#include "strbuf.h"

#define GRANT "urn:ietf:params:oauth:grant-type:device_code"

/* ---- answers ---- */

static int
answer(struct request *req, int status, struct strbuf *sb)
{
	int r;

	strbuf_addch(sb, '}');
	r = connect_answer_json(req, status, sb->buf, sb->len);
	strbuf_wipe(sb);
	return r;
}

/* RFC 6749, section 5.2. */
static int
refuse(struct request *req, int status, const char *error, const char *text)
{
	struct strbuf sb = STRBUF_INIT(STRBUF_UNLIMITED);

	strbuf_addch(&sb, '{');
	jsonx_add_pair(&sb, "error", error);
	if (text != NULL)
		jsonx_add_pair(&sb, "error_description", text);
	return answer(req, status, &sb);
}

/* What is not the asker's fault. */
static int
refuse_for(struct request *req, const struct err *err)
{
	if (err->code == E_CONFIG)
		return refuse(req, 404, "unavailable", err->text);
	if (err->code == E_GONE)
		return E_GONE;
	if (err->code != E_STORE && err->code != E_BUSY)
		return refuse(req, 400, "invalid_request", err->text);
	log_warn("%s kubectl through the portal: %s%s%s", req->id, err->text,
	    err->detail[0] != '\0' ? ": " : "", err->detail);
	return refuse(req, 503, "temporarily_unavailable", NULL);
}

/* Is it on, and the form's field, which must be there. */
static int
read_field(struct request *req, const struct form_want *want,
    const char **form, const char **out, struct err *err)
{
	int r;

	if ((r = portal_ready(req->rt, err)) != 0 ||
	    (r = form_body(req, form, err)) != 0 ||
	    (r = form_field(req->arena, *form, want, out, err)) != 0)
		return r;
	return *out != NULL || want->prose ? 0 : err_set(err, E_INPUT,
	    "parameter %s is missing", want->name);
}

/* ---- a device's codes ---- */

/* Of an address that somebody can choose freely from a network, the network:
   an IPv6 one's first 64 bits. */
static const char *
neighbourhood(struct request *req, const char *address)
{
	struct in6_addr in6;

	if (inet_pton(AF_INET6, address, &in6) != 1)
		return address;
	return arena_printf(req->arena, "%02x%02x:%02x%02x:%02x%02x:%02x%02x",
	    in6.s6_addr[0], in6.s6_addr[1], in6.s6_addr[2], in6.s6_addr[3],
	    in6.s6_addr[4], in6.s6_addr[5], in6.s6_addr[6], in6.s6_addr[7]);
}

static const char *
address_of(struct request *req)
{
	const char *address = request_param(req, "REMOTE_ADDR");

	return address == NULL ? "" : arena_strndup(req->arena, address,
	    strnlen(address, PORTAL_FROM_MAX));
}

static int
answer_codes(struct request *req, const struct portal_device *d)
{
	const char *audience = portal_audience(req->rt, req->arena);
	struct strbuf sb = STRBUF_INIT(STRBUF_UNLIMITED);
	const char *code, *page;

	if (portal_device_print(req->rt->store, req->arena, audience, d,
	    &code) != 0)
		return refuse(req, 400, "invalid_request", "too long");
	page = arena_printf(req->arena, "%s/portal/activate", audience);
	strbuf_addch(&sb, '{');
	jsonx_add_pair(&sb, "device_code", code);
	jsonx_add_pair(&sb, "user_code", d->code);
	jsonx_add_pair(&sb, "verification_uri", page);
	jsonx_add_pair(&sb, "verification_uri_complete",
	    arena_printf(req->arena, "%s?code=%s", page, d->code));
	strbuf_addf(&sb, ",\"expires_in\":%d,\"interval\":%d",
	    PORTAL_CODE_MS / 1000, PORTAL_INTERVAL);
	return answer(req, 200, &sb);
}

int
api_portal_device(struct request *req)
{
	const struct form_want want = { .name = "device",
	    .max = PORTAL_DEVICE_MAX, .prose = true };
	struct portal_device d = { .asked = clock_wall_ms() };
	struct err err = ERR_INIT;
	const char *form;

	if (read_field(req, &want, &form, &d.name, &err) != 0)
		return refuse_for(req, &err);
	d.from = address_of(req);
	if (!portal_may_ask(req->rt->portal, neighbourhood(req, d.from)))
		return refuse(req, 429, "slow_down", "too many codes were "
		    "asked for from there: please wait a moment");
	if (d.name == NULL)
		d.name = "";
	d.expires = d.asked + PORTAL_CODE_MS;
	portal_id_new(d.nonce);
	portal_code_new(d.code);
	return answer_codes(req, &d);
}

/* ---- its token ---- */

static void
report(const struct request *req, const char *event,
    const struct portal_session *s, const char *result)
{
	const struct audit_event e = {
		.event = event,
		.id = req->id,
		.user = s->user,
		.kind = "user",
		.provider = "portal",
		.session = portal_id_short(req->arena, s->id),
		.account = *s->device != '\0' ? s->device : NULL,
		.from = s->from,
		.result = result,
	};

	audit(&e);
}

static int
answer_token(struct request *req, const struct portal_session *s,
    const char *token)
{
	struct strbuf sb = STRBUF_INIT(STRBUF_UNLIMITED);

	strbuf_room(&sb, 512 + strlen(token) + 6 * strlen(s->user));
	strbuf_addch(&sb, '{');
	jsonx_add_pair(&sb, "access_token", token);
	jsonx_add_pair(&sb, "token_type", "Bearer");
	jsonx_add_pair(&sb, "user", s->user);
	strbuf_addf(&sb, ",\"expires_in\":%lld", (long long)SD_MAX((s->expires
	    - clock_wall_ms()) / 1000, (int64_t)0));
	return answer(req, 200, &sb);
}

/* The session first, then the code is used up: whoever comes second ends what
   it had begun, so that a code makes one token. */
static int
make_token(struct request *req, struct portal_request *pr,
    struct portal_session *s, const char **token, struct err *err)
{
	struct store *st = req->rt->store;
	struct portal_token made = { .user = s->user };
	int r;

	if ((r = portal_session_begin(st, s, err)) != 0)
		return r;
	memcpy(made.id, s->id, PORTAL_ID);
	made.slot = s->slot;
	made.expires = s->expires;
	r = portal_token_print(st, req->arena, portal_audience(req->rt,
	    req->arena), &made, token);
	if (r == 0)
		r = portal_request_use(st, pr, err);
	if (r != 0)
		portal_session_end(st, req->arena, s, NULL);
	return r;
}

static int
issue(struct request *req, struct portal_request *pr)
{
	struct portal_session *s = arena_alloc(req->arena, sizeof(*s));
	struct err err = ERR_INIT;
	const char *token;
	int r;

	s->user = pr->user;
	s->email = pr->email;
	s->groups = pr->groups;
	s->ngroups = pr->ngroups;
	s->from = pr->from;
	s->device = pr->name;
	s->issued = clock_wall_ms();
	s->expires = s->issued + clock_ms(req->rt->settings->portal_lifetime);
	if ((r = make_token(req, pr, s, &token, &err)) == E_BUSY)
		return refuse(req, 400, "authorization_pending", NULL);
	report(req, "issue", s, r == 0 ? "ok" : err.text);
	return r == 0 ? answer_token(req, s, token) : refuse_for(req, &err);
}

static int
answer_waiting(struct request *req, struct portal_request *pr,
    const struct portal_device *d)
{
	struct err err = ERR_INIT;
	int r = portal_request_meet(req->rt->store, pr, d, &err);

	if (r == E_DENIED)
		return refuse(req, 400, "access_denied", err.text);
	if (r != 0 && r != E_BUSY)
		return refuse_for(req, &err);
	return refuse(req, 400, "authorization_pending", NULL);
}

/* What became of the code. */
static int
answer_device(struct request *req, const struct portal_device *d)
{
	struct portal_request *pr = arena_alloc(req->arena, sizeof(*pr));
	struct err err = ERR_INIT;
	int r = portal_request_get(req->rt->store, req->arena, d->code, pr,
	    &err);

	if (r == E_NOTFOUND)
		return refuse(req, 400, "authorization_pending", NULL);
	if (r != 0)
		return refuse_for(req, &err);
	if (pr->state == PORTAL_CLAIMED || pr->state == PORTAL_ASKING ||
	    strcmp(pr->nonce, d->nonce) != 0)
		return answer_waiting(req, pr, d);
	if (pr->state == PORTAL_ALLOWED)
		return issue(req, pr);
	return pr->state == PORTAL_REFUSED ? refuse(req, 400, "access_denied",
	    "it was refused at the portal") : refuse(req, 400,
	    "invalid_grant", "this code has been used");
}

int
api_portal_token(struct request *req)
{
	const struct form_want want = { .name = "grant_type", .max = 64 };
	const struct form_want code = { .name = "device_code",
	    .max = FORM_BODY_MAX };
	struct portal_device d;
	struct err err = ERR_INIT;
	const char *form, *grant, *text;
	int r;

	if (read_field(req, &want, &form, &grant, &err) != 0)
		return refuse_for(req, &err);
	if (strcmp(grant, GRANT) != 0)
		return refuse(req, 400, "unsupported_grant_type", NULL);
	if (form_field(req->arena, form, &code, &text, &err) != 0)
		return refuse_for(req, &err);
	r = text == NULL ? E_INPUT : portal_device_open(req->rt->store,
	    req->arena, portal_audience(req->rt, req->arena), text, &d);
	if (r != 0)
		return refuse(req, 400, r == E_NOTFOUND ? "expired_token" :
		    "invalid_grant", NULL);
	if (!portal_may_poll(req->rt->portal, d.nonce))
		return refuse(req, 400, "slow_down", NULL);
	return answer_device(req, &d);
}

/* ---- a token that somebody has ---- */

static int
read_token(struct request *req, struct portal_session *s, struct err *err)
{
	const struct form_want want = { .name = "token",
	    .max = PORTAL_TOKEN_MAX };
	const char *form, *token;
	int r;

	if ((r = read_field(req, &want, &form, &token, err)) != 0)
		return r;
	return portal_find(req->rt, req->arena, token, s, err);
}

int
api_portal_revoke(struct request *req)
{
	struct portal_session *s = arena_alloc(req->arena, sizeof(*s));
	struct strbuf sb = STRBUF_INIT(STRBUF_UNLIMITED);
	struct err err = ERR_INIT;
	int r = read_token(req, s, &err);

	if (r == 0) {
		r = portal_session_end(req->rt->store, req->arena, s, &err);
		portal_forget(req->rt, s->id);
		if (r == 0)
			report(req, "revoke", s, "ok");
	}
	if (r != 0 && r != E_AUTH && r != E_NOTFOUND)
		return refuse_for(req, &err);
	strbuf_addch(&sb, '{');
	return answer(req, 200, &sb);
}

int
api_portal_introspect(struct request *req)
{
	struct portal_session *s = arena_alloc(req->arena, sizeof(*s));
	struct strbuf sb = STRBUF_INIT(STRBUF_UNLIMITED);
	struct err err = ERR_INIT;
	int r = read_token(req, s, &err);

	if (r != 0 && r != E_AUTH)
		return refuse_for(req, &err);
	strbuf_addf(&sb, "{\"active\":%s", r == 0 ? "true" : "false");
	if (r == 0) {
		jsonx_add_pair(&sb, "username", s->user);
		strbuf_addf(&sb, ",\"exp\":%lld",
		    (long long)(s->expires / 1000));
	}
	return answer(req, 200, &sb);
}
