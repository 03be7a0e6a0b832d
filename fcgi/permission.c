/* SPDX-License-Identifier: Apache-2.0 */
/* One call: POST /authorize with one permission. Whatever is odd is a no. */
#include "base.h"

#include "arena.h"
#include "backstage.h"
#include "err.h"
#include "jsonx.h"
#include "log.h"
#include "permission.h"
#include "request.h"
#include "runtime.h"
#include "settings.h"
#include "strbuf.h"
#include "transport.h"

#define ANSWER_MAX 65536
#define PROXY "kubernetes.proxy"

struct permissions {
	struct transport *transport;
	struct upstream *up;		/* NULL: see why */
	struct err why;
};

struct permissions *
permissions_new(const struct settings *settings, struct transport *transport,
    struct problems *problems)
{
	static const struct backstage_peer peer = { "permission",
	    PERMISSION_TIMEOUT };
	struct permissions *p;

	if (!settings->permission_enabled)
		return NULL;
	p = xcalloc(1, sizeof(*p));
	p->transport = transport;
	if (backstage_connect(settings, transport, &peer, &p->up,
	    &p->why) != 0)
		problems_add(problems, true, "permission.enabled: nobody may "
		    "do anything: %s", p->why.text);
	else if (!settings->identity_backstage &&
	    settings->backstage_token.len == 0)
		problems_add(problems, true, "permission.enabled: nobody may "
		    "do anything: with identity.source \"params\" users bring "
		    "no token to ask the permission back end with; set "
		    "stagedoor.backstage.token");
	return p;
}

void
permissions_free(struct permissions *p)
{
	if (p == NULL)
		return;
	upstream_put(p->up);
	free(p);
}

static void
question_add(struct strbuf *sb, const struct request *req, const char *name)
{
	bool reads = strcmp(name, PROXY) != 0;

	strbuf_addstr(sb, "{\"items\":[{");
	jsonx_add_pair(sb, "id", req->id);
	strbuf_addstr(sb, ",\"permission\":{");
	jsonx_add_pair(sb, "type", "basic");
	jsonx_add_pair(sb, "name", name);
	strbuf_addf(sb, ",\"attributes\":{%s}}}]}",
	    reads ? "\"action\":\"read\"" : "");
}

/* The one word of the answer; NULL: there is none. */
static const char *
result_of(const struct fetch *f, const struct request *req,
    struct json_object **top)
{
	struct json_object *items, *item;
	const char *id;

	if (jsonx_parse(f->body.buf, f->body.len, top, NULL) != 0)
		return NULL;
	items = jsonx_get(*top, "items");
	if (!json_object_is_type(items, json_type_array) ||
	    json_object_array_length(items) != 1)
		return NULL;
	item = json_object_array_get_idx(items, 0);
	id = jsonx_str(item, "id");
	return id != NULL && strcmp(id, req->id) == 0 ?
	    jsonx_str(item, "result") : NULL;
}

/* A condition is about resources that we do not have; /proxy alone goes on,
   as Backstage's does. */
static int
decide(const struct fetch *f, const struct request *req, const char *name,
    struct err *err)
{
	struct json_object *top = NULL;
	const char *result = result_of(f, req, &top);
	int r;

	if (result == NULL)
		r = err_set(err, E_PROTOCOL, "the answer of the permission "
		    "back end cannot be read");
	else if (strcmp(result, "ALLOW") == 0 ||
	    (strcmp(result, "CONDITIONAL") == 0 && strcmp(name, PROXY) == 0))
		r = 0;
	else
		r = err_set(err, E_DENIED, "Unauthorized");
	json_object_put(top);
	return r;
}

static int
read_answer(const struct fetch *f, const struct request *req,
    const char *name, struct err *err)
{
	char text[64];
	const char *message;

	if (f->err.code == E_GONE)
		return err_set(err, E_GONE, "the client left");
	if (f->err.code != 0)
		return err_set(err, E_BUSY, "cannot reach the permission back "
		    "end: %s", f->err.text);
	if (f->status < 200 || f->status > 299) {
		message = backstage_message(f, req->arena);
		log_warn("the permission back end answered %d%s%s", f->status,
		    message ? ": " : "", message ? message : "");
		backstage_status_text(f->status, text, sizeof(text));
		return err_set(err, E_PROTOCOL, "%s", text);
	}
	return decide(f, req, name, err);
}

static int
ask(const struct permissions *p, struct request *req,
    const struct credential *cred, const char *name, struct err *err)
{
	static const char *const headers[] = {
		"Content-Type: application/json", "Accept: application/json",
		NULL };
	struct strbuf body = STRBUF_INIT(STRBUF_UNLIMITED);
	struct fetch f = { .up = p->up, .method = "POST",
	    .path = "/authorize", .cred = cred, .headers = headers,
	    .limit = ANSWER_MAX };
	int r;

	question_add(&body, req, name);
	f.upload = body.buf;
	f.upload_len = body.len;
	transport_fetch(p->transport, &f, req->fd);
	r = read_answer(&f, req, name, err);
	strbuf_release(&f.body);
	strbuf_release(&body);
	return r;
}

int
permission_ask(const struct permissions *p, struct request *req,
    const char *name, struct err *err)
{
	struct credential cred;
	int r;

	if (p == NULL || req->who.kind == IDENTITY_SERVICE)
		return 0;
	if (p->up == NULL)
		return err_set(err, E_CONFIG, "%s", p->why.text);
	/* It would not take that token, and no other would be the user's. */
	if (req->who.limited)
		return err_set(err, E_AUTH, "Illegal limited user token");
	/* Nor would a service's be: it may what the user perhaps may not. */
	if (req->who.portal != NULL && req->rt->settings->identity_backstage)
		return err_set(err, E_DENIED, "Unauthorized");
	backstage_credential(req, &cred);
	/* Without a token it would be asked about nobody. */
	if (cred.kind == CREDENTIAL_ANONYMOUS &&
	    req->who.kind != IDENTITY_NOBODY)
		r = err_set(err, E_CONFIG, "the permission back end cannot be "
		    "asked without a token of Backstage's: set "
		    "stagedoor.backstage.token");
	else
		r = ask(p, req, &cred, name, err);
	credential_release(&cred);
	return r;
}
