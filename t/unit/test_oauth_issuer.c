/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The dialects of Google and of Entra: where their metadata are, what they
 * may call themselves, what is asked for, what counts as granted.
 */
#include "base.h"

#include "oauth_sets.h"
#include "jwt_parts.h"

#define GOOGLE "https://accounts.google.com"
#define CLOUD "https://www.googleapis.com/auth/cloud-platform"
#define ENTRA "https://login.microsoftonline.com"
#define TENANT "11111111-2222-3333-4444-555555555555"
#define OTHER_TENANT "99999999-2222-3333-4444-555555555555"
#define AKS "6dae42f8-4368-4678-94ff-3960e28e3630/user.read"

static const char *
url_of(void)
{
	struct strbuf sb = STRBUF_INIT(8192);
	struct err err = ERR_INIT;
	char *text;

	if (oauth_authorize_url(&w.o, &w.begun, &sb, &err) != 0)
		fail_msg("%s", err.text);
	text = arena_strdup(w.arena, sb.buf);
	strbuf_release(&sb);
	return text;
}

static void
asks_for(const char *name, const char *value)
{
	char *has = sent_in(strchr(url_of(), '?') + 1, name);

	if (!str_eq(has, value))
		fail_msg("%s is '%s'", name, has ? has : "-");
}

static void
url_fails(const char *words)
{
	struct strbuf sb = STRBUF_INIT(8192);
	struct err err = ERR_INIT;

	told(&err, oauth_authorize_url(&w.o, &w.begun, &sb, &err), E_CONFIG,
	    words);
	strbuf_release(&sb);
}

/* --- Google -------------------------------------------------------------- */

static void
google(void)
{
	w.login.provider = LOGIN_GOOGLE;
	w.login.name = w.login.issuer = NULL;
	w.metadata_url = GOOGLE "/.well-known/openid-configuration";
	w.keys_url = "https://www.googleapis.com/oauth2/v3/certs";
	metadata_with("\"issuer\":\"" GOOGLE "\",\"authorization_endpoint\":"
	    "\"" GOOGLE "/o/oauth2/v2/auth\",\"token_endpoint\":"
	    "\"https://oauth2.googleapis.com/token\",\"jwks_uri\":"
	    "\"https://www.googleapis.com/oauth2/v3/certs\","
	    "\"revocation_endpoint\":\"https://oauth2.googleapis.com/revoke\","
	    "\"end_session_endpoint\":null");
}

static void
google_grants(const char *claims, const char *more)
{
	w.nsecrets = 0;
	answers(200, tokens_with(sign(claims_with(claims)), more));
}

static void
google_authorize(void **state UNUSED)
{
	static const char *own[] = { CLOUD };

	google();
	assert_true(str_starts(url_of(), GOOGLE "/o/oauth2/v2/auth?"));
	asks_for("scope", "openid email profile " CLOUD ".read-only");
	asks_for("access_type", "offline");
	asks_for("prompt", "consent");
	asks_for("response_mode", NULL);
	w.login.prompt = "select_account";
	asks_for("prompt", "select_account");
	w.login.scopes = (struct string_list){ own, 1 };
	asks_for("scope", "openid " CLOUD);
}

static void
google_issuers(void **state UNUSED)
{
	google();
	google_grants("\"iss\":\"" GOOGLE "\"", "");
	exchange_works();
	assert_string_equal(w.url, "https://oauth2.googleapis.com/token");
	google_grants("\"iss\":\"accounts.google.com\"", "");
	exchange_works();
	assert_string_equal(got.issuer, GOOGLE);
	google_grants("\"iss\":\"google.com\"", "");
	exchange_fails(E_AUTH, "another issuer");
	google_grants("\"iss\":\"http://accounts.google.com\"", "");
	exchange_fails(E_AUTH, "another issuer");
	google_grants("\"iss\":5", "");
	exchange_fails(E_AUTH, "another issuer");
	google_grants("\"iss\":null", "");
	exchange_fails(E_AUTH, "another issuer");
	metadata_with("");
	url_fails("calls itself");
}

/* People may untick what they are asked for. */
static void
google_scopes(void **state UNUSED)
{
	static const char *own[] = { "email" };
	static const struct {
		const char *scope;
		bool good;
	} rows[] = {
		{ "openid " CLOUD ".read-only email", true },
		{ CLOUD, true },
		{ "openid email", false },
		{ CLOUD "s openid", false },
		{ "x" CLOUD, false },
		{ "", false },
	};
	size_t i;

	google();
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		google_grants("\"iss\":\"" GOOGLE "\"", arena_printf(w.arena,
		    "\"scope\":\"%s\"", rows[i].scope));
		if (rows[i].good)
			exchange_works();
		else
			exchange_fails(E_AUTH, "leave it ticked");
	}
	w.login.scopes = (struct string_list){ own, 1 };
	exchange_works();
}

/* Google's refresh brings an access token, and mostly nothing else. */
static void
google_refresh(void **state UNUSED)
{
	google();
	old_set();
	free(old.issuer);
	old.issuer = xstrdup(GOOGLE);
	w.now = old.id_expires + 5000;
	answers(200, "{\"access_token\":\"" ACCESS "\",\"expires_in\":3599,"
	    "\"token_type\":\"Bearer\"}");
	refresh_works();
	assert_null(sent("scope"));
	assert_true(secret_is(&got.access_token, ACCESS));
	assert_true(secret_is(&got.refresh_token, REFRESH_OLD));
	assert_int_equal(got.access_expires, w.now + 3599000);
}

static void
google_revoke(void **state UNUSED)
{
	struct err err = ERR_INIT;

	google();
	old_set();
	free(old.issuer);
	old.issuer = xstrdup(GOOGLE);
	answers(200, "{}");
	assert_int_equal(oauth_revoke(&w.o, &old, &err), 0);
	assert_string_equal(w.url, "https://oauth2.googleapis.com/revoke");
	assert_string_equal(w.body, "token=" REFRESH_OLD);
	assert_null(strstr(w.headers, "Authorization"));
}

/* For tests, and whoever plays Google. */
static void
google_elsewhere(void **state UNUSED)
{
	google();
	w.login.issuer = "http://127.0.0.1:99";
	w.metadata_url = "http://127.0.0.1:99/.well-known/"
	    "openid-configuration";
	metadata_with("\"issuer\":\"http://127.0.0.1:99\",\"jwks_uri\":"
	    "\"https://www.googleapis.com/oauth2/v3/certs\"");
	google_grants("\"iss\":\"127.0.0.1:99\"", "");
	exchange_works();
}

/* --- Entra --------------------------------------------------------------- */

static void
entra(const char *host, const char *tenant, const char *name)
{
	const char *base = arena_printf(w.arena, "%s/%s", host, tenant);

	w.login.provider = LOGIN_AKS;
	w.login.name = w.login.issuer = NULL;
	w.login.tenant = tenant;
	w.metadata_url = arena_printf(w.arena, "%s/v2.0/.well-known/"
	    "openid-configuration", base);
	w.keys_url = arena_printf(w.arena, "%s/discovery/v2.0/keys", base);
	metadata_with(arena_printf(w.arena, "\"issuer\":\"%s/%s/v2.0\","
	    "\"authorization_endpoint\":\"%s/oauth2/v2.0/authorize\","
	    "\"token_endpoint\":\"%s/oauth2/v2.0/token\","
	    "\"device_authorization_endpoint\":\"%s/oauth2/v2.0/devicecode\","
	    "\"jwks_uri\":\"%s\",\"revocation_endpoint\":null", host, name,
	    base, base, base, w.keys_url));
}

static const char *
entra_id_token(const char *tenant)
{
	return sign(claims_with(arena_printf(w.arena, "\"iss\":\"" ENTRA
	    "/%s/v2.0\",\"tid\":\"%s\",\"preferred_username\":\"ann@corp\"",
	    tenant, tenant)));
}

static void
entra_sign_in(void **state UNUSED)
{
	entra(ENTRA, TENANT, TENANT);
	assert_true(str_starts(url_of(), ENTRA "/" TENANT
	    "/oauth2/v2.0/authorize?"));
	asks_for("response_mode", "query");
	asks_for("scope", "openid profile offline_access " AKS);
	asks_for("prompt", NULL);
	asks_for("access_type", NULL);
	answers(200, tokens_with(entra_id_token(TENANT), ""));
	exchange_works();
	assert_string_equal(w.url, ENTRA "/" TENANT "/oauth2/v2.0/token");
	assert_string_equal(sent("scope"), "openid profile offline_access "
	    AKS);
	assert_string_equal(got.issuer, ENTRA "/" TENANT "/v2.0");
	assert_string_equal(got.account, "ann@corp");
	answers(200, tokens_with(entra_id_token(OTHER_TENANT), ""));
	exchange_fails(E_AUTH, "iss");
}

static void
entra_refresh(void **state UNUSED)
{
	entra(ENTRA, TENANT, TENANT);
	old_set();
	free(old.issuer);
	old.issuer = xstrdup(ENTRA "/" TENANT "/v2.0");
	answers(200, tokens_with(entra_id_token(TENANT), ""));
	refresh_works();
	assert_string_equal(sent("scope"), "openid profile offline_access "
	    AKS);
	assert_string_equal(sent("refresh_token"), REFRESH_OLD);
}

/* By a domain, which Entra knows by its id. */
static void
entra_names(void **state UNUSED)
{
	entra(ENTRA, "corp.example", TENANT);
	answers(200, tokens_with(entra_id_token(TENANT), ""));
	exchange_works();
	answers(200, tokens_with(entra_id_token(OTHER_TENANT), ""));
	exchange_fails(E_AUTH, "iss");
	entra(ENTRA, "corp.example", "{tenantid}");
	url_fails("calls itself");
	entra(ENTRA, "corp.example", "other.example");
	url_fails("calls itself");
	entra(ENTRA, TENANT, OTHER_TENANT);
	url_fails("calls itself");
	entra(ENTRA, "corp.example", TENANT);
	metadata_with("\"issuer\":\"https://evil.example/" TENANT "/v2.0\"");
	url_fails("calls itself");
	metadata_with("\"issuer\":\"" ENTRA "/" TENANT "/v2.0/x\"");
	url_fails("calls itself");
	metadata_with("\"issuer\":\"" ENTRA ".evil.example/" TENANT
	    "/v2.0\"");
	url_fails("calls itself");
}

static void
entra_tenants(void **state UNUSED)
{
	static const struct {
		const char *tenant, *words;
	} rows[] = {
		{ "common", "people of any tenant" },
		{ "Organizations", "people of any tenant" },
		{ "consumers", "people of any tenant" },
		{ "a/b", "name no tenant" }, { "..", "name no tenant" },
		{ "a?b", "name no tenant" }, { "", "name no tenant" },
	};
	size_t i;

	entra(ENTRA, TENANT, TENANT);
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		w.login.tenant = rows[i].tenant;
		url_fails(rows[i].words);
	}
	w.login.tenant = NULL;
	url_fails("name no tenant");
	/* Entra writes ids in small letters. */
	w.login.tenant = "AAAAAAAA-2222-3333-4444-555555555555";
	w.metadata_url = ENTRA "/aaaaaaaa-2222-3333-4444-555555555555/v2.0/"
	    ".well-known/openid-configuration";
	metadata_with("\"issuer\":\"" ENTRA
	    "/aaaaaaaa-2222-3333-4444-555555555555/v2.0\"");
	url_of();
}

static void
entra_hosts(void **state UNUSED)
{
	entra("https://login.microsoftonline.us", TENANT, TENANT);
	w.o.entra_host = "login.microsoftonline.us";
	url_of();
	w.o.entra_host = "https://login.microsoftonline.us//";
	url_of();
	entra("http://127.0.0.1:77", TENANT, TENANT);
	w.o.entra_host = "http://127.0.0.1:77";
	url_of();
	w.o.entra_host = "http://login.microsoftonline.us";
	url_fails("must be https://HOST");
}

/* Entra knows our key by its certificate. */
static void
entra_certificate(void **state UNUSED)
{
	char path[] = "/tmp/stagedoor-oauth-XXXXXX";
	int fd = mkstemp(path);
	FILE *f = fdopen(fd, "w");
	X509 *x = X509_new();
	struct json_object *header, *claims;

	assert_non_null(f);
	X509_gmtime_adj(X509_getm_notBefore(x), 0);
	X509_gmtime_adj(X509_getm_notAfter(x), 60);
	X509_set_pubkey(x, w.key);
	assert_true(X509_sign(x, w.key, EVP_sha256()) > 0);
	PEM_write_X509(f, x);
	fputs(w.pem.ptr, f);
	fclose(f);
	X509_free(x);
	entra(ENTRA, TENANT, TENANT);
	w.login.client_auth = CLIENT_AUTH_PRIVATE_KEY_JWT;
	w.login.key_file = path;
	answers(200, tokens_with(entra_id_token(TENANT), ""));
	exchange_works();
	unlink(path);
	header = jwt_json(w.arena, sent("client_assertion"), 0);
	claims = jwt_json(w.arena, sent("client_assertion"), 1);
	assert_non_null(jsonx_str(header, "x5t#S256"));
	assert_string_equal(jsonx_str(claims, "aud"), ENTRA "/" TENANT
	    "/oauth2/v2.0/token");
	assert_string_equal(jsonx_str(claims, "iss"), CLIENT);
	json_object_put(header);
	json_object_put(claims);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		SETS_TEST(google_authorize),
		SETS_TEST(google_issuers),
		SETS_TEST(google_scopes),
		SETS_TEST(google_refresh),
		SETS_TEST(google_revoke),
		SETS_TEST(google_elsewhere),
		SETS_TEST(entra_sign_in),
		SETS_TEST(entra_refresh),
		SETS_TEST(entra_names),
		SETS_TEST(entra_tenants),
		SETS_TEST(entra_hosts),
		SETS_TEST(entra_certificate),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, rig_group_setup,
	    rig_group_teardown);
}
