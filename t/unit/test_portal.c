/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sessions of kubectl in the store, codes that users enter, and what a process
 * remembers of them: slots, steps, who is shut out, for how long what ended is
 * believed, and many threads at once.
 */
#include "base.h"

#include <pthread.h>

#include "store_rig.h"

#include "arena.h"
#include "identity.h"
#include "portal.h"
#include "portal_code.h"
#include "portal_pace.h"
#include "runtime.h"
#include "settings.h"

#define THREADS 8
#define ROUNDS 200
#define CODE "BCDF-GHJK"

static struct arena *arena;
static struct settings settings;
static struct runtime rt;
static struct err err;

static int
setup(void **state)
{
	if (rig_set_up(state) != 0)
		return -1;
	arena = arena_new();
	settings = (struct settings){ .base_path = "/api/kubernetes",
	    .public_url = "https://portal.example.org/", .portal_lifetime =
	    3600, .store = { .type = "sqlite" } };
	rt = (struct runtime){ .settings = &settings, .store = rig_open(),
	    .portal = portal_new() };
	return 0;
}

static int
teardown(void **state)
{
	portal_free(rt.portal);
	store_close(rt.store);
	arena_free(arena);
	return rig_tear_down(state);
}

/* A session of that user, begun so long ago; and its token. */
static struct portal_session *
begin(const char *user, int64_t ago)
{
	static const char *const groups[] = { "group:default/dev",
	    "group:default/ops" };
	struct portal_session *s = arena_alloc(arena, sizeof(*s));

	*s = (struct portal_session){ .user = user, .from = "192.0.2.1",
	    .email = "ann@example.org", .device = "laptop",
	    .groups = (const char **)(uintptr_t)groups, .ngroups = 2,
	    .issued = clock_wall_ms() - ago };
	s->expires = s->issued + 3600000;
	if (portal_session_begin(rt.store, s, &err) != 0)
		fail_msg("begin: %s (%s)", err.text, err.detail);
	return s;
}

static const char *
token_of(const struct portal_session *s)
{
	struct portal_token t = { .user = s->user, .slot = s->slot,
	    .expires = s->expires };
	const char *text;

	memcpy(t.id, s->id, sizeof(t.id));
	assert_int_equal(portal_token_print(rt.store, arena,
	    portal_audience(&rt, arena), &t, &text), 0);
	return text;
}

static int
find(const char *token)
{
	struct portal_session s;

	return portal_find(&rt, arena, token, &s, &err);
}

static int
end(const char *user, const char *id)
{
	struct portal_session s = { .user = user };

	snprintf(s.id, sizeof(s.id), "%s", id);
	return portal_session_end(rt.store, arena, &s, &err);
}

/* ---- sessions ---- */

static void
sessions_are_kept_whole(void **state UNUSED)
{
	struct portal_session *s = begin("user:default/ann", 0), back;

	back = (struct portal_session){ .user = s->user, .slot = s->slot };
	assert_int_equal(portal_session_get(rt.store, arena, &back, &err), 0);
	assert_string_equal(back.id, s->id);
	assert_string_equal(back.user, s->user);
	assert_string_equal(back.email, "ann@example.org");
	assert_string_equal(back.from, "192.0.2.1");
	assert_string_equal(back.device, "laptop");
	assert_int_equal(back.ngroups, 2);
	assert_string_equal(back.groups[1], "group:default/ops");
	assert_int_equal(back.issued, s->issued);
	assert_int_equal(back.expires, s->expires);
}

/* No more than there are slots: the oldest gives way. */
static void
sessions_of_a_user_are_bounded(void **state UNUSED)
{
	struct portal_session *first = NULL, *s;
	struct portal_sessions all;
	int i;

	for (i = 0; i < PORTAL_SLOTS; i++) {
		s = begin("user:default/ann", 1000 * (i == 5 ? 99 : i));
		first = i == 5 ? s : first;
	}
	begin("user:default/bob", 0);
	assert_int_equal(portal_session_list(rt.store, arena,
	    "user:default/ann", &all, &err), 0);
	assert_int_equal(all.n, PORTAL_SLOTS);
	assert_string_equal(all.items[0].id, first->id);
	s = begin("user:default/ann", 0);
	assert_int_equal(s->slot, first->slot);
	assert_int_equal(portal_session_list(rt.store, arena,
	    "user:default/ann", &all, &err), 0);
	assert_int_equal(all.n, PORTAL_SLOTS);
	assert_int_equal(find(token_of(first)), E_AUTH);
	assert_int_equal(find(token_of(s)), 0);
}

static void
sessions_end_for_their_user_only(void **state UNUSED)
{
	struct portal_session *s = begin("user:default/ann", 0);

	assert_int_equal(end("user:default/bob", s->id), E_NOTFOUND);
	assert_int_equal(find(token_of(s)), 0);
	assert_int_equal(end(s->user, s->id), 0);
	assert_int_equal(end(s->user, s->id), E_NOTFOUND);
}

/* ---- what a process remembers ---- */

static void
wait_ms(long ms)
{
	const struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&t, NULL);
}

/* The store is not asked for each request, and not for a second. */
static void
what_was_looked_up_is_kept_for_a_second(void **state UNUSED)
{
	struct portal_session *s = begin("user:default/ann", 0);
	const char *token = token_of(s);
	int64_t began = clock_mono_ms();

	assert_int_equal(find(token), 0);
	/* By another process. */
	assert_int_equal(end(s->user, s->id), 0);
	if (find(token) != 0 && clock_mono_ms() - began < PORTAL_STALE_MS)
		fail_msg("the store was asked again");
	wait_ms(PORTAL_STALE_MS + 10);
	assert_int_equal(find(token), E_AUTH);
}

static void
what_this_process_ended_is_over_at_once(void **state UNUSED)
{
	struct portal_session *s = begin("user:default/ann", 0);

	assert_int_equal(find(token_of(s)), 0);
	assert_int_equal(end(s->user, s->id), 0);
	portal_forget(&rt, s->id);
	assert_int_equal(find(token_of(s)), E_AUTH);
}

/* A slot that another session has since taken opens for that one alone. */
static void
an_old_token_is_not_its_slots_next(void **state UNUSED)
{
	struct portal_session *old = begin("user:default/ann", 0), *next;

	assert_int_equal(end(old->user, old->id), 0);
	next = begin("user:default/ann", 0);
	assert_int_equal(old->slot, next->slot);
	assert_int_equal(find(token_of(old)), E_AUTH);
	assert_int_equal(find(token_of(next)), 0);
}

static void
without_a_store_that_works_nobody_gets_in(void **state UNUSED)
{
	struct portal_session *s = begin("user:default/ann", 0);
	const char *token = token_of(s);

	settings.store.type = NULL;
	assert_int_equal(find(token), E_CONFIG);
	settings.store.type = "sqlite";
	settings.public_url = "http://portal.example.org";
	assert_int_equal(find(token), E_CONFIG);
	settings.public_url = "http://localhost.example.org";
	assert_int_equal(find(token), E_CONFIG);
	settings.public_url = NULL;
	assert_int_equal(find(token), E_CONFIG);
	settings.public_url = "http://127.0.0.1:8080";
	assert_int_equal(find(token), E_AUTH);	/* another audience */
	settings.public_url = "https://portal.example.org";
	assert_int_equal(find(token), 0);
}

struct asker {
	pthread_t thread;
	const char *token[2];
	const char *id;
	int ends;
};

static void *
ask(void *ctx)
{
	struct asker *a = ctx;
	struct arena *own = arena_new();
	struct portal_session s;
	int i;

	for (i = 0; i < ROUNDS; i++) {
		if (portal_find(&rt, own, a->token[i % 2], &s, NULL) != 0 ||
		    strcmp(s.user, i % 2 ? "user:default/bob" :
		    "user:default/ann") != 0)
			a->ends++;
		portal_may_poll(rt.portal, s.id);
		if (i % 16 == 0)
			portal_forget(&rt, "00000000000000000000000000000000");
	}
	arena_free(own);
	return NULL;
}

static void
many_threads_ask_at_once(void **state UNUSED)
{
	struct portal_session *ann = begin("user:default/ann", 0);
	struct portal_session *bob = begin("user:default/bob", 0);
	struct asker askers[THREADS] = { 0 };
	int i;

	for (i = 0; i < THREADS; i++) {
		askers[i].token[0] = token_of(ann);
		askers[i].token[1] = token_of(bob);
		assert_int_equal(pthread_create(&askers[i].thread, NULL, ask,
		    &askers[i]), 0);
	}
	for (i = 0; i < THREADS; i++) {
		pthread_join(askers[i].thread, NULL);
		assert_int_equal(askers[i].ends, 0);
	}
}

/* ---- codes ---- */

static int
claim(const struct identity *who, const char *code)
{
	struct portal_request pr;

	snprintf(pr.code, sizeof(pr.code), "%s", code);
	return portal_request_claim(rt.store, arena, who, &pr, &err);
}

static struct portal_device
device(const char *nonce)
{
	struct portal_device d = { .code = CODE, .from = "192.0.2.9",
	    .name = "laptop", .asked = clock_wall_ms() };

	snprintf(d.nonce, sizeof(d.nonce), "%.32s", nonce);
	d.expires = d.asked + PORTAL_CODE_MS;
	return d;
}

static const struct identity ann = { .kind = IDENTITY_USER,
    .user = "user:default/ann", .email = "ann@example.org" };
static const struct identity bob = { .kind = IDENTITY_USER,
    .user = "user:default/bob" };

static struct portal_request
row(void)
{
	struct portal_request pr;

	assert_int_equal(portal_request_get(rt.store, arena, CODE, &pr, &err),
	    0);
	return pr;
}

static void
a_code_goes_its_way(void **state UNUSED)
{
	const char nonce[] = "11111111111111111111111111111111";
	struct portal_device d = device(nonce);
	struct portal_request pr;

	assert_int_equal(portal_request_get(rt.store, arena, CODE, &pr, &err),
	    E_NOTFOUND);
	assert_int_equal(claim(&ann, CODE), 0);
	pr = row();
	assert_int_equal(pr.state, PORTAL_CLAIMED);
	assert_int_equal(portal_request_meet(rt.store, &pr, &d, &err), 0);
	pr = row();
	assert_int_equal(pr.state, PORTAL_ASKING);
	assert_string_equal(pr.nonce, nonce);
	assert_string_equal(pr.from, "192.0.2.9");
	assert_int_equal(portal_request_decide(rt.store, &pr, &ann, true,
	    &err), 0);
	pr = row();
	assert_int_equal(pr.state, PORTAL_ALLOWED);
	assert_string_equal(pr.email, "ann@example.org");
	assert_int_equal(portal_request_use(rt.store, &pr, &err), 0);
	pr = row();
	assert_int_equal(pr.state, PORTAL_USED);
}

static void
each_step_is_taken_once(void **state UNUSED)
{
	struct portal_device d = device("11111111111111111111111111111111");
	struct portal_device other =
	    device("22222222222222222222222222222222");
	struct portal_request a, b;

	assert_int_equal(claim(&ann, CODE), 0);
	assert_int_equal(claim(&bob, CODE), E_DENIED);
	a = b = row();
	assert_int_equal(portal_request_meet(rt.store, &a, &d, &err), 0);
	assert_int_equal(portal_request_meet(rt.store, &b, &other, &err),
	    E_BUSY);
	a = row();
	assert_int_equal(portal_request_meet(rt.store, &a, &other, &err),
	    E_DENIED);
	a = b = row();
	assert_int_equal(portal_request_decide(rt.store, &a, &ann, true,
	    &err), 0);
	assert_int_equal(portal_request_decide(rt.store, &b, &ann, false,
	    &err), E_BUSY);
	a = b = row();
	assert_int_equal(portal_request_use(rt.store, &a, &err), 0);
	assert_int_equal(portal_request_use(rt.store, &b, &err), E_BUSY);
}

static void
a_user_has_so_many_tries(void **state UNUSED)
{
	static const char letters[] = "BCDFGHJKLMNPQRSTVWXZ";
	char code[PORTAL_CODE] = "CCCC-CCC?";
	int i;

	for (i = 0; i < PORTAL_TRIES; i++) {
		code[8] = letters[i];
		assert_int_equal(claim(&ann, code), 0);
	}
	assert_int_equal(claim(&ann, code), 0);		/* once more is none */
	assert_int_equal(claim(&ann, CODE), E_DENIED);
	assert_int_equal(claim(&bob, CODE), 0);
}

static void
pace_is_kept(void **state UNUSED)
{
	const struct portal_pace_rule rule = { .every = 200, .burst = 3 };
	struct portal_pace *pace = xcalloc(1, sizeof(*pace));
	int i;

	portal_pace_init(pace);
	for (i = 0; i < 3; i++)
		assert_true(portal_pace_take(pace, "one", &rule));
	assert_false(portal_pace_take(pace, "one", &rule));
	wait_ms(220);
	assert_true(portal_pace_take(pace, "one", &rule));
	pthread_mutex_destroy(&pace->lock);
	free(pace);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(sessions_are_kept_whole),
		T(sessions_of_a_user_are_bounded),
		T(sessions_end_for_their_user_only),
		T(what_was_looked_up_is_kept_for_a_second),
		T(what_this_process_ended_is_over_at_once),
		T(an_old_token_is_not_its_slots_next),
		T(without_a_store_that_works_nobody_gets_in),
		T(many_threads_ask_at_once),
		T(a_code_goes_its_way),
		T(each_step_is_taken_once),
		T(a_user_has_so_many_tries),
		T(pace_is_kept),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
