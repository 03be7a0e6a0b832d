/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Portal tokens: they open as they were, for their audience, until they end,
 * by any key of the ring, and in no other form. The two codes of a device.
 */
#include "base.h"

#include "store_rig.h"

#include "arena.h"
#include "portal_code.h"
#include "portal_token.h"
#include "sealed_cookie.h"
#include "strbuf.h"

#define NOW INT64_C(1700000000000)
#define ENDS (NOW + 3600000)
#define HERE "https://portal.example.org/api/kubernetes"
#define ID "0123456789abcdef0123456789abcdef"

static struct arena *arena;
static struct store *st;

static int
setup(void **state)
{
	if (rig_set_up(state) != 0)
		return -1;
	rig_now = NOW;
	arena = arena_new();
	st = rig_open();
	return 0;
}

static int
teardown(void **state)
{
	store_close(st);
	arena_free(arena);
	return rig_tear_down(state);
}

static const char *
token_for(const char *audience)
{
	struct portal_token t = { .id = ID, .user = "user:default/ann",
	    .slot = 7, .expires = ENDS };
	const char *text;

	assert_int_equal(portal_token_print(st, arena, audience, &t, &text),
	    0);
	return text;
}

static int
try(const char *text)
{
	struct portal_token t;

	return portal_token_open(st, arena, HERE, text, &t);
}

static void
open_as_they_were(void **state UNUSED)
{
	struct portal_token t;

	assert_int_equal(portal_token_open(st, arena, HERE, token_for(HERE),
	    &t), 0);
	assert_string_equal(t.id, ID);
	assert_string_equal(t.user, "user:default/ann");
	assert_int_equal(t.slot, 7);
	assert_int_equal(t.expires, ENDS);
}

static void
nothing_is_to_be_read_in_them(void **state UNUSED)
{
	const char *text = token_for(HERE);

	assert_true(str_starts(text, "sdp1.1700003600000."));
	assert_null(strstr(text, "ann"));
	assert_null(strstr(text, ID));
	assert_string_not_equal(text, token_for(HERE));
	assert_true(strlen(text) < 300);
}

static void
are_for_their_audience(void **state UNUSED)
{
	assert_int_equal(try(token_for(HERE "/")), E_AUTH);
	assert_int_equal(try(token_for("http" HERE)), E_AUTH);
	assert_int_equal(try(token_for("")), E_AUTH);
}

static void
end(void **state UNUSED)
{
	const char *text = token_for(HERE);

	rig_now = ENDS - 1;
	assert_int_equal(try(text), 0);
	rig_now = ENDS;
	assert_int_equal(try(text), E_AUTH);
}

static void
live_no_longer_than_they_were_made_for(void **state UNUSED)
{
	char *text = arena_strdup(arena, token_for(HERE));

	text[strlen("sdp1.")] = '2';
	assert_int_equal(try(text), E_AUTH);
}

/* Each byte, each length. */
static void
are_not_changed(void **state UNUSED)
{
	const char *good = token_for(HERE);
	size_t i, n = strlen(good);
	char *text;

	for (i = 0; i < n; i++) {
		text = arena_strdup(arena, good);
		text[i] = text[i] == 'A' ? 'B' : 'A';
		if (try(text) != E_AUTH)
			fail_msg("changed at %zu it opens", i);
		text = arena_strndup(arena, good, i);
		if (try(text) != E_AUTH)
			fail_msg("cut at %zu it opens", i);
	}
	assert_int_equal(try(arena_printf(arena, "%sA", good)), E_AUTH);
	assert_int_equal(try(arena_printf(arena, "%s ", good)), E_AUTH);
	assert_int_equal(try(arena_printf(arena, " %s", good)), E_AUTH);
	assert_int_equal(try(good), 0);
}

static void
open_with_each_key_of_the_ring(void **state UNUSED)
{
	const char *old = token_for(HERE), *young;

	rig_write(rig_keys, RIG_OTHER_KEY RIG_KEY, strlen(RIG_OTHER_KEY
	    RIG_KEY));
	assert_int_equal(store_keys_again(st, NULL), 0);
	young = token_for(HERE);
	assert_int_equal(try(old), 0);
	assert_int_equal(try(young), 0);
	rig_write(rig_keys, RIG_OTHER_KEY, strlen(RIG_OTHER_KEY));
	assert_int_equal(store_keys_again(st, NULL), 0);
	assert_int_equal(try(old), E_AUTH);
	assert_int_equal(try(young), 0);
}

/* What is sealed for something else is no token, though it opens as well. */
static void
are_no_other_sealed_thing(void **state UNUSED)
{
	struct portal_device d = { .nonce = ID, .code = "BCDF-GHJK",
	    .from = "", .name = "", .expires = ENDS }, back;
	const char *device, *token = token_for(HERE);

	assert_int_equal(portal_device_print(st, arena, HERE, &d, &device),
	    0);
	assert_int_equal(try(arena_printf(arena, "sdp1.%s", device)), E_AUTH);
	assert_int_equal(portal_device_open(st, arena, HERE, token + 5,
	    &back), E_INPUT);
}

static void
are_known_by_their_look(void **state UNUSED)
{
	assert_true(portal_token_looks(token_for(HERE)));
	assert_true(portal_token_looks("sdp1."));
	assert_true(portal_token_looks("sdp27.x"));
	assert_false(portal_token_looks("sdp.x"));
	assert_false(portal_token_looks("sdpx1.x"));
	assert_false(portal_token_looks("eyJhbGciOiJFUzI1NiJ9.e30.x"));
	assert_false(portal_token_looks(""));
}

static void
of_others_versions_are_refused(void **state UNUSED)
{
	char *text = arena_strdup(arena, token_for(HERE));

	text[3] = '2';
	assert_int_equal(try(text), E_AUTH);
}

/* ---- codes ---- */

static void
user_codes_are_typed_by_people(void **state UNUSED)
{
	char code[PORTAL_CODE], again[PORTAL_CODE];
	int i;

	for (i = 0; i < 2000; i++) {
		portal_code_new(code);
		assert_int_equal(strlen(code), 9);
		assert_true(portal_code_parse(code, again));
		assert_string_equal(code, again);
	}
	assert_true(portal_code_parse("bcdf ghjk", again));
	assert_string_equal(again, "BCDF-GHJK");
	assert_true(portal_code_parse("BCDFGHJK", again));
	assert_string_equal(again, "BCDF-GHJK");
	assert_true(portal_code_parse("b.c-d f-g h j k", again));
	assert_false(portal_code_parse("BCDFGHJ", again));
	assert_false(portal_code_parse("BCDFGHJKL", again));
	assert_false(portal_code_parse("BCDFGHJA", again));
	assert_false(portal_code_parse("", again));
	assert_false(portal_code_parse("BCDF-GHJK\n", again));
}

static void
device_codes_say_who_asked(void **state UNUSED)
{
	struct portal_device d = { .nonce = ID, .code = "BCDF-GHJK",
	    .from = "192.0.2.1", .name = "lap\ntop", .asked = NOW,
	    .expires = NOW + 1000 }, back;
	const char *text;

	assert_int_equal(portal_device_print(st, arena, HERE, &d, &text), 0);
	assert_int_equal(portal_device_open(st, arena, HERE, text, &back), 0);
	assert_string_equal(back.nonce, ID);
	assert_string_equal(back.code, "BCDF-GHJK");
	assert_string_equal(back.from, "192.0.2.1");
	assert_string_equal(back.name, "lap?top");
	assert_int_equal(back.asked, NOW);
	assert_int_equal(back.expires, NOW + 1000);
	assert_int_equal(portal_device_open(st, arena, "elsewhere", text,
	    &back), E_INPUT);
	rig_now = NOW + 1000;
	assert_int_equal(portal_device_open(st, arena, HERE, text, &back),
	    E_NOTFOUND);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(open_as_they_were),
		T(nothing_is_to_be_read_in_them),
		T(are_for_their_audience),
		T(end),
		T(live_no_longer_than_they_were_made_for),
		T(are_not_changed),
		T(open_with_each_key_of_the_ring),
		T(are_no_other_sealed_thing),
		T(are_known_by_their_look),
		T(of_others_versions_are_refused),
		T(user_codes_are_typed_by_people),
		T(device_codes_say_who_asked),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
