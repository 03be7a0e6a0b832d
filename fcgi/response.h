/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers: status, headers (with the security headers that every answer of
 * the contract carries), JSON, streams, and the one table from E_* to HTTP.
 * All functions return 0 or E_GONE; a client that left is no other error.
 */
#ifndef STAGEDOOR_RESPONSE_H
#define STAGEDOOR_RESPONSE_H

struct err;
struct request;
struct strbuf;

/* Status line and the headers of every answer; more may follow. */
int response_start(struct request *req, int status);
/* The status line alone, for an answer that no browser gets. */
int response_start_bare(struct request *req, int status);
/* The same for a page of ours: it brings a policy of its own, which nobody may
   frame, says who learns its address, and is not kept. */
struct page_policy {
	const char *csp;	/* Content-Security-Policy */
	const char *referrer;	/* Referrer-Policy */
};
int response_start_page(struct request *req, int status,
    const struct page_policy *policy);
int response_header(struct request *req, const char *name, const char *value);
/*
 * A cookie for nobody but us: no script sees it, and other sites do not send
 * it but with a link. The only way to set one. One with characters that no
 * value has (RFC 6265) is dropped.
 */
struct response_cookie {
	const char *name, *value, *path;
	int64_t seconds;	/* 0: it is to go */
	bool secure;		/* over https only */
};
int response_cookie(struct request *req, const struct response_cookie *c);
/* End of headers. */
int response_body(struct request *req);
int response_write(struct request *req, const char *data, size_t len);
int response_flush(struct request *req);

/* A whole JSON answer with ETag (weak) and 304 on If-None-Match. */
int response_json(struct request *req, int status, const char *data,
    size_t len);
/* Start a JSON answer whose body follows by response_write. */
int response_json_stream(struct request *req, int status);
/* A whole answer of plain text that nobody keeps. */
int response_text(struct request *req, int status, const char *type,
    const struct strbuf *text);
/* 404 with an empty body and no content type: unknown route or method. */
int response_empty(struct request *req, int status);

/*
 * The contract's error body (backstage-contract.md section 1). name NULL:
 * from the code. extra: ready JSON members for "error" (",\"a\":1") or NULL.
 * url NULL: below basePath with query.
 */
struct api_error {
	int code;		/* E_*; with status 0 it decides both */
	int status;
	const char *name, *message, *extra, *url;
};
int response_api_error(struct request *req, const struct api_error *e);
/* The status for an E_*: of the one table. */
int response_status(int code);
/* The usual case: from an err. */
int response_error(struct request *req, const struct err *err);

#endif
