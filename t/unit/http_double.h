/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small HTTP server on loopback, in threads of the test itself: it answers
 * from a table and remembers what it was asked. For unit tests only.
 */
#ifndef STAGEDOOR_HTTP_DOUBLE_H
#define STAGEDOOR_HTTP_DOUBLE_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/socket.h>

#include "strbuf.h"

struct double_answer {
	const char *path;	/* without query */
	int status;		/* 0: close without an answer */
	const char *body;
	unsigned delay_ms;
};

struct http_double {
	int fd;
	unsigned port;
	pthread_t thread;
	pthread_mutex_t lock;
	const struct double_answer *answers;	/* path NULL at the end */
	struct strbuf log;	/* "GET target authorization|\n" */
	unsigned asked;
};

struct double_conn {
	struct http_double *d;
	int fd;
};

static void
double_note(struct http_double *d, const char *head)
{
	const char *auth = strcasestr(head, "\r\nauthorization: ");

	pthread_mutex_lock(&d->lock);
	strbuf_add(&d->log, head, strcspn(head, "\r"));
	d->log.len -= strlen(" HTTP/1.1");
	strbuf_addch(&d->log, ' ');
	if (auth != NULL)
		strbuf_add(&d->log, auth + 17, strcspn(auth + 17, "\r"));
	strbuf_addstr(&d->log, "|\n");
	d->asked++;
	pthread_mutex_unlock(&d->lock);
}

static const struct double_answer *
double_find(struct http_double *d, const char *head)
{
	static const struct double_answer none = { "", 404, "{}", 0 };
	const struct double_answer *a;
	const char *path = head + strcspn(head, " ") + 1;
	size_t len = strcspn(path, " ?");

	pthread_mutex_lock(&d->lock);
	for (a = d->answers; a->path != NULL; a++)
		if (strlen(a->path) == len && memcmp(a->path, path, len) == 0)
			break;
	pthread_mutex_unlock(&d->lock);
	return a->path != NULL ? a : &none;
}

static bool
double_reply(struct double_conn *c, const char *head)
{
	const struct double_answer *a;
	struct strbuf sb = STRBUF_INIT(STRBUF_UNLIMITED);
	ssize_t n;

	double_note(c->d, head);
	a = double_find(c->d, head);
	usleep(a->delay_ms * 1000);
	if (a->status == 0)
		return false;
	strbuf_addf(&sb, "HTTP/1.1 %d X\r\nContent-Length: %zu\r\n\r\n%s",
	    a->status, strlen(a->body), a->body);
	n = send(c->fd, sb.buf, sb.len, MSG_NOSIGNAL);
	strbuf_release(&sb);
	return n > 0;
}

static void *
double_serve(void *arg)
{
	struct double_conn *c = arg;
	char head[8192];
	size_t len = 0;
	ssize_t n;

	while ((n = read(c->fd, head + len, sizeof(head) - 1 - len)) > 0) {
		len += (size_t)n;
		head[len] = '\0';
		if (strstr(head, "\r\n\r\n") == NULL)
			continue;
		if (!double_reply(c, head))
			break;
		len = 0;
	}
	close(c->fd);
	free(c);
	return NULL;
}

static void *
double_accept(void *arg)
{
	struct http_double *d = arg;
	struct double_conn *c;
	pthread_t thread;
	int fd, one = 1;

	while ((fd = accept(d->fd, NULL, NULL)) >= 0) {
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		c = xcalloc(1, sizeof(*c));
		c->d = d;
		c->fd = fd;
		if (pthread_create(&thread, NULL, double_serve, c) != 0)
			abort();
		pthread_detach(thread);
	}
	return NULL;
}

static void
double_start(struct http_double *d, const struct double_answer *answers)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(sa);

	memset(d, 0, sizeof(*d));
	strbuf_init(&d->log, STRBUF_UNLIMITED);
	pthread_mutex_init(&d->lock, NULL);
	d->answers = answers;
	d->fd = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(d->fd, (struct sockaddr *)&sa, sizeof(sa)) != 0 ||
	    listen(d->fd, 64) != 0 ||
	    getsockname(d->fd, (struct sockaddr *)&sa, &len) != 0 ||
	    pthread_create(&d->thread, NULL, double_accept, d) != 0)
		abort();
	d->port = ntohs(sa.sin_port);
}

/* Forget what was asked; answer from another table (NULL: the same). */
static void
double_reset(struct http_double *d, const struct double_answer *answers)
{
	pthread_mutex_lock(&d->lock);
	strbuf_reset(&d->log);
	d->asked = 0;
	if (answers != NULL)
		d->answers = answers;
	pthread_mutex_unlock(&d->lock);
}

static bool
double_was_asked(struct http_double *d, const char *line)
{
	bool found;

	pthread_mutex_lock(&d->lock);
	found = strstr(d->log.buf, line) != NULL;
	pthread_mutex_unlock(&d->lock);
	return found;
}

static void
double_stop(struct http_double *d)
{
	shutdown(d->fd, SHUT_RDWR);
	pthread_join(d->thread, NULL);
	close(d->fd);
	/* Threads of connections may live on, but note nothing any more. */
	pthread_mutex_lock(&d->lock);
	strbuf_release(&d->log);
	pthread_mutex_unlock(&d->lock);
}

#endif
