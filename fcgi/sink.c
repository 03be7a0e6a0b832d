/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing lines without waiting for long. Standard error is shared with
 * others, so it cannot be made non-blocking: we ask whether it takes bytes.
 * A pipe that does takes SINK_LINE_MAX of them, and within the process one
 * asks at a time.
 */
#include "base.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>

#include "clock.h"
#include "err.h"
#include "log.h"
#include "sink.h"
#include "strbuf.h"

#define SYSLOG_PATH "/dev/log"
#define SYSLOG_PRIORITY (10 << 3 | 6)	/* authpriv, info */
#define LOOK_MS 1000			/* between looks for a moved file */

enum sink_kind { SINK_STDERR, SINK_FILE, SINK_SYSLOG };

struct sink {
	enum sink_kind kind;
	unsigned refs;
	char *path;		/* of the file, or of the socket */
	int fd;
	dev_t dev;		/* of the file */
	ino_t ino;
	int64_t look_at;	/* mono ms */
	bool torn;		/* the last line has no end */
	pthread_mutex_t lock;	/* syslog: of fd */
	int64_t stuck_until;	/* mono ms */
};

/* ---- waiting, for a while ---- */

/* 0, or ETIMEDOUT. Should the wall clock be set back, whoever has it gives it
   back in time all the same. */
static int
lock_soon(pthread_mutex_t *lock)
{
	struct timespec until;

	if (pthread_mutex_trylock(lock) == 0)
		return 0;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += SINK_WAIT_MS * 1000000L;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	return pthread_mutex_timedlock(lock, &until);
}

/* Does fd take bytes? With the lock of stuck_until. 0 or EAGAIN. */
static int
wait_writable(int fd, int64_t *stuck_until)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	int64_t now = clock_mono_ms(), end = now + SINK_WAIT_MS;
	int n;

	if (now < *stuck_until)
		end = now;
	do {
		n = poll(&p, 1, (int)SD_MAX(end - clock_mono_ms(), 0));
	} while (n < 0 && errno == EINTR);
	if (n > 0) {
		*stuck_until = 0;
		return 0;
	}
	if (*stuck_until < now)
		*stuck_until = clock_mono_ms() + SINK_STUCK_MS;
	return EAGAIN;
}

/* ---- standard error ---- */

static pthread_mutex_t stderr_lock = PTHREAD_MUTEX_INITIALIZER;
static int64_t stderr_stuck_until;
static bool stderr_is_file;

void
sink_look_at_stderr(void)
{
	struct stat st;

	__atomic_store_n(&stderr_is_file, fstat(STDERR_FILENO, &st) == 0 &&
	    S_ISREG(st.st_mode), __ATOMIC_RELAXED);
}

static int
stderr_write(const char *line, size_t len)
{
	ssize_t n;

	do {
		n = write(STDERR_FILENO, line, len);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? errno : (size_t)n < len ? ENOSPC : 0;
}

static int
stderr_part(const char *line, size_t len)
{
	int r = wait_writable(STDERR_FILENO, &stderr_stuck_until);

	return r != 0 ? r : stderr_write(line, len);
}

int
sink_stderr(const char *line, size_t len)
{
	size_t done, part;
	int r;

	if (__atomic_load_n(&stderr_is_file, __ATOMIC_RELAXED))
		return stderr_write(line, len);
	if (lock_soon(&stderr_lock) != 0)
		return EAGAIN;
	r = 0;
	for (done = 0; done < len && r == 0; done += part) {
		part = SD_MIN(len - done, (size_t)SINK_LINE_MAX);
		r = stderr_part(line + done, part);
	}
	pthread_mutex_unlock(&stderr_lock);
	return r;
}

/* ---- a file ---- */

/* A line that a full disk cut must not take the next one with it. */
static void
end_torn_line(struct sink *s, const struct stat *st)
{
	char last = '\n';

	if (st->st_size > 0 &&
	    pread(s->fd, &last, 1, st->st_size - 1) == 1 && last != '\n')
		s->torn = true;
}

/* The folder's name, to free. */
static char *
folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return xstrndup(path, slash == NULL || slash == path ? 1 :
	    (size_t)(slash - path));
}

/*
 * A file that root makes, by a subcommand, in the server's folder. Whoever has
 * the folder must not choose what root opens: no link is followed there. *dir
 * is filled where it is so.
 */
static int
open_for_server(const char *path, int flags, struct stat *dir)
{
	char *folder = folder_of(path);
	int at = geteuid() != 0 ? -1 : open(folder, O_PATH | O_DIRECTORY |
	    O_CLOEXEC), fd;

	if (at < 0 || fstat(at, dir) != 0)
		dir->st_uid = 0;
	fd = dir->st_uid == 0 ? open(path, flags, 0600) :
	    openat(at, strrchr(path, '/') + 1, flags | O_NOFOLLOW, 0600);
	if (at >= 0)
		close(at);
	free(folder);
	return fd;
}

/* One that is new is for whom its folder belongs to, lest the server itself
   could not write to it. */
static void
give_to_server(const struct sink *s, const struct stat *st,
    const struct stat *dir)
{
	if (dir->st_uid != 0 && st->st_uid == 0 && st->st_size == 0 &&
	    st->st_nlink == 1 && fchown(s->fd, dir->st_uid, dir->st_gid) != 0)
		log_warn("'%s' cannot be given to the owner of its folder: %s",
		    s->path, strerror(errno));
}

static int
file_open(struct sink *s, struct err *err)
{
	struct stat st, dir;

	/* Not blocking: a named pipe without a reader would hold us. */
	s->fd = open_for_server(s->path, O_RDWR | O_APPEND | O_CREAT |
	    O_CLOEXEC | O_NOCTTY | O_NONBLOCK, &dir);
	if (s->fd < 0 && errno == ELOOP)
		return err_set(err, E_CONFIG, "'%s' is a link, which root "
		    "does not follow in a folder that is not root's", s->path);
	if (s->fd < 0 || fstat(s->fd, &st) != 0)
		return err_set(err, E_CONFIG, "cannot open '%s': %s", s->path,
		    strerror(errno));
	if (!S_ISREG(st.st_mode))
		return err_set(err, E_CONFIG, "'%s' is no regular file",
		    s->path);
	s->dev = st.st_dev;
	s->ino = st.st_ino;
	give_to_server(s, &st, &dir);
	end_torn_line(s, &st);
	return 0;
}

static int
file_write(struct sink *s, const char *line, size_t len)
{
	bool torn = __atomic_exchange_n(&s->torn, false, __ATOMIC_RELAXED);
	const struct iovec parts[] = { { .iov_base = (void *)"\n",
	    .iov_len = torn }, { .iov_base = (void *)(uintptr_t)line,
	    .iov_len = len } };
	ssize_t n;
	int r = 0;

	do {
		n = writev(s->fd, parts, ARRAY_LEN(parts));
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		r = errno;
	else if ((size_t)n < len + torn)
		r = ENOSPC;
	if (n > 0 ? r != 0 : torn)
		__atomic_store_n(&s->torn, true, __ATOMIC_RELAXED);
	return r;
}

bool
sink_moved(struct sink *s)
{
	int64_t now = clock_mono_ms();
	int64_t at = __atomic_load_n(&s->look_at, __ATOMIC_RELAXED);
	struct stat st;

	if (s->kind != SINK_FILE || now < at ||
	    !__atomic_compare_exchange_n(&s->look_at, &at, now + LOOK_MS,
	    false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		return false;
	return stat(s->path, &st) != 0 || st.st_dev != s->dev ||
	    st.st_ino != s->ino;
}

/* ---- the system's log ---- */

/* 0 or an errno; with the lock. */
static int
syslog_connect(struct sink *s)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int r;

	if (s->fd >= 0)
		close(s->fd);
	if (strlen(s->path) >= sizeof(to.sun_path))
		return ENAMETOOLONG;
	memcpy(to.sun_path, s->path, strlen(s->path) + 1);
	s->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (s->fd >= 0 && connect(s->fd, (const struct sockaddr *)&to,
	    sizeof(to)) == 0)
		return 0;
	r = errno;
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
	return r;
}

static int
syslog_send(struct sink *s, const struct strbuf *message)
{
	int r = s->fd < 0 ? ENOTCONN :
	    wait_writable(s->fd, &s->stuck_until);

	if (r == 0 && send(s->fd, message->buf, message->len,
	    MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		r = errno;
	return r;
}

/* As RFC 3164 has it, which every syslogd reads; local time. */
static void
syslog_head(struct strbuf *sb)
{
	time_t now = (time_t)(clock_wall_ms() / 1000);
	char stamp[32] = "";
	struct tm tm;

	if (localtime_r(&now, &tm) != NULL)
		strftime(stamp, sizeof(stamp), "%b %e %H:%M:%S", &tm);
	strbuf_addf(sb, "<%d>%s stagedoor[%ld]: ", SYSLOG_PRIORITY, stamp,
	    (long)getpid());
}

static int
syslog_write(struct sink *s, const char *line, size_t len)
{
	struct strbuf message = STRBUF_INIT(2 * SINK_LINE_MAX);
	int r;

	syslog_head(&message);
	strbuf_add(&message, line, len - 1);
	if ((r = lock_soon(&s->lock)) != 0)
		goto out;
	r = syslog_send(s, &message);
	/* It was started anew meanwhile. */
	if (r != 0 && r != EAGAIN && (r = syslog_connect(s)) == 0)
		r = syslog_send(s, &message);
	pthread_mutex_unlock(&s->lock);
 out:
	strbuf_release(&message);
	return r;
}

static int
syslog_open(struct sink *s, struct err *err)
{
	int r = syslog_connect(s);

	return r == 0 ? 0 : err_set(err, E_CONFIG, "no syslog listens on "
	    "'%s': %s", s->path, strerror(r));
}

/* ---- all three ---- */

static struct sink *
sink_new(enum sink_kind kind, const char *path)
{
	struct sink *s = xcalloc(1, sizeof(*s));

	s->kind = kind;
	s->refs = 1;
	s->fd = -1;
	s->path = path != NULL ? xstrdup(path) : NULL;
	s->look_at = clock_mono_ms() + LOOK_MS;
	pthread_mutex_init(&s->lock, NULL);
	return s;
}

static int
sink_made(struct sink *s, int r, struct sink **out)
{
	*out = r == 0 ? s : NULL;
	if (r != 0)
		sink_put(s);
	return r;
}

int
sink_open_syslog(const char *path, struct sink **out, struct err *err)
{
	struct sink *s = sink_new(SINK_SYSLOG, path);

	return sink_made(s, syslog_open(s, err), out);
}

int
sink_open(const char *to, struct sink **out, struct err *err)
{
	struct sink *s;

	if (strcmp(to, "syslog") == 0)
		return sink_open_syslog(SYSLOG_PATH, out, err);
	if (!str_starts(to, "file:")) {
		sink_look_at_stderr();
		return sink_made(sink_new(SINK_STDERR, NULL), 0, out);
	}
	s = sink_new(SINK_FILE, to + strlen("file:"));
	return sink_made(s, file_open(s, err), out);
}

static int
check_file(const char *path, struct err *err)
{
	char *folder = folder_of(path);
	struct stat st;
	int r = 0;

	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
		r = err_set(err, E_CONFIG, "'%s' is no regular file", path);
	else if (stat(folder, &st) != 0 || !S_ISDIR(st.st_mode))
		r = err_set(err, E_CONFIG, "there is no folder '%s': make one "
		    "that the server may write to", folder);
	free(folder);
	return r;
}

int
sink_check(const char *to, struct err *err)
{
	struct sink *s;
	int r = 0;

	if (str_starts(to, "file:"))
		return check_file(to + strlen("file:"), err);
	if (strcmp(to, "syslog") == 0 && (r = sink_open(to, &s, err)) == 0)
		sink_put(s);
	return r;
}

struct sink *
sink_ref(struct sink *s)
{
	__atomic_add_fetch(&s->refs, 1, __ATOMIC_RELAXED);
	return s;
}

void
sink_put(struct sink *s)
{
	if (s == NULL || __atomic_sub_fetch(&s->refs, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	if (s->fd >= 0)
		close(s->fd);
	pthread_mutex_destroy(&s->lock);
	free(s->path);
	free(s);
}

int
sink_write(struct sink *s, const char *line, size_t len)
{
	switch (s->kind) {
	case SINK_FILE:
		return file_write(s, line, len);
	case SINK_SYSLOG:
		return syslog_write(s, line, len);
	default:
		return sink_stderr(line, len);
	}
}
