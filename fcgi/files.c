/* SPDX-License-Identifier: Apache-2.0 */
/* Small files, read and replaced whole. */
#include "base.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <sys/stat.h>

#include "err.h"
#include "files.h"
#include "secret.h"

/* Up to max bytes of fd into buf: the count, -1 on error. */
static ssize_t
read_all(int fd, char *buf, size_t max)
{
	size_t len = 0;
	ssize_t n;

	while (len < max) {
		n = read(fd, buf + len, max - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	return (ssize_t)len;
}

static int
read_regular(int fd, const char *path, size_t max, struct secret *out,
    struct err *err)
{
	struct stat st;
	ssize_t len;
	char *buf;
	int r = 0;

	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		return err_set(err, E_SYSTEM, "cannot read '%s': not a "
		    "regular file", path);
	buf = xmalloc(max + 1);
	len = read_all(fd, buf, max + 1);
	if (len < 0)
		r = err_set(err, E_SYSTEM, "cannot read '%s': %s", path,
		    strerror(errno));
	else if ((size_t)len > max)
		r = err_set(err, E_TOOLARGE, "cannot read '%s': over %zu bytes",
		    path, max);
	if (r == 0 && len > 0 && buf[len - 1] == '\n')
		len--;
	if (r == 0)
		secret_set(out, buf, (size_t)len);
	OPENSSL_cleanse(buf, max + 1);
	free(buf);
	return r;
}

int
file_read(const char *path, size_t max, struct secret *out, struct err *err)
{
	/* Not blocking, so that a FIFO cannot hold us up. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), r, why;

	if (fd < 0) {
		why = errno;
		return err_set(err, access(path, F_OK) == 0 ? E_SYSTEM :
		    E_NOTFOUND, "cannot read '%s': %s", path, strerror(why));
	}
	r = read_regular(fd, path, max, out, err);
	close(fd);
	return r;
}

/* ---- replacing ---- */

static bool
holds(const char *path, const char *data, size_t len, mode_t mode)
{
	char *buf = xmalloc(len + 1);
	bool same = false;
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    (st.st_mode & 07777) == mode && (uintmax_t)st.st_size == len)
		same = read_all(fd, buf, len + 1) == (ssize_t)len &&
		    memcmp(buf, data, len) == 0;
	if (fd >= 0)
		close(fd);
	OPENSSL_cleanse(buf, len + 1);
	free(buf);
	return same;
}

static int
write_all(int fd, const char *data, size_t len)
{
	ssize_t n;

	while (len > 0) {
		n = write(fd, data, len);
		if (n < 0 && errno != EINTR)
			return -1;
		if (n > 0)
			data += n, len -= (size_t)n;
	}
	return 0;
}

/* The file is nobody's before its mode is what it must be. */
static int
write_beside(const char *beside, const char *path, const char *data,
    size_t len, mode_t mode)
{
	int fd, r = -1, e;

	unlink(beside);
	fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -1;
	if (write_all(fd, data, len) == 0 && fchmod(fd, mode) == 0 &&
	    fsync(fd) == 0)
		r = rename(beside, path);
	e = errno;
	close(fd);
	if (r != 0)
		unlink(beside);
	errno = e;
	return r;
}

int
file_replace(const char *path, const char *data, size_t len, mode_t mode,
    struct err *err)
{
	const size_t room = strlen(path) + sizeof(".new");
	char *beside;
	int r;

	if (holds(path, data, len, mode))
		return 0;
	beside = xmalloc(room);
	snprintf(beside, room, "%s.new", path);
	r = write_beside(beside, path, data, len, mode);
	free(beside);
	return r == 0 ? 0 : err_set(err, E_SYSTEM, "cannot write '%s': %s",
	    path, strerror(errno));
}
