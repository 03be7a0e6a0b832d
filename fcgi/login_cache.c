/* SPDX-License-Identifier: Apache-2.0 */
/* A token in a file of its owner's. */
#include "base.h"

#include <fcntl.h>
#include <openssl/sha.h>
#include <pwd.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "err.h"
#include "jsonx.h"
#include "login_cache.h"
#include "strbuf.h"

#define FILE_MAX 16384
#define PASSWD_MAX 16384
#define NAME_BYTES 16		/* of the hash */

static int
fail(struct err *err, const char *what, const char *path)
{
	return err_set(err, E_SYSTEM, "cannot %s '%s': %s", what, path,
	    strerror(errno));
}

/* ---- the folder ---- */

static int
folder_above(struct strbuf *out, struct err *err)
{
	const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	struct passwd pw, *found = NULL;
	char buf[PASSWD_MAX];

	if (cache != NULL && *cache == '/') {	/* else it is to be ignored */
		strbuf_addstr(out, cache);
		return 0;
	}
	if ((home == NULL || *home != '/') && getpwuid_r(geteuid(), &pw, buf,
	    sizeof(buf), &found) == 0 && found != NULL)
		home = found->pw_dir;
	if (home == NULL || *home != '/')
		return err_set(err, E_SYSTEM, "there is no folder to keep the "
		    "token in: set HOME or XDG_CACHE_HOME");
	strbuf_addf(out, "%s/.cache", home);
	return 0;
}

static int
check_folder(const char *path, struct err *err)
{
	struct stat st;

	if (lstat(path, &st) != 0)
		return fail(err, "use", path);
	if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() ||
	    (st.st_mode & 022) != 0)
		return err_set(err, E_SYSTEM, "'%s' is not safe for a token: "
		    "it must be a folder of yours that nobody else may write "
		    "to (chmod 700)", path);
	return 0;
}

static int
make_folder(struct strbuf *out, struct err *err)
{
	int r = folder_above(out, err);

	if (r != 0)
		return r;
	if (mkdir(out->buf, 0700) != 0 && errno != EEXIST)
		return fail(err, "make", out->buf);
	strbuf_addstr(out, "/stagedoor");
	if (mkdir(out->buf, 0700) != 0 && errno != EEXIST)
		return fail(err, "make", out->buf);
	return check_folder(out->buf, err);
}

static void
add_name(struct strbuf *out, const char *portal)
{
	unsigned char md[SHA256_DIGEST_LENGTH];
	size_t i;

	SHA256((const unsigned char *)portal, strlen(portal), md);
	strbuf_addstr(out, "/portal-");
	for (i = 0; i < NAME_BYTES; i++)
		strbuf_addf(out, "%02x", md[i]);
}

static int
take_lock(struct login_cache *lc, void (*waiting)(void), struct err *err)
{
	struct strbuf path = STRBUF_INIT(PATH_MAX);
	int r;

	strbuf_addf(&path, "%s.lock", lc->file);
	lc->lock = open(path.buf, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW,
	    0600);
	r = lc->lock < 0 ? fail(err, "make", path.buf) : 0;
	if (r == 0 && flock(lc->lock, LOCK_EX | LOCK_NB) != 0) {
		if (waiting != NULL)
			waiting();
		while ((r = flock(lc->lock, LOCK_EX)) != 0 && errno == EINTR)
			;
		r = r != 0 ? fail(err, "lock", path.buf) : 0;
	}
	strbuf_release(&path);
	return r;
}

int
login_cache_open(const char *portal, void (*waiting)(void),
    struct login_cache *lc, struct err *err)
{
	struct strbuf path = STRBUF_INIT(PATH_MAX - 32);
	int r;

	*lc = (struct login_cache)LOGIN_CACHE_INIT;
	if ((r = make_folder(&path, err)) == 0) {
		add_name(&path, portal);
		r = path.overflow ? err_set(err, E_SYSTEM, "the name of the "
		    "folder for tokens is too long") : 0;
	}
	if (r == 0) {
		lc->file = strbuf_detach(&path, NULL);
		r = take_lock(lc, waiting, err);
	}
	strbuf_release(&path);
	if (r != 0)
		login_cache_close(lc);
	return r;
}

void
login_cache_close(struct login_cache *lc)
{
	if (lc->lock >= 0)
		close(lc->lock);	/* which unlocks */
	free(lc->file);
	*lc = (struct login_cache)LOGIN_CACHE_INIT;
}

/* ---- the file ---- */

void
login_kept_release(struct login_kept *kept)
{
	secret_release(&kept->token);
}

static bool
parse(const char *text, size_t len, struct login_kept *out)
{
	struct json_object *root = NULL;
	const char *token = NULL;

	if (jsonx_parse(text, len, &root, NULL) == 0 &&
	    (token = jsonx_str(root, "token")) != NULL) {
		secret_set(&out->token, token, strlen(token));
		out->expires = json_object_get_int64(jsonx_get(root,
		    "expires"));
		out->checked = json_object_get_int64(jsonx_get(root,
		    "checked"));
	}
	jsonx_wipe(root);
	return out->token.len > 0;
}

static int
read_open(int fd, const char *path, struct login_kept *out, struct err *err)
{
	struct strbuf text = STRBUF_INIT(FILE_MAX + 1);
	char *room = strbuf_room(&text, FILE_MAX);
	struct stat st;
	ssize_t n;
	int r;

	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) ||
	    st.st_uid != geteuid() || (st.st_mode & 077) != 0)
		return strbuf_wipe(&text), err_set(err, E_SYSTEM, "'%s' is "
		    "not safe for a token: remove it", path);
	n = read(fd, room, FILE_MAX);
	r = n > 0 && parse(room, (size_t)n, out) ? 0 : err_set(err,
	    E_NOTFOUND, "no token is kept");
	text.len = n > 0 ? (size_t)n : 0;
	strbuf_wipe(&text);
	return r;
}

int
login_cache_read(const struct login_cache *lc, struct login_kept *out,
    struct err *err)
{
	int fd = open(lc->file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW |
	    O_NONBLOCK), r;

	*out = (struct login_kept)LOGIN_KEPT_INIT;
	if (fd < 0 && errno == ENOENT)
		return err_set(err, E_NOTFOUND, "no token is kept");
	if (fd < 0)
		return fail(err, "read", lc->file);
	r = read_open(fd, lc->file, out, err);
	close(fd);
	return r;
}

static int
write_all(int fd, const struct strbuf *text)
{
	size_t done = 0;
	ssize_t n;

	while (done < text->len) {
		n = write(fd, text->buf + done, text->len - done);
		if (n < 0 && errno != EINTR)
			return -1;
		done += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

int
login_cache_write(const struct login_cache *lc,
    const struct login_kept *kept, struct err *err)
{
	struct strbuf text = STRBUF_INIT(STRBUF_UNLIMITED);
	struct strbuf young = STRBUF_INIT(PATH_MAX);
	int fd, r = 0;

	strbuf_addf(&young, "%s.new", lc->file);
	strbuf_room(&text, 256 + 6 * kept->token.len);
	strbuf_addf(&text, "{\"expires\":%lld,\"checked\":%lld,\"token\":",
	    (long long)kept->expires, (long long)kept->checked);
	jsonx_add_string(&text, kept->token.ptr, kept->token.len);
	strbuf_addstr(&text, "}\n");
	unlink(young.buf);	/* of one that was killed; we have the lock */
	fd = open(young.buf, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC |
	    O_NOFOLLOW, 0600);
	if (fd < 0 || write_all(fd, &text) != 0 ||
	    rename(young.buf, lc->file) != 0)
		r = fail(err, "write", young.buf);
	if (fd >= 0)
		close(fd);
	strbuf_wipe(&text);
	strbuf_release(&young);
	return r;
}

void
login_cache_remove(const struct login_cache *lc)
{
	unlink(lc->file);
}
