/* SPDX-License-Identifier: Apache-2.0 */
/* Credentials move and are wiped; tokens that no header may hold. */
#include "base.h"

#include <setjmp.h>
#include <cmocka.h>

#include "credential.h"

static void
takes_a_token(void **state UNUSED)
{
	struct credential c = CREDENTIAL_INIT;
	struct secret token = SECRET_INIT;

	secret_set(&token, "abc", 3);
	credential_take_bearer(&c, &token);
	assert_null(token.ptr);
	assert_int_equal(c.kind, CREDENTIAL_BEARER);
	assert_true(secret_equal(&c.value, "abc", 3));
	credential_release(&c);
}

static void
is_nothing_after_release(void **state UNUSED)
{
	struct credential c = CREDENTIAL_INIT;

	secret_set(&c.certificate, "cert", 4);
	secret_set(&c.key, "key", 3);
	c.kind = CREDENTIAL_CERTIFICATE;
	c.from_client = true;
	c.expires = 1;
	credential_release(&c);
	assert_int_equal(c.kind, CREDENTIAL_NONE);
	assert_false(c.from_client);
	assert_null(c.certificate.ptr);
	assert_null(c.key.ptr);
	assert_int_equal(c.expires, 0);
	credential_release(&c);		/* twice is fine */
}

static void
knows_tokens(void **state UNUSED)
{
	assert_true(credential_token_ok("eyJ.a-b_c~+/=", 13));
	assert_true(credential_token_ok("!", 1));
	assert_false(credential_token_ok("", 0));
	assert_false(credential_token_ok("a b", 3));
	assert_false(credential_token_ok("a\n", 2));
	assert_false(credential_token_ok("a\r", 2));
	assert_false(credential_token_ok("a\tb", 3));
	assert_false(credential_token_ok("a\0b", 3));
	assert_false(credential_token_ok("a\x7f", 2));
	assert_false(credential_token_ok("t\xc3\xb6ken", 6));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_a_token),
		cmocka_unit_test(is_nothing_after_release),
		cmocka_unit_test(knows_tokens),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
