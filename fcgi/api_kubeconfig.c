/* SPDX-License-Identifier: Apache-2.0 */
/* GET /connect/kubeconfig and /connect/kubeconfig/NAME: a file for kubectl. */
#include "base.h"

#include "api.h"
#include "arena.h"
#include "connect_answer.h"
#include "err.h"
#include "kubeconfig_offer.h"
#include "path.h"
#include "portal.h"
#include "request.h"
#include "response.h"
#include "runtime.h"
#include "strbuf.h"

#define NAME_MAX_SHOWN 64

/* What any file system takes; a cluster may be called anything. */
static const char *
file_name(struct request *req, const char *name)
{
	char *plain = arena_strndup(req->arena, name,
	    strnlen(name, NAME_MAX_SHOWN)), *p;

	for (p = plain; *p != '\0'; p++)
		if (strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwx"
		    "yz0123456789-_", *p) == NULL)
			*p = '_';
	return arena_printf(req->arena, "attachment; filename=\"%s%s.yaml\"",
	    *plain != '\0' ? "kubeconfig-" : "kubeconfig", plain);
}

static int
answer(struct request *req, const char *name, const struct strbuf *file)
{
	char length[24];

	response_start(req, 200);
	snprintf(length, sizeof(length), "%zu", file->len);
	response_header(req, "Cache-Control", "no-store");
	response_header(req, "Content-Type", "application/yaml");
	response_header(req, "Content-Disposition",
	    file_name(req, name != NULL ? name : ""));
	response_header(req, "Content-Length", length);
	response_body(req);
	return response_write(req, file->buf, file->len);
}

static int
offer(struct request *req, const char *name)
{
	struct strbuf file = STRBUF_INIT(STRBUF_UNLIMITED);
	struct err err = ERR_INIT;
	int r;

	if (req->who.kind != IDENTITY_USER)
		r = err_set(&err, E_DENIED, "only users who are signed in to "
		    "the portal can use kubectl through it");
	else
		r = portal_ready(req->rt, &err);
	if (r == 0 && !connect_secure(req->rt))
		r = err_set(&err, E_CONFIG, "kubectl shows its token over "
		    "https only, and stagedoor.publicUrl is not https");
	if (r == 0 && kubeconfig_offer_print(req->rt, &req->who, req->arena,
	    name, &file) == 0)
		r = err_set(&err, E_NOTFOUND, "there is no such cluster for "
		    "kubectl");
	r = r == 0 ? answer(req, name, &file) :
	    connect_answer_refusal(req, &err);
	strbuf_release(&file);
	return r;
}

int
api_kubeconfig(struct request *req)
{
	return offer(req, NULL);
}

int
api_kubeconfig_one(struct request *req)
{
	const char *name = req->below + strlen("/connect/kubeconfig/");
	const char *plain = path_decode(req->arena, name,
	    strcspn(name, "/"));

	return offer(req, plain != NULL ? plain : "");
}
