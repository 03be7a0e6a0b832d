/* SPDX-License-Identifier: Apache-2.0 */
/*
 * app-config.yaml to libconfig: reading what was written gives the same
 * settings. Any folder named by STAGEDOOR_SETS is tried too.
 */
#include "base.h"

#include "settings_dump.h"
#include "settings_rig.h"

#define DUMP_MAX (16 * 1024 * 1024)

/* Everything at once, also what libconfig has no plain words for. */
static const char everything[] =
    "app: {title: x}\n"
    "backend:\n"
    "  baseUrl: http://b\n"
    "  listen: {port: 7007}\n"
    "  auth:\n"
    "    dangerouslyDisableDefaultAuthPolicy: 'yes'\n"
    "    keys: [{secret: x}]\n"
    "    externalAccess:\n"
    "    - type: static\n"
    "      options: {token: '${SD_TOKEN}', subject: s}\n"
    "      accessRestrictions:\n"
    "      - {plugin: catalog, permission: a}\n"
    "      - {plugin: kubernetes, permissionAttribute: {action: read}}\n"
    "discovery:\n"
    "  endpoints:\n"
    "  - {target: 'http://c/{{pluginId}}', plugins: [catalog, auth]}\n"
    "  - {target: {internal: 'http://i'}, plugins: [x]}\n"
    "permission: {enabled: true, other: 1}\n"
    "aws:\n"
    "  mainAccount:\n"
    "  accounts: [{accountId: '1', accessKeyId: k, secretAccessKey: s}]\n"
    "  codeBuild: x\n"
    "kubernetes:\n"
    "  serviceLocatorMethod: {type: singleTenant}\n"
    "  frontend: {podDelete: {enabled: true}}\n"
    "  unknown: 1\n"
    "  objectTypes: []\n"
    "  apiVersionOverrides: {cronjobs: 5}\n"
    "  customResources: [{group: g.io, apiVersion: v1, plural: p}]\n"
    "  proxy: {middlewareCache: {maxSize: -1, ttl: {milliseconds: -5}}}\n"
    "  clusterLocatorMethods:\n"
    "  - {type: localKubectlProxy, projectId: ignored}\n"
    "  - {type: gke, projectId: p, matchingResourceLabels: "
    "[{key: a, value: b}]}\n"
    "  - type: config\n"
    "    clusters:\n"
    "    - name: \"odd \\\"\\\\ \\u00e9\\n\\ttext\"\n"
    "      url: '${SD_URL}/x'\n"
    "      title: 'costs $${NOTHING} $5'\n"
    "      authProvider: serviceAccount\n"
    "      serviceAccountToken: {$file: token}\n"
    "      caFile: certs/ca.pem\n"
    "      skipTLSVerify: 'on'\n"
    "      customResources: []\n"
    "      timeout: '2.5'\n"
    "      authMetadata: {kubernetes.io/x-k8s-aws-id: id, plain: 5}\n"
    "      dashboardParameters:\n"
    "        'true': 1\n"
    "        big: 5000000000\n"
    "        tiny: 1e-300\n"
    "        third: 0.1\n"
    "        none: null\n"
    "        list: [1, two, {three/four: [[]]}, {}, -2147483648]\n"
    "    - {name: plain, url: u, authProvider: aks, authMetadata: text,\n"
    "       dashboardParameters: {a: b}}\n"
    "stagedoor:\n"
    "  limits: {response: 5000000000, connect: 1}\n"
    "  threads: '${SD_THREADS}'\n"
    "  identity: {guest: guest, source: params}\n"
    "  backstage: {tokenFile: token}\n";

static void
import_to(const char *name, size_t nfiles)
{
	struct strbuf out = STRBUF_INIT(DUMP_MAX);
	const char *files[RIG_FILES];
	size_t i;

	for (i = 0; i < nfiles; i++)
		files[i] = rig.paths[i];
	rig_reset();
	assert_int_equal(settings_import(files, nfiles, &out, &rig.problems),
	    0);
	rig_file(RIG_FILES - 1, name, out.buf);
	strbuf_release(&out);
}

/* What the imported file is, apart from null members, which are not there. */
static void
assert_same(size_t nfiles)
{
	struct strbuf before = STRBUF_INIT(DUMP_MAX);
	struct strbuf after = STRBUF_INIT(DUMP_MAX);

	assert_int_equal(rig_load_files(nfiles), 0);
	dump_settings(&before, rig.s);
	import_to("imported.conf", nfiles);
	memcpy(rig.paths[0], rig.paths[RIG_FILES - 1], sizeof(rig.paths[0]));
	if (rig_load_files(1) != 0)
		rig_said(false, "");
	assert_non_null(rig.s);
	dump_settings(&after, rig.s);
	assert_string_equal(after.buf, before.buf);
	strbuf_release(&before);
	strbuf_release(&after);
}

static void
without_null(const char *text)
{
	char *copy = xstrdup(text), *at = strstr(copy, "        none: null\n");

	assert_non_null(at);
	memmove(at, at + 19, strlen(at + 19) + 1);
	rig_file(0, "a.yaml", copy);
	free(copy);
}

static void
the_round_trip_changes_nothing(void **state UNUSED)
{
	setenv("SD_TOKEN", "secret-of-the-environment", 1);
	setenv("SD_URL", "https://url", 1);
	setenv("SD_THREADS", "7", 1);
	rig_file(1, "token", "content\n");
	without_null(everything);
	assert_same(1);
}

static void
secrets_do_not_move(void **state UNUSED)
{
	struct strbuf out = STRBUF_INIT(DUMP_MAX);
	const char *file;

	/* Nor need they be there. */
	unsetenv("SD_TOKEN");
	unsetenv("SD_URL");
	unsetenv("SD_THREADS");
	file = rig_file(0, "a.yaml", everything);
	assert_int_equal(settings_import(&file, 1, &out, &rig.problems), 0);
	assert_non_null(strstr(out.buf, "token = \"${SD_TOKEN}\";"));
	assert_non_null(strstr(out.buf, "url = \"${SD_URL}/x\";"));
	assert_non_null(strstr(out.buf, "title = \"costs $${NOTHING} $5\";"));
	assert_non_null(strstr(out.buf, "serviceAccountTokenFile = \""));
	assert_null(strstr(out.buf, "unknown"));
	assert_null(strstr(out.buf, "podDelete"));
	assert_null(strstr(out.buf, "codeBuild"));
	assert_null(strstr(out.buf, "7007"));
	assert_null(strstr(out.buf, "none"));
	strbuf_release(&out);
}

static void
layers_become_one_file(void **state UNUSED)
{
	rig_file(0, "a.yaml", YAML_CLUSTER "}\nstagedoor: {threads: 5}\n"
	    "backend: {listen: x}\n");
	rig_file(1, "b.conf", "stagedoor = { threads = 6; };");
	assert_same(2);
	assert_int_equal(rig.s->threads, 6);
	assert_true(rig.s->have_backend);
}

static void
what_cannot_be_written(void **state UNUSED)
{
	static const char *const rows[] = { "{key: a, value: b}",
	    "{key: a, value: b}, {key: c, value: d}", "1, null" };
	struct strbuf out = STRBUF_INIT(DUMP_MAX);
	char text[512];
	const char *file;
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		snprintf(text, sizeof(text), YAML_CLUSTER
		    ", dashboardParameters: {x: [%s]}}\n", rows[i]);
		file = rig_file(0, "a.yaml", text);
		rig_reset();
		assert_int_equal(settings_import(&file, 1, &out,
		    &rig.problems), E_CONFIG);
	}
	assert_error("a.yaml:6: kubernetes.clusterLocatorMethods[0].clusters"
	    "[0].dashboardParameters.x[1]: null cannot be written in "
	    "libconfig here");
	/* What is wrong is said as elsewhere. */
	file = rig_file(0, "a.yaml", "stagedoor: {threads: 0}\n");
	rig_reset();
	strbuf_reset(&out);
	assert_int_equal(settings_import(&file, 1, &out, &rig.problems),
	    E_CONFIG);
	assert_error("a.yaml:1: stagedoor.threads: 0 is out of range; it must "
	    "be from 1 to 1024");
	assert_string_equal(out.buf, "");
	strbuf_release(&out);
}

static void
given_sets(void **state UNUSED)
{
	const char *dir = getenv("STAGEDOOR_SETS");
	DIR *d = dir != NULL ? opendir(dir) : NULL;
	struct dirent *e;

	while (d != NULL && (e = readdir(d)) != NULL) {
		if (strstr(e->d_name, ".yaml") == NULL)
			continue;
		snprintf(rig.paths[0], sizeof(rig.paths[0]), "%s/%s", dir,
		    e->d_name);
		fprintf(stderr, "# %s\n", rig.paths[0]);
		assert_same(1);
	}
	if (d != NULL)
		closedir(d);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(the_round_trip_changes_nothing),
		RIG_TEST(secrets_do_not_move),
		RIG_TEST(layers_become_one_file),
		RIG_TEST(what_cannot_be_written),
		RIG_TEST(given_sets),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
