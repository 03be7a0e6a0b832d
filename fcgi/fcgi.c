/* SPDX-License-Identifier: Apache-2.0 */
/* A FastCGI connection as a carrier of one request. */
#include "base.h"

#include <fcgiapp.h>
#include <signal.h>
#include <sys/socket.h>

#include "arena.h"
#include "clock.h"
#include "err.h"
#include "fcgi.h"
#include "fcgi_records.h"
#include "request.h"
#include "route.h"

#define FCGI_ABORT_REQUEST 2	/* FastCGI specification, section 5.4 */
#define FCGI_AUTHORIZER 2	/* section 8 */
#define DRAIN_PAUSE_US 300000
#define DRAIN_MS 1000
#define LINGER_S 2
#define LINGER_BYTES ((size_t)16 * 1024 * 1024)

struct conn {
	FCGX_Request fx;
	int64_t left;	/* of the body, as announced; INT64_MAX: chunked */
	bool ended;	/* the end of the body was read */
	bool none;	/* there is no body, nor its end: an authorizer's
			   request (specification, section 6.3) */
};

/*
 * Blocks while nothing comes: what libfcgi has buffered already cannot be
 * seen from outside, so asking the socket first would miss it.
 */
static ssize_t
carrier_read(void *ctx, char *buf, size_t len)
{
	struct conn *conn = ctx;
	FCGX_Stream *in = conn->fx.in;
	size_t n = 0;
	int c;

	if (len == 0 || conn->ended || conn->none)
		return 0;
	if (in->rdNext == in->stop) {
		if ((c = FCGX_GetChar(in)) < 0) {
			conn->ended = true;
			return FCGX_GetError(in) != 0 ? E_GONE : 0;
		}
		buf[n++] = (char)c;
	}
	len = SD_MIN(len - n, (size_t)(in->stop - in->rdNext));
	if (len > 0)
		n += (size_t)FCGX_GetStr(buf + n, (int)len, in);
	conn->left -= (int64_t)n;
	return (ssize_t)n;
}

static int
carrier_write(void *ctx, const char *data, size_t len)
{
	struct conn *conn = ctx;

	if (len >= FCGI_LARGE)
		return FCGX_FFlush(conn->fx.out) != 0 ? E_GONE :
		    fcgi_write_records(conn->fx.ipcFd, conn->fx.requestId,
		    data, len);
	while (len > 0) {
		int piece = (int)SD_MIN(len, (size_t)1 << 20);

		if (FCGX_PutStr(data, piece, conn->fx.out) != piece)
			return E_GONE;
		data += piece;
		len -= (size_t)piece;
	}
	return 0;
}

static int
carrier_flush(void *ctx)
{
	struct conn *conn = ctx;

	return FCGX_FFlush(conn->fx.out) == 0 ? 0 : E_GONE;
}

static bool
carrier_gone(void *ctx)
{
	struct conn *conn = ctx;
	unsigned char head[2];
	ssize_t n;

	n = recv(conn->fx.ipcFd, head, sizeof(head), MSG_PEEK | MSG_DONTWAIT);
	if (n == 0)
		return true;
	if (n < 0)
		return errno != EAGAIN && errno != EINTR;
	return n == 2 && head[1] == FCGI_ABORT_REQUEST;
}

static const struct carrier fcgi_carrier = {
	.read = carrier_read,
	.write = carrier_write,
	.flush = carrier_flush,
	.gone = carrier_gone,
};

void
fcgi_init(void)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN };

	FCGX_Init();
	/* libfcgi installs handlers that only set a flag: ours win. */
	sigaction(SIGPIPE, &ignore, NULL);
	sigaction(SIGUSR1, &ignore, NULL);
}

/*
 * Read the end of the body, where only that is left: Apache sends it in a
 * write of its own, and fails the request if the connection is gone by then.
 */
static void
finish_input(struct conn *conn)
{
	char trash;

	if (!conn->ended && !conn->none && conn->left <= 0 &&
	    carrier_read(conn, &trash, 1) > 0)
		conn->left = INT64_MAX;		/* more than announced */
}

/*
 * A body that nobody wanted is read before the end of the answer is told:
 * nginx keeps the connection then, and would send its next request into one
 * that we are about to close. (While a body is still coming nginx does not
 * keep it.) libfcgi may have all of it already, so the socket is not asked.
 */
static void
drain(struct conn *conn)
{
	static const struct timeval brief = { .tv_usec = DRAIN_PAUSE_US };
	int64_t until = clock_mono_ms() + DRAIN_MS;
	int fd = conn->fx.ipcFd;
	struct timeval usual = { 0 };
	socklen_t len = sizeof(usual);
	size_t total = 0;
	char trash[16384];
	ssize_t n = 1;

	getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &usual, &len);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &brief, sizeof(brief));
	while (n > 0 && total < LINGER_BYTES && clock_mono_ms() < until) {
		n = carrier_read(conn, trash, sizeof(trash));
		total += n > 0 ? (size_t)n : 0;
	}
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &usual, sizeof(usual));
	if (n < 0)
		conn->ended = false;
}

/*
 * The answer is out, but the body that nobody wanted still comes: take some
 * of it, so that the web server reads our answer before it sees us close.
 */
static void
linger(struct conn *conn)
{
	static const struct timeval patience = { .tv_sec = LINGER_S };
	int fd = conn->fx.ipcFd;
	size_t total = 0;
	char trash[16384];
	ssize_t n;

	shutdown(fd, SHUT_WR);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	while (total < LINGER_BYTES &&
	    (n = recv(fd, trash, sizeof(trash), 0)) > 0)
		total += (size_t)n;
}

static int64_t
announced_length(FCGX_Request *fx)
{
	const char *s = FCGX_GetParam("CONTENT_LENGTH", fx->envp);

	if (s != NULL && *s != '\0')
		return strtoll(s, NULL, 10);
	s = FCGX_GetParam("HTTP_TRANSFER_ENCODING", fx->envp);
	return s != NULL ? INT64_MAX : 0;
}

/* True if the answer is whole. */
static bool
handle(struct conn *conn, struct runtime *rt)
{
	struct request req = {
		.arena = arena_new(),
		.rt = rt,
		.carrier = &fcgi_carrier,
		.carrier_ctx = conn,
		.fd = conn->fx.ipcFd,
		.params = conn->fx.envp,
	};

	route_handle(&req);
	arena_free(req.arena);
	return !req.response.failed && !req.response.aborted;
}

/*
 * No end of the request follows, so that nobody takes the answer for a whole
 * one. nginx, when it does not buffer, takes a mere close for a good end: it
 * needs to see a record that is none.
 */
static void
break_off(FCGX_Request *fx)
{
	static const char nonsense[8];
	const char *server = FCGX_GetParam("SERVER_SOFTWARE", fx->envp);

	FCGX_FFlush(fx->out);
	if (server != NULL && str_starts(server, "nginx"))
		send(fx->ipcFd, nonsense, sizeof(nonsense), MSG_NOSIGNAL);
	shutdown(fx->ipcFd, SHUT_RDWR);
}

enum fcgi_after
fcgi_serve(int fd, struct runtime *rt)
{
	struct conn conn = { .ended = false };
	FCGX_Request *fx = &conn.fx;
	bool whole, keep;

	/* With no socket to accept from, libfcgi gives up on a bad request
	   instead of waiting for another connection. */
	FCGX_InitRequest(fx, -1, 0);
	fx->ipcFd = fd;
	fx->keepConnection = 1;	/* or it would be closed before it is read */
	if (FCGX_Accept_r(fx) != 0)
		return FCGI_CLOSED;
	conn.none = fx->role == FCGI_AUTHORIZER;
	conn.left = announced_length(fx);
	finish_input(&conn);
	whole = handle(&conn, rt);
	if (whole && !conn.ended) {
		FCGX_FFlush(fx->out);
		finish_input(&conn);
		if (!conn.ended)
			drain(&conn);
	} else if (!whole) {
		break_off(fx);
	}
	keep = whole && fx->keepConnection && conn.ended;
	/* Closing the output ends the request for the web server. */
	keep &= FCGX_FClose(fx->err) == 0;
	keep &= FCGX_FClose(fx->out) == 0;
	if (whole && !conn.ended)
		linger(&conn);
	fx->ipcFd = -1;
	FCGX_Free(fx, 0);
	return keep ? FCGI_KEEP : FCGI_CLOSE;
}
