/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store where Redis is slow, away, killed, or says what it should not. A
 * real redis-server, and a fake one for what the real one does not do at will.
 */
#include "base.h"

#include <poll.h>
#include <pthread.h>

#include "store_redis_rig.h"

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
	int fd;
	pthread_t thread;
	const char *says;	/* NULL: it passes on */
	/* What the test says while it runs. */
	_Atomic bool stop, slowly, closes, floods;
	_Atomic int cut_in;	/* so many answers from now; < 0: never */
	_Atomic int twice;	/* so many more answers come twice */
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
fake_move(int from, int to, bool twice)
{
	char buf[65536];
	ssize_t n = read(from, buf, sizeof(buf) / 2);

	if (n > 0 && twice)
		memcpy(buf + n, buf, (size_t)n);
	n += twice ? n : 0;
	return n > 0 && send(to, buf, (size_t)n, MSG_NOSIGNAL) == n;
}

static void
fake_pass_on(int fd)
{
	int real = redis_dial();
	struct pollfd p[2] = { { .fd = fd, .events = POLLIN },
		{ .fd = real, .events = POLLIN } };
	char buf[65536];
	bool twice;

	while (!fake.stop && poll(p, 2, 100) >= 0) {
		if (p[0].revents != 0 && !fake_move(fd, real, false))
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
		twice = fake.twice > 0;
		fake.twice -= twice;
		if (!fake_move(real, fd, twice))
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

	fake = (struct fake){ .says = says };
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
	fake.stop = true;
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

/* More than was asked for is nobody's answer, least of all the next one's. */
static void
takes_no_answer_for_anothers(void **state UNUSED)
{
	struct store_item item = rig_item(1);
	struct store_lease one, two;
	struct store *st;

	use_redis();
	fake_start(NULL);
	st = rig_open();
	fake.twice = 1;
	assert_int_equal(store_lease(st, &item, 60000, &one, NULL), 0);
	assert_int_equal(store_lease(st, &item, 60000, &two, NULL), E_BUSY);
	assert_int_equal(store_lease_renew(st, &one, 60000, NULL), 0);
	store_close(st);
	fake_end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(goes_on_after_a_restart),
		TEST(does_not_wait_long_for_one_that_hangs),
		TEST(is_opened_while_it_is_away),
		TEST(says_what_errors_mean),
		TEST(does_not_repeat_the_password),
		TEST(bounds_what_it_waits_for),
		TEST(bears_an_answer_that_was_lost),
		TEST(takes_no_answer_for_anothers),
	};

	signal(SIGPIPE, SIG_IGN);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
