/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The provider azure: which source, what it is asked, what comes of its
 * answers and its faults.
 */
#include "base.h"

#include "azure_rig.h"
#include "azure_cli.h"

#define TENANT "11111111-2222-3333-4444-555555555555"
#define SECRET "fake-secret~1"
#define TOKEN_OK "{\"token_type\":\"Bearer\",\"expires_in\":3599," \
	"\"access_token\":\"tok-1\"}"
#define URL "/" TENANT "/oauth2/v2.0/token"
#define IMDS "/metadata/identity/oauth2/token"
#define IMDS_QUERY "?api-version=2018-02-01&resource=" AZURE_AKS

static const struct rig_answer well = { .status = 200, .body = TOKEN_OK };

/* --- What is checked ----------------------------------------------------- */

static void
answers(const struct rig_answer *list, size_t n)
{
	azure.answers = list;
	azure.nanswers = n;
}

static void
got(const char *token)
{
	rig_get();
	if (rig.r != 0)
		fail_msg("%s", rig.err.text);
	assert_string_equal(azure.got.part[0].ptr, token);
	assert_int_equal(azure.got.part[1].len, 0);
}

static void
says(const char *where, const char *told)
{
	if (strstr(where, told) == NULL)
		fail_msg("'%s' does not say '%s'", where, told);
}

static void
failed(int code, const char *told)
{
	rig_get();
	assert_int_equal(rig.r, code);
	says(rig.err.text, told);
	assert_null(azure.got.part[0].ptr);
	assert_null(strstr(rig.err.text, SECRET));
	assert_null(strstr(rig.notes, SECRET));
}

static void
application(void)
{
	rig_variable("AZURE_TENANT_ID", TENANT);
	rig_variable("AZURE_CLIENT_ID", "app-1");
}

static void
with_secret(void)
{
	application();
	rig_variable("AZURE_CLIENT_SECRET", SECRET);
}

/* --- Order --------------------------------------------------------------- */

/* What was there before is less than what comes after it. */
static void
order(void **state UNUSED)
{
	failed(E_CONFIG, "environment: AZURE_TENANT_ID is not set; workload "
	    "identity: AZURE_TENANT_ID is not set; managed identity: nothing "
	    "answers at http://169.254.169.254; Azure CLI: there is no az");
	says(rig.notes, "PowerShell: not a source");
	azure.process = (struct rig_process){ .output =
	    "{\"accessToken\":\"tok-az\",\"expires_on\":1741970000}" };
	got("tok-az");
	assert_int_equal(rig.nasked, 1);

	rig_variable("IDENTITY_ENDPOINT", "http://127.0.0.1:1/msi");
	rig_variable("IDENTITY_HEADER", "msi-secret");
	answers(&well, 1);
	got("tok-1");
	says(rig.asked[0].url, "http://127.0.0.1:1/msi?");
	rig_variable("AZURE_FEDERATED_TOKEN_FILE", "/t");
	rig_file("/t", "federated\n");
	got("tok-1");
	says(rig.asked[0].url, "/msi?");
	application();
	got("tok-1");
	says(rig.asked[0].body, "client_assertion=federated");
	rig_variable("AZURE_CLIENT_SECRET", SECRET);
	got("tok-1");
	says(rig.asked[0].body, "client_secret=");
	assert_int_equal(rig.nasked, 1);
	assert_int_equal(azure.runs, 0);
}

static void
half_set(void **state UNUSED)
{
	rig_variable("AZURE_TENANT_ID", TENANT);
	failed(E_CONFIG, "environment: AZURE_CLIENT_ID is not set; workload");
	rig_variable("AZURE_CLIENT_ID", "app-1");
	failed(E_CONFIG, "environment: neither AZURE_CLIENT_SECRET nor "
	    "AZURE_CLIENT_CERTIFICATE_PATH is set; workload identity: "
	    "AZURE_FEDERATED_TOKEN_FILE is not set; managed");
	rig_variable("AZURE_USERNAME", "u");
	rig_variable("AZURE_PASSWORD", SECRET);
	failed(E_CONFIG, "passwords of users (AZURE_PASSWORD) are not used");
}

static void
pins(void **state UNUSED)
{
	with_secret();
	azure.process = (struct rig_process){ .output =
	    "{\"accessToken\":\"tok-az\",\"expires_on\":1741970000}" };
	answers(&well, 1);
	rig_variable("AZURE_TOKEN_CREDENTIALS", " Dev\n");
	got("tok-az");
	assert_int_equal(rig.nasked, 0);
	rig_variable("AZURE_TOKEN_CREDENTIALS", "azureclicredential");
	got("tok-az");
	rig_variable("AZURE_TOKEN_CREDENTIALS", "PROD");
	got("tok-1");
	says(rig.asked[0].body, "client_secret");
	/* Pinned, so it is asked without a look whether it is there. */
	rig_variable("AZURE_TOKEN_CREDENTIALS", "ManagedIdentityCredential");
	got("tok-1");
	assert_int_equal(rig.nasked, 1);
	says(rig.asked[0].url, IMDS_QUERY);
	rig_variable("AZURE_TOKEN_CREDENTIALS", "AzurePowerShellCredential");
	failed(E_CONFIG, "PowerShell: not a source for a server");
	rig_variable("AZURE_TOKEN_CREDENTIALS", "prod,dev");
	failed(E_CONFIG, "AZURE_TOKEN_CREDENTIALS is 'prod,dev'");
	/* The settings beat the variable. */
	azure.pin = "dev";
	got("tok-az");
	azure.pin = "production";
	failed(E_CONFIG, "stagedoor.cloud.azureCredential is 'production'");
	azure.pin = NULL;
	rig_variable("AZURE_TOKEN_CREDENTIALS", "");
	got("tok-1");
	says(rig.asked[0].body, "client_secret");
}

/* One that is configured must do: nobody else's token is taken. */
static void
configured_and_failing(void **state UNUSED)
{
	static const struct rig_answer refused = { .status = 401, .body =
	    "{\"error\":\"invalid_client\",\"error_description\":"
	    "\"AADSTS7000215: Invalid client secret " SECRET
	    " provided. Trace ID: 1\\r\\nTimestamp: 2\"}" };

	with_secret();
	answers(&refused, 1);
	azure.process = (struct rig_process){ .output =
	    "{\"accessToken\":\"tok-az\",\"expires_on\":1741970000}" };
	failed(E_DENIED, "cannot get an Azure token (environment): "
	    "https://login.microsoftonline.com answered 401: AADSTS7000215: "
	    "Invalid client secret *** provided.");
	assert_null(strstr(rig.err.text, "Trace"));
	assert_int_equal(rig.nasked, 1);
	rig_variable("AZURE_CLIENT_SECRET", "");
	rig_variable("AZURE_FEDERATED_TOKEN_FILE", "/gone");
	failed(E_NOTFOUND, "AZURE_FEDERATED_TOKEN_FILE names cannot be read");
	says(rig.err.detail, "'/gone'");
	rig_file("/gone", "two words");
	failed(E_CONFIG, "holds no token");
	rig_variable("AZURE_CLIENT_CERTIFICATE_PATH", "/cert");
	failed(E_NOTFOUND, "AZURE_CLIENT_CERTIFICATE_PATH names cannot");
	rig_file("/cert", "none");
	failed(E_CONFIG, "there is no private key in it");
	assert_int_equal(azure.runs, 0);
}

/* --- Entra --------------------------------------------------------------- */

static void
entra_request(void **state UNUSED)
{
	with_secret();
	rig_variable("AZURE_CLIENT_ID", "a b");
	rig_variable("AZURE_CLIENT_SECRET", "s+/=&~");
	answers(&well, 1);
	got("tok-1");
	assert_string_equal(rig_line(0),
	    "POST https://login.microsoftonline.com" URL);
	assert_string_equal(rig.asked[0].body, "client_id=a%20b&scope="
	    AZURE_AKS "%2F.default&grant_type=client_credentials&"
	    "client_secret=s%2B%2F%3D%26~");
	says(rig.asked[0].headers, "application/x-www-form-urlencoded");
	rig_variable("AZURE_CLIENT_SECRET", "");
	rig_variable("AZURE_FEDERATED_TOKEN_FILE", "/t");
	rig_file("/t", "\n a.b-c_d \n\n");
	got("tok-1");
	says(rig.asked[0].body, "&client_assertion_type=urn%3Aietf%3Aparams%3A"
	    "oauth%3Aclient-assertion-type%3Ajwt-bearer&"
	    "client_assertion=a.b-c_d");
	rig_file("/t", "rotated");
	got("tok-1");
	says(rig.asked[0].body, "client_assertion=rotated");
}

static void
authorities(void **state UNUSED)
{
	static const struct {
		const char *variable, *setting, *url;
	} rows[] = {
		{ "https://login.microsoftonline.us/", NULL,
		    "https://login.microsoftonline.us" },
		{ "login.chinacloudapi.cn", NULL,
		    "https://login.chinacloudapi.cn" },
		{ "http://login.microsoftonline.com", NULL, NULL },
		{ "http://127.0.0.1:1", NULL, NULL },
		{ "https://user@host", NULL, NULL },
		{ "https://host/path", NULL, NULL },
		{ "https://", NULL, NULL },
		{ "ftp://host", NULL, NULL },
		{ "http://no", "127.0.0.1:2", "https://127.0.0.1:2" },
		{ NULL, "https://entra.example:8443/",
		    "https://entra.example:8443" },
		{ NULL, "http://127.0.0.1:3", "http://127.0.0.1:3" },
		{ NULL, "http://[::1]:3", "http://[::1]:3" },
		{ NULL, "http://127.0.0.1.example", NULL },
		{ NULL, "http://entra.example", NULL },
	};
	size_t i;

	with_secret();
	answers(&well, 1);
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		rig_variable("AZURE_AUTHORITY_HOST",
		    rows[i].variable != NULL ? rows[i].variable : "");
		azure.entra_host = rows[i].setting;
		if (rows[i].url == NULL) {
			failed(E_CONFIG, "must be https://HOST");
			assert_int_equal(rig.nasked, 0);
			continue;
		}
		got("tok-1");
		assert_string_equal(rig_line(0), arena_printf(rig.arena,
		    "POST %s" URL, rows[i].url));
	}
}

static void
tenants(void **state UNUSED)
{
	static const char *const bad[] = { "a/b", "..", ".", "-x", "a b",
	    "a;b", "a?b", "t\xc3\xa9" };
	size_t i;

	with_secret();
	answers(&well, 1);
	for (i = 0; i < ARRAY_LEN(bad); i++) {
		rig_variable("AZURE_TENANT_ID", bad[i]);
		failed(E_CONFIG, "AZURE_TENANT_ID is no tenant");
		assert_int_equal(rig.nasked, 0);
		rig_variable("AZURE_TOKEN_CREDENTIALS", "AzureCliCredential");
		failed(E_CONFIG, "AZURE_TENANT_ID is no tenant");
		assert_int_equal(azure.runs, 0);
		rig_variable("AZURE_TOKEN_CREDENTIALS", "");
	}
	rig_variable("AZURE_TENANT_ID", "contoso.onmicrosoft.com");
	got("tok-1");
}

/* --- Faults -------------------------------------------------------------- */

#define FAULTS 4

static void
retries(void **state UNUSED)
{
	static const struct {
		struct rig_answer answers[FAULTS];
		unsigned n, asked;
		int r;			/* 0: a token */
		int64_t slept[2];
		const char *told;
	} rows[] = {
		{ { { .status = 503 }, { .status = 500 },
		    { .status = 200, .body = TOKEN_OK } }, 3, 3, 0,
		    { 800, 1600 }, NULL },
		{ { { .status = 429, .retry_after = 4000 },
		    { .status = 200, .body = TOKEN_OK } }, 2, 2, 0,
		    { 4000, 0 }, NULL },
		{ { { .status = 429, .retry_after = 0 },
		    { .status = 200, .body = TOKEN_OK } }, 2, 2, 0,
		    { 800, 0 }, NULL },
		{ { { .status = 429, .retry_after = 20000 } }, 1, 1, E_BUSY,
		    { 0, 0 }, "answered 429" },
		{ { { .status = 502, .body = "<html>\1 bad" } }, 1, 3, E_BUSY,
		    { 800, 1600 }, "answered 502: <html>  bad" },
		{ { { .fails = E_TIMEOUT }, { .fails = E_CONNECT },
		    { .status = 200, .body = TOKEN_OK } }, 3, 3, 0,
		    { 800, 1600 }, NULL },
		{ { { .fails = E_TLS } }, 1, 3, E_TLS, { 800, 1600 },
		    "microsoftonline.com: no answer" },
		{ { { .fails = E_TOOLARGE } }, 1, 1, E_TOOLARGE, { 0, 0 },
		    "no answer" },
		{ { { .fails = E_CONFIG } }, 1, 1, E_CONFIG, { 0, 0 },
		    "no answer" },
		{ { { .status = 400, .body = "{\"error\":\"invalid_client\"}" }
		    }, 1, 1, E_DENIED, { 0, 0 },
		    "answered 400: invalid_client" },
		{ { { .status = 302, .body = "" } }, 1, 1, E_DENIED,
		    { 0, 0 }, "answered 302" },
		{ { { .status = 404 } }, 1, 1, E_DENIED, { 0, 0 },
		    "answered 404" },
	};
	size_t i, k;

	with_secret();
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		answers(rows[i].answers, rows[i].n);
		if (rows[i].r == 0)
			got("tok-1");
		else
			failed(rows[i].r, rows[i].told);
		assert_int_equal(rig.nasked, rows[i].asked);
		for (k = 0; k < 2; k++)
			assert_int_equal(k < rig.nslept ? rig.slept[k] : 0,
			    rows[i].slept[k]);
	}
	answers(rows[3].answers, 1);
	failed(E_BUSY, "429");
	assert_int_equal(azure.got.retry_after, 20000);
}

/* What a good status brings, and how long it is good for. */
static void
bodies(void **state UNUSED)
{
	static const struct {
		const char *body;
		int64_t skew, expires, margin;	/* ms from now; 0: it is none */
	} rows[] = {
		{ TOKEN_OK, 0, 3599000, 900000 },
		{ TOKEN_OK, 600000, 3599000, 900000 },
		{ "{\"access_token\":\"tok-1\",\"expires_in\":\"600\"}", 0,
		    600000, 300000 },
		{ "{\"access_token\":\"tok-1\",\"expires_on\":\"1742051366\","
		    "\"expires_in\":\"1\"}", 0, 86400000, 900000 },
		{ "{\"access_token\":\"tok-1\",\"expires_on\":1741968566}",
		    600000, 3000000, 900000 },
		{ "{\"access_token\":\"tok-1\",\"expires_on\":1741964967}",
		    -600000, 601000, 300500 },
		{ "{\"access_token\":\"tok-1\",\"expires_on\":"
		    "\"2025-03-14T17:09:26.5+01:00\"}", 0, 3600000, 900000 },
		{ "{\"access_token\":\"tok-1\",\"expires_on\":"
		    "\"2025-03-14T16:09:26Z\"}", 0, 3600000, 900000 },
		{ "{\"access_token\":\"tok-1\",\"expires_on\":1741964966}",
		    0, 0, 0 },
		{ "{\"access_token\":\"tok-1\",\"expires_in\":-5}", 0, 0, 0 },
		{ "{\"access_token\":\"tok-1\"}", 0, 0, 0 },
		{ "{\"access_token\":\"tok 1\",\"expires_in\":60}", 0, 0, 0 },
		{ "{\"access_token\":\"\",\"expires_in\":60}", 0, 0, 0 },
		{ "{\"access_token\":7,\"expires_in\":60}", 0, 0, 0 },
		{ "[]", 0, 0, 0 }, { "null", 0, 0, 0 }, { "", 0, 0, 0 },
		{ "{\"access_token\":\"tok-1\",\"expires_in\":60", 0, 0, 0 },
	};
	struct rig_answer one = { .status = 200 };
	size_t i;

	with_secret();
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		one.body = rows[i].body;
		one.skew = rows[i].skew;
		answers(&one, 1);
		if (rows[i].expires == 0) {
			failed(E_PROTOCOL, "microsoftonline.com: ");
			assert_null(strstr(rig.err.text, "tok-1"));
			continue;
		}
		got("tok-1");
		assert_int_equal(azure.got.expires - RIG_NOW, rows[i].expires);
		assert_int_equal(azure.got.margin, rows[i].margin);
	}
}

/* --- Managed identity ---------------------------------------------------- */

static void
app_service(void **state UNUSED)
{
	static const struct rig_answer ill = { .status = 500,
	    .body = "header msi-secret is wrong" };

	rig_variable("IDENTITY_ENDPOINT", "http://127.0.0.1:1/msi/token");
	rig_variable("IDENTITY_HEADER", "msi-secret");
	answers(&well, 1);
	got("tok-1");
	assert_string_equal(rig_line(0), "GET http://127.0.0.1:1/msi/"
	    "token?api-version=2019-08-01&resource=" AZURE_AKS);
	assert_string_equal(rig.asked[0].headers,
	    "X-IDENTITY-HEADER: msi-secret\n");
	rig_variable("AZURE_CLIENT_ID", "a&b");
	got("tok-1");
	says(rig.asked[0].url, AZURE_AKS "&client_id=a%26b");
	answers(&ill, 1);
	failed(E_BUSY, "(managed identity): http://127.0.0.1:1/msi/token "
	    "answered 500: header *** is wrong");
	assert_int_equal(rig.nasked, 3);
	assert_int_equal(azure.runs, 0);
	rig_variable("IDENTITY_HEADER", "a\r\nb");
	failed(E_CONFIG, "IDENTITY_HEADER");
	assert_int_equal(rig.nasked, 0);
	rig_variable("IDENTITY_SERVER_THUMBPRINT", "00");
	failed(E_CONFIG, "Service Fabric");
}

/* At that address other clouds have theirs, which know no such path. */
static void
metadata_of_others(void **state UNUSED)
{
	static const struct rig_answer amazon = { .status = 401,
	    .head = "Server: EC2ws\r\n" };
	static const struct rig_answer google = { .status = 404,
	    .head = "Metadata-Flavor: Google\r\n" };

	azure.process = (struct rig_process){ .output =
	    "{\"accessToken\":\"tok-az\",\"expires_on\":1741970000}" };
	answers(&amazon, 1);
	got("tok-az");
	assert_int_equal(rig.nasked, 1);
	answers(&google, 1);
	got("tok-az");
	assert_int_equal(rig.nasked, 1);
}

static void
metadata_service(void **state UNUSED)
{
	static const struct rig_answer there[] = { { .status = 400 },
	    { .status = 200, .body = TOKEN_OK } };
	static const struct rig_answer docker = { .status = 403,
	    .body = "connecting: host unreachable" };
	static const struct rig_answer forbidden = { .status = 403 };
	static const struct rig_answer none[] = { { .status = 400 },
	    { .status = 400, .body = "{\"error\":\"invalid_request\","
	    "\"error_description\":\"Identity not found\"}" } };

	answers(there, 2);
	got("tok-1");
	assert_string_equal(rig_line(0),
	    "GET http://169.254.169.254" IMDS);
	assert_string_equal(rig.asked[0].headers, "");
	assert_true(rig.asked[0].timeout == 1.0);
	assert_string_equal(rig_line(1),
	    "GET http://169.254.169.254" IMDS IMDS_QUERY);
	assert_string_equal(rig.asked[1].headers, "Metadata: true\n");
	rig_variable("AZURE_CLIENT_ID", "mine");
	got("tok-1");
	says(rig.asked[1].url, "&client_id=mine");

	answers(&docker, 1);
	failed(E_CONFIG, "nothing answers at http://169.254.169.254; Azure "
	    "CLI: there is no az");
	assert_int_equal(rig.nasked, 1);
	answers(none, 2);
	failed(E_CONFIG, "answered 400: Identity not found; Azure CLI");
	assert_int_equal(rig.nasked, 2);
	answers(&forbidden, 1);
	failed(E_DENIED, "(managed identity): http://169.254.169.254 "
	    "answered 403");
	assert_int_equal(azure.runs, 0);
}

static void
metadata_retries(void **state UNUSED)
{
	static const struct rig_answer gone = { .status = 404 };
	static const struct rig_answer slow[] = { { .status = 410 },
	    { .status = 429 }, { .status = 503 },
	    { .status = 200, .body = TOKEN_OK } };
	static const int64_t pauses[] = { 800, 1600, 3200, 6400, 6400 };
	size_t i;

	rig_variable("AZURE_POD_IDENTITY_AUTHORITY_HOST",
	    "http://127.0.0.1:4/");
	answers(&gone, 1);
	failed(E_BUSY, "http://127.0.0.1:4/ answered 404");
	assert_int_equal(rig.nasked, 6);
	assert_int_equal(rig.nslept, 5);
	for (i = 0; i < 5; i++)
		assert_int_equal(rig.slept[i], pauses[i]);
	assert_string_equal(rig_line(0),
	    "GET http://127.0.0.1:4" IMDS IMDS_QUERY);
	answers(slow, 4);
	got("tok-1");
	assert_int_equal(rig.nasked, 4);
	answers(NULL, 0);
	failed(E_CONFIG, "managed identity: http://127.0.0.1:4/: no answer; "
	    "Azure CLI");
	assert_int_equal(rig.nasked, 1);
}

#define ARC_KEY "/var/opt/azcmagent/tokens/x.key"

static void
arc(void **state UNUSED)
{
	static const char *const heads[] = {
		"WWW-Authenticate: Basic realm=/var/opt/azcmagent/tokenz/"
		    "x.key\r\n",
		"WWW-Authenticate: Basic realm=/var/opt/azcmagent/tokens/"
		    "../x.key\r\n",
		"WWW-Authenticate: Basic realm=/var/opt/azcmagent/tokens/x\r\n",
		"WWW-Authenticate: Basic realm=/var/opt/azcmagent/tokens/.key"
		    "\r\n",
		"WWW-Authenticate: Bearer realm=" ARC_KEY "\r\n",
		"", NULL };
	struct rig_answer list[2] = { { .status = 401,
	    .head = "www-authenticate: Basic realm=" ARC_KEY "\r\n" }, well };
	size_t i;

	rig_variable("IDENTITY_ENDPOINT", "http://127.0.0.1:5/arc");
	rig_variable("IMDS_ENDPOINT", "http://127.0.0.1:5");
	rig_file("/var/opt/azcmagent/tokenz/x.key", "no");
	rig_file("/var/opt/azcmagent/tokens/../x.key", "no");
	rig_file("/var/opt/azcmagent/tokens/x", "no");
	rig_file("/var/opt/azcmagent/tokens/.key", "no");
	answers(list, 2);
	failed(E_NOTFOUND, "group himds");
	rig_file(ARC_KEY, "arc-key");
	got("tok-1");
	assert_string_equal(rig_line(0), "GET http://127.0.0.1:5/arc"
	    "?api-version=2020-06-01&resource=" AZURE_AKS);
	assert_string_equal(rig.asked[0].headers, "Metadata: true\n");
	assert_string_equal(rig.asked[1].headers,
	    "Metadata: true\nAuthorization: Basic arc-key\n");
	for (i = 0; i < ARRAY_LEN(heads); i++) {
		list[0].head = heads[i];
		failed(E_PROTOCOL, "does not name a key of its own");
		assert_int_equal(rig.nasked, 1);
	}
	rig_variable("AZURE_CLIENT_ID", "mine");
	failed(E_CONFIG, "Azure Arc has one identity only");
}

/* --- Azure CLI ----------------------------------------------------------- */

static void
cli_runs(void **state UNUSED)
{
	rig_variable("AZURE_TOKEN_CREDENTIALS", "AzureCliCredential");
	rig_variable("HOME", "/h");
	rig_variable("AZURE_CONFIG_DIR", "/h/az");
	rig_variable("KUBECONFIG", "/k");
	rig_variable("AZURE_CLIENT_SECRET", SECRET);
	azure.process = (struct rig_process){ .output =
	    "{\"accessToken\":\"tok-az\",\"expires_on\":1741968566,"
	    "\"expiresOn\":\"2001-01-01 00:00:00.000000\"}\n" };
	got("tok-az");
	assert_int_equal(azure.got.expires, RIG_NOW + 3600000);
	assert_int_equal(azure.got.margin, 900000);
	assert_string_equal(azure.argv, "az account get-access-token --output "
	    "json --resource " AZURE_AKS " ");
	assert_string_equal(azure.env, "PATH=/usr/local/bin:/usr/bin:/bin\n"
	    "HOME=/h\nAZURE_CONFIG_DIR=/h/az\n");
	rig_variable("PATH", "/p");
	rig_variable("AZURE_TENANT_ID", TENANT);
	got("tok-az");
	says(azure.argv, AZURE_AKS " --tenant " TENANT);
	says(azure.env, "PATH=/p\n");
}

static void
cli_fails(void **state UNUSED)
{
	static const struct {
		struct rig_process process;
		int r;
		const char *told;
	} rows[] = {
		{ { .fails = E_NOTFOUND }, E_CONFIG,
		    "Azure CLI: there is no az in PATH" },
		{ { .fails = E_TIMEOUT }, E_TIMEOUT,
		    "(Azure CLI): cannot run" },
		{ { .status = 127 }, E_CONFIG, "install the Azure CLI" },
		{ { .status = 1, .errors = "ERROR: Please run 'az login' to "
		    "setup account." }, E_CONFIG, "nobody is logged in" },
		{ { .status = 1, .errors = "AADSTS70043: expired. Please run: "
		    "az login" }, E_PROTOCOL, "az ended with 1: AADSTS70043" },
		{ { .status = 2, .errors = "x {\"accessToken\": \"tok-az\", "
		    "y" }, E_PROTOCOL, "x {\"accessToken\": \"***\", y" },
		{ { .status = 2, .errors = "x \"accessToken\": \"tok-az" },
		    E_PROTOCOL, "az ended with 2" },
		{ { .status = 1, .errors = "eyJ0b2stYXoiOiJ0b2stYXoi.x bad" },
		    E_PROTOCOL, "az ended with 1: ***.x bad" },
		{ { .status = 1 }, E_PROTOCOL, "az ended with 1" },
		{ { .output = "tok-az" }, E_PROTOCOL, "there is no token" },
		{ { .output = NULL }, E_PROTOCOL, "there is no token" },
		{ { .output = "{\"accessToken\":\"tok-az\"}" }, E_PROTOCOL,
		    "does not say when" },
		{ { .output = "{\"accessToken\":\"tok-az\","
		    "\"expires_on\":1}" }, E_PROTOCOL, "has expired already" },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		azure.process = rows[i].process;
		failed(rows[i].r, rows[i].told);
		assert_null(strstr(rig.err.text, "tok-az"));
		assert_null(strstr(rig.notes, "tok-az"));
	}
}

/* Local time, with the hour that comes twice and the one that never does. */
static void
cli_local_time(void **state UNUSED)
{
	static const struct {
		const char *now, *zone, *text, *end;	/* UTC; NULL: over */
	} rows[] = {
		{ "2025-03-14T15:09:26", "UTC", "2025-03-14 16:09:26.123456",
		    "2025-03-14T16:09:26" },
		{ "2025-03-14T15:09:26", "EST5EDT,M3.2.0,M11.1.0",
		    "2025-03-14 12:09:26.000000", "2025-03-14T16:09:26" },
		{ "2025-03-14T15:09:26", "IST-5:30",
		    "2025-03-14 21:39:26.000000", "2025-03-14T16:09:26" },
		{ "2025-11-02T05:10:00", "EST5EDT,M3.2.0,M11.1.0",
		    "2025-11-02 01:30:00.000000", "2025-11-02T05:30:00" },
		{ "2025-11-02T05:40:00", "EST5EDT,M3.2.0,M11.1.0",
		    "2025-11-02 01:30:00.000000", "2025-11-02T06:30:00" },
		{ "2025-11-02T06:40:00", "EST5EDT,M3.2.0,M11.1.0",
		    "2025-11-02 01:30:00.000000", NULL },
		{ "2025-03-14T15:09:26", "UTC", "yesterday", NULL },
	};
	struct provider_call call = rig_call();
	struct secret printed = SECRET_INIT;
	struct tm tm;
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		char *text = arena_printf(rig.arena, "{\"accessToken\":"
		    "\"tok\",\"expiresOn\":\"%s\"}", rows[i].text);
		int r;

		memset(&tm, 0, sizeof(tm));
		strptime(rows[i].now, "%Y-%m-%dT%H:%M:%S", &tm);
		call.now = (int64_t)timegm(&tm) * 1000;
		setenv("TZ", rows[i].zone, 1);
		tzset();
		secret_set(&printed, text, strlen(text));
		source_value_release(&azure.got);
		r = azure_cli_take(&call, &printed, &azure.got, NULL);
		assert_int_equal(r, rows[i].end != NULL ? 0 : E_PROTOCOL);
		if (r != 0)
			continue;
		memset(&tm, 0, sizeof(tm));
		strptime(rows[i].end, "%Y-%m-%dT%H:%M:%S", &tm);
		assert_int_equal(azure.got.expires / 1000, timegm(&tm));
	}
	secret_release(&printed);
}

/* --- What makes another source ------------------------------------------- */

static void
inputs(void **state UNUSED)
{
	static const char *const names[] = { "AZURE_CLIENT_SECRET",
	    "AZURE_TENANT_ID", "AZURE_CLIENT_CERTIFICATE_PASSWORD",
	    "IDENTITY_HEADER", "AZURE_CONFIG_DIR", "HOME",
	    "AZURE_TOKEN_CREDENTIALS", "AZURE_AUTHORITY_HOST" };
	struct azure_search search = { .entra_host = NULL };
	struct provider_call call = rig_call();
	const char *before, *after;
	size_t i;

	before = rig_joined(azure_sources_inputs(&call, &search), "\n");
	for (i = 0; i < ARRAY_LEN(names); i++) {
		rig_variable(names[i], "x");
		after = rig_joined(azure_sources_inputs(&call, &search), "\n");
		assert_string_not_equal(before, after);
		before = after;
	}
	search.pin = "dev";
	assert_string_not_equal(before, rig_joined(azure_sources_inputs(&call,
	    &search), "\n"));
	search.pin = NULL;
	search.entra_host = "h";
	assert_string_not_equal(before, rig_joined(azure_sources_inputs(&call,
	    &search), "\n"));
}

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(order), TEST(half_set), TEST(pins),
		TEST(configured_and_failing),
		TEST(entra_request), TEST(authorities), TEST(tenants),
		TEST(retries), TEST(bodies), TEST(app_service),
		TEST(metadata_service), TEST(metadata_of_others),
		TEST(metadata_retries), TEST(arc),
		TEST(cli_runs), TEST(cli_fails), TEST(cli_local_time),
		TEST(inputs),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
