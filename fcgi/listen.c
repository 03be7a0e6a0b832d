/* SPDX-License-Identifier: Apache-2.0 */
/* Opening and inheriting listening sockets. */
#include "base.h"

#include <fcntl.h>
#include <grp.h>
#include <netdb.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "err.h"
#include "listen.h"

/* A short backlog turns a burst into instant 502s. */
#define LISTEN_BACKLOG 4096
#define SYSTEMD_FIRST_FD 3	/* sd_listen_fds(3) */

static int
set_group(const char *path, const char *group, struct err *err)
{
	struct group gr, *found = NULL;
	char buf[16384];

	if (group == NULL || *group == '\0')
		return 0;
	if (getgrnam_r(group, &gr, buf, sizeof(buf), &found) != 0 ||
	    found == NULL)
		return err_set(err, E_CONFIG, "socketGroup: there is no group "
		    "'%s'", group);
	if (chown(path, (uid_t)-1, found->gr_gid) != 0)
		return err_set(err, E_SYSTEM, "cannot give '%s' to group "
		    "'%s': %s", path, group, strerror(errno));
	return 0;
}

/* Remove a socket that a dead process left; never anything else. */
static int
remove_stale(const struct sockaddr_un *sun, struct err *err)
{
	struct stat st;
	int fd, r;

	if (lstat(sun->sun_path, &st) != 0)
		return 0;
	if (!S_ISSOCK(st.st_mode))
		return err_set(err, E_CONFIG, "cannot listen on '%s': a file "
		    "that is no socket is there", sun->sun_path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	r = connect(fd, (const struct sockaddr *)sun, sizeof(*sun));
	close(fd);
	if (r == 0)
		return err_set(err, E_CONFIG, "cannot listen on '%s': another "
		    "process does", sun->sun_path);
	unlink(sun->sun_path);
	return 0;
}

static int
bind_unix(int fd, const struct sockaddr_un *sun, unsigned mode,
    const char *group, struct err *err)
{
	mode_t old = umask(0777);	/* nobody, until mode is set */
	int r = bind(fd, (const struct sockaddr *)sun, sizeof(*sun));

	umask(old);
	if (r != 0)
		return err_set(err, E_SYSTEM, "cannot listen on '%s': %s",
		    sun->sun_path, strerror(errno));
	if ((r = set_group(sun->sun_path, group, err)) != 0)
		return r;
	if (chmod(sun->sun_path, mode) != 0)
		return err_set(err, E_SYSTEM, "cannot set the mode of '%s': "
		    "%s", sun->sun_path, strerror(errno));
	return 0;
}

static int
set_path(struct sockaddr_un *sun, const char *path, const char *suffix,
    struct err *err)
{
	int n = snprintf(sun->sun_path, sizeof(sun->sun_path), "%s%s", path,
	    suffix);

	sun->sun_family = AF_UNIX;
	if (*path == '\0' || n < 0 || (size_t)n >= sizeof(sun->sun_path))
		return err_set(err, E_CONFIG, "cannot listen on 'unix:%s': "
		    "the path is empty or too long", path);
	return 0;
}

/*
 * Made under another name and listening before it gets its own, so that
 * whoever sees the socket can connect.
 */
static int
open_unix(const char *path, unsigned mode, const char *group,
    struct listener *out, struct err *err)
{
	struct sockaddr_un sun, made;
	int r;

	if ((r = set_path(&made, path, ".new", err)) != 0 ||
	    (r = set_path(&sun, path, "", err)) != 0 ||
	    (r = remove_stale(&sun, err)) != 0 ||
	    (r = remove_stale(&made, err)) != 0)
		return r;
	out->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (out->fd < 0)
		return err_set(err, E_SYSTEM, "socket: %s", strerror(errno));
	r = bind_unix(out->fd, &made, mode, group, err);
	if (r == 0 && (listen(out->fd, LISTEN_BACKLOG) != 0 ||
	    rename(made.sun_path, path) != 0))
		r = err_set(err, E_SYSTEM, "cannot listen on '%s': %s", path,
		    strerror(errno));
	if (r == 0)
		out->path = xstrdup(path);
	else
		unlink(made.sun_path);
	return r;
}

static int
bind_tcp(const struct addrinfo *ai, const char *spec, struct listener *out,
    struct err *err)
{
	int one = 1;

	out->fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (out->fd < 0)
		return err_set(err, E_SYSTEM, "socket: %s", strerror(errno));
	setsockopt(out->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(out->fd, ai->ai_addr, ai->ai_addrlen) != 0 ||
	    listen(out->fd, LISTEN_BACKLOG) != 0)
		return err_set(err, E_SYSTEM, "cannot listen on '%s': %s",
		    spec, strerror(errno));
	return 0;
}

static int
open_tcp(const char *spec, struct listener *out, struct err *err)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *ai;
	const char *colon = strrchr(spec, ':');
	char *host;
	int r;

	/* An empty host would be every address: that must be written. */
	if (colon == NULL || colon == spec || colon[1] == '\0')
		return err_set(err, E_CONFIG, "cannot listen on '%s': write "
		    "unix:PATH or HOST:PORT", spec);
	host = xstrndup(spec, (size_t)(colon - spec));
	if (*host == '[' && host[strlen(host) - 1] == ']') {
		memmove(host, host + 1, strlen(host));
		host[strlen(host) - 1] = '\0';
	}
	r = getaddrinfo(host, colon + 1, &hints, &ai);
	free(host);
	if (r != 0)
		return err_set(err, E_CONFIG, "cannot listen on '%s': %s",
		    spec, gai_strerror(r));
	r = bind_tcp(ai, spec, out, err);
	freeaddrinfo(ai);
	return r;
}

int
listen_open(const char *spec, unsigned mode, const char *group,
    struct listener *out, struct err *err)
{
	int r;

	*out = (struct listener)LISTENER_INIT;
	if (str_starts(spec, "unix:"))
		r = open_unix(spec + 5, mode, group, out, err);
	else
		r = open_tcp(spec, out, err);
	if (r != 0)
		listen_close(out);
	return r;
}

static bool
is_listening(int fd)
{
	int yes = 0;
	socklen_t len = sizeof(yes);

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &yes, &len) == 0 &&
	    yes != 0;
}

static bool
from_systemd(void)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");

	return pid != NULL && fds != NULL &&
	    strtol(pid, NULL, 10) == (long)getpid() &&
	    strtol(fds, NULL, 10) >= 1;
}

bool
listen_inherited(struct listener *out)
{
	*out = (struct listener){ .fd = -1, .inherited = true };
	out->systemd = from_systemd() && is_listening(SYSTEMD_FIRST_FD);
	if (out->systemd)
		out->fd = SYSTEMD_FIRST_FD;
	else if (is_listening(STDIN_FILENO))
		out->fd = STDIN_FILENO;
	if (out->fd >= 0)
		fcntl(out->fd, F_SETFD, FD_CLOEXEC);
	return out->fd >= 0;
}

void
listen_unlink(struct listener *l)
{
	if (l->path != NULL)
		unlink(l->path);
	free(l->path);
	l->path = NULL;
}

void
listen_close(struct listener *l)
{
	listen_unlink(l);
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
}
