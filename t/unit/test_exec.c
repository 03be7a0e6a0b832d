/* SPDX-License-Identifier: Apache-2.0 */
/* Credential plug-ins: what they get, and what is said when they fail. */
#include "base.h"

#include "exec_rig.h"
#include "exec_credential.h"

#define STATUS(s) "{\"apiVersion\": \"" RIG_V1 "\", \"kind\": "               \
	"\"ExecCredential\", \"status\": " s "}"

static void
answers(const char *text)
{
	rig_drop();
	rig.stdout_text = text;
	rig_obtain();
}

static void
has_line(const struct strbuf *sb, const char *line)
{
	const char *at = strstr(sb->buf, line);

	if (at == NULL || (at > sb->buf && at[-1] != '\n') ||
	    at[strlen(line)] != '\n')
		fail_msg("no line '%s' in\n%s", line, sb->buf);
}

static void
gives_tokens(void **state UNUSED)
{
	answers(STATUS("{\"token\": \"t1\"}"));
	assert_int_equal(rig.verdict, PROVIDER_OK);
	assert_int_equal(rig.cred.kind, CREDENTIAL_BEARER);
	assert_string_equal(rig.cred.value.ptr, "t1");
	assert_int_equal(rig.cred.expires, 0);
	assert_int_equal(rig.kept.margin, 0);
	answers(STATUS("{\"token\": \"t2\", \"expirationTimestamp\": "
	    "\"2025-03-14T16:09:26.5Z\"}"));
	assert_int_equal(rig.cred.expires, RIG_NOW + 3600500);
	assert_int_equal(rig.kept.margin, EXEC_MARGIN_MS);
	answers(STATUS("{\"token\": \"t3\", \"expirationTimestamp\": "
	    "\"2025-03-14T15:10:06Z\"}"));
	assert_int_equal(rig.kept.margin, 20000);
	answers(STATUS("{\"token\": \"t4\", \"expirationTimestamp\": "
	    "\"0001-01-01T00:00:00Z\"}"));
	assert_int_equal(rig.cred.expires, 0);
}

/* One that has expired already is used, for a moment. */
static void
uses_expired_ones_once(void **state UNUSED)
{
	answers(STATUS("{\"token\": \"t\", \"expirationTimestamp\": "
	    "\"2001-01-01T00:00:00Z\"}"));
	assert_int_equal(rig.verdict, PROVIDER_OK);
	assert_int_equal(rig.kept.expires, RIG_NOW + EXEC_MOMENT_MS);
	rig_obtain();
	assert_int_equal(rig.runs, 1);
	rig.now += EXEC_MOMENT_MS;
	rig_obtain();
	assert_int_equal(rig.runs, 2);
}

static void
passes_settings_on(void **state UNUSED)
{
	static const char *args[] = { "get-token", "two words", "" };
	struct pair env[] = { { "A", "old" }, { "PATH", "/opt/bin" },
	    { "A", "1" }, { "KUBERNETES_EXEC_INFO", "mine" } };

	rig.cluster.exec.args = (struct string_list) { args, 3 };
	rig.cluster.exec.env = env;
	rig.cluster.exec.nenv = 4;
	answers(STATUS("{\"token\": \"t\"}"));
	assert_string_equal(rig.argv.buf, "plugin\nget-token\ntwo words\n\n");
	assert_string_equal(rig.env.buf,
	    "AWS_SECRET_ACCESS_KEY=aws-secret-key\n"
	    "PATH=/opt/bin\n"
	    "A=1\n"
	    "KUBERNETES_EXEC_INFO={\"kind\":\"ExecCredential\","
	    "\"apiVersion\":\"" RIG_V1 "\",\"spec\":{\"interactive\":false}}"
	    "\n");
	assert_non_null(strstr(rig.inputs.buf, "two words"));
	has_line(&rig.inputs, "A=1");
	has_line(&rig.inputs, "AWS_SECRET_ACCESS_KEY=aws-secret-key");
}

#define INFO "KUBERNETES_EXEC_INFO={\"kind\":\"ExecCredential\","             \
	"\"apiVersion\":\"client.authentication.k8s.io/v1beta1\",\"spec\":"   \
	"{\"interactive\":false,\"cluster\":{\"server\":"                     \
	"\"https://one.example\""

static void
tells_about_the_cluster(void **state UNUSED)
{
	struct cluster *c = &rig.cluster;

	c->exec.api_version = "client.authentication.k8s.io/v1beta1";
	c->exec.cluster_info = true;
	answers("");
	has_line(&rig.env, INFO ",\"config\":null}}}");
	c->ca_data = "Q\nQQ=";
	answers("");
	has_line(&rig.env, INFO ",\"certificate-authority-data\":\"QQQ=\","
	    "\"config\":null}}}");
	c->ca_file = "/k/ca.crt";
	c->exec.config = "{\"audience\":\"x\"}";
	answers("");
	has_line(&rig.env, INFO ",\"certificate-authority-data\":\"Q0E=\","
	    "\"config\":{\"audience\":\"x\"}}}}");
	c->skip_tls_verify = true;
	answers("");
	has_line(&rig.env, INFO ",\"insecure-skip-tls-verify\":true,"
	    "\"config\":{\"audience\":\"x\"}}}}");
	c->skip_tls_verify = false;
	c->ca_file = "/nowhere";
	rig.runs = 0;
	answers("");
	assert_int_equal(rig.verdict, PROVIDER_FAILED);
	assert_int_equal(rig.runs, 0);
	assert_null(strstr(rig.err.text, "nowhere"));
	assert_non_null(strstr(rig.err.detail, "nowhere"));
}

static void
says(const char *words)
{
	assert_int_equal(rig.verdict, PROVIDER_FAILED);
	assert_int_equal(rig.cred.kind, CREDENTIAL_NONE);
	if (strstr(rig.err.text, words) == NULL)
		fail_msg("'%s' is not in: %s", words, rig.err.text);
	assert_non_null(strstr(rig.err.text, "cluster 'one'"));
	assert_null(strstr(rig.err.text, "hush"));
}

static void
refuses_what_is_no_answer(void **state UNUSED)
{
	static const struct {
		const char *text, *words;
	} rows[] = {
		{ "", "is empty" },
		{ " \n", "is empty" },
		{ "hush-hush", "is no JSON" },
		{ "{", "is no JSON" },
		{ "[]", "is no JSON" },
		{ "hi\n" STATUS("{\"token\": \"hush\"}"), "is no JSON" },
		{ STATUS("{\"token\": \"hush\"}") "\nhi", "is no JSON" },
		{ STATUS("{\"token\": \"hush\"}") "{}", "is no JSON" },
		{ "{\"kind\": \"ExecCredential\"}", "not of version" },
		{ "{\"kind\": \"ExecCredential\", \"apiVersion\": 1}",
		    "not of version" },
		{ "{\"apiVersion\": \"" RIG_V1 "\"}", "not of kind" },
		{ "{\"kind\": \"ExecCredential\", \"apiVersion\": "
		    "\"client.authentication.k8s.io/v1beta1\"}",
		    "v1beta1, and the settings say " RIG_V1 },
		{ STATUS("null"), "has no status" },
		{ STATUS("\"hush\""), "has no status" },
		{ STATUS("{}"), "neither a token nor" },
		{ STATUS("{\"token\": \"\"}"), "neither a token nor" },
		{ STATUS("{\"token\": 5}"), "no string" },
		{ STATUS("{\"token\": \"hush\\nhush\"}"), "characters" },
		{ STATUS("{\"token\": \"hush\\u0000hush\"}"), "is no JSON" },
		{ STATUS("{\"clientCertificateData\": \"hush\"}"), "one half" },
		{ STATUS("{\"clientKeyData\": \"hush\", \"token\": \"hush\"}"),
		    "one half" },
		{ STATUS("{\"clientKeyData\": \"hush\", "
		    "\"clientCertificateData\": \"hush\"}"), "certificate" },
		{ STATUS("{\"token\": \"hush\", \"expirationTimestamp\": "
		    "\"tomorrow\"}"), "RFC 3339" },
		{ STATUS("{\"token\": \"hush\", \"expirationTimestamp\": 1}"),
		    "RFC 3339" },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		answers(rows[i].text);
		says(rows[i].words);
		says("'plugin'");
	}
}

static void
says_how_it_ended(void **state UNUSED)
{
	struct pair env[] = { { "MY_TOKEN", "hush-1" } };
	char *big = xmalloc(PROCESS_ERRORS_MAX);

	rig.cluster.exec.env = env;
	rig.cluster.exec.nenv = 1;
	rig.status = 3;
	answers("hush");
	says("cluster 'one': credential plug-in 'plugin' ended with exit "
	    "code 3");
	assert_string_equal(strrchr(rig.err.text, ' '), " 3");
	rig.stderr_text = "no luck with aws-secret-key, hush-1 and "
	    "password=hush";
	answers("");
	says("exit code 3: no luck with ***, *** and password=***");
	rig.status = 128 + 11;
	answers("");
	says("signal 11");
	memset(big, 'x', PROCESS_ERRORS_MAX - 1);
	memcpy(big, "hush-the-end-of-a-token ", 24);
	memset(big + 300, ' ', 2);
	big[PROCESS_ERRORS_MAX - 1] = '\0';
	rig.stderr_text = big;
	answers("");
	says("xxx");
	assert_true(strlen(rig.err.text) < 320);
	rig.stderr_text = "logging in with token=hush";
	rig.failure = E_TIMEOUT;
	answers("");
	says("cluster 'one': credential plug-in: 'plugin' did not run: "
	    "logging in with token=***");
	assert_int_equal(rig.err.code, E_TIMEOUT);
	free(big);
}

static void
checks_settings(void **state UNUSED)
{
	const struct provider_ops *ops = provider_find("exec");
	struct pair env[] = { { "A=B", "x" } };
	struct cluster *c = &rig.cluster;

	assert_int_equal(ops->check(c, NULL), 0);
	c->exec.env = env;
	c->exec.nenv = 1;
	assert_int_equal(ops->check(c, &rig.err), E_CONFIG);
	assert_non_null(strstr(rig.err.text, "'A=B'"));
	c->exec.nenv = 0;
	c->exec.api_version = "client.authentication.k8s.io/v1alpha1";
	assert_int_equal(ops->check(c, &rig.err), E_CONFIG);
	assert_non_null(strstr(rig.err.text, "v1alpha1"));
	c->exec.command = NULL;
	assert_int_equal(ops->check(c, &rig.err), E_CONFIG);
	assert_non_null(strstr(rig.err.text, "exec.command"));
}

/* As client-go does, of one document without doubles. */
static void
reads_yaml(void **state UNUSED)
{
	answers("apiVersion: " RIG_V1 "\nkind: ExecCredential\nstatus:\n"
	    "  token: t\n  expirationTimestamp: 2025-03-14T16:09:26Z\n");
	assert_int_equal(rig.verdict, PROVIDER_OK);
	assert_string_equal(rig.cred.value.ptr, "t");
	assert_int_equal(rig.cred.expires, RIG_NOW + 3600000);
	answers("warning: hi\n---\nkind: ExecCredential\n");
	assert_int_equal(rig.verdict, PROVIDER_FAILED);
	answers("apiVersion: " RIG_V1 "\nkind: ExecCredential\nstatus:\n"
	    "  token: t\n  token: t\n");
	assert_int_equal(rig.verdict, PROVIDER_FAILED);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)
		TEST(gives_tokens),
		TEST(uses_expired_ones_once),
		TEST(passes_settings_on),
		TEST(tells_about_the_cluster),
		TEST(refuses_what_is_no_answer),
		TEST(says_how_it_ended),
		TEST(checks_settings),
		TEST(reads_yaml),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
