/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AWS as its own SDKs do it: inputs and outputs of those, recorded, in the
 * folder t/vectors or the one that STAGEDOOR_VECTORS names.
 */
#include "base.h"

#include "aws_rig.h"
#include "aws_token.h"
#include "files.h"
#include "jsonx.h"
#include "sigv4.h"

#define VECTORS_MAX (4 * 1024 * 1024)

/* --- Reading ------------------------------------------------------------- */

static struct json_object *
load(const char *kind)
{
	const char *folder = getenv("STAGEDOOR_VECTORS");
	const char *top = getenv("top_srcdir");
	struct json_object *all = NULL;
	struct secret text = SECRET_INIT;
	struct err err = ERR_INIT;
	char path[4096];

	if (folder != NULL)
		snprintf(path, sizeof(path), "%s/%s.json", folder, kind);
	else
		snprintf(path, sizeof(path), "%s/t/vectors/%s.json",
		    top != NULL ? top : ".", kind);
	if (file_read(path, VECTORS_MAX, &text, &err) != 0 ||
	    jsonx_parse(text.ptr, text.len, &all, &err) != 0)
		fail_msg("%s", err.text);
	secret_release(&text);
	assert_true(json_object_array_length(jsonx_get(all, "cases")) > 0);
	return all;
}

/* Call test for each case of a file; it says false if the case fails. */
static void
each(const char *kind, bool (*test)(struct json_object *in,
    struct json_object *expected))
{
	struct json_object *all = load(kind), *cases, *one;
	size_t i, failed = 0;

	cases = jsonx_get(all, "cases");
	for (i = 0; i < json_object_array_length(cases); i++) {
		one = json_object_array_get_idx(cases, i);
		rig_setup(NULL);
		if (!test(jsonx_get(one, "inputs"),
		    jsonx_get(one, "expected"))) {
			print_error("%s: %s fails\n", kind,
			    jsonx_str(one, "id"));
			failed++;
		}
		rig_teardown(NULL);
	}
	json_object_put(all);
	assert_int_equal(failed, 0);
}

static void
set(struct secret *s, struct json_object *obj, const char *key)
{
	const char *text = jsonx_str(obj, key);

	if (text != NULL)
		secret_set(s, text, strlen(text));
}

static int64_t
time_of(struct json_object *in)
{
	struct tm tm = { 0 };

	assert_non_null(strptime(jsonx_str(in, "time"), "%Y%m%dT%H%M%SZ",
	    &tm));
	return (int64_t)timegm(&tm) * 1000 + 999;
}

static struct aws_credentials
keys_of(struct json_object *in)
{
	struct aws_credentials keys = AWS_CREDENTIALS_INIT;

	keys.access_key_id = jsonx_str(in, "access_key_id");
	set(&keys.secret, in, "secret_access_key");
	set(&keys.session_token, in, "session_token");
	return keys;
}

static bool
same(const char *what, const char *want, const char *got)
{
	if (str_eq(want, got))
		return true;
	print_error("%s: expected\n%s\ngot\n%s\n", what, want ? want : "-",
	    got ? got : "-");
	return false;
}

/* --- Tokens -------------------------------------------------------------- */

static bool
token_case(struct json_object *in, struct json_object *expected)
{
	struct aws_credentials keys = keys_of(in);
	struct aws_token_request req = {
		.credentials = &keys,
		.host = jsonx_str(expected, "host"),
		.region = jsonx_str(in, "signing_region"),
		.cluster_id = jsonx_str(in, "cluster_id"),
		.expires = (unsigned)json_object_get_int(jsonx_get(in,
		    "expires")),
		.now = time_of(in),
	};
	bool ok = same("url", jsonx_str(expected, "url_sorted"),
	    aws_token_url(rig.arena, &req));
	const char *token = aws_token(rig.arena, &req);

	/* Those who ask for another host of STS get it by name. */
	if (jsonx_get(in, "fips") == NULL &&
	    jsonx_get(in, "sts_regional_endpoints") == NULL)
		ok &= same("host", req.host, aws_sts_host(rig.arena,
		    jsonx_str(in, "region")));
	ok &= str_starts(token, "k8s-aws-v1.aHR0cHM6Ly9") &&
	    strpbrk(token, "=+/ ") == NULL &&
	    strlen(token) == 11 + (strlen(jsonx_str(expected,
	    "url_sorted")) * 4 + 2) / 3;
	aws_credentials_release(&keys);
	return ok;
}

static void
tokens(void **state UNUSED)
{
	each("aws_eks_token", token_case);
}

/* --- Calls to STS -------------------------------------------------------- */

static bool
call_case(struct json_object *in, struct json_object *expected)
{
	struct aws_credentials keys = keys_of(in);
	const char *body = jsonx_str(expected, "body");
	const char *host = jsonx_str(expected, "url");
	struct pair headers[] = {
		{ "content-type", jsonx_str(expected, "content_type") },
		{ "x-amz-date", jsonx_str(expected, "x_amz_date") },
		{ "x-amz-security-token", keys.session_token.ptr },
	};
	struct sigv4_signer signer = { keys.access_key_id, &keys.secret,
	    &keys.session_token, jsonx_str(in, "region"), "sts",
	    time_of(in) };
	struct sigv4_request req = { .method = jsonx_str(expected, "method"),
	    .headers = headers, .body = body, .body_len = strlen(body),
	    .nheaders = keys.session_token.len > 0 ? 3 : 2 };
	bool ok = true;

	host += strlen("https://");
	req.host = arena_strndup(rig.arena, host, strcspn(host, "/"));
	/* A web identity's call is not signed. */
	if (jsonx_str(expected, "authorization") != NULL)
		ok = same("Authorization", jsonx_str(expected,
		    "authorization"), sigv4_authorization(rig.arena, &signer,
		    &req));
	aws_credentials_release(&keys);
	return ok;
}

static void
calls(void **state UNUSED)
{
	each("aws_sts_calls", call_case);
}

/* --- The chain of sources ------------------------------------------------ */

static void
lay_out(struct json_object *in)
{
	struct json_object *env = jsonx_get(in, "env");
	const char *config = jsonx_str(in, "config");
	const char *credentials = jsonx_str(in, "credentials");

	rig_variable("AWS_REGION", "eu-west-1");
	rig_variable("AWS_CONFIG_FILE", "/d/config");
	rig_variable("AWS_SHARED_CREDENTIALS_FILE", "/d/credentials");
	if (config != NULL)
		rig_file("/d/config", config);
	if (credentials != NULL)
		rig_file("/d/credentials", credentials);
	json_object_object_foreach(env, name, value)
		rig_variable(name, json_object_get_string(value));
}

/* Does the case ask over the network or start a program? */
static bool
needs_more(struct json_object *in, struct json_object *expected)
{
	const char *config = jsonx_str(in, "config");

	return json_object_array_length(jsonx_get(expected, "requests")) > 0 ||
	    (config != NULL && strstr(config, "credential_process") != NULL);
}

static bool
chain_case(struct json_object *in, struct json_object *expected)
{
	struct json_object *want = jsonx_get(expected, "result");

	lay_out(in);
	rig_get();
	if (rig.r == E_NOTBUILT && needs_more(in, expected))
		return strstr(rig.err.text, "not built in yet") != NULL;
	if (jsonx_str(want, "error") != NULL)
		return rig.r != 0 && rig.err.text[0] != '\0';
	return same("error", "", rig.r == 0 ? "" : rig.err.text) &&
	    same("key", jsonx_str(want, "k"), rig.got.access_key_id) &&
	    same("secret", jsonx_str(want, "s"), rig.got.secret.ptr) &&
	    same("token", jsonx_str(want, "t"), rig.got.session_token.ptr);
}

static void
sources(void **state UNUSED)
{
	each("aws_credential_chain", chain_case);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tokens),
		cmocka_unit_test(calls),
		cmocka_unit_test(sources),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
