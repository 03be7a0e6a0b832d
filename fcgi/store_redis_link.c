/* SPDX-License-Identifier: Apache-2.0 */
/* One connection to Redis, and what its errors mean to a person. */
#include "base.h"

#include <fcntl.h>
#include <hiredis.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "clock.h"
#include "err.h"
#include "files.h"
#include "secret.h"
#include "store_redis.h"

#define PASSWORD_MAX 4096
#define REPLY_MAX (32 * 1024 * 1024)	/* a page of names is far below */
#define READ_SIZE 16384

/* --- The address ---------------------------------------------------------- */

static unsigned
number(const char *text)
{
	unsigned long n = text == NULL ? 0 : strtoul(text, NULL, 10);

	return (unsigned)SD_MIN(n, (unsigned long)INT_MAX);
}

/* host:port/db; the settings' check let it pass. */
static void
parse_host(struct redis_address *a, const char *text)
{
	size_t len = strcspn(text, "/");
	const char *colon = memrchr(text, ':', len), *end = colon;

	if (colon == NULL)
		BUG("a URL of Redis without a port");
	if (*text == '[' && end[-1] == ']') {
		text++;
		len--;
		end--;
	}
	a->host = xstrndup(text, (size_t)(end - text));
	a->port = xstrndup(colon + 1, strcspn(colon + 1, "/"));
	a->db = number(colon[strcspn(colon, "/")] == '/' ?
	    colon + strcspn(colon, "/") + 1 : NULL);
}

void
redis_address_init(struct redis_address *a,
    const struct store_settings *settings)
{
	const char *url = settings->url, *db;

	memset(a, 0, sizeof(*a));
	a->url = xstrdup(url);
	if (str_starts(url, "unix:")) {
		url += strlen("unix:");
		db = strstr(url, "?db=");
		a->path = xstrndup(url, db == NULL ? strlen(url) :
		    (size_t)(db - url));
		a->db = number(db == NULL ? NULL : db + strlen("?db="));
	} else {
		parse_host(a, url + strlen("redis://"));
	}
	if (settings->username != NULL)
		a->username = xstrdup(settings->username);
	if (settings->password_file != NULL)
		a->password_file = xstrdup(settings->password_file);
	if (settings->password.len > 0)
		secret_set(&a->password, settings->password.ptr,
		    settings->password.len);
}

void
redis_address_release(struct redis_address *a)
{
	secret_release(&a->password);
	free(a->url);
	free(a->path);
	free(a->host);
	free(a->port);
	free(a->username);
	free(a->password_file);
	memset(a, 0, sizeof(*a));
}

/* --- Errors --------------------------------------------------------------- */

#define FORBIDDEN "the store's Redis does not let this user do what a store " \
	"needs: the commands getrange, get, set, del, eval, pexpire, scan " \
	"and select, on keys stagedoor:*"

static const struct {
	const char *code, *meaning;
} meanings[] = {
	{ "NOAUTH", "the store's Redis wants a password: set "
	    "stagedoor.store.passwordFile" },
	{ "WRONGPASS", "the store's Redis does not take this user name and "
	    "password: see stagedoor.store.username and passwordFile" },
	{ "ERR invalid password", "the store's Redis does not take this "
	    "password: see stagedoor.store.passwordFile" },
	{ "ERR AUTH", "the store's Redis has no password set, and "
	    "stagedoor.store has one: set it there, or take it away here" },
	{ "ERR Client sent AUTH", "the store's Redis has no password set, and "
	    "stagedoor.store has one: set it there, or take it away here" },
	{ "NOPERM", FORBIDDEN },
	{ "ERR The user executing the script", FORBIDDEN },
	{ "LOADING", "the store's Redis is still reading its data: it is "
	    "there soon" },
	{ "READONLY", "the store's Redis is a replica, which cannot be "
	    "written: give the address of the primary" },
	{ "MISCONF", "the store's Redis cannot write to its disk and takes "
	    "nothing: see its log" },
	{ "OOM", "the store is full: its Redis has used all memory that it "
	    "may (maxmemory)" },
	{ "MOVED", "the store's Redis is part of a cluster, which is not "
	    "supported: give the address of one that is not" },
	{ "CLUSTERDOWN", "the store's Redis is part of a cluster, which is "
	    "not supported: give the address of one that is not" },
	{ "MASTERDOWN", "the store's Redis is a replica that has lost its "
	    "primary: give the address of the primary" },
	{ "NOREPLICAS", "the store's Redis has fewer replicas than it wants, "
	    "and takes nothing: see its log" },
	{ "BUSY", "the store's Redis is busy with somebody's script" },
	{ "WRONGTYPE", "a stored value is damaged: another program has its "
	    "key" },
	{ "ERR max number of clients", "the store's Redis has as many clients "
	    "as it may (maxclients)" },
	{ "ERR DB index", "the store's Redis has no database of that number: "
	    "see stagedoor.store.url" },
	{ "ERR invalid DB index", "the store's Redis has no database of that "
	    "number: see stagedoor.store.url" },
	{ "ERR unknown command", "the store's Redis is too old, or commands "
	    "that a store needs are switched off: getrange, get, set, del, "
	    "eval, pexpire, scan, select" },
};

bool
redis_is_error(const redisReply *reply, const char *code)
{
	const char *at;

	if (reply->type != REDIS_REPLY_ERROR)
		return false;
	if (str_starts(reply->str, code))
		return true;
	/* "ERR Error running script (...): @user_script:1: -OOM ..." */
	at = strstr(reply->str, code);
	return str_starts(reply->str, "ERR Error running script") &&
	    at != NULL && (at[-1] == '-' || at[-1] == ' ');
}

/* Not its arguments, which Redis repeats: one may be the password. */
static void
quote(const redisReply *reply, struct err *err)
{
	size_t len = strcspn(reply->str, ",'`\"");

	err_detail(err, "%.*s", (int)SD_MIN(len, (size_t)120), reply->str);
}

int
redis_refused(const redisReply *reply, struct err *err)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(meanings); i++)
		if (redis_is_error(reply, meanings[i].code))
			break;
	err_set(err, E_STORE, "%s", i < ARRAY_LEN(meanings) ?
	    meanings[i].meaning : "the store's Redis refuses what it is asked "
	    "for");
	quote(reply, err);
	return E_STORE;
}

static int
nonsense(struct err *err)
{
	return err_set(err, E_PROTOCOL, "what answers at stagedoor.store.url "
	    "does not speak as Redis does");
}

/* --- The socket ----------------------------------------------------------- */

/* 0 or E_TIMEOUT. */
static int
wait_for(int fd, short events, int64_t deadline, struct err *err)
{
	struct pollfd p = { .fd = fd, .events = events };
	int64_t left;

	while ((left = deadline - clock_mono_ms()) > 0)
		if (poll(&p, 1, (int)SD_MIN(left, (int64_t)INT_MAX)) > 0)
			return 0;
	return err_set(err, E_TIMEOUT, "the store's Redis does not answer in "
	    "time");
}

static int
unreachable(struct err *err, const char *why)
{
	err_set(err, E_CONNECT, "the store's Redis cannot be reached: see "
	    "that it runs, and where stagedoor.store.url points");
	err_detail(err, "%s", why);
	return E_CONNECT;
}

/* 0 with *out a socket that is connected, non-blocking. */
static int
connect_to(const struct sockaddr *sa, socklen_t len, int64_t deadline,
    int *out, struct err *err)
{
	int fd = socket(sa->sa_family, SOCK_STREAM | SOCK_CLOEXEC |
	    SOCK_NONBLOCK, 0);
	socklen_t size = sizeof(int);
	int r = 0, failed = 0;

	if (fd < 0)
		return unreachable(err, strerror(errno));
	/* A Unix socket whose queue is full says EAGAIN: it is not there. */
	if (connect(fd, sa, len) != 0 && errno != EINPROGRESS)
		failed = errno;
	else if ((r = wait_for(fd, POLLOUT, deadline, err)) == 0 &&
	    getsockopt(fd, SOL_SOCKET, SO_ERROR, &failed, &size) != 0)
		failed = errno;
	if (failed != 0)
		r = unreachable(err, strerror(failed));
	if (r != 0)
		close(fd);
	else
		*out = fd;
	return r;
}

static int
connect_unix(const struct redis_address *a, int64_t deadline, int *out,
    struct err *err)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };

	if (strlen(a->path) >= sizeof(sun.sun_path))
		return unreachable(err, "the path is too long");
	memcpy(sun.sun_path, a->path, strlen(a->path));
	return connect_to((struct sockaddr *)&sun, sizeof(sun), deadline, out,
	    err);
}

static int
connect_tcp(const struct redis_address *a, int64_t deadline, int *out,
    struct err *err)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *list = NULL, *ai;
	int one = 1, r = getaddrinfo(a->host, a->port, &hints, &list);

	if (r != 0)
		return unreachable(err, gai_strerror(r));
	r = E_CONNECT;
	for (ai = list; ai != NULL && r == E_CONNECT; ai = ai->ai_next)
		r = connect_to(ai->ai_addr, ai->ai_addrlen, deadline, out,
		    err);
	freeaddrinfo(list);
	if (r == 0)
		setsockopt(*out, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return r;
}

static int
lost(struct err *err, int errnum)
{
	err_set(err, E_GONE, "the connection to the store's Redis was lost");
	if (errnum != 0)
		err_detail(err, "%s", strerror(errnum));
	return E_GONE;
}

static int
send_all(struct redis_link *l, const char *data, size_t len,
    int64_t deadline, struct err *err)
{
	ssize_t n;
	int r;

	while (len > 0) {
		n = send(l->fd, data, len, MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return lost(err, errno);
		if (n < 0 && errno == EAGAIN &&
		    (r = wait_for(l->fd, POLLOUT, deadline, err)) != 0)
			return r;
		data += SD_MAX(n, 0);
		len -= (size_t)SD_MAX(n, 0);
	}
	return 0;
}

/* One reply. */
static int
receive(struct redis_link *l, int64_t deadline, redisReply **out,
    struct err *err)
{
	char buf[READ_SIZE];
	size_t total = 0;
	void *reply = NULL;
	ssize_t n;
	int r;

	for (;;) {
		if (redisReaderGetReply(l->reader, &reply) != REDIS_OK)
			return nonsense(err);
		if (reply != NULL)
			break;
		if ((r = wait_for(l->fd, POLLIN, deadline, err)) != 0)
			return r;
		n = recv(l->fd, buf, sizeof(buf), 0);
		if (n == 0)
			return lost(err, 0);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return lost(err, errno);
		total += (size_t)SD_MAX(n, 0);
		if (total > REPLY_MAX || (n > 0 && redisReaderFeed(l->reader,
		    buf, (size_t)n) != REDIS_OK))
			return nonsense(err);
	}
	*out = reply;
	return 0;
}

int
redis_link_ask(struct redis_link *l, const struct redis_args *args,
    int64_t deadline, redisReply **out, struct err *err)
{
	const char **argv = (const char **)(uintptr_t)args->argv;
	char *command = NULL;
	int len = redisFormatCommandArgv(&command, args->n, argv, args->len);
	int r;

	if (len < 0)
		BUG("a command of Redis cannot be made");
	r = send_all(l, command, (size_t)len, deadline, err);
	free(command);
	return r != 0 ? r : receive(l, deadline, out, err);
}

bool
redis_link_is_stale(const struct redis_link *l)
{
	struct pollfd p = { .fd = l->fd, .events = POLLIN };

	return l->reader->pos < l->reader->len || poll(&p, 1, 0) != 0;
}

/* --- Logging in ----------------------------------------------------------- */

/* Its reply must be no error. */
static int
must(struct redis_link *l, int r, int64_t deadline, struct err *err)
{
	redisReply *reply = NULL;

	if (r == 0)
		r = receive(l, deadline, &reply, err);
	if (r == 0 && reply->type == REDIS_REPLY_ERROR)
		r = redis_refused(reply, err);
	freeReplyObject(reply);
	return r;
}

static void
add_bulk(struct strbuf *sb, const char *data, size_t len)
{
	strbuf_addf(sb, "$%zu\r\n", len);
	strbuf_add(sb, data, len);
	strbuf_addstr(sb, "\r\n");
}

/* Past hiredis, which would leave copies of the password about. */
static int
log_in_with(struct redis_link *l, const struct redis_address *a,
    const struct secret *password, int64_t deadline, struct err *err)
{
	struct strbuf sb = STRBUF_INIT(STRBUF_UNLIMITED);
	const char *name = a->username;
	int r;

	strbuf_room(&sb, 128 + password->len + (name ? strlen(name) : 0));
	strbuf_addf(&sb, "*%d\r\n", name != NULL ? 3 : 2);
	add_bulk(&sb, "AUTH", 4);
	if (name != NULL)
		add_bulk(&sb, name, strlen(name));
	add_bulk(&sb, password->len > 0 ? password->ptr : "", password->len);
	r = send_all(l, sb.buf, sb.len, deadline, err);
	strbuf_wipe(&sb);
	return must(l, r, deadline, err);
}

static int
log_in(struct redis_link *l, const struct redis_address *a, int64_t deadline,
    struct err *err)
{
	struct secret content = SECRET_INIT;
	struct err why = ERR_INIT;
	int r;

	if (a->password_file == NULL && a->password.len == 0 &&
	    a->username == NULL)
		return 0;
	if (a->password_file == NULL)
		return log_in_with(l, a, &a->password, deadline, err);
	if (file_read(a->password_file, PASSWORD_MAX, &content, &why) != 0) {
		err_set(err, E_STORE, "the password of the store's Redis "
		    "cannot be read: see stagedoor.store.passwordFile");
		err_detail(err, "%s", why.text);
		return E_STORE;
	}
	r = log_in_with(l, a, &content, deadline, err);
	secret_release(&content);
	return r;
}

static int
choose(struct redis_link *l, unsigned db, int64_t deadline, struct err *err)
{
	char text[64];
	char digits[16];

	if (db == 0)
		return 0;
	snprintf(digits, sizeof(digits), "%u", db);
	snprintf(text, sizeof(text), "*2\r\n$6\r\nSELECT\r\n$%zu\r\n%s\r\n",
	    strlen(digits), digits);
	return must(l, send_all(l, text, strlen(text), deadline, err),
	    deadline, err);
}

int
redis_link_open(const struct redis_address *a, int64_t deadline,
    struct redis_link **out, struct err *err)
{
	struct redis_link *l = xcalloc(1, sizeof(*l));
	int r;

	l->fd = -1;
	if ((l->reader = redisReaderCreate()) == NULL)
		BUG("out of memory");
	r = a->path != NULL ? connect_unix(a, deadline, &l->fd, err) :
	    connect_tcp(a, deadline, &l->fd, err);
	if (r == 0)
		r = log_in(l, a, deadline, err);
	if (r == 0)
		r = choose(l, a->db, deadline, err);
	if (r == 0)
		*out = l;
	else
		redis_link_free(l);
	return r;
}

void
redis_link_free(struct redis_link *l)
{
	if (l == NULL)
		return;
	if (l->fd >= 0)
		close(l->fd);
	redisReaderFree(l->reader);
	free(l);
}
