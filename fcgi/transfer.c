/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Easy handles from structs. Every option that matters is set each time,
 * also those whose default is right today. The request's path never becomes
 * part of a URL that libcurl parses: the URL is the cluster's origin, and the
 * path goes out byte for byte as the request target.
 */
#include "base.h"

#include <ctype.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include "transfer.h"
#include "transport_private.h"

#define TRANSFER_LINES_MAX (256 * 1024)	/* request headers of one transfer */
#define TRANSFER_HEADERS_MAX 512
#define TRANSFER_TARGET_MAX (64 * 1024)
#define TRANSFER_METHOD_MAX 32
#define TRANSFER_BUFFER 16384L		/* bytes read at once: TLS records */
#define TRANSFER_UPLOAD_BUFFER 65536L
/*
 * A kept connection is not used again after this long without use: servers
 * and load balancers forget idle ones after 60 seconds or more, and a request
 * that meets the closing is lost unless it may be sent again.
 */
#define TRANSFER_IDLE_MAX 50L
#define TRANSFER_LIFE_MAX 3600L		/* so that addresses may change */
#define TRANSFER_KEEPALIVE_IDLE 30L	/* TCP keep-alive: a dead peer of a */
#define TRANSFER_KEEPALIVE_STEP 10L	/* stream shows after two minutes */

/* Framing is curl's, the host and the credential are ours. */
static const char *const own_headers[] = { "authorization", "connection",
    "content-length", "expect", "host", "http2-settings", "keep-alive",
    "proxy-authorization", "proxy-connection", "te", "trailer",
    "transfer-encoding", "upgrade" };

CURLM *
transfer_multi_new(long connections)
{
	CURLM *m = curl_multi_init();

	if (m == NULL)
		BUG("curl_multi_init failed");
	curl_multi_setopt(m, CURLMOPT_MAXCONNECTS, connections);
	curl_multi_setopt(m, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX);
	curl_multi_setopt(m, CURLMOPT_MAX_CONCURRENT_STREAMS,
	    (long)UPSTREAM_FETCHES_HTTP2);
	return m;
}

/* ---- what may be sent ---- */

static bool
token_ok(const char *s, size_t max)
{
	size_t n = strlen(s);

	if (n == 0 || n > max)
		return false;
	for (; *s != '\0'; s++)
		if (!isalnum((unsigned char)*s) &&
		    strchr("!#$%&'*+-.^_`|~", *s) == NULL)
			return false;
	return true;
}

/* No control characters: a line must not become two. */
static bool
value_ok(const char *s)
{
	for (; *s != '\0'; s++)
		if ((unsigned char)*s < 0x20 ? *s != '\t' : *s == 0x7f)
			return false;
	return true;
}

static bool
path_ok(const char *s)
{
	if (*s != '/')
		return false;
	for (; *s != '\0'; s++)
		if ((unsigned char)*s <= 0x20 || *s == 0x7f)
			return false;
	return true;
}

static int
check_request(const struct transfer_spec *spec, struct err *err)
{
	const char *m = spec->method;

	if (m != NULL && (!token_ok(m, TRANSFER_METHOD_MAX) ||
	    strcmp(m, "CONNECT") == 0))
		return err_set(err, E_INPUT, "method cannot be sent");
	if (!path_ok(spec->path))
		return err_set(err, E_INPUT, "path cannot be sent");
	return 0;
}

/* ---- header lines ---- */

static bool
is_own(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(own_headers); i++)
		if (strcasecmp(name, own_headers[i]) == 0)
			return true;
	return false;
}

/* curl takes "Name;" for a header without a value; "Name:" would drop it. */
static void
add_line(struct transfer *t, size_t *n, const char *name, const char *value)
{
	strbuf_addstr(&t->lines, name);
	if (*value == '\0')
		strbuf_addch(&t->lines, ';');
	else
		strbuf_addstr(&t->lines, ": ");
	strbuf_addstr(&t->lines, value);
	strbuf_addch(&t->lines, '\0');
	(*n)++;
}

/* Keep curl from sending one of its own accord. */
static void
drop_line(struct transfer *t, size_t *n, const char *name)
{
	strbuf_addstr(&t->lines, name);
	strbuf_add(&t->lines, ":", 2);
	(*n)++;
}

static int
add_headers(struct transfer *t, size_t *n, const struct transfer_spec *spec,
    struct err *err)
{
	const struct header *h;
	bool accept = spec->bounded;
	size_t i;

	for (i = 0; i < spec->nheaders; i++) {
		h = &spec->headers[i];
		if (!token_ok(h->name, 256) || !value_ok(h->value))
			return err_set(err, E_INPUT,
			    "header cannot be sent");
		if (is_own(h->name))
			continue;
		accept = accept || strcasecmp(h->name, "accept") == 0;
		add_line(t, n, h->name, h->value);
	}
	for (i = 0; spec->lines != NULL && spec->lines[i] != NULL; i++) {
		if (!value_ok(spec->lines[i]))
			return err_set(err, E_INPUT,
			    "header cannot be sent");
		strbuf_add(&t->lines, spec->lines[i],
		    strlen(spec->lines[i]) + 1);
		(*n)++;
	}
	if (!accept)
		drop_line(t, n, "Accept");
	return 0;
}

static int
add_credential(struct transfer *t, size_t *n, const struct credential *cred,
    struct err *err)
{
	const struct secret *s;

	if (cred == NULL || cred->kind == CREDENTIAL_NONE)
		return err_set(err, E_AUTH, "there is no credential");
	if (cred->kind == CREDENTIAL_ANONYMOUS)
		return 0;
	if (cred->kind == CREDENTIAL_CERTIFICATE)
		return err_set(err, E_NOTBUILT,
		    "client certificates are not built in yet");
	s = &cred->value;
	if (s->len == 0 && cred->kind == CREDENTIAL_VERBATIM) {
		add_line(t, n, "Authorization", "");
		return 0;
	}
	if (s->len == 0 || strlen(s->ptr) != s->len || !value_ok(s->ptr))
		return err_set(err, E_INPUT,
		    "credential cannot stand in a header");
	strbuf_addstr(&t->lines, cred->kind == CREDENTIAL_BEARER ?
	    "Authorization: Bearer " : "Authorization: ");
	strbuf_add(&t->lines, s->ptr, s->len + 1);
	(*n)++;
	return 0;
}

static bool
has_body(const struct transfer_spec *spec)
{
	return spec->length != 0 && !spec->bounded &&
	    strcmp(spec->method, "HEAD") != 0;
}

/* GET and HEAD without a body say nothing of it; others say that it is 0. */
static bool
says_length(const struct transfer_spec *spec)
{
	return spec->method != NULL && !has_body(spec) &&
	    strcmp(spec->method, "GET") != 0 &&
	    strcmp(spec->method, "HEAD") != 0;
}

/* libcurl only reads the list, so its nodes can be ours: one allocation. */
static void
link_lines(struct transfer *t, size_t n)
{
	char *p = t->lines.buf;
	size_t i;

	t->nodes = xmalloc((n + 1) * sizeof(*t->nodes));
	for (i = 0; i < n; i++) {
		t->nodes[i].data = p;
		t->nodes[i].next = i + 1 < n ? &t->nodes[i + 1] : NULL;
		p += strlen(p) + 1;
	}
}

static int
make_lines(struct transfer *t, const struct transfer_spec *spec,
    struct err *err)
{
	size_t n = 0;
	int r;

	if ((r = add_credential(t, &n, spec->cred, err)) != 0 ||
	    (r = add_headers(t, &n, spec, err)) != 0)
		return r;
	if (spec->bounded) {
		add_line(t, &n, "Accept", "application/json");
		add_line(t, &n, "Content-Type", "application/json");
	}
	if (says_length(spec))
		add_line(t, &n, "Content-Length", "0");
	if (has_body(spec))
		drop_line(t, &n, "Expect");
	if (t->lines.overflow || n > TRANSFER_HEADERS_MAX)
		return err_set(err, E_INPUT, "too many request headers");
	link_lines(t, n);
	return 0;
}

/* ---- callbacks ---- */

/*
 * curl sends a request again when a kept connection closes before any byte
 * of an answer. The cluster may have done what it asked for by then, so only
 * methods that change nothing go out twice.
 */
static int
before_send(void *ctx, char *ip UNUSED, char *local UNUSED, int port UNUSED,
    int lport UNUSED)
{
	struct transfer *t = ctx;

	t->sends++;
	if (t->sends > 1 && !t->replayable)
		return CURL_PREREQFUNC_ABORT;
	if (t->on_send != NULL)
		t->on_send(t->ctx);
	return CURL_PREREQFUNC_OK;
}

/* Close-on-exec, and the address for the words of an error. */
static curl_socket_t
open_socket(void *ctx, curlsocktype purpose UNUSED, struct curl_sockaddr *a)
{
	struct transfer *t = ctx;

	if (a->addrlen <= sizeof(t->peer))
		memcpy(&t->peer, &a->addr, a->addrlen);
	return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

/*
 * One store of roots for all connections: parsing the system's bundle for
 * each would cost 10 ms and a megabyte. No identity goes this way.
 */
static CURLcode
use_roots(CURL *easy UNUSED, void *ssl_ctx, void *roots)
{
	SSL_CTX_set1_cert_store(ssl_ctx, roots);
	return CURLE_OK;
}

/* ---- options ---- */

#define SET(t, option, value)                                                 \
	do {                                                                  \
		if (curl_easy_setopt((t)->easy, (option), (value)) !=         \
		    CURLE_OK)                                                 \
			BUG("libcurl refused " #option);                      \
	} while (0)

static void
set_tls(struct transfer *t, const struct upstream *up)
{
	struct curl_blob ca = { up->ca_pem, 0, CURL_BLOB_NOCOPY };

	SET(t, CURLOPT_SSL_VERIFYPEER, up->insecure ? 0L : 1L);
	SET(t, CURLOPT_SSL_VERIFYHOST, up->insecure ? 0L : 2L);
	SET(t, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	/* A resumed session would carry the identity of who began it. */
	SET(t, CURLOPT_SSL_SESSIONID_CACHE, 0L);
	SET(t, CURLOPT_CAINFO, NULL);
	SET(t, CURLOPT_CAPATH, NULL);
#if LIBCURL_VERSION_NUM >= 0x075700
	SET(t, CURLOPT_CA_CACHE_TIMEOUT, 0L);
#endif
	if (up->ca_pem != NULL) {
		ca.len = strlen(up->ca_pem);
		SET(t, CURLOPT_CAINFO_BLOB, &ca);
	} else if (!up->insecure) {
		SET(t, CURLOPT_SSL_CTX_FUNCTION, use_roots);
		SET(t, CURLOPT_SSL_CTX_DATA, up->transport->roots);
	}
}

static void
set_connection(struct transfer *t, const struct transfer_spec *spec)
{
	const struct upstream *up = spec->up;

	SET(t, CURLOPT_URL, up->origin);
#if LIBCURL_VERSION_NUM >= 0x075500
	SET(t, CURLOPT_PROTOCOLS_STR, up->tls ? "https" : "http");
#else
	SET(t, CURLOPT_PROTOCOLS, up->tls ? (long)CURLPROTO_HTTPS :
	    (long)CURLPROTO_HTTP);
#endif
	SET(t, CURLOPT_FOLLOWLOCATION, 0L);
	SET(t, CURLOPT_PROXY, "");	/* nor one of the environment */
	SET(t, CURLOPT_NOSIGNAL, 1L);
#if LIBCURL_VERSION_NUM >= 0x075700
	/* A name server that hangs must not hold up the thread's others. */
	SET(t, CURLOPT_QUICK_EXIT, 1L);
#endif
	SET(t, CURLOPT_CONNECTTIMEOUT_MS, (long)up->connect_ms);
	SET(t, CURLOPT_TIMEOUT_MS, 0L);
	SET(t, CURLOPT_TCP_NODELAY, 1L);
	SET(t, CURLOPT_TCP_KEEPALIVE, 1L);
	SET(t, CURLOPT_TCP_KEEPIDLE, TRANSFER_KEEPALIVE_IDLE);
	SET(t, CURLOPT_TCP_KEEPINTVL, TRANSFER_KEEPALIVE_STEP);
	SET(t, CURLOPT_MAXAGE_CONN, TRANSFER_IDLE_MAX);
	SET(t, CURLOPT_MAXLIFETIME_CONN, TRANSFER_LIFE_MAX);
	SET(t, CURLOPT_BUFFERSIZE, TRANSFER_BUFFER);
	SET(t, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	SET(t, CURLOPT_OPENSOCKETDATA, t);
	SET(t, CURLOPT_ERRORBUFFER, t->words);
	if (up->tls)
		set_tls(t, up);
}

static void
set_request(struct transfer *t, const struct transfer_spec *spec)
{
	const char *method = spec->method ? spec->method : "GET";
	bool h2 = spec->bounded && spec->up->tls;

	SET(t, CURLOPT_HTTP_VERSION, h2 ? (long)CURL_HTTP_VERSION_2TLS :
	    (long)CURL_HTTP_VERSION_1_1);
	SET(t, CURLOPT_PIPEWAIT, h2 ? 1L : 0L);
	SET(t, CURLOPT_HTTP09_ALLOWED, 0L);
	SET(t, CURLOPT_REQUEST_TARGET, t->target.buf);
	SET(t, CURLOPT_HTTPHEADER, t->nodes);
	SET(t, CURLOPT_ACCEPT_ENCODING,
	    spec->bounded ? "gzip, deflate" : NULL);
	SET(t, CURLOPT_HTTP_CONTENT_DECODING, spec->bounded ? 1L : 0L);
	SET(t, CURLOPT_MAXFILESIZE_LARGE,
	    spec->bounded ? (curl_off_t)spec->limit : (curl_off_t)0);
	if (has_body(spec)) {
		SET(t, CURLOPT_UPLOAD, 1L);
		SET(t, CURLOPT_UPLOAD_BUFFERSIZE, TRANSFER_UPLOAD_BUFFER);
		SET(t, CURLOPT_INFILESIZE_LARGE, (curl_off_t)spec->length);
		SET(t, CURLOPT_CUSTOMREQUEST, method);
	} else if (strcmp(method, "HEAD") == 0) {
		SET(t, CURLOPT_NOBODY, 1L);
	} else {
		SET(t, CURLOPT_HTTPGET, 1L);
		SET(t, CURLOPT_CUSTOMREQUEST, method);
	}
}

static void
set_callbacks(struct transfer *t, const struct transfer_spec *spec)
{
	SET(t, CURLOPT_NOPROGRESS, 1L);
	SET(t, CURLOPT_HEADERFUNCTION, spec->on_head);
	SET(t, CURLOPT_HEADERDATA, spec->ctx);
	SET(t, CURLOPT_WRITEFUNCTION, spec->on_body);
	SET(t, CURLOPT_WRITEDATA, spec->ctx);
	SET(t, CURLOPT_READFUNCTION, spec->on_read);
	SET(t, CURLOPT_READDATA, spec->ctx);
	SET(t, CURLOPT_PREREQFUNCTION, before_send);
	SET(t, CURLOPT_PREREQDATA, t);
	SET(t, CURLOPT_PRIVATE, spec->ctx);
}

/* ---- life ---- */

static bool
is_replayable(const struct transfer_spec *spec)
{
	const char *m = spec->method;

	return m == NULL || (!has_body(spec) && (strcmp(m, "GET") == 0 ||
	    strcmp(m, "HEAD") == 0 || strcmp(m, "OPTIONS") == 0));
}

int
transfer_init(struct transfer *t, const struct transfer_spec *spec,
    struct err *err)
{
	int r;

	memset(t, 0, sizeof(*t));
	strbuf_init(&t->lines, TRANSFER_LINES_MAX);
	strbuf_init(&t->target, TRANSFER_TARGET_MAX);
	t->up = spec->up;
	t->ctx = spec->ctx;
	t->on_send = spec->on_send;
	t->replayable = is_replayable(spec);
	if ((r = check_request(spec, err)) != 0 ||
	    (r = make_lines(t, spec, err)) != 0)
		goto out;
	strbuf_addstr(&t->target, spec->up->base);
	strbuf_addstr(&t->target, spec->path);
	if (t->target.overflow) {
		r = err_set(err, E_INPUT, "path is too long");
		goto out;
	}
	if ((t->easy = curl_easy_init()) == NULL)
		BUG("curl_easy_init failed");
	set_connection(t, spec);
	set_request(t, spec);
	set_callbacks(t, spec);
 out:
	if (r != 0)
		transfer_release(t);
	return r;
}

void
transfer_release(struct transfer *t)
{
	if (t->easy != NULL)
		curl_easy_cleanup(t->easy);
	t->easy = NULL;
	if (t->lines.buf != NULL)
		strbuf_wipe(&t->lines);
	if (t->target.buf != NULL)
		strbuf_release(&t->target);
	free(t->nodes);
	t->nodes = NULL;
}
