/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Id tokens as token endpoints give them: which are taken, at a sign-in and
 * at a refresh, when keys are fetched anew, and what a person is called.
 */
#include "base.h"

#include "oauth_sets.h"

static void
sign_in_with(const char *id)
{
	w.nsecrets = 0;
	answers(200, tokens_with(id, ""));
	w.keys_forced = w.keys_fetched = 0;
}

/* --- Signatures ---------------------------------------------------------- */

/* Without a signature, or with one that anybody can make. */
static void
algorithms(void **state UNUSED)
{
	static const char *const heads[] = { "{\"alg\":\"none\"}",
	    "{\"alg\":\"None\"}", "{\"alg\":\"HS256\",\"kid\":\"one\"}",
	    "{\"alg\":\"RS512\",\"kid\":\"one\"}", "{\"kid\":\"one\"}" };
	const char *claims = claims_with("");
	size_t i;

	for (i = 0; i < ARRAY_LEN(heads); i++) {
		sign_in_with(arena_printf(w.arena, "%s.%s.%s",
		    jwt_base64url(w.arena, heads[i], strlen(heads[i])),
		    jwt_base64url(w.arena, claims, strlen(claims)),
		    i < 2 ? "" : "AAAA"));
		exchange_fails(E_AUTH, "");
	}
	sign_in_with("no.token");
	exchange_fails(E_AUTH, "");
	assert_int_equal(w.keys_forced, 0);
}

static void
foreign_key(void **state UNUSED)
{
	sign_in_with(sign_with(claims_with(""), &w.other_pem, "one"));
	exchange_fails(E_AUTH, "");
	assert_int_equal(w.keys_forced, 0);
}

/* --- Claims -------------------------------------------------------------- */

static void
claims(void **state UNUSED)
{
	static const struct {
		const char *more, *words;
	} rows[] = {
		{ "\"nonce\":\"another\"", "nonce" },
		{ "\"nonce\":null", "nonce" },
		{ "\"iss\":\"" ISSUER "/\"", "iss" },
		{ "\"iss\":null", "iss" },
		{ "\"aud\":\"another\"", "aud" },
		{ "\"aud\":[\"" CLIENT "\",\"b\"]", "azp" },
		{ "\"azp\":\"another\"", "azp" },
		{ "\"exp\":1600000000", "exp" },
		{ "\"exp\":null", "exp" },
		{ "\"iat\":1700000100", "iat" },
		{ "\"nbf\":1700000100", "nbf" },
		{ "\"sub\":null", "sub" },
		{ "\"sub\":\"\"", "sub" },
		{ "\"at_hash\":\"AAAA\"", "at_hash" },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		sign_in_with(sign(claims_with(rows[i].more)));
		exchange_fails(E_AUTH, rows[i].words);
		assert_int_equal(w.keys_forced, 0);
	}
}

static void
long_subject(void **state UNUSED)
{
	char *sub = arena_alloc(w.arena, 300);

	memset(sub, 's', 256);
	sign_in_with(sign(claims_with(arena_printf(w.arena, "\"sub\":\"%s\"",
	    sub))));
	exchange_fails(E_AUTH, "sub");
	sub[255] = '\0';
	sign_in_with(sign(claims_with(arena_printf(w.arena, "\"sub\":\"%s\"",
	    sub))));
	exchange_works();
	assert_string_equal(got.subject, sub);
}

/* --- Keys ---------------------------------------------------------------- */

/* The issuer has new keys: one look finds them. */
static void
rotated(void **state UNUSED)
{
	w.new_keys = jwk_of(w.other, "two");
	sign_in_with(sign_with(claims_with(""), &w.other_pem, "two"));
	exchange_works();
	assert_int_equal(w.keys_forced, 1);
	exchange_works();
	assert_int_equal(w.keys_forced, 1);
}

static void
unknown_key(void **state UNUSED)
{
	sign_in_with(sign_with(claims_with(""), &w.pem, "three"));
	exchange_fails(E_AUTH, "");
	assert_int_equal(w.keys_forced, 1);
}

static void
keys_away(void **state UNUSED)
{
	sign_in_with(sign(claims_with("")));
	w.keys_r = E_TIMEOUT;
	exchange_fails(E_TIMEOUT, "keys cannot be had");
	w.keys_r = 0;
	w.keys = arena_strdup(w.arena, "{\"no\":\"keys\"}");
	exchange_fails(E_PROTOCOL, "keys cannot be had");
	/* The code was not spent on it. */
	assert_int_equal(w.nasked, 0);
}

/* --- Refresh ------------------------------------------------------------- */

static void
other_person(void **state UNUSED)
{
	old_set();
	sign_in_with(sign(claims_with("\"sub\":\"sub-2\"")));
	refresh_fails(E_SIGNIN, "somebody else");
	assert_null(got.subject);
	sign_in_with(sign(claims_with("\"iss\":\"https://evil.example\"")));
	refresh_fails(E_AUTH, "iss");
	assert_non_null(got.subject);
	sign_in_with(sign(claims_with("\"aud\":\"another\"")));
	refresh_fails(E_AUTH, "aud");
	sign_in_with(sign_with(claims_with(""), &w.other_pem, "one"));
	refresh_fails(E_AUTH, "");
	sign_in_with(sign(claims_with("\"nonce\":null")));
	refresh_works();
}

/* What was answered is spent otherwise: the new refresh token is kept, and an
   id token that nobody can look at is not used. */
static void
key_not_there(void **state UNUSED)
{
	old_set();
	sign_in_with(sign_with(claims_with(""), &w.pem, "three"));
	refresh_works();
	assert_int_equal(w.keys_forced, 1);
	assert_true(secret_is(&got.refresh_token, REFRESH));
	assert_true(secret_is(&got.access_token, ACCESS));
	assert_true(secret_is(&got.id_token, old.id_token.ptr));
	assert_int_equal(got.id_expires, old.id_expires);
	assert_string_equal(got.subject, "sub-1");
	assert_string_equal(got.account, "ann@example.org");
}

/* --- Names --------------------------------------------------------------- */

static void
accounts(void **state UNUSED)
{
	static const struct {
		const char *more, *account;
	} rows[] = {
		{ "", "sub-1" },
		{ "\"name\":\"Ann \\u00c9\"", "Ann \xc3\x89" },
		{ "\"name\":\"Ann\",\"upn\":\"ann@corp\"", "ann@corp" },
		{ "\"upn\":\"u\",\"preferred_username\":\"ann\"", "ann" },
		{ "\"preferred_username\":\"ann\",\"email\":\"a@b\"", "a@b" },
		{ "\"email\":\"a@b\",\"email_verified\":true", "a@b" },
		{ "\"email\":\"a@b\",\"email_verified\":\"true\"", "a@b" },
		{ "\"email\":\"a@b\",\"email_verified\":false", "sub-1" },
		{ "\"email\":\"a@b\",\"email_verified\":\"false\"", "sub-1" },
		{ "\"email\":\"a@b\",\"email_verified\":0,\"name\":\"Ann\"",
		    "Ann" },
		{ "\"email\":\"\",\"name\":\"Ann\"", "Ann" },
		{ "\"email\":[\"a@b\"],\"name\":\"Ann\"", "Ann" },
		{ "\"name\":\"A\\u001b[31mnn\"", "sub-1" },
		{ "\"sub\":\"a\\u0001\"", "" },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		sign_in_with(sign(claims_with(rows[i].more)));
		exchange_works();
		assert_string_equal(got.account, rows[i].account);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		SETS_TEST(algorithms),
		SETS_TEST(foreign_key),
		SETS_TEST(claims),
		SETS_TEST(long_subject),
		SETS_TEST(rotated),
		SETS_TEST(unknown_key),
		SETS_TEST(keys_away),
		SETS_TEST(other_person),
		SETS_TEST(key_not_there),
		SETS_TEST(accounts),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, rig_group_setup,
	    rig_group_teardown);
}
