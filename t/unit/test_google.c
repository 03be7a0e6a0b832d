/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where Google's credentials come from, and the tokens of accounts, users and
 * metadata servers; what is tried again, and what is said of failures.
 */
#include "base.h"

#include "google_rig.h"
#include "jwt_parts.h"

#define TOKEN_URL "https://oauth2.googleapis.com/token"
#define IAM_URL "https://iamcredentials.googleapis.com/v1/projects/-/" \
	"serviceAccounts/other@p.iam:generateAccessToken"
#define METADATA_URL "http://metadata.google.internal/computeMetadata/v1/" \
	"instance/service-accounts/default/token"
#define FLAVOR "HTTP/1.1 200 OK\r\nmetadata-flavor: Google\r\n"
#define GOOD "{\"access_token\":\"tok-1\",\"expires_in\":3599," \
	"\"token_type\":\"Bearer\"}"
#define USER "{\"type\":\"authorized_user\",\"client_id\":\"cid\"," \
	"\"client_secret\":\"c&s=1/secret\",\"refresh_token\":\"1//r+t\"}"

/* --- Keys of accounts ---------------------------------------------------- */

/* Of the assertion in that question; the caller puts it. */
static struct json_object *
sent_claims(size_t which)
{
	return jwt_json(rig.arena, strstr(rig.asked[which].body,
	    "assertion=") + 10, 1);
}

static void
account(void **state UNUSED)
{
	struct json_object *header, *claims;
	const char *jwt;

	rig_credentials(rig_account(""));
	rig_says(TOKEN_URL, GOOD);
	rig_expect("tok-1");
	assert_int_equal(google.got.expires, RIG_NOW + 3599000);
	assert_int_equal(google.got.margin, 300000);

	assert_string_equal(rig.asked[0].method, "POST");
	assert_string_equal(rig.asked[0].url, TOKEN_URL);
	assert_string_equal(rig.asked[0].headers,
	    "Content-Type: application/x-www-form-urlencoded\n");
	rig_form_has(0, "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type"
	    "%3Ajwt-bearer");
	jwt = strstr(rig.asked[0].body, "assertion=") + 10;
	header = jwt_json(rig.arena, jwt, 0);
	claims = jwt_json(rig.arena, jwt, 1);
	assert_string_equal(jsonx_str(header, "kid"), "kid1");
	assert_string_equal(jsonx_str(claims, "iss"), "sa@p.iam");
	assert_string_equal(jsonx_str(claims, "scope"), RIG_SCOPES);
	assert_string_equal(jsonx_str(claims, "aud"), TOKEN_URL);
	assert_int_equal(json_object_get_int64(jsonx_get(claims, "iat")),
	    RIG_NOW / 1000);
	assert_int_equal(json_object_get_int64(jsonx_get(claims, "exp")),
	    RIG_NOW / 1000 + 3600);
	assert_null(jsonx_get(claims, "sub"));
	json_object_put(header);
	json_object_put(claims);
	assert_non_null(strstr(rig.notes, "googleServiceAccountCredentials "
	    "is set\n"));
	assert_null(strstr(rig.notes, "PRIVATE KEY"));
	assert_non_null(strstr(rig.inputs, "PRIVATE KEY"));
	assert_string_equal(rig.kinds, "google token, ");
	assert_true(str_starts(rig.inputs, RIG_SCOPES "\n"));
}

/* The assertion goes where token_uri says, with the usual audience. */
static void
token_uri(void **state UNUSED)
{
	static const char *const bad[] = { "http://example.com/token",
	    "ftp://example.com/", "https://a@127.0.0.1/", "token", NULL };
	struct json_object *claims;
	size_t i;

	rig_credentials(rig_account(",\"token_uri\":"
	    "\"http://127.0.0.1:1234/token\""));
	rig_says("http://127.0.0.1:1234/token", GOOD);
	rig_expect("tok-1");
	claims = sent_claims(0);
	assert_string_equal(jsonx_str(claims, "aud"), TOKEN_URL);
	json_object_put(claims);

	rig_credentials(rig_account(",\"token_uri\":\"https://t.example/x\""));
	rig_says("https://t.example/x", GOOD);
	rig_expect("tok-1");
	for (i = 0; bad[i] != NULL; i++) {
		rig_credentials(rig_account(arena_printf(rig.arena,
		    ",\"token_uri\":\"%s\"", bad[i])));
		rig_refuse(E_CONFIG, "token_uri is no https URL");
	}
}

static void
bad_credentials(void **state UNUSED)
{
	static const struct {
		const char *json, *words;
	} cases[] = {
		{ "{", "no JSON object" },
		{ "[]", "no JSON object" },
		{ "{}", "no type in it" },
		{ "{\"type\":1,\"private_key\":\"k\"}", "no type in it" },
		{ "{\"type\":\"other\"}", "are not known" },
		{ "{\"type\":\"gdch_service_account\"}",
		  "'gdch_service_account' cannot be used here" },
		{ "{\"type\":\"external_account_authorized_user\"}",
		  "'external_account_authorized_user' cannot be used here" },
		{ "{\"type\":\"service_account\"}", "client_email is missing" },
		{ "{\"type\":\"service_account\",\"client_email\":\"e@x\"}",
		  "private_key is missing" },
		{ "{\"type\":\"service_account\",\"client_email\":\"e@x\","
		  "\"private_key\":\"secret-that-is-none\"}",
		  "(service account 'e@x'): there is no private key in it" },
		{ "{\"type\":\"service_account\",\"universe_domain\":"
		  "\"example.com\"}", "universe_domain" },
		{ "{\"type\":\"authorized_user\",\"client_id\":\"i\","
		  "\"client_secret\":\"s\"}", "refresh_token is missing" },
		{ "{\"type\":\"impersonated_service_account\"}",
		  "service_account_impersonation_url is missing" },
		{ "{\"type\":\"impersonated_service_account\","
		  "\"service_account_impersonation_url\":\"https://"
		  "iamcredentials.googleapis.com.example/\"}",
		  "host of googleapis.com" },
		{ "{\"type\":\"impersonated_service_account\","
		  "\"service_account_impersonation_url\":\"" IAM_URL "\"}",
		  "source_credentials are missing" },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(cases); i++) {
		rig_credentials(cases[i].json);
		rig_refuse(E_CONFIG, cases[i].words);
		assert_non_null(strstr(rig.err.text, "no Google token with "
		    "the credentials of googleServiceAccountCredentials"));
		assert_null(strstr(rig.err.text, "secret"));
	}
}

static void
without_type(void **state UNUSED)
{
	rig_credentials(arena_printf(rig.arena, "{\"client_email\":\"e@x\","
	    "\"private_key\":%s}", google_quote(rig.arena, rig_key)));
	rig_says(TOKEN_URL, GOOD);
	rig_expect("tok-1");
}

/* --- Answers ------------------------------------------------------------- */

static void
bad_answers(void **state UNUSED)
{
	static const struct {
		const char *body, *words;
	} cases[] = {
		{ "", "no JSON object" },
		{ "{\"access_token\":\"tok", "no JSON object" },
		{ "[1]", "no JSON object" },
		{ "{}", "no access_token" },
		{ "{\"access_token\":7}", "no access_token" },
		{ "{\"access_token\":\"a b\",\"expires_in\":10}",
		  "no access_token" },
		{ "{\"access_token\":\"a\\r\\nX: y\",\"expires_in\":10}",
		  "no access_token" },
		{ "{\"access_token\":\"t\",\"expires_in\":10,"
		  "\"token_type\":\"mac\"}", "not Bearer" },
		{ "{\"access_token\":\"t\",\"expires_in\":0}", "expired" },
		{ "{\"access_token\":\"t\",\"expires_in\":-9}", "expired" },
	};
	size_t i;

	rig_credentials(USER);
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		rig_says(TOKEN_URL, cases[i].body);
		rig_get();
		assert_int_equal(rig.r, E_PROTOCOL);
		if (strstr(rig.err.text, cases[i].words) == NULL)
			fail_msg("%s: %s", cases[i].words, rig.err.text);
	}
}

static void
lives(void **state UNUSED)
{
	static const struct {
		const char *expires_in;
		int64_t life, margin;
	} cases[] = {
		{ "3599", 3599000, 300000 },
		{ "3599.9", 3599000, 300000 },
		{ "400", 400000, 200000 },
		{ "20", 20000, 10000 },
		{ "99999999999", 86400000, 300000 },
		{ "null", 300000, 150000 },
		{ "\"many\"", 300000, 150000 },
	};
	size_t i;

	rig_credentials(USER);
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		rig_says(TOKEN_URL, arena_printf(rig.arena,
		    "{\"access_token\":\"t\",\"expires_in\":%s}",
		    cases[i].expires_in));
		rig_expect("t");
		assert_int_equal(google.got.expires, RIG_NOW + cases[i].life);
		assert_int_equal(google.got.margin, cases[i].margin);
	}
}

/* What a cloud says is shown: short, printable, without what we sent. */
static void
told(void **state UNUSED)
{
	size_t i;

	rig_credentials(USER);
	rig_answer(&(struct rig_answer){ .url = TOKEN_URL, .status = 400,
	    .body = "{\"error\":\"invalid_grant\",\"error_description\":"
	    "\"no c&s=1/secret\\u001b[1m 1//r+t \xc3\xa4 end\"}" });
	rig_refuse(E_DENIED, "googleServiceAccountCredentials (a user who "
	    "signed in with gcloud): oauth2.googleapis.com answered 400 "
	    "invalid_grant: no *** [1m ***    end");
	rig_answer(&(struct rig_answer){ .url = TOKEN_URL, .status = 401,
	    .body = arena_printf(rig.arena, "{\"error\":{\"code\":401,"
	    "\"message\":\"%0500d\",\"status\":\"UNAUTHENTICATED\"}}", 7) });
	rig_refuse(E_DENIED, "answered 401 UNAUTHENTICATED: 000");
	assert_true(strlen(rig.err.text) < 400);
	for (i = 0; i < strlen(rig.err.text); i++)
		assert_in_range(rig.err.text[i], ' ', '~');
	/* What is nobody's that we know is cut by its looks. */
	rig_answer(&(struct rig_answer){ .url = TOKEN_URL, .status = 400,
	    .body = "{\"error\":\"x\",\"error_description\":\"token: "
	    "aBcD0123eFgH4567iJkL\"}" });
	rig_refuse(E_DENIED, "x: token: ***");
	rig_answer(&(struct rig_answer){ .url = TOKEN_URL, .status = 404,
	    .body = "<html>c&s=1/secret</html>" });
	rig_refuse(E_DENIED, "oauth2.googleapis.com answered 404");
	assert_null(strstr(rig.err.text, "html"));
	rig_answer(&(struct rig_answer){ .url = TOKEN_URL, .status = 302,
	    .body = "" });
	rig_refuse(E_PROTOCOL, "answered 302");
	rig_answer(&(struct rig_answer){ .url = TOKEN_URL,
	    .fails = E_CONNECT });
	rig_refuse(E_CONNECT, "oauth2.googleapis.com: no answer");
}

/* So much as the beginning of an assertion is not shown. */
static void
echoed(void **state UNUSED)
{
	rig_credentials(rig_account(""));
	rig_answer(&(struct rig_answer){ .url = TOKEN_URL, .status = 400,
	    .body = "{\"error\":\"invalid_grant\",\"error_description\":"
	    "\"bad 'eyJ0eXAiOiJKV1QiLCJhbGciOi'\"}" });
	rig_refuse(E_DENIED, "invalid_grant: bad '***'");
}

/* --- Trying again -------------------------------------------------------- */

static void
busy(int status, int64_t retry_after, const char *body)
{
	rig_answer(&(struct rig_answer){ .url = TOKEN_URL, .status = status,
	    .body = body, .retry_after = retry_after });
}

static void
tries(void **state UNUSED)
{
	rig_credentials(USER);
	busy(503, 0, "");
	busy(429, 0, "");
	rig_says(TOKEN_URL, GOOD);
	rig_expect("tok-1");
	assert_int_equal(rig.nslept, 2);
	assert_in_range(rig.slept[0], 900, 1100);
	assert_in_range(rig.slept[1], 1800, 2200);

	busy(400, 0, "{\"error\":\"temporarily_unavailable\"}");
	busy(408, 3000, "");
	rig_says(TOKEN_URL, GOOD);
	rig_expect("tok-1");
	assert_int_equal(rig.slept[1], 3000);

	busy(500, 0, "");
	busy(504, 0, "");
	busy(503, 4000, "");
	rig_refuse(E_BUSY, "answered 503");
	assert_int_equal(google.got.retry_after, 4000);
}

static void
tries_no_more(void **state UNUSED)
{
	rig_credentials(USER);
	busy(502, 0, "");
	rig_refuse(E_BUSY, "answered 502");
	busy(429, 60000, "");		/* too long to wait here */
	rig_refuse(E_BUSY, "answered 429");
	assert_int_equal(rig.nslept, 0);
	assert_int_equal(google.got.retry_after, 60000);
	busy(400, 0, "{\"error\":\"invalid_grant\"}");
	rig_refuse(E_DENIED, "answered 400 invalid_grant");
	assert_int_equal(google.got.retry_after, 0);
	rig.patience = 0;
	busy(503, 0, "");
	rig_refuse(E_BUSY, "answered 503");
}

/* Our clock may be wrong: Google's answer has the right time. */
static void
skewed(void **state UNUSED)
{
	struct json_object *claims;

	rig_credentials(rig_account(""));
	rig_answer(&(struct rig_answer){ .url = TOKEN_URL, .status = 400,
	    .body = "{\"error\":\"invalid_grant\"}", .skew = -600000 });
	rig_says(TOKEN_URL, GOOD);
	rig_expect("tok-1");
	claims = sent_claims(1);
	assert_int_equal(json_object_get_int64(jsonx_get(claims, "iat")),
	    RIG_NOW / 1000 - 600);
	json_object_put(claims);
	assert_int_equal(google.got.expires, RIG_NOW + 3599000);

	/* Once; and not for a few seconds. */
	rig_answer(&(struct rig_answer){ .url = TOKEN_URL, .status = 400,
	    .body = "{\"error\":\"invalid_grant\"}", .skew = 600000 });
	rig_answer(&(struct rig_answer){ .url = TOKEN_URL, .status = 400,
	    .body = "{\"error\":\"invalid_grant\"}", .skew = 600000 });
	rig_refuse(E_DENIED, "invalid_grant (its clock is 600 s ahead of "
	    "ours)");
	rig_answer(&(struct rig_answer){ .url = TOKEN_URL, .status = 400,
	    .body = "{\"error\":\"invalid_grant\"}", .skew = 5000 });
	rig_refuse(E_DENIED, "invalid_grant");
	/* What is not signed has no time in it. */
	rig_credentials(USER);
	rig_answer(&(struct rig_answer){ .url = TOKEN_URL, .status = 400,
	    .body = "{\"error\":\"invalid_grant\"}", .skew = 600000 });
	rig_refuse(E_DENIED, "invalid_grant");
}

/* --- Users and other accounts -------------------------------------------- */

static void
user(void **state UNUSED)
{
	rig_credentials(USER);
	rig_says(TOKEN_URL, GOOD);
	rig_expect("tok-1");
	rig_form_has(0, "grant_type=refresh_token");
	rig_form_has(0, "client_id=cid");
	rig_form_has(0, "client_secret=c%26s%3D1%2Fsecret");
	rig_form_has(0, "refresh_token=1%2F%2Fr%2Bt");
	assert_null(strstr(rig.asked[0].body, "scope"));

	/* A token_uri is heeded on loopback only. */
	rig_credentials(arena_printf(rig.arena, "{\"token_uri\":"
	    "\"https://evil.example/\",%s", &USER[1]));
	rig_says(TOKEN_URL, GOOD);
	rig_expect("tok-1");
	rig_credentials(arena_printf(rig.arena, "{\"token_uri\":"
	    "\"http://[::1]:80/t\",%s", &USER[1]));
	rig_says("http://[::1]:80/t", GOOD);
	rig_expect("tok-1");
}

static char *
other(const char *source, const char *more)
{
	return arena_printf(rig.arena, "{\"type\":"
	    "\"impersonated_service_account\",\"source_credentials\":%s,"
	    "\"service_account_impersonation_url\":\"" IAM_URL "\"%s}",
	    source, more);
}

static void
impersonated(void **state UNUSED)
{
	struct json_object *claims;

	rig_credentials(other(rig_account(""), ",\"delegates\":[\"d1\"]"));
	rig_says(TOKEN_URL, GOOD);
	rig_answer(&(struct rig_answer){ .url = IAM_URL, .status = 200,
	    .body = "{\"accessToken\":\"tok-2\",\"expireTime\":"
	    "\"2025-03-14T16:19:26.5Z\"}", .skew = 600000 });
	rig_expect("tok-2");
	assert_int_equal(google.got.expires, RIG_NOW + 3600500);
	claims = sent_claims(0);
	assert_string_equal(jsonx_str(claims, "scope"), GOOGLE_SCOPE_CLOUD);
	json_object_put(claims);
	assert_string_equal(rig.asked[1].headers,
	    "Content-Type: application/json\nAuthorization: Bearer tok-1\n");
	assert_string_equal(rig.asked[1].body, "{\"delegates\":[\"d1\"],"
	    "\"scope\":[\"scope.a\",\"scope.b\"],\"lifetime\":\"3600s\"}");

	/* What is refused there is not the signature. */
	rig_says(TOKEN_URL, GOOD);
	rig_answer(&(struct rig_answer){ .url = IAM_URL, .status = 403,
	    .body = "{\"error\":{\"status\":\"PERMISSION_DENIED\","
	    "\"message\":\"not with tok-1 \"}}", .skew = 600000 });
	rig_refuse(E_DENIED, "iamcredentials.googleapis.com answered 403 "
	    "PERMISSION_DENIED: not with *** ");
	rig_says(TOKEN_URL, GOOD);
	rig_says(IAM_URL, "{\"accessToken\":\"tok-3\",\"expireTime\":"
	    "\"2125-03-14T16:19:26Z\"}");
	rig_expect("tok-3");
	assert_int_equal(google.got.expires, RIG_NOW + 86400000);
}

static void
impersonated_badly(void **state UNUSED)
{
	static const struct {
		const char *body, *words;
	} cases[] = {
		{ "{}", "no accessToken" },
		{ "{\"accessToken\":\"t\"}", "no expireTime" },
		{ "{\"accessToken\":\"t\",\"expireTime\":\"soon\"}",
		  "no expireTime" },
		{ "{\"accessToken\":\"t\",\"expireTime\":"
		  "\"2025-03-14T15:09:26Z\"}", "expired already" },
	};
	const char *deep = USER;
	size_t i;

	rig_credentials(other(USER, ""));
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		rig_says(TOKEN_URL, GOOD);
		rig_says(IAM_URL, cases[i].body);
		rig_get();
		assert_int_equal(rig.r, E_PROTOCOL);
		assert_non_null(strstr(rig.err.text, cases[i].words));
	}
	for (i = 0; i < 3; i++)
		deep = other(deep, "");
	rig_credentials(deep);
	rig_refuse(E_CONFIG, "in one another");
}

/* --- The order ----------------------------------------------------------- */

static void
order(void **state UNUSED)
{
	char *account_of_file = rig_account("");

	rig_file("/home/.config/gcloud/application_default_credentials.json",
	    USER);
	rig_variable("HOME", "/home");
	rig_says(TOKEN_URL, GOOD);
	rig_expect("tok-1");
	rig_form_has(0, "grant_type=refresh_token");
	assert_non_null(strstr(rig.notes, "GOOGLE_APPLICATION_CREDENTIALS is "
	    "not set\n"));
	/* The other folder, in which there is none. */
	rig_variable("CLOUDSDK_CONFIG", "/gcloud");
	rig_answer(&(struct rig_answer){ .url = METADATA_URL, .status = 200,
	    .head = FLAVOR, .body = GOOD });
	rig_expect("tok-1");
	rig_file("/gcloud/application_default_credentials.json", "!");
	rig_refuse(E_CONFIG, "gcloud's application_default_credentials.json:");
	assert_null(strstr(rig.err.text, "/gcloud"));
	assert_non_null(strstr(rig.err.detail, "/gcloud/"));

	rig_variable("GOOGLE_APPLICATION_CREDENTIALS", "/g.json");
	rig_refuse(E_CONFIG, "GOOGLE_APPLICATION_CREDENTIALS names: the file "
	    "is empty or cannot be read");
	assert_non_null(strstr(rig.err.detail, "/g.json"));
	rig_file("/g.json", "");
	rig_refuse(E_CONFIG, "the file is empty or cannot be read");
	rig_file("/g.json", "nonsense");
	rig_refuse(E_CONFIG, "no JSON object");
	rig_file("/g.json", account_of_file);
	rig_says(TOKEN_URL, GOOD);
	rig_expect("tok-1");
	assert_non_null(strstr(rig.asked[2].body, "assertion="));

	rig_credentials(USER);
	rig_says(TOKEN_URL, GOOD);
	rig_expect("tok-1");
	rig_form_has(3, "grant_type=refresh_token");
	rig.settings.google_credentials_file = "/own.json";
	rig_refuse(E_CONFIG, "googleServiceAccountCredentialsFile: the file");
	rig_file("/own.json", account_of_file);
	rig_says(TOKEN_URL, GOOD);
	rig_expect("tok-1");
	assert_non_null(strstr(rig.asked[4].body, "assertion="));
}

/* --- The metadata server ------------------------------------------------- */

static void
metadata(void **state UNUSED)
{
	rig_answer(&(struct rig_answer){ .url = METADATA_URL
	    "?scopes=scope.a%2Cscope.b", .status = 200, .head = FLAVOR,
	    .body = "{\"access_token\":\"tok-m\",\"expires_in\":42,"
	    "\"token_type\":\"Bearer\"}" });
	rig_expect("tok-m");
	assert_string_equal(rig.asked[0].headers, "Metadata-Flavor: Google\n");
	/* It keeps tokens to their end: half of what is left is ours. */
	assert_int_equal(google.got.margin, 21000);
	assert_string_equal(rig.inputs, RIG_SCOPES "\nmetadata\n"
	    "http://metadata.google.internal\n");

	rig_answer(&(struct rig_answer){ .url = METADATA_URL, .status = 200,
	    .head = "HTTP/1.1 200 OK\r\n", .body = GOOD });
	rig_refuse(E_PROTOCOL, "no Google token with the metadata server, as "
	    "no credentials are set: what "
	    "answers at metadata.google.internal is no metadata server");
	rig_answer(&(struct rig_answer){ .url = METADATA_URL, .status = 200,
	    .head = "HTTP/1.1 200 OK\r\nMetadata-Flavor: Other\r\n",
	    .body = GOOD });
	rig_refuse(E_PROTOCOL, "is no metadata server");
	rig_answer(&(struct rig_answer){ .url = METADATA_URL, .status = 404,
	    .body = "no account" });
	rig_refuse(E_DENIED, "metadata.google.internal answered 404");
	rig_answer(&(struct rig_answer){ .url = METADATA_URL,
	    .fails = E_CONNECT });
	rig_refuse(E_CONNECT, "metadata.google.internal: no answer");
}

static void
metadata_elsewhere(void **state UNUSED)
{
	static const char *const bad[] = { "a b", "u@h", "http://h/x", "h/x",
	    "ftp://h", "h?x", NULL };
	size_t i;

	rig_variable("GCE_METADATA_HOST", "127.0.0.1:99");
	rig_answer(&(struct rig_answer){ .url = "http://127.0.0.1:99/compute",
	    .status = 200, .head = FLAVOR, .body = GOOD });
	rig_expect("tok-1");
	rig_variable("GCE_METADATA_IP", "127.0.0.2");
	rig_answer(&(struct rig_answer){ .url = "http://127.0.0.2/compute",
	    .status = 200, .head = FLAVOR, .body = GOOD });
	rig_expect("tok-1");
	for (i = 0; bad[i] != NULL; i++) {
		rig_variable("GCE_METADATA_IP", bad[i]);
		rig_refuse(E_CONFIG, "no host with a port");
	}
}

static void
detection(void **state UNUSED)
{
	rig_variable("METADATA_SERVER_DETECTION", "none");
	rig_refuse(E_CONFIG, "there are no Google credentials");
	rig_variable("METADATA_SERVER_DETECTION", "sometimes");
	rig_refuse(E_CONFIG, "is none of");
	rig_variable("METADATA_SERVER_DETECTION", "bios-only");
	rig_refuse(E_CONFIG, "BIOS");
	rig_file("/sys/class/dmi/id/bios_vendor", "Google");
	rig_answer(&(struct rig_answer){ .url = METADATA_URL, .status = 200,
	    .head = FLAVOR, .body = GOOD });
	rig_expect("tok-1");
	rig_variable("METADATA_SERVER_DETECTION", "Assume-Present");
	rig_answer(&(struct rig_answer){ .url = METADATA_URL, .status = 200,
	    .head = FLAVOR, .body = GOOD });
	rig_expect("tok-1");
	rig_variable("NO_GCE_CHECK", "True");
	rig_refuse(E_CONFIG, "NO_GCE_CHECK is set");
}

/* --- The provider -------------------------------------------------------- */

static int
pending(const struct provider_call *call UNUSED,
    const struct source *source UNUSED, struct source_value *out UNUSED,
    struct err *err)
{
	return err_set(err, E_PENDING, "being made");
}

static void
provider(void **state UNUSED)
{
	const struct provider_ops *ops = provider_find("googleServiceAccount");
	struct provider_call call = rig_call();
	struct credential cred = CREDENTIAL_INIT;
	void *own = xcalloc(1, ops->state_size);

	assert_true(ops->flags & PROVIDER_SERVER_SIDE);
	rig_credentials(USER);
	assert_int_equal(ops->init(own, &rig.settings, NULL), 0);
	rig_says(TOKEN_URL, GOOD);
	assert_int_equal(ops->obtain(own, &call, &cred, &rig.err),
	    PROVIDER_OK);
	assert_int_equal(cred.kind, CREDENTIAL_BEARER);
	assert_string_equal(cred.value.ptr, "tok-1");
	assert_int_equal(cred.expires, RIG_NOW + 3599000);
	assert_true(str_starts(rig.inputs, GOOGLE_SCOPES "\njson\n"));
	credential_release(&cred);

	call.source = pending;
	assert_int_equal(ops->obtain(own, &call, &cred, &rig.err),
	    PROVIDER_FAILED);
	assert_int_equal(rig.err.code, E_PENDING);
	free(own);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(account),
		RIG_TEST(token_uri),
		RIG_TEST(bad_credentials),
		RIG_TEST(without_type),
		RIG_TEST(bad_answers),
		RIG_TEST(lives),
		RIG_TEST(told),
		RIG_TEST(echoed),
		RIG_TEST(tries),
		RIG_TEST(tries_no_more),
		RIG_TEST(skewed),
		RIG_TEST(user),
		RIG_TEST(impersonated),
		RIG_TEST(impersonated_badly),
		RIG_TEST(order),
		RIG_TEST(metadata),
		RIG_TEST(metadata_elsewhere),
		RIG_TEST(detection),
		RIG_TEST(provider),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, rig_make_key, rig_free_key);
}
