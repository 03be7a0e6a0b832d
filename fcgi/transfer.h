/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request to a cluster as a fresh curl easy handle, every option set
 * from a struct, freed at its end: nothing of one user can stay for the
 * next. The only file that sets curl options, and the one that turns a
 * CURLcode into an E_* with words.
 */
#ifndef STAGEDOOR_TRANSFER_H
#define STAGEDOOR_TRANSFER_H

#include <curl/curl.h>
#include <netinet/in.h>

#include "transport.h"
#include "upstream.h"

/* Hash of a client certificate and its key; zeros without one. Where only
   public addresses may be reached, another value for each. */
#define TRANSFER_IDENTITY 32

struct transfer_spec {
	struct upstream *up;
	const char *method;		/* NULL: GET */
	const char *path;
	const struct header *headers;
	size_t nheaders;
	const char *const *lines;	/* more of them: "Name: value" */
	const struct credential *cred;
	const char *id;			/* of the request; or NULL */
	int64_t length;			/* as in struct stream_request */
	bool bounded;			/* a fetch: HTTP/2, decoded, Accept */
	bool fresh;			/* on a new connection */
	unsigned silence;		/* s until a connection on which nothing
					   is heard any more counts as broken;
					   0: minutes */
	size_t limit;			/* of its answer; 0: none */

	void *ctx;			/* of these, which may be NULL */
	curl_write_callback on_head, on_body;
	curl_read_callback on_read;
	/* The request is about to be sent. */
	void (*on_send)(void *ctx);
};

struct transfer {
	CURL *easy;
	struct upstream *up;
	void *ctx;
	void (*on_send)(void *ctx);
	bool replayable;		/* curl may send it once more */
	unsigned silence;
	unsigned sends;
	/* Only multi handles of this identity may run it. */
	unsigned char identity[TRANSFER_IDENTITY];
	struct strbuf lines, target;	/* what the handle points to */
	struct curl_slist *nodes;
	char words[CURL_ERROR_SIZE];
	struct sockaddr_storage peer;	/* tried last */
	int no_socket;			/* errno, when there was none to have */
	bool not_public;		/* an address was refused */
};

/*
 * Make the handle. It borrows the upstream and the credential until
 * transfer_release, and t must not move. 0, E_INPUT (method, path or header
 * that must not be sent), E_AUTH (no credential), E_CONFIG (a certificate
 * for a cluster without TLS).
 */
int transfer_init(struct transfer *t, const struct transfer_spec *spec,
    struct err *err);
/* transfer_lines.c: target, lines, nodes and identity. */
int transfer_write(struct transfer *t, const struct transfer_spec *spec,
    struct err *err);
bool transfer_has_body(const struct transfer_spec *spec);
/* After the handle left its multi. Fine on zeroed memory. */
void transfer_release(struct transfer *t);
/* Did it fail because its connection was at its end? */
bool transfer_met_closing(struct transfer *t, CURLcode rc);
/* How it ended: 0, or an E_* with the words of transport.h. */
int transfer_result(struct transfer *t, CURLcode rc, struct err *err);

/* A multi handle with at most so many connections, idle ones too. */
CURLM *transfer_multi_new(long connections);

#endif
