/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one owner of libcurl. Two ways to a cluster:
 *
 * - fetch: a bounded request whose whole answer is kept in memory. They are
 *   submitted in groups to threads that own a curl multi handle each and are
 *   shared by all workers (HTTP/2 multiplexed where the cluster speaks it).
 * - stream: any method, bytes passed on as they come, both ways, on a kept
 *   HTTP/1.1 connection that the calling thread has for itself meanwhile.
 *   Writing may block, and that is the back-pressure.
 *
 * Redirects are not followed. Every wait has a deadline. Each upstream has a
 * breaker: after so many transfers in a row that timed out or were refused,
 * everything fails at once with E_BREAKER, in the words of the failure that
 * opened it, while a probe (GET /version without a credential, any HTTP
 * answer counts) looks at most once per `probe` seconds whether it is back.
 */
#ifndef STAGEDOOR_TRANSPORT_H
#define STAGEDOOR_TRANSPORT_H

#include "credential.h"
#include "err.h"
#include "strbuf.h"

struct cluster_counts;
struct transport;
struct upstream;
struct batch;
struct reading;

struct transport_options {
	unsigned threads;	/* of the fetch side; 0: 2 */
	const char *roots_pem;	/* caFile: roots beside the system's, or NULL */
};

/*
 * Calls curl_global_init and has SIGPIPE ignored: a TLS peer that left would
 * end the process otherwise. Call before other threads start, and never in
 * a child of fork.
 */
struct transport *transport_new(const struct transport_options *opt);
/* All batches must be freed before. Closes every connection. */
void transport_free(struct transport *t);

struct upstream_options {
	const char *url;	/* http(s)://host[:port][/base]; no user info */
	const char *ca_pem;	/* replaces the system's roots; NULL: those */
	bool insecure;		/* skipTLSVerify */
	/* Connect to no address that is not public (address.h), whatever the
	   name stands for at that moment; and share no connection with those
	   that may. */
	bool public_only;
	double connect_timeout, timeout;	/* seconds */
	unsigned breaker_failures;		/* 0: no breaker */
	double breaker_probe;			/* seconds */
};

/*
 * The upstream with exactly these options: the existing one, with its
 * connections and its breaker, or a new one. Gives a reference.
 * E_CONFIG: the url is none, or the PEM holds no certificate.
 */
int upstream_get(struct transport *t, const struct upstream_options *opt,
    struct upstream **out, struct err *err);
void upstream_ref(struct upstream *up);
void upstream_put(struct upstream *up);		/* NULL is fine */
/* What it was made of; borrowed. */
void upstream_tell(const struct upstream *up, struct upstream_options *out);
/*
 * May something be sent there now? 0 or E_BREAKER, with the words of the
 * failure that opened the breaker. Starts the probe that is due.
 */
int upstream_admit(struct upstream *up, struct err *err);
/*
 * Something that may change what is there was sent to the upstream and is
 * over; the number of such calls, for it or any of the same origin (and a few
 * others: the count is one of a fixed table).
 */
void upstream_wrote(struct upstream *up);
unsigned upstream_writes(const struct upstream *up);
/* Is its breaker open? since: wall ms, of its last change; 0: there was
   none. */
bool upstream_refuses(struct upstream *up, int64_t *since);

/* One bounded request. The caller fills the first part and owns it all. */
struct fetch {
	struct upstream *up;
	const char *method;	/* NULL: a GET of the Kubernetes API; else what
				   goes out is never sent twice, and no header
				   is added */
	const char *path;	/* appended to the url's base; with query */
	const struct credential *cred;
	const char *const *headers;	/* extra "Name: value", NULL at end;
					   or NULL */
	const char *upload;	/* the request's body; with a method only */
	size_t upload_len;
	size_t limit;		/* bytes of the (decoded) answer */
	struct strbuf *head;	/* its header lines go there; or NULL */
	bool secret;		/* the answer must be wiped: growing leaves no
				   copies of it behind */
	bool unkept;		/* reads_submit: share it, keep it for nobody */
	const char *id;		/* of the request it is for, as Audit-ID and
				   X-Request-Id: to clusters only; or NULL */
	struct cluster_counts *counts;	/* of metrics.h; or NULL */
	void *owner;		/* the caller's */
	void (*done)(struct fetch *f);	/* of transport_begin's; else NULL */

	int status;		/* HTTP status; 0: none came, see err */
	struct strbuf body;	/* complete if err.code == 0; set up by
				   batch_submit, the caller's to release */
	struct err err;		/* E_CONNECT E_TLS E_TIMEOUT E_PROTOCOL
				   E_TOOLARGE E_BREAKER E_GONE; E_SYSTEM when
				   descriptors ran out; for what must not be
				   sent E_AUTH E_INPUT E_CONFIG */
	struct reading *reading;	/* reads_submit's; else NULL */
	struct fetch *next;	/* transport's, while it runs; so below */
	struct fetch_group *group;
	bool dropped;		/* atomic */
	bool probe;
	int64_t began, deadline;
	unsigned tries;
	size_t uploaded;
};

/* What is waited for as one: the lists of one cluster, or what another
   thread is at (batch_expect). */
struct fetch_group {
	struct fetch *fetches;
	size_t n;		/* may be 0: it is finished at once */
	void *owner;

	/* For batch_expect only. */
	int64_t deadline;	/* mono ms: then it is not waited for longer */
	/* Have it arrive now, if it did not yet; on the batch's thread. */
	void (*forget)(struct fetch_group *g);
	void *forget_ctx;
	bool late;		/* out: the deadline passed */

	size_t pending;		/* transport's; so below */
	struct batch *batch;
	struct fetch_group *next, *expected_next;
};

/*
 * A worker's set of groups. gone_fd is the client's connection (-1: none);
 * its hang-up cancels what is under way. One thread uses a batch.
 */
struct batch *batch_new(struct transport *t, int gone_fd);
void batch_submit(struct batch *b, struct fetch_group *g);
/*
 * Wait for a group without fetches too, until batch_arrived, which any thread
 * may call, once; the group may be gone when that returns.
 */
void batch_expect(struct batch *b, struct fetch_group *g);
void batch_arrived(struct fetch_group *g);
/*
 * The next finished group, in the order they finish; NULL when none is under
 * way. Returns NULL with err->code E_GONE when the client left.
 * Clears err->code otherwise.
 */
struct fetch_group *batch_wait(struct batch *b, struct err *err);
/* Cancels what is under way and waits until no thread touches it. */
void batch_free(struct batch *b);

/*
 * Fetches of one upstream, linked by next, that belong to no batch: each
 * calls its `done` when it is over, on a thread of the transport or before
 * this returns, and is the caller's again there.
 */
void transport_begin(struct fetch *first);
/* Nobody waits for it any more: it ends soon, with E_GONE perhaps. Any
   thread, as long as it is not over. */
void transport_drop(struct fetch *f);

/* One fetch, waited for here. Returns 0 or f->err.code. */
int transport_fetch(struct transport *t, struct fetch *f, int gone_fd);

struct header {
	const char *name, *value;
};

struct stream_request {
	struct upstream *up;
	const char *method;
	const char *path;	/* appended to the url's base; with query */
	const struct header *headers;	/* Host and framing are ours */
	size_t nheaders;
	const struct credential *cred;
	int64_t length;		/* of the body; 0: none; -1: chunked */
	const char *id;		/* as in struct fetch */
	struct cluster_counts *counts;
};

#define STREAM_AGAIN (-1000)	/* read: nothing now, poll fd */

/* Called on the thread that called transport_stream. */
struct stream_io {
	void *ctx;
	/* The final status line and headers as received, hop-by-hop ones
	   included. 0 or an E_* that ends the stream. */
	int (*head)(void *ctx, int status, const struct header *headers,
	    size_t n);
	/* Bytes of the answer (chunking undone, encoding kept). 0 or E_*. */
	int (*body)(void *ctx, const char *data, size_t len);
	/* Nothing more arrived for now: pass on what was buffered. 0 or E_* */
	int (*flush)(void *ctx);
	/* Bytes of the request's body: count, 0 at the end, STREAM_AGAIN, or
	   another negative to end the stream. */
	ssize_t (*read)(void *ctx, char *buf, size_t len);
	int fd;		/* readable when read has more or the client left */
	/* fd is readable though no body is awaited: has the client left? */
	bool (*gone)(void *ctx);
};

/*
 * Run one stream to its end. The deadline (the upstream's timeout) is from
 * the end of the request to the answer's headers; after those only TCP
 * keep-alive watches. 0 when the whole answer was passed on; E_* else, and
 * whether head was called tells what the client has seen already.
 * Upgrades are not spoken here.
 */
int transport_stream(struct transport *t, const struct stream_request *rq,
    const struct stream_io *io, struct err *err);

/*
 * Words for a failed transfer, without secrets, stand in err.text: "connect
 * ECONNREFUSED 127.0.0.1:6443", "certificate has expired". err.detail begins
 * with a code such as "ECONNREFUSED" or "CERT_HAS_EXPIRED" where there is
 * one; this takes it apart. Only for errors that came from the transport.
 */
struct transport_cause {
	char code[40];		/* "" if there is none */
	const char *syscall;	/* "connect", "getaddrinfo"; NULL: the rest
				   is not known either */
	int err_no;		/* negative, as Node shows it; 0: none */
	char address[256];	/* the host's name with getaddrinfo */
	unsigned port;		/* 0: none */
};
void transport_cause(const struct err *err, struct transport_cause *out);

#endif
