/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys that are Backstage's own (kubernetes, aws, backend, discovery,
 * permission), with what clusters have of ours beside them. Types and what
 * is required follow Backstage, so that its files work as they are.
 */
#include "base.h"

#include "keys.h"
#include "settings.h"

#define SECONDS .min = 0.01, .max = 3600

static const char *const service_locators[] = { "multiTenant", "singleTenant",
    "catalogRelation", NULL };	/* the order of enum service_locator */
static const char *const locator_types[] = { "config", "localKubectlProxy",
    "kubeconfig", "catalog", "gke", NULL };	/* of enum locator_type */
static const char *const sign_ins[] = { "frontend", "stagedoor", NULL };
static const char *const endpoint_types[] = { "public", "dns", NULL };
static const char *const access_types[] = { "static", "legacy", "jwks", NULL };

static const struct key custom_resource_keys[] = {
	{ "group", KEY_STRING, KEY_REQUIRED, INTO(custom_resource, group),
	  .text = "API group" },
	{ "apiVersion", KEY_STRING, KEY_REQUIRED,
	  INTO(custom_resource, version), .text = "version of the group" },
	{ "plural", KEY_STRING, KEY_REQUIRED, INTO(custom_resource, plural),
	  .text = "plural name of the resource, as in the API's paths" },
	{ .name = NULL }
};

const struct key keys_cluster[] = {
	{ "name", KEY_STRING, KEY_REQUIRED, INTO(cluster, name),
	  .text = "unique in its list" },
	{ "url", KEY_STRING, KEY_REQUIRED, INTO(cluster, url),
	  .text = "address of the cluster's API server" },
	{ "authProvider", KEY_STRING, INTO(cluster, auth_provider),
	  .text = "how to get in; required here or in authMetadata as "
		  "kubernetes.io/auth-provider" },
	{ "title", KEY_STRING, INTO(cluster, title),
	  .text = "what people call it" },
	{ "serviceAccountToken", KEY_SECRET, INTO(cluster, token),
	  .text = "token for authProvider serviceAccount" },
	{ "serviceAccountTokenFile", KEY_CONTENT,
	  .text = "file of the serviceAccountToken" },
	{ "oidcTokenProvider", KEY_STRING, INTO(cluster, oidc_token_provider),
	  .text = "whose tokens open it; required for authProvider oidc" },
	{ "assumeRole", KEY_STRING, INTO(cluster, assume_role),
	  .text = "ARN of an AWS role to take on" },
	{ "externalId", KEY_STRING, INTO(cluster, external_id),
	  .text = "external id for assumeRole" },
	{ "skipTLSVerify", KEY_BOOL, .fallback = "false",
	  INTO(cluster, skip_tls_verify),
	  .text = "do not check the cluster's certificate" },
	{ "skipMetricsLookup", KEY_BOOL, .fallback = "false",
	  INTO(cluster, skip_metrics), .text = "do not ask for pod metrics" },
	{ "caData", KEY_STRING, INTO(cluster, ca_data),
	  .text = "base64 of the PEM certificates to trust, in place of the "
		  "system's" },
	{ "caFile", KEY_PATH, INTO(cluster, ca_file),
	  .text = "file of PEM certificates to trust; beats caData" },
	{ "customResources", KEY_LIST, .keys = custom_resource_keys,
	  .text = "custom resources to list here, in place of "
		  "kubernetes.customResources" },
	{ "dashboardUrl", KEY_STRING, INTO(cluster, dashboard_url),
	  .text = "address of the cluster's dashboard" },
	{ "dashboardApp", KEY_STRING, INTO(cluster, dashboard_app),
	  .text = "which dashboard it is" },
	{ "dashboardParameters", KEY_ANY,
	  .text = "object of what the dashboard needs, passed on" },
	{ "authMetadata", KEY_MAP, KEY_LENIENT,
	  .text = "annotations for the provider; they beat the keys above" },
	{ "presentAs", KEY_STRING, INTO(cluster, present_as),
	  .text = "the authProvider that GET /clusters shows" },
	{ "signIn", KEY_WORD, .words = sign_ins, .fallback = "frontend",
	  INTO(cluster, sign_in_stagedoor),
	  .text = "who prompts the users of an aks, google or oidc cluster" },
	{ "connectTimeout", KEY_NUMBER, SECONDS,
	  INTO(cluster, connect_timeout),
	  .text = "seconds; default stagedoor.limits.connect" },
	{ "timeout", KEY_NUMBER, SECONDS, INTO(cluster, timeout),
	  .text = "seconds; default stagedoor.limits.cluster" },
	{ "allow", KEY_STRINGS, .check = check_member, INTO(cluster, allow),
	  .text = "users and groups that may see and use it; default all" },
	{ "guests", KEY_BOOL, .fallback = "true", INTO(cluster, guests),
	  .text = "whether nameless visitors may" },
	{ "readOnly", KEY_BOOL, .fallback = "false", INTO(cluster, read_only),
	  .text = "/proxy lets only GET, HEAD and OPTIONS pass" },
	{ "impersonate", KEY_OBJECT, .keys = keys_impersonate,
	  .text = "the server's credential carries the user along" },
	{ "exec", KEY_OBJECT, .keys = keys_exec,
	  .text = "credential plug-in of authProvider exec" },
	{ "clientCertificate", KEY_SECRET, INTO(cluster, client_certificate),
	  .text = "PEM, for authProvider x509" },
	{ "clientCertificateFile", KEY_CONTENT,
	  INTO(cluster, client_certificate_file),
	  .text = "file of the clientCertificate, read anew each time" },
	{ "clientKey", KEY_SECRET, INTO(cluster, client_key),
	  .text = "PEM without a passphrase, for authProvider x509" },
	{ "clientKeyFile", KEY_CONTENT, INTO(cluster, client_key_file),
	  .text = "file of the clientKey, read anew each time" },
	{ "live", KEY_BOOL, .fallback = "false",
	  INTO(cluster, live),
	  .text = "answer from memory, kept up to date by watching" },
	{ .name = NULL }
};

static const struct key label_keys[] = {
	{ "key", KEY_STRING, KEY_REQUIRED, .text = "name of the label" },
	{ "value", KEY_STRING, KEY_REQUIRED, .text = "its value" },
	{ .name = NULL }
};

static const struct key locator_keys[] = {
	{ "type", KEY_WORD, KEY_REQUIRED, .words = locator_types,
	  INTO(locator_settings, type), .text = "where clusters come from" },
	{ "clusters", KEY_LIST, KEY_REQUIRED, .when = "config",
	  .keys = keys_cluster, .text = "the clusters" },
	{ "path", KEY_PATH, .when = "kubeconfig", INTO(locator_settings, path),
	  .text = "default $KUBECONFIG, else ~/.kube/config" },
	{ "contexts", KEY_STRINGS, .when = "kubeconfig",
	  INTO(locator_settings, contexts),
	  .text = "names of the contexts to use; default all" },
	{ "dangerouslyAllowClusterUrls", KEY_STRINGS, .when = "catalog",
	  INTO(locator_settings, catalog.allow),
	  .text = "hosts (or *.domain) that may be private or without TLS" },
	{ "dangerouslyAllowSkipTLSVerify", KEY_BOOL, .when = "catalog",
	  .fallback = "false", INTO(locator_settings, catalog.allow_skip_tls),
	  .text = "heed skip-tls-verify annotations" },
	{ "projectId", KEY_STRING, KEY_REQUIRED, .when = "gke",
	  INTO(locator_settings, gke.project),
	  .text = "project whose clusters to list" },
	{ "region", KEY_STRING, .when = "gke", .fallback = "-",
	  INTO(locator_settings, gke.region),
	  .text = "region or zone; - is all" },
	/* Backstage takes any other word for google. */
	{ "authProvider", KEY_STRING, .when = "gke", .fallback = "google",
	  INTO(locator_settings, gke.auth_provider),
	  .text = "google or googleServiceAccount" },
	{ "skipTLSVerify", KEY_BOOL, .when = "gke", .fallback = "false",
	  INTO(locator_settings, gke.skip_tls_verify),
	  .text = "do not check the clusters' certificates" },
	{ "skipMetricsLookup", KEY_BOOL, .when = "gke", .fallback = "false",
	  INTO(locator_settings, gke.skip_metrics),
	  .text = "do not ask for pod metrics" },
	{ "exposeDashboard", KEY_BOOL, .when = "gke", .fallback = "false",
	  INTO(locator_settings, gke.dashboard),
	  .text = "link to Google's console" },
	{ "matchingResourceLabels", KEY_LIST, .when = "gke",
	  .keys = label_keys, .text = "labels that a cluster must have" },
	{ "endpointType", KEY_WORD, .when = "gke", .words = endpoint_types,
	  .fallback = "public", INTO(locator_settings, gke.dns),
	  .text = "which of its addresses to use" },
	{ "endpoint", KEY_STRING, .when = "gke", .check = check_url,
	  INTO(locator_settings, gke.endpoint),
	  .text = "base of Google's API, for tests; default "
		  "stagedoor.cloud.googleApi" },
	{ "refresh", KEY_NUMBER, .min = 1, .max = 3600,
	  INTO(locator_settings, refresh),
	  .text = "seconds after which gke's and the catalog's lists are asked "
		  "for again; default 300 and 30" },
	{ .name = NULL }
};

static const struct key service_locator_keys[] = {
	{ "type", KEY_WORD, KEY_REQUIRED, .words = service_locators,
	  INTO(settings, service_locator),
	  .text = "which clusters an entity is looked for on" },
	{ .name = NULL }
};

static const struct key cache_keys[] = {
	{ "maxSize", KEY_NUMBER, .text = "accepted, without effect" },
	{ "ttl", KEY_ANY, .text = "accepted, without effect" },
	{ .name = NULL }
};

static const struct key proxy_keys[] = {
	{ "middlewareCache", KEY_OBJECT, .keys = cache_keys,
	  .text = "accepted, without effect" },
	{ .name = NULL }
};

const struct key keys_kubernetes[] = {
	{ "serviceLocatorMethod", KEY_OBJECT, KEY_REQUIRED,
	  .keys = service_locator_keys, .text = "how entities find clusters" },
	{ "clusterLocatorMethods", KEY_LIST, KEY_REQUIRED,
	  .keys = locator_keys, .text = "how clusters are found, in order" },
	{ "clusterLocatorContinueOnError", KEY_BOOL, .fallback = "false",
	  .text = "accepted; a locator that fails costs only its clusters" },
	{ "customResources", KEY_LIST, .keys = custom_resource_keys,
	  .text = "custom resources to list beside the usual types" },
	{ "objectTypes", KEY_STRINGS, INTO(settings, object_types),
	  .text = "the types to list, in place of the usual ones" },
	/* Only types that are listed are looked at: settings_rules.c. */
	{ "apiVersionOverrides", KEY_MAP, KEY_LOOSE,
	  .text = "version of a type, in place of the usual one" },
	{ "googleServiceAccountCredentials", KEY_SECRET,
	  INTO(settings, google_credentials),
	  .text = "JSON text of a Google service account's key" },
	{ "googleServiceAccountCredentialsFile", KEY_CONTENT,
	  INTO(settings, google_credentials_file),
	  .text = "file of the googleServiceAccountCredentials, read anew "
		  "each time" },
	{ "proxy", KEY_OBJECT, .keys = proxy_keys,
	  .text = "accepted, without effect" },
	{ "frontend", KEY_ANY, KEY_FOREIGN,
	  .text = "of Backstage's pages; not read" },
	{ .name = NULL }
};

static const struct key access_option_keys[] = {
	{ "token", KEY_SECRET, .text = "type static: the token" },
	{ "subject", KEY_STRING, .text = "types static and legacy: who it is" },
	{ "secret", KEY_SECRET, .text = "type legacy; not accepted here" },
	{ "url", KEY_STRING, .text = "type jwks; not accepted here" },
	{ "issuer", KEY_STRINGS, KEY_ONE_OK, .text = "type jwks" },
	{ "algorithm", KEY_STRINGS, KEY_ONE_OK, .text = "type jwks" },
	{ "audience", KEY_STRINGS, KEY_ONE_OK, .text = "type jwks" },
	{ "subjectPrefix", KEY_STRING, .text = "type jwks" },
	{ .name = NULL }
};

static const struct key attribute_keys[] = {
	{ "action", KEY_STRINGS, KEY_ONE_OK, .check = check_action,
	  .text = "actions that are allowed" },
	{ .name = NULL }
};

static const struct key restriction_keys[] = {
	{ "plugin", KEY_STRING, KEY_REQUIRED,
	  .text = "a plug-in that the token opens; ours is kubernetes" },
	{ "permission", KEY_STRINGS, KEY_ONE_OK,
	  .text = "permissions it has there; default all" },
	{ "permissionAttribute", KEY_OBJECT, KEY_STRICT,
	  .keys = attribute_keys, .text = "attributes of permissions it has" },
	{ .name = NULL }
};

static const struct key access_keys[] = {
	{ "type", KEY_WORD, KEY_REQUIRED, .words = access_types,
	  .text = "kind of token; only static is accepted here" },
	{ "options", KEY_OBJECT, KEY_REQUIRED, .keys = access_option_keys,
	  .text = "the token" },
	{ "accessRestrictions", KEY_LIST, KEY_STRICT,
	  .keys = restriction_keys, .text = "what it opens; default all" },
	{ .name = NULL }
};

static const struct key backend_auth_keys[] = {
	{ "dangerouslyDisableDefaultAuthPolicy", KEY_BOOL,
	  .fallback = "false", INTO(settings, auth_disabled),
	  .text = "requests without a token are let in" },
	{ "externalAccess", KEY_LIST, .keys = access_keys,
	  .text = "tokens of programs" },
	{ "keys", KEY_ANY, KEY_FOREIGN, .text = "legacy keys; not read" },
	{ "pluginKeyStore", KEY_ANY, KEY_FOREIGN, .text = "not read" },
	{ .name = NULL }
};

const struct key keys_backend[] = {
	{ "baseUrl", KEY_STRING, .check = check_url,
	  INTO(settings, backend_base_url),
	  .text = "where Backstage's back end is" },
	{ "auth", KEY_OBJECT, .keys = backend_auth_keys,
	  .text = "which tokens count" },
	{ .name = NULL }
};

static const struct key target_keys[] = {
	{ "internal", KEY_STRING, KEY_REQUIRED, .text = "address for servers" },
	{ "external", KEY_STRING, .text = "address for browsers; not used" },
	{ .name = NULL }
};

static const struct key endpoint_keys[] = {
	{ "target", KEY_STRING, KEY_REQUIRED, .keys = target_keys,
	  .text = "address; {{pluginId}} stands for the plug-in's name" },
	{ "plugins", KEY_STRINGS, KEY_REQUIRED,
	  INTO(discovery_endpoint, plugins), .text = "plug-ins it is for" },
	{ .name = NULL }
};

const struct key keys_discovery[] = {
	{ "endpoints", KEY_LIST, .keys = endpoint_keys,
	  .text = "plug-ins that are not at backend.baseUrl" },
	{ .name = NULL }
};

const struct key keys_permission[] = {
	{ "enabled", KEY_BOOL, .fallback = "false",
	  INTO(settings, permission_enabled),
	  .text = "whether Backstage decides who may" },
	{ .name = NULL }
};

/* at is what stands before the names of the fields: "aws.main." or nothing. */
#define AWS_ROLE_KEYS(type, at)                                               \
	{ "roleName", KEY_STRING, INTO(type, at role_name),                   \
	  .text = "role to take on" },                                        \
	{ "region", KEY_STRING, INTO(type, at region),                        \
	  .text = "region of STS" },                                          \
	{ "partition", KEY_STRING, INTO(type, at partition),                  \
	  .text = "partition of the role: aws, aws-cn" },                     \
	{ "externalId", KEY_STRING, INTO(type, at external_id),               \
	  .text = "external id for the role" },                               \
	{ "webIdentityTokenFile", KEY_PATH,                                   \
	  INTO(type, at web_identity_token_file),                             \
	  .text = "token that opens the role" }
#define AWS_ACCOUNT_KEYS(type, at)                                            \
	{ "accessKeyId", KEY_STRING, INTO(type, at access_key_id),            \
	  .text = "access key" },                                             \
	{ "secretAccessKey", KEY_SECRET, INTO(type, at secret_access_key),    \
	  .text = "its secret" },                                             \
	{ "profile", KEY_STRING, INTO(type, at profile),                      \
	  .text = "profile of the AWS files, in place of a key" },            \
	AWS_ROLE_KEYS(type, at)

static const struct key aws_account_keys[] = {
	{ "accountId", KEY_STRING, KEY_REQUIRED, INTO(aws_account, id),
	  .text = "number of the account, in quotes" },
	AWS_ACCOUNT_KEYS(aws_account, ),
	{ .name = NULL }
};

static const struct key aws_main_keys[] = {
	AWS_ACCOUNT_KEYS(settings, aws.main.),
	{ .name = NULL }
};

static const struct key aws_default_keys[] = {
	AWS_ROLE_KEYS(settings, aws.defaults.),
	{ .name = NULL }
};

const struct key keys_aws[] = {
	{ "mainAccount", KEY_OBJECT, .keys = aws_main_keys,
	  .text = "the account that others are reached from" },
	{ "accounts", KEY_LIST, .keys = aws_account_keys,
	  .text = "accounts by their number" },
	{ "accountDefaults", KEY_OBJECT, .keys = aws_default_keys,
	  .text = "for accounts that are not listed" },
	{ .name = NULL }
};
