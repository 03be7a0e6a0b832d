/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Running a program: spawned without a copy of our memory, followed by its
 * two pipes and its end, and never left behind: whoever is still in its
 * group when it ends, or when its time is up, is killed and waited for.
 */
#include "base.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "clock.h"
#include "jsonscan.h"
#include "process.h"

#define PATH_DEFAULT "/usr/local/bin:/usr/bin:/bin"
#define READ_SIZE 4096
/* What a pipe can hold: after the end no more than this is read from it,
   should one who left the group go on writing. */
#define PIPE_READS (65536 / READ_SIZE)
#define TICK_MS 20	/* between looks, where there is no pidfd */
#define NAME_SHOWN 200

struct run {
	const struct process *p;
	struct process_result *result;
	pid_t pid;
	int pidfd;		/* -1: the kernel has none for us */
	int out, errors;	/* our ends of the pipes; -1: closed */
	size_t cap, limit;	/* of the output */
	char tail[PROCESS_ERRORS_MAX - 1];	/* the end of the errors */
	size_t tail_len;
	int64_t deadline;
};

/* --- Which program ---------------------------------------------------------*/

static const char *
env_path(const char *const *env)
{
	for (; *env != NULL; env++)
		if (str_starts(*env, "PATH="))
			return *env + strlen("PATH=");
	return PATH_DEFAULT;
}

static bool
is_program(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) &&
	    access(path, X_OK) == 0;
}

/* argv[0], or where PATH has it. Relative folders of PATH are not looked in:
   what is found must not depend on where we are. */
static int
program_find(const struct process *p, char out[PATH_MAX], struct err *err)
{
	const char *name = p->argv[0], *at = env_path(p->env), *end;

	if (strchr(name, '/') != NULL) {
		if (snprintf(out, PATH_MAX, "%s", name) < PATH_MAX)
			return 0;
		at = "";
	}
	for (; *at != '\0'; at = *end == ':' ? end + 1 : end) {
		end = strchrnul(at, ':');
		if (*at == '/' && *name != '\0' && snprintf(out, PATH_MAX,
		    "%.*s/%s", (int)(end - at), at, name) < PATH_MAX &&
		    is_program(out))
			return 0;
	}
	return err_set(err, E_NOTFOUND, "cannot run '%.*s': there is no such "
	    "program in PATH", NAME_SHOWN, name);
}

/* --- Starting it -----------------------------------------------------------*/

static void
fd_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* A pipe that we read from without waiting. */
static int
pipe_open(int fds[2])
{
	if (pipe2(fds, O_CLOEXEC) != 0) {
		fds[0] = fds[1] = -1;
		return -1;
	}
	return fcntl(fds[0], F_SETFL, O_NONBLOCK);
}

/* No terminal to ask at, no signal masked or ignored. */
static int
attributes_init(posix_spawnattr_t *attr)
{
	sigset_t none, all;

	sigemptyset(&none);
	sigfillset(&all);
	if (posix_spawnattr_init(attr) != 0)
		return -1;
	if (posix_spawnattr_setsigmask(attr, &none) != 0 ||
	    posix_spawnattr_setsigdefault(attr, &all) != 0 ||
	    posix_spawnattr_setflags(attr, POSIX_SPAWN_SETSID |
	    POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF) != 0)
		return -1;
	return 0;
}

/*
 * Descriptors are closed in the child and not marked here: libraries open
 * some without the mark, on other threads, at any time.
 */
static int
actions_init(posix_spawn_file_actions_t *fa, const char *dir, int out,
    int errors)
{
	if (posix_spawn_file_actions_init(fa) != 0)
		return -1;
	if (posix_spawn_file_actions_addopen(fa, STDIN_FILENO, "/dev/null",
	    O_RDONLY, 0) != 0 ||
	    posix_spawn_file_actions_adddup2(fa, out, STDOUT_FILENO) != 0 ||
	    posix_spawn_file_actions_adddup2(fa, errors, STDERR_FILENO) != 0 ||
	    posix_spawn_file_actions_addclosefrom_np(fa,
	    STDERR_FILENO + 1) != 0 ||
	    posix_spawn_file_actions_addchdir_np(fa, dir) != 0)
		return -1;
	return 0;
}

static int
spawn_failed(const struct process *p, int error, struct err *err)
{
	struct stat st;

	if (p->dir != NULL && stat(p->dir, &st) != 0)
		return err_set(err, E_SYSTEM, "cannot run '%.*s' in '%.*s': "
		    "%s", NAME_SHOWN, p->argv[0], NAME_SHOWN, p->dir,
		    strerror(errno));
	return err_set(err, error == ENOENT ? E_NOTFOUND : E_SYSTEM,
	    "cannot run '%.*s': %s", NAME_SHOWN, p->argv[0],
	    error == ENOENT ? "it, or what its first line names, is not there" :
	    strerror(error));
}

static int
run_spawn(struct run *run, const char *path, const int write_ends[2],
    struct err *err)
{
	const struct process *p = run->p;
	posix_spawn_file_actions_t fa;
	posix_spawnattr_t attr;
	int error = ENOMEM;

	if (attributes_init(&attr) != 0 || actions_init(&fa, p->dir != NULL ?
	    p->dir : "/", write_ends[0], write_ends[1]) != 0)
		BUG("posix_spawn's arguments: out of memory");
	error = posix_spawn(&run->pid, path, &fa, &attr,
	    (char *const *)(uintptr_t)p->argv,
	    (char *const *)(uintptr_t)p->env);
	posix_spawn_file_actions_destroy(&fa);
	posix_spawnattr_destroy(&attr);
	if (error != 0)
		return spawn_failed(p, error, err);
	run->pidfd = pidfd_open(run->pid, 0);
	return 0;
}

static int
run_start(struct run *run, struct err *err)
{
	char path[PATH_MAX];
	int out[2] = { -1, -1 }, errors[2] = { -1, -1 }, r;

	if ((r = program_find(run->p, path, err)) != 0)
		return r;
	if (pipe_open(out) != 0 || pipe_open(errors) != 0)
		r = err_set(err, E_SYSTEM, "cannot run '%.*s': %s", NAME_SHOWN,
		    run->p->argv[0], strerror(errno));
	else
		r = run_spawn(run, path, (const int[]) { out[1], errors[1] },
		    err);
	fd_close(&out[1]);
	fd_close(&errors[1]);
	run->out = out[0];
	run->errors = errors[0];
	return r;
}

/* --- What it writes --------------------------------------------------------*/

/* Room for more output, with nothing of it left where it was before. */
static void
output_room(struct run *run, size_t more)
{
	struct secret *s = &run->result->output;
	char *grown;

	if (s->len + more < run->cap)
		return;
	run->cap = SD_MAX(run->cap * 2, s->len + more + 1);
	grown = xmalloc(run->cap);
	if (s->ptr != NULL) {
		memcpy(grown, s->ptr, s->len);
		OPENSSL_cleanse(s->ptr, s->len);
		free(s->ptr);
	}
	s->ptr = grown;
}

static int
output_add(struct run *run, const char *data, size_t len)
{
	struct secret *s = &run->result->output;

	if (len > run->limit - s->len)
		return E_TOOLARGE;
	output_room(run, len);
	memcpy(s->ptr + s->len, data, len);
	s->len += len;
	s->ptr[s->len] = '\0';
	return 0;
}

static int
errors_add(struct run *run, const char *data, size_t len)
{
	size_t keep = sizeof(run->tail);

	if (len >= keep) {
		data += len - keep;
		len = keep;
	}
	keep = SD_MIN(run->tail_len, keep - len);
	memmove(run->tail, run->tail + run->tail_len - keep, keep);
	memcpy(run->tail + keep, data, len);
	run->tail_len = keep + len;
	return 0;
}

/* Read once from one of the pipes: 1 if there may be more, 0, E_TOOLARGE. */
static int
pipe_read(struct run *run, int *fd)
{
	char buf[READ_SIZE];
	ssize_t n;
	int r;

	if (*fd < 0)
		return 0;
	n = read(*fd, buf, sizeof(buf));
	if (n < 0 && errno == EINTR)
		return 1;
	if (n < 0 && errno == EAGAIN)
		return 0;
	if (n <= 0) {
		fd_close(fd);
		return 0;
	}
	r = fd == &run->out ? output_add(run, buf, (size_t)n) :
	    errors_add(run, buf, (size_t)n);
	OPENSSL_cleanse(buf, (size_t)n);
	return r != 0 ? r : 1;
}

/* What is in the pipe already. */
static int
pipe_drain(struct run *run, int *fd)
{
	int i, r = 1;

	for (i = 0; i < PIPE_READS && r == 1; i++)
		r = pipe_read(run, fd);
	return SD_MIN(r, 0);
}

/* One line that can be shown: UTF-8, no control characters. */
static void
errors_print(struct run *run)
{
	char *out = run->result->errors;
	const char *p = run->tail, *end = p + run->tail_len;
	size_t n;

	while (p < end && ((unsigned char)*p & 0xc0) == 0x80)
		p++;	/* the rest of a character that was cut */
	for (; p < end; p += n) {
		n = jsonscan_utf8(p, (size_t)(end - p));
		if (n > 1 && !(n == 2 && (unsigned char)*p == 0xc2 &&
		    (unsigned char)p[1] < 0xa0)) {
			memcpy(out, p, n);
			out += n;
			continue;
		}
		*out++ = n == 0 ? '?' :
		    n == 2 || (unsigned char)*p < ' ' || *p == 0x7f ? ' ' : *p;
		n = SD_MAX(n, (size_t)1);
	}
	while (out > run->result->errors && out[-1] == ' ')
		out--;
	*out = '\0';
	OPENSSL_cleanse(run->tail, sizeof(run->tail));
}

/* --- Its end ---------------------------------------------------------------*/

/* Without taking its status, so that its number stays its own. */
static bool
has_ended(pid_t pid)
{
	siginfo_t info = { .si_pid = 0 };

	return waitid(P_PID, (id_t)pid, &info,
	    WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid != 0;
}

/* Milliseconds to wait for something to happen; 0: the time is up. */
static int
run_wait(const struct run *run)
{
	int64_t left = run->deadline - clock_mono_ms();

	if (left <= 0)
		return 0;
	if (run->pidfd < 0)
		left = SD_MIN(left, TICK_MS);
	return (int)SD_MIN(left, INT_MAX);
}

/* Until it ends: 0, E_TIMEOUT, E_TOOLARGE. */
static int
run_follow(struct run *run)
{
	struct pollfd fds[3];
	int wait, r = 0;

	while (!has_ended(run->pid)) {
		wait = run_wait(run);
		if (wait == 0)
			return E_TIMEOUT;
		fds[0] = (struct pollfd) { run->out, POLLIN, 0 };
		fds[1] = (struct pollfd) { run->errors, POLLIN, 0 };
		fds[2] = (struct pollfd) { run->pidfd, POLLIN, 0 };
		if (poll(fds, ARRAY_LEN(fds), wait) <= 0)
			continue;
		if (fds[1].revents != 0)
			pipe_read(run, &run->errors);
		if (fds[0].revents != 0)
			r = pipe_read(run, &run->out);
		if (r < 0)
			return r;
	}
	return 0;
}

/*
 * Kill who is left of its group and take its status. Where we are the first
 * process of a container its orphans are ours: wait for the whole group.
 */
static int
run_reap(struct run *run)
{
	int status, leader = -1;
	pid_t pid;

	kill(-run->pid, SIGKILL);
	while ((pid = waitpid(-run->pid, &status, 0)) > 0 || errno == EINTR)
		if (pid == run->pid)
			leader = status;
	return leader;
}

static int
run_end(struct run *run, int r, struct err *err)
{
	const struct process *p = run->p;
	int status = run_reap(run);

	if (r == 0)
		r = pipe_drain(run, &run->out);
	pipe_drain(run, &run->errors);
	errors_print(run);
	if (r == E_TIMEOUT)
		return err_set(err, r, "'%.*s' did not end within %g seconds",
		    NAME_SHOWN, p->argv[0], p->timeout);
	if (r == E_TOOLARGE)
		return err_set(err, r, "'%.*s' printed more than %zu bytes",
		    NAME_SHOWN, p->argv[0], run->limit);
	if (status == -1)
		return err_set(err, E_SYSTEM, "cannot tell how '%.*s' ended",
		    NAME_SHOWN, p->argv[0]);
	run->result->status = WIFEXITED(status) ? WEXITSTATUS(status) :
	    128 + WTERMSIG(status);
	return 0;
}

int
process_run(const struct process *p, struct process_result *out,
    struct err *err)
{
	struct run run = { .p = p, .result = out, .pid = -1, .pidfd = -1,
		.out = -1, .errors = -1,
		.limit = p->limit != 0 ? p->limit : PROCESS_OUTPUT_MAX,
		.deadline = clock_mono_ms() + clock_ms(p->timeout) };
	int r;

	*out = (struct process_result)PROCESS_RESULT_INIT;
	r = run_start(&run, err);
	if (r == 0)
		r = run_end(&run, run_follow(&run), err);
	fd_close(&run.pidfd);
	fd_close(&run.out);
	fd_close(&run.errors);
	if (r != 0)
		secret_release(&out->output);
	return r;
}

void
process_result_release(struct process_result *r)
{
	secret_release(&r->output);
	OPENSSL_cleanse(r->errors, sizeof(r->errors));
	r->status = 0;
}
