/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens of others: their form, their header, their signature, their times. */
#include "base.h"

#include <inttypes.h>

#include "jsonx.h"
#include "jwt_rig.h"

#define CLAIMS "{\"sub\":\"jane\",\"exp\":1}"

static struct jwk_set *set;

static int
setup(void **state)
{
	rig_setup(state);
	set = rig_set(arena_printf(rig.arena, "%s,%s",
	    rig_jwk(rig.rsa, "\"kid\":\"r\""),
	    rig_jwk(rig.ec, "\"kid\":\"e\"")));
	return 0;
}

static int
teardown(void **state)
{
	jwk_set_free(set);
	return rig_teardown(state);
}

/* Refused, in words that have this and nothing of the token. */
static void
refused(const char *token, const char *why)
{
	struct err err = ERR_INIT;

	assert_int_equal(rig_judge(token, RIG_ALL, set, &err), E_AUTH);
	assert_int_equal(err.code, E_AUTH);
	if (strstr(err.text, why) == NULL)
		fail_msg("'%s' does not say '%s'", err.text, why);
	assert_null(strstr(err.text, "eyJ"));
	assert_null(strstr(err.text, "jane"));
}

static void
taken(const char *token)
{
	struct err err = ERR_INIT;

	if (rig_judge(token, RIG_ALL, set, &err) != 0)
		fail_msg("%s", err.text);
}

static char *
signed_rsa(const char *header, const char *claims)
{
	return rig_token(rig.rsa, JWT_RS256, header, claims);
}

static char *
b64(const char *text)
{
	return jwt_base64url(rig.arena, text, strlen(text));
}

static void
signatures_of_each_algorithm(void **state UNUSED)
{
	char *ps = rig_token(rig.rsa, JWT_PS256,
	    "{\"alg\":\"PS256\",\"kid\":\"r\"}", CLAIMS);
	char *es = rig_token(rig.ec, JWT_ES256,
	    "{\"alg\":\"ES256\",\"kid\":\"e\"}", CLAIMS);

	taken(signed_rsa("{\"alg\":\"RS256\",\"kid\":\"r\"}", CLAIMS));
	taken(signed_rsa("{\"alg\":\"RS256\"}", CLAIMS));
	taken(ps);
	taken(es);
	/* PKCS #1 where PSS is said, and the other way round. */
	refused(signed_rsa("{\"alg\":\"PS256\",\"kid\":\"r\"}", CLAIMS),
	    "not signed by");
	refused(rig_token(rig.rsa, JWT_PS256,
	    "{\"alg\":\"RS256\",\"kid\":\"r\"}", CLAIMS), "not signed by");
	refused(rig_token(rig.other, JWT_RS256,
	    "{\"alg\":\"RS256\",\"kid\":\"r\"}", CLAIMS), "not signed by");
}

static void
only_allowed_algorithms_count(void **state UNUSED)
{
	static const char *const names[] = { "ES256", "none", "HS256", "RS" };
	static const char *const algs[] = { "none", "None", "HS256", "rs256",
	    "RS256 ", "RS384", "EdDSA", "" };
	char *rs = signed_rsa("{\"alg\":\"RS256\",\"kid\":\"r\"}", CLAIMS);
	size_t i;

	assert_int_equal(jwt_allowed(names, ARRAY_LEN(names)),
	    JWT_ALLOW(JWT_ES256));
	assert_int_equal(jwt_allowed(NULL, 0), 0);
	assert_int_equal(rig_judge(rs, JWT_ALLOW(JWT_ES256), set, NULL),
	    E_AUTH);
	assert_int_equal(rig_judge(rs, 0, set, NULL), E_AUTH);
	for (i = 0; i < ARRAY_LEN(algs); i++)
		refused(signed_rsa(arena_printf(rig.arena,
		    "{\"alg\":\"%s\",\"kid\":\"r\"}", algs[i]), CLAIMS),
		    "not allowed");
	refused(signed_rsa("{\"kid\":\"r\"}", CLAIMS), "not allowed");
	refused(signed_rsa("{\"alg\":[\"RS256\"],\"kid\":\"r\"}", CLAIMS),
	    "not allowed");
	refused(arena_printf(rig.arena, "%s.%s.", b64("{\"alg\":\"none\"}"),
	    b64(CLAIMS)), "not allowed");
}

static void
keys_by_kid_only(void **state UNUSED)
{
	struct err err = ERR_INIT;

	assert_int_equal(rig_judge(signed_rsa("{\"alg\":\"RS256\","
	    "\"kid\":\"new\"}", CLAIMS), RIG_ALL, set, &err), E_NOTFOUND);
	assert_int_equal(rig_judge(signed_rsa("{\"alg\":\"RS256\","
	    "\"kid\":\"e\"}", CLAIMS), RIG_ALL, set, &err), E_NOTFOUND);
	/* What it brings itself is not looked at. */
	refused(rig_token(rig.other, JWT_RS256, arena_printf(rig.arena,
	    "{\"alg\":\"RS256\",\"kid\":\"r\",\"jwk\":%s,\"x5c\":[\"AA\"],"
	    "\"jku\":\"http://127.0.0.1:1/\",\"x5u\":\"http://127.0.0.1:1/\"}",
	    rig_jwk(rig.other, "")), CLAIMS), "not signed by");
	taken(signed_rsa("{\"alg\":\"RS256\",\"kid\":\"r\",\"jwk\":1,"
	    "\"jku\":2}", CLAIMS));
}

static void
headers_that_are_refused(void **state UNUSED)
{
	refused(signed_rsa("{\"alg\":\"RS256\",\"crit\":[\"b64\"],"
	    "\"b64\":false}", CLAIMS), "crit");
	refused(signed_rsa("{\"alg\":\"RS256\",\"crit\":[]}", CLAIMS), "crit");
	refused(signed_rsa("{\"alg\":\"RS256\",\"crit\":null}", CLAIMS),
	    "crit");
	refused(signed_rsa("{\"alg\":\"RS256\",\"kid\":7}", CLAIMS), "kid");
	refused(signed_rsa("{\"alg\":\"RS256\",\"kid\":null}", CLAIMS), "kid");
	refused(signed_rsa("{\"alg\":\"RS256\",\"typ\":[]}", CLAIMS), "typ");
	refused(signed_rsa("{\"alg\":\"none\",\"alg\":\"RS256\"}", CLAIMS),
	    "twice");
	refused(signed_rsa("{\"alg\":\"RS256\",\"\\u0061lg\":\"RS256\"}",
	    CLAIMS), "twice");
	refused(signed_rsa("[]", CLAIMS), "no JSON object");
	refused(signed_rsa("null", CLAIMS), "no JSON object");
	refused(signed_rsa("{\"alg\":\"RS256\"}}", CLAIMS), "no JSON object");
	refused(signed_rsa("{\"alg\":\"RS256\"", CLAIMS), "no JSON object");
	refused(signed_rsa("{'alg':'RS256'}", CLAIMS), "no JSON object");
	refused(signed_rsa("\xef\xbb\xbf{\"alg\":\"RS256\"}", CLAIMS),
	    "no JSON object");
	taken(signed_rsa(" {\"alg\":\"RS256\"} ", CLAIMS));
}

static void
claims_that_are_refused(void **state UNUSED)
{
	static const char header[] = "{\"alg\":\"RS256\"}";

	refused(signed_rsa(header, "[]"), "claims");
	refused(signed_rsa(header, "\"jane\""), "claims");
	refused(signed_rsa(header, "{\"sub\":\"jane\",\"sub\":\"bob\"}"),
	    "twice");
	refused(signed_rsa(header, "{\"sub\":\"jane\\u0000bob\"}"), "claims");
	refused(signed_rsa(header, "{\"sub\":\"\xff\"}"), "claims");
	refused(signed_rsa(header, "{\"exp\":01}"), "claims");
	refused(signed_rsa(header, "{\"exp\":NaN}"), "claims");
	refused(signed_rsa(header, ""), "claims");
	taken(signed_rsa(header, "{}"));
}

static void
forms_that_are_refused(void **state UNUSED)
{
	char *good = signed_rsa("{\"alg\":\"RS256\"}", CLAIMS);
	char *sig = strrchr(good, '.') + 1;
	size_t len = strlen(sig);
	char *copy = arena_strdup(rig.arena, good);

	refused("", "three parts");
	refused("..", "header");
	refused("a.b", "three parts");
	refused(arena_printf(rig.arena, "%s.", good), "three parts");
	refused(arena_printf(rig.arena, ".%s", good), "three parts");
	refused(arena_printf(rig.arena, " %s", good), "header");
	refused(arena_printf(rig.arena, "%s\n", good), "signature");
	refused(arena_printf(rig.arena, "%s==", good), "signature");
	refused(arena_printf(rig.arena, "%.*s", (int)(sig - good), good),
	    "signature");
	/* The last of 342 characters holds four bits that must be none. */
	assert_int_equal(len % 4, 2);
	copy[strlen(copy) - 1]++;
	refused(copy, "signature");
	refused(arena_printf(rig.arena, "%sA", good), "not signed by");
	refused(arena_printf(rig.arena, "%sAA", good), "not signed by");
	refused(arena_printf(rig.arena, "%.*s", (int)strlen(good) - 1, good),
	    "signature");
	refused(arena_printf(rig.arena, "%.*s", (int)strlen(good) - 4, good),
	    "sign");
}

static void
standard_base64_is_refused(void **state UNUSED)
{
	char *token, *p;
	int i;

	/* Until one has a - or _ in its signature. */
	for (i = 0;; i++) {
		token = signed_rsa("{\"alg\":\"RS256\"}", arena_printf(
		    rig.arena, "{\"i\":%d}", i));
		taken(token);
		p = strrchr(token, '.');
		p += strcspn(p, "-_");
		if (*p != '\0')
			break;
	}
	*p = *p == '-' ? '+' : '/';
	refused(token, "signature");
}

static void
length_travels_with_the_bytes(void **state UNUSED)
{
	char *good = signed_rsa("{\"alg\":\"RS256\"}", CLAIMS);
	size_t len = strlen(good);
	char *longer = arena_printf(rig.arena, "%sX", good);
	struct jwt_parts parts;
	char *big;

	/* Not one byte behind it is read, and a NUL in it is no end. */
	assert_int_equal(jwt_parse(longer, len, RIG_ALL, &parts, NULL), 0);
	assert_int_equal(jwt_verify(&parts, set, NULL), 0);
	jwt_parts_release(&parts);
	longer[len] = '\0';
	assert_int_equal(jwt_parse(longer, len + 1, RIG_ALL, &parts, NULL),
	    E_AUTH);
	big = arena_alloc(rig.arena, JWT_MAX + 1);
	memset(big, 'A', JWT_MAX + 1);
	assert_int_equal(jwt_parse(big, JWT_MAX + 1, RIG_ALL, &parts, NULL),
	    E_AUTH);
	/* A refused one holds nothing. */
	assert_null(parts.header);
	assert_null(parts.claims);
	jwt_parts_release(&parts);
}

static void
signatures_that_are_too_long(void **state UNUSED)
{
	char *sig = arena_alloc(rig.arena, 20000);
	const char *head = arena_printf(rig.arena, "%s.%s",
	    b64("{\"alg\":\"RS256\"}"), b64(CLAIMS));
	int n;

	memset(sig, 'A', 20000);
	for (n = 1360; n < 1380; n++)
		assert_int_equal(rig_judge(arena_printf(rig.arena, "%s.%.*s",
		    head, n, sig), RIG_ALL, set, NULL), E_AUTH);
	refused(arena_printf(rig.arena, "%s.%.*s", head, 19996, sig),
	    "signature");
}

/* The curve's own form, and numbers that are none. */
static void
ec_signatures_are_two_numbers(void **state UNUSED)
{
	char *good = rig_token(rig.ec, JWT_ES256, "{\"alg\":\"ES256\"}",
	    CLAIMS);
	int len = (int)(strrchr(good, '.') - good);
	unsigned char raw[66] = { 0 };
	static const size_t sizes[] = { 1, 32, 63, 64, 65, 66 };
	size_t i;

	taken(good);
	for (i = 0; i < ARRAY_LEN(sizes); i++)
		refused(arena_printf(rig.arena, "%.*s.%s", len, good,
		    jwt_base64url(rig.arena, raw, sizes[i])), "not signed by");
	memset(raw, 0xff, 64);
	refused(arena_printf(rig.arena, "%.*s.%s", len, good,
	    jwt_base64url(rig.arena, raw, 64)), "not signed by");
	/* The very signature, and a byte more. */
	refused(arena_printf(rig.arena, "%sA", good), "not signed by");
	/* DER, which begins 30 45 02 20 or so. */
	memcpy(raw, "\x30\x3e\x02\x1d", 4);
	refused(arena_printf(rig.arena, "%.*s.%s", len, good,
	    jwt_base64url(rig.arena, raw, 64)), "not signed by");
}

static void
parts_are_what_the_token_says(void **state UNUSED)
{
	char *token = signed_rsa("{\"alg\":\"RS256\",\"kid\":\"r\","
	    "\"typ\":\"x.y\"}", CLAIMS);
	struct jwt_parts parts;

	assert_int_equal(jwt_parse(token, strlen(token), RIG_ALL, &parts,
	    NULL), 0);
	assert_int_equal(parts.algorithm, JWT_RS256);
	assert_string_equal(parts.kid, "r");
	assert_string_equal(parts.typ, "x.y");
	assert_string_equal(jsonx_str(parts.claims, "sub"), "jane");
	assert_int_equal(parts.signature_len, 256);
	assert_int_equal(parts.signed_len, strrchr(token, '.') - token);
	jwt_parts_release(&parts);
	assert_null(parts.claims);
	token = signed_rsa("{\"alg\":\"RS256\"}", CLAIMS);
	assert_int_equal(jwt_parse(token, strlen(token), RIG_ALL, &parts,
	    NULL), 0);
	assert_null(parts.kid);
	assert_null(parts.typ);
	jwt_parts_release(&parts);
}

static void
times_are_numbers(void **state UNUSED)
{
	static const struct {
		const char *json;
		bool ok;
		int64_t ms;
	} rows[] = {
		{ "1741964966", true, INT64_C(1741964966000) },
		{ "1741964966.25", true, INT64_C(1741964966250) },
		{ "1741964966.0019", true, INT64_C(1741964966002) },
		{ "1.741964966e9", true, INT64_C(1741964966000) },
		{ "0", true, 0 }, { "-5", true, -5000 },
		{ "99999999999999999999", true, INT64_C(9000000000000000) },
		{ "1e300", true, INT64_C(9000000000000000) },
		{ "-1e300", true, -INT64_C(9000000000000000) },
		{ "1e999", false, 0 }, { "\"1741964966\"", false, 0 },
		{ "null", false, 0 }, { "true", false, 0 },
		{ "[1]", false, 0 }, { "{}", false, 0 },
	};
	struct jwt_parts parts;
	int64_t ms;
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		char *token = signed_rsa("{\"alg\":\"RS256\"}", arena_printf(
		    rig.arena, "{\"exp\":%s}", rows[i].json));

		assert_int_equal(jwt_parse(token, strlen(token), RIG_ALL,
		    &parts, NULL), 0);
		ms = 0;
		if (jwt_time(&parts, "exp", &ms) != rows[i].ok ||
		    ms != rows[i].ms)
			fail_msg("%s: %" PRId64, rows[i].json, ms);
		assert_false(jwt_time(&parts, "iat", &ms));
		jwt_parts_release(&parts);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(signatures_of_each_algorithm),
		TEST(only_allowed_algorithms_count),
		TEST(keys_by_kid_only),
		TEST(headers_that_are_refused),
		TEST(claims_that_are_refused),
		TEST(forms_that_are_refused),
		TEST(standard_base64_is_refused),
		TEST(length_travels_with_the_bytes),
		TEST(signatures_that_are_too_long),
		TEST(ec_signatures_are_two_numbers),
		TEST(parts_are_what_the_token_says),
		TEST(times_are_numbers),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, rig_keys, rig_keys_free);
}
