/* SPDX-License-Identifier: Apache-2.0 */
/* A FastCGI connection as a carrier of one request. */
#include "base.h"

#include <fcgiapp.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>

#include "arena.h"
#include "err.h"
#include "fcgi.h"
#include "request.h"
#include "route.h"

#define FCGI_ABORT_REQUEST 2	/* FastCGI specification, section 5.4 */

static bool
fd_readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) > 0;
}

static bool
carrier_readable(void *ctx)
{
	FCGX_Request *fx = ctx;

	return fx->in->rdNext != fx->in->stop || fx->in->isClosed ||
	    fd_readable(fx->ipcFd);
}

static ssize_t
carrier_read(void *ctx, char *buf, size_t len)
{
	FCGX_Request *fx = ctx;
	size_t n = 0;
	int c;

	if (len == 0)
		return 0;
	/* The first byte may wait for a record; the rest is buffered. */
	if (fx->in->rdNext == fx->in->stop) {
		if ((c = FCGX_GetChar(fx->in)) < 0)
			return FCGX_GetError(fx->in) != 0 ? E_GONE : 0;
		buf[n++] = (char)c;
	}
	len = SD_MIN(len - n, (size_t)(fx->in->stop - fx->in->rdNext));
	if (len > 0)
		n += (size_t)FCGX_GetStr(buf + n, (int)len, fx->in);
	return (ssize_t)n;
}

static int
carrier_write(void *ctx, const char *data, size_t len)
{
	FCGX_Request *fx = ctx;

	while (len > 0) {
		int piece = (int)SD_MIN(len, (size_t)1 << 20);

		if (FCGX_PutStr(data, piece, fx->out) != piece)
			return E_GONE;
		data += piece;
		len -= (size_t)piece;
	}
	return 0;
}

static int
carrier_flush(void *ctx)
{
	FCGX_Request *fx = ctx;

	return FCGX_FFlush(fx->out) == 0 ? 0 : E_GONE;
}

static bool
carrier_gone(void *ctx)
{
	FCGX_Request *fx = ctx;
	unsigned char head[2];
	ssize_t n;

	n = recv(fx->ipcFd, head, sizeof(head), MSG_PEEK | MSG_DONTWAIT);
	if (n == 0)
		return true;
	if (n < 0)
		return errno != EAGAIN && errno != EINTR;
	return n == 2 && head[1] == FCGI_ABORT_REQUEST;
}

static const struct carrier fcgi_carrier = {
	.read = carrier_read,
	.readable = carrier_readable,
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

/* Is the request's input read to its end, so that the next may follow? */
static bool
input_finished(FCGX_Request *fx)
{
	char trash[4096];
	ssize_t n = 1;
	int rounds;

	for (rounds = 0; rounds < 16 && !fx->in->isClosed; rounds++) {
		if (!carrier_readable(fx))
			return false;
		if ((n = carrier_read(fx, trash, sizeof(trash))) <= 0)
			break;
	}
	return fx->in->isClosed && n >= 0;
}

static void
handle(FCGX_Request *fx, struct runtime *rt, bool *aborted)
{
	struct request req = {
		.arena = arena_new(),
		.rt = rt,
		.carrier = &fcgi_carrier,
		.carrier_ctx = fx,
		.fd = fx->ipcFd,
		.params = fx->envp,
	};

	route_handle(&req);
	*aborted = req.response.failed || req.response.aborted;
	arena_free(req.arena);
}

enum fcgi_after
fcgi_serve(int fd, struct runtime *rt)
{
	FCGX_Request fx;
	bool aborted = true, keep;

	/* With no socket to accept from, libfcgi gives up on a bad request
	   instead of waiting for another connection. */
	FCGX_InitRequest(&fx, -1, 0);
	fx.ipcFd = fd;
	fx.keepConnection = 1;	/* or it would be closed before it is read */
	if (FCGX_Accept_r(&fx) != 0)
		return FCGI_CLOSED;
	handle(&fx, rt, &aborted);
	if (aborted) {
		FCGX_FFlush(fx.out);
		shutdown(fd, SHUT_RDWR);
	}
	keep = fx.keepConnection && !aborted && input_finished(&fx);
	/* Closing the output ends the request; the input tells nothing. */
	keep &= FCGX_FClose(fx.err) == 0;
	keep &= FCGX_FClose(fx.out) == 0;
	fx.ipcFd = -1;
	FCGX_Free(&fx, 0);
	return keep ? FCGI_KEEP : FCGI_CLOSE;
}
