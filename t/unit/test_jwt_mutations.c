/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Good tokens with bytes changed, left out or put in at random (the same in
 * every run): not one is taken. Then header, claims and key sets that are
 * rubbish, signed well: whatever comes of it, the readers end. Run it under
 * a sanitizer to see more. STAGEDOOR_MUTATIONS is the number of tries.
 */
#include "base.h"

#include "id_token.h"
#include "jwt_rig.h"
#include "strbuf.h"

#define TRIES 5000
#define TEXT_MAX 8192

static const char claims[] = "{\"iss\":\"https://idp.example.test\","
    "\"aud\":[\"stagedoor\"],\"azp\":\"stagedoor\",\"sub\":\"jane\","
    "\"exp\":1741968566,\"iat\":1741964961.5,\"nonce\":\"n-1\"}";

static const char *const bits[] = { ".", "..", "=", "-", "_", "+", "/", "A",
    "AA", "AAA", "{", "}", "[", "]", "\"", ":", ",", "\\", "\\u0000",
    "\\ud800", "null", "true", "1e999", "-1", "99999999999999999999", "\xff",
    "\"alg\":\"none\",", "\"alg\":\"HS256\",", "\"crit\":[],", "\"kid\":1,",
    "\"use\":\"enc\",", "\"d\":\"\"," };

static uint64_t seed = 88172645463325252U;

static size_t
random_below(size_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (size_t)(seed % n);
}

static unsigned long
tries(void)
{
	const char *text = getenv("STAGEDOOR_MUTATIONS");

	return text != NULL ? strtoul(text, NULL, 10) : TRIES;
}

/* One change, in place of up to four bytes. */
static void
mutate(struct strbuf *sb)
{
	char copy[TEXT_MAX];
	size_t len = sb->len, at = random_below(len + 1), cut, n = 1;
	const char *bit = bits[random_below(ARRAY_LEN(bits))];
	char byte = (char)random_below(256);

	memcpy(copy, sb->buf, len);
	cut = SD_MIN(random_below(5), len - at);
	if (random_below(2) == 0)
		bit = &byte;
	else
		n = strlen(bit);
	strbuf_reset(sb);
	strbuf_add(sb, copy, at);
	strbuf_add(sb, bit, n);
	strbuf_add(sb, copy + at + cut, len - at - cut);
}

static void
mutate_some(struct strbuf *sb, const char *text)
{
	size_t changes = 1 + random_below(3);

	strbuf_reset(sb);
	strbuf_addstr(sb, text);
	for (; changes > 0; changes--)
		mutate(sb);
}

/* In memory of its very size, so that a byte behind it is seen. */
static int
judge(const char *token, size_t len, const struct jwk_set *set)
{
	char *copy = xmalloc(len + 1);
	struct jwt_parts parts;
	struct err err = ERR_INIT;
	int r;

	memcpy(copy, token, len);
	copy = xrealloc(copy, len > 0 ? len : 1);
	r = jwt_parse(copy, len, RIG_ALL, &parts, &err);
	if (r == 0)
		r = jwt_verify(&parts, set, &err);
	jwt_parts_release(&parts);
	free(copy);
	if (r != 0 && r != E_AUTH && r != E_NOTFOUND)
		fail_msg("%d %s", r, err.text);
	return r;
}

/* ---- tokens ---- */

static void
none_is_taken(const char *good, const struct jwk_set *set)
{
	struct strbuf sb = STRBUF_INIT(TEXT_MAX);
	unsigned long i, n = tries();

	assert_int_equal(judge(good, strlen(good), set), 0);
	for (i = 0; i < n; i++) {
		mutate_some(&sb, good);
		if (sb.len == strlen(good) &&
		    memcmp(sb.buf, good, sb.len) == 0)
			continue;
		if (judge(sb.buf, sb.len, set) == 0)
			fail_msg("taken: %s", sb.buf);
	}
	strbuf_release(&sb);
}

/* Each bit of each byte alone, and each length. */
static void
no_bit_may_flip(const char *good, const struct jwk_set *set)
{
	char *copy = arena_strdup(rig.arena, good);
	size_t i, len = strlen(good);
	unsigned bit;

	for (i = 0; i < len; i++) {
		assert_int_not_equal(judge(good, i, set), 0);
		for (bit = 0; bit < 8; bit++) {
			copy[i] = (char)(good[i] ^ 1 << bit);
			if (judge(copy, len, set) == 0)
				fail_msg("taken: %s", copy);
		}
		copy[i] = good[i];
	}
}

static struct jwk_set *
everybody(void)
{
	return rig_set(arena_printf(rig.arena, "%s,%s,%s",
	    rig_jwk(rig.rsa, "\"kid\":\"r\""),
	    rig_jwk(rig.ec, "\"kid\":\"e\",\"alg\":\"ES256\""),
	    rig_jwk(rig.other, "\"kid\":\"o\",\"alg\":\"PS256\"")));
}

static void
tokens(void **state UNUSED)
{
	char *rs = rig_token(rig.rsa, JWT_RS256,
	    "{\"alg\":\"RS256\",\"kid\":\"r\",\"typ\":\"JWT\"}", claims);
	char *es = rig_token(rig.ec, JWT_ES256,
	    "{\"alg\":\"ES256\",\"kid\":\"e\"}", claims);
	char *ps = rig_token(rig.other, JWT_PS256,
	    "{\"alg\":\"PS256\",\"kid\":\"o\"}", claims);
	struct jwk_set *set = everybody();

	none_is_taken(rs, set);
	none_is_taken(es, set);
	none_is_taken(ps, set);
	no_bit_may_flip(rs, set);
	no_bit_may_flip(es, set);
	no_bit_may_flip(ps, set);
	jwk_set_free(set);
}

/* The parts of two good tokens of one key, in every mixture. */
static void
parts_do_not_mix(void **state UNUSED)
{
	char *one = rig_token(rig.ec, JWT_ES256, "{\"alg\":\"ES256\"}",
	    "{\"sub\":\"jane\"}");
	char *two = rig_token(rig.ec, JWT_ES256,
	    "{\"alg\":\"ES256\",\"kid\":\"e\"}", "{\"sub\":\"root\"}");
	struct jwk_set *set = everybody();
	unsigned mix, i, p;

	for (mix = 0; mix < 64; mix++) {
		char *token = arena_strdup(rig.arena, "");
		unsigned from[3] = { mix & 3, mix >> 2 & 3, mix >> 4 & 3 };

		for (i = 0; i < 3; i++) {
			const char *at = from[i] & 1 ? two : one;

			/* from 2: that of the next place */
			for (p = (i + (from[i] >> 1)) % 3; p > 0; p--)
				at = strchr(at, '.') + 1;
			token = arena_printf(rig.arena, "%s%s%.*s", token,
			    i > 0 ? "." : "", (int)strcspn(at, "."), at);
		}
		if ((judge(token, strlen(token), set) == 0) !=
		    (strcmp(token, one) == 0 || strcmp(token, two) == 0))
			fail_msg("%u", mix);
	}
	jwk_set_free(set);
}

/* ---- what is signed well, but is rubbish ---- */

/* Bytes that a C string cannot hold would end the text for the signer. */
static void
without_nul(struct strbuf *sb)
{
	size_t i;

	for (i = 0; i < sb->len; i++)
		if (sb->buf[i] == '\0')
			sb->buf[i] = ' ';
}

static int
judge_signed(const char *header, const char *text, const struct jwk_set *set)
{
	const struct id_token_rules rules = { .issuer = NULL,
	    .client_id = "stagedoor", .nonce = "n-1",
	    .now = INT64_C(1741964966000), .leeway = ID_TOKEN_LEEWAY_MS };
	struct jwt_parts parts;
	char *token = rig_token(rig.ec, JWT_ES256, header, text);
	int r;

	r = jwt_parse(token, strlen(token), RIG_ALL, &parts, NULL);
	if (r == 0)
		r = jwt_verify(&parts, set, NULL);
	if (r == 0)
		r = id_token_check(&parts, &rules, NULL);
	jwt_parts_release(&parts);
	return r;
}

static void
signed_rubbish(void **state UNUSED)
{
	static const char header[] = "{\"alg\":\"ES256\",\"kid\":\"e\"}";
	struct strbuf sb = STRBUF_INIT(TEXT_MAX);
	struct jwk_set *set = everybody();
	unsigned long i, taken = 0, n = tries();

	assert_int_equal(judge_signed(header, claims, set), 0);
	for (i = 0; i < n; i++) {
		bool head = i % 2 == 0;

		mutate_some(&sb, head ? header : claims);
		without_nul(&sb);
		if (judge_signed(head ? sb.buf : header,
		    head ? claims : sb.buf, set) == 0)
			taken++;
		if (i % 64 == 0) {	/* its tokens are there */
			arena_free(rig.arena);
			rig.arena = arena_new();
		}
	}
	/* Those where a byte of a text or a blank changed. */
	assert_in_range(taken, 1, n / 2);
	strbuf_release(&sb);
	jwk_set_free(set);
}

static void
sets_of_rubbish(void **state UNUSED)
{
	char *es = rig_token(rig.ec, JWT_ES256,
	    "{\"alg\":\"ES256\",\"kid\":\"e\"}", claims);
	char *json = arena_printf(rig.arena, "{\"keys\":[%s,%s]}",
	    rig_jwk(rig.ec, "\"kid\":\"e\",\"alg\":\"ES256\""),
	    rig_jwk(rig.rsa, "\"key_ops\":[\"verify\"],\"use\":\"sig\""));
	struct strbuf sb = STRBUF_INIT(TEXT_MAX);
	unsigned long i, sets = 0, good = 0, n = tries();
	struct jwk_set *set;

	for (i = 0; i < n; i++) {
		mutate_some(&sb, json);
		if (jwk_set_parse(sb.buf, sb.len, &set, NULL) != 0)
			continue;
		sets++;
		good += judge(es, strlen(es), set) == 0;
		jwk_set_free(set);
	}
	assert_in_range(sets, 1, n - 1);
	assert_in_range(good, 1, sets - 1);
	strbuf_release(&sb);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(tokens),
		TEST(parts_do_not_mix),
		TEST(signed_rubbish),
		TEST(sets_of_rubbish),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, rig_keys, rig_keys_free);
}
