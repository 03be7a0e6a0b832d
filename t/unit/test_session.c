/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A user's token as requests get it: what is told to whom, and what becomes of
 * a refresh when the store, the issuer or the user does something else
 * meanwhile. Several processes are in test_session_processes.c.
 */
#include "base.h"

#include "session_rig.h"

static int
setup(void **state)
{
	if (session_set_up(state) != 0)
		return -1;
	process_begin();
	return 0;
}

static int
teardown(void **state)
{
	process_end();
	return session_tear_down(state);
}

static const struct session_end by_user = { .by = NULL };

/* 0 with the user's token in a, or E_*. */
static int
ask_for(struct ask *a, unsigned user)
{
	*a = (struct ask){ .who = &people[user], .waits = 20000 };
	return ask(a);
}

static void
says(const struct ask *a, const char *what)
{
	if (strstr(a->err.text, what) == NULL)
		fail_msg("'%s' does not say '%s'", a->err.text, what);
}

static int
row_of(unsigned user, struct token_set *ts)
{
	const struct token_key key = key_of(user);

	return tokens_get(rt.store, &key, ts, NULL);
}

static unsigned
tries_of(unsigned user)
{
	struct token_set ts;
	unsigned tries;

	assert_int_equal(row_of(user, &ts), 0);
	tries = ts.tries;
	token_set_release(&ts);
	return tries;
}

static void
row_has(unsigned user, const char *id_token)
{
	struct token_set ts;

	assert_int_equal(row_of(user, &ts), 0);
	assert_string_equal(ts.id_token.ptr, id_token);
	assert_int_equal(ts.tries, 0);
	token_set_release(&ts);
}

static void
second_passes(void)
{
	usleep(1100000);
}

/* ---- whose, and until when ---- */

static void
everyone_has_his_own(void **state UNUSED)
{
	struct ask a;

	sign_in(rt.store, 0, 60000);
	sign_in(rt.store, 1, 60000);
	assert_int_equal(ask_for(&a, 0), 0);
	assert_string_equal(a.token, "id-0-0");
	assert_int_equal(ask_for(&a, 1), 0);
	assert_string_equal(a.token, "id-1-0");
	assert_int_equal(ask_for(&a, 2), E_SIGNIN);
	says(&a, "sign in at https://portal.example/api/kubernetes/connect");
	says(&a, "'one'");
	assert_int_equal(issuer->calls, 0);
}

static void
not_everyone_is_a_user(void **state UNUSED)
{
	struct identity guest = people[0], service = people[0],
	    nobody = people[0];
	struct ask a = { .waits = 5000 };

	sign_in(rt.store, 0, 60000);
	assert_int_equal(ask(&a), E_SIGNIN);
	guest.kind = IDENTITY_GUEST;
	a.who = &guest;
	assert_int_equal(ask(&a), E_SIGNIN);
	nobody.kind = IDENTITY_NOBODY;
	a.who = &nobody;
	assert_int_equal(ask(&a), E_SIGNIN);
	service.kind = IDENTITY_SERVICE;
	a.who = &service;
	assert_int_equal(ask(&a), E_DENIED);
	assert_int_equal(issuer->calls, 0);
}

static void
what_others_do_is_seen_in_a_second(void **state UNUSED)
{
	const struct token_key key = key_of(0);
	struct ask a;

	assert_int_equal(ask_for(&a, 0), E_SIGNIN);
	sign_in(rt.store, 0, 60000);
	second_passes();
	assert_int_equal(ask_for(&a, 0), 0);
	assert_int_equal(tokens_del(rt.store, &key, NULL), 0);
	second_passes();
	assert_int_equal(ask_for(&a, 0), E_SIGNIN);
}

/* What this very process did is seen at once. */
static void
what_we_do_is_seen_at_once(void **state UNUSED)
{
	const struct token_key key = key_of(0);
	struct ask a;

	sign_in(rt.store, 0, 60000);
	assert_int_equal(ask_for(&a, 0), 0);
	assert_int_equal(session_revoke(&rt, &key, &by_user, NULL), 0);
	assert_int_equal(ask_for(&a, 0), E_SIGNIN);
	sign_in(rt.store, 0, 60000);
	session_forget(&rt, &key);
	assert_int_equal(ask_for(&a, 0), 0);
}

static void
it_is_renewed_before_its_end(void **state UNUSED)
{
	struct ask a;
	unsigned i;

	issuer->delay = 300;
	sign_in(rt.store, 0, 3000);	/* from 1.25 s on; used for 2 */
	for (i = 0; i < 400; i++) {
		assert_int_equal(ask_for(&a, 0), 0);
		usleep(5000);
	}
	assert_string_equal(a.token, "id-0-1");
	assert_int_equal(issuer->of[0].rotations, 1);
	row_has(0, "id-0-1");
}

static void
without_a_refresh_token_it_ends(void **state UNUSED)
{
	struct token_set ts;
	struct ask a;

	sign_in(rt.store, 0, 2500);
	assert_int_equal(row_of(0, &ts), 0);
	secret_release(&ts.refresh_token);
	assert_int_equal(tokens_put(rt.store, &ts, NULL), 0);
	token_set_release(&ts);
	assert_int_equal(ask_for(&a, 0), 0);
	usleep(1600000);
	assert_int_equal(ask_for(&a, 0), E_SIGNIN);
	says(&a, "run out");
	assert_int_equal(issuer->calls, 0);
}

/* A clock that is ahead of the issuer's. */
static void
what_it_gave_is_used_however_short(void **state UNUSED)
{
	struct ask a;

	issuer->lives = 100;
	sign_in(rt.store, 0, 0);
	assert_int_equal(ask_for(&a, 0), 0);
	assert_string_equal(a.token, "id-0-1");
}

/* ---- the issuer ---- */

static void
a_refusal_ends_it(void **state UNUSED)
{
	struct token_set ts;
	struct ask a;

	sign_in(rt.store, 0, 0);
	issuer->of[0].ended = true;
	assert_int_equal(ask_for(&a, 0), E_SIGNIN);
	says(&a, "invalid_grant");
	assert_int_equal(row_of(0, &ts), 0);
	assert_non_null(strstr(ts.ended, "invalid_grant"));
	assert_int_equal(ts.refresh_token.len, 0);
	assert_int_equal(ts.id_token.len, 0);
	token_set_release(&ts);
	second_passes();
	assert_int_equal(ask_for(&a, 0), E_SIGNIN);
	assert_int_equal(issuer->calls, 1);
	sign_in(rt.store, 0, 60000);	/* and anew */
	second_passes();
	assert_int_equal(ask_for(&a, 0), 0);
}

static void
an_issuer_that_is_ill_costs_nothing(void **state UNUSED)
{
	static const int ills[] = { E_BUSY, E_CONNECT, E_TIMEOUT, E_PROTOCOL,
	    E_DENIED };
	struct ask a;
	unsigned i;

	for (i = 0; i < ARRAY_LEN(ills); i++) {
		sign_in(rt.store, 0, 0);
		second_passes();
		issuer->fails = ills[i];
		assert_int_equal(ask_for(&a, 0), ills[i] == E_DENIED ?
		    E_CONFIG : ills[i]);
		says(&a, "the issuer is ill");
		assert_int_equal(ask_for(&a, 0), a.err.code);
		assert_int_equal(issuer->calls, 2 * i + 1);
		/* What was answered is not in doubt. */
		assert_int_equal(tries_of(0), ills[i] == E_TIMEOUT ||
		    ills[i] == E_PROTOCOL);
		issuer->fails = 0;
		second_passes();
		assert_int_equal(ask_for(&a, 0), 0);
		assert_int_equal(issuer->calls, 2 * i + 2);
	}
	assert_int_equal(issuer->of[0].refused, 0);
}

/* ---- the store ---- */

/* Nobody gets what it gave, and the session lives on when it is itself
   again: not with the token that is spent. */
static void
an_issuer_that_lies_ends_nothing(void **state UNUSED)
{
	struct token_set ts;
	struct ask a;

	sign_in(rt.store, 0, 0);
	issuer->lies = true;
	assert_int_equal(ask_for(&a, 0), E_AUTH);
	says(&a, "not signed");
	assert_int_equal(row_of(0, &ts), 0);
	assert_null(ts.ended);
	assert_string_equal(ts.refresh_token.ptr, "refresh-0-1");
	assert_string_equal(ts.id_token.ptr, "id-0-0");
	assert_int_equal(ts.tries, 0);
	token_set_release(&ts);
	issuer->lies = false;
	second_passes();
	second_passes();
	assert_int_equal(ask_for(&a, 0), 0);
	assert_int_equal(issuer->of[0].rotations, 2);
	assert_int_equal(issuer->of[0].reuses, 0);
}

static void
a_store_that_cannot_be_written_spends_nothing(void **state UNUSED)
{
	struct ask a;

	sign_in(rt.store, 0, 0);
	hold();
	assert_int_equal(ask_for(&a, 0), E_STORE);
	let_go();
	assert_int_equal(issuer->calls, 0);
	second_passes();
	assert_int_equal(ask_for(&a, 0), 0);
	assert_int_equal(issuer->of[0].rotations, 1);
}

static void
see_the_mark(void)
{
	assert_int_equal(tries_of(0), 1);
}

/* Who comes after one that was killed knows that he began. */
static void
a_try_is_marked_before_it_is_made(void **state UNUSED)
{
	struct ask a;

	sign_in(rt.store, 0, 0);
	issuer->meanwhile = see_the_mark;
	assert_int_equal(ask_for(&a, 0), 0);
	assert_int_equal(tries_of(0), 0);
}

static void
hold_for_long(void)
{
	hold_for(4500);
}

static void
what_was_spent_is_written_in_the_end(void **state UNUSED)
{
	struct ask a;

	sign_in(rt.store, 0, 0);
	issuer->meanwhile = hold_for_long;
	assert_int_equal(ask_for(&a, 0), 0);
	assert_string_equal(a.token, "id-0-1");
	issuer->meanwhile = NULL;
	row_has(0, "id-0-1");
	assert_int_equal(issuer->of[0].rotations, 1);
}

/* ---- the user ---- */

static void
sign_out(void)
{
	const struct token_key key = key_of(0);

	assert_int_equal(tokens_del(rt.store, &key, NULL), 0);
}

static void
who_signs_out_meanwhile_stays_out(void **state UNUSED)
{
	struct token_set ts;
	struct ask a;

	sign_in(rt.store, 0, 0);
	issuer->meanwhile = sign_out;
	assert_int_equal(ask_for(&a, 0), E_SIGNIN);
	assert_int_equal(row_of(0, &ts), E_NOTFOUND);
	assert_int_equal(issuer->of[0].revoked, 1);	/* the new ones */
}

static void
who_signs_out_at_a_forged_answer_leaves_nothing(void **state UNUSED)
{
	struct token_set ts;
	struct ask a;

	sign_in(rt.store, 0, 0);
	issuer->lies = true;
	issuer->meanwhile = sign_out;
	assert_int_equal(ask_for(&a, 0), E_AUTH);
	assert_int_equal(row_of(0, &ts), E_NOTFOUND);
	assert_int_equal(issuer->of[0].revoked, 1);
}

static void
sign_in_again(void)
{
	issuer->of[0] = (struct fake_session){ .token = 100 };
	sign_in(rt.store, 0, 60000);
}

static void
who_signs_in_meanwhile_stays_in(void **state UNUSED)
{
	struct ask a;
	int fails[] = { 0, E_SIGNIN, E_BUSY };
	unsigned i;

	for (i = 0; i < ARRAY_LEN(fails); i++) {
		issuer->of[0].token = 0;
		issuer->of[0].ended = false;
		sign_in(rt.store, 0, 0);
		second_passes();
		issuer->fails = fails[i];
		issuer->meanwhile = sign_in_again;
		ask_for(&a, 0);
		issuer->meanwhile = NULL;
		row_has(0, "id-0-100");
		second_passes();
		assert_int_equal(ask_for(&a, 0), 0);
		assert_string_equal(a.token, "id-0-100");
	}
}

static void
what_cannot_be_read_can_be_ended(void **state UNUSED)
{
	const struct token_key key = key_of(0);
	struct store_item item = tokens_item(&key);
	struct secret value = SECRET_INIT;
	struct token_set ts;

	secret_set(&value, "damaged", 7);
	assert_int_equal(store_put(rt.store, &item, &value, 0, NULL), 0);
	assert_int_equal(row_of(0, &ts), E_STORE);
	assert_int_equal(session_revoke(&rt, &key, &by_user, NULL), 0);
	assert_int_equal(row_of(0, &ts), E_NOTFOUND);
	assert_int_equal(session_revoke(&rt, &key, &by_user, NULL), E_NOTFOUND);
	secret_release(&value);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(everyone_has_his_own),
		TEST(not_everyone_is_a_user),
		TEST(what_others_do_is_seen_in_a_second),
		TEST(what_we_do_is_seen_at_once),
		TEST(it_is_renewed_before_its_end),
		TEST(without_a_refresh_token_it_ends),
		TEST(what_it_gave_is_used_however_short),
		TEST(a_refusal_ends_it),
		TEST(an_issuer_that_is_ill_costs_nothing),
		TEST(an_issuer_that_lies_ends_nothing),
		TEST(a_store_that_cannot_be_written_spends_nothing),
		TEST(a_try_is_marked_before_it_is_made),
		TEST(what_was_spent_is_written_in_the_end),
		TEST(who_signs_out_meanwhile_stays_out),
		TEST(who_signs_out_at_a_forged_answer_leaves_nothing),
		TEST(who_signs_in_meanwhile_stays_in),
		TEST(what_cannot_be_read_can_be_ended),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
