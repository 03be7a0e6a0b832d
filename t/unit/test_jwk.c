/* SPDX-License-Identifier: Apache-2.0 */
/* Key sets: which keys are taken for which algorithm, and what is left out. */
#include "base.h"

#include "jwt_rig.h"

/* Which algorithms the only key of this JSON is for. */
static unsigned
fits(const char *key)
{
	struct jwk_set *set = rig_set(key);
	struct evp_pkey_st *found = NULL;
	unsigned out = 0;
	enum jwt_algorithm a;

	for (a = JWT_RS256; a <= JWT_ES256; a++) {
		int r = jwk_find(set, NULL, a, &found, NULL);

		assert_true(r == 0 || r == E_NOTFOUND);
		if (r == 0)
			out |= JWT_ALLOW(a);
	}
	jwk_set_free(set);
	return out;
}

#define BOTH (JWT_ALLOW(JWT_RS256) | JWT_ALLOW(JWT_PS256))
#define ES JWT_ALLOW(JWT_ES256)

static void
what_a_key_is_for(void **state UNUSED)
{
	static const struct {
		bool ec;
		const char *more;
		unsigned fits;
	} rows[] = {
		{ false, "", BOTH },
		{ false, "\"alg\":\"RS256\"", JWT_ALLOW(JWT_RS256) },
		{ false, "\"alg\":\"PS256\",\"use\":\"sig\"",
		    JWT_ALLOW(JWT_PS256) },
		{ false, "\"alg\":\"ES256\"", 0 },
		{ false, "\"alg\":\"RS384\"", 0 },
		{ false, "\"alg\":\"RSA-OAEP\"", 0 },
		{ false, "\"alg\":\"none\"", 0 },
		{ false, "\"alg\":\"HS256\"", 0 },
		{ false, "\"alg\":null", 0 },
		{ false, "\"alg\":[\"RS256\"]", 0 },
		{ false, "\"use\":\"enc\"", 0 },
		{ false, "\"use\":\"SIG\"", 0 },
		{ false, "\"use\":null", 0 },
		{ false, "\"key_ops\":[\"sign\",\"verify\"]", BOTH },
		{ false, "\"key_ops\":[\"encrypt\"]", 0 },
		{ false, "\"key_ops\":[]", 0 },
		{ false, "\"key_ops\":\"verify\"", 0 },
		{ false, "\"key_ops\":[1,null,{}]", 0 },
		{ false, "\"kid\":1", 0 },
		{ false, "\"kid\":null", 0 },
		{ false, "\"d\":\"AQAB\"", 0 },
		{ false, "\"x5t\":\"zzz\",\"x5c\":[1],\"ext\":true", BOTH },
		{ true, "", ES },
		{ true, "\"alg\":\"ES256\",\"use\":\"sig\"", ES },
		{ true, "\"alg\":\"RS256\"", 0 },
		{ true, "\"alg\":\"ES384\"", 0 },
		{ true, "\"use\":\"enc\"", 0 },
		{ true, "\"d\":\"AQAB\"", 0 },
		{ true, "\"crv\":\"P-384\"", 0 },	/* the last one wins */
		{ true, "\"kty\":\"RSA\"", 0 },
		{ true, "\"kty\":\"oct\",\"k\":\"AQAB\"", 0 },
		{ true, "\"kty\":\"OKP\"", 0 },
		{ true, "\"kty\":null", 0 },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++)
		if (fits(rig_jwk(rows[i].ec ? rig.ec : rig.rsa,
		    rows[i].more)) != rows[i].fits)
			fail_msg("%s", rows[i].more);
}

/* An RSA key of these bits, exponent e in base64url. */
static char *
rsa_of(unsigned bits, const char *e)
{
	EVP_PKEY *key = EVP_RSA_gen(bits);
	char *out;

	assert_non_null(key);
	out = arena_printf(rig.arena, "{\"kty\":\"RSA\",\"n\":\"%s\","
	    "\"e\":\"%s\"}", rig_number(key, OSSL_PKEY_PARAM_RSA_N, 0), e);
	EVP_PKEY_free(key);
	return out;
}

static char *
rsa_raw(const char *n, const char *e)
{
	return arena_printf(rig.arena, "{\"kty\":\"RSA\",\"n\":\"%s\","
	    "\"e\":\"%s\"}", n, e);
}

static void
rsa_keys_that_are_weak_or_none(void **state UNUSED)
{
	const char *n = rig_number(rig.rsa, OSSL_PKEY_PARAM_RSA_N, 0);
	const char *zero = rig_number(rig.rsa, OSSL_PKEY_PARAM_RSA_N, 258);
	char *huge = arena_alloc(rig.arena, 20001);

	assert_int_equal(fits(rsa_of(2048, "AQAB")), BOTH);
	assert_int_equal(fits(rsa_of(1024, "AQAB")), 0);
	assert_int_equal(fits(rsa_of(2046, "AQAB")), 0);
	assert_int_equal(fits(rsa_raw(n, "Aw")), BOTH);		/* 3 */
	assert_int_equal(fits(rsa_raw(n, "AQ")), 0);		/* 1 */
	assert_int_equal(fits(rsa_raw(n, "Ag")), 0);		/* 2 */
	assert_int_equal(fits(rsa_raw(n, "")), 0);
	assert_int_equal(fits(rsa_raw(n, "AA")), 0);
	assert_int_equal(fits(rsa_raw(n, "AQAAAAAAAAAB")), 0);	/* too long */
	assert_int_equal(fits(rsa_raw(n, "AQA")), 0);		/* even */
	assert_int_equal(fits(rsa_raw(n, "AQAB=")), 0);
	assert_int_equal(fits(rsa_raw(n, "AQ AB")), 0);
	assert_int_equal(fits(rsa_raw(zero, "AAEAAQ")), BOTH);	/* zeros lead */
	assert_int_equal(fits(rsa_raw("", "AQAB")), 0);
	memset(huge, '_', 20000);
	assert_int_equal(fits(rsa_raw(huge, "AQAB")), 0);
	huge[1367] = '\0';	/* 8202 bits */
	assert_int_equal(fits(rsa_raw(huge, "AQAB")), 0);
	assert_int_equal(fits("{\"kty\":\"RSA\"}"), 0);
	assert_int_equal(fits("{\"kty\":\"RSA\",\"n\":1,\"e\":[]}"), 0);
}

static void
points_that_are_none(void **state UNUSED)
{
	char *x = rig_number(rig.ec, OSSL_PKEY_PARAM_EC_PUB_X, 32);
	char *y = rig_number(rig.ec, OSSL_PKEY_PARAM_EC_PUB_Y, 32);
	static const char form[] = "{\"kty\":\"EC\",\"crv\":\"P-256\","
	    "\"x\":\"%s\",\"y\":\"%s\"}";

	assert_int_equal(fits(arena_printf(rig.arena, form, x, y)), ES);
	assert_int_equal(fits(arena_printf(rig.arena, form, x, x)), 0);
	assert_int_equal(fits(arena_printf(rig.arena, form, y, x)), 0);
	assert_int_equal(fits(arena_printf(rig.arena, form, x, "")), 0);
	assert_int_equal(fits(arena_printf(rig.arena, form, "", y)), 0);
	assert_int_equal(fits(arena_printf(rig.arena, form, x,
	    arena_printf(rig.arena, "AAAA%s", y))), 0);
	assert_int_equal(fits(arena_printf(rig.arena, form, x + 4, y)), 0);
	assert_int_equal(fits("{\"kty\":\"EC\",\"crv\":\"P-256\"}"), 0);
	assert_int_equal(fits("{\"kty\":\"EC\"}"), 0);
}

/* Which of the rig's keys is found: 'r', 'o', 'e', or the error. */
static int
found(const struct jwk_set *set, const char *kid, enum jwt_algorithm a)
{
	struct evp_pkey_st *key = NULL;
	int r = jwk_find(set, kid, a, &key, NULL);

	return r != 0 ? r : EVP_PKEY_eq(key, rig.rsa) == 1 ? 'r' :
	    EVP_PKEY_eq(key, rig.other) == 1 ? 'o' : 'e';
}

static void
keys_are_found_by_kid_or_alone(void **state UNUSED)
{
	struct jwk_set *set = rig_set(arena_printf(rig.arena, "%s,%s,%s,%s",
	    rig_jwk(rig.rsa, "\"kid\":\"a\",\"alg\":\"RS256\""),
	    rig_jwk(rig.other, "\"kid\":\"b\""),
	    rig_jwk(rig.rsa, "\"kid\":\"enc\",\"use\":\"enc\""),
	    rig_jwk(rig.ec, "\"kid\":\"a\"")));

	assert_int_equal(found(set, "a", JWT_RS256), 'r');
	assert_int_equal(found(set, "a", JWT_ES256), 'e');
	assert_int_equal(found(set, "a", JWT_PS256), E_NOTFOUND);
	assert_int_equal(found(set, "b", JWT_RS256), 'o');
	assert_int_equal(found(set, "enc", JWT_RS256), E_NOTFOUND);
	assert_int_equal(found(set, "", JWT_RS256), E_NOTFOUND);
	assert_int_equal(found(set, "A", JWT_RS256), E_NOTFOUND);
	assert_int_equal(found(set, NULL, JWT_RS256), E_AUTH);
	assert_int_equal(found(set, NULL, JWT_PS256), 'o');
	assert_int_equal(found(set, NULL, JWT_ES256), 'e');
	jwk_set_free(set);
	set = rig_set(arena_printf(rig.arena, "%s,%s",
	    rig_jwk(rig.rsa, "\"kid\":\"a\""),
	    rig_jwk(rig.other, "\"kid\":\"a\"")));
	assert_int_equal(found(set, "a", JWT_RS256), E_AUTH);
	jwk_set_free(set);
}

static void
sets_that_are_none(void **state UNUSED)
{
	static const char *const texts[] = { "", "null", "[]", "{}", "\"x\"",
	    "{\"keys\":{}}", "{\"keys\":null}", "{\"keys\":[]", "<html>",
	    "{\"keys\":[]}x" };
	struct jwk_set *set;
	struct err err = ERR_INIT;
	size_t i;

	for (i = 0; i < ARRAY_LEN(texts); i++) {
		assert_int_equal(jwk_set_parse(texts[i], strlen(texts[i]),
		    &set, &err), E_PROTOCOL);
		assert_int_equal(err.code, E_PROTOCOL);
		assert_null(set);
	}
	jwk_set_free(NULL);
	set = rig_set("");
	assert_int_equal(found(set, NULL, JWT_RS256), E_NOTFOUND);
	jwk_set_free(set);
	assert_int_equal(fits("null,1,\"x\",[],{}"), 0);
}

static void
a_set_is_bounded(void **state UNUSED)
{
	char *keys = arena_strdup(rig.arena, "");
	struct jwk_set *set;
	int i;

	/* What is left out takes no room. */
	for (i = 0; i < JWK_SET_MAX + 2; i++)
		keys = arena_printf(rig.arena, "%s%s,%s,", keys,
		    rig_jwk(rig.ec, arena_printf(rig.arena,
		    "\"kid\":\"%d\"", i)), "{\"kty\":\"oct\"}");
	set = rig_set(arena_printf(rig.arena, "%s{}", keys));
	assert_int_equal(found(set, "63", JWT_ES256), 'e');
	assert_int_equal(found(set, "64", JWT_ES256), E_NOTFOUND);
	jwk_set_free(set);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_a_key_is_for, rig_setup,
		    rig_teardown),
		cmocka_unit_test_setup_teardown(rsa_keys_that_are_weak_or_none,
		    rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(points_that_are_none,
		    rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(keys_are_found_by_kid_or_alone,
		    rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(sets_that_are_none, rig_setup,
		    rig_teardown),
		cmocka_unit_test_setup_teardown(a_set_is_bounded, rig_setup,
		    rig_teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, rig_keys, rig_keys_free);
}
