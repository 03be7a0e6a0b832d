/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From how libcurl says that a transfer failed to our codes and words. The
 * words are those that Backstage's users know from Node; detail holds them
 * again in a form that transport_cause reads back.
 */
#include "base.h"

#include <arpa/inet.h>
#include <openssl/x509_vfy.h>

#include "transfer.h"

/* Verification errors by the names that OpenSSL and Node give them. */
static const struct {
	long code;
	const char *name, *text;
} verify_names[] = {
	/* OpenSSL stops at 20; for a leaf alone Node goes on to say 21. */
	{ 20, "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
	    "unable to verify the first certificate" },
	{ 21, "UNABLE_TO_VERIFY_LEAF_SIGNATURE", NULL },
	{ 2, "UNABLE_TO_GET_ISSUER_CERT", NULL },
	{ 7, "CERT_SIGNATURE_FAILURE", NULL },
	{ 9, "CERT_NOT_YET_VALID", NULL },
	{ 10, "CERT_HAS_EXPIRED", NULL },
	{ 18, "DEPTH_ZERO_SELF_SIGNED_CERT", NULL },
	{ 19, "SELF_SIGNED_CERT_IN_CHAIN", NULL },
	{ 22, "CERT_CHAIN_TOO_LONG", NULL },
	{ 23, "CERT_REVOKED", NULL },
	{ 24, "INVALID_CA", NULL },
	{ 26, "INVALID_PURPOSE", NULL },
	{ 27, "CERT_UNTRUSTED", NULL },
	{ 28, "CERT_REJECTED", NULL },
};

/* What connect can fail with; the names are for people and Node's clients. */
static const struct {
	int code;
	const char *name;
} errno_names[] = {
	{ ECONNREFUSED, "ECONNREFUSED" },
	{ ECONNRESET, "ECONNRESET" },
	{ ECONNABORTED, "ECONNABORTED" },
	{ ETIMEDOUT, "ETIMEDOUT" },
	{ EHOSTUNREACH, "EHOSTUNREACH" },
	{ EHOSTDOWN, "EHOSTDOWN" },
	{ ENETUNREACH, "ENETUNREACH" },
	{ ENETDOWN, "ENETDOWN" },
	{ EADDRNOTAVAIL, "EADDRNOTAVAIL" },
	{ EACCES, "EACCES" },
	{ EPERM, "EPERM" },
	{ EMFILE, "EMFILE" },
	{ ENFILE, "ENFILE" },
	{ EPIPE, "EPIPE" },
	/* libuv's number for a name that does not resolve */
	{ 3008, "ENOTFOUND" },
};

static const char *
errno_name(int code)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(errno_names); i++)
		if (errno_names[i].code == code)
			return errno_names[i].name;
	return "ECONNREFUSED";	/* curl kept no errno: nobody listens */
}

static void
peer_print(const struct sockaddr_storage *ss, char *ip, size_t len,
    unsigned *port)
{
	const struct sockaddr_in *v4 = (const void *)ss;
	const struct sockaddr_in6 *v6 = (const void *)ss;

	*ip = '\0';
	*port = 0;
	if (ss->ss_family == AF_INET) {
		inet_ntop(AF_INET, &v4->sin_addr, ip, (socklen_t)len);
		*port = ntohs(v4->sin_port);
	} else if (ss->ss_family == AF_INET6) {
		inet_ntop(AF_INET6, &v6->sin6_addr, ip, (socklen_t)len);
		*port = ntohs(v6->sin6_port);
	}
}

static int
connect_error(const struct transfer *t, int code, int errnum, struct err *err)
{
	char ip[INET6_ADDRSTRLEN];
	const char *name = errno_name(errnum);
	unsigned port;

	peer_print(&t->peer, ip, sizeof(ip), &port);
	err_set(err, code, "connect %s %s%s%.0u", name, *ip ? ip : t->up->host,
	    port ? ":" : "", port);
	err_detail(err, "%s connect %s %u", name, *ip ? ip : t->up->host,
	    port);
	return code;
}

static int
resolve_error(const struct transfer *t, struct err *err)
{
	err_set(err, E_CONNECT, "getaddrinfo ENOTFOUND %s", t->up->host);
	err_detail(err, "ENOTFOUND getaddrinfo %s 0", t->up->host);
	return E_CONNECT;
}

static int
plain_error(struct err *err, int code, const char *name, const char *text)
{
	err_set(err, code, "%s", text);
	err_detail(err, "%s", name);
	return code;
}

/* The address is nobody's business: it may be what the name was for. */
static int
not_public_error(const struct transfer *t, struct err *err)
{
	char text[300];

	snprintf(text, sizeof(text), "'%s' stands for an address that is not "
	    "public", t->up->host);
	return plain_error(err, E_CONNECT, "EACCES", text);
}

static int
verify_error(const struct transfer *t, struct err *err)
{
	const char *text;
	long v = 0;
	size_t i;

	curl_easy_getinfo(t->easy, CURLINFO_SSL_VERIFYRESULT, &v);
	/* Where the chain is good it was the name; curl says 1 then. */
	if (v == X509_V_OK || v == X509_V_ERR_UNSPECIFIED)
		return plain_error(err, E_TLS, "ERR_TLS_CERT_ALTNAME_INVALID",
		    "Hostname/IP does not match certificate's altnames");
	for (i = 0; i < ARRAY_LEN(verify_names); i++) {
		if (verify_names[i].code != v)
			continue;
		text = verify_names[i].text;
		if (text == NULL)
			text = X509_verify_cert_error_string(v);
		return plain_error(err, E_TLS, verify_names[i].name, text);
	}
	return plain_error(err, E_TLS, "", X509_verify_cert_error_string(v));
}

static int
timeout_error(const struct transfer *t, struct err *err)
{
	char text[64];

	if (t->sends == 0)
		return connect_error(t, E_TIMEOUT, ETIMEDOUT, err);
	snprintf(text, sizeof(text), "no answer within %g s", t->up->timeout);
	return plain_error(err, E_TIMEOUT, "ETIMEDOUT", text);
}

static int
other_error(const struct transfer *t, CURLcode rc, struct err *err)
{
	char text[CURL_ERROR_SIZE + 32];

	snprintf(text, sizeof(text), "not understood: %s",
	    t->words[0] ? t->words : curl_easy_strerror(rc));
	return plain_error(err, E_PROTOCOL, "EPROTO", text);
}

/*
 * Over HTTP/1.1 curl itself sends the request again then. Over HTTP/2 it
 * (7.88) goes on using a connection that the server said good-bye to, which
 * a server that restarts does also on those that are new.
 */
bool
transfer_met_closing(struct transfer *t, CURLcode rc)
{
	long made = 0;

	if (rc == CURLE_HTTP2 || rc == CURLE_HTTP2_STREAM)
		return true;
	curl_easy_getinfo(t->easy, CURLINFO_NUM_CONNECTS, &made);
	return made == 0 && (rc == CURLE_SEND_ERROR ||
	    rc == CURLE_RECV_ERROR || rc == CURLE_GOT_NOTHING);
}

int
transfer_result(struct transfer *t, CURLcode rc, struct err *err)
{
	long errnum = 0;

	switch (rc) {
	case CURLE_OK:
		if (err != NULL)
			err->code = 0;
		return 0;
	case CURLE_COULDNT_RESOLVE_HOST:
		return resolve_error(t, err);
	case CURLE_COULDNT_CONNECT:
		if (t->not_public)
			return not_public_error(t, err);
		if (t->no_socket != 0)
			return err_set(err, E_SYSTEM, "no socket: %s",
			    strerror(t->no_socket));
		curl_easy_getinfo(t->easy, CURLINFO_OS_ERRNO, &errnum);
		return connect_error(t, E_CONNECT, (int)errnum, err);
	case CURLE_OPERATION_TIMEDOUT:
		return timeout_error(t, err);
	case CURLE_PEER_FAILED_VERIFICATION:
		return verify_error(t, err);
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_SSL_CIPHER:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_USE_SSL_FAILED:
		return plain_error(err, E_TLS, "EPROTO", t->words[0] ?
		    t->words : curl_easy_strerror(rc));
	case CURLE_PARTIAL_FILE:
		return plain_error(err, E_PROTOCOL,
		    "ERR_STREAM_PREMATURE_CLOSE", "the answer ended early");
	case CURLE_GOT_NOTHING:
	case CURLE_RECV_ERROR:
	case CURLE_SEND_ERROR:
	case CURLE_SEND_FAIL_REWIND:
	case CURLE_ABORTED_BY_CALLBACK:
		return plain_error(err, E_PROTOCOL, "ECONNRESET",
		    "socket hang up");
	case CURLE_FILESIZE_EXCEEDED:
		return plain_error(err, E_TOOLARGE, "", "answer too large");
	default:
		return other_error(t, rc, err);
	}
}

void
transport_cause(const struct err *err, struct transport_cause *out)
{
	char syscall[16] = "";
	size_t i;
	int n;

	memset(out, 0, sizeof(*out));
	n = sscanf(err->detail, "%39s %15s %255s %u", out->code, syscall,
	    out->address, &out->port);
	if (n < 4) {
		out->address[0] = '\0';
		return;
	}
	out->syscall = strcmp(syscall, "connect") == 0 ? "connect" :
	    "getaddrinfo";
	for (i = 0; i < ARRAY_LEN(errno_names); i++)
		if (strcmp(errno_names[i].name, out->code) == 0)
			out->err_no = -errno_names[i].code;
}
