/* SPDX-License-Identifier: Apache-2.0 */
/* What is wrong with settings: each message, in each syntax, all in one run. */
#include "base.h"

#include "settings_rig.h"
#include "tree.h"

static void
unknown_keys(void **state UNUSED)
{
	rig_refuses("a.conf", CONF_CLUSTER("titel = \"x\";"),
	    "a.conf:4: kubernetes.clusterLocatorMethods[0].clusters[0].titel: "
	    "unknown key; did you mean 'title'?");
	rig_refuses("a.conf", "stagedoor = {\n bsePath = \"/x\"; };",
	    "a.conf:2: stagedoor.bsePath: unknown key; did you mean "
	    "'basePath'?");
	rig_refuses("a.conf", "kubernets = { };", "a.conf:1: kubernets: "
	    "unknown key; did you mean 'kubernetes'?");
	rig_refuses("a.conf", "stagedoor = { connect = 1; };", "a.conf:1: "
	    "stagedoor.connect: unknown key; did you mean "
	    "'stagedoor.limits.connect'?");
	rig_refuses("a.conf", "stagedoor = { zzzzzzzz = 1; };", "a.conf:1: "
	    "stagedoor.zzzzzzzz: unknown key; 'stagedoor check --keys' lists "
	    "all");
	/* Nobody else reads a libconfig file. */
	rig_refuses("a.conf", "backend = { database = 1; };", "a.conf:1: "
	    "backend.database: unknown key; 'stagedoor check --keys' lists "
	    "all");
}

static void
unknown_keys_of_an_app_config(void **state UNUSED)
{
	rig_accepts("a.yaml", YAML_CLUSTER ", titel: x}\n"
	    "  objectType: [x]\nstagedoor: {lissen: y}\n");
	assert_warning("a.yaml:6: kubernetes.clusterLocatorMethods[0]."
	    "clusters[0].titel: unknown key, ignored; did you mean 'title'?");
	assert_warning("a.yaml:7: kubernetes.objectType: unknown key, "
	    "ignored; did you mean 'objectTypes'?");
	assert_warning("a.yaml:8: stagedoor.lissen: unknown key, ignored; did "
	    "you mean 'listen'?");
	assert_int_equal(rig.problems.n, 3);
	/* Others' sections are not our business, but for slips of the pen. */
	rig_accepts("a.yaml", YAML_CLUSTER "}\n"
	    "app: {title: x}\nauth: {providers: {github: 1}}\n"
	    "backend: {cors: 1}\naws: {codeBuild: 1}\n"
	    "permission: {rbac: 1}\norganization: 5\ntechdocs: []\n");
	assert_int_equal(rig.problems.n, 0);
	rig_accepts("a.yaml", "kubernets: 1\n");
	assert_warning("a.yaml:1: kubernets: unknown key, ignored; did you "
	    "mean 'kubernetes'?");
	/* Here Backstage itself refuses. */
	rig_refuses("a.yaml", "backend: {auth: {externalAccess: [{type: "
	    "static,\n options: {token: '12345678', subject: s},\n "
	    "accessRestrictions: [{plugin: x, permissions: y}]}]}}\n",
	    "a.yaml:3: backend.auth.externalAccess[0].accessRestrictions[0]."
	    "permissions: unknown key; did you mean 'permission'?");
}

static void
keys_of_another_type(void **state UNUSED)
{
	rig_refuses("a.conf", "kubernetes = { serviceLocatorMethod = { type = "
	    "\"multiTenant\"; }; clusterLocatorMethods = (\n"
	    "{ type = \"gke\"; projectId = \"p\"; clusters = (); } ); };",
	    "a.conf:2: kubernetes.clusterLocatorMethods[0].clusters: not a "
	    "key of type 'gke'");
	rig_accepts("a.yaml", YAML_HEAD "  - {type: catalog, projectId: p}\n");
	assert_warning("a.yaml:4: kubernetes.clusterLocatorMethods[0]."
	    "projectId: not a key of type 'catalog', ignored");
}

static void
wrong_types(void **state UNUSED)
{
	static const struct {
		const char *text, *error;
	} rows[] = {
		{ "stagedoor: 5", "stagedoor: must be an object, and is a "
		  "number" },
		{ "stagedoor: []", "stagedoor: must be an object, and is a "
		  "list" },
		{ "stagedoor: {login: {}}", "stagedoor.login: must be a list "
		  "of objects, and is an object" },
		{ "stagedoor: {publicUrl: 'http://x', login: [5]}",
		  "stagedoor.login[0]: must be an object, and is a number" },
		{ "stagedoor: {publicUrl: 'http://x', login: [~]}",
		  "stagedoor.login[0]: must be an object, and is nothing" },
		{ "stagedoor: {basePath: 5}", "stagedoor.basePath: must be a "
		  "string, and is a number; put it in quotes" },
		{ "stagedoor: {basePath: ''}", "stagedoor.basePath: must not "
		  "be empty; leave the key out where there is nothing to "
		  "say" },
		{ "stagedoor: {socketMode: 0660}", "stagedoor.socketMode: "
		  "must be a string, and is a number; put it in quotes" },
		{ "stagedoor: {socketMode: '0888'}", "stagedoor.socketMode: "
		  "not a mode such as \"0660\"" },
		{ "stagedoor: {threads: many}", "stagedoor.threads: must be "
		  "a whole number, and is a string" },
		{ "stagedoor: {threads: 1.5}", "stagedoor.threads: must be a "
		  "whole number" },
		{ "stagedoor: {threads: true}", "stagedoor.threads: must be a "
		  "whole number, and is a boolean" },
		{ "stagedoor: {threads: '0x10'}", "stagedoor.threads: must be "
		  "a whole number, and is a string" },
		{ "stagedoor: {breaker: {probe: inf}}", "stagedoor.breaker."
		  "probe: must be a number, and is a string" },
		{ "stagedoor: {breaker: {probe: 1e999}}", "stagedoor.breaker."
		  "probe: must be a number" },
		{ "stagedoor: {identity: {remoteUser: 2}}", "stagedoor."
		  "identity.remoteUser: must be true or false, and is a "
		  "number" },
		{ "stagedoor: {identity: {remoteUser: maybe}}", "stagedoor."
		  "identity.remoteUser: must be true or false" },
		{ "stagedoor: {identity: {origins: x}}", "stagedoor.identity."
		  "origins: must be a list of strings, and is a string" },
		{ "stagedoor: {identity: {origins: [1]}}", "stagedoor."
		  "identity.origins[0]: must be a string, and is a number; "
		  "put it in quotes" },
		{ "kubernetes: {clusterLocatorMethods: [], "
		  "serviceLocatorMethod: {type: multiTenant}, "
		  "apiVersionOverrides: x}", "kubernetes.apiVersionOverrides: "
		  "must be an object, and is a string" },
	};
	char error[256];
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		snprintf(error, sizeof(error), "a.yaml:1: %s", rows[i].error);
		rig_refuses("a.yaml", rows[i].text, error);
	}
}

static void
out_of_range(void **state UNUSED)
{
	rig_refuses("a.conf", "stagedoor = { threads = 0; };", "a.conf:1: "
	    "stagedoor.threads: 0 is out of range; it must be from 1 to "
	    "1024");
	rig_refuses("a.conf", "stagedoor = { fresh = 5.5; };", "a.conf:1: "
	    "stagedoor.fresh: 5.5 is out of range; it must be from 0 to 5");
	rig_refuses("a.conf", "stagedoor = { limits = { response = "
	    "20000000000L; }; };", "a.conf:1: stagedoor.limits.response: "
	    "20000000000 is out of range; it must be from 1 to "
	    "17179869184");
	rig_refuses("a.conf", "stagedoor = { limits = { connect = -1; }; };",
	    "a.conf:1: stagedoor.limits.connect: -1 is out of range; it must "
	    "be from 0.01 to 3600");
}

static void
words(void **state UNUSED)
{
	rig_refuses("a.conf", "stagedoor = { log = { level = \"wran\"; }; };",
	    "a.conf:1: stagedoor.log.level: 'wran' is not known; did you mean "
	    "'warn'?");
	rig_refuses("a.conf", "stagedoor = { log = { to = \"file\"; }; };",
	    "a.conf:1: stagedoor.log.to: 'file' is not known; it must be one "
	    "of: stderr, syslog");
	setenv("SD_SECRET", "hush", 1);
	rig_refuses("a.conf", "stagedoor = { log = { to = \"${SD_SECRET}\"; };"
	    " };", "a.conf:1: stagedoor.log.to: 'the variable's value' is not "
	    "known; it must be one of: stderr, syslog");
}

static void
providers(void **state UNUSED)
{
	rig_refuses("a.yaml", YAML_HEAD "  - type: config\n    clusters:\n"
	    "    - {name: a, url: u, authProvider: serviceAcount}\n",
	    "a.yaml:6: kubernetes.clusterLocatorMethods[0].clusters[0]."
	    "authProvider: there is no provider 'serviceAcount'; did you mean "
	    "'serviceAccount'?");
	rig_refuses("a.yaml", YAML_HEAD "  - type: config\n    clusters:\n"
	    "    - {name: a, url: u, authProvider: x509,\n"
	    "       authMetadata: {kubernetes.io/auth-provider: zzz}}\n",
	    "a.yaml:7: kubernetes.clusterLocatorMethods[0].clusters[0]."
	    "authProvider: there is no provider 'zzz'");
	rig_refuses("a.yaml", YAML_HEAD "  - type: config\n    clusters:\n"
	    "    - {name: a, url: u, authProvider: oidc}\n",
	    "a.yaml:6: kubernetes.clusterLocatorMethods[0].clusters[0]."
	    "oidcTokenProvider: this key is missing; add it: whose tokens "
	    "open the cluster");
	/* One that a shared object brings. */
	rig_accepts("a.yaml", YAML_HEAD "  - type: config\n    clusters:\n"
	    "    - {name: a, url: u, authProvider: mine}\n"
	    "stagedoor: {providers: [{name: mine, path: mine.so}]}\n");
}

#define ALL "tenant: people of any tenant could sign in; name one by its id " \
	"or domain"

/* What each kind of sign-in client needs. */
static void
logins(void **state UNUSED)
{
	static const struct {
		const char *login, *error;
	} rows[] = {
		{ "provider: oidc, issuer: 'https://x', clientSecret: s",
		  "name: this key is missing; add the oidcTokenProvider of "
		  "the clusters that it is for" },
		{ "provider: oidc, name: n, clientSecret: s",
		  "issuer: this key is missing; add the issuer's address" },
		{ "provider: google", "clientSecret: this key is missing; add "
		  "it, or clientSecretFile, or clientAuth = \"none\" for a "
		  "public client" },
		{ "provider: google, clientAuth: private_key_jwt", "keyFile: "
		  "this key is missing; add it: clientAuth private_key_jwt "
		  "signs with it" },
		{ "provider: aks, clientSecret: s", "tenant: this key is "
		  "missing; add the id or domain of the Entra tenant" },
		{ "provider: aks, clientSecret: s, tenant: Common", ALL },
		{ "provider: aks, clientSecret: s, tenant: consumers", ALL },
	};
	char text[256], error[256];
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		snprintf(text, sizeof(text), "stagedoor: {publicUrl: "
		    "'https://p', login: [{clientId: c, %s}]}",
		    rows[i].login);
		snprintf(error, sizeof(error), "a.yaml:1: stagedoor.login[0]."
		    "%s", rows[i].error);
		rig_refuses("a.yaml", text, error);
	}
	rig_accepts("a.yaml", "stagedoor: {publicUrl: 'https://p', login: "
	    "[{provider: aks, clientId: c, clientAuth: none, tenant: "
	    "corp.example}]}");
}

static void
all_errors_in_one_run(void **state UNUSED)
{
	rig_file(0, "a.yaml", YAML_HEAD "  - type: config\n    clusters:\n"
	    "    - {name: a, url: u, authProvider: aks}\n"
	    "    - {name: a, url: '${SD_NO_SUCH_VARIABLE}', "
	    "authProvider: ask}\n"
	    "    - {name: b, authProvider: aks, timeout: 1e9}\n"
	    "  - {type: cofnig}\n"
	    "aws: {mainAccount: {accessKeyId: x}}\n");
	rig_file(1, "b.conf", "stagedoor = {\n threads = \"x\";\n"
	    " lisen = \"y\"; };\n");
	assert_int_equal(rig_load_files(2), E_CONFIG);
	assert_error("a.yaml:7: kubernetes.clusterLocatorMethods[0]."
	    "clusters[1].url: environment variable SD_NO_SUCH_VARIABLE is not "
	    "set; set it, or write $${SD_NO_SUCH_VARIABLE} for the text "
	    "itself");
	assert_error("a.yaml:8: kubernetes.clusterLocatorMethods[0]."
	    "clusters[2].timeout: 1000000000 is out of range; it must be from "
	    "0.01 to 3600");
	assert_error("a.yaml:8: kubernetes.clusterLocatorMethods[0]."
	    "clusters[2].url: this key is missing; add it: address of the "
	    "cluster's API server");
	assert_error("a.yaml:9: kubernetes.clusterLocatorMethods[1].type: "
	    "'cofnig' is not known; did you mean 'config'?");
	assert_error("b.conf:2: stagedoor.threads: must be a whole number, "
	    "and is a string");
	assert_error("b.conf:3: stagedoor.lisen: unknown key; did you mean "
	    "'listen'?");
	assert_error("a.yaml:7: kubernetes.clusterLocatorMethods[0]."
	    "clusters[1].authProvider: there is no provider 'ask'; did you "
	    "mean 'aks'?");
	assert_error("a.yaml:7: kubernetes.clusterLocatorMethods[0]."
	    "clusters[1].name: the name 'a' is taken by the cluster at line "
	    "6; rename one of them");
	assert_error("a.yaml:10: aws.mainAccount.accessKeyId: needs "
	    "secretAccessKey beside it; add that, or take this out");
	assert_int_equal(rig.problems.nerrors, 9);
}

/* One unreadable file does not hide what is wrong in the others. */
static void
a_broken_file_hides_little(void **state UNUSED)
{
	rig_file(0, "a.yaml", "kubernetes: [\n");
	rig_file(1, "b.conf", "stagedoor = { threads = 0; };\n");
	rig_file(2, "c.conf", "stagedoor = {\n");
	assert_int_equal(rig_load_files(3), E_CONFIG);
	assert_int_equal(rig.problems.nerrors, 3);
	assert_int_equal(rig.problems.n, 3);
	snprintf(rig.paths[0], sizeof(rig.paths[0]), "%s/none.conf", rig.dir);
	assert_int_equal(rig_load_files(1), E_CONFIG);
	assert_non_null(strstr(rig.problems.items[0].text,
	    "/none.conf': No such file or directory"));
	assert_int_equal(rig.problems.n, 1);
}

static void
too_many_problems_are_cut(void **state UNUSED)
{
	struct strbuf sb = STRBUF_INIT(65536);
	size_t i;

	strbuf_addstr(&sb, "kubernetes = { clusterLocatorMethods = (0");
	for (i = 1; i < 1000; i++)
		strbuf_addstr(&sb, ", 0");
	strbuf_addstr(&sb, "); serviceLocatorMethod = { type = "
	    "\"multiTenant\"; }; };\n");
	assert_int_equal(rig_load("a.conf", sb.buf), E_CONFIG);
	assert_int_equal(rig.problems.nerrors, 1000);
	assert_int_equal(rig.problems.n, 201);
	assert_string_equal(rig.problems.items[200].text,
	    "there is more, which is not shown");
	strbuf_release(&sb);
}

/* A file that is no settings says more about itself than anyone wants. */
static void
unknown_keys_are_cut(void **state UNUSED)
{
	struct strbuf sb = STRBUF_INIT(65536);
	size_t i;

	for (i = 0; i < 1000; i++)
		strbuf_addf(&sb, "zzzzzzzz%zu = 1;\n", i);
	assert_int_equal(rig_load("a.conf", sb.buf), E_CONFIG);
	assert_int_equal(rig.problems.nerrors, 1000);
	assert_int_equal(rig.problems.n, TREE_STRANGE_MAX + 2);
	assert_non_null(strstr(rig.problems.items[TREE_STRANGE_MAX + 1].text,
	    "a.conf: and 980 more of the kind; are these settings?"));
	strbuf_release(&sb);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(unknown_keys),
		RIG_TEST(unknown_keys_of_an_app_config),
		RIG_TEST(keys_of_another_type),
		RIG_TEST(wrong_types),
		RIG_TEST(out_of_range),
		RIG_TEST(words),
		RIG_TEST(providers),
		RIG_TEST(logins),
		RIG_TEST(all_errors_in_one_run),
		RIG_TEST(a_broken_file_hides_little),
		RIG_TEST(too_many_problems_are_cut),
		RIG_TEST(unknown_keys_are_cut),
	};

	unsetenv("SD_NO_SUCH_VARIABLE");
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
