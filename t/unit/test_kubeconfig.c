/* SPDX-License-Identifier: Apache-2.0 */
/* The contexts of kubeconfigs as clusters, and files that change. */
#include "base.h"

#include "arena.h"
#include "kubeconfig.h"
#include "locator.h"
#include "cluster.h"
#include "settings_rig.h"
#include "watch.h"

static struct arena *arena;
static struct clusters found;

static const char users[] =
    "clusters:\n"
    "- {name: here, cluster: {server: 'https://here',"
    " certificate-authority: ca.crt}}\n"
    "contexts:\n"
    "- {name: c, context: {cluster: here, user: u}}\n"
    "- {name: lost, context: {cluster: here, user: nobody}}\n"
    "users:\n"
    "- name: u\n"
    "  user: ";

static void
locate(const char *paths)
{
	struct locator_settings ls = { .type = LOCATOR_KUBECONFIG,
	    .path = paths };
	struct settings s = { .locators = &ls, .nlocators = 1 };

	locator_kubeconfig(&s, &ls, arena, &found, &rig.problems);
}

static void
forget(void)
{
	size_t i;

	for (i = 0; i < found.n; i++)
		cluster_release(found.items[i]);
	free(found.items);
	memset(&found, 0, sizeof(found));
	rig_reset();
}

static const struct cluster *
with_user(const char *user)
{
	struct strbuf text = STRBUF_INIT(65536);

	forget();
	strbuf_addf(&text, "%s%s\n", users, user);
	locate(rig_write(0, "config", text.buf, text.len));
	strbuf_release(&text);
	assert_int_equal(found.n, 2);
	return found.items[0];
}

static void
assert_beside(const char *path, const char *name)
{
	char want[512];

	snprintf(want, sizeof(want), "%s/%s", rig.dir, name);
	assert_string_equal(path, want);
}

static void
certificates(void **state UNUSED)
{
	const struct cluster *c = with_user("{client-certificate: a.crt,"
	    " client-key: /k/a.key}");

	assert_null(c->broken);
	assert_string_equal(c->auth_provider, "x509");
	assert_beside(c->client_certificate_file, "a.crt");
	assert_string_equal(c->client_key_file, "/k/a.key");
	assert_beside(c->ca_file, "ca.crt");
	/* data first, as client-go has it */
	c = with_user("{client-certificate: a.crt, client-certificate-data: "
	    "Y2VydA==, client-key-data: a2V5, client-key: a.key, token: t}");
	assert_null(c->broken);
	assert_string_equal(c->client_certificate.ptr, "cert");
	assert_string_equal(c->client_key.ptr, "key");
	assert_null(c->client_certificate_file);
	assert_null(c->client_key_file);
	assert_int_equal(c->token.len, 0);
	/* half from a file */
	c = with_user("{client-certificate-data: Y2VydA==, client-key: k}");
	assert_beside(c->client_key_file, "k");
}

static void
tokens(void **state UNUSED)
{
	const struct cluster *c = with_user("{token: t, tokenFile: f}");

	assert_string_equal(c->auth_provider, "serviceAccount");
	assert_beside(c->token_file, "f");
	c = with_user("{token: t, tokenFile: '', client-certificate: ''}");
	assert_string_equal(c->token.ptr, "t");
	assert_null(c->token_file);
	assert_null(c->broken);
}

static void
plugins(void **state UNUSED)
{
	const struct cluster *c = with_user("{exec: {command: bin/p, "
	    "apiVersion: v1, args: [a, ''], provideClusterInfo: true, "
	    "interactiveMode: IfAvailable, installHint: x, "
	    "env: [{name: N, value: v}, {name: E, value: ''}]}}");

	assert_null(c->broken);
	assert_string_equal(c->auth_provider, "exec");
	assert_beside(c->exec.command, "bin/p");
	assert_string_equal(c->exec.api_version, "v1");
	assert_int_equal(c->exec.args.n, 2);
	assert_string_equal(c->exec.args.items[1], "");
	assert_int_equal(c->exec.nenv, 2);
	assert_string_equal(c->exec.env[0].key, "N");
	assert_string_equal(c->exec.env[0].value, "v");
	assert_true(c->exec.cluster_info);
	assert_true(c->exec.timeout > 1);
	assert_null(c->exec.config);
	/* in PATH, and a token beats it */
	c = with_user("{exec: {command: p, apiVersion: v, args: null, "
	    "env: null}}");
	assert_string_equal(c->exec.command, "p");
	assert_int_equal(c->exec.args.n, 0);
	assert_false(c->exec.cluster_info);
	c = with_user("{token: t, exec: {command: p, apiVersion: v}}");
	assert_string_equal(c->auth_provider, "serviceAccount");
}

static void
what_cannot_be_used(void **state UNUSED)
{
	static const struct {
		const char *user, *words;
	} rows[] = {
		{ "{username: u, password: hush}", "(basic)" },
		{ "{password: hush}", "(basic)" },
		{ "{exec: {command: c}}", "without an apiVersion" },
		{ "{exec: {apiVersion: v}}", "without a command" },
		{ "{exec: {apiVersion: v, command: c, interactiveMode: "
		    "Always}}", "interactiveMode Always" },
		{ "{exec: {apiVersion: v, command: c, args: [--port, 80]}}",
		    "an argument that is no string" },
		{ "{exec: {apiVersion: v, command: c, args: hush}}",
		    "args are no list" },
		{ "{exec: {apiVersion: v, command: c, env: [{name: N, "
		    "value: 123}]}}", "both strings" },
		{ "{exec: {apiVersion: v, command: c, env: [{value: hush}]}}",
		    "both strings" },
		{ "{exec: {apiVersion: v, command: c, env: {N: hush}}}",
		    "env is no list" },
		{ "{auth-provider: {name: gcp}}", "auth-provider" },
		{ "{client-certificate: a}", "without its client-key" },
		{ "{client-key: a}", "no client-certificate" },
		{ "{client-certificate-data: '?', client-key: a}",
		    "client-certificate-data that is not base64" },
		{ "{client-certificate: a, client-key-data: 'hu$h'}",
		    "client-key-data that is not base64" },
		{ "{token: t, as: admin}", "impersonation" },
		{ "{client-certificate: a, client-key: b, as-groups: [g]}",
		    "impersonation" },
		{ "{}", "no token, client certificate or exec plug-in" },
		{ "", "no token, client certificate or exec plug-in" },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		const struct cluster *c = with_user(rows[i].user);

		assert_non_null(c->broken);
		if (strstr(c->broken, rows[i].words) == NULL)
			fail_msg("row %zu: %s", i, c->broken);
		assert_non_null(strstr(c->broken, "its user 'u'"));
		assert_null(strstr(c->broken, "hush"));
	}
	assert_non_null(strstr(found.items[1]->broken, "'nobody'"));
}

static void
clusters_that_cannot_be_used(void **state UNUSED)
{
	static const char *const keys[] = { "tls-server-name", "proxy-url" };
	struct strbuf text = STRBUF_INIT(4096);
	size_t i;

	for (i = 0; i < ARRAY_LEN(keys); i++) {
		forget();
		strbuf_reset(&text);
		strbuf_addf(&text, "clusters: [{name: here, cluster: {server: "
		    "'https://here', %s: x}}]\n"
		    "contexts: [{name: c, context: {cluster: here, user: u}}]\n"
		    "users: [{name: u, user: {token: t}}]\n", keys[i]);
		locate(rig_write(0, "config", text.buf, text.len));
		assert_int_equal(found.n, 1);
		assert_non_null(found.items[0]->broken);
		assert_non_null(strstr(found.items[0]->broken, keys[i]));
	}
	strbuf_release(&text);
}

static void
several_files(void **state UNUSED)
{
	static const char first[] = "users:\n- {name: u, user: {token: one}}\n"
	    "contexts:\n- {name: c, context: {cluster: here, user: u}}\n";
	struct strbuf paths = STRBUF_INIT(4096);
	struct strbuf text = STRBUF_INIT(4096);

	forget();
	strbuf_addf(&text, "%s{token: two}\n", users);
	rig_write(1, "second", text.buf, text.len);
	strbuf_addf(&paths, "%s:%s/none:%s", rig_write(0, "first", first,
	    sizeof(first) - 1), rig.dir, rig.paths[1]);
	locate(paths.buf);
	assert_int_equal(found.n, 2);
	assert_string_equal(found.items[0]->token.ptr, "one");
	assert_string_equal(found.items[0]->url, "https://here");
	strbuf_release(&paths);
	strbuf_release(&text);
}

/* Named or not, of equal contexts the first counts; who is not there is
   said. Clusters of other locators are not ours to leave out. */
static void
named_contexts(void **state UNUSED)
{
	const char *names[] = { "c", "d" };
	struct locator_settings ls = { .type = LOCATOR_KUBECONFIG };
	const struct settings s = { .locators = &ls, .nlocators = 1 };
	struct strbuf paths = STRBUF_INIT(4096);

	with_user("{token: one}");
	strbuf_addf(&paths, "%s:%s", rig.paths[0], rig.paths[0]);
	ls.path = paths.buf;
	locator_kubeconfig(&s, &ls, arena, &found, &rig.problems);
	assert_int_equal(found.n, 4);	/* two for each locator */
	ls.contexts.items = names;
	ls.contexts.n = 2;
	locator_kubeconfig(&s, &ls, arena, &found, &rig.problems);
	assert_int_equal(found.n, 5);
	assert_string_equal(found.items[4]->name, "c");
	assert_int_equal(rig.problems.n, 1);
	assert_non_null(strstr(rig.problems.items[0].text,
	    "there is no context 'd'"));
	strbuf_release(&paths);
}

static void
look(size_t good, size_t broken)
{
	struct locator_settings ls = { .type = LOCATOR_KUBECONFIG,
	    .path = rig.paths[0] };
	const struct settings s = { .locators = &ls, .nlocators = 1 };
	struct kubeconfig_state state;

	rig_reset();
	kubeconfig_look(&s, &state, &rig.problems);
	assert_int_equal(state.good, good);
	assert_int_equal(state.broken, broken);
	if (good == 0)
		assert_true(rig.problems.n > 0);
}

static void
how_files_are(void **state UNUSED)
{
	static const char *const broken[] = { "", "\n", "nonsense", "- a\n",
	    "users: [\n", "a: b\na: c: d\n" };
	size_t i;

	forget();
	for (i = 0; i < ARRAY_LEN(broken); i++) {
		rig_write(0, "config", broken[i], strlen(broken[i]));
		look(0, 1);
	}
	rig_write(0, "config", "users: []\n", 10);
	look(1, 0);
	unlink(rig.paths[0]);
	look(0, 0);
	/* lists that are none are nobody's crash */
	rig_write(0, "config", "users: 1\ncontexts: x\n", 21);
	locate(rig.paths[0]);
	assert_int_equal(found.n, 0);
}

static void
changes_are_seen(void **state UNUSED)
{
	struct watch w = { 0 };
	const char *path = rig_write(0, "config", "a", 1);

	watch_add(&w, path);
	watch_add(&w, "/nowhere/at/all");
	assert_false(watch_changed(&w));
	rig_write(0, "config", "ab", 2);
	assert_false(watch_changed(&w));	/* still being written? */
	rig_write(0, "config", "abc", 3);
	assert_false(watch_changed(&w));
	assert_true(watch_changed(&w));		/* no more */
	assert_true(watch_changed(&w));
	watch_release(&w);
	watch_add(&w, path);
	assert_false(watch_changed(&w));
	unlink(path);
	assert_false(watch_changed(&w));
	assert_true(watch_changed(&w));
	watch_release(&w);
}

static int
setup(void **state)
{
	arena = arena_new();
	return rig_setup(state);
}

static int
teardown(void **state)
{
	forget();
	arena_free(arena);
	return rig_teardown(state);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(certificates),
		TEST(tokens),
		TEST(plugins),
		TEST(what_cannot_be_used),
		TEST(clusters_that_cannot_be_used),
		TEST(several_files),
		TEST(named_contexts),
		TEST(how_files_are),
		TEST(changes_are_seen),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
