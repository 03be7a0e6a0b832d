/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Eight processes and the sessions of a few users in one store, with an issuer
 * that ends a session when it sees an old refresh token: whatever is slow, ill
 * or killed, none is seen but where it must be.
 */
#include "base.h"

#include "ending.h"
#include "leases.h"
#include "session_rig.h"

#define PROCESSES 8
#define THREADS 6	/* of each that ask */

static pid_t pids[PROCESSES];

/* ---- what a process does ---- */

static void
count_answer(unsigned user, const struct ask *a, int r)
{
	fake_lock();
	issuer->asked++;
	if (r == 0)
		issuer->got++;
	else if (r == E_SIGNIN)
		issuer->sign_in[user]++;
	else if (r == E_PENDING)
		issuer->late++;
	else
		issuer->failed++;
	if (r != 0)
		snprintf(issuer->said, sizeof(issuer->said), "%s",
		    a->err.text);
	fake_unlock();
}

static unsigned process_number;

/*
 * A process that is to be killed asks for that one user only, and before that
 * nobody else does: it would take others' new tokens with it.
 */
static bool
is_asked_here(unsigned user)
{
	bool killed[USERS], mine = true;
	unsigned i;

	fake_lock();
	for (i = 0; i < USERS; i++)
		killed[i] = issuer->of[i].death != LIVE;
	fake_unlock();
	if (process_number < USERS && killed[process_number])
		mine = user == process_number;
	return mine && (!killed[user] || user == process_number);
}

static void *
ask_all(void *arg)
{
	unsigned user = (unsigned)(uintptr_t)arg % USERS;
	struct ask a = { .waits = 15000 };

	while (!__atomic_load_n(&issuer->stop, __ATOMIC_SEQ_CST)) {
		a.who = &people[user];
		if (is_asked_here(user))
			count_answer(user, &a, ask(&a));
		user = (user + 1) % USERS;
		usleep(10000);
	}
	return NULL;
}

static void
process_main(void)
{
	pthread_t threads[THREADS];
	unsigned i;

	process_begin();
	for (i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, ask_all,
		    (void *)(uintptr_t)i);
	for (i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	process_end();
	_exit(0);
}

/* ---- and the test ---- */

static void
run_for(int64_t ms, int64_t lives)
{
	struct store *st = rig_open();
	unsigned i, killed = 0;
	int status;

	for (i = 0; i < USERS; i++)
		sign_in(st, i, lives);
	store_close(st);
	fflush(NULL);
	for (i = 0; i < PROCESSES; i++)
		if ((pids[i] = fork()) == 0) {
			process_number = i;
			process_main();
		}
	usleep((useconds_t)ms * 1000);
	__atomic_store_n(&issuer->stop, true, __ATOMIC_SEQ_CST);
	for (i = 0; i < PROCESSES; i++) {
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
			killed++;
		else
			assert_int_equal(status, 0);
	}
	assert_int_equal(killed, issuer->deaths);
}

static void
show(void)
{
	unsigned i;

	print_message("# asked %u, got %u, late %u, failed %u; issuer asked "
	    "%u times\n", issuer->asked, issuer->got, issuer->late,
	    issuer->failed, issuer->calls);
	for (i = 0; i < USERS; i++)
		print_message("# u%u: %u rotations, %u reuses, %u at once, "
		    "%u told to sign in\n", i, issuer->of[i].rotations,
		    issuer->of[i].reuses, issuer->of[i].most,
		    issuer->sign_in[i]);
	if (issuer->said[0] != '\0')
		print_message("# last: %s\n", issuer->said);
}

static void
stays_signed_in(unsigned user, unsigned rotations)
{
	const struct fake_session *s = &issuer->of[user];

	assert_int_equal(s->reuses, 0);
	assert_int_equal(s->refused, 0);
	assert_int_equal(s->most, 1);
	assert_int_equal(issuer->sign_in[user], 0);
	assert_true(s->rotations >= rotations);
}

static void
tokens_that_live_a_second(void **state UNUSED)
{
	unsigned i;

	issuer->lives = 1500;		/* never good when it is renewed */
	run_for(5000, 0);
	show();
	for (i = 0; i < USERS; i++)
		stays_signed_in(i, 5);
	assert_int_equal(issuer->got, issuer->asked);
}

static void
tokens_that_are_good_meanwhile(void **state UNUSED)
{
	unsigned i;

	issuer->lives = 4500;
	issuer->delay = 300;
	run_for(9000, 2500);
	show();
	for (i = 0; i < USERS; i++)
		stays_signed_in(i, 2);
	assert_int_equal(issuer->got, issuer->asked);
}

/* Slower than it and what a successor waits together. */
static void
an_issuer_slower_than_the_lease(void **state UNUSED)
{
	unsigned i;

	issuer->lives = 3000;
	issuer->delay = 11000;
	run_for(24000, 0);
	show();
	for (i = 0; i < USERS; i++)
		stays_signed_in(i, 2);
	assert_int_equal(issuer->got, issuer->asked);
}

/* u0's is killed before the issuer did it, u1's after: the one comes back by
   itself, the other is asked to sign in, after one try. Who is killed may have
   been at work for all four, and leaves as many leases behind: twice. */
static void
who_is_killed_is_succeeded(void **state UNUSED)
{
	issuer->lives = 1500;
	issuer->of[0].death = DIE_BEFORE;
	issuer->of[1].death = DIE_AFTER;
	run_for(2 * (LEASE_MS + 2000) + 6000, 0);
	show();
	assert_int_equal(issuer->deaths, 2);
	issuer->of[0].most = 1;
	stays_signed_in(0, 3);
	stays_signed_in(2, 3);
	stays_signed_in(3, 3);
	assert_int_equal(issuer->of[1].reuses, 1);
	assert_int_equal(issuer->of[1].refused, 1);
	assert_true(issuer->sign_in[1] > 10);
	assert_int_equal(issuer->failed, 0);
	assert_non_null(strstr(issuer->said, "invalid_grant"));
	assert_non_null(strstr(issuer->said, "sign in at "
	    "https://portal.example/api/kubernetes/connect"));
}

static void
hold_once(void)
{
	if (__atomic_exchange_n(&issuer->held, true, __ATOMIC_SEQ_CST))
		return;
	hold_for(9000);
}

/* The lease of who waits for it is over when it comes back, but he is not:
   what he was given is still to be written. */
static void
a_store_that_is_away_for_longer_than_the_lease(void **state UNUSED)
{
	unsigned i;

	issuer->lives = 3000;
	issuer->meanwhile = hold_once;
	run_for(16000, 0);
	show();
	for (i = 0; i < USERS; i++)
		stays_signed_in(i, 1);
}

/* A web server ends a CGI program, a person a command, in mid-refresh. */
static void
a_signal_waits_for_what_is_spent(void **state UNUSED)
{
	struct ask a = { .who = &people[0], .waits = 15000 };
	const struct token_key key = key_of(0);
	struct store *st = rig_open();
	struct token_set ts;
	int status;
	pid_t pid;

	sign_in(st, 0, 0);
	issuer->delay = 1500;
	fflush(NULL);
	if ((pid = fork()) == 0) {
		process_begin();
		ending_catch();
		ask(&a);
		_exit(0);
	}
	while (__atomic_load_n(&issuer->calls, __ATOMIC_SEQ_CST) == 0)
		usleep(10000);
	usleep(500000);
	kill(pid, SIGTERM);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
	stays_signed_in(0, 1);
	assert_int_equal(tokens_get(st, &key, &ts, NULL), 0);
	assert_string_equal(ts.id_token.ptr, "id-0-1");
	token_set_release(&ts);
	store_close(st);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, session_set_up, \
    session_tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(tokens_that_live_a_second),
		TEST(tokens_that_are_good_meanwhile),
		TEST(an_issuer_slower_than_the_lease),
		TEST(who_is_killed_is_succeeded),
		TEST(a_store_that_is_away_for_longer_than_the_lease),
		TEST(a_signal_waits_for_what_is_spent),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
