/* SPDX-License-Identifier: Apache-2.0 */
/* Sets of tokens: written and read, whose they are, and what is damaged. */
#include "base.h"

#include "store_rig.h"
#include "tokens.h"

static const struct token_key ann = { "user:default/ann", "oidc", "okta" };

static void
fill(struct token_set *ts, const char *user)
{
	memset(ts, 0, sizeof(*ts));
	ts->user = xstrdup(user);
	ts->provider = xstrdup("oidc");
	ts->name = xstrdup("okta");
	ts->issuer = xstrdup("https://issuer.example.org/\"quoted\"");
	ts->account = xstrdup("ann@example.org");
	secret_set(&ts->id_token, "id-of-ann", 9);
	secret_set(&ts->refresh_token, "refresh-of-ann", 14);
	ts->id_expires = INT64_C(1790000000123);
	ts->signed_in = 5;
	ts->tries = 2;
	token_set_renew(ts);
}

static void
put(struct store *st, const char *user)
{
	struct token_set ts;

	fill(&ts, user);
	assert_int_equal(tokens_put(st, &ts, NULL), 0);
	token_set_release(&ts);
}

static void
gives_back_what_was_put(void **state UNUSED)
{
	struct store *st = rig_open();
	struct token_set ts, got;

	fill(&ts, ann.user);
	assert_int_equal(tokens_put(st, &ts, NULL), 0);
	assert_int_equal(tokens_get(st, &ann, &got, NULL), 0);
	assert_string_equal(got.user, ts.user);
	assert_string_equal(got.name, "okta");
	assert_string_equal(got.issuer, ts.issuer);
	assert_string_equal(got.account, ts.account);
	assert_null(got.subject);
	assert_null(got.ended);
	assert_string_equal(got.id_token.ptr, "id-of-ann");
	assert_string_equal(got.refresh_token.ptr, "refresh-of-ann");
	assert_int_equal(got.access_token.len, 0);
	assert_true(got.id_expires == ts.id_expires);
	assert_true(got.signed_in == 5);
	assert_int_equal(got.tries, 2);
	assert_string_equal(got.generation, ts.generation);
	token_set_release(&got);

	assert_int_equal(tokens_del(st, &ann, NULL), 0);
	assert_int_equal(tokens_get(st, &ann, &got, NULL), E_NOTFOUND);
	assert_int_equal(tokens_del(st, &ann, NULL), 0);
	token_set_release(&ts);
	store_close(st);
}

static void
keeps_users_and_logins_apart(void **state UNUSED)
{
	/* The same letters, split another way. */
	static const struct token_key others[] = {
		{ "user:default/ann", "oidc", "" },
		{ "user:default/ann", "oidco", "kta" },
		{ "user:default/anno", "idc", "okta" },
		{ "user:default/an", "noidc", "okta" },
		{ "user:default/bob", "oidc", "okta" },
	};
	struct store *st = rig_open();
	struct token_set got;
	size_t i;

	put(st, ann.user);
	for (i = 0; i < ARRAY_LEN(others); i++)
		assert_int_equal(tokens_get(st, &others[i], &got, NULL),
		    E_NOTFOUND);
	store_close(st);
}

/* Somebody who can write to the store gives ann's row to bob: not even with
   the key file at hand does that make bob ann. */
static void
gives_nobody_anothers(void **state UNUSED)
{
	static const struct token_key bob = { "user:default/bob", "oidc",
		"okta" };
	struct store_item from = tokens_item(&ann), to = tokens_item(&bob);
	struct store *st = rig_open();
	struct secret value = SECRET_INIT;
	struct err err = ERR_INIT;
	struct token_set got;
	int64_t expires;

	put(st, ann.user);
	assert_int_equal(store_get(st, &from, &value, &expires, NULL), 0);
	assert_int_equal(store_put(st, &to, &value, expires, NULL), 0);
	assert_int_equal(tokens_get(st, &bob, &got, &err), E_STORE);
	assert_non_null(strstr(err.text, "another's"));
	secret_release(&value);
	store_close(st);
}

static void
reads_nothing_that_is_none(void **state UNUSED)
{
	static const char *const texts[] = {
		"", "x", "null", "[]", "{}", "{\"v\":0}",
		"{\"v\":2,\"user\":\"user:default/ann\",\"provider\":\"oidc\","
		    "\"name\":\"okta\"}",
		"{\"v\":1,\"user\":\"user:default/ann\"}",
		"{\"v\":\"1\",\"user\":\"user:default/ann\",\"provider\":"
		    "\"oidc\",\"name\":\"okta\"}",
	};
	struct store_item item = tokens_item(&ann);
	struct store *st = rig_open();
	struct secret value = SECRET_INIT;
	struct token_set got;
	size_t i;

	for (i = 0; i < ARRAY_LEN(texts); i++) {
		secret_set(&value, texts[i], strlen(texts[i]));
		assert_int_equal(store_put(st, &item, &value, 0, NULL), 0);
		assert_int_equal(tokens_get(st, &ann, &got, NULL), E_STORE);
		assert_null(got.user);
	}
	secret_release(&value);
	store_close(st);
}

/* What was renewed takes the place of what it was made of, and of nothing
   else. */
static void
takes_the_place_of_its_own(void **state UNUSED)
{
	struct store *st = rig_open();
	struct token_set ts, got, next;
	char first[TOKEN_SET_GENERATION];

	fill(&ts, ann.user);
	memcpy(first, ts.generation, sizeof(first));
	assert_int_equal(tokens_swap(st, &ts, first, NULL), E_NOTFOUND);
	assert_int_equal(tokens_put(st, &ts, NULL), 0);
	token_set_copy(&next, &ts);
	token_set_renew(&next);
	assert_int_equal(tokens_swap(st, &next, first, NULL), 0);
	/* Too late, and too early. */
	assert_int_equal(tokens_swap(st, &ts, first, NULL), E_BUSY);
	assert_int_equal(tokens_swap(st, &ts, "", NULL), E_BUSY);
	assert_int_equal(tokens_get(st, &ann, &got, NULL), 0);
	assert_string_equal(got.generation, next.generation);
	token_set_release(&got);

	assert_int_equal(tokens_del(st, &ann, NULL), 0);
	assert_int_equal(tokens_swap(st, &ts, next.generation, NULL),
	    E_NOTFOUND);
	assert_int_equal(tokens_get(st, &ann, &got, NULL), E_NOTFOUND);
	token_set_release(&next);
	token_set_release(&ts);
	store_close(st);
}

static void
ends_without_tokens(void **state UNUSED)
{
	struct token_set ts, copy;

	fill(&ts, ann.user);
	token_set_copy(&copy, &ts);
	token_set_end(&ts, "the issuer said no");
	assert_int_equal(ts.id_token.len, 0);
	assert_int_equal(ts.refresh_token.len, 0);
	assert_string_equal(ts.ended, "the issuer said no");
	assert_string_equal(ts.account, "ann@example.org");
	assert_string_not_equal(ts.generation, copy.generation);
	assert_string_equal(copy.refresh_token.ptr, "refresh-of-ann");
	token_set_release(&ts);
	token_set_release(&copy);
}

static void
forgets_in_time(void **state UNUSED)
{
	struct store *st;
	struct token_set ts, got;

	rig_now = 0;
	st = rig_open();
	put(st, ann.user);
	/* One that can be renewed outlives its tokens, but not for ever. */
	rig_now = clock_wall_ms() + INT64_C(80) * 86400000;
	assert_int_equal(tokens_get(st, &ann, &got, NULL), 0);
	token_set_release(&got);
	rig_now = clock_wall_ms() + INT64_C(91) * 86400000;
	assert_int_equal(tokens_get(st, &ann, &got, NULL), E_NOTFOUND);

	fill(&ts, ann.user);
	secret_release(&ts.refresh_token);
	ts.id_expires = clock_wall_ms() + 60000;
	rig_now = 0;
	assert_int_equal(tokens_put(st, &ts, NULL), 0);
	rig_now = clock_wall_ms() + 61000;
	assert_int_equal(tokens_get(st, &ann, &got, NULL), E_NOTFOUND);
	token_set_release(&ts);
	store_close(st);
}

static int
count_ann(void *ctx, const struct token_set *ts)
{
	unsigned *n = ctx;

	*n += strcmp(ts->user, "user:default/ann") == 0 ? 1 : 100;
	return 0;
}

static void
lists_all(void **state UNUSED)
{
	struct store_item item = { .kind = TOKENS_KIND, .key = "damaged" };
	struct store *st = rig_open();
	struct secret value = SECRET_INIT;
	unsigned n = 0;
	size_t bad = 0;

	put(st, ann.user);
	put(st, "user:default/bob");
	put(st, "user:default/cleo");
	secret_set(&value, "{}", 2);
	assert_int_equal(store_put(st, &item, &value, 0, NULL), 0);
	assert_int_equal(rig_put(st, 1, "of another kind", 0), 0);
	assert_int_equal(tokens_each(st, count_ann, &n, &bad, NULL), 0);
	assert_int_equal(n, 201);
	assert_int_equal(bad, 1);
	secret_release(&value);
	store_close(st);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, rig_set_up, rig_tear_down)
	const struct CMUnitTest tests[] = {
		T(gives_back_what_was_put), T(keeps_users_and_logins_apart),
		T(gives_nobody_anothers), T(reads_nothing_that_is_none),
		T(takes_the_place_of_its_own), T(ends_without_tokens),
		T(forgets_in_time), T(lists_all),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
