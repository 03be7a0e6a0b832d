/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is particular to the store in Redis: ways to it and passwords, what is
 * in it, what happens when it is full, and threads.
 */
#include "base.h"

#include <pthread.h>

#include "store_redis_rig.h"

/* --- The way to it -------------------------------------------------------- */

static void
finds_it_by_socket_port_and_database(void **state UNUSED)
{
	struct store *st;

	use_redis();
	st = open_at("unix:%s", redis.socket);
	assert_int_equal(rig_put(st, 1, "in 0", 0), 0);
	store_close(st);
	st = open_at("redis://127.0.0.1:%u", redis.port);
	rig_has(st, 1, "in 0");
	store_close(st);
	st = open_at("redis://localhost:%u/3", redis.port);
	rig_has_not(st, 1, E_NOTFOUND);
	assert_int_equal(rig_put(st, 1, "in 3", 0), 0);
	store_close(st);
	st = open_at("unix:%s?db=3", redis.socket);
	rig_has(st, 1, "in 3");
	store_close(st);
	st = open_at("redis://127.0.0.1:%u/0", redis.port);
	rig_has(st, 1, "in 0");
	store_close(st);
	snprintf(url, sizeof(url), "redis://127.0.0.1:%u/16", redis.port);
	cannot_open("has no database of that number");
	snprintf(url, sizeof(url), "unix:%s-none", redis.socket);
	cannot_open("cannot be reached: see that it runs");
	snprintf(url, sizeof(url), "redis://127.0.0.1:%u/0",
	    redis_free_port());
	cannot_open("cannot be reached: see that it runs");
	snprintf(url, sizeof(url), "redis://host.invalid:%u/0", 1);
	cannot_open("cannot be reached: see that it runs");
}

static void
logs_in_with_a_password(void **state UNUSED)
{
	char file[96];
	struct store *st, *other;

	use_redis();
	snprintf(file, sizeof(file), "%s/password", rig_dir);
	rig_write(file, "hush-1\n", 7);
	redis_does("CONFIG SET requirepass hush-1");
	cannot_open("wants a password: set stagedoor.store.passwordFile");
	secret_set(&rig_settings.password, "hush-2", 6);
	cannot_open("does not take this user name and password");
	secret_set(&rig_settings.password, "hush-1", 6);
	store_close(rig_open());
	/* The file beats it, and is read at each connection. */
	secret_set(&rig_settings.password, "hush-2", 6);
	rig_settings.password_file = file;
	st = rig_open();
	assert_int_equal(rig_put(st, 1, "x", 0), 0);
	redis_say("AUTH hush-1\r\nCONFIG SET requirepass hush-3\r\n"
	    "CLIENT KILL TYPE normal");
	other = NULL;
	cannot_put(st, "does not take this user name and password");
	rig_write(file, "hush-3\n", 7);
	comes_back(st);
	store_close(st);
	unlink(file);
	cannot_open("password of the store's Redis cannot be read");
	rig_settings.password_file = NULL;
	redis_say("AUTH hush-3\r\nCONFIG SET requirepass \"\"");
	cannot_open("has no password set");
	secret_release(&rig_settings.password);
	assert_null(other);
}

static void
logs_in_as_a_user(void **state UNUSED)
{
	struct store *st;

	use_redis();
	redis_does("ACL SETUSER ours on >hush-1 resetkeys ~stagedoor:* -@all "
	    "+getrange +get +set +del +eval +pexpire +scan +select");
	rig_settings.username = "ours";
	secret_set(&rig_settings.password, "hush-1", 6);
	st = open_at("unix:%s?db=2", redis.socket);
	assert_int_equal(rig_put(st, 1, "x", 0), 0);
	rig_has(st, 1, "x");
	store_close(st);
	redis_does("ACL SETUSER ours -pexpire");
	cannot_open("does not let this user do what a store needs");
	redis_does("ACL SETUSER ours +pexpire -scan");
	cannot_open("does not let this user do what a store needs");
	redis_does("ACL SETUSER ours +scan off");
	cannot_open("does not take this user name and password");
	secret_release(&rig_settings.password);
	redis_does("ACL DELUSER ours");
}

/* --- What is there -------------------------------------------------------- */

static void
names_and_ends_what_it_keeps(void **state UNUSED)
{
	const char *zeros = "000000000000000000000000000000000000000000000000"
	    "00000000";
	struct store_item item = rig_item(1);
	struct store_lease lease;
	char line[200];
	struct store *st;

	use_redis();
	st = rig_open();
	rig_kind = "tokens";
	assert_int_equal(rig_put(st, 1, "x", 0), 0);
	assert_int_equal(rig_put(st, 2, "x", clock_wall_ms() + 60000), 0);
	item.kind = "tokens";
	assert_int_equal(store_lease(st, &item, 5000, &lease, NULL), 0);
	assert_true(str_starts(redis_say("DBSIZE"), ":3\r\n"));
	snprintf(line, sizeof(line), "PTTL stagedoor:tokens:01000000%s",
	    zeros);
	assert_int_equal(redis_number(line), -1);
	line[strlen("PTTL stagedoor:tokens:0")] = '2';
	assert_in_range(redis_number(line), 50000, 60000);
	snprintf(line, sizeof(line), "PTTL stagedoor:lease:tokens:01000000%s",
	    zeros);
	assert_in_range(redis_number(line), 4000, 5000);
	/* A lease is no value. */
	store_lease_end(st, &lease);
	assert_true(str_starts(redis_say("DBSIZE"), ":2\r\n"));
	store_close(st);
}

static void
ends_leases_by_its_own_clock(void **state UNUSED)
{
	struct store_item item = rig_item(1);
	struct store_lease one, two;
	struct store *st, *other;

	use_redis();
	st = rig_open();
	other = rig_open();
	assert_int_equal(store_lease(st, &item, 300, &one, NULL), 0);
	rig_now = clock_wall_ms() + 100000;	/* this host's clock is wrong */
	assert_int_equal(store_lease(other, &item, 300, &two, NULL), E_BUSY);
	usleep(200000);
	assert_int_equal(store_lease_renew(st, &one, 300, NULL), 0);
	usleep(200000);
	assert_int_equal(store_lease(other, &item, 300, &two, NULL), E_BUSY);
	usleep(200000);
	assert_int_equal(store_lease(other, &item, 300, &two, NULL), 0);
	assert_int_equal(store_lease_renew(st, &one, 300, NULL), E_BUSY);
	store_lease_end(st, &one);
	assert_int_equal(store_lease_renew(other, &two, 300, NULL), 0);
	usleep(400000);
	assert_int_equal(store_lease_renew(other, &two, 300, NULL), E_BUSY);
	store_close(other);
	store_close(st);
}

static void
sees_values_that_were_changed(void **state UNUSED)
{
	static const char *const changes[] = {
		"COPY stagedoor:source:02%s stagedoor:source:01%s REPLACE",
		"SETRANGE stagedoor:source:01%s 1 \"\\x01\"",	/* its time */
		"SETRANGE stagedoor:source:01%s 40 xyz",
		"SETRANGE stagedoor:source:01%s 1500000 x",	/* too long */
		"SET stagedoor:source:01%s short",
		"SET stagedoor:source:01%s 123456789012",
		"RPUSH stagedoor:source:01%s x",
	};
	const char *zeros = "000000000000000000000000000000000000000000000000"
	    "00000000000000";
	struct store_visit visit = { .kind = "source" };
	struct store_resealed done;
	struct store *st;
	char line[300];
	size_t i;

	use_redis();
	st = rig_open();
	for (i = 0; i < ARRAY_LEN(changes); i++) {
		redis_does("FLUSHALL");
		assert_int_equal(rig_put(st, 1, "alice-token", 0), 0);
		assert_int_equal(rig_put(st, 2, "bobby-token", 0), 0);
		snprintf(line, sizeof(line), "DEL stagedoor:source:01%s",
		    zeros);
		if (str_starts(changes[i], "RPUSH"))
			redis_does(line);
		snprintf(line, sizeof(line), changes[i], zeros, zeros);
		redis_does(line);
		rig_has_not(st, 1, E_STORE);
		snprintf(line, sizeof(line), "DEL stagedoor:source:02%s",
		    zeros);
		redis_does(line);
		assert_int_equal(store_each(st, &visit, NULL), 0);
		assert_int_equal(visit.bad, 1);
		assert_int_equal(store_reseal(st, NULL, &done, NULL), 0);
		assert_int_equal(done.values, 1);
		assert_int_equal(rig_put(st, 1, "alice-token", 0), 0);
		rig_has(st, 1, "alice-token");
	}
	/* Names that are none of ours. */
	snprintf(line, sizeof(line), "SET stagedoor:source:01%sff x", zeros);
	redis_does(line);
	redis_does("SET stagedoor:source:xyz x");
	redis_does("SET stagedoor:source x");
	redis_does("SET stagedoor: x");
	redis_does("SET elsewhere x");
	assert_int_equal(store_reseal(st, NULL, &done, NULL), 0);
	assert_int_equal(done.values, 1);
	store_close(st);
}

static void
keeps_no_clear_text_in_its_files(void **state UNUSED)
{
	const char *const grep[] = { "grep", "-rqs", "alice-token", redis.dir,
		NULL };
	const char *const sealed[] = { "grep", "-rqs", "stagedoor:source:",
		redis.dir, NULL };
	struct store *st;
	unsigned i;

	use_redis();
	st = rig_open();
	for (i = 0; i < 50; i++)
		assert_int_equal(rig_put(st, i, "alice-token", 0), 0);
	assert_true(str_starts(redis_say("SAVE"), "+OK"));
	assert_int_equal(redis_run(sealed), 0);
	assert_int_not_equal(redis_run(grep), 0);
	store_close(st);
}

static void
gives_up_what_can_be_made_again_when_full(void **state UNUSED)
{
	static char text[100000];
	struct store_item item;
	struct store_lease lease;
	struct store *st;
	unsigned i;

	use_redis();
	st = rig_open();
	memset(text, 'x', sizeof(text) - 1);
	for (i = 0; i < 40; i++)
		assert_int_equal(rig_put(st, i, text, 0), 0);
	rig_kind = "tokens";
	for (i = 0; i < 40; i++)
		assert_int_equal(rig_put(st, i, "token", 0), 0);
	redis_does("CONFIG SET maxmemory 4500000");
	rig_kind = "source";
	for (i = 40; i < 100; i++)
		if (rig_put(st, i, text, 0) != 0)
			break;
	assert_in_range(i, 0, 99);
	rig_kind = "tokens";
	assert_int_equal(rig_put(st, 1, "x", 0), 0);
	redis_does("CONFIG SET maxmemory 4500000");
	rig_kind = "source";
	for (i = 40; i < 100 && rig_put(st, i, text, 0) == 0; i++)
		;
	rig_kind = "tokens";
	assert_int_equal(swap_x(st, 0), 0);
	rig_has(st, 1, "y");
	rig_kind = "source";
	for (i = 40; i < 100 && rig_put(st, i, text, 0) == 0; i++)
		;
	rig_kind = "tokens";
	item = rig_item(1);
	assert_int_equal(store_lease(st, &item, 1000, &lease, NULL), 0);
	store_lease_end(st, &lease);
	assert_int_equal(rig_put(st, 1, "token", 0), 0);
	assert_int_equal(rig_put(st, 40, "token", 0), 0);
	for (i = 0; i < 41; i++)
		rig_has(st, i, "token");
	rig_kind = "source";
	rig_has_not(st, 1, E_NOTFOUND);
	redis_does("CONFIG SET maxmemory 1000");
	cannot_put(st, "the store is full: its Redis has used all memory");
	rig_kind = "tokens";
	cannot_put(st, "the store is full: its Redis has used all memory");
	for (i = 0; i < 41; i++)
		rig_has(st, i, "token");
	redis_does("CONFIG SET maxmemory 0");
	assert_int_equal(rig_put(st, 41, "token", 0), 0);
	store_close(st);
}

/* --- Threads -------------------------------------------------------------- */

#define THREADS 40
#define TURNS 50

struct user {
	struct store *st;
	unsigned n, failed;
};

static void *
use_it(void *arg)
{
	struct user *u = arg;
	char text[32];
	const struct store_item item = { .kind = "source",
		.key = { (unsigned char)u->n } };
	struct secret value = SECRET_INIT, got = SECRET_INIT;
	int64_t expires;
	int i;

	for (i = 0; i < TURNS; i++) {
		snprintf(text, sizeof(text), "%u of %d", u->n, i);
		secret_set(&value, text, strlen(text));
		u->failed += store_put(u->st, &item, &value, 0, NULL) != 0 ||
		    store_get(u->st, &item, &got, &expires, NULL) != 0 ||
		    !secret_equal(&got, text, strlen(text));
	}
	secret_release(&value);
	secret_release(&got);
	return NULL;
}

static void
serves_threads_with_few_connections(void **state UNUSED)
{
	pthread_t threads[THREADS];
	struct user users[THREADS];
	const char *clients;
	struct store *st;
	unsigned i;

	use_redis();
	rig_limits.wait_ms = 60000;
	st = rig_open();
	for (i = 0; i < THREADS; i++) {
		users[i] = (struct user){ .st = st, .n = i };
		pthread_create(&threads[i], NULL, use_it, &users[i]);
	}
	for (i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(users[i].failed, 0);
	}
	clients = strstr(redis_say("INFO clients"), "connected_clients:");
	assert_non_null(clients);
	assert_in_range(strtol(clients +
	    strlen("connected_clients:"), NULL, 10), 2, 17);
	store_close(st);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(finds_it_by_socket_port_and_database),
		TEST(logs_in_with_a_password),
		TEST(logs_in_as_a_user),
		TEST(names_and_ends_what_it_keeps),
		TEST(ends_leases_by_its_own_clock),
		TEST(sees_values_that_were_changed),
		TEST(keeps_no_clear_text_in_its_files),
		TEST(gives_up_what_can_be_made_again_when_full),
		TEST(serves_threads_with_few_connections),
	};

	signal(SIGPIPE, SIG_IGN);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
