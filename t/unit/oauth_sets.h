/* SPDX-License-Identifier: Apache-2.0 */
/* Sets of tokens for tests of sign-in. */
#ifndef STAGEDOOR_TEST_OAUTH_SETS_H
#define STAGEDOOR_TEST_OAUTH_SETS_H

#include "oauth_rig.h"
#include "tokens.h"

static struct token_set old, got;	/* released by the tests' teardown */

/* Signed in an hour ago; its id token has ten minutes left. */
static inline void
old_set(void)
{
	const char *id = sign(claims_with("\"old\":true"));

	hide(id);
	memset(&old, 0, sizeof(old));
	old.user = xstrdup("user:default/ann");
	old.provider = xstrdup("oidc");
	old.name = xstrdup("one");
	old.issuer = xstrdup(ISSUER);
	old.subject = xstrdup("sub-1");
	old.account = xstrdup("ann@example.org");
	old.scope = xstrdup("openid old");
	secret_set(&old.id_token, id, strlen(id));
	secret_set(&old.access_token, "access-token-old", 16);
	hide("access-token-old");
	secret_set(&old.refresh_token, REFRESH_OLD, strlen(REFRESH_OLD));
	old.id_expires = NOW + 600000;
	old.access_expires = NOW + 600000;
	old.signed_in = old.refreshed = NOW - 3600000;
	memset(old.generation, 'a', TOKEN_SET_GENERATION - 1);
	old.tries = 1;
}

static inline bool
secret_is(const struct secret *s, const char *text)
{
	return secret_equal(s, text, strlen(text));
}

static inline int
sets_setup(void **state)
{
	memset(&old, 0, sizeof(old));
	memset(&got, 0, sizeof(got));
	return rig_setup(state);
}

static inline int
sets_teardown(void **state)
{
	token_set_release(&old);
	token_set_release(&got);
	return rig_teardown(state);
}

/* --- Asking -------------------------------------------------------------- */

static inline int
exchange(const char *iss, struct err *err)
{
	struct oauth_callback cb = { .code = CODE, .iss = iss,
	    .begun = &w.begun };

	token_set_release(&got);
	*err = (struct err)ERR_INIT;
	return oauth_code(&w.o, &cb, &got, err);
}

static inline void
exchange_fails(int code, const char *words)
{
	struct err err;
	int r = exchange(NULL, &err);

	told(&err, r, code, words);
	assert_null(got.subject);
}

static inline void
exchange_works(void)
{
	struct err err;

	if (exchange(NULL, &err) != 0)
		fail_msg("%s", err.text);
}

static inline int
refresh(struct err *err)
{
	token_set_release(&got);
	*err = (struct err)ERR_INIT;
	return oauth_refresh(&w.o, &old, &got, err);
}

static inline void
refresh_fails(int code, const char *words)
{
	struct err err;
	int r = refresh(&err);

	told(&err, r, code, words);
	/* At most a new refresh token in place of the one that is spent. */
	if (got.subject == NULL)
		return;
	assert_int_equal(code, E_AUTH);
	assert_true(secret_is(&got.id_token, old.id_token.ptr));
	assert_true(secret_is(&got.access_token, old.access_token.ptr));
	assert_int_equal(got.id_expires, old.id_expires);
	assert_true(secret_is(&got.refresh_token, REFRESH));
}

static inline void
refresh_works(void)
{
	struct err err;

	if (refresh(&err) != 0)
		fail_msg("%s", err.text);
}

#define SETS_TEST(f) \
	cmocka_unit_test_setup_teardown(f, sets_setup, sets_teardown)

#endif
