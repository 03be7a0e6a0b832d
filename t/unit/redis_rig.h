/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A real redis-server for tests, on a Unix socket and a port of loopback, in a
 * folder of its own: started, paused, killed, started again.
 */
#ifndef STAGEDOOR_TEST_REDIS_RIG_H
#define STAGEDOOR_TEST_REDIS_RIG_H

#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <cmocka.h>

#include "clock.h"

#define REDIS_OPTIONS 16

static struct redis_rig {
	pid_t pid, owner;		/* owner: who stops it at its end */
	char dir[64], socket[96], log[96];
	unsigned port;
	const char *options[REDIS_OPTIONS];	/* beyond ours; NULL ends */
} redis = { .pid = -1 };

static inline bool
redis_is_here(void)
{
	const char *const places[] = { "/usr/bin/redis-server",
		"/usr/local/bin/redis-server", "/usr/bin/valkey-server" };
	size_t i;

	for (i = 0; i < ARRAY_LEN(places); i++)
		if (access(places[i], X_OK) == 0)
			return true;
	return false;
}

/* In a test: skips it where there is no Redis; under CI it fails. */
#define redis_needed() do {						\
	if (!redis_is_here()) {						\
		if (str_eq(getenv("CI"), "true"))			\
			fail_msg("redis-server is missing");		\
		print_message("# redis-server is missing\n");		\
		skip();							\
	}								\
} while (0)

static inline unsigned
redis_free_port(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(sin);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&sin, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
	close(fd);
	return ntohs(sin.sin_port);
}

static inline int
redis_dial(void)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", redis.socket);
	if (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) == 0)
		return fd;
	close(fd);
	return -1;
}

/*
 * The first bytes of what it answers to a line (or several) of the inline
 * form, in a buffer of ours; "" if it is not there.
 */
static inline const char *
redis_say(const char *line)
{
	static char buf[65536];
	struct timeval tv = { .tv_sec = 5 };
	int fd = redis_dial();
	ssize_t n;

	buf[0] = '\0';
	if (fd < 0)
		return buf;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	if (write(fd, line, strlen(line)) == (ssize_t)strlen(line) &&
	    write(fd, "\r\n", 2) == 2 &&
	    (n = read(fd, buf, sizeof(buf) - 1)) > 0)
		buf[n] = '\0';
	close(fd);
	return buf;
}

static inline void
redis_does(const char *line)
{
	const char *answer = redis_say(line);

	if (!str_starts(answer, "+OK") && *answer != ':')
		fail_msg("redis: '%s': %s", line, answer);
}

static inline long
redis_number(const char *line)
{
	const char *answer = redis_say(line);

	return *answer == ':' ? strtol(answer + 1, NULL, 10) : LONG_MIN;
}

static inline void
redis_exec(void)
{
	const char *argv[20 + REDIS_OPTIONS] = { "redis-server", "--dir",
		redis.dir, "--unixsocket", redis.socket, "--logfile",
		redis.log, "--bind", "127.0.0.1", "--appendonly", "yes",
		"--appendfsync", "always", "--save", "", "--port" };
	char port[16];
	size_t n = 16, i;

	snprintf(port, sizeof(port), "%u", redis.port);
	argv[n++] = port;
	for (i = 0; redis.options[i] != NULL; i++)
		argv[n++] = redis.options[i];
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	execvp("redis-server", (char **)(uintptr_t)argv);
	execvp("valkey-server", (char **)(uintptr_t)argv);
	_exit(127);
}

/* It is there when this returns. In the folder that there is. */
static inline void
redis_again(void)
{
	int64_t until = clock_mono_ms() + 10000;

	redis.pid = fork();
	assert_true(redis.pid >= 0);
	if (redis.pid == 0)
		redis_exec();
	redis.owner = getpid();
	while (!str_starts(redis_say("PING"), "+PONG") &&
	    !str_starts(redis_say("PING"), "-NOAUTH")) {
		if (clock_mono_ms() > until)
			fail_msg("redis-server does not start");
		usleep(10000);
	}
}

static inline void
redis_kill(int sig)
{
	int status;

	if (redis.pid <= 0)
		return;
	kill(redis.pid, SIGCONT);
	kill(redis.pid, sig);
	while (waitpid(redis.pid, &status, 0) < 0 && errno == EINTR)
		;
	redis.pid = -1;
}

/* A program's exit status. */
static inline int
redis_run(const char *const argv[])
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		execvp(argv[0], (char **)(uintptr_t)argv);
		_exit(127);
	}
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

/* At exit too. */
static void
redis_stop(void)
{
	const char *const argv[] = { "rm", "-rf", redis.dir, NULL };

	if (redis.owner != getpid())
		return;
	redis_kill(SIGKILL);
	if (redis.dir[0] != '\0' && redis_run(argv) != 0)
		fprintf(stderr, "# %s stays\n", redis.dir);
	redis.dir[0] = '\0';
}

static inline void
redis_start(void)
{
	static bool registered;

	if (!registered)
		atexit(redis_stop);
	registered = true;
	snprintf(redis.dir, sizeof(redis.dir), "%s",
	    "/tmp/stagedoor-redis-XXXXXX");
	assert_non_null(mkdtemp(redis.dir));
	snprintf(redis.socket, sizeof(redis.socket), "%s/socket", redis.dir);
	snprintf(redis.log, sizeof(redis.log), "%s/log", redis.dir);
	redis.port = redis_free_port();
	redis_again();
}

#endif
