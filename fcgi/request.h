/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request, whatever carried it (FastCGI or CGI). Parameters and strings
 * are borrowed and end with the request. One thread has it.
 */
#ifndef STAGEDOOR_REQUEST_H
#define STAGEDOOR_REQUEST_H

#include "identity.h"
#include "strbuf.h"

struct arena;
struct audit_use;
struct runtime;

/* What carries bytes. */
struct carrier {
	/* Up to len bytes of the body: count, 0 at the end, E_GONE. Blocks
	   while nothing comes, bounded by the socket's time-out. */
	ssize_t (*read)(void *ctx, char *buf, size_t len);
	int (*write)(void *ctx, const char *data, size_t len);	/* 0, E_GONE */
	int (*flush)(void *ctx);
	/* fd is readable though nothing is awaited: did the client leave? */
	bool (*gone)(void *ctx);
};

#define REQUEST_ID_MIN 8
#define REQUEST_ID_MAX 64	/* an API server cuts what is longer */

struct request {
	struct arena *arena;
	struct runtime *rt;		/* settings it began with; borrowed */
	const struct carrier *carrier;
	void *carrier_ctx;
	int fd;				/* the client's connection; -1: none */
	char **params;			/* NAME=value, NULL at the end */

	const char *method;
	const char *raw_path;		/* as sent, without query */
	const char *query;		/* without '?', or NULL */
	const char *below;		/* raw_path below basePath */
	const char *route_path;		/* below, normalised, for routing */
	int64_t length;			/* of the body; -1: unknown (chunked) */
	bool is_head;
	char id[REQUEST_ID_MAX + 1];	/* of the web server, or ours */
	unsigned route;			/* route.h's number of its route */
	int64_t started;		/* mono ms */
	bool limited_ok;		/* the route is for limited tokens of
					   Backstage, too; before who */
	bool portal_ok;			/* and for tokens of kubectl */
	bool told;			/* nginx's log and the audit log tell
					   all of it */
	struct identity who;
	/* Clusters that it asked: audit_request.h */
	struct audit_use *uses, **uses_end;

	struct response {		/* response.c's */
		int status;
		bool started;
		bool failed;	/* the client left */
		bool aborted;	/* cut short: the carrier must not end it
				   as if it were whole */
		bool bare;	/* without the headers of every answer */
		size_t head;	/* bytes of the head so far */
		uint64_t bytes;
	} response;
};

/*
 * Parse the parameters. 0, or an error to answer with:
 * E_INPUT (bad method, target, length), E_NOTFOUND (not below basePath).
 */
int request_init(struct request *req, struct err *err);

/*
 * Be the request with that method and target instead, whose headers came
 * along: what the web server asks about. target NULL: the path stays. 0 or
 * as request_init.
 */
int request_become(struct request *req, const char *method,
    const char *target, struct err *err);

/* A parameter; NULL if absent. The first, if it came twice. */
const char *request_param(const struct request *req, const char *name);
size_t request_param_count(const struct request *req, const char *name);
/*
 * A request header by its name in any case; NULL if absent. One that came
 * twice is joined with ", ".
 */
const char *request_header(const struct request *req, const char *name);
/*
 * All headers in order: names lower-cased with dashes. Returns the array in
 * the arena and its length. Content-Type is among them; Content-Length not.
 */
struct header;
struct header *request_headers(const struct request *req, size_t *n);

/*
 * The whole body, gzip undone, at most limit bytes (counted decoded).
 * E_TOOLARGE, E_GONE, E_TIMEOUT (it came too slowly), E_MEDIA (encoding),
 * E_INPUT (bad gzip).
 */
int request_body(struct request *req, size_t limit, struct strbuf *out,
    struct err *err);

#endif
