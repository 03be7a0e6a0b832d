/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AWS Signature Version 4, for requests to the path "/": in the query (a
 * presigned URL) or in headers. Pure: the clock is the caller's.
 *
 * Results are strings in the caller's arena. They and what led to them hold
 * secrets, so the arena must be one that is wiped.
 */
#ifndef STAGEDOOR_SIGV4_H
#define STAGEDOOR_SIGV4_H

#include "cluster.h"

struct arena;
struct secret;

#define SIGV4_HEX 65		/* SHA-256 in hex and NUL */
#define SIGV4_DATE 17		/* "20250314T150926Z" and NUL */
#define SIGV4_PAIRS_MAX 16	/* of a query, ours included */

struct sigv4_signer {
	const char *access_key_id;
	const struct secret *secret;
	const struct secret *session_token;	/* empty: none */
	const char *region, *service;
	int64_t now;				/* wall ms */
};

struct sigv4_request {
	const char *method, *host;	/* host with a port that is not the
					   scheme's own */
	const struct pair *query;	/* unencoded; in any order */
	size_t nquery;
	/* To be signed beside host: lower-case names, in their order. */
	const struct pair *headers;
	size_t nheaders;
	const char *body;
	size_t body_len;
	unsigned expires;		/* s; presigning only */
};

void sigv4_date(int64_t now, char out[SIGV4_DATE]);
/* The whole https URL, its parameters sorted, the signature last. */
char *sigv4_presign(struct arena *arena, const struct sigv4_signer *signer,
    const struct sigv4_request *req);
/*
 * The value of Authorization. headers must already have x-amz-date and, if
 * there is a session token, x-amz-security-token; host is added.
 */
char *sigv4_authorization(struct arena *arena,
    const struct sigv4_signer *signer, const struct sigv4_request *req);

#endif
