/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tiny HTTP/1.1 server for unit tests: a thread for each connection, which
 * calls the test's handler for each request. Loopback, a free port.
 */
#ifndef STAGEDOOR_TEST_SERVER_H
#define STAGEDOOR_TEST_SERVER_H

#define SERVER_CONNECTIONS 512

struct server;

struct server_request {
	struct server *server;
	int fd;
	char *head;		/* request line and headers as they came */
	char method[16], target[4096];
	char *rest;		/* bytes read behind the head */
	size_t nrest;
	unsigned nth;		/* on this connection, from 1 */
};

/* Answers one request. False: close the connection. */
typedef bool server_handler(struct server_request *rq);

struct server {
	int port;
	char url[64];		/* http://127.0.0.1:port */
	server_handler *handler;
	void *ctx;		/* the test's */
	unsigned connections, requests, open;	/* atomic */
	int fd, slots[SERVER_CONNECTIONS];
	void *threads;
};

void server_start(struct server *s, server_handler *handler);
void server_stop(struct server *s);
/* Wait up to ms until *value is want; the value then. */
unsigned server_wait(const unsigned *value, unsigned want, int ms);

/* A port on which nobody listens. */
int server_free_port(void);

/* The value of a request header, or NULL; valid until the next call. */
const char *server_header(const struct server_request *rq, const char *name);
/* Bytes of the request's body: those behind the head first. 0 at the end. */
size_t server_read(struct server_request *rq, char *buf, size_t len);
/* Read and drop until the peer closes. */
void server_drain(struct server_request *rq);
bool server_write(struct server_request *rq, const void *data, size_t len);
bool server_printf(struct server_request *rq, const char *fmt, ...)
    PRINTF_LIKE(2, 3);
/* A whole answer with Content-Length. */
bool server_answer(struct server_request *rq, int status, const char *body);
/* Close with RST. */
bool server_reset(struct server_request *rq);

#endif
