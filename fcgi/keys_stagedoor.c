/* SPDX-License-Identifier: Apache-2.0 */
/* Keys that are ours: the stagedoor section, and parts of clusters. */
#include "base.h"

#include "cluster.h"
#include "keys.h"
#include "settings.h"

#define SECONDS .min = 0.01, .max = 3600
#define FIELD(f) INTO(settings, f)

/* In the order of enum log_level. */
static const char *const log_levels[] = { "error", "warn", "info", "debug",
    NULL };
static const char *const log_targets[] = { "stderr", "syslog", NULL };
static const char *const identity_sources[] = { "params", "backstage", NULL };
static const char *const algorithms[] = { "ES256", "RS256", "PS256", NULL };
static const char *const store_types[] = { "sqlite", "redis", NULL };
static const char *const login_providers[] = { "oidc", "google", "aks", NULL };
static const char *const client_auths[] = { "basic", "post", "none",
    "private_key_jwt", NULL };
static const char *const exec_versions[] = {
    "client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1",
    NULL };

#define EXEC(f) INTO(cluster, exec.f)

const struct key keys_exec[] = {
	{ "command", KEY_STRING, KEY_REQUIRED, EXEC(command),
	  .text = "program to run; with a slash a path, from this file" },
	{ "args", KEY_STRINGS, KEY_EMPTY_OK, EXEC(args),
	  .text = "its arguments" },
	{ "env", KEY_MAP, KEY_EMPTY_OK,
	  .text = "added to the few variables of ours that it gets" },
	{ "apiVersion", KEY_WORD, .words = exec_versions, EXEC(api_version),
	  .fallback = "client.authentication.k8s.io/v1",
	  .text = "what it speaks" },
	{ "provideClusterInfo", KEY_BOOL, .fallback = "false",
	  EXEC(cluster_info), .text = "tell it about the cluster" },
	/* The pool gives a job no more. */
	{ "timeout", KEY_NUMBER, .min = 0.01, .max = 60, .fallback = "10.0",
	  EXEC(timeout),
	  .text = "seconds it may take" },
	{ .name = NULL }
};

#define IMPERSONATE(f) INTO(cluster, impersonate.f)

const struct key keys_impersonate[] = {
	{ "user", KEY_STRING, .fallback = "{user}",
	  .check = check_template_one, IMPERSONATE(user),
	  .text = "user to act as; {user} {name} {namespace} {email}" },
	{ "groups", KEY_STRINGS, KEY_ONE_OK, .check = check_template,
	  IMPERSONATE(groups),
	  .text = "groups to act in; with {groups} one for each of the "
		  "user's" },
	{ "uid", KEY_STRING, .check = check_template_one, IMPERSONATE(uid),
	  .text = "uid to act as" },
	{ "extra", KEY_MAP, .check = check_template,
	  .text = "further attributes; with {groups} one value for each" },
	{ "userPrefix", KEY_STRING, KEY_EMPTY_OK, .check = check_template_one,
	  IMPERSONATE(user_prefix), .text = "put before the user" },
	{ "groupPrefix", KEY_STRING, KEY_EMPTY_OK,
	  .check = check_template_one, IMPERSONATE(group_prefix),
	  .text = "put before each group" },
	{ .name = NULL }
};

static const struct key backstage_identity_keys[] = {
	{ "jwksUrl", KEY_STRING, .check = check_url, FIELD(backstage.jwks_url),
	  .text = "keys of user tokens; default from discovery" },
	{ "issuer", KEY_STRING, FIELD(backstage.issuer),
	  .text = "of user tokens; default any, as in Backstage" },
	{ "audience", KEY_STRING, .fallback = "backstage",
	  FIELD(backstage.audience), .text = "whom user tokens are for" },
	{ "userinfoUrl", KEY_STRING, .check = check_url,
	  FIELD(backstage.userinfo_url),
	  .text = "where groups are asked for; default from discovery" },
	{ "algorithms", KEY_STRINGS, .words = algorithms,
	  .fallback = "[\"ES256\"]", FIELD(backstage.algorithms),
	  .text = "signatures that count" },
	{ .name = NULL }
};

static const struct key identity_keys[] = {
	{ "source", KEY_WORD, .words = identity_sources, .fallback = "params",
	  FIELD(identity_backstage),
	  .text = "who says who asks; with a backend section and no identity "
		  "section it is backstage" },
	{ "guest", KEY_STRING, KEY_EMPTY_OK, .check = check_ref,
	  .fallback = "", FIELD(guest),
	  .text = "who a nameless visitor is; \"\" lets none in" },
	{ "remoteUser", KEY_BOOL, .fallback = "false", FIELD(remote_user),
	  .text = "REMOTE_USER, which the web server checked, counts too" },
	{ "backstage", KEY_OBJECT, .keys = backstage_identity_keys,
	  .text = "how user tokens are checked" },
	{ "origins", KEY_STRINGS, .check = check_origin, FIELD(origins),
	  .text = "pages that may send unsafe methods; default publicUrl's" },
	{ .name = NULL }
};

static const struct key backstage_keys[] = {
	{ "token", KEY_SECRET, FIELD(backstage_token),
	  .text = "static token for Backstage's catalog and permissions, where "
		  "the caller brought none" },
	{ "tokenFile", KEY_CONTENT, .text = "file of the token" },
	{ .name = NULL }
};

static const struct key catalog_keys[] = {
	{ "fresh", KEY_NUMBER, .max = 3600, .fallback = "5.0",
	  FIELD(catalog_fresh),
	  .text = "seconds an entity may be reused, per caller" },
	{ .name = NULL }
};

static const struct key limits_keys[] = {
	{ "connect", KEY_NUMBER, SECONDS, .fallback = "2.0",
	  FIELD(limit_connect), .text = "seconds to connect to a cluster" },
	{ "cluster", KEY_NUMBER, SECONDS, .fallback = "10.0",
	  FIELD(limit_cluster), .text = "seconds for a list, or until the "
	  "headers of a /proxy answer" },
	{ "requestBody", KEY_INTEGER, .min = 1, .max = 1073741824,
	  .fallback = "102400", FIELD(limit_request_body),
	  .text = "bytes of a request's JSON" },
	{ "response", KEY_INTEGER, .min = 1, .max = 17179869184,
	  .fallback = "67108864", FIELD(limit_response),
	  .text = "bytes of one list" },
	{ "drain", KEY_NUMBER, .max = 86400, .fallback = "30.0",
	  FIELD(limit_drain),
	  .text = "seconds that answers in flight may take when stopping" },
	{ .name = NULL }
};

static const struct key breaker_keys[] = {
	{ "failures", KEY_INTEGER, .min = 1, .max = 1000, .fallback = "2",
	  FIELD(breaker_failures), .text = "transfers in a row that time out "
	  "or are refused before a cluster is no longer waited for" },
	{ "probe", KEY_NUMBER, SECONDS, .fallback = "5.0",
	  FIELD(breaker_probe), .text = "seconds between looks whether it is "
	  "back" },
	{ .name = NULL }
};

static const struct key store_keys[] = {
	{ "type", KEY_WORD, KEY_REQUIRED, .words = store_types,
	  FIELD(store.type), .text = "where tokens are kept" },
	{ "path", KEY_PATH, KEY_REQUIRED, .when = "sqlite",
	  FIELD(store.path), .text = "the database" },
	{ "url", KEY_STRING, KEY_REQUIRED, .when = "redis",
	  .check = check_store_url, FIELD(store.url),
	  .text = "unix:/path or redis://host:port/db" },
	{ "username", KEY_STRING, .when = "redis", FIELD(store.username),
	  .text = "name to log in" },
	{ "password", KEY_SECRET, .when = "redis", FIELD(store.password),
	  .text = "its password" },
	{ "passwordFile", KEY_CONTENT, .when = "redis",
	  FIELD(store.password_file),
	  .text = "file of the password" },
	{ "keyFile", KEY_PATH, KEY_REQUIRED, FIELD(store.key_file),
	  .text = "lines id:base64 of 32 bytes; the first seals, all open" },
	{ .name = NULL }
};

#define LOGIN(f) INTO(login_settings, f)

static const struct key login_keys[] = {
	{ "provider", KEY_WORD, KEY_REQUIRED, .words = login_providers,
	  LOGIN(provider), .text = "what kind of issuer it is" },
	{ "name", KEY_STRING, .check = check_login_name, LOGIN(name),
	  .text = "the oidcTokenProvider, for oidc" },
	{ "issuer", KEY_STRING, .check = check_url, LOGIN(issuer),
	  .text = "its address, for oidc" },
	{ "clientId", KEY_STRING, KEY_REQUIRED, LOGIN(client_id),
	  .text = "our id there" },
	{ "clientSecret", KEY_SECRET, LOGIN(client_secret),
	  .text = "our secret there" },
	{ "clientSecretFile", KEY_CONTENT, LOGIN(client_secret_file),
	  .text = "file of the clientSecret" },
	{ "clientAuth", KEY_WORD, .words = client_auths, .fallback = "basic",
	  LOGIN(client_auth), .text = "how we show it" },
	{ "keyFile", KEY_PATH, LOGIN(key_file),
	  .text = "key for private_key_jwt" },
	{ "scopes", KEY_STRINGS, KEY_ONE_OK, LOGIN(scopes),
	  .text = "scopes to ask for" },
	{ "audience", KEY_STRING, LOGIN(audience),
	  .text = "whom tokens are for, where the issuer wants to be told" },
	{ "tenant", KEY_STRING, LOGIN(tenant), .text = "tenant, for aks" },
	{ "prompt", KEY_STRING, LOGIN(prompt), .text = "prompt parameter" },
	{ "device", KEY_BOOL, .fallback = "true", LOGIN(device),
	  .text = "offer the device flow" },
	{ .name = NULL }
};

static const struct key log_keys[] = {
	{ "level", KEY_WORD, .words = log_levels, .fallback = "info",
	  FIELD(log_level), .text = "what is worth a line" },
	{ "to", KEY_WORD, .words = log_targets, .fallback = "stderr",
	  FIELD(log_syslog), .text = "where lines go" },
	{ .name = NULL }
};

static const struct key metrics_keys[] = {
	{ "path", KEY_STRING, .check = check_route, .fallback = "/metrics",
	  FIELD(metrics_path), .text = "route of the metrics" },
	{ "allow", KEY_STRINGS, .check = check_network,
	  .fallback = "[\"127.0.0.1/8\", \"::1\"]", FIELD(metrics_allow),
	  .text = "addresses that may read them" },
	{ .name = NULL }
};

static const struct key live_keys[] = {
	{ "memory", KEY_INTEGER, .min = 1048576, .max = 1099511627776,
	  .fallback = "268435456", FIELD(live_memory),
	  .text = "bytes of objects that all live clusters may take" },
	{ "idle", KEY_NUMBER, .min = 1, .max = 86400, .fallback = "300",
	  FIELD(live_idle),
	  .text = "seconds after which what nobody asks for is not watched "
		  "any more" },
	{ "metrics", KEY_NUMBER, .max = 60, .fallback = "5.0",
	  FIELD(live_metrics),
	  .text = "seconds that pod metrics of live clusters may be reused: "
		  "they cannot be watched" },
	{ .name = NULL }
};

static const struct key portal_keys[] = {
	{ "lifetime", KEY_NUMBER, .min = 60, .max = 3600, .fallback = "3600",
	  FIELD(portal_lifetime),
	  .text = "seconds that a token of stagedoor login is good for" },
	{ .name = NULL }
};

static const struct key provider_keys[] = {
	{ "name", KEY_STRING, KEY_REQUIRED, INTO(custom_provider, name),
	  .text = "the authProvider" },
	{ "path", KEY_PATH, KEY_REQUIRED, INTO(custom_provider, path),
	  .text = "the shared object" },
	{ "settings", KEY_ANY, .text = "passed on to it" },
	{ .name = NULL }
};

static const struct key cloud_keys[] = {
	{ "googleApi", KEY_STRING, .check = check_url,
	  FIELD(cloud.google_api),
	  .text = "in place of container.googleapis.com" },
	{ "azureCredential", KEY_STRING, FIELD(cloud.azure_credential),
	  .text = "the only source of Azure tokens: prod, dev or a name" },
	{ "entraHost", KEY_STRING, FIELD(cloud.entra_host),
	  .text = "in place of login.microsoftonline.com" },
	{ "stsEndpoint", KEY_STRING, .check = check_url,
	  FIELD(cloud.sts_endpoint), .text = "in place of the region's STS" },
	{ .name = NULL }
};

const struct key keys_stagedoor[] = {
	{ "basePath", KEY_STRING, .check = check_base_path,
	  .fallback = "/api/kubernetes", FIELD(base_path),
	  .text = "what the web server forwards; every route is below it" },
	{ "publicUrl", KEY_STRING, .check = check_url, FIELD(public_url),
	  .text = "as the browser sees it" },
	{ "identity", KEY_OBJECT, .keys = identity_keys,
	  .text = "who asks" },
	{ "backstage", KEY_OBJECT, .keys = backstage_keys,
	  .text = "our own way into Backstage" },
	{ "catalog", KEY_OBJECT, .keys = catalog_keys,
	  .text = "how Backstage's catalog is asked" },
	{ "listen", KEY_STRING, .check = check_listen,
	  .fallback = "unix:/run/stagedoor/stagedoor.sock", FIELD(listen),
	  .text = "unix:PATH or HOST:PORT; --listen beats it" },
	{ "socketMode", KEY_OCTAL, .max = 0777, .fallback = "0660",
	  FIELD(socket_mode), .text = "who may connect to the Unix socket" },
	{ "socketGroup", KEY_STRING, KEY_EMPTY_OK, .fallback = "",
	  FIELD(socket_group), .text = "group of the Unix socket" },
	{ "threads", KEY_INTEGER, .min = 1, .max = 1024, .fallback = "64",
	  FIELD(threads), .text = "worker threads" },
	{ "streams", KEY_INTEGER, .min = 1, .max = 1024, .fallback = "32",
	  FIELD(streams), .text = "how many of them long answers may hold" },
	{ "limits", KEY_OBJECT, .keys = limits_keys,
	  .text = "bounds of time and size" },
	{ "breaker", KEY_OBJECT, .keys = breaker_keys,
	  .text = "clusters that do not answer" },
	{ "fresh", KEY_NUMBER, .max = 5, .fallback = "0.0",
	  FIELD(fresh),
	  .text = "seconds an identical read may be reused" },
	{ "caFile", KEY_PATH, FIELD(ca_file),
	  .text = "more roots for clouds, issuers, Backstage" },
	{ "store", KEY_OBJECT, .keys = store_keys,
	  .text = "tokens and shared credentials; default memory only" },
	{ "login", KEY_LIST, .keys = login_keys,
	  .text = "sign-in clients" },
	{ "audit", KEY_STRING, .check = check_audit,
	  .fallback = "stderr", FIELD(audit),
	  .text = "\"stderr\", \"syslog\", \"file:PATH\" or \"off\"" },
	{ "log", KEY_OBJECT, .keys = log_keys, .text = "the program's log" },
	{ "live", KEY_OBJECT, .keys = live_keys,
	  .text = "clusters that are answered for from memory" },
	{ "portal", KEY_OBJECT, .keys = portal_keys,
	  .text = "kubectl through the portal" },
	{ "metrics", KEY_OBJECT, .keys = metrics_keys,
	  .text = "numbers for machines that watch" },
	{ "providers", KEY_LIST, .keys = provider_keys,
	  .text = "shared objects with custom providers" },
	{ "cloud", KEY_OBJECT, .keys = cloud_keys,
	  .text = "endpoint overrides" },
	{ .name = NULL }
};
