/* SPDX-License-Identifier: Apache-2.0 */
/* Layers of files; $env, $file, $include; lists of pairs; variables. */
#include "base.h"

#include <json-c/json.h>

#include "settings_rig.h"

static void
later_over_earlier(void **state UNUSED)
{
	rig_file(0, "a.yaml", YAML_CLUSTER "}\n    - {name: two, url: u, "
	    "authProvider: aks}\n"
	    "stagedoor:\n  threads: 8\n  limits: {connect: 1, cluster: 4}\n"
	    "  publicUrl: https://a\n");
	rig_file(1, "b.conf", "stagedoor = { limits = { cluster = 5; }; "
	    "streams = 2; };");
	rig_file(2, "c.yaml", YAML_CLUSTER "}\n"
	    "stagedoor: {threads: 9, publicUrl: null}\n");
	assert_int_equal(rig_load_files(3), 0);
	assert_int_equal(rig.s->threads, 9);
	assert_int_equal(rig.s->streams, 2);
	assert_true(rig.s->limit_connect == 1 && rig.s->limit_cluster == 5);
	/* null takes away, and lists are replaced as a whole. */
	assert_null(rig.s->public_url);
	assert_int_equal(rig.s->locators[0].nclusters, 1);
	/* The other way round other values win. */
	rig_file(0, "d.conf", "stagedoor = { threads = 7; };");
	rig_file(1, "e.conf", "stagedoor = { threads = 8; };");
	assert_int_equal(rig_load_files(2), 0);
	assert_int_equal(rig.s->threads, 8);
}

static void
maps_merge_across_syntaxes(void **state UNUSED)
{
	rig_file(0, "a.yaml", "kubernetes:\n  objectTypes: [jobs, cronjobs]\n"
	    "  apiVersionOverrides: {jobs: v1, cronjobs: v1}\n");
	rig_file(1, "b.conf", "kubernetes = { serviceLocatorMethod = { type = "
	    "\"multiTenant\"; }; clusterLocatorMethods = (); "
	    "apiVersionOverrides = ( { key = \"cronjobs\"; value = "
	    "\"v1beta1\"; } ); };");
	assert_int_equal(rig_load_files(2), 0);
	assert_int_equal(rig.s->napi_versions, 2);
	assert_string_equal(rig.s->api_versions[1].value, "v1beta1");
}

static void
variables(void **state UNUSED)
{
	setenv("SD_URL", "https://from-env", 1);
	setenv("SD_N", " 12 ", 1);
	rig_accepts("a.conf", CONF_CLUSTER("title = \"$${SD_URL} ${SD_N}\";")
	    "stagedoor = { publicUrl = \"${SD_URL}/x\"; "
	    "threads = \"${SD_N}\"; };");
	assert_string_equal(rig_cluster(0)->title, "${SD_URL} 12");
	assert_string_equal(rig.s->public_url, "https://from-env/x");
	assert_int_equal(rig.s->threads, 12);
	rig_accepts("a.yaml", YAML_CLUSTER ", title: '$${SD_URL} ${SD_N}',\n"
	    "  dashboardParameters: {a: ['${SD_N}']},\n"
	    "  authMetadata: {x: '${SD_N}'}}\n");
	assert_string_equal(rig_cluster(0)->title, "${SD_URL} 12");
	assert_string_equal(rig_cluster(0)->metadata[0].value, "12");
	assert_string_equal(json_object_to_json_string_ext(
	    rig_cluster(0)->dashboard_parameters, JSON_C_TO_STRING_PLAIN),
	    "{\"a\":[\"12\"]}");
	/* A value that is replaced needs no variable. */
	rig_file(0, "a.conf", "stagedoor = { publicUrl = \"${SD_NONE}\"; };");
	rig_file(1, "b.conf", "stagedoor = { publicUrl = \"http://x\"; };");
	assert_int_equal(rig_load_files(2), 0);
	rig_refuses("a.conf", "stagedoor = {\n publicUrl = \"${SD_NONE}\"; };",
	    "a.conf:2: stagedoor.publicUrl: environment variable SD_NONE is "
	    "not set; set it, or write $${SD_NONE} for the text itself");
	setenv("SD_EMPTY", "", 1);
	rig_refuses("a.conf", "stagedoor = { publicUrl = \"${SD_EMPTY}\"; };",
	    "a.conf:1: stagedoor.publicUrl: must not be empty; leave the key "
	    "out where there is nothing to say");
}

static void
env_and_file(void **state UNUSED)
{
	setenv("SD_URL", "https://x", 1);
	rig_file(1, "token.txt", "${SD_URL}  \n\n");
	rig_accepts("a.yaml", YAML_CLUSTER ",\n"
	    "  title: {$env: SD_URL},\n"
	    "  serviceAccountToken: {$file: token.txt}}\n");
	assert_string_equal(rig_cluster(0)->title, "https://x");
	/* The content of a file is what it is. */
	assert_true(secret_equal(&rig_cluster(0)->token, "${SD_URL}", 9));
	rig_refuses("a.yaml", "stagedoor:\n  publicUrl: {$env: SD_NONE}\n",
	    "a.yaml:2: stagedoor.publicUrl: environment variable SD_NONE is "
	    "not set; set it, or write $${SD_NONE} for the text itself");
	rig_refuses("a.yaml", "stagedoor:\n  publicUrl: {$env: A, $file: b}\n",
	    "a.yaml:2: stagedoor.publicUrl: $env, $file or $include must "
	    "stand alone");
	rig_refuses("a.yaml", "stagedoor:\n  publicUrl: {$env: 5}\n",
	    "a.yaml:2: stagedoor.publicUrl: $env, $file and $include take a "
	    "string");
	assert_int_equal(rig_load("a.yaml", "stagedoor:\n"
	    "  publicUrl: {$file: none}\n"), E_CONFIG);
	assert_non_null(strstr(rig.problems.items[0].text,
	    "a.yaml:2: stagedoor.publicUrl: cannot read"));
}

static void
includes(void **state UNUSED)
{
	setenv("SD_PART", "inner", 1);
	rig_file(1, "k.yaml", "serviceLocatorMethod: {type: multiTenant}\n"
	    "clusterLocatorMethods: {$include: 'l.json#a.b'}\n");
	rig_file(2, "l.json", "{\"a\": {\"b\": [{\"type\": \"config\", "
	    "\"clusters\": [{\"$include\": \"c.yml#${SD_PART}\"}]}]}}");
	rig_file(3, "c.yml", "inner: {name: one, url: u,\n"
	    " authProvider: aks, timeout: x}\n");
	/* A message names the file that the value stands in. */
	rig_refuses("a.yaml", "kubernetes: {$include: k.yaml}\n",
	    "c.yml:2: kubernetes.clusterLocatorMethods[0].clusters[0]."
	    "timeout: must be a number, and is a string");
	rig_file(3, "c.yml", "inner: {name: one, url: u, authProvider: aks}\n");
	rig_accepts("a.yaml", "kubernetes: {$include: k.yaml}\n");
	assert_string_equal(rig_cluster(0)->name, "one");
	rig_file(4, "b.yaml", "stagedoor: {threads: 3}\n");
	rig_accepts("a.yaml", "{$include: b.yaml}\n");
	assert_int_equal(rig.s->threads, 3);
	/* What others include is theirs. */
	rig_accepts("a.yaml", "integrations: {$include: none.yaml}\n"
	    "backend: {database: {$include: none.yaml}}\n"
	    "auth: {$file: none}\n");
}

static void
bad_includes(void **state UNUSED)
{
	rig_refuses("a.yaml", "stagedoor: {$include: x.conf}\n", "a.yaml:1: "
	    "stagedoor: $include takes files named .yaml, .yml or .json");
	rig_file(1, "b.yaml", "x: {y: 1}\n");
	rig_refuses("a.yaml", "stagedoor: {$include: 'b.yaml#x.z'}\n",
	    "a.yaml:1: stagedoor: the included file has no such part");
	/* Round and round. */
	rig_file(1, "b.yaml", "{$include: b.yaml}\n");
	rig_refuses("a.yaml", "stagedoor: {$include: b.yaml}\n",
	    "b.yaml:1: stagedoor: too many files that include each other");
	rig_file(1, "b.yaml", "x: {$include: b.yaml}\n");
	rig_refuses("a.yaml", YAML_CLUSTER ",\n      dashboardParameters: "
	    "{$include: b.yaml}}\n", "b.yaml:1: kubernetes."
	    "clusterLocatorMethods[0].clusters[0].dashboardParameters.x.x.x.x"
	    ".x.x.x.x: too many files that include each other");
}

static void
libconfig_includes(void **state UNUSED)
{
	rig_file(1, "b.conf", "threads = 7;\n# more\nstreams = 0;\n");
	rig_refuses("a.conf", "stagedoor = {\n  @include \"b.conf\"\n"
	    "  publicUrl = \"http://x\";\n};\n", "b.conf:3: stagedoor.streams:"
	    " 0 is out of range; it must be from 1 to 1024");
	rig_refuses("a.conf", "stagedoor = {\n  @include \"b.conf\"\n"
	    "  publicUrl = 5; streams = 1;\n};\n", "a.conf:3: "
	    "stagedoor.streams: this key stands here twice; keep one of "
	    "them");
	rig_file(1, "b.conf", "threads = 7;\n");
	rig_refuses("a.conf", "stagedoor = {\n  @include \"b.conf\"\n\n"
	    "  publicUrl = 5;\n};\n", "a.conf:4: stagedoor.publicUrl: must be "
	    "a string, and is a number; put it in quotes");
	rig_refuses("a.conf", "@include \"a.conf\"\n", "a.conf:1: too many "
	    "files that include each other");
	assert_int_equal(rig_load("a.conf", "\n@include \"no.conf\"\n"),
	    E_CONFIG);
	assert_non_null(strstr(rig.problems.items[0].text, "a.conf:2: cannot "
	    "read"));
}

static void
pairs(void **state UNUSED)
{
	rig_accepts("a.conf", CONF_CLUSTER("dashboardParameters = ("
	    "{ key = \"a/b\"; value = ( { key = \"c d\"; value = (1, 2); } );"
	    " }, { key = \"e\"; value = { f = 1; }; } );"
	    "authMetadata = ();"));
	assert_string_equal(json_object_to_json_string_ext(
	    rig_cluster(0)->dashboard_parameters, JSON_C_TO_STRING_PLAIN |
	    JSON_C_TO_STRING_NOSLASHESCAPE),
	    "{\"a/b\":{\"c d\":[1,2]},\"e\":{\"f\":1}}");
	assert_int_equal(rig_cluster(0)->nmetadata, 0);
	rig_refuses("a.conf", CONF_CLUSTER("authMetadata = ("
	    "{ key = \"a\"; value = \"1\"; },\n"
	    "{ key = \"a\"; value = \"2\"; } );"), "a.conf:5: kubernetes."
	    "clusterLocatorMethods[0].clusters[0].authMetadata: this key "
	    "stands here twice; keep one of them");
	/* Where the table wants a list it stays one. */
	rig_accepts("a.conf", "kubernetes = { serviceLocatorMethod = { type = "
	    "\"multiTenant\"; }; clusterLocatorMethods = ( { type = \"gke\"; "
	    "projectId = \"p\"; matchingResourceLabels = ( { key = \"a\"; "
	    "value = \"b\"; } ); } ); };");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(later_over_earlier),
		RIG_TEST(maps_merge_across_syntaxes),
		RIG_TEST(variables),
		RIG_TEST(env_and_file),
		RIG_TEST(includes),
		RIG_TEST(bad_includes),
		RIG_TEST(libconfig_includes),
		RIG_TEST(pairs),
	};

	unsetenv("SD_NONE");
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
