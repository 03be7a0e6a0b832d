/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One bounded HTTP exchange with a cloud, waited for on the calling thread:
 * tokens, metadata, lists. Redirects are not followed, no proxy is used, and
 * a request is never sent twice. Over TLS the peer is verified against the
 * system's roots and stagedoor.caFile.
 */
#ifndef STAGEDOOR_HTTP_H
#define STAGEDOOR_HTTP_H

#include "err.h"
#include "secret.h"

struct transport;

#define HTTP_ANSWER_MAX (1 << 20)	/* bytes: lists of clusters too */
#define HTTP_CONNECT_TIMEOUT 2.0	/* seconds */
#define HTTP_TIMEOUT 10.0

struct http_request {
	const char *method;		/* NULL: GET */
	const char *url;		/* http(s), encoded, no user info */
	const char *const *headers;	/* "Name: value", NULL at the end;
					   or NULL; Host, framing are ours */
	const char *body;		/* NULL: none */
	size_t body_len;
	double connect_timeout, timeout;	/* seconds; 0: as above. timeout
					   is from the end of the request to
					   the end of the answer */
	size_t limit;			/* bytes of the answer; 0: as above */
};

struct http_answer {
	int status;
	struct secret body;		/* whole and decoded; NULL if empty */
	struct secret head;		/* its header lines, as they came */
	int64_t skew;			/* ms that their clock (Date) is ahead
					   of ours; 0 within two seconds */
	int64_t retry_after;		/* ms; 0: not said; at most 5 min */
};

#define HTTP_ANSWER_INIT { 0, SECRET_INIT, SECRET_INIT, 0, 0 }

/*
 * Whatever the status, 0 if a whole answer came; the caller releases out.
 * Else the transport's E_* and words (transport.h): err.text names no path.
 */
int http_exchange(struct transport *t, const struct http_request *rq,
    struct http_answer *out, struct err *err);
/* The value of the first header of that name (any case); false: none. */
bool http_answer_header(const struct http_answer *a, const char *name,
    char *out, size_t size);
void http_answer_release(struct http_answer *a);

#endif
