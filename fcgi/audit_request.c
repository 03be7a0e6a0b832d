/* SPDX-License-Identifier: Apache-2.0 */
/* From a request that is over to its events. */
#include "base.h"

#include "arena.h"
#include "audit.h"
#include "audit_request.h"
#include "clock.h"
#include "obtain.h"
#include "portal_token.h"
#include "request.h"

#define ACT_AS "Impersonate-User: "

struct audit_use *
audit_use(struct request *req, const struct cluster *cluster)
{
	struct audit_use *use = arena_alloc(req->arena, sizeof(*use));

	*use = (struct audit_use){ .cluster = cluster };
	if (req->uses == NULL)
		req->uses_end = &req->uses;
	*req->uses_end = use;
	req->uses_end = &use->next;
	return use;
}

static const char *
kind_of(const struct credential *cred)
{
	switch (cred->kind) {
	case CREDENTIAL_BEARER:
		return "token";
	case CREDENTIAL_VERBATIM:
		return "authorization";
	case CREDENTIAL_CERTIFICATE:
		return "certificate";
	case CREDENTIAL_ANONYMOUS:
		return "none";
	default:
		return NULL;
	}
}

static const char *
source_of(const struct access *access, const struct cluster *c)
{
	if (access->cred.from_client)
		return "client";
	if (access->cred.kind == CREDENTIAL_ANONYMOUS)
		return NULL;
	/* A client's token won over what is kept: it was looked for first. */
	if (c->sign_in_stagedoor &&
	    (c->provider->flags & PROVIDER_USER_TOKEN) != 0)
		return "stored";
	return "server";
}

/* Whom the cluster is told that it acts for; NULL: itself. */
static const char *
acts_for(struct request *req, const struct credential *cred)
{
	const char *const *line = cred->acting;
	const char *as;

	if (cred->from_client && req->params != NULL) {
		as = request_header(req, "impersonate-user");
		return as == NULL ? NULL : arena_strdup(req->arena, as);
	}
	for (; line != NULL && *line != NULL; line++)
		if (str_starts(*line, ACT_AS))
			return arena_strdup(req->arena,
			    *line + strlen(ACT_AS));
	return NULL;
}

void
audit_use_access(struct request *req, struct audit_use *use,
    const struct access *access)
{
	use->credential = kind_of(&access->cred);
	use->source = source_of(access, use->cluster);
	use->provider = use->cluster->auth_provider;
	use->as = acts_for(req, &access->cred);
}

/* ---- the events ---- */

static const char *
kind_of_user(const struct identity *who)
{
	static const char *const names[] = {
		[IDENTITY_NOBODY] = "nobody", [IDENTITY_GUEST] = "guest",
		[IDENTITY_USER] = "user", [IDENTITY_SERVICE] = "service",
	};

	return names[who->kind];
}

static const char *
result_of(const struct request *req, int status)
{
	if (req->response.failed || status == 0)
		return "client left";
	if (req->response.aborted)
		return "cut short";
	if (status == 401 || status == 403)
		return "denied";
	return status < 400 ? "ok" : "failed";
}

static void
write_use(const struct audit_use *use, const struct request *req,
    struct audit_event *e)
{
	e->cluster = use->cluster->name;
	e->credential = use->credential;
	e->source = use->source;
	e->provider = use->provider;
	e->as = use->as;
	e->status = use->status == 0 ? req->response.status :
	    SD_MAX(use->status, 0);
	e->result = use->result != NULL ? use->result :
	    result_of(req, e->status);
	audit(e);
}

void
audit_request(const struct request *req)
{
	struct audit_event e = {
		.event = "request",
		.id = req->id,
		.user = req->who.user,
		.kind = kind_of_user(&req->who),
		.session = portal_id_short(req->arena, req->who.portal),
		.method = req->method,
		.path = req->raw_path,
		.status = req->response.status,
		.ms = clock_mono_ms() - req->started,
		.result = result_of(req, req->response.status),
	};
	const struct audit_use *use;

	if (req->uses == NULL)
		audit(&e);
	for (use = req->uses; use != NULL; use = use->next)
		write_use(use, req, &e);
}
