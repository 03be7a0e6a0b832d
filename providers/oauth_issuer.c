/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an issuer publishes of itself, and whether it is the one that is
 * meant: the three dialects' addresses, the rules for URLs, the scopes.
 */
#include "base.h"

#include <arpa/inet.h>

#include "azure_sources.h"
#include "oauth_private.h"
#include "strbuf.h"

#define GOOGLE "https://accounts.google.com"
#define WELL_KNOWN "/.well-known/openid-configuration"
#define URL_MAX 2048
#define SCOPE_MAX 4096
#define GUID_LEN 36
#define AKS_SCOPE "6dae42f8-4368-4678-94ff-3960e28e3630/user.read"

bool
oauth_is(const struct oauth_call *call, enum login_provider p)
{
	return call->o->login->provider == p;
}

/* --- URLs ---------------------------------------------------------------- */

/* The authority of a URL: from *host, so many bytes; 0: it has none. */
static size_t
authority_of(const char *url, const char **host)
{
	const char *p = strstr(url, "://");

	if (p == NULL)
		return 0;
	*host = p + 3;
	return strcspn(p + 3, "/?#");
}

/* "127.0.0.1:8080", "[::1]", "localhost". */
static bool
is_loopback(const char *host, size_t len)
{
	char name[INET6_ADDRSTRLEN];
	struct in_addr v4;
	size_t n = *host == '[' ? 5 : strcspn(host, ":");

	n = SD_MIN(n, len);
	if (n < len && host[n] != ':')
		return false;
	if ((n == 9 && strncasecmp(host, "localhost", n) == 0) ||
	    (n == 5 && memcmp(host, "[::1]", n) == 0))
		return true;
	if (n >= sizeof(name))
		return false;
	memcpy(name, host, n);
	name[n] = '\0';
	return inet_pton(AF_INET, name, &v4) == 1 &&
	    ntohl(v4.s_addr) >> 24 == 127;
}

bool
oauth_url_ok(const char *url, bool http)
{
	const char *host, *p;
	size_t len;

	for (p = url; *p != '\0'; p++)
		if (*p <= ' ' || *p >= 0x7f || strchr("#\"'<>\\^`{|}", *p))
			return false;
	if (p - url > URL_MAX)
		return false;
	len = authority_of(url, &host);
	if (len == 0 || *host == ':' || memchr(host, '@', len) != NULL)
		return false;
	if (str_starts(url, "https://"))
		return true;
	return http && str_starts(url, "http://") && is_loopback(host, len);
}

const char *
oauth_host(struct oauth_call *call, const char *url)
{
	const char *host = url;
	size_t len = authority_of(url, &host);

	return arena_strndup(call->scratch, host, SD_MIN(len, (size_t)128));
}

/* --- Whose metadata ------------------------------------------------------ */

/* Entra's host as a URL without a slash at its end. */
static const char *
entra_origin(struct oauth_call *call)
{
	const char *host = call->o->entra_host;
	char *url;
	size_t len;

	if (host == NULL)
		return AZURE_AUTHORITY;
	url = arena_printf(call->scratch, "%s%s",
	    strstr(host, "://") != NULL ? "" : "https://", host);
	for (len = strlen(url); len > 0 && url[len - 1] == '/'; len--)
		url[len - 1] = '\0';
	return url;
}

/*
 * In the tenants that stand for all of them, anybody's own tenant could say
 * who somebody is, and there is no list of those that may.
 */
static const char *
entra_base(struct oauth_call *call, struct err *err)
{
	static const char *const many[] = { "common", "organizations",
	    "consumers" };
	const char *tenant = call->o->login->tenant;
	char *lower, *p;
	size_t i;

	if (tenant == NULL || !azure_tenant_ok(tenant)) {
		err_set(err, E_CONFIG, "the settings name no tenant for aks");
		return NULL;
	}
	lower = arena_strdup(call->scratch, tenant);
	for (p = lower; *p != '\0'; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p |= 0x20;
	for (i = 0; i < ARRAY_LEN(many); i++) {
		if (strcmp(lower, many[i]) != 0)
			continue;
		err_set(err, E_CONFIG, "tenant '%s' would let people of any "
		    "tenant sign in: name one by its id or domain", many[i]);
		return NULL;
	}
	return arena_printf(call->scratch, "%s/%s/v2.0", entra_origin(call),
	    lower);
}

/* The address below which the metadata are; NULL: the settings name none. */
static const char *
base_of(struct oauth_call *call, struct err *err)
{
	const struct login_settings *login = call->o->login;
	const char *base = login->issuer;

	if (login->provider == LOGIN_AKS)
		base = entra_base(call, err);
	else if (login->provider == LOGIN_GOOGLE && base == NULL)
		base = GOOGLE;
	else if (base == NULL)
		err_set(err, E_CONFIG, "the settings name no issuer");
	if (base == NULL)
		return NULL;
	if (oauth_url_ok(base, true) && strchr(base, '?') == NULL)
		return base;
	err_set(err, E_CONFIG, "the issuer's address in the settings must be "
	    "https://HOST/PATH (http on loopback only), without ? and #");
	return NULL;
}

static bool
is_guid(const char *s, size_t len)
{
	size_t i;

	if (len != GUID_LEN)
		return false;
	for (i = 0; i < len; i++)
		if (i == 8 || i == 13 || i == 18 || i == 23 ? s[i] != '-' :
		    strchr("0123456789abcdef", s[i]) == NULL)
			return false;
	return true;
}

/* Entra calls a tenant by its id, also where we call it by a domain. */
static bool
entra_name_ok(struct oauth_call *call, const char *base, const char *name)
{
	const char *origin = entra_origin(call), *tenant;
	size_t len = strlen(origin), id;

	if (strcmp(name, base) == 0)
		return true;
	if (strncmp(name, origin, len) != 0 || name[len] != '/')
		return false;
	tenant = name + len + 1;
	id = strcspn(tenant, "/");
	return is_guid(tenant, id) && strcmp(tenant + id, "/v2.0") == 0 &&
	    !is_guid(base + len + 1, strcspn(base + len + 1, "/"));
}

/* --- Metadata ------------------------------------------------------------ */

int
oauth_document(struct oauth_call *call, const struct document_want *want,
    struct json_object **out, struct err *err)
{
	const struct oauth_io *io = call->o->io;
	const struct document *doc = NULL;
	int r;

	*out = NULL;
	if ((r = io->document(io->ctx, want, &doc, err)) != 0)
		return r;
	r = jsonx_parse(doc->text, doc->len, out, err);
	if (r == 0 && !json_object_is_type(*out, json_type_object)) {
		json_object_put(*out);
		*out = NULL;
		r = E_PROTOCOL;
	}
	document_put(doc);
	return r == 0 ? 0 : err_set(err, E_PROTOCOL, "%s: no JSON object",
	    oauth_host(call, want->url));
}

/* An address in the metadata; NULL: there is none, or none that will do. */
static const char *
endpoint(const struct oauth_call *call, const char *name)
{
	const char *url = jsonx_str(call->metadata, name);
	bool http = str_starts(call->issuer.name, "http://");

	return url != NULL && oauth_url_ok(url, http) ? url : NULL;
}

static int
take_endpoints(struct oauth_call *call, struct err *err)
{
	struct oauth_issuer *is = &call->issuer;

	is->authorize = endpoint(call, "authorization_endpoint");
	is->token = endpoint(call, "token_endpoint");
	is->keys = endpoint(call, "jwks_uri");
	is->revoke = endpoint(call, "revocation_endpoint");
	is->logout = endpoint(call, "end_session_endpoint");
	is->device = endpoint(call, "device_authorization_endpoint");
	is->sends_iss = json_object_get_boolean(jsonx_get(call->metadata,
	    "authorization_response_iss_parameter_supported"));
	if (is->authorize != NULL && is->token != NULL && is->keys != NULL)
		return 0;
	return err_set(err, E_CONFIG, "the metadata of %s do not name "
	    "authorization_endpoint, token_endpoint and jwks_uri with https",
	    oauth_host(call, is->name));
}

static int
take_metadata(struct oauth_call *call, const char *base, struct err *err)
{
	const char *name = jsonx_str(call->metadata, "issuer");

	if (name == NULL || (oauth_is(call, LOGIN_AKS) ?
	    !entra_name_ok(call, base, name) : strcmp(name, base) != 0))
		return err_set(err, E_CONFIG, "the issuer '%.150s' calls "
		    "itself '%.150s': the settings must have the same, byte "
		    "for byte", base, name ? oauth_words(call, name) : "");
	call->issuer.name = name;
	return take_endpoints(call, err);
}

int
oauth_issuer_get(struct oauth_call *call, struct err *err)
{
	const char *base = base_of(call, err);
	struct document_want want = { .max_age = DISCOVERY_AGE_MS };
	struct err why = ERR_INIT;
	size_t len;
	int r;

	if (base == NULL)
		return E_CONFIG;
	len = strlen(base);
	len -= base[len - 1] == '/';
	want.url = arena_printf(call->scratch, "%.*s" WELL_KNOWN, (int)len,
	    base);
	r = oauth_document(call, &want, &call->metadata, &why);
	if (r != 0)
		return err_set(err, r == E_TLS || r == E_CONFIG ? r :
		    E_CONNECT, "the issuer's metadata cannot be had: %s",
		    why.text);
	return take_metadata(call, base, err);
}

/* --- Scopes -------------------------------------------------------------- */

static bool
has(const char *list, const char *scope, size_t len)
{
	for (; *list != '\0'; list += *list == ' ') {
		if (strcspn(list, " ") == len && memcmp(list, scope, len) == 0)
			return true;
		list += strcspn(list, " ");
	}
	return false;
}

bool
oauth_has_scope(const char *list, const char *scope)
{
	return has(list, scope, strlen(scope));
}

/* All in a text with blanks, each once. */
static void
add_scopes(struct strbuf *sb, const char *scopes)
{
	size_t len;

	for (; *scopes != '\0'; scopes += len) {
		scopes += strspn(scopes, " ");
		len = strcspn(scopes, " ");
		if (len > 0 && !has(sb->buf, scopes, len)) {
			strbuf_addch(sb, ' ');
			strbuf_add(sb, scopes, len);
		}
	}
}

/* Of what most have, that which this one says it has: some refuse to be
   asked for others. Without a list, what the standard itself defines. */
static void
add_supported(struct strbuf *sb, struct json_object *list)
{
	static const char *const usual[] = { "email", "profile", "groups",
	    "offline_access" };
	const char *one;
	size_t i, k;

	if (!json_object_is_type(list, json_type_array)) {
		add_scopes(sb, "email profile");
		return;
	}
	for (i = 0; i < ARRAY_LEN(usual); i++)
		for (k = 0; k < json_object_array_length(list); k++) {
			one = json_object_get_string(
			    json_object_array_get_idx(list, k));
			if (one != NULL && strcmp(one, usual[i]) == 0)
				add_scopes(sb, usual[i]);
		}
}

const char *
oauth_scope(struct oauth_call *call)
{
	const struct login_settings *login = call->o->login;
	struct strbuf sb = STRBUF_INIT(SCOPE_MAX);
	const char *out;
	size_t i;

	strbuf_addstr(&sb, "openid");
	for (i = 0; i < login->scopes.n; i++)
		add_scopes(&sb, login->scopes.items[i]);
	if (login->scopes.n > 0)
		;
	else if (login->provider == LOGIN_AKS)
		add_scopes(&sb, "profile offline_access " AKS_SCOPE);
	else if (login->provider == LOGIN_GOOGLE)
		add_scopes(&sb, "email profile " OAUTH_GOOGLE_SCOPE);
	else
		add_supported(&sb, jsonx_get(call->metadata,
		    "scopes_supported"));
	out = arena_strdup(call->scratch, sb.buf);
	strbuf_release(&sb);
	return out;
}
