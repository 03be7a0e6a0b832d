/* SPDX-License-Identifier: Apache-2.0 */
/* The unit tests' HTTP server: blocking sockets and threads. */
#include "base.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>

#include "server.h"

#define HEAD_MAX (512 * 1024)

struct connection {
	struct server *server;
	int slot;
	pthread_t thread;
	bool started;
};

struct threads {
	pthread_t acceptor;
	struct connection connections[SERVER_CONNECTIONS];
};

static int
listen_free(int *port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(sin);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (void *)&sin, sizeof(sin)) != 0 ||
	    listen(fd, 512) != 0 ||
	    getsockname(fd, (void *)&sin, &len) != 0)
		BUG("listen: %s", strerror(errno));
	*port = ntohs(sin.sin_port);
	return fd;
}

int
server_free_port(void)
{
	int port, fd = listen_free(&port);

	close(fd);
	return port;
}

/* ---- one request ---- */

/* Read until the empty line; what follows it stays in rest. */
static bool
read_head(struct server_request *rq, char *buf)
{
	size_t len = rq->nrest;
	char *end;
	ssize_t n;

	if (len > 0)
		memmove(buf, rq->rest, len);
	for (;;) {
		buf[len] = '\0';
		end = strstr(buf, "\r\n\r\n");
		if (end != NULL)
			break;
		n = recv(rq->fd, buf + len, HEAD_MAX - 1 - len, 0);
		if (n <= 0)
			return false;
		len += (size_t)n;
	}
	end[2] = '\0';
	rq->head = buf;
	rq->rest = end + 4;
	rq->nrest = len - (size_t)(rq->rest - buf);
	return sscanf(buf, "%15s %4095s", rq->method, rq->target) == 2;
}

const char *
server_header(const struct server_request *rq, const char *name)
{
	static _Thread_local char value[65536];
	size_t n = strlen(name);
	const char *p = rq->head, *end;

	while ((p = strstr(p, "\r\n")) != NULL && p[2] != '\0') {
		p += 2;
		if (strncasecmp(p, name, n) != 0 || p[n] != ':')
			continue;
		p += n + 1;
		p += strspn(p, " ");
		end = strstr(p, "\r\n");
		snprintf(value, sizeof(value), "%.*s", (int)(end - p), p);
		return value;
	}
	return NULL;
}

size_t
server_read(struct server_request *rq, char *buf, size_t len)
{
	size_t n = SD_MIN(len, rq->nrest);
	ssize_t r;

	if (n > 0) {
		memcpy(buf, rq->rest, n);
		rq->rest += n;
		rq->nrest -= n;
		return n;
	}
	r = recv(rq->fd, buf, len, 0);
	return r < 0 ? 0 : (size_t)r;
}

void
server_drain(struct server_request *rq)
{
	char buf[65536];

	while (server_read(rq, buf, sizeof(buf)) > 0)
		;
}

bool
server_write(struct server_request *rq, const void *data, size_t len)
{
	const char *p = data;
	ssize_t n;

	for (; len > 0; p += n, len -= (size_t)n)
		if ((n = send(rq->fd, p, len, MSG_NOSIGNAL)) <= 0)
			return false;
	return true;
}

bool
server_printf(struct server_request *rq, const char *fmt, ...)
{
	va_list ap;
	char *s;
	bool ok;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	ok = server_write(rq, s, (size_t)n);
	free(s);
	return ok;
}

bool
server_answer(struct server_request *rq, int status, const char *body)
{
	return server_printf(rq, "HTTP/1.1 %d Fine\r\nContent-Length: %zu\r\n"
	    "Content-Type: application/json\r\n\r\n%s", status, strlen(body),
	    body);
}

bool
server_reset(struct server_request *rq)
{
	struct linger now = { .l_onoff = 1, .l_linger = 0 };

	setsockopt(rq->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	return false;
}

/* ---- connections ---- */

static void *
connection_main(void *arg)
{
	struct connection *c = arg;
	struct server *s = c->server;
	int fd = s->slots[c->slot];
	struct server_request rq = { .server = s, .fd = fd };
	char *buf = xmalloc(HEAD_MAX);

	while (read_head(&rq, buf)) {
		rq.nth++;
		__atomic_add_fetch(&s->requests, 1, __ATOMIC_SEQ_CST);
		if (!s->handler(&rq))
			break;
	}
	free(buf);
	close(fd);
	__atomic_sub_fetch(&s->open, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

static void *
acceptor_main(void *arg)
{
	struct server *s = arg;
	struct threads *t = s->threads;
	struct connection *c;
	int fd, i;

	for (i = 0; i < SERVER_CONNECTIONS; i++) {
		/* A test may leave us without descriptors for a while. */
		while ((fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC)) < 0 &&
		    errno == EMFILE)
			usleep(1000);
		if (fd < 0)
			break;
		__atomic_add_fetch(&s->connections, 1, __ATOMIC_SEQ_CST);
		__atomic_add_fetch(&s->open, 1, __ATOMIC_SEQ_CST);
		s->slots[i] = fd;
		c = &t->connections[i];
		c->server = s;
		c->slot = i;
		if (pthread_create(&c->thread, NULL, connection_main, c) != 0)
			BUG("pthread_create failed");
		c->started = true;
	}
	return NULL;
}

void
server_start(struct server *s, server_handler *handler)
{
	struct threads *t = xcalloc(1, sizeof(*t));

	memset(s, 0, sizeof(*s));
	s->handler = handler;
	s->threads = t;
	s->fd = listen_free(&s->port);
	snprintf(s->url, sizeof(s->url), "http://127.0.0.1:%d", s->port);
	if (pthread_create(&t->acceptor, NULL, acceptor_main, s) != 0)
		BUG("pthread_create failed");
}

/* The peers have closed, or shutting down ends what still reads. */
void
server_stop(struct server *s)
{
	struct threads *t = s->threads;
	int i;

	shutdown(s->fd, SHUT_RDWR);
	pthread_join(t->acceptor, NULL);
	close(s->fd);
	for (i = 0; i < SERVER_CONNECTIONS; i++)
		if (t->connections[i].started)
			pthread_join(t->connections[i].thread, NULL);
	free(t);
}

unsigned
server_wait(const unsigned *value, unsigned want, int ms)
{
	unsigned v;

	for (;;) {
		v = __atomic_load_n(value, __ATOMIC_SEQ_CST);
		if (v == want || ms <= 0)
			return v;
		usleep(5000);
		ms -= 5;
	}
}
