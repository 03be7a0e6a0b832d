/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signing in with a code and renewing tokens: what is asked, what comes of
 * each answer, and that no error holds a secret.
 */
#include "base.h"

#include "oauth_sets.h"

/* --- The authorize URL --------------------------------------------------- */

static const char *
url_now(void)
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
url_is(const char *name, const char *value)
{
	const char *url = url_now();
	char *has = sent_in(strchr(url, '?') + 1, name);

	if (!str_eq(has, value))
		fail_msg("%s is '%s' in %s", name, has ? has : "-", url);
}

static void
authorize(void **state UNUSED)
{
	char challenge[OAUTH_RANDOM];

	oauth_challenge(w.begun.verifier, challenge);
	assert_true(str_starts(url_now(), ISSUER "/auth?response_type=code&"));
	url_is("client_id", CLIENT);
	url_is("redirect_uri", REDIRECT);
	url_is("state", w.begun.state);
	url_is("nonce", w.begun.nonce);
	url_is("code_challenge", challenge);
	url_is("code_challenge_method", "S256");
	url_is("prompt", NULL);
	url_is("audience", NULL);
	url_is("access_type", NULL);
	assert_null(strstr(url_now(), w.begun.verifier));
	assert_int_equal(w.nasked, 0);
}

static void
authorize_options(void **state UNUSED)
{
	struct strbuf tiny = STRBUF_INIT(100);
	struct err err = ERR_INIT;
	int r;

	w.login.prompt = "login consent";
	w.login.audience = "https://kube.example/&";
	url_is("prompt", "login consent");
	url_is("audience", "https://kube.example/&");
	w.login.prompt = "auto";
	url_is("prompt", NULL);
	metadata_with("\"authorization_endpoint\":\"" ISSUER "/a?x=1\"");
	assert_true(str_starts(url_now(), ISSUER "/a?x=1&response_type="));
	r = oauth_authorize_url(&w.o, &w.begun, &tiny, &err);
	told(&err, r, E_TOOLARGE, "too long");
	strbuf_release(&tiny);
}

static void
scopes(void **state UNUSED)
{
	const char *two[] = { "email openid", "email  https://x/y" };

	url_is("scope", "openid email profile");
	metadata_with("\"scopes_supported\":[\"openid\",\"offline_access\","
	    "\"groups\",5,null,\"address\",\"email\"]");
	url_is("scope", "openid email groups offline_access");
	metadata_with("\"scopes_supported\":[]");
	url_is("scope", "openid");
	w.login.scopes = (struct string_list){ two, 2 };
	url_is("scope", "openid email https://x/y");
}

/* --- Metadata ------------------------------------------------------------ */

static void
url_fails(int code, const char *words)
{
	struct strbuf sb = STRBUF_INIT(8192);
	struct err err = ERR_INIT;
	int r = oauth_authorize_url(&w.o, &w.begun, &sb, &err);

	told(&err, r, code, words);
	assert_int_equal(sb.len, 0);
	strbuf_release(&sb);
}

static void
issuers_names(void **state UNUSED)
{
	metadata_with("\"issuer\":\"" ISSUER "/\"");
	url_fails(E_CONFIG, "calls itself '" ISSUER "/'");
	metadata_with("\"issuer\":\"https://ISSUER.example/realm\"");
	url_fails(E_CONFIG, "byte for byte");
	metadata_with("\"issuer\":\"\\u0007\\u001b[31m\"");
	url_fails(E_CONFIG, "byte for byte");
	metadata_with("\"issuer\":5");
	url_fails(E_CONFIG, "byte for byte");
	/* The slash is part of the name, and not of the path to it. */
	w.login.issuer = ISSUER "/";
	metadata_with("\"issuer\":\"" ISSUER "/\"");
	assert_true(str_starts(url_now(), ISSUER "/auth?"));
}

static void
issuers_addresses(void **state UNUSED)
{
	static const char *const bad[] = { "http://issuer.example",
	    "https://ann@issuer.example", "https://issuer.example/?a=b",
	    "https://issuer.example/#a", "ftp://issuer.example", "https://",
	    "http://127.0.0.1.example", "http://localhost.example/",
	    "http://127.0.0.1@issuer.example/", "https://issuer.example/a b",
	    "http://1270.0.0.1", "issuer.example", "http://[::2]/" };
	static const char *const good[] = { "http://127.0.0.1:5556/dex",
	    "http://localhost:80", "http://[::1]:1/", "http://127.9.9.9" };
	size_t i;

	for (i = 0; i < ARRAY_LEN(bad); i++) {
		w.login.issuer = bad[i];
		url_fails(E_CONFIG, "must be https://HOST");
	}
	w.login.issuer = NULL;
	url_fails(E_CONFIG, "name no issuer");
	w.metadata_r = E_TIMEOUT;
	for (i = 0; i < ARRAY_LEN(good); i++) {
		w.login.issuer = good[i];
		w.metadata_url = arena_printf(w.arena, "%.*s/.well-known/"
		    "openid-configuration", (int)(strlen(good[i]) -
		    str_starts(good[i], "http://[")), good[i]);
		url_fails(E_CONNECT, "metadata cannot be had");
	}
}

static void
endpoints(void **state UNUSED)
{
	static const char *const needed[] = { "authorization_endpoint",
	    "token_endpoint", "jwks_uri" };
	static const char *const bad[] = { "\"http://issuer.example/x\"",
	    "\"http://127.0.0.1/x\"", "\"https://a@issuer.example/x\"", "5",
	    "null", "\"javascript:alert(1)\"", "\"https://x/#y\"",
	    "\"https://x/\\n\"", "\"\"" };
	size_t i, k;

	for (i = 0; i < ARRAY_LEN(needed); i++)
		for (k = 0; k < ARRAY_LEN(bad); k++) {
			metadata_with(arena_printf(w.arena, "\"%s\":%s",
			    needed[i], bad[k]));
			url_fails(E_CONFIG, "do not name");
		}
}

/* An issuer on loopback, as in tests and on one's own machine. */
static void
loopback(void **state UNUSED)
{
	w.login.issuer = "http://127.0.0.1:1";
	w.metadata_url = "http://127.0.0.1:1/.well-known/"
	    "openid-configuration";
	metadata_with("\"issuer\":\"http://127.0.0.1:1\","
	    "\"token_endpoint\":\"http://127.0.0.1:1/t\"");
	url_is("client_id", CLIENT);
	metadata_with("\"issuer\":\"http://127.0.0.1:1\","
	    "\"token_endpoint\":\"http://127.0.0.2.example:1/t\"");
	url_fails(E_CONFIG, "do not name");
}

static void
metadata_away(void **state UNUSED)
{
	static const struct {
		int r, code;
	} rows[] = {
		{ E_CONNECT, E_CONNECT }, { E_TIMEOUT, E_CONNECT },
		{ E_PROTOCOL, E_CONNECT }, { E_TOOLARGE, E_CONNECT },
		{ E_TLS, E_TLS }, { E_CONFIG, E_CONFIG },
	};
	size_t i;

	old_set();
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		w.metadata_r = rows[i].r;
		url_fails(rows[i].code, "metadata cannot be had: "
		    "issuer.example");
		exchange_fails(rows[i].code, "issuer.example");
		refresh_fails(rows[i].code, "issuer.example");
	}
	w.metadata_r = 0;
	w.metadata = arena_strdup(w.arena, "[]");
	refresh_fails(E_CONNECT, "no JSON object");
	assert_int_equal(w.nasked, 0);
}

/* --- A code -------------------------------------------------------------- */

static void
code(void **state UNUSED)
{
	const char *id = sign(claims_with("\"email\":\"ann@example.org\""));

	answers(200, tokens_with(id, "\"scope\":\"openid email\""));
	exchange_works();
	assert_string_equal(w.method, "POST");
	assert_string_equal(w.url, ISSUER "/token");
	assert_string_equal(sent("grant_type"), "authorization_code");
	assert_string_equal(sent("code"), CODE);
	assert_string_equal(sent("redirect_uri"), REDIRECT);
	assert_string_equal(sent("code_verifier"), w.begun.verifier);
	assert_null(sent("scope"));
	assert_true(w.timeout >= 40);
	assert_true(w.limit > 0 && w.limit <= 1 << 20);
	assert_null(got.user);
	assert_string_equal(got.issuer, ISSUER);
	assert_string_equal(got.subject, "sub-1");
	assert_string_equal(got.account, "ann@example.org");
	assert_string_equal(got.scope, "openid email");
	assert_true(secret_is(&got.id_token, id));
	assert_true(secret_is(&got.access_token, ACCESS));
	assert_true(secret_is(&got.refresh_token, REFRESH));
	assert_int_equal(got.id_expires, NOW + 600000);
	assert_int_equal(got.access_expires, NOW + 3600000);
	assert_int_equal(got.signed_in, NOW);
	assert_int_equal(got.refreshed, NOW);
	assert_int_equal(strlen(got.generation), TOKEN_SET_GENERATION - 1);
	assert_null(got.ended);
	assert_int_equal(w.nasked, 1);
}

static void
answers_that_do(void **state UNUSED)
{
	const char *id = sign(claims_with(""));

	answers(200, tokens_with(id, "\"token_type\":\"bEARER\""));
	exchange_works();
	assert_string_equal(got.scope, "openid email profile");
	answers(200, tokens_with(id, "\"token_type\":null"));
	exchange_works();
	answers(200, tokens_with(id, "\"refresh_token\":\"\""));
	exchange_works();
	assert_int_equal(got.refresh_token.len, 0);
	answers(201, tokens_with(id, "\"refresh_token\":null"));
	exchange_works();
	assert_int_equal(got.refresh_token.len, 0);
}

static void
lifetimes(void **state UNUSED)
{
	static const struct {
		const char *text;
		int64_t life;
	} rows[] = {
		{ "60", 60000 }, { "\"60\"", 60000 }, { "0", 0 },
		{ "1.5", 1500 }, { "null", 600000 }, { "\"\"", 600000 },
		{ "-5", 600000 }, { "\"5 minutes\"", 600000 },
		{ "[60]", 600000 }, { "1e300", INT64_C(315360000000) },
		{ "\"99999999999999999999\"", INT64_C(315360000000) },
	};
	const char *id = sign(claims_with(""));
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		answers(200, tokens_with(id, arena_printf(w.arena,
		    "\"expires_in\":%s", rows[i].text)));
		w.nsecrets--;
		exchange_works();
		assert_int_equal(got.access_expires, NOW + rows[i].life);
	}
}

static void
bad_answers(void **state UNUSED)
{
	static const struct {
		const char *more, *words;
	} rows[] = {
		{ "\"token_type\":\"DPoP\"", "token_type" },
		{ "\"access_token\":null", "no access token" },
		{ "\"access_token\":\"\"", "no access token" },
		{ "\"access_token\":5", "no access token" },
		{ "\"access_token\":\"a b\"", "that is none" },
		{ "\"access_token\":\"a\\r\\nX: y\"", "that is none" },
		{ "\"refresh_token\":\"a\\u00e4\"", "that is none" },
		{ "\"id_token\":\"a\\tb\"", "that is none" },
		{ "\"scope\":\"a\\nb\"", "scope" },
	};
	const char *id = sign(claims_with(""));
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		answers(200, tokens_with(id, rows[i].more));
		w.nsecrets--;
		exchange_fails(E_PROTOCOL, rows[i].words);
	}
	answers(200, tokens_with(id, "\"id_token\":null"));
	exchange_fails(E_AUTH, "no id token");
	answers(200, "<html>signed in</html>");
	exchange_fails(E_PROTOCOL, "answered 200");
	answers(200, "[\"" ACCESS "\"]");
	exchange_fails(E_PROTOCOL, "answered 200");
	answers(200, NULL);
	exchange_fails(E_PROTOCOL, "answered 200");
	answers(302, "");
	exchange_fails(E_PROTOCOL, "answered 302");
	answers(204, NULL);
	exchange_fails(E_PROTOCOL, "answered 204");
}

static void
huge_answers(void **state UNUSED)
{
	char *huge = arena_alloc(w.arena, 40001);

	memset(huge, 'a', 40000);
	answers(200, tokens_with(sign(claims_with("")), arena_printf(w.arena,
	    "\"access_token\":\"%s\"", huge)));
	exchange_fails(E_PROTOCOL, "that is none");
	answers(200, tokens_with(huge, ""));
	exchange_fails(E_PROTOCOL, "that is none");
	answers(400, arena_printf(w.arena, "{\"error\":\"%s\","
	    "\"error_description\":\"%s %s\"}", huge, huge, CLIENT_SECRET));
	exchange_fails(E_DENIED, "issuer.example answered 400");
	huge[3000] = '\0';
	answers(400, arena_printf(w.arena, "{\"error\":\"invalid_grant\","
	    "\"error_description\":\"%s\"}", huge));
	exchange_fails(E_AUTH, "invalid_grant: aaaa");
}

/* --- Mix-up -------------------------------------------------------------- */

static void
issuer_of_callback(void **state UNUSED)
{
	struct err err;
	int r;

	answers(200, tokens_with(sign(claims_with("")), ""));
	assert_int_equal(exchange(ISSUER, &err), 0);
	w.nasked = 0;
	r = exchange(ISSUER "/", &err);
	told(&err, r, E_AUTH, "of another issuer");
	r = exchange("", &err);
	told(&err, r, E_AUTH, "of another issuer");
	r = exchange("https://evil.example", &err);
	told(&err, r, E_AUTH, "of another issuer");
	metadata_with("\"authorization_response_iss_parameter_supported\":"
	    "true");
	r = exchange(NULL, &err);
	told(&err, r, E_AUTH, "does not say which issuer");
	assert_int_equal(w.nasked, 0);
	assert_int_equal(exchange(ISSUER, &err), 0);
}

static void
no_code(void **state UNUSED)
{
	struct oauth_callback cb = { .begun = &w.begun };
	struct err err = ERR_INIT;

	told(&err, oauth_code(&w.o, &cb, &got, &err), E_AUTH, "no code");
	cb.code = "";
	told(&err, oauth_code(&w.o, &cb, &got, &err), E_AUTH, "no code");
	assert_int_equal(oauth_code(&w.o, &cb, &got, NULL), E_AUTH);
	assert_int_equal(w.nasked, 0);
}

/* --- Refusals ------------------------------------------------------------ */

struct refusal {
	int status;
	const char *name;	/* NULL: no JSON */
	int code;		/* of a refresh */
};

static const struct refusal refusals[] = {
	{ 400, "invalid_grant", E_SIGNIN },
	{ 401, "invalid_grant", E_SIGNIN },
	{ 403, "invalid_grant", E_SIGNIN },
	{ 200, "invalid_grant", E_SIGNIN },
	{ 400, "interaction_required", E_SIGNIN },
	{ 400, "consent_required", E_SIGNIN },
	{ 400, "login_required", E_SIGNIN },
	{ 400, "access_denied", E_SIGNIN },
	{ 400, "invalid_client", E_DENIED },
	{ 401, "invalid_client", E_DENIED },
	{ 400, "unauthorized_client", E_DENIED },
	{ 400, "invalid_request", E_DENIED },
	{ 400, "invalid_scope", E_DENIED },
	{ 400, "unsupported_grant_type", E_DENIED },
	{ 400, "of_its_own", E_DENIED },
	{ 400, NULL, E_DENIED },
	{ 403, NULL, E_DENIED },
	{ 404, NULL, E_DENIED },
	{ 400, "temporarily_unavailable", E_BUSY },
	{ 400, "server_error", E_BUSY },
	{ 429, NULL, E_BUSY },
	{ 429, "invalid_grant", E_BUSY },
	{ 500, NULL, E_BUSY },
	{ 500, "invalid_grant", E_BUSY },
	{ 501, NULL, E_BUSY },
	{ 503, NULL, E_BUSY },
	{ 503, "temporarily_unavailable", E_BUSY },
	{ 502, NULL, E_PROTOCOL },
	{ 504, NULL, E_PROTOCOL },
	{ 502, "invalid_grant", E_PROTOCOL },
	{ 408, NULL, E_PROTOCOL },
	{ 301, NULL, E_PROTOCOL },
	{ 307, "invalid_grant", E_PROTOCOL },
	{ 100, NULL, E_PROTOCOL },
};

static void
refuse_with(const struct refusal *r, const char *words)
{
	answers(r->status, r->name == NULL ? "<h1>" CLIENT_SECRET "</h1>" :
	    arena_printf(w.arena, "{\"error\":\"%s\",\"error_description\":"
	    "\"%s\"}", r->name, words));
}

static void
only_of_refresh(void)
{
	w.nsecrets = 0;
	hide(CLIENT_SECRET);
	hide(BASIC);
	hide(REFRESH_OLD);
	hide(old.access_token.ptr);
	hide(old.id_token.ptr);
}

static void
only_of_code(void)
{
	w.nsecrets = 0;
	hide(CLIENT_SECRET);
	hide(BASIC);
	hide(CODE);
	hide(w.begun.verifier);
	hide(w.begun.nonce);
}

/* As all errors, and what the issuer may say is all that this call knew. */
static void
codes_of_refusals(void **state UNUSED)
{
	const struct refusal *r;
	char *status;
	size_t i;

	old_set();
	for (i = 0; i < ARRAY_LEN(refusals); i++) {
		r = &refusals[i];
		status = arena_printf(w.arena, "issuer.example answered %d%s%s",
		    r->status, r->name ? ": " : "",
		    r->name ? r->name : "");
		only_of_refresh();
		refuse_with(r, all_secrets());
		refresh_fails(r->code, status);
		assert_int_equal(w.nasked, 1);
		only_of_code();
		refuse_with(r, all_secrets());
		exchange_fails(r->code == E_SIGNIN ? E_AUTH : r->code, status);
		assert_int_equal(w.nasked, 1);
	}
}

/* As Dex has it. */
static void
refresh_tokens_that_are_blamed(void **state UNUSED)
{
	static const struct refusal invalid = { 400, "invalid_request", 0 };

	old_set();
	refuse_with(&invalid, "Refresh token is invalid or has already been "
	    "claimed by another client.");
	refresh_fails(E_SIGNIN, "invalid_request: Refresh token is invalid");
	refuse_with(&invalid, "Refresh token expired.");
	refresh_fails(E_SIGNIN, "invalid_request: Refresh token expired");
	refuse_with(&invalid, "client_secret is missing.");
	refresh_fails(E_DENIED, "client_secret is missing");
}

static void
words_of_refusals(void **state UNUSED)
{
	struct err err;

	old_set();
	refuse_with(&refusals[0], "the token \\u001b[31m\\r\\nis gone\\u0007");
	refresh_fails(E_SIGNIN, "issuer.example answered 400: invalid_grant: "
	    "the token  [31m  is gone");
	answers(400, "{\"error\":\"in\\nvalid\",\"error_description\":5}");
	refresh(&err);
	assert_string_equal(err.text, "issuer.example answered 400");
	answers(400, "{\"error\":{\"message\":\"" CLIENT_SECRET "\"}}");
	refresh(&err);
	assert_string_equal(err.text, "issuer.example answered 400");
	refuse_with(&refusals[0], arena_printf(w.arena, "%0300d", 7));
	refresh(&err);
	assert_true(strlen(err.text) < 300);
}

/* What does not look like a secret is known to be one, in all its forms. */
static void
plain_secrets(void **state UNUSED)
{
	static const char *const forms[] = { "fox/ox", "fox%2Fox",
	    "Yzpmb3glMkZveA==" };
	size_t i;

	w.login.client_id = "c";
	secret_set(&w.login.client_secret, forms[0], strlen(forms[0]));
	for (i = 0; i < ARRAY_LEN(forms); i++) {
		w.nsecrets = 0;
		hide(forms[i]);
		refuse_with(&refusals[0], arena_printf(w.arena, "a %s b",
		    forms[i]));
		exchange_fails(E_AUTH, "invalid_grant: a *** b");
	}
}

/* --- No answer ----------------------------------------------------------- */

static void
no_answer(void **state UNUSED)
{
	static const struct {
		int r;
		const char *detail;
		int code;
	} rows[] = {
		{ E_CONNECT, "ECONNREFUSED connect 127.0.0.1 1", E_CONNECT },
		{ E_CONNECT, "ENOTFOUND getaddrinfo x 0", E_CONNECT },
		{ E_TIMEOUT, "ETIMEDOUT connect 127.0.0.1 1", E_CONNECT },
		{ E_TIMEOUT, "ETIMEDOUT", E_TIMEOUT },
		{ E_TLS, "CERT_HAS_EXPIRED", E_TLS },
		{ E_PROTOCOL, "ECONNRESET", E_PROTOCOL },
		{ E_TOOLARGE, "", E_TOOLARGE },
		{ E_SYSTEM, "", E_CONNECT },
		{ E_INPUT, "", E_CONFIG },
		{ E_CONFIG, "", E_CONFIG },
	};
	size_t i;

	old_set();
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		breaks(rows[i].r, rows[i].detail);
		refresh_fails(rows[i].code, "issuer.example: it broke");
		assert_int_equal(w.nasked, 1);
		breaks(rows[i].r, rows[i].detail);
		exchange_fails(rows[i].code, "issuer.example: it broke");
		assert_int_equal(w.nasked, 1);
	}
}

/* --- Refresh ------------------------------------------------------------- */

static void
renewed(void **state UNUSED)
{
	const char *id;

	old_set();
	w.now += 1000;
	id = sign(claims_with("\"nonce\":\"whatever\""));
	answers(200, tokens_with(id, ""));
	refresh_works();
	assert_string_equal(sent("grant_type"), "refresh_token");
	assert_string_equal(sent("refresh_token"), REFRESH_OLD);
	assert_null(sent("scope"));
	assert_true(w.timeout >= 40);
	assert_string_equal(got.user, old.user);
	assert_string_equal(got.provider, old.provider);
	assert_string_equal(got.name, old.name);
	assert_string_equal(got.scope, "openid old");
	assert_true(secret_is(&got.id_token, id));
	assert_true(secret_is(&got.access_token, ACCESS));
	assert_true(secret_is(&got.refresh_token, REFRESH));
	assert_int_equal(got.id_expires, w.now + 600000);
	assert_int_equal(got.access_expires, w.now + 3600000);
	assert_int_equal(got.signed_in, old.signed_in);
	assert_int_equal(got.refreshed, w.now);
	assert_string_not_equal(got.generation, old.generation);
	assert_int_equal(got.tries, 0);
	answers(200, tokens_with(id, "\"refresh_token\":null,"
	    "\"scope\":\"openid new\""));
	refresh_works();
	assert_true(secret_is(&got.refresh_token, REFRESH_OLD));
	assert_string_equal(got.scope, "openid new");
}

/* Nothing of such an answer is used, but its refresh token is the good one from
   then on. */
static void
renewed_badly(void **state UNUSED)
{
	static const struct {
		const char *more, *words;
		bool kept;
	} rows[] = {
		{ "\"access_token\":null", "no access token", true },
		{ "\"access_token\":\"a b\"", "that is none", true },
		{ "\"id_token\":\"a\\tb\"", "that is none", true },
		{ "\"token_type\":\"DPoP\"", "token_type", true },
		{ "\"scope\":\"a\\nb\"", "scope", true },
		{ "\"refresh_token\":\"a\\tb\"", "that is none", false },
		{ "\"refresh_token\":null,\"scope\":\"\\n\"", "scope",
		    false },
	};
	struct err err;
	size_t i;
	int r;

	old_set();
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		answers(200, tokens_with(sign(claims_with("")), rows[i].more));
		w.nsecrets--;
		r = refresh(&err);
		told(&err, r, rows[i].kept ? E_AUTH : E_PROTOCOL,
		    rows[i].words);
		if (!rows[i].kept) {
			assert_null(got.user);
			continue;
		}
		assert_true(secret_is(&got.refresh_token, REFRESH));
		assert_true(secret_is(&got.id_token, old.id_token.ptr));
		assert_string_equal(got.generation, old.generation);
	}
}

static void
not_sent(void **state UNUSED)
{
	old_set();
	answers(200, "{}");
	w.keys_r = E_TIMEOUT;
	refresh_fails(E_CONNECT, "keys cannot be had");
	w.keys_r = 0;
	secret_release(&old.refresh_token);
	refresh_fails(E_SIGNIN, "no refresh token");
	secret_set(&old.refresh_token, REFRESH_OLD, strlen(REFRESH_OLD));
	free(old.issuer);
	old.issuer = xstrdup("https://other.example");
	refresh_fails(E_SIGNIN, "another issuer");
	assert_int_equal(w.nasked, 0);
}

/* Some issuers give no new id token. */
static void
without_id_token(void **state UNUSED)
{
	old_set();
	answers(200, "{\"access_token\":\"" ACCESS "\",\"expires_in\":60}");
	refresh_works();
	assert_true(secret_is(&got.access_token, ACCESS));
	assert_int_equal(got.access_expires, NOW + 60000);
	assert_true(secret_is(&got.id_token, old.id_token.ptr));
	assert_int_equal(got.id_expires, old.id_expires);
	answers(200, "{\"access_token\":\"" ACCESS "\"}");
	refresh_works();
	assert_int_equal(got.access_expires, NOW + 300000);
	w.now = old.id_expires;
	refresh_fails(E_SIGNIN, "gives no new id token");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		SETS_TEST(authorize),
		SETS_TEST(authorize_options),
		SETS_TEST(scopes),
		SETS_TEST(issuers_names),
		SETS_TEST(issuers_addresses),
		SETS_TEST(endpoints),
		SETS_TEST(loopback),
		SETS_TEST(metadata_away),
		SETS_TEST(code),
		SETS_TEST(answers_that_do),
		SETS_TEST(lifetimes),
		SETS_TEST(bad_answers),
		SETS_TEST(huge_answers),
		SETS_TEST(issuer_of_callback),
		SETS_TEST(no_code),
		SETS_TEST(codes_of_refusals),
		SETS_TEST(refresh_tokens_that_are_blamed),
		SETS_TEST(words_of_refusals),
		SETS_TEST(plain_secrets),
		SETS_TEST(no_answer),
		SETS_TEST(renewed),
		SETS_TEST(renewed_badly),
		SETS_TEST(not_sent),
		SETS_TEST(without_id_token),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, rig_group_setup,
	    rig_group_teardown);
}
