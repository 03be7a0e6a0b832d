/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Workload identities: where the token of the other issuer comes from, what
 * is asked of Google with it, and which addresses credentials may name.
 */
#include "base.h"

#include "google_rig.h"
#include "sigv4.h"

#define STS_URL "https://sts.googleapis.com/v1/token"
#define IAM_URL "https://iamcredentials.googleapis.com/v1/projects/-/" \
	"serviceAccounts/other@p.iam:generateAccessToken"
#define GOOD "{\"access_token\":\"tok-1\",\"expires_in\":3600," \
	"\"issued_token_type\":\"x\",\"token_type\":\"Bearer\"}"
#define AUDIENCE "//iam.googleapis.com/projects/1/p"

static char *
external(const char *source, const char *more)
{
	return arena_printf(rig.arena, "{\"type\":\"external_account\","
	    "\"audience\":\"" AUDIENCE "\",\"subject_token_type\":\"st\","
	    "\"credential_source\":%s%s}", source, more);
}

/* --- Files and URLs ------------------------------------------------------ */

static void
file(void **state UNUSED)
{
	rig_credentials(external("{\"file\":\"/t\"}",
	    ",\"token_url\":\"" STS_URL "\""));
	rig_file("/t", " sub.ject\r\n\n");
	rig_says(STS_URL, GOOD);
	rig_expect("tok-1");
	assert_string_equal(rig.asked[0].body, "grant_type=urn%3Aietf%3Aparams"
	    "%3Aoauth%3Agrant-type%3Atoken-exchange&audience=%2F%2Fiam."
	    "googleapis.com%2Fprojects%2F1%2Fp&scope=scope.a%20scope.b&"
	    "requested_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3A"
	    "access_token&subject_token=sub.ject&subject_token_type=st");
	/* It is read each time. */
	rig_file("/t", "rotated");
	rig_says(STS_URL, GOOD);
	rig_expect("tok-1");
	rig_form_has(1, "subject_token=rotated");
	rig_file("/t", " \n");
	rig_refuse(E_CONFIG, "there is no subject token");
	rig_file("/t", "!");
	rig_refuse(E_SYSTEM, "cannot be read: the log says why");
	assert_null(strstr(rig.err.text, "/t'"));
	assert_non_null(strstr(rig.err.detail, "'/t'"));
}

static void
file_of_json(void **state UNUSED)
{
	rig_credentials(external("{\"file\":\"/t\",\"format\":{\"type\":"
	    "\"json\",\"subject_token_field_name\":\"tok\"}}", ""));
	rig_file("/t", "{\"tok\":\"from-json\"}\n");
	rig_says(STS_URL, GOOD);
	rig_expect("tok-1");
	rig_form_has(0, "subject_token=from-json");
	rig_file("/t", "{\"other\":\"x\"}");
	rig_refuse(E_CONFIG, "there is no subject token");
	rig_file("/t", "plain");
	rig_refuse(E_CONFIG, "there is no subject token");
	rig_credentials(external("{\"file\":\"/t\",\"format\":{\"type\":"
	    "\"json\"}}", ""));
	rig_refuse(E_CONFIG, "subject_token_field_name is missing");
}

static void
url(void **state UNUSED)
{
	rig_credentials(external("{\"url\":\"http://issuer:80/t\",\"headers\":"
	    "{\"X-A\":\"b\",\"Authorization\":\"Bearer xyz-secret\"}}", ""));
	rig_says("http://issuer:80/t", "subject\n");
	rig_says(STS_URL, GOOD);
	rig_expect("tok-1");
	assert_string_equal(rig.asked[0].method, "GET");
	assert_string_equal(rig.asked[0].headers,
	    "X-A: b\nAuthorization: Bearer xyz-secret\n");
	rig_form_has(1, "subject_token=subject");
	rig_answer(&(struct rig_answer){ .url = "http://issuer:80/t",
	    .status = 401, .body = "{\"error\":\"no Bearer xyz-secret\"}" });
	rig_refuse(E_DENIED, "(workload identity): issuer:80 answered 401 "
	    "no ***");
	rig_credentials(external("{\"url\":\"file:///etc/shadow\"}", ""));
	rig_refuse(E_CONFIG, "the url of its credential_source");
	rig_credentials(external("{\"url\":\"http://issuer:80/t\",\"headers\":"
	    "{\"X-A\":\"b\\r\\nY: z\"}}", ""));
	rig_refuse(E_CONFIG, "headers");
	rig_credentials(external("{\"url\":\"http://issuer:80/t\",\"headers\":"
	    "{\"X-A: b\":\"c\"}}", ""));
	rig_refuse(E_CONFIG, "headers");
}

static void
other_sources(void **state UNUSED)
{
	rig_credentials(external("{\"executable\":{\"command\":\"x\"}}", ""));
	rig_refuse(E_CONFIG, "of kind 'executable', which cannot be used");
	rig_credentials(external("{\"certificate\":{}}", ""));
	rig_refuse(E_CONFIG, "of kind 'certificate', which cannot be used");
	rig_credentials(external("{}", ""));
	rig_refuse(E_CONFIG, "no file, no url and no environment_id");
	rig_credentials(external("{\"environment_id\":\"aws2\"}", ""));
	rig_refuse(E_CONFIG, "not aws1");
	rig_credentials("{\"type\":\"external_account\"}");
	rig_refuse(E_CONFIG, "is missing in it");
}

/* --- The exchange -------------------------------------------------------- */

static void
clients(void **state UNUSED)
{
	rig_file("/t", "s");
	rig_credentials(external("{\"file\":\"/t\"}",
	    ",\"client_id\":\"id\",\"client_secret\":\"secret?\","
	    "\"workforce_pool_user_project\":\"p\""));
	rig_says(STS_URL, GOOD);
	rig_expect("tok-1");
	assert_non_null(strstr(rig.asked[0].headers,
	    "Authorization: Basic aWQ6c2VjcmV0Pw==\n"));
	assert_null(strstr(rig.asked[0].body, "options"));
	rig_credentials(external("{\"file\":\"/t\"}",
	    ",\"workforce_pool_user_project\":\"p\""));
	rig_says(STS_URL, GOOD);
	rig_expect("tok-1");
	rig_form_has(1, "options=%7B%22userProject%22%3A%22p%22%7D");
}

static void
impersonated(void **state UNUSED)
{
	rig_file("/t", "s");
	rig_credentials(external("{\"file\":\"/t\"}",
	    ",\"service_account_impersonation_url\":\"" IAM_URL "\","
	    "\"service_account_impersonation\":"
	    "{\"token_lifetime_seconds\":2800}"));
	rig_says(STS_URL, GOOD);
	rig_says(IAM_URL, "{\"accessToken\":\"tok-2\",\"expireTime\":"
	    "\"2025-03-14T17:09:26+01:00\"}");
	rig_expect("tok-2");
	assert_int_equal(google.got.expires, RIG_NOW + 3600000);
	rig_form_has(0, "scope=https%3A%2F%2Fwww.googleapis.com%2Fauth%2F"
	    "cloud-platform");
	assert_string_equal(rig.asked[1].body, "{\"scope\":[\"scope.a\","
	    "\"scope.b\"],\"lifetime\":\"2800s\"}");
	assert_non_null(strstr(rig.asked[1].headers, "Bearer tok-1\n"));
}

/* A file from elsewhere must not lead tokens elsewhere. */
static void
trust(void **state UNUSED)
{
	static const char *const bad[] = { "https://example.com/v1/token",
	    "http://sts.googleapis.com/v1/token",
	    "https://sts.googleapis.com.example/v1/token",
	    "https://sts.googleapis.com@example.com/",
	    "https://example.com\\\\.googleapis.com/",
	    "https://example.com/.googleapis.com",
	    "https://example.com?.googleapis.com",
	    "https://example.com#.googleapis.com",
	    "https://notgoogleapis.com/", "https://.googleapis.com/",
	    "https://127.0.0.1.example.com/", "https://0x7f.1/",
	    "https://169.254.169.254/", "http://[::2]/", NULL };
	size_t i;

	rig_file("/t", "s");
	for (i = 0; bad[i] != NULL; i++) {
		rig_credentials(external("{\"file\":\"/t\"}", arena_printf(
		    rig.arena, ",\"token_url\":\"%s\"", bad[i])));
		rig_refuse(E_CONFIG, "its token_url is not https");
		rig_credentials(external("{\"file\":\"/t\"}", arena_printf(
		    rig.arena, ",\"service_account_impersonation_url\":"
		    "\"%s\"", bad[i])));
		rig_refuse(E_CONFIG,
		    "its service_account_impersonation_url is not https");
	}
	rig_credentials(external("{\"file\":\"/t\"}",
	    ",\"token_url\":\"https://eu.STS.GoogleAPIs.com:443/v1/token\""));
	rig_says("https://eu.STS.GoogleAPIs.com:443/v1/token", GOOD);
	rig_expect("tok-1");
	rig_credentials(external("{\"file\":\"/t\"}",
	    ",\"token_url\":\"http://localhost:99/v1/token\""));
	rig_says("http://localhost:99/v1/token", GOOD);
	rig_expect("tok-1");
}

/* --- AWS ----------------------------------------------------------------- */

#define AWS "{\"environment_id\":\"aws1\"," \
	"\"region_url\":\"http://169.254.169.254/zone\"," \
	"\"url\":\"http://169.254.169.254/roles\"," \
	"\"imdsv2_session_token_url\":\"http://169.254.169.254/session\"}"

/* The decoded subject token of a form. */
static struct json_object *
subject_in(size_t which)
{
	char *text = strstr(rig.asked[which].body, "subject_token=") + 14;
	struct json_object *tree = NULL;
	int twice;

	text = arena_strndup(rig.arena, text, strcspn(text, "&"));
	for (twice = 0; twice < 2; twice++) {
		char *p, *to;

		for (p = to = text; *p != '\0'; p++) {
			unsigned hex;

			if (*p == '%' && sscanf(p + 1, "%2x", &hex) == 1) {
				*to++ = (char)hex;
				p += 2;
			} else {
				*to++ = *p;
			}
		}
		*to = '\0';
	}
	if (jsonx_parse(text, strlen(text), &tree, NULL) != 0)
		fail_msg("no JSON: %s", text);
	return tree;
}

static const char *
header_in(struct json_object *subject, const char *name)
{
	struct json_object *list = jsonx_get(subject, "headers"), *one;
	size_t i;

	for (i = 0; i < json_object_array_length(list); i++) {
		one = json_object_array_get_idx(list, i);
		if (strcasecmp(jsonx_str(one, "key"), name) == 0)
			return jsonx_str(one, "value");
	}
	return NULL;
}

/* What signs is sigv4.c's; here only that it is the request that is sent. */
static void
check_subject(struct json_object *subject, const char *region,
    const char *session)
{
	struct secret secret = SECRET_INIT, token = SECRET_INIT;
	const char *host = arena_printf(rig.arena, "sts.%s.amazonaws.com",
	    region);
	const struct pair query[] = { { "Action", "GetCallerIdentity" },
	    { "Version", "2011-06-15" } };
	const struct pair headers[] = {
		{ "x-amz-date", "20250314T150926Z" },
		{ "x-amz-security-token", session } };
	const struct sigv4_signer signer = { "AKID", &secret, &token, region,
	    "sts", RIG_NOW };

	secret_set(&secret, "aws-secret", 10);
	assert_string_equal(jsonx_str(subject, "method"), "POST");
	assert_string_equal(jsonx_str(subject, "url"), arena_printf(rig.arena,
	    "https://%s?Action=GetCallerIdentity&Version=2011-06-15", host));
	assert_string_equal(header_in(subject, "host"), host);
	assert_string_equal(header_in(subject, "x-amz-date"),
	    "20250314T150926Z");
	assert_string_equal(header_in(subject, "x-goog-cloud-target-resource"),
	    AUDIENCE);
	if (session == NULL)
		assert_null(header_in(subject, "x-amz-security-token"));
	else
		assert_string_equal(header_in(subject,
		    "x-amz-security-token"), session);
	assert_string_equal(header_in(subject, "authorization"),
	    sigv4_authorization(rig.arena, &signer, &(struct sigv4_request){
	    .method = "POST", .host = host, .query = query, .nquery = 2,
	    .headers = headers, .nheaders = session ? 2 : 1 }));
	secret_release(&secret);
	json_object_put(subject);
}

/* The signature of Google's own library for the same. */
#define SIGNATURE "a903cb05b99ac667d0f1f5812a80e2de" \
	"0c0d8db3ce9127293e188b47f9f66a66"

static void
aws_environment(void **state UNUSED)
{
	rig_credentials(external(AWS, ""));
	rig_variable("AWS_DEFAULT_REGION", "eu-west-1");
	rig_variable("AWS_ACCESS_KEY_ID", "AKID");
	rig_variable("AWS_SECRET_ACCESS_KEY", "aws-secret");
	rig_says(STS_URL, GOOD);
	rig_expect("tok-1");
	check_subject(subject_in(0), "eu-west-1", NULL);
	rig_variable("AWS_REGION", "us-east-2");
	rig_variable("AWS_SESSION_TOKEN", "ses+/=");
	rig_says(STS_URL, GOOD);
	rig_expect("tok-1");
	check_subject(subject_in(1), "us-east-2", "ses+/=");
	assert_non_null(strstr(rig.asked[1].body, SIGNATURE));
	assert_non_null(strstr(rig.inputs, "\naws-secret\nses+/=\n"));
	rig_variable("AWS_REGION", "evil.example/");
	rig_refuse(E_CONFIG, "the AWS region is none");
}

static void
aws_instance(void **state UNUSED)
{
	rig_credentials(external(AWS, ""));
	rig_says("http://169.254.169.254/session", "imds-session");
	rig_says("http://169.254.169.254/zone", "us-east-2b\n");
	rig_says("http://169.254.169.254/roles", "node");
	rig_says("http://169.254.169.254/roles/node", "{\"AccessKeyId\":"
	    "\"AKID\",\"SecretAccessKey\":\"aws-secret\",\"Token\":\"ses\"}");
	rig_says(STS_URL, GOOD);
	rig_expect("tok-1");
	check_subject(subject_in(4), "us-east-2", "ses");
	assert_string_equal(rig.asked[0].method, "PUT");
	assert_string_equal(rig.asked[0].headers,
	    "X-aws-ec2-metadata-token-ttl-seconds: 300\n");
	assert_string_equal(rig.asked[1].headers,
	    "X-aws-ec2-metadata-token: imds-session\n");
	assert_string_equal(rig.asked[3].headers, rig.asked[1].headers);
}

static void
aws_lacks(void **state UNUSED)
{
	rig_credentials(external("{\"environment_id\":\"aws1\"}", ""));
	rig_refuse(E_CONFIG, "the AWS region is not known");
	rig_variable("AWS_REGION", "us-east-2");
	rig_refuse(E_CONFIG, "there are no AWS keys");
	rig_credentials(external(AWS, ""));
	rig_answer(&(struct rig_answer){ .url =
	    "http://169.254.169.254/session", .status = 403, .body = "" });
	rig_refuse(E_DENIED, "169.254.169.254 answered 403");
	rig_says("http://169.254.169.254/session", "s s");
	rig_refuse(E_PROTOCOL, "no session token");
	rig_says("http://169.254.169.254/session", "s");
	rig_says("http://169.254.169.254/roles", "a/../b");
	rig_refuse(E_PROTOCOL, "no name of a role");
	rig_says("http://169.254.169.254/session", "s");
	rig_says("http://169.254.169.254/roles", "node");
	rig_says("http://169.254.169.254/roles/node", "{}");
	rig_refuse(E_PROTOCOL, "no keys");
	rig_variable("AWS_ACCESS_KEY_ID", "AKID");
	rig_variable("AWS_SECRET_ACCESS_KEY", "aws-secret");
	rig_credentials(external("{\"environment_id\":\"aws1\","
	    "\"regional_cred_verification_url\":\"http://x/\"}", ""));
	rig_refuse(E_CONFIG, "regional_cred_verification_url");
}

/* A clock that is wrong is corrected for AWS's signature too. */
static void
aws_skewed(void **state UNUSED)
{
	struct json_object *subject;

	rig_credentials(external(AWS, ""));
	rig_variable("AWS_REGION", "us-east-2");
	rig_variable("AWS_ACCESS_KEY_ID", "AKID");
	rig_variable("AWS_SECRET_ACCESS_KEY", "aws-secret");
	rig_answer(&(struct rig_answer){ .url = STS_URL, .status = 400,
	    .body = "{\"error\":\"invalid_grant\"}", .skew = 600000 });
	rig_says(STS_URL, GOOD);
	rig_expect("tok-1");
	subject = subject_in(1);
	assert_string_equal(header_in(subject, "x-amz-date"),
	    "20250314T151926Z");
	json_object_put(subject);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(file),
		RIG_TEST(file_of_json),
		RIG_TEST(url),
		RIG_TEST(other_sources),
		RIG_TEST(clients),
		RIG_TEST(impersonated),
		RIG_TEST(trust),
		RIG_TEST(aws_environment),
		RIG_TEST(aws_instance),
		RIG_TEST(aws_lacks),
		RIG_TEST(aws_skewed),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
