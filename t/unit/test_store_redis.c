/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is particular to the store in Redis: ways to it and passwords, what
 * happens when it is slow, away, killed or full, and what its errors mean. A
 * real redis-server, and a fake one for what the real one does not do at will.
 */
#include "base.h"

#include <poll.h>
#include <pthread.h>

#include "store_rig.h"

static char url[160];

/* For each test: a Redis that is empty, and as it was at the start. */
static int
set_up(void **state UNUSED)
{
	void *type = (void *)(uintptr_t)"redis";

	return rig_set_up(&type);
}

static void
use_redis(void)
{
	rig_need_redis();
	redis_does("CONFIG SET requirepass \"\"");
	redis_does("CONFIG SET maxmemory 0");
	redis_does("REPLICAOF NO ONE");
}

static struct store *
open_at(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(url, sizeof(url), fmt, ap);
	va_end(ap);
	rig_settings.url = url;
	return rig_open();
}

/* A put fails, and says why; where is private. */
static void
cannot_put(struct store *st, const char *why)
{
	const struct store_item item = rig_item(99);
	struct secret value = SECRET_INIT;
	struct err err = ERR_INIT;

	secret_set(&value, "hush-hush", 9);
	assert_int_equal(store_put(st, &item, &value, 0, &err), E_STORE);
	secret_release(&value);
	if (strstr(err.text, why) == NULL)
		fail_msg("'%s' (%s) does not say '%s'", err.text, err.detail,
		    why);
	assert_null(strstr(err.text, "/tmp"));
	assert_null(strstr(err.text, "hush"));
	assert_null(strstr(err.detail, "hush"));
	assert_non_null(strstr(err.detail, rig_settings.url));
}

static void
cannot_open(const char *why)
{
	struct store *st = NULL;
	struct err err = ERR_INIT;

	assert_int_equal(store_open_limited(&rig_settings, &rig_limits, &st,
	    &err), E_STORE);
	if (strstr(err.text, why) == NULL)
		fail_msg("'%s' does not say '%s'", err.text, why);
	assert_null(strstr(err.text, "hush"));
}

/* It fails now; but when all is well again it works within a second. */
static void
comes_back(struct store *st)
{
	int64_t until = clock_mono_ms() + 1500;
	int r;

	while ((r = rig_put(st, 7, "back", 0)) != 0 &&
	    clock_mono_ms() < until)
		usleep(20000);
	assert_int_equal(r, 0);
	rig_has(st, 7, "back");
}

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

static bool
is_x(void *ctx UNUSED, const struct secret *value)
{
	return secret_equal(value, "x", 1);
}

static int
swap_x(struct store *st, int64_t expires)
{
	const struct store_item item = rig_item(1);
	struct secret value = SECRET_INIT;
	const struct store_swap swap = { .item = &item, .value = &value,
		.expires = expires, .is = is_x };
	int r;

	secret_set(&value, "y", 1);
	r = store_swap(st, &swap, NULL);
	secret_release(&value);
	return r;
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

/* --- Away ----------------------------------------------------------------- */

static void
goes_on_after_a_restart(void **state UNUSED)
{
	struct store_item item = rig_item(1);
	struct store_lease lease, other;
	struct store *st;

	use_redis();
	st = rig_open();
	assert_int_equal(rig_put(st, 1, "kept", 0), 0);
	assert_int_equal(store_lease(st, &item, 60000, &lease, NULL), 0);
	/* Nobody asked meanwhile: nobody notices. */
	redis_kill(SIGKILL);
	redis_again();
	rig_has(st, 1, "kept");
	assert_int_equal(store_lease(st, &item, 60000, &other, NULL), E_BUSY);
	assert_int_equal(store_lease_renew(st, &lease, 60000, NULL), 0);
	redis_kill(SIGTERM);
	cannot_put(st, "cannot be reached: see that it runs");
	rig_has_not(st, 1, E_STORE);
	redis_again();
	comes_back(st);
	rig_has(st, 1, "kept");
	store_close(st);
}

static void
does_not_wait_long_for_one_that_hangs(void **state UNUSED)
{
	struct store *st;
	int64_t start;
	int i;

	use_redis();
	rig_limits.wait_ms = 400;
	st = rig_open();
	assert_int_equal(rig_put(st, 1, "kept", 0), 0);
	kill(redis.pid, SIGSTOP);
	start = clock_mono_ms();
	cannot_put(st, "does not answer in time");
	assert_in_range(clock_mono_ms() - start, 350, 700);
	/* From there on one looks, and the others do not wait at all. */
	start = clock_mono_ms();
	for (i = 0; i < 10; i++)
		rig_has_not(st, 1, E_STORE);
	assert_in_range(clock_mono_ms() - start, 0, 100);
	usleep(600000);
	start = clock_mono_ms();
	rig_has_not(st, 1, E_STORE);
	assert_in_range(clock_mono_ms() - start, 350, 700);
	kill(redis.pid, SIGCONT);
	comes_back(st);
	rig_has(st, 1, "kept");
	store_close(st);
}

static void
is_opened_while_it_is_away(void **state UNUSED)
{
	struct err err = ERR_INIT;
	struct store *st;

	use_redis();
	redis_kill(SIGTERM);
	st = store_open_later(&rig_settings, &err);
	assert_int_equal(err.code, E_STORE);
	assert_non_null(strstr(err.text, "cannot be reached"));
	assert_int_equal(rig_put(st, 1, "x", 0), E_STORE);
	redis_again();
	comes_back(st);
	store_close(st);
}

/* --- One that is fake ----------------------------------------------------- */

/*
 * Either answers each read with the same text (in pieces, if so wished), or is
 * in the way to the real one and cuts a connection before an answer.
 */
static struct fake {
	char path[96];
	int fd, stop;
	pthread_t thread;
	const char *says;	/* NULL: it passes on */
	bool slowly, closes, floods;
	int cut_in;		/* so many answers from now; < 0: never */
} fake;

static void
fake_flood(int fd)
{
	static char much[65536];

	memset(much, 'x', sizeof(much));
	if (write(fd, "$500000000\r\n", 12) != 12)
		return;
	while (send(fd, much, sizeof(much), MSG_NOSIGNAL) > 0)
		;
}

static void
fake_talk(int fd)
{
	char buf[65536];
	size_t i;

	while (read(fd, buf, sizeof(buf)) > 0) {
		if (fake.floods)
			fake_flood(fd);
		for (i = 0; fake.slowly && i < strlen(fake.says); i++) {
			send(fd, fake.says + i, 1, MSG_NOSIGNAL);
			usleep(100000);
		}
		if (!fake.slowly)
			send(fd, fake.says, strlen(fake.says), MSG_NOSIGNAL);
		if (fake.closes)
			return;
	}
}

/* From one to the other; false: it is over. */
static bool
fake_move(int from, int to)
{
	char buf[65536];
	ssize_t n = read(from, buf, sizeof(buf));

	return n > 0 && send(to, buf, (size_t)n, MSG_NOSIGNAL) == n;
}

static void
fake_pass_on(int fd)
{
	int real = redis_dial();
	struct pollfd p[2] = { { .fd = fd, .events = POLLIN },
		{ .fd = real, .events = POLLIN } };
	char buf[65536];

	while (!fake.stop && poll(p, 2, 100) >= 0) {
		if (p[0].revents != 0 && !fake_move(fd, real))
			break;
		if (p[1].revents == 0)
			continue;
		if (fake.cut_in == 0) {		/* it was done, but who knows */
			fake.cut_in = -1;
			if (read(real, buf, sizeof(buf)) < 0)
				break;
			break;
		}
		fake.cut_in -= fake.cut_in > 0;
		if (!fake_move(real, fd))
			break;
	}
	close(real);
}

static void *
fake_run(void *arg UNUSED)
{
	int fd;

	while ((fd = accept(fake.fd, NULL, NULL)) >= 0) {
		if (fake.says != NULL)
			fake_talk(fd);
		else
			fake_pass_on(fd);
		close(fd);
	}
	return NULL;
}

static void
fake_start(const char *says)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };

	memset(&fake, 0, sizeof(fake));
	fake.says = says;
	fake.cut_in = -1;
	snprintf(fake.path, sizeof(fake.path), "%s/fake", rig_dir);
	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", fake.path);
	fake.fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(fake.fd, (struct sockaddr *)&sun, sizeof(sun)),
	    0);
	assert_int_equal(listen(fake.fd, 10), 0);
	pthread_create(&fake.thread, NULL, fake_run, NULL);
	snprintf(url, sizeof(url), "unix:%s", fake.path);
	rig_settings.url = url;
}

static void
fake_end(void)
{
	__atomic_store_n(&fake.stop, 1, __ATOMIC_SEQ_CST);
	shutdown(fake.fd, SHUT_RDWR);
	pthread_join(fake.thread, NULL);
	close(fake.fd);
	unlink(fake.path);
}

static void
says_what_errors_mean(void **state UNUSED)
{
	static const struct {
		const char *says, *why;
	} rows[] = {
		{ "-LOADING Redis is loading the dataset in memory\r\n",
		  "is still reading its data" },
		{ "-READONLY You can't write against a read only replica.\r\n",
		  "is a replica, which cannot be written" },
		{ "-MISCONF Redis is configured to save RDB snapshots\r\n",
		  "cannot write to its disk" },
		{ "-MOVED 3999 127.0.0.1:6381\r\n", "is part of a cluster" },
		{ "-CLUSTERDOWN Hash slot not served\r\n",
		  "is part of a cluster" },
		{ "-MASTERDOWN Link with MASTER is down\r\n",
		  "has lost its primary" },
		{ "-BUSY Redis is busy running a script.\r\n",
		  "is busy with somebody's script" },
		{ "-NOREPLICAS Not enough good replicas to write.\r\n",
		  "has fewer replicas than it wants" },
		{ "-ERR max number of clients reached\r\n",
		  "has as many clients as it may" },
		{ "-ERR unknown command `GETRANGE`, with args beginning with: "
		  "`hush`, \r\n", "is too old, or commands" },
		{ "-ERR Error running script (call to f_1): @user_script:1: "
		  "-OOM command not allowed when used memory > 'maxmemory'."
		  "\r\n", "the store is full" },
		{ "-WHATEVER hush\r\n", "refuses what it is asked for" },
		{ "HTTP/1.1 400 Bad Request\r\n\r\n",
		  "does not speak as Redis does" },
		{ "+OK\r\n", "answers what was not asked" },
		{ "*-1\r\n", "answers what was not asked" },
	};
	struct err err;
	struct store *st;
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		fake_start(rows[i].says);
		err = (struct err)ERR_INIT;
		assert_int_equal(store_open_limited(&rig_settings,
		    &rig_limits, &st, &err), E_STORE);
		if (strstr(err.text, rows[i].why) == NULL)
			fail_msg("'%s' does not say '%s'", err.text,
			    rows[i].why);
		fake_end();
	}
}

/* What Redis says again of a command may be the password. */
static void
does_not_repeat_the_password(void **state UNUSED)
{
	fake_start("-ERR unknown command 'AUTH', with args beginning with: "
	    "'ours' 'hush-hush' \r\n");
	rig_settings.username = "ours";
	secret_set(&rig_settings.password, "hush-hush", 9);
	cannot_open("is too old, or commands");
	fake_end();
	fake_start("-WRONGPASS `hush-hush` is wrong\r\n");
	cannot_open("does not take this user name and password");
	fake_end();
	secret_release(&rig_settings.password);
}

static void
bounds_what_it_waits_for(void **state UNUSED)
{
	int64_t start;

	rig_limits.wait_ms = 500;
	fake_start("$5\r\nabc");		/* and no more */
	start = clock_mono_ms();
	cannot_open("does not answer in time");
	assert_in_range(clock_mono_ms() - start, 450, 800);
	fake_end();
	fake_start("$50\r\nabcdefghijklmnopqrstuvwxyz");
	fake.slowly = true;
	start = clock_mono_ms();
	cannot_open("does not answer in time");
	assert_in_range(clock_mono_ms() - start, 450, 800);
	fake_end();
	fake_start("");
	fake.closes = true;
	start = clock_mono_ms();
	cannot_open("was lost");
	assert_in_range(clock_mono_ms() - start, 0, 450);
	fake_end();
	rig_limits.wait_ms = 20000;
	fake_start("");
	fake.floods = true;
	cannot_open("does not speak as Redis does");
	fake_end();
}

/* Redis did it, and its answer was lost: whoever asked must not be wrong. */
static void
bears_an_answer_that_was_lost(void **state UNUSED)
{
	struct store_item item = rig_item(1);
	struct store_lease one, two;
	struct store *st;
	int i;

	use_redis();
	fake_start(NULL);
	st = rig_open();
	for (i = 0; i < 5; i++) {
		fake.cut_in = 0;
		assert_int_equal(rig_put(st, 1, "x", 0), 0);
		rig_has(st, 1, "x");
		fake.cut_in = 1;	/* after a get */
		assert_int_equal(swap_x(st, clock_wall_ms() + 60000), 0);
		rig_has(st, 1, "y");
		assert_int_equal(swap_x(st, 0), E_BUSY);
		fake.cut_in = 0;
		assert_int_equal(store_lease(st, &item, 60000, &one, NULL), 0);
		fake.cut_in = 0;
		assert_int_equal(store_lease(st, &item, 60000, &two, NULL),
		    E_BUSY);
		fake.cut_in = 0;
		assert_int_equal(store_lease_renew(st, &one, 60000, NULL), 0);
		fake.cut_in = 0;
		store_lease_end(st, &one);
		assert_int_equal(store_lease(st, &item, 60000, &two, NULL), 0);
		store_lease_end(st, &two);
		fake.cut_in = 0;
		assert_int_equal(store_del(st, &item, NULL), 0);
		rig_has_not(st, 1, E_NOTFOUND);
	}
	store_close(st);
	fake_end();
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

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, rig_tear_down)

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
		TEST(goes_on_after_a_restart),
		TEST(does_not_wait_long_for_one_that_hangs),
		TEST(is_opened_while_it_is_away),
		TEST(says_what_errors_mean),
		TEST(does_not_repeat_the_password),
		TEST(bounds_what_it_waits_for),
		TEST(bears_an_answer_that_was_lost),
		TEST(serves_threads_with_few_connections),
	};

	signal(SIGPIPE, SIG_IGN);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
