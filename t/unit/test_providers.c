/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The providers that need no cloud, without a file system: every file and
 * variable comes from the test.
 */
#include "base.h"

#include <setjmp.h>
#include <cmocka.h>
#include <json-c/json.h>

#include "arena.h"
#include "err.h"
#include "jsonx.h"
#include "note_double.h"
#include "../../providers/provider.h"

static const char *pod_token, *pod_ca, *kubeconfig_token;
static bool in_pod;

static int
fake_read(const char *path, struct secret *out, struct err *err)
{
	const char *text = NULL;

	if (strcmp(path, "/k/token") == 0)
		text = kubeconfig_token;
	else if (strstr(path, "/serviceaccount/token") != NULL)
		text = pod_token;
	else if (strstr(path, "/serviceaccount/ca.crt") != NULL)
		text = pod_ca;
	if (text == NULL)
		return err_set(err, E_SYSTEM, "cannot read '%s'", path);
	secret_set(out, text, strlen(text));
	return 0;
}

static const char *
fake_getenv(const char *name)
{
	if (!in_pod)
		return NULL;
	return strstr(name, "HOST") ? "fd00::1" : "443";
}

struct outcome {
	enum provider_verdict verdict;
	struct credential cred;
	struct err err;
};

static void
obtain(struct outcome *o, const struct cluster *c, const char *auth,
    bool lower)
{
	struct provider_call call = { .cluster = c, .auth_lower = lower,
	    .scratch = arena_new(), .read_file = fake_read,
	    .getenv = fake_getenv, .note = note_double };
	const struct provider_ops *ops = provider_find(c->auth_provider);

	noted[0] = '\0';
	credential_release(&o->cred);
	memset(o, 0, sizeof(*o));
	if (auth != NULL)
		assert_int_equal(jsonx_parse(auth, strlen(auth), &call.auth,
		    NULL), 0);
	o->verdict = ops->obtain(NULL, &call, &o->cred, &o->err);
	json_object_put(call.auth);
	arena_free(call.scratch);
}

/* The step was told, and nothing of the secret. */
static void
assert_noted(const char *step, const char *secret)
{
	if (strstr(noted, step) == NULL || strstr(noted, secret) != NULL)
		fail_msg("'%s' without '%s' was not told: %s", step, secret,
		    noted);
}

static void
service_account(void **state UNUSED)
{
	struct cluster c = { .name = "c", .auth_provider = "serviceAccount" };
	struct outcome o = { 0 };

	obtain(&o, &c, NULL, false);
	assert_int_equal(o.verdict, PROVIDER_FAILED);
	assert_null(strstr(o.err.text, "/token"));
	assert_non_null(strstr(o.err.detail, "serviceaccount/token"));

	pod_token = "pod-token";
	obtain(&o, &c, NULL, false);
	assert_int_equal(o.verdict, PROVIDER_OK);
	assert_string_equal(o.cred.value.ptr, "pod-token");
	pod_token = "rotated";
	obtain(&o, &c, NULL, false);
	assert_string_equal(o.cred.value.ptr, "rotated");
	assert_noted("is not set", "rotated");
	assert_noted("serviceaccount/token': is read", "rotated");

	c.token_file = "/k/token";
	kubeconfig_token = "from-file";
	obtain(&o, &c, NULL, false);
	assert_string_equal(o.cred.value.ptr, "from-file");

	secret_set(&c.token, "set", 3);
	obtain(&o, &c, NULL, false);
	assert_string_equal(o.cred.value.ptr, "set");
	assert_noted("a token in the settings: is set", "from-file");
	assert_int_equal(o.cred.kind, CREDENTIAL_BEARER);
	secret_set(&c.token, "a\r\nb", 4);
	obtain(&o, &c, NULL, false);
	assert_int_equal(o.verdict, PROVIDER_FAILED);
	secret_release(&c.token);
	credential_release(&o.cred);
}

static void
in_a_pod(void **state UNUSED)
{
	struct cluster c = { .name = "c", .auth_provider = "serviceAccount" };
	struct provider_call call = { .cluster = &c, .scratch = arena_new(),
	    .read_file = fake_read, .getenv = fake_getenv,
	    .note = note_double };
	const struct provider_ops *ops = provider_find("serviceAccount");
	struct location loc = { NULL, NULL };

	pod_ca = NULL;
	in_pod = true;
	assert_false(ops->locate(&call, &loc));
	pod_ca = "CA";
	assert_true(ops->locate(&call, &loc));
	assert_string_equal(loc.url, "https://[fd00::1]:443");
	assert_string_equal(loc.ca_pem, "CA");
	assert_noted("KUBERNETES_SERVICE_HOST is set", "CA\n");
	in_pod = false;
	assert_false(ops->locate(&call, &loc));
	in_pod = true;
	secret_set(&c.token, "set", 3);
	assert_false(ops->locate(&call, &loc));
	secret_release(&c.token);
	arena_free(call.scratch);
}

static void
client_tokens(void **state UNUSED)
{
	static const struct {
		const char *provider, *auth;
		bool lower;
		enum provider_verdict verdict;
		const char *token;
	} rows[] = {
		{ "aks", "{\"aks\":\"t\"}", false, PROVIDER_OK, "t" },
		{ "aks", "{\"google\":\"t\"}", false, PROVIDER_NEEDS_USER, 0 },
		{ "aks", NULL, false, PROVIDER_NEEDS_USER, NULL },
		{ "aks", "{\"aks\":\"\"}", false, PROVIDER_NEEDS_USER, NULL },
		{ "aks", "{\"aks\":null}", false, PROVIDER_NEEDS_USER, NULL },
		{ "aks", "{\"aks\":12345}", false, PROVIDER_OK, "12345" },
		{ "aks", "{\"aks\":true}", false, PROVIDER_OK, "true" },
		{ "aks", "{\"aks\":{}}", false, PROVIDER_OK,
		    "[object Object]" },
		{ "aks", "{\"aks\":\"a\\nb\"}", false, PROVIDER_FAILED, NULL },
		{ "aks", "{\"aks\":\"\\u00e9\"}", false, PROVIDER_FAILED, 0 },
		{ "google", "{\"google\":\"g\"}", false, PROVIDER_OK, "g" },
		{ "google", "{}", false, PROVIDER_NEEDS_USER, NULL },
		{ "oidc", "{\"oidc\":{\"My-Okta\":\"o\"}}", false, PROVIDER_OK,
		    "o" },
		{ "oidc", "{\"oidc\":{\"my-okta\":\"o\"}}", false,
		    PROVIDER_NEEDS_USER, NULL },
		{ "oidc", "{\"oidc\":{\"my-okta\":\"o\"}}", true, PROVIDER_OK,
		    "o" },
		{ "oidc", "{\"oidc\":\"o\"}", true, PROVIDER_NEEDS_USER, 0 },
	};
	struct outcome o = { 0 };
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct cluster c = { .name = "c",
		    .auth_provider = rows[i].provider,
		    .oidc_token_provider = "My-Okta" };

		obtain(&o, &c, rows[i].auth, rows[i].lower);
		if (o.verdict != rows[i].verdict ||
		    !str_eq(o.cred.value.ptr, rows[i].token))
			fail_msg("row %zu: %d %s", i, (int)o.verdict,
			    o.err.text);
		assert_noted(rows[i].provider, "12345");
		assert_int_equal(o.cred.from_client,
		    rows[i].verdict == PROVIDER_OK);
	}
	credential_release(&o.cred);
}

static void
known_by_name(void **state UNUSED)
{
	const char *const *name;

	for (name = provider_names(); *name != NULL; name++)
		assert_string_equal(provider_find(*name)->name, *name);
	assert_null(provider_find("nope"));
	assert_null(provider_find("AWS"));
}

static void
local_proxy_sends_nothing(void **state UNUSED)
{
	struct cluster c = { .name = "local",
	    .auth_provider = "localKubectlProxy" };
	struct outcome o = { 0 };

	obtain(&o, &c, "{\"aks\":\"t\"}", false);
	assert_int_equal(o.verdict, PROVIDER_OK);
	assert_int_equal(o.cred.kind, CREDENTIAL_ANONYMOUS);
	assert_int_equal(o.cred.value.len, 0);
	assert_noted("none of ours", "\"t\"");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(service_account),
		cmocka_unit_test(in_a_pod),
		cmocka_unit_test(client_tokens),
		cmocka_unit_test(known_by_name),
		cmocka_unit_test(local_proxy_sends_nothing),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
