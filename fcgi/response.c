/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers. Every answer carries the security headers that Backstage's own
 * backend sends; this file alone turns error codes into HTTP.
 */
#include "base.h"

#include <openssl/evp.h>
#include <openssl/sha.h>

#include "arena.h"
#include "err.h"
#include "jsonx.h"
#include "request.h"
#include "response.h"

#define CONTRACT_POLICY                                                       \
	"Content-Security-Policy: default-src 'self';base-uri 'self';"        \
	"font-src 'self' https: data:;form-action 'self';"                    \
	"frame-ancestors 'self';img-src 'self' data:;object-src 'none';"      \
	"script-src 'self';script-src-attr 'none';"                           \
	"style-src 'self' https: 'unsafe-inline'\r\n"                         \
	"Referrer-Policy: no-referrer\r\n"                                    \
	"X-Frame-Options: SAMEORIGIN\r\n"
#define SECURITY_HEADERS                                                      \
	"Cross-Origin-Opener-Policy: same-origin\r\n"                         \
	"Cross-Origin-Resource-Policy: same-origin\r\n"                       \
	"Strict-Transport-Security: max-age=15552000; includeSubDomains\r\n"  \
	"X-Content-Type-Options: nosniff\r\n"                                 \
	"X-DNS-Prefetch-Control: off\r\n"                                     \
	"X-Download-Options: noopen\r\n"                                      \
	"X-Permitted-Cross-Domain-Policies: none\r\n"                         \
	"X-XSS-Protection: 0\r\n"

/* RFC 9110 section 5.6.2 */
#define TOKEN_CHARS "!#$%&'*+-.^_`|~0123456789" \
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

static const struct {
	int code, status;
	const char *name;
} error_table[] = {
	{ E_INPUT, 400, "InputError" },
	{ E_URI, 400, "URIError" },
	{ E_AUTH, 401, "AuthenticationError" },
	{ E_SIGNIN, 401, "AuthenticationError" },
	{ E_DENIED, 403, "NotAllowedError" },
	{ E_NOTFOUND, 404, "NotFoundError" },
	{ E_TOOLARGE, 413, "PayloadTooLargeError" },
	{ E_MEDIA, 415, "UnsupportedMediaTypeError" },
	{ E_NOTBUILT, 501, "NotImplementedError" },
	{ E_BUSY, 503, "ServiceUnavailableError" },
	{ E_BREAKER, 503, "ServiceUnavailableError" },
	{ E_CONNECT, 502, "Error" },
	{ E_TLS, 502, "Error" },
	{ E_PROTOCOL, 502, "Error" },
	{ E_TIMEOUT, 504, "Error" },
};

#define RECORD_UNIT 8		/* a record is padded to a multiple of it */

static int
out(struct request *req, const char *data, size_t len)
{
	int r;

	if (req->response.failed)
		return E_GONE;
	r = req->carrier->write(req->carrier_ctx, data, len);
	if (r != 0)
		req->response.failed = true;
	return r;
}

static int
out_head(struct request *req, const char *data, size_t len)
{
	req->response.head += len;
	return out(req, data, len);
}

static int
start_line(struct request *req, int status)
{
	char line[64];
	int n;

	if (req->response.started)
		BUG("a second answer to one request");
	req->response.started = true;
	req->response.status = status;
	n = snprintf(line, sizeof(line), "Status: %d\r\n", status);
	return out_head(req, line, (size_t)n);
}

int
response_start_bare(struct request *req, int status)
{
	req->response.bare = true;
	return start_line(req, status);
}

static int
start(struct request *req, int status)
{
	start_line(req, status);
	return out_head(req, SECURITY_HEADERS, sizeof(SECURITY_HEADERS) - 1);
}

int
response_start(struct request *req, int status)
{
	start(req, status);
	return out_head(req, CONTRACT_POLICY, sizeof(CONTRACT_POLICY) - 1);
}

int
response_header(struct request *req, const char *name, const char *value)
{
	/* A header that could split the answer is dropped, not mended; so is
	   one that a reader may take for the end of the line before it. */
	if (*name == '\0' || name[strspn(name, TOKEN_CHARS)] != '\0' ||
	    strpbrk(value, "\r\n") != NULL)
		return 0;
	out_head(req, name, strlen(name));
	out_head(req, ": ", 2);
	out_head(req, value, strlen(value));
	return out_head(req, "\r\n", 2);
}

int
response_start_page(struct request *req, int status,
    const struct page_policy *policy)
{
	start(req, status);
	response_header(req, "Content-Security-Policy", policy->csp);
	response_header(req, "Referrer-Policy", policy->referrer);
	response_header(req, "X-Frame-Options", "DENY");
	return response_header(req, "Cache-Control", "no-store");
}

/* RFC 6265, section 4.1.1. */
static bool
is_cookie_text(const char *s)
{
	for (; *s != '\0'; s++)
		if (*s <= ' ' || *s >= 0x7f || strchr("\",;\\", *s) != NULL)
			return false;
	return true;
}

int
response_cookie(struct request *req, const struct response_cookie *c)
{
	if (*c->name == '\0' || c->name[strspn(c->name, TOKEN_CHARS)] != '\0' ||
	    !is_cookie_text(c->value) || !is_cookie_text(c->path))
		return 0;
	return response_header(req, "Set-Cookie", arena_printf(req->arena,
	    "%s=%s; Path=%s; Max-Age=%lld; HttpOnly; %sSameSite=Lax", c->name,
	    c->value, c->path, (long long)c->seconds,
	    c->secure ? "Secure; " : ""));
}

/*
 * The last header has blanks at its end (RFC 9110, section 5.5, has them
 * taken off), so that the record of the head needs no padding: nginx, given
 * a head that padding follows and no body yet, keeps it to itself until there
 * is one, and who watches something quiet would not learn that he does.
 */
static int
last_header(struct request *req)
{
	static const char blanks[RECORD_UNIT] = "        ";
	size_t len = req->response.head + strlen("X-Request-Id: ") +
	    strlen(req->id) + strlen("\r\n\r\n");

	out_head(req, "X-Request-Id: ", strlen("X-Request-Id: "));
	out_head(req, req->id, strlen(req->id));
	out_head(req, blanks, (RECORD_UNIT - len % RECORD_UNIT) % RECORD_UNIT);
	return out_head(req, "\r\n", 2);
}

int
response_body(struct request *req)
{
	if (!req->response.bare)
		last_header(req);
	return out_head(req, "\r\n", 2);
}

int
response_write(struct request *req, const char *data, size_t len)
{
	req->response.bytes += len;
	return req->is_head ? 0 : out(req, data, len);
}

int
response_flush(struct request *req)
{
	int r;

	if (req->response.failed)
		return E_GONE;
	r = req->carrier->flush(req->carrier_ctx);
	if (r != 0)
		req->response.failed = true;
	return r;
}

static int
json_headers(struct request *req)
{
	response_header(req, "Content-Type",
	    "application/json; charset=utf-8");
	return response_header(req, "Vary", "Accept-Encoding");
}

/* Weak, from length and content. */
static void
etag_make(char out_tag[48], const char *data, size_t len)
{
	unsigned char md[SHA256_DIGEST_LENGTH];
	unsigned char b64[48];

	SHA256((const unsigned char *)data, len, md);
	EVP_EncodeBlock(b64, md, 18);
	snprintf(out_tag, 48, "W/\"%zx-%.24s\"", len, (char *)b64);
}

static bool
etag_matches(const struct request *req, const char *etag)
{
	const char *inm = request_header(req, "if-none-match");

	if (inm == NULL)
		return false;
	/* Weak comparison (RFC 9110 section 8.8.3.2): ignore W/. */
	return strcmp(inm, "*") == 0 || strstr(inm, etag + 2) != NULL;
}

int
response_json(struct request *req, int status, const char *data, size_t len)
{
	bool safe = req->is_head || strcmp(req->method, "GET") == 0;
	char etag[48], length[32];

	etag_make(etag, data, len);
	if (status == 200 && safe && etag_matches(req, etag)) {
		response_start(req, 304);
		response_header(req, "ETag", etag);
		return response_body(req);
	}
	response_start(req, status);
	json_headers(req);
	response_header(req, "ETag", etag);
	if (status == 503)
		response_header(req, "Retry-After", "1");
	snprintf(length, sizeof(length), "%zu", len);
	response_header(req, "Content-Length", length);
	response_body(req);
	return response_write(req, data, len);
}

int
response_json_stream(struct request *req, int status)
{
	response_start(req, status);
	json_headers(req);
	return response_body(req);
}

int
response_text(struct request *req, int status, const char *type,
    const struct strbuf *text)
{
	char length[32];

	snprintf(length, sizeof(length), "%zu", text->len);
	response_start(req, status);
	response_header(req, "Content-Type", type);
	response_header(req, "Content-Length", length);
	response_header(req, "Cache-Control", "no-store");
	response_body(req);
	return response_write(req, text->buf, text->len);
}

int
response_empty(struct request *req, int status)
{
	response_start(req, status);
	response_header(req, "Content-Length", "0");
	return response_body(req);
}

int
response_status(int code)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(error_table); i++)
		if (error_table[i].code == code)
			return error_table[i].status;
	return 500;
}

static void
error_lookup(const struct api_error *e, int *status, const char **name)
{
	size_t i;

	*status = 500;
	*name = "Error";
	for (i = 0; i < ARRAY_LEN(error_table); i++) {
		if (error_table[i].code != e->code)
			continue;
		*status = error_table[i].status;
		*name = error_table[i].name;
	}
	if (e->status != 0)
		*status = e->status;
	if (e->name != NULL)
		*name = e->name;
}

/* With its query; but a sign-in's has a code in it, which is a secret. */
static const char *
own_url(struct request *req)
{
	if (req->query == NULL ||
	    strncasecmp(req->below, "/connect", 8) == 0 ||
	    (req->route_path != NULL &&
	    strncasecmp(req->route_path, "/connect", 8) == 0))
		return req->below;
	return arena_printf(req->arena, "%s?%s", req->below, req->query);
}

int
response_api_error(struct request *req, const struct api_error *e)
{
	struct strbuf sb = STRBUF_INIT(1 << 20);
	const char *name, *url = e->url;
	int status, r;

	error_lookup(e, &status, &name);
	if (url == NULL)
		url = own_url(req);
	strbuf_addstr(&sb, "{\"error\":{");
	jsonx_add_pair(&sb, "name", name);
	jsonx_add_pair(&sb, "message", e->message);
	if (e->extra != NULL)
		strbuf_addstr(&sb, e->extra);
	strbuf_addstr(&sb, "},\"request\":{");
	jsonx_add_pair(&sb, "method", req->method);
	jsonx_add_pair(&sb, "url", url);
	strbuf_addf(&sb, "},\"response\":{\"statusCode\":%d}}", status);
	r = response_json(req, status, sb.buf, sb.len);
	strbuf_release(&sb);
	return r;
}

int
response_error(struct request *req, const struct err *err)
{
	struct api_error e = { .code = err->code, .message = err->text };

	return response_api_error(req, &e);
}
