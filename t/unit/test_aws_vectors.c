/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AWS as its own SDKs do it: inputs and outputs of those, recorded.
 */
#include "base.h"

#include "aws_rig.h"
#include "aws_sts.h"
#include "aws_token.h"
#include "sigv4.h"
#include "vectors.h"

/* --- Reading ------------------------------------------------------------- */

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
	bool ok = vectors_same("url", jsonx_str(expected, "url_sorted"),
	    aws_token_url(rig.arena, &req));
	const char *token = aws_token(rig.arena, &req);

	/* Those who ask for another host of STS get it by name. */
	if (jsonx_get(in, "fips") == NULL &&
	    jsonx_get(in, "sts_regional_endpoints") == NULL)
		ok &= vectors_same("host", req.host, aws_sts_host(rig.arena,
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
	vectors_each("aws_eks_token", token_case);
}

/* --- Calls to STS -------------------------------------------------------- */

#define ROLE_XML "<AccessKeyId>ASIATESTASSUMED00000</AccessKeyId>" \
	"<SecretAccessKey>assumedSecret/+=</SecretAccessKey>" \
	"<SessionToken>assumedToken//+==</SessionToken>" \
	"<Expiration>2099-01-01T00:00:00Z</Expiration>"

/* A field of a form, decoded, in the rig's arena; NULL: it has none. */
static const char *
form_field(const char *body, const char *name)
{
	size_t len = strlen(name);
	unsigned byte;
	char *out, *to;

	while (strncmp(body, name, len) != 0 || body[len] != '=') {
		body = strchr(body, '&');
		if (body == NULL)
			return NULL;
		body++;
	}
	body += len + 1;
	out = to = arena_alloc(rig.arena, strlen(body) + 1);
	for (; *body != '\0' && *body != '&'; body++) {
		if (*body != '%')
			*to++ = *body;
		else if (sscanf(body + 1, "%2x", &byte) == 1)
			*to++ = (char)byte, body += 2;
	}
	return out;
}

static int
sts(const struct rig_asked *rq, struct http_answer *out)
{
	const char *action = form_field(rq->body, "Action");
	const char *role = form_field(rq->body, "RoleArn");

	if (role != NULL && strstr(role, "/denied") != NULL)
		rig_say(out, 403, "<ErrorResponse><Error><Type>Sender</Type>"
		    "<Code>AccessDenied</Code><Message>User is not authorized "
		    "to perform: sts:AssumeRole</Message></Error>"
		    "</ErrorResponse>");
	else if (strcmp(action, "GetCallerIdentity") == 0)
		rig_say(out, 200, "<GetCallerIdentityResponse>"
		    "<GetCallerIdentityResult><Arn>arn:aws:iam::111111111111:"
		    "user/x</Arn><UserId>A</UserId><Account>111111111111"
		    "</Account></GetCallerIdentityResult>"
		    "</GetCallerIdentityResponse>");
	else
		rig_say(out, 200, arena_printf(rig.arena, "<%sResponse xmlns="
		    "\"https://sts.amazonaws.com/doc/2011-06-15/\"><%sResult>"
		    "<Credentials>" ROLE_XML "</Credentials></%sResult>"
		    "</%sResponse>", action, action, action, action));
	return 0;
}

/* The call that these parameters are of. */
static int
make_call(const struct provider_call *call, struct json_object *in,
    struct aws_credentials *keys, struct source_value *out)
{
	struct json_object *params = jsonx_get(in, "params");
	struct json_object *duration = jsonx_get(params, "DurationSeconds");
	const char *action = jsonx_str(in, "action");
	struct aws_role role = {
		.arn = jsonx_str(params, "RoleArn"),
		.session = jsonx_str(params, "RoleSessionName"),
		.external_id = jsonx_str(params, "ExternalId"),
		.duration = duration != NULL ?
		    json_object_get_string(duration) : NULL,
		.sts = { .region = jsonx_str(in, "region") },
	};

	if (strcmp(action, "AssumeRole") == 0)
		return aws_sts_assume(call, &role, keys, out, &rig.err);
	if (strcmp(action, "GetCallerIdentity") == 0)
		return aws_sts_caller(call, &role.sts, keys, out, &rig.err);
	rig_file("/token", jsonx_str(params, "WebIdentityToken"));
	return aws_sts_web_identity(call, &role, "/token", out, &rig.err);
}

/* The same parameters, in whatever order they are. */
static bool
same_form(struct json_object *in, const char *body)
{
	struct json_object *params = jsonx_get(in, "params");
	bool ok = vectors_same("Action", jsonx_str(in, "action"),
	    form_field(body, "Action"));

	json_object_object_foreach(params, name, value)
		ok &= vectors_same(name, json_object_get_string(value),
		    form_field(body, name));
	return ok;
}

/* The signature of what the case sends, if ours has another order. */
static const char *
signature_of(struct json_object *in, struct json_object *expected,
    const struct aws_credentials *keys)
{
	const char *host = jsonx_str(expected, "url") + strlen("https://");
	const char *body = jsonx_str(expected, "body");
	struct pair headers[] = {
		{ "content-type", jsonx_str(expected, "content_type") },
		{ "x-amz-date", jsonx_str(expected, "x_amz_date") },
		{ "x-amz-security-token", keys->session_token.ptr },
	};
	struct sigv4_signer signer = { keys->access_key_id, &keys->secret,
	    &keys->session_token, jsonx_str(in, "region"), "sts",
	    time_of(in) };
	struct sigv4_request req = { .method = "POST",
	    .host = arena_strndup(rig.arena, host, strcspn(host, "/")),
	    .headers = headers, .body = body, .body_len = strlen(body),
	    .nheaders = keys->session_token.len > 0 ? 3 : 2 };

	return sigv4_authorization(rig.arena, &signer, &req);
}

static bool
call_case(struct json_object *in, struct json_object *expected)
{
	struct source_value value = SOURCE_VALUE_INIT;
	struct aws_credentials keys = keys_of(in);
	struct provider_call call = rig_call();
	const struct rig_asked *rq = &rig.asked[0];
	const char *want = jsonx_str(expected, "authorization"), *got;
	bool ok;

	rig.cloud = sts;
	call.now = time_of(in);
	ok = make_call(&call, in, &keys, &value) == 0 && rig.nasked == 1;
	got = rig_header(rq, "Authorization");
	if (want != NULL && strcmp(rq->body, jsonx_str(expected,
	    "body")) != 0)
		got = signature_of(in, expected, &keys);
	ok = ok && vectors_same("method", jsonx_str(expected, "method"),
		rq->method)
	    && vectors_same("url", jsonx_str(expected, "url"), rq->url)
	    && vectors_same("Content-Type", jsonx_str(expected, "content_type"),
		rig_header(rq, "Content-Type"))
	    && vectors_same("X-Amz-Date", jsonx_str(expected, "x_amz_date"),
		rig_header(rq, "X-Amz-Date"))
	    && vectors_same("X-Amz-Security-Token", jsonx_str(expected,
		"x_amz_security_token"), rig_header(rq,
		"X-Amz-Security-Token"))
	    && vectors_same("Authorization", want, got)
	    && same_form(in, rq->body);
	source_value_release(&value);
	aws_credentials_release(&keys);
	return ok;
}

static void
calls(void **state UNUSED)
{
	vectors_each("aws_sts_calls", call_case);
}

/* --- The chain of sources ------------------------------------------------ */

/*
 * These run with real files and programs, in a folder that $DIR stands for,
 * and a cloud that is at one address: STS, the container's endpoint and the
 * instance's. All other addresses are closed.
 */
#define CLOUD "http://127.0.0.1:18080"

static char folder[] = "/tmp/stagedoor-vectors-XXXXXX";

static int
chain_cloud(const struct rig_asked *rq, struct http_answer *out)
{
	static const char roles[] =
	    "/latest/meta-data/iam/security-credentials/";
	const char *path = rig_path(rq);

	if (!str_starts(rq->url, CLOUD))
		return E_CONNECT;
	if (strcmp(rq->method, "POST") == 0)
		return sts(rq, out);
	if (strcmp(rq->method, "PUT") == 0)
		rig_say(out, 200, "IMDSTOKEN");
	else if (strcmp(path, roles) == 0)
		rig_say(out, 200, "my-role\n");
	else if (str_starts(path, roles))
		rig_say(out, 200, "{\"Code\":\"Success\",\"AccessKeyId\":"
		    "\"ASIAIMDS000000000000\",\"SecretAccessKey\":"
		    "\"imdsSecret\",\"Token\":\"imdsToken\","
		    "\"Expiration\":\"2099-01-01T00:00:00Z\"}");
	else
		rig_say(out, 200, "{\"AccessKeyId\":\"ASIACONT000000000000\","
		    "\"SecretAccessKey\":\"contSecret\",\"Token\":"
		    "\"contToken\",\"Expiration\":\"2099-01-01T00:00:00Z\"}");
	return 0;
}

/* text with the folder in place of $DIR. */
static const char *
in_folder(const char *text)
{
	const char *at;

	while ((at = strstr(text, "$DIR")) != NULL)
		text = arena_printf(rig.arena, "%.*s%s%s", (int)(at - text),
		    text, folder, at + 4);
	return text;
}

static void
lay_file(const char *name, const char *text)
{
	const char *path = arena_printf(rig.arena, "%s/%s", folder, name);
	FILE *f;

	if (text == NULL) {
		unlink(path);
		return;
	}
	f = fopen(path, "w");
	assert_non_null(f);
	text = in_folder(text);
	assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
	assert_int_equal(fclose(f), 0);
}

static void
lay_out(struct json_object *in)
{
	rig_variable("PATH", "/usr/bin:/bin");
	rig_variable("AWS_REGION", "eu-west-1");
	rig_variable("AWS_CONFIG_FILE", in_folder("$DIR/config"));
	rig_variable("AWS_SHARED_CREDENTIALS_FILE",
	    in_folder("$DIR/credentials"));
	rig_variable("AWS_ENDPOINT_URL_STS", CLOUD);
	rig_variable("AWS_EC2_METADATA_SERVICE_ENDPOINT",
	    "http://127.0.0.1:1");
	lay_file("config", jsonx_str(in, "config"));
	lay_file("credentials", jsonx_str(in, "credentials"));
	json_object_object_foreach(jsonx_get(in, "files"), file, text)
		lay_file(file, json_object_get_string(text));
	json_object_object_foreach(jsonx_get(in, "env"), name, value)
		rig_variable(name, in_folder(json_object_get_string(value)));
}

static void
clear_out(struct json_object *in)
{
	lay_file("config", NULL);
	lay_file("credentials", NULL);
	json_object_object_foreach(jsonx_get(in, "files"), file, text) {
		(void)text;
		lay_file(file, NULL);
	}
}

/* Up to where the case leaves the rest open, with today's date. */
static bool
same_start(const char *name, const char *want, const char *got)
{
	const char *end = strstr(want, " \u2026");
	const char *date = strstr(want, "<date>");
	char day[SIGV4_DATE];

	if (date != NULL) {
		sigv4_date(RIG_NOW, day);
		want = arena_printf(rig.arena, "%.*s%.8s%s",
		    (int)(date - want), want, day, date + 6);
		end = strstr(want, " \u2026");
	}
	if (end == NULL || got == NULL)
		return vectors_same(name, want, got);
	want = arena_strndup(rig.arena, want, (size_t)(end - want));
	if (str_starts(got, want))
		return true;
	return vectors_same(name, want, got);
}

static bool
same_request(struct json_object *want, const struct rig_asked *got)
{
	struct json_object *form = jsonx_get(want, "form");
	bool ok = vectors_same("method", jsonx_str(want, "method"),
		got->method) &&
	    vectors_same("path", jsonx_str(want, "path"), rig_path(got));

	if (jsonx_str(want, "authorization") == NULL)
		ok &= vectors_same("authorization", NULL,
		    rig_header(got, "authorization"));
	json_object_object_foreach(want, name, value) {
		if (strcmp(name, "method") == 0 || strcmp(name, "path") == 0 ||
		    strcmp(name, "form") == 0)
			continue;
		ok &= same_start(name, json_object_get_string(value),
		    rig_header(got, name));
	}
	if (form == NULL)
		return ok;
	json_object_object_foreach(form, field, text) {
		const char *mine = form_field(got->body, field);
		const char *other = json_object_get_string(text);

		ok &= strcmp(other, "*") == 0 ? mine != NULL :
		    vectors_same(field, other, mine);
	}
	return ok;
}

static int
run_it(const struct provider_call *call UNUSED, const struct process *p,
    struct process_result *out, struct err *err)
{
	return process_run(p, out, err);
}

static int
read_it(const char *path, struct secret *out, struct err *err)
{
	return file_read(path, PROVIDER_FILE_MAX, out, err);
}

static bool
same_result(struct json_object *want)
{
	if (jsonx_str(want, "error") != NULL)
		return rig.r != 0 && rig.err.text[0] != '\0';
	return vectors_same("error", "", rig.r == 0 ? "" : rig.err.text) &&
	    vectors_same("key", jsonx_str(want, "k"), aws.got.access_key_id) &&
	    vectors_same("secret", jsonx_str(want, "s"), aws.got.secret.ptr) &&
	    vectors_same("token", jsonx_str(want, "t"),
		aws.got.session_token.ptr);
}

static bool
chain_case(struct json_object *in, struct json_object *expected)
{
	struct json_object *requests = jsonx_get(expected, "requests");
	struct provider_call call = rig_call();
	size_t i, k, n = json_object_array_length(requests);
	bool ok;

	call.run = run_it;
	call.read_file = read_it;
	rig.cloud = chain_cloud;
	lay_out(in);
	rig_get_with(&call);
	clear_out(in);
	ok = same_result(jsonx_get(expected, "result"));
	/* The cloud knows nothing of what is asked of closed addresses. */
	for (i = k = 0; i < rig.nasked; i++) {
		if (!str_starts(rig.asked[i].url, CLOUD))
			continue;
		ok &= k < n && same_request(json_object_array_get_idx(requests,
		    k), &rig.asked[i]);
		k++;
	}
	if (k == n)
		return ok;
	print_error("%zu requests in place of %zu\n", k, n);
	return false;
}

static void
sources(void **state UNUSED)
{
	assert_non_null(mkdtemp(folder));
	vectors_each("aws_credential_chain", chain_case);
	assert_int_equal(rmdir(folder), 0);
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
