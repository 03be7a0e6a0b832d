/* SPDX-License-Identifier: Apache-2.0 */
/* From a request to what the web server sends in its place. */
#include "base.h"

#include "arena.h"
#include "audit_request.h"
#include "direct.h"
#include "direct_name.h"
#include "path.h"
#include "proxy_headers.h"
#include "proxy_target.h"
#include "request.h"
#include "runtime.h"
#include "transport.h"

#define ACT "impersonate-"
#define ACT_LEN (sizeof(ACT) - 1)
#define EXTRA "extra-"
/* A subprotocol that is a credential of the client's (Kubernetes, "Web
   sockets": base64url.bearer.authorization.k8s.io.TOKEN). */
#define BEARER_PROTOCOL "bearer.authorization.k8s.io"

/* ---- what it is sent as ---- */

static int
too_much(const struct direct *d, const char *what, struct err *err)
{
	return err_set(err, E_BUSY, "the direct lane to cluster '%s' cannot "
	    "carry %s: it goes through the module", d->cluster->name, what);
}

/* Another value of one key would be another header, which has no place. */
static int
add_extra(const struct request *req, struct direct *d, const char *name,
    const char *value, struct err *err)
{
	const char *key = path_decode(req->arena, name, strlen(name));
	size_t i;

	if (key == NULL)
		return too_much(d, "such an extra key", err);
	key = direct_extra(req->arena, key);
	for (i = 0; i < d->nextra; i++)
		if (strcmp(d->extra[i].key, key) == 0)
			return too_much(d, "several values of one extra key",
			    err);
	d->extra[d->nextra++] = (struct pair){ key, value };
	return 0;
}

/* name: behind "Impersonate-". */
static int
add_acting(const struct request *req, struct direct *d, const char *name,
    const char *value, struct err *err)
{
	if (strcasecmp(name, "user") == 0) {
		d->user = value;
	} else if (strcasecmp(name, "uid") == 0) {
		d->uid = value;
	} else if (strcasecmp(name, "group") == 0) {
		if (d->ngroups == DIRECT_GROUPS)
			return too_much(d, "more than 16 groups", err);
		d->groups[d->ngroups++] = value;
	} else if (strncasecmp(name, EXTRA, strlen(EXTRA)) == 0) {
		return add_extra(req, d, name + strlen(EXTRA), value, err);
	}
	return 0;
}

/* Of our own credential: "Impersonate-User: ann". */
static int
add_lines(const struct request *req, struct direct *d, struct err *err)
{
	const char *const *lines = d->access.cred.acting, *colon;
	size_t n = 0;
	int r = 0;

	while (lines != NULL && lines[n] != NULL)
		n++;
	d->extra = arena_alloc(req->arena, (n + 1) * sizeof(*d->extra));
	for (; n > 0 && r == 0; n--, lines++) {
		colon = strchr(*lines, ':');
		r = add_acting(req, d, arena_strndup(req->arena,
		    *lines + ACT_LEN, (size_t)(colon - *lines) - ACT_LEN),
		    arena_strdup(req->arena, colon + 2), err);
	}
	return r;
}

/* Of the client's own: its headers, but what nginx cannot know the name of. */
static int
add_headers(const struct request *req, struct direct *d, struct err *err)
{
	size_t i, n;
	const struct header *all = request_headers(req, &n);
	int r = 0;

	for (i = 0; i < n && r == 0; i++) {
		if (strncmp(all[i].name, ACT, ACT_LEN) != 0)
			continue;
		if (strncmp(all[i].name + ACT_LEN, EXTRA, strlen(EXTRA)) == 0)
			return too_much(d, "Impersonate-Extra of yours", err);
		r = add_acting(req, d, all[i].name + ACT_LEN, all[i].value,
		    err);
	}
	return r;
}

static int
add_credential(const struct request *req, struct direct *d, struct err *err)
{
	const struct credential *cred = &d->access.cred;
	const char *value = cred->value.ptr != NULL ? cred->value.ptr : "";
	bool shown = direct_has_certificate(d->cluster);

	if (shown && cred->kind != CREDENTIAL_CERTIFICATE)
		return too_much(d, "a token of yours beside the certificate "
		    "that the web server shows", err);
	switch (cred->kind) {
	case CREDENTIAL_ANONYMOUS:
		return 0;
	case CREDENTIAL_VERBATIM:
		d->authorization = arena_strdup(req->arena, value);
		return 0;
	case CREDENTIAL_CERTIFICATE:
		/* nginx has it only where the settings do. */
		if (!shown)
			return too_much(d, "a certificate that a plug-in "
			    "gave", err);
		if (cred->value.len == 0)
			return 0;
		break;
	case CREDENTIAL_BEARER:
		break;
	default:
		return too_much(d, "no credential at all", err);
	}
	d->authorization = arena_printf(req->arena, "Bearer %s", value);
	return 0;
}

/* ---- whether ---- */

static int
refuse(struct direct *d, enum provider_verdict v, struct err *err)
{
	if (err->code == E_GONE)
		return E_GONE;
	if (v == PROVIDER_NEEDS_USER) {
		d->use->result = "sign-in needed";
		err->code = E_SIGNIN;
	} else if (v == PROVIDER_REFUSED) {
		err->code = E_DENIED;
	} else {
		d->use->result = "no credential";
		err->code = E_BUSY;
	}
	return err->code;
}

/* A credential of the client's own that would go along with ours. */
static bool
brings_protocol_token(const struct request *req)
{
	const char *protocols = request_header(req, "sec-websocket-protocol");

	return protocols != NULL &&
	    strcasestr(protocols, BEARER_PROTOCOL) != NULL;
}

static int
open_upstream(const struct request *req, struct direct *d, struct err *err)
{
	const struct access *a = &d->access;

	if (upstream_admit(a->up, err) != 0)
		return err->code;	/* E_BREAKER */
	d->upstream = a->up == d->cluster->upstream ?
	    d->cluster->direct_name :
	    direct_name(req->arena, d->cluster, a->up);
	return 0;
}

static int
open_cluster(struct request *req, struct direct *d, struct err *err)
{
	enum provider_verdict v;
	int r;

	if ((r = proxy_allowed(req, d->cluster, err)) != 0)
		return r;
	if (brings_protocol_token(req))
		return err_set(err, E_DENIED, "a token among the WebSocket's "
		    "protocols does not pass: send it as "
		    "Backstage-Kubernetes-Authorization");
	v = proxy_access(req, d->cluster, &d->access, err);
	if (v != PROVIDER_OK)
		return refuse(d, v, err);
	audit_use_access(req, d->use, &d->access);
	r = open_upstream(req, d, err);
	if (r == 0)
		r = add_credential(req, d, err);
	if (r == 0)
		r = d->access.cred.from_client ? add_headers(req, d, err) :
		    add_lines(req, d, err);
	if (r != 0)
		direct_close(d);
	return r;
}

int
direct_open(struct request *req, struct direct *out, struct err *err)
{
	const char *rest;
	int r;

	*out = (struct direct){ .access = ACCESS_INIT };
	if ((out->cluster = proxy_cluster(req, &rest, err)) == NULL)
		return err->code;
	out->use = audit_use(req, out->cluster);
	if ((out->path = proxy_path(req, rest, err)) == NULL)
		return err->code;
	if ((r = open_cluster(req, out, err)) != 0)
		return r;
	out->path = arena_printf(req->arena, "%s%s", out->access.base_path,
	    out->path);
	return 0;
}

int
direct_open_named(struct request *req, const char *name, struct direct *out,
    struct err *err)
{
	*out = (struct direct){ .access = ACCESS_INIT };
	if ((out->cluster = proxy_cluster_named(req, name, err)) == NULL)
		return err->code;
	out->use = audit_use(req, out->cluster);
	return open_cluster(req, out, err);
}

void
direct_close(struct direct *d)
{
	access_release(&d->access);
}
