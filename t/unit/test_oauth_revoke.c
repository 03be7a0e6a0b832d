/* SPDX-License-Identifier: Apache-2.0 */
/* The end of a sign-in: telling the issuer, and where the browser may go. */
#include "base.h"

#include "oauth_sets.h"

static void
revoke_is(int code, const char *words)
{
	struct err err = ERR_INIT;
	int r = oauth_revoke(&w.o, &old, &err);

	if (code == 0 && r == 0)
		return;
	told(&err, r, code, words);
}

static void
revoked(void **state UNUSED)
{
	old_set();
	answers(200, NULL);
	revoke_is(0, "");
	assert_string_equal(w.url, ISSUER "/revoke");
	assert_string_equal(w.method, "POST");
	assert_string_equal(sent("token"), REFRESH_OLD);
	assert_string_equal(sent("token_type_hint"), "refresh_token");
	assert_non_null(strstr(w.headers, "Basic " BASIC));
	assert_true(w.timeout <= 10);
	secret_release(&old.refresh_token);
	answers(200, "OK");
	revoke_is(0, "");
	assert_string_equal(sent("token"), "access-token-old");
	assert_string_equal(sent("token_type_hint"), "access_token");
}

static void
signed_by_us(void **state UNUSED)
{
	old_set();
	w.login.client_auth = CLIENT_AUTH_NONE;
	answers(200, NULL);
	revoke_is(0, "");
	assert_string_equal(sent("client_id"), CLIENT);
}

static void
not_offered(void **state UNUSED)
{
	old_set();
	answers(200, NULL);
	metadata_with("\"revocation_endpoint\":null");
	revoke_is(E_NOTFOUND, "no revocation");
	metadata_with("\"revocation_endpoint\":\"http://issuer.example/\"");
	revoke_is(E_NOTFOUND, "no revocation");
	metadata_with("");
	free(old.issuer);
	old.issuer = xstrdup("https://other.example");
	revoke_is(E_NOTFOUND, "no revocation");
	token_set_release(&old);
	revoke_is(E_NOTFOUND, "no revocation");
	assert_int_equal(w.nasked, 0);
}

static void
revoke_fails(void **state UNUSED)
{
	old_set();
	w.nsecrets = 0;
	hide(CLIENT_SECRET);
	hide(BASIC);
	hide(REFRESH_OLD);
	answers(503, "busy " REFRESH_OLD);
	revoke_is(E_BUSY, "issuer.example answered 503");
	answers(400, arena_printf(w.arena, "{\"error\":"
	    "\"unsupported_token_type\",\"error_description\":\"%s\"}",
	    all_secrets()));
	revoke_is(E_DENIED, "400: unsupported_token_type");
	answers(302, NULL);
	revoke_is(E_PROTOCOL, "302");
	breaks(E_TIMEOUT, "ETIMEDOUT");
	revoke_is(E_TIMEOUT, "it broke");
	assert_int_equal(w.nasked, 1);
}

/* --- Sign-out in the browser --------------------------------------------- */

static const char *
logout(int code)
{
	struct strbuf sb = STRBUF_INIT(2048);
	struct err err = ERR_INIT;
	int r = oauth_logout_url(&w.o, "https://portal.example/connect?a=b",
	    "state-1", &sb, &err);
	char *out = arena_strdup(w.arena, sb.buf);

	strbuf_release(&sb);
	if (r != code)
		fail_msg("%d: %s", r, err.text);
	return out;
}

static void
sign_out(void **state UNUSED)
{
	assert_string_equal(logout(0), ISSUER "/end?client_id=the%20client&"
	    "post_logout_redirect_uri=https%3A%2F%2Fportal.example%2Fconnect"
	    "%3Fa%3Db&state=state-1");
	metadata_with("\"end_session_endpoint\":\"" ISSUER "/end?x=1\"");
	assert_true(str_starts(logout(0), ISSUER "/end?x=1&client_id="));
	metadata_with("\"end_session_endpoint\":null");
	assert_string_equal(logout(E_NOTFOUND), "");
	metadata_with("\"end_session_endpoint\":\"javascript:alert(1)\"");
	assert_string_equal(logout(E_NOTFOUND), "");
	w.metadata_r = E_TLS;
	logout(E_TLS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		SETS_TEST(revoked),
		SETS_TEST(signed_by_us),
		SETS_TEST(not_offered),
		SETS_TEST(revoke_fails),
		SETS_TEST(sign_out),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, rig_group_setup,
	    rig_group_teardown);
}
