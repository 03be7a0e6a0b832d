/* SPDX-License-Identifier: Apache-2.0 */
/* Challenges of PKCE (RFC 7636), against another library's. */
#include "base.h"

#include <setjmp.h>
#include <cmocka.h>

#include "arena_rig.h"
#include "oauth.h"
#include "oauth_doubles.h"
#include "vectors.h"

static bool
one_case(struct json_object *in, struct json_object *expected)
{
	char challenge[OAUTH_RANDOM];

	oauth_challenge(jsonx_str(in, "verifier"), challenge);
	return vectors_same("challenge", jsonx_str(expected, "challenge"),
	    challenge);
}

static void
challenges(void **state UNUSED)
{
	vectors_each("pkce_s256", one_case);
}

/* What we draw keeps to the RFC's alphabet and length, and is never the
   same. */
static void
draws(void **state UNUSED)
{
	struct oauth_begin a, b;

	oauth_begin(&a);
	oauth_begin(&b);
	assert_int_equal(strlen(a.verifier), OAUTH_RANDOM - 1);
	assert_int_equal(strlen(a.state), OAUTH_RANDOM - 1);
	assert_int_equal(strlen(a.nonce), OAUTH_RANDOM - 1);
	assert_int_equal(strspn(a.verifier, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "abcdefghijklmnopqrstuvwxyz0123456789-_"), OAUTH_RANDOM - 1);
	assert_string_not_equal(a.verifier, b.verifier);
	assert_string_not_equal(a.state, b.state);
	assert_string_not_equal(a.nonce, b.nonce);
	assert_string_not_equal(a.state, a.nonce);
	assert_string_not_equal(a.nonce, a.verifier);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(challenges),
		cmocka_unit_test(draws),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
