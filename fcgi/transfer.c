/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Easy handles from structs. Every option that matters is set each time,
 * also those whose default is right today. The request's path never becomes
 * part of a URL that libcurl parses: the URL is the cluster's origin, and the
 * path goes out byte for byte as the request target.
 */
#include "base.h"

#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include "address.h"
#include "transfer.h"
#include "transport_private.h"

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
#define TRANSFER_SILENCE_PARTS 3u	/* where it must show sooner */

CURLM *
transfer_multi_new(long connections)
{
	CURLM *m = curl_multi_init();

	if (m == NULL)
		BUG("curl_multi_init failed");
	curl_multi_setopt(m, CURLMOPT_MAXCONNECTS, connections);
	curl_multi_setopt(m, CURLMOPT_MAX_TOTAL_CONNECTIONS, connections);
	curl_multi_setopt(m, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX);
	curl_multi_setopt(m, CURLMOPT_MAX_CONCURRENT_STREAMS,
	    (long)UPSTREAM_FETCHES_HTTP2);
	return m;
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

/*
 * What was sent, probes of keep-alive too, must be acknowledged in time. Two
 * thirds: the first probe goes out after one.
 */
static void
bound_silence(int fd, unsigned silence)
{
	unsigned ms = silence * 1000 / TRANSFER_SILENCE_PARTS * 2;

	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof(ms));
}

/*
 * Close-on-exec, and the address for the words of an error. Here, where the
 * very address is at hand that is connected to, and not where a name is looked
 * up, it is held against what the upstream may reach: whoever has the name may
 * let it stand for something else the next moment.
 */
static curl_socket_t
open_socket(void *ctx, curlsocktype purpose UNUSED, struct curl_sockaddr *a)
{
	struct transfer *t = ctx;
	int fd;

	if (t->up->public_only && !address_is_public(&a->addr)) {
		t->not_public = true;
		return CURL_SOCKET_BAD;
	}
	if (a->addrlen <= sizeof(t->peer))
		memcpy(&t->peer, &a->addr, a->addrlen);
	fd = socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
	if (fd < 0 && errno != EAFNOSUPPORT)	/* a host without IPv6 */
		t->no_socket = errno;
	if (fd >= 0 && t->silence != 0)
		bound_silence(fd, t->silence);
	return fd;
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

/* As blobs: set by a callback, one's connection would serve another. */
static void
set_certificate(struct transfer *t, const struct credential *cred)
{
	struct curl_blob blob = { cred->certificate.ptr,
	    cred->certificate.len, CURL_BLOB_NOCOPY };

	if (cred->kind != CREDENTIAL_CERTIFICATE)
		return;
	SET(t, CURLOPT_SSLCERT_BLOB, &blob);
	SET(t, CURLOPT_SSLCERTTYPE, "PEM");
	blob.data = cred->key.ptr;
	blob.len = cred->key.len;
	SET(t, CURLOPT_SSLKEY_BLOB, &blob);
	SET(t, CURLOPT_SSLKEYTYPE, "PEM");
}

static void
set_keepalive(struct transfer *t, unsigned silence)
{
	long part = (long)(silence / TRANSFER_SILENCE_PARTS);

	SET(t, CURLOPT_TCP_KEEPALIVE, 1L);
	SET(t, CURLOPT_TCP_KEEPIDLE, part ? part : TRANSFER_KEEPALIVE_IDLE);
	SET(t, CURLOPT_TCP_KEEPINTVL, part ? SD_MAX(part / 2, 1L) :
	    TRANSFER_KEEPALIVE_STEP);
}

static void
set_connection(struct transfer *t, const struct transfer_spec *spec)
{
	const struct upstream *up = spec->up;

	SET(t, CURLOPT_URL, up->origin);
	SET(t, CURLOPT_PROTOCOLS_STR, up->tls ? "https" : "http");
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
	set_keepalive(t, spec->silence);
	SET(t, CURLOPT_FRESH_CONNECT, spec->fresh ? 1L : 0L);
	SET(t, CURLOPT_MAXAGE_CONN, TRANSFER_IDLE_MAX);
	SET(t, CURLOPT_MAXLIFETIME_CONN, TRANSFER_LIFE_MAX);
	SET(t, CURLOPT_BUFFERSIZE, TRANSFER_BUFFER);
	SET(t, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	SET(t, CURLOPT_OPENSOCKETDATA, t);
	SET(t, CURLOPT_ERRORBUFFER, t->words);
	if (up->tls) {
		set_tls(t, up);
		set_certificate(t, spec->cred);
	}
}

static void
set_request(struct transfer *t, const struct transfer_spec *spec)
{
	const char *method = spec->method ? spec->method : "GET";
	/* Over HTTP/2, libcurl may lose an answer that comes before all of
	   the body has gone out; and such a request shares no connection. */
	bool h2 = spec->bounded && spec->up->tls && spec->method == NULL;

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
	if (transfer_has_body(spec)) {
		SET(t, CURLOPT_UPLOAD, 1L);
		SET(t, CURLOPT_UPLOAD_BUFFERSIZE, TRANSFER_UPLOAD_BUFFER);
		SET(t, CURLOPT_INFILESIZE_LARGE, (curl_off_t)spec->length);
		SET(t, CURLOPT_CUSTOMREQUEST, method);
	} else if (strcmp(method, "HEAD") == 0) {
		SET(t, CURLOPT_NOBODY, 1L);
	} else {
		SET(t, CURLOPT_HTTPGET, 1L);
		if (strcmp(method, "GET") != 0)
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

	if (m == NULL)
		return true;
	return !transfer_has_body(spec) && (strcmp(m, "GET") == 0 ||
	    strcmp(m, "HEAD") == 0 || strcmp(m, "OPTIONS") == 0);
}

int
transfer_init(struct transfer *t, const struct transfer_spec *spec,
    struct err *err)
{
	int r;

	memset(t, 0, sizeof(*t));
	t->up = spec->up;
	t->ctx = spec->ctx;
	t->on_send = spec->on_send;
	t->silence = spec->silence;
	t->replayable = is_replayable(spec);
	if ((r = transfer_write(t, spec, err)) != 0) {
		transfer_release(t);
		return r;
	}
	if ((t->easy = curl_easy_init()) == NULL)
		BUG("curl_easy_init failed");
	set_connection(t, spec);
	set_request(t, spec);
	set_callbacks(t, spec);
	return 0;
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
