/* SPDX-License-Identifier: Apache-2.0 */
/* The struct that files give: defaults, values, layers, files of their own. */
#include "base.h"

#include <json-c/json.h>

#include "log.h"
#include "settings_rig.h"

static void
assert_strings(const struct string_list *list, const char *words)
{
	struct strbuf sb = STRBUF_INIT(4096);
	size_t i;

	for (i = 0; i < list->n; i++)
		strbuf_addf(&sb, "%s%s", i > 0 ? " " : "", list->items[i]);
	assert_string_equal(sb.buf, words);
	strbuf_release(&sb);
}

static void
assert_defaults(void)
{
	const struct settings *s = rig.s;

	assert_string_equal(s->base_path, "/api/kubernetes");
	assert_string_equal(s->guest, "");
	assert_string_equal(s->listen, "unix:/run/stagedoor/stagedoor.sock");
	assert_string_equal(s->socket_group, "");
	assert_int_equal(s->socket_mode, 0660);
	assert_int_equal(s->threads, 64);
	assert_int_equal(s->streams, 32);
	assert_int_equal(s->limit_request_body, 102400);
	assert_int_equal(s->limit_response, 67108864);
	assert_true(s->limit_connect == 2.0 && s->limit_cluster == 10.0 &&
	    s->limit_drain == 30.0);
	assert_int_equal(s->breaker_failures, 2);
	assert_true(s->breaker_probe == 5.0 && s->catalog_fresh == 5.0);
	assert_null(s->public_url);
	assert_null(s->ca_file);
	assert_null(s->backstage_token.ptr);
	assert_int_equal(s->origins.n, 0);
	assert_int_equal(s->log_level, LOG_LEVEL_INFO);
	assert_false(s->log_syslog || s->remote_user ||
	    s->identity_backstage || s->auth_disabled ||
	    s->permission_enabled);
}

static void
nothing_gives_defaults(void **state UNUSED)
{
	rig_accepts("a.conf", "");
	assert_false(rig.s->have_kubernetes || rig.s->have_backend);
	assert_defaults();
	assert_warning("a.conf:1: kubernetes: there is no such section: every "
	    "route answers 404");
	rig_accepts("a.yaml", "");
	assert_defaults();
	rig_accepts("a.yaml", "kubernetes:\nstagedoor: null\n");
	assert_false(rig.s->have_kubernetes);
	assert_defaults();
}

static void
ours_in_libconfig(void **state UNUSED)
{
	rig_accepts("a.conf", CONF_CLUSTER("")
	    "stagedoor = {\n"
	    " basePath = \"/k/\"; publicUrl = \"https://Portal.Example:443/x\""
	    ";\n"
	    " listen = \"127.0.0.1:9000\"; socketMode = \"0600\";\n"
	    " socketGroup = \"www\"; threads = 8; streams = 8;\n"
	    " limits = { connect = 1; cluster = 2.5; requestBody = 2048;\n"
	    "   response = 5000000000L; drain = 0; };\n"
	    " breaker = { failures = 3; probe = 0.5; };\n"
	    " identity = { guest = \"Guest\"; remoteUser = true; };\n"
	    " catalog = { fresh = 0; }; caFile = \"ca.pem\";\n"
	    " backstage = { token = \"tok\"; };\n"
	    " log = { level = \"debug\"; to = \"syslog\"; };\n"
	    "};\n");
	assert_string_equal(rig.s->base_path, "/k");
	assert_strings(&rig.s->origins, "https://portal.example");
	assert_string_equal(rig.s->listen, "127.0.0.1:9000");
	assert_int_equal(rig.s->socket_mode, 0600);
	assert_int_equal(rig.s->threads, 8);
	assert_int_equal(rig.s->streams, 8);
	assert_true(rig.s->limit_connect == 1 && rig.s->limit_cluster == 2.5 &&
	    rig.s->limit_drain == 0);
	assert_true(rig.s->limit_response == 5000000000);
	assert_int_equal(rig.s->breaker_failures, 3);
	assert_string_equal(rig.s->guest, "user:default/guest");
	assert_true(rig.s->remote_user && rig.s->log_syslog);
	assert_int_equal(rig.s->log_level, LOG_LEVEL_DEBUG);
	assert_string_equal(rig_short(rig.s->ca_file), "ca.pem");
	assert_true(secret_equal(&rig.s->backstage_token, "tok", 3));
	assert_int_equal(rig.problems.n, 0);
}

static void
a_cluster_with_everything(void **state UNUSED)
{
	struct cluster *c;

	rig_accepts("a.yaml", YAML_CLUSTER ", title: T,\n"
	    "       serviceAccountToken: tok, skipTLSVerify: 'On',\n"
	    "       skipMetricsLookup: 1, caData: Q0E=, caFile: ../ca.crt,\n"
	    "       customResources: [{group: g, apiVersion: v, plural: p}],\n"
	    "       dashboardUrl: u, dashboardApp: a, presentAs: google,\n"
	    "       dashboardParameters: {x: [1, {y: null}]},\n"
	    "       signIn: stagedoor, connectTimeout: '0.5', timeout: 3,\n"
	    "       allow: ['user:default/Jane', 'group:sre'],\n"
	    "       guests: false, readOnly: 'yes'}\n"
	    "    - {name: two, url: 'http://two', authProvider: aws,\n"
	    "       assumeRole: r, externalId: e, customResources: []}\n");
	c = rig_cluster(0);
	assert_string_equal(c->name, "one");
	assert_string_equal(c->title, "T");
	assert_string_equal(c->url, "https://one");
	assert_string_equal(c->auth_provider, "aks");
	assert_string_equal(c->present_as, "google");
	assert_true(secret_equal(&c->token, "tok", 3));
	assert_true(c->skip_tls_verify && c->skip_metrics && c->read_only &&
	    c->sign_in_stagedoor && c->custom_set && !c->guests);
	assert_string_equal(c->ca_data, "Q0E=");
	assert_non_null(strstr(c->ca_file, "/../ca.crt"));
	assert_int_equal(*c->ca_file, '/');
	assert_string_equal(c->custom[0].group, "g");
	assert_string_equal(c->custom[0].plural, "p");
	assert_string_equal(json_object_to_json_string_ext(
	    c->dashboard_parameters, JSON_C_TO_STRING_PLAIN),
	    "{\"x\":[1,{\"y\":null}]}");
	assert_true(c->connect_timeout == 0.5 && c->timeout == 3);
	assert_strings(&c->allow, "user:default/jane group:default/sre");
	assert_string_equal(rig_short(c->where), "a.yaml:6");
	c = rig_cluster(1);
	assert_string_equal(c->assume_role, "r");
	assert_string_equal(c->external_id, "e");
	assert_true(c->custom_set && c->ncustom == 0 && c->guests);
	assert_true(c->connect_timeout == 2 && c->timeout == 10);
	assert_false(c->sign_in_stagedoor || c->skip_tls_verify);
	assert_null(c->dashboard_parameters);
}

static void
metadata_beats_keys(void **state UNUSED)
{
	struct cluster *c;

	rig_accepts("a.conf", CONF_CLUSTER("serviceAccountToken = \"a\"; "
	    "oidcTokenProvider = \"x\"; authMetadata = ("
	    "{ key = \"kubernetes.io/auth-provider\"; value = \"oidc\"; },"
	    "{ value = \"okta\"; "
	    "key = \"kubernetes.io/oidc-token-provider\"; },"
	    "{ key = \"serviceAccountToken\"; value = \"b\"; } );"));
	c = rig_cluster(0);
	assert_string_equal(c->auth_provider, "oidc");
	assert_string_equal(c->oidc_token_provider, "okta");
	assert_true(secret_equal(&c->token, "b", 1));
	/* A token is no annotation that others may see. */
	assert_int_equal(c->nmetadata, 2);
	assert_string_equal(c->metadata[1].key,
	    "kubernetes.io/oidc-token-provider");
}

static void
kubernetes_section(void **state UNUSED)
{
	rig_accepts("a.yaml", "kubernetes:\n"
	    "  serviceLocatorMethod: {type: catalogRelation}\n"
	    "  clusterLocatorMethods:\n"
	    "  - type: localKubectlProxy\n"
	    "  - {type: kubeconfig, path: k, contexts: [a, b]}\n"
	    "  - {type: catalog, dangerouslyAllowClusterUrls: ['*.x']}\n"
	    "  - {type: gke, projectId: p, authProvider: whatever}\n"
	    "  objectTypes: [pods, cronjobs]\n"
	    "  apiVersionOverrides: {cronjobs: v1beta1, jobs: 7}\n"
	    "  customResources: [{group: g, apiVersion: v, plural: p}]\n");
	assert_int_equal(rig.s->service_locator, SERVICE_CATALOG_RELATION);
	assert_int_equal(rig.s->nlocators, 4);
	assert_int_equal(rig.s->locators[0].type, LOCATOR_LOCAL_KUBECTL_PROXY);
	assert_int_equal(rig.s->locators[1].type, LOCATOR_KUBECONFIG);
	assert_string_equal(rig_short(rig.s->locators[1].path), "k");
	assert_strings(&rig.s->locators[1].contexts, "a b");
	assert_int_equal(rig.s->locators[2].type, LOCATOR_CATALOG);
	assert_int_equal(rig.s->locators[3].type, LOCATOR_GKE);
	assert_string_equal(rig_short(rig.s->locators[3].where), "a.yaml:7");
	assert_true(rig.s->object_types_set);
	assert_strings(&rig.s->object_types, "pods cronjobs");
	/* jobs are not listed: nobody looks at their version. */
	assert_int_equal(rig.s->napi_versions, 1);
	assert_string_equal(rig.s->api_versions[0].value, "v1beta1");
	assert_int_equal(rig.s->ncustom, 1);
}

static void
backstage_sections(void **state UNUSED)
{
	const struct external_access *ea;

	rig_accepts("a.yaml", "backend:\n"
	    "  baseUrl: http://b\n  database: {client: pg}\n  auth:\n"
	    "    dangerouslyDisableDefaultAuthPolicy: true\n"
	    "    pluginKeyStore: {type: static}\n"
	    "    externalAccess:\n"
	    "    - {type: static, options: {token: '12345678', subject: s}}\n"
	    "    - {type: jwks, options: {url: 'https://x'}}\n"
	    "    - type: static\n"
	    "      options: {token: 'abcdefgh', subject: t}\n"
	    "      accessRestrictions:\n"
	    "      - {plugin: catalog}\n"
	    "      - {plugin: kubernetes, permission: 'a,b c'}\n"
	    "    - type: static\n"
	    "      options: {token: 'ABCDEFGH', subject: u}\n"
	    "      accessRestrictions:\n"
	    "      - plugin: kubernetes\n"
	    "        permission: [kubernetes.proxy, kubernetes.clusters.read]\n"
	    "        permissionAttribute: {action: [read, 'create, delete']}\n"
	    "discovery:\n  endpoints:\n"
	    "  - {target: 'http://c/{{pluginId}}', plugins: [catalog]}\n"
	    "  - {target: {internal: 'http://i', external: e}, plugins: [x]}\n"
	    "permission: {enabled: true}\n"
	    "integrations: {github: [{token: '${SD_NO_SUCH_VARIABLE}'}]}\n");
	assert_true(rig.s->have_backend && rig.s->identity_backstage &&
	    rig.s->auth_disabled && rig.s->permission_enabled);
	assert_string_equal(rig.s->backend_base_url, "http://b");
	assert_int_equal(rig.s->nexternal, 3);
	ea = rig.s->external;
	assert_true(secret_equal(&ea[0].token, "12345678", 8));
	assert_string_equal(ea[0].subject, "s");
	assert_false(ea[0].has_restrictions);
	assert_int_equal(ea[1].nrestrictions, 2);
	assert_false(ea[1].restrictions[0].has_permissions);
	assert_strings(&ea[1].restrictions[1].permissions, "a b c");
	/* Of the two only one is about reading. */
	assert_strings(&ea[2].restrictions[0].permissions,
	    "kubernetes.clusters.read");
	assert_int_equal(rig.s->ndiscovery, 2);
	assert_string_equal(rig.s->discovery[0].target,
	    "http://c/{{pluginId}}");
	assert_string_equal(rig.s->discovery[1].target, "http://i");
	assert_strings(&rig.s->discovery[1].plugins, "x");
	assert_warning("a.yaml:9: backend.auth.externalAccess[1].type: tokens "
	    "of this type are not accepted here: they get 401");
	/* The other warning is that there is no kubernetes section. */
	assert_int_equal(rig.problems.n, 2);
}

static void
where_identity_comes_from(void **state UNUSED)
{
	rig_accepts("a.yaml", "backend: {listen: {port: 1}}\n");
	assert_true(rig.s->identity_backstage);
	rig_accepts("a.yaml", "backend: {}\nstagedoor: {identity: {}}\n");
	assert_false(rig.s->identity_backstage);
	rig_accepts("a.yaml", "stagedoor: {identity: {source: backstage}}\n");
	assert_true(rig.s->identity_backstage);
	rig_accepts("a.yaml", "backend: {}\n"
	    "stagedoor: {identity: {source: params}}\n");
	assert_false(rig.s->identity_backstage);
	rig_accepts("a.yaml", "stagedoor: {publicUrl: 'http://A:80/',\n"
	    "  identity: {origins: ['https://B:443', 'http://c:81']}}\n");
	assert_strings(&rig.s->origins, "https://b http://c:81");
}

static void
a_smaller_pool_has_fewer_streams(void **state UNUSED)
{
	rig_accepts("a.conf", "stagedoor = { threads = 8; };");
	assert_int_equal(rig.s->streams, 4);
	rig_accepts("a.conf", "stagedoor = { threads = 1; };");
	assert_int_equal(rig.s->streams, 1);
	rig_accepts("a.conf", "stagedoor = { threads = 33; };");
	assert_int_equal(rig.s->streams, 32);
	rig_refuses("a.conf", "stagedoor = { threads = 8;\n streams = 9; };",
	    "a.conf:2: stagedoor.streams: more than stagedoor.threads; lower "
	    "it, or raise those");
}

static void
files_of_their_own(void **state UNUSED)
{
	rig_file(1, "token", "file-token\n");
	rig_accepts("a.conf", CONF_CLUSTER("serviceAccountToken = \"a\"; "
	    "serviceAccountTokenFile = \"token\";")
	    "stagedoor = { backstage = { token = \"x\"; tokenFile = "
	    "\"token\"; }; };");
	assert_true(secret_equal(&rig_cluster(0)->token, "file-token", 10));
	assert_true(secret_equal(&rig.s->backstage_token, "file-token", 10));
	assert_null(rig_cluster(0)->broken);
	/* It costs its own cluster, not the start. */
	rig_accepts("a.conf",
	    CONF_CLUSTER("serviceAccountTokenFile = \"no\";"));
	assert_non_null(strstr(rig_cluster(0)->broken_detail,
	    "/no': No such file"));
	rig_file(1, "empty", "\n");
	rig_accepts("a.conf",
	    CONF_CLUSTER("serviceAccountTokenFile = \"empty\";"));
	assert_non_null(strstr(rig_cluster(0)->broken, "is empty"));
	assert_non_null(strstr(rig_cluster(0)->broken_detail, "/empty"));
	assert_int_equal(rig_load("a.conf", "stagedoor = { backstage = { "
	    "tokenFile = \"no\"; }; };"), E_CONFIG);
	assert_int_equal(rig.problems.nerrors, 1);
}

static void
whom_a_credential_acts_for(void **state UNUSED)
{
	const struct impersonation *im;

	rig_accepts("a.conf", CONF_CLUSTER(""));
	assert_false(rig_cluster(0)->impersonate.on);
	rig_accepts("a.conf", CONF_CLUSTER("impersonate = { };"));
	im = &rig_cluster(0)->impersonate;
	assert_true(im->on);
	assert_string_equal(im->user, "{user}");
	assert_null(im->uid);
	assert_int_equal(im->groups.n, 0);
	rig_accepts("a.conf", CONF_CLUSTER("impersonate = { user = "
	    "\"{email}\"; uid = \"{name}\"; groups = [ \"all\", "
	    "\"{groups}\" ]; userPrefix = \"p:\"; groupPrefix = \"\"; "
	    "extra = ( { key = \"a.test/b\"; value = \"{email}\"; } ); "
	    "};"));
	im = &rig_cluster(0)->impersonate;
	assert_null(rig_cluster(0)->broken);
	assert_string_equal(im->user, "{email}");
	assert_string_equal(im->uid, "{name}");
	assert_string_equal(im->user_prefix, "p:");
	assert_string_equal(im->group_prefix, "");
	assert_int_equal(im->groups.n, 2);
	assert_string_equal(im->groups.items[1], "{groups}");
	assert_int_equal(im->nextra, 1);
	assert_string_equal(im->extra[0].key, "a.test/b");
	assert_string_equal(im->extra[0].value, "{email}");
	assert_int_equal(rig_load("a.conf", CONF_CLUSTER("impersonate = { "
	    "user = \"{groups}\"; };")), E_CONFIG);
	assert_int_equal(rig_load("a.conf", CONF_CLUSTER("impersonate = { "
	    "groups = \"system:masters\"; };")), E_CONFIG);
	assert_int_equal(rig_load("a.conf", CONF_CLUSTER("impersonate = "
	    "true;")), E_CONFIG);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(nothing_gives_defaults),
		RIG_TEST(ours_in_libconfig),
		RIG_TEST(a_cluster_with_everything),
		RIG_TEST(metadata_beats_keys),
		RIG_TEST(kubernetes_section),
		RIG_TEST(backstage_sections),
		RIG_TEST(where_identity_comes_from),
		RIG_TEST(a_smaller_pool_has_fewer_streams),
		RIG_TEST(files_of_their_own),
		RIG_TEST(whom_a_credential_acts_for),
	};

	unsetenv("SD_NO_SUCH_VARIABLE");
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
