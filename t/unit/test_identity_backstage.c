/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who asks by Backstage's tokens: what stands behind each, and where the
 * limited one in the cookie counts. The key set is the test's.
 */
#include "base.h"

#include "backstage_rig.h"
#include "backstage_users.h"
#include "clock.h"
#include "documents.h"
#include "request.h"
#include "runtime.h"
#include "settings.h"

static struct rig_key key;
static struct arena *arena;
static struct document document;
static struct settings settings = { .identity_backstage = true };
static struct runtime rt = { .settings = &settings };
static struct request req;
static struct err err;
static const char *user, *limited;

int
documents_get(struct documents *d UNUSED,
    const struct document_want *want UNUSED, const struct document **out,
    struct err *e UNUSED)
{
	*out = &document;
	return 0;
}

void
document_put(const struct document *doc UNUSED)
{
}

static const char *
token_of(const char *typ)
{
	return rig_token(arena, &key, "k", typ, arena_printf(arena,
	    "\"sub\":\"user:default/jane\",\"iat\":1,\"exp\":%lld,"
	    "\"ent\":[\"group:a/b\"]",
	    (long long)clock_wall_ms() / 1000 + 60));
}

static int
setup(void **state UNUSED)
{
	rig_key_make(&key);
	arena = arena_new();
	document.text = rig_key_set(arena, &key, "k");
	document.len = strlen(document.text);
	document.version = 1;
	settings.backstage.jwks_url = "http://127.0.0.1:1/";
	rt.users = backstage_users_new(&settings, NULL,
	    (struct documents *)&document);
	user = token_of("vnd.backstage.user");
	limited = token_of("vnd.backstage.limited-user");
	return 0;
}

static int
teardown(void **state UNUSED)
{
	backstage_users_free(rt.users);
	rig_key_free(&key);
	arena_free(arena);
	return 0;
}

/* header NULL: none. */
static int
ask(bool reading, const char *authorization, const char *cookie)
{
	char **params = arena_alloc(arena, 3 * sizeof(*params));
	size_t n = 0;

	if (authorization != NULL)
		params[n++] = arena_printf(arena, "HTTP_AUTHORIZATION=%s",
		    authorization);
	if (cookie != NULL)
		params[n] = arena_printf(arena, "HTTP_COOKIE=%s", cookie);
	req = (struct request){ .arena = arena, .rt = &rt, .params = params,
	    .method = "GET", .limited_ok = reading };
	err = (struct err)ERR_INIT;
	return identity_of(&req, &req.who, &err);
}

static const char *
bearer(const char *token)
{
	return arena_printf(arena, "Bearer %s", token);
}

static const char *
cookie(const char *token)
{
	return arena_printf(arena, "a=b; backstage-auth=%s; c=d", token);
}

static void
a_user_token(void **state UNUSED)
{
	assert_int_equal(ask(false, bearer(user), NULL), 0);
	assert_int_equal(req.who.kind, IDENTITY_USER);
	assert_string_equal(req.who.user, "user:default/jane");
	assert_string_equal(req.who.name, "jane");
	assert_string_equal(req.who.namespace, "default");
	assert_int_equal(req.who.ngroups, 1);
	assert_true(req.who.bearer);
	assert_false(req.who.session);
	assert_false(req.who.limited);
	assert_string_equal(identity_backstage_token(&req), user);
}

static void
a_limited_token_where_one_reads(void **state UNUSED)
{
	assert_int_equal(ask(true, NULL, cookie(limited)), 0);
	assert_string_equal(req.who.user, "user:default/jane");
	assert_true(req.who.limited);
	assert_true(req.who.session);
	assert_false(req.who.bearer);
	assert_null(identity_backstage_token(&req));
	assert_int_equal(ask(true, bearer(limited), NULL), 0);
	assert_true(req.who.limited);
	assert_false(req.who.session);
	assert_null(identity_backstage_token(&req));
	/* and so it is with a whole one, in the cookie */
	assert_int_equal(ask(true, NULL, cookie(user)), 0);
	assert_true(req.who.limited);
	assert_null(identity_backstage_token(&req));
}

static void
a_limited_token_elsewhere(void **state UNUSED)
{
	assert_int_equal(ask(false, NULL, cookie(limited)), E_AUTH);
	assert_string_equal(err.text, "Missing credentials");
	assert_int_equal(ask(false, NULL, cookie(user)), E_AUTH);
	assert_int_equal(ask(false, bearer(limited), NULL), E_AUTH);
	assert_string_equal(err.text, "Illegal limited user token");
}

static void
cookies(void **state UNUSED)
{
	static const char *const none[] = { "", "backstage-auth",
	    "backstage-auth=", "x-backstage-auth=%s", "backstage-auth =%s",
	    "backstage-auth=%s; backstage-auth=%s", "a=backstage-auth=%s",
	    ";;;" };
	size_t i;

	for (i = 0; i < ARRAY_LEN(none); i++) {
		const char *at = strstr(none[i], "%s");
		const char *text = at == NULL ? none[i] :
		    arena_printf(arena, "%.*s%s%s%s", (int)(at - none[i]),
		    none[i], limited, at[2] != '\0' ? "; backstage-auth=" :
		    "", at[2] != '\0' ? limited : "");

		assert_int_equal(ask(true, NULL, text), E_AUTH);
		assert_string_equal(err.text, "Missing credentials");
	}
	assert_int_equal(ask(true, NULL, cookie("nope")), E_AUTH);
	assert_string_equal(err.text, "Illegal token");
	assert_int_equal(ask(true, "Basic eA==", cookie(limited)), 0);
	/* the header counts, whatever the cookie is */
	assert_int_equal(ask(true, bearer("nope"), cookie(limited)), E_AUTH);
	assert_int_equal(ask(true, bearer(user), cookie("nope")), 0);
	assert_false(req.who.limited);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_user_token),
		cmocka_unit_test(a_limited_token_where_one_reads),
		cmocka_unit_test(a_limited_token_elsewhere),
		cmocka_unit_test(cookies),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, setup, teardown);
}
