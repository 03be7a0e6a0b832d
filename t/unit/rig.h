/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the transport's tests share: a transport, a server, an upstream for
 * it, a token, and one fetch in a line.
 */
#ifndef STAGEDOOR_TEST_RIG_H
#define STAGEDOOR_TEST_RIG_H

#include "server.h"
#include "transport.h"

struct rig {
	struct transport *transport;
	struct server server;
	struct upstream *up;		/* the server's */
	struct credential cred;		/* bearer "alice" */
};

#define RIG_TIMEOUT 0.6		/* of the rig's upstream: seconds */
#define RIG_BODY_MAX (256 << 20)

/* Sanitizers need memory of their own. */
#ifdef __has_feature
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define RIG_SANITIZED 1
#endif
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define RIG_SANITIZED 1
#endif
#ifndef RIG_SANITIZED
#define RIG_SANITIZED 0
#endif

void rig_start(struct rig *r, server_handler *handler);
void rig_stop(struct rig *r);
/* Another upstream; breaker_failures 0 is none. */
struct upstream *rig_upstream(struct rig *r, const char *url,
    unsigned breaker_failures);
void rig_bearer(struct credential *cred, const char *token);
/* Fetch path from up into f, whose body the caller releases. */
int rig_fetch(struct rig *r, struct upstream *up, const char *path,
    struct fetch *f);
int64_t rig_ms(void);

/* A client of one stream, and what it saw. */
struct client {
	struct stream_request rq;
	struct stream_io io;
	struct err err;

	int status;
	struct strbuf head;	/* "Name: value\n" each */
	struct strbuf body;
	unsigned heads, bodies, flushes, asked;
	/* Settings. */
	int body_error, head_error;	/* what the callbacks return */
	bool gone;
	void (*on_body)(struct client *c);	/* may block; or NULL */
	void (*on_flush)(struct client *c);
	const char *send;	/* the request's body: this many bytes */
	size_t nsend, sent, piece;	/* piece 0: as many as asked for */
	bool again;		/* STREAM_AGAIN before each piece */
	unsigned agains, reads;
	int pipe[2];		/* io.fd is its reading end; or -1 */
	void *ctx;
};

/* A GET of path from up by alice; no body, no descriptor. */
void client_init(struct client *c, struct rig *r, const char *method,
    const char *path);
/* Give it a body: length as in struct stream_request. */
void client_sends(struct client *c, const char *data, size_t n,
    int64_t length);
/* io.fd becomes a pipe's end. */
void client_watched(struct client *c);
int client_run(struct client *c, struct rig *r);
void client_release(struct client *c);

#endif
