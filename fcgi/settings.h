/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All settings as one immutable struct, read from layers of files (libconfig
 * or Backstage's app-config.yaml) through the table of keys in keys.c.
 * Nothing else knows where a setting came from. Keys, types and defaults:
 * `stagedoor check --keys`.
 */
#ifndef STAGEDOOR_SETTINGS_H
#define STAGEDOOR_SETTINGS_H

#include "cluster.h"
#include "secret.h"
#include "store.h"

struct arena;
struct json_object;
struct plugins;
struct strbuf;

enum service_locator { SERVICE_MULTI_TENANT, SERVICE_SINGLE_TENANT,
    SERVICE_CATALOG_RELATION };

enum locator_type { LOCATOR_CONFIG, LOCATOR_LOCAL_KUBECTL_PROXY,
    LOCATOR_KUBECONFIG, LOCATOR_CATALOG, LOCATOR_GKE };

struct gke_settings {
	const char *project, *region;	/* region "-": all */
	const char *auth_provider;	/* as written */
	bool skip_tls_verify, skip_metrics, dashboard;
	bool dns;			/* endpointType = "dns" */
	struct pair *labels;		/* that a cluster must have */
	size_t nlabels;
	const char *endpoint;		/* of the API; NULL: the usual */
};

struct catalog_locator_settings {
	struct string_list allow;	/* dangerouslyAllowClusterUrls */
	bool allow_skip_tls;
};

struct locator_settings {
	enum locator_type type;
	struct cluster *clusters;	/* config */
	size_t nclusters;
	const char *path;		/* kubeconfig; NULL: the default */
	struct string_list contexts;	/* kubeconfig; n == 0: all */
	struct gke_settings gke;
	struct catalog_locator_settings catalog;
	double refresh;			/* seconds; 0: the default of the type,
					   which settings_read puts there */
	const char *where;
};

struct external_access {	/* backend.auth.externalAccess, type static */
	struct secret token;
	const char *subject;
	bool has_restrictions;
	struct access_restriction {
		const char *plugin;
		bool has_permissions;
		struct string_list permissions;
	} *restrictions;
	size_t nrestrictions;
};

struct discovery_endpoint {
	const char *target;	/* may hold {{pluginId}} */
	struct string_list plugins;
};

struct aws_account {		/* each NULL or empty if not set */
	const char *id;		/* of accounts only */
	const char *access_key_id;
	struct secret secret_access_key;
	const char *profile;
	const char *role_name, *region, *partition, *external_id;
	const char *web_identity_token_file;
};

struct aws_settings {
	struct aws_account main, defaults;	/* defaults: of the role */
	struct aws_account *accounts;
	size_t naccounts;
};

struct cloud_settings {	/* stagedoor.cloud; NULL: not overridden */
	const char *google_api;		/* URL */
	const char *entra_host;		/* URL or host */
	const char *azure_credential;	/* in AZURE_TOKEN_CREDENTIALS' words */
	const char *sts_endpoint;	/* URL */
};

enum login_provider { LOGIN_OIDC, LOGIN_GOOGLE, LOGIN_AKS };
enum client_auth { CLIENT_AUTH_BASIC, CLIENT_AUTH_POST, CLIENT_AUTH_NONE,
    CLIENT_AUTH_PRIVATE_KEY_JWT };

struct login_settings {		/* stagedoor.login; NULL: not set */
	enum login_provider provider;
	const char *name;		/* the oidcTokenProvider; oidc only */
	const char *issuer;
	const char *client_id;
	struct secret client_secret;
	const char *client_secret_file;	/* beats it; read each time */
	enum client_auth client_auth;
	const char *key_file;		/* PEM, for private_key_jwt */
	struct string_list scopes;
	const char *audience, *tenant, *prompt;
	bool device;			/* offer the device flow */
	const char *where;
};

struct backstage_identity {	/* stagedoor.identity.backstage */
	const char *jwks_url, *issuer, *userinfo_url;	/* NULL: from
					   discovery, and no issuer check */
	const char *audience;
	struct string_list algorithms;	/* n == 0: ES256 */
};

struct custom_provider {	/* stagedoor.providers */
	const char *name, *path;
	const char *settings;		/* JSON; may hold secrets */
	const char *where;
};

struct settings {
	struct arena *arena;		/* owns every string below */

	bool have_kubernetes;		/* no such key: all routes answer 404 */
	enum service_locator service_locator;
	struct locator_settings *locators;
	size_t nlocators;
	bool object_types_set;
	struct string_list object_types;
	struct pair *api_versions;	/* apiVersionOverrides */
	size_t napi_versions;
	struct custom_resource *custom;
	size_t ncustom;

	bool have_backend;
	const char *backend_base_url;
	bool auth_disabled;	/* dangerouslyDisableDefaultAuthPolicy */
	struct external_access *external;
	size_t nexternal;
	struct discovery_endpoint *discovery;
	size_t ndiscovery;
	bool permission_enabled;
	struct aws_settings aws;
	struct secret google_credentials;	/* JSON text */
	const char *google_credentials_file;	/* beats it; read each time */

	const char *base_path;		/* "/api/kubernetes" */
	const char *public_url;		/* or NULL */
	bool identity_backstage;	/* identity.source, after defaulting */
	const char *guest;		/* identity.guest; "" : none */
	bool remote_user;
	struct string_list origins;	/* defaulted from publicUrl */
	struct secret backstage_token;
	double catalog_fresh;
	const char *listen, *socket_group;
	unsigned socket_mode;
	unsigned threads, streams;
	double limit_connect, limit_cluster, limit_drain;
	size_t limit_request_body, limit_response;
	unsigned breaker_failures;
	double breaker_probe;
	double fresh;			/* seconds; 0: not reused */
	size_t live_memory;		/* bytes */
	double live_idle, live_metrics;	/* seconds */
	double portal_lifetime;		/* seconds */
	const char *metrics_path;	/* below base_path */
	struct string_list metrics_allow;	/* networks */
	struct store_settings store;
	struct login_settings *logins;
	size_t nlogins;
	struct backstage_identity backstage;
	const char *audit;		/* "stderr", "syslog", "file:PATH",
					   "off" */
	struct cloud_settings cloud;
	struct custom_provider *custom_providers;
	size_t ncustom_providers;
	struct plugins *plugins;	/* of them, by runtime_new; owned */
	const char *ca_file;
	const char *ca_file_at, *socket_group_at;	/* file:line, or NULL */
	const char *store_path_at, *store_key_file_at, *audit_at;
	const char *store_password_file_at;
	int log_level;			/* enum log_level */
	bool log_syslog;
};

/* The login whose tokens open clusters of that authProvider (and, for oidc,
   oidcTokenProvider); NULL: there is none. */
const struct login_settings *settings_login(const struct settings *s,
    const char *provider, const char *name);
/* "oidc", "google", "aks": as in paths, keys and settings. */
const char *login_provider_name(const struct login_settings *login);

/* A list of messages: each error of one run, not only the first. */
struct problems {
	struct problem {
		bool warning;
		char *text;	/* "file:line: key.path: what, what to do" */
	} *items;
	size_t n, nerrors;
};
void problems_add(struct problems *p, bool warning, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
void problems_release(struct problems *p);

/*
 * Read and layer files (later over earlier; *.yaml and *.yml are app-configs,
 * anything else libconfig), check them, and give a struct.
 * On 0, *out is the caller's (settings_free); problems may hold warnings.
 * E_CONFIG: problems holds at least one error; *out is NULL.
 * A cluster whose own entry cannot work (bad URL, CA) is no error here.
 */
int settings_load(const char *const *files, size_t n, struct settings **out,
    struct problems *problems);
/*
 * The same for those who look for errors: on E_CONFIG, *out may hold the part
 * of the settings that is right. Nobody may be served by it.
 */
int settings_check(const char *const *files, size_t n, struct settings **out,
    struct problems *problems);
void settings_free(struct settings *s);	/* NULL is fine */

/* stagedoor check --keys: the whole table of keys, for people. */
void settings_print_keys(struct strbuf *out);
/*
 * stagedoor import: the layered tree of the files in libconfig's syntax.
 * Values that came from ${ENV} stay as ${ENV}: secrets do not move. 0, E_*.
 */
int settings_import(const char *const *files, size_t n, struct strbuf *out,
    struct problems *problems);

#endif
