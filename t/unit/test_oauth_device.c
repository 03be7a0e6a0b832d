/* SPDX-License-Identifier: Apache-2.0 */
/* Signing in on another device: the codes, and asking until they count. */
#include "base.h"

#include "oauth_sets.h"

static struct oauth_device device;

static int
setup(void **state)
{
	memset(&device, 0, sizeof(device));
	return sets_setup(state);
}

static int
teardown(void **state)
{
	oauth_device_release(&device);
	return sets_teardown(state);
}

/* A good answer, changed so. */
static const char *
codes_with(const char *more)
{
	return object_with("{\"device_code\":\"" DEVICE_CODE "\","
	    "\"user_code\":\"WDJB-MJHT\",\"verification_uri\":\"" ISSUER
	    "/go\",\"verification_uri_complete\":\"" ISSUER "/go?c=WDJB\","
	    "\"expires_in\":900,\"interval\":7}", more);
}

static void
begin_is(int code, const char *words)
{
	struct err err = ERR_INIT;
	int r;

	oauth_device_release(&device);
	r = oauth_device_begin(&w.o, &device, &err);
	if (code != 0) {
		told(&err, r, code, words);
		assert_null(device.user_code);
	} else if (r != 0) {
		fail_msg("%s", err.text);
	}
}

static void
poll_is(int code, const char *words)
{
	struct err err = ERR_INIT;
	int r;

	token_set_release(&got);
	r = oauth_device_poll(&w.o, &device, &got, &err);
	if (code != 0) {
		told(&err, r, code, words);
		assert_null(got.subject);
	} else if (r != 0) {
		fail_msg("%s", err.text);
	}
}

static void
says(const char *error)
{
	answers(400, arena_printf(w.arena, "{\"error\":\"%s\","
	    "\"error_description\":\"about " DEVICE_CODE "\"}", error));
}

static void
start(void)
{
	answers(200, codes_with(""));
	begin_is(0, "");
}

/* --- Beginning ----------------------------------------------------------- */

static void
begun(void **state UNUSED)
{
	w.login.audience = "kube";
	start();
	assert_string_equal(w.url, ISSUER "/device");
	assert_string_equal(sent("scope"), "openid email profile");
	assert_string_equal(sent("audience"), "kube");
	assert_non_null(strstr(w.headers, "Basic " BASIC));
	assert_true(secret_is(&device.device_code, DEVICE_CODE));
	assert_string_equal(device.user_code, "WDJB-MJHT");
	assert_string_equal(device.verification_uri, ISSUER "/go");
	assert_string_equal(device.verification_uri_complete,
	    ISSUER "/go?c=WDJB");
	assert_int_equal(device.expires, NOW + 900000);
	assert_int_equal(device.interval, 7000);
	w.login.client_auth = CLIENT_AUTH_NONE;
	start();
	assert_string_equal(sent("client_id"), CLIENT);
}

static void
times(void **state UNUSED)
{
	static const struct {
		const char *more;
		int64_t interval, life;
	} rows[] = {
		{ "\"interval\":null", 5000, 900000 },
		{ "\"interval\":0", 5000, 900000 },
		{ "\"interval\":-1", 5000, 900000 },
		{ "\"interval\":\"x\"", 5000, 900000 },
		{ "\"interval\":1e9", 60000, 900000 },
		{ "\"expires_in\":null", 7000, 600000 },
		{ "\"expires_in\":1e300", 7000, 3600000 },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		answers(200, codes_with(rows[i].more));
		begin_is(0, "");
		assert_int_equal(device.interval, rows[i].interval);
		assert_int_equal(device.expires, NOW + rows[i].life);
	}
}

#define LONG_CODE "\"user_code\":\"0123456789012345678901234567890123456789" \
	"0123456789012345678901234\""

static void
bad_codes(void **state UNUSED)
{
	static const char *const rows[] = { "\"device_code\":null",
	    "\"device_code\":\"\"", "\"user_code\":null",
	    "\"user_code\":\"\"", "\"user_code\":\"a\\u001b[2J\"",
	    LONG_CODE, "\"verification_uri\":null",
	    "\"verification_uri\":\"http://issuer.example/go\"",
	    "\"verification_uri\":\"https://x/\\u001b\"" };
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		answers(200, codes_with(rows[i]));
		begin_is(E_PROTOCOL, "issuer.example");
	}
	answers(200, codes_with("\"verification_uri_complete\":"
	    "\"javascript:x\""));
	begin_is(0, "");
	assert_null(device.verification_uri_complete);
	answers(200, "hello");
	begin_is(E_PROTOCOL, "no JSON object");
}

static void
not_offered(void **state UNUSED)
{
	answers(200, codes_with(""));
	metadata_with("\"device_authorization_endpoint\":null");
	begin_is(E_NOTFOUND, "no sign-in on another device");
	metadata_with("");
	w.login.device = false;
	begin_is(E_NOTFOUND, "no sign-in on another device");
	w.login.device = true;
	w.login.provider = LOGIN_GOOGLE;
	begin_is(E_NOTFOUND, "Google");
	assert_int_equal(w.nasked, 0);
}

static void
begin_fails(void **state UNUSED)
{
	answers(400, "{\"error\":\"unauthorized_client\"}");
	begin_is(E_DENIED, "400: unauthorized_client");
	answers(503, NULL);
	begin_is(E_BUSY, "503");
	breaks(E_TIMEOUT, "ETIMEDOUT");
	begin_is(E_TIMEOUT, "it broke");
}

/* --- Polling ------------------------------------------------------------- */

static void
granted(void **state UNUSED)
{
	const char *id = sign(claims_with("\"nonce\":null"));

	start();
	says("authorization_pending");
	poll_is(E_PENDING, "authorization_pending");
	assert_int_equal(device.interval, 7000);
	assert_string_equal(w.url, ISSUER "/token");
	assert_string_equal(sent("grant_type"),
	    "urn:ietf:params:oauth:grant-type:device_code");
	assert_string_equal(sent("device_code"), DEVICE_CODE);
	answers(200, tokens_with(id, ""));
	poll_is(0, "");
	assert_true(secret_is(&got.id_token, id));
	assert_true(secret_is(&got.refresh_token, REFRESH));
	assert_string_equal(got.subject, "sub-1");
	assert_string_equal(got.scope, "openid email profile");
}

static void
slower(void **state UNUSED)
{
	start();
	says("slow_down");
	poll_is(E_PENDING, "slow_down");
	assert_int_equal(device.interval, 12000);
	poll_is(E_PENDING, "slow_down");
	assert_int_equal(device.interval, 17000);
	says("authorization_pending");
	poll_is(E_PENDING, "authorization_pending");
	assert_int_equal(device.interval, 17000);
	/* Also where it does not answer. */
	breaks(E_TIMEOUT, "ETIMEDOUT");
	poll_is(E_PENDING, "it broke");
	assert_int_equal(device.interval, 34000);
	answers(503, NULL);
	poll_is(E_PENDING, "503");
	assert_int_equal(device.interval, 60000);
	breaks(E_CONNECT, "");
	poll_is(E_PENDING, "it broke");
	w.keys_r = E_TIMEOUT;
	poll_is(E_PENDING, "keys");
	assert_int_equal(device.interval, 60000);
}

static void
over(void **state UNUSED)
{
	static const char *const names[] = { "access_denied",
	    "expired_token", "authorization_declined",
	    "bad_verification_code" };
	size_t i;

	start();
	for (i = 0; i < ARRAY_LEN(names); i++) {
		says(names[i]);
		poll_is(E_DENIED, names[i]);
	}
	w.nasked = 0;
	w.now = device.expires;
	poll_is(E_DENIED, "run out");
	assert_int_equal(w.nasked, 0);
}

static void
poll_fails(void **state UNUSED)
{
	start();
	says("invalid_grant");
	poll_is(E_AUTH, "invalid_grant");
	says("invalid_client");
	poll_is(E_CONFIG, "invalid_client");
	answers(200, "{}");
	poll_is(E_PROTOCOL, "no access token");
	answers(200, tokens_with(sign(claims_with("\"aud\":\"x\"")), ""));
	poll_is(E_AUTH, "aud");
	breaks(E_TLS, "");
	poll_is(E_TLS, "it broke");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(begun),
		TEST(times),
		TEST(bad_codes),
		TEST(not_offered),
		TEST(begin_fails),
		TEST(granted),
		TEST(slower),
		TEST(over),
		TEST(poll_fails),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, rig_group_setup,
	    rig_group_teardown);
}
