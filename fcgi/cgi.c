/* SPDX-License-Identifier: Apache-2.0 */
/* Standard input and output as the carrier of one request. */
#include "base.h"

#include <fcntl.h>
#include <poll.h>

#include "arena.h"
#include "cgi.h"
#include "err.h"
#include "request.h"
#include "route.h"

struct cgi {
	int64_t left;		/* bytes of the body; -1: up to the end */
	struct strbuf out;	/* gathers small writes */
};

#define CGI_BUFFER 65536

static ssize_t
cgi_read(void *ctx, char *buf, size_t len)
{
	struct cgi *cgi = ctx;
	ssize_t n;

	if (cgi->left >= 0)
		len = SD_MIN(len, (size_t)cgi->left);
	if (len == 0)
		return 0;
	while ((n = read(STDIN_FILENO, buf, len)) < 0 && errno == EINTR)
		continue;
	if (n < 0 || (n == 0 && cgi->left > 0))
		return E_GONE;	/* the body ended before its length */
	if (cgi->left > 0)
		cgi->left -= n;
	return n;
}

static int
cgi_flush(void *ctx)
{
	struct cgi *cgi = ctx;
	const char *data = cgi->out.buf;
	size_t len = cgi->out.len;
	ssize_t n;

	while (len > 0) {
		n = write(STDOUT_FILENO, data, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return E_GONE;
		data += n;
		len -= (size_t)n;
	}
	strbuf_reset(&cgi->out);
	return 0;
}

static int
cgi_write(void *ctx, const char *data, size_t len)
{
	struct cgi *cgi = ctx;

	strbuf_add(&cgi->out, data, len);
	return cgi->out.len < CGI_BUFFER ? 0 : cgi_flush(cgi);
}

/* The far end of stdout shows only when we write. */
static bool
cgi_gone(void *ctx UNUSED)
{
	struct pollfd p = { .fd = STDOUT_FILENO };

	return poll(&p, 1, 0) > 0 && (p.revents & (POLLERR | POLLHUP)) != 0;
}

static const struct carrier cgi_carrier = {
	.read = cgi_read,
	.write = cgi_write,
	.flush = cgi_flush,
	.gone = cgi_gone,
};

static int64_t
body_length(void)
{
	const char *s = getenv("CONTENT_LENGTH");

	if (s != NULL && *s != '\0')
		return SD_MAX(strtoll(s, NULL, 10), 0LL);
	return getenv("HTTP_TRANSFER_ENCODING") != NULL ? -1 : 0;
}

/*
 * The answer is whole when nobody holds its pipe any more, and we may have a
 * credential to wait for that comes too late for this client. Not closed: the
 * next file would get its number.
 */
static void
cgi_end(void)
{
	int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	dup2(fd, STDOUT_FILENO);
	close(fd);
}

int
cgi_serve(struct runtime *rt)
{
	struct cgi cgi = { .left = body_length(),
	    .out = STRBUF_INIT(STRBUF_UNLIMITED) };
	struct request req = {
		.arena = arena_new(),
		.rt = rt,
		.carrier = &cgi_carrier,
		.carrier_ctx = &cgi,
		.fd = -1,	/* the far end of a pipe tells nothing */
		.params = environ,
	};
	int r;

	route_handle(&req);
	r = cgi_flush(&cgi);
	if (req.response.failed || req.response.aborted)
		r = E_GONE;
	cgi_end();
	arena_free(req.arena);
	strbuf_release(&cgi.out);
	return r == 0 ? 0 : 1;
}
