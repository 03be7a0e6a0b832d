/* SPDX-License-Identifier: Apache-2.0 */
/* Headers of /proxy, both ways. */
#include "base.h"

#include "arena.h"
#include "err.h"
#include "jsonx.h"
#include "proxy_headers.h"
#include "request.h"
#include "transport.h"

#define AUTH_PREFIX "backstage-kubernetes-authorization"
#define TOKEN_HEADER_MAX 16384	/* nginx's own bound for one header */

/* Not passed to a cluster: ours, the client's session, or hop by hop. */
static const char *const stay_here[] = {
	"authorization", "connection", "content-length", "cookie", "expect",
	"host", "keep-alive", "proxy", "proxy-authorization",
	"proxy-connection", "sec-websocket-key", "te", "trailer",
	"transfer-encoding", "upgrade",
};
/* Not passed back; framing is the web server's. */
static const char *const stay_there[] = {
	"alt-svc", "connection", "keep-alive", "proxy-authenticate",
	"proxy-connection", "set-cookie", "set-cookie2", "status",
	"strict-transport-security", "te", "trailer", "transfer-encoding",
	"upgrade", "vary",
};
/* Set by us on every answer already. */
static const char *const replaced[] = {
	"content-security-policy", "cross-origin-opener-policy",
	"cross-origin-resource-policy", "referrer-policy",
	"x-content-type-options", "x-dns-prefetch-control",
	"x-download-options", "x-frame-options",
	"x-permitted-cross-domain-policies", "x-request-id",
	"x-xss-protection",
};

/* Is name this one, in small letters here? Most differ in the first one. */
static bool
is_named(const char *name, const char *small)
{
	return (name[0] | 0x20) == small[0] && strcasecmp(name, small) == 0;
}

static bool
in_list(const char *const *list, size_t n, const char *name)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (is_named(name, list[i]))
			return true;
	return false;
}

#define IN(list, name) in_list(list, ARRAY_LEN(list), name)

/* Is name one of the comma-separated words of a Connection header? */
static bool
named_by(const char *connection, const char *name)
{
	size_t len = strlen(name);
	const char *p = connection;

	while (p != NULL && *p != '\0') {
		p += strspn(p, ", \t");
		if (strncasecmp(p, name, len) == 0 &&
		    strchr(", \t", p[len]) != NULL)
			return true;
		p += strcspn(p, ",");
	}
	return false;
}

static bool
header_out_ok(const char *name, const char *connection, bool own_credential)
{
	if (IN(stay_here, name) || named_by(connection, name) ||
	    strncasecmp(name, "backstage-", 10) == 0 ||
	    strncasecmp(name, "stagedoor-", 10) == 0 ||
	    strncasecmp(name, "x-stagedoor-", 12) == 0)
		return false;
	/* With our credential it would be our right to impersonate. */
	return own_credential || strncasecmp(name, "impersonate-", 12) != 0;
}

const struct header *
proxy_headers_out(const struct request *req, const struct credential *cred,
    size_t *n)
{
	const char *connection = request_header(req, "connection");
	struct header *all;
	size_t i, total, kept = 0;

	all = request_headers(req, &total);
	for (i = 0; i < total; i++)
		if (header_out_ok(all[i].name, connection, cred->from_client))
			all[kept++] = all[i];
	*n = kept;
	return all;
}

/* A length that the framing or another length contradicts. */
static bool
length_doubtful(const struct header *headers, size_t n, const char *value)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (is_named(headers[i].name, "transfer-encoding") ||
		    (is_named(headers[i].name, "content-length") &&
		    strcmp(headers[i].value, value) != 0))
			return true;
	return false;
}

bool
proxy_header_back(const struct header *headers, size_t n, size_t i)
{
	const char *name = headers[i].name;
	size_t k;

	if (IN(stay_there, name) || IN(replaced, name) ||
	    strncasecmp(name, "x-stagedoor-", 12) == 0 ||
	    strncasecmp(name, "x-accel-", 8) == 0 ||
	    strncasecmp(name, "x-sendfile", 10) == 0 ||
	    strncasecmp(name, "x-lighttpd-", 11) == 0)
		return false;
	if (is_named(name, "content-length") &&
	    length_doubtful(headers, n, headers[i].value))
		return false;
	for (k = 0; k < n; k++)
		if (is_named(headers[k].name, "connection") &&
		    named_by(headers[k].value, name))
			return false;
	return true;
}

/* Put a token into auth: {"aks": t}, {"oidc": {"okta": t}}. */
static void
auth_add(struct json_object *auth, char *provider, const char *token)
{
	char *sub = strchr(provider, '-');
	struct json_object *inner;

	if (sub == NULL) {
		json_object_object_add(auth, provider,
		    json_object_new_string(token));
		return;
	}
	*sub++ = '\0';
	if (!json_object_object_get_ex(auth, provider, &inner) ||
	    !json_object_is_type(inner, json_type_object)) {
		inner = json_object_new_object();
		json_object_object_add(auth, provider, inner);
	}
	json_object_object_add(inner, sub, json_object_new_string(token));
}

/* The tokens in Backstage-Kubernetes-Authorization-* headers; or NULL. */
static struct json_object *
auth_from_headers(const struct request *req)
{
	struct json_object *auth = NULL;
	const size_t skip = strlen(AUTH_PREFIX "-");
	size_t i, n;
	struct header *all = request_headers(req, &n);

	for (i = 0; i < n; i++) {
		if (!str_starts(all[i].name, AUTH_PREFIX "-") ||
		    all[i].name[skip] == '\0')
			continue;
		if (auth == NULL)
			auth = json_object_new_object();
		auth_add(auth, arena_strdup(req->arena, all[i].name + skip),
		    all[i].value);
	}
	return auth;
}

/*
 * What the client did not bring may be ours after all: kubectl proxy's, or
 * that of something else before the cluster.
 */
static enum provider_verdict
act_or_refuse(const struct request *req, const struct cluster *cluster,
    struct access *out, struct err *err)
{
	if (access_act(req, cluster, out, err) == 0)
		return PROVIDER_OK;
	access_release(out);
	return PROVIDER_REFUSED;
}

/* A whole Authorization value that the client brought, even an empty one. */
static enum provider_verdict
use_verbatim(const struct request *req, const struct cluster *cluster,
    const char *value, struct access *out, struct err *err)
{
	const char *p;

	if (strlen(value) > TOKEN_HEADER_MAX) {
		err_set(err, E_INPUT, "header " AUTH_PREFIX " is too long");
		return PROVIDER_FAILED;
	}
	for (p = value; *p != '\0'; p++)
		if ((unsigned char)*p < 0x20 || (unsigned char)*p > 0x7e) {
			err_set(err, E_INPUT, "header " AUTH_PREFIX
			    " holds characters that none may hold");
			return PROVIDER_FAILED;
		}
	if (obtain_address(req, cluster, out, err) != 0)
		return PROVIDER_FAILED;
	out->cred.kind = CREDENTIAL_VERBATIM;
	/* Without a value, or where kubectl proxy signs for everyone, whoever
	   the cluster sees is not the client's own. */
	out->cred.from_client = *value != '\0' &&
	    !(cluster->provider->flags & PROVIDER_ADDS_OWN);
	secret_set(&out->cred.value, value, strlen(value));
	return act_or_refuse(req, cluster, out, err);
}

/* aks without a token: as Backstage, ask the cluster, which answers 401. */
static enum provider_verdict
use_none(const struct request *req, const struct cluster *cluster,
    struct access *out, struct err *err)
{
	if (obtain_address(req, cluster, out, err) != 0)
		return PROVIDER_FAILED;
	out->cred.kind = CREDENTIAL_ANONYMOUS;
	return act_or_refuse(req, cluster, out, err);
}

enum provider_verdict
proxy_access(const struct request *req, const struct cluster *cluster,
    struct access *out, struct err *err)
{
	const char *verbatim = request_header(req, AUTH_PREFIX);
	struct client_tokens tokens = { .lower = true };
	enum provider_verdict v;

	if (verbatim != NULL)
		return use_verbatim(req, cluster, verbatim, out, err);
	tokens.auth = auth_from_headers(req);
	v = obtain_access_wait(req, cluster, &tokens, out, err);
	jsonx_wipe(tokens.auth);
	if (v == PROVIDER_NEEDS_USER && !cluster->sign_in_stagedoor &&
	    (cluster->provider->flags & PROVIDER_BARE_PROXY))
		return use_none(req, cluster, out, err);
	return v;
}

void
proxy_error_cause(struct strbuf *sb, const struct err *err)
{
	struct transport_cause cause;

	transport_cause(err, &cause);
	jsonx_add_pair(sb, "name", "Error");
	jsonx_add_pair(sb, "message", err->text);
	if (cause.code[0] != '\0')
		jsonx_add_pair(sb, "code", cause.code);
	if (cause.syscall == NULL)
		return;
	jsonx_add_pair(sb, "syscall", cause.syscall);
	if (cause.err_no != 0)
		strbuf_addf(sb, ",\"errno\":%d", cause.err_no);
	if (cause.address[0] != '\0')
		jsonx_add_pair(sb, "address", cause.address);
	if (cause.port != 0)
		strbuf_addf(sb, ",\"port\":%u", cause.port);
}
