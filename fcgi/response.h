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

/* Status line and the headers of every answer; more may follow. */
int response_start(struct request *req, int status);
int response_header(struct request *req, const char *name, const char *value);
/* End of headers. */
int response_body(struct request *req);
int response_write(struct request *req, const char *data, size_t len);
int response_flush(struct request *req);

/* A whole JSON answer with ETag (weak) and 304 on If-None-Match. */
int response_json(struct request *req, int status, const char *data,
    size_t len);
/* Start a JSON answer whose body follows by response_write. */
int response_json_stream(struct request *req, int status);
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
/* The usual case: from an err. */
int response_error(struct request *req, const struct err *err);

#endif
