/* SPDX-License-Identifier: Apache-2.0 */
/* Parameters of the web server to a struct request: method, path, body. */
#include "base.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <zlib.h>

#include "arena.h"
#include "clock.h"
#include "err.h"
#include "path.h"
#include "request.h"
#include "runtime.h"
#include "secret.h"
#include "settings.h"
#include "transport.h"

#define TARGET_MAX 32768	/* nginx and Apache refuse longer lines */
#define METHOD_MAX 32
#define ID_CHARS "0123456789abcdefghijklmnopqrstuvwxyz" \
	"ABCDEFGHIJKLMNOPQRSTUVWXYZ-_."
/* A body that is kept is small; one that dribbles in holds a thread. */
#define BODY_SECONDS 10

const char *
request_param(const struct request *req, const char *name)
{
	size_t len = strlen(name);
	char **p;

	for (p = req->params; *p != NULL; p++)
		if (strncmp(*p, name, len) == 0 && (*p)[len] == '=')
			return *p + len + 1;
	return NULL;
}

size_t
request_param_count(const struct request *req, const char *name)
{
	size_t len = strlen(name), n = 0;
	char **p;

	for (p = req->params; *p != NULL; p++)
		if (strncmp(*p, name, len) == 0 && (*p)[len] == '=')
			n++;
	return n;
}

/* Two headers have parameters of their own; nginx sends them twice. */
static bool
is_bare(const char *name)
{
	return strcasecmp(name, "content-type") == 0 ||
	    strcasecmp(name, "content-length") == 0;
}

/* The value if the parameter is that header: "HTTP_X_Y=v" is "x-y". */
static const char *
value_of_header(const char *param, const char *name, bool bare)
{
	bool http = str_starts(param, "HTTP_");

	if (http == bare)
		return NULL;
	if (http)
		param += 5;
	for (; *name != '\0'; name++, param++) {
		char c = *name;

		if (c == '-')
			c = '_';
		else if (c >= 'a' && c <= 'z')
			c -= 'a' - 'A';
		if (*param != c)
			return NULL;
	}
	return *param == '=' ? param + 1 : NULL;
}

const char *
request_header(const struct request *req, const char *name)
{
	const char *first = NULL, *v;
	bool bare = is_bare(name);
	char **p;

	for (p = req->params; *p != NULL; p++) {
		if ((v = value_of_header(*p, name, bare)) == NULL)
			continue;
		first = first == NULL ? v :
		    arena_printf(req->arena, "%s, %s", first, v);
	}
	return first;
}

/* "HTTP_X_Y=v" to x-y and v. */
static void
header_of_param(struct arena *arena, const char *param, struct header *out)
{
	const char *eq = strchr(param, '=');
	char *name = arena_strndup(arena, param, (size_t)(eq - param));
	char *p;

	for (p = name; *p != '\0'; p++) {
		if (*p == '_')
			*p = '-';
		else if (*p >= 'A' && *p <= 'Z')
			*p += 'a' - 'A';
	}
	out->name = name;
	out->value = eq + 1;
}

struct header *
request_headers(const struct request *req, size_t *n)
{
	struct header *out;
	size_t count = 0;
	char **p;

	for (p = req->params; *p != NULL; p++)
		count++;
	out = arena_alloc(req->arena, (count + 1) * sizeof(*out));
	*n = 0;
	for (p = req->params; *p != NULL; p++) {
		if (str_starts(*p, "HTTP_CONTENT_TYPE=") ||
		    str_starts(*p, "HTTP_CONTENT_LENGTH="))
			continue;
		if (str_starts(*p, "HTTP_") && strchr(*p, '=') != NULL)
			header_of_param(req->arena, *p + 5, &out[(*n)++]);
		else if (str_starts(*p, "CONTENT_TYPE=") &&
		    (*p)[13] != '\0')
			header_of_param(req->arena, *p, &out[(*n)++]);
	}
	return out;
}

static int
set_method(struct request *req, const char *m, struct err *err)
{
	const char *p;

	if (m == NULL || *m == '\0' || strlen(m) > METHOD_MAX)
		return err_set(err, E_INPUT, "bad request method");
	for (p = m; *p != '\0'; p++)
		if (*p < 'A' || *p > 'Z')
			return err_set(err, E_INPUT, "bad request method");
	req->method = m;
	req->is_head = strcmp(m, "HEAD") == 0;
	return 0;
}

/* The target as the client sent it; CGI's own variables where it is lost. */
static const char *
find_target(const struct request *req)
{
	const char *t = request_param(req, "REQUEST_URI"), *q, *s;

	if (t == NULL || *t == '\0') {
		const char *script = request_param(req, "SCRIPT_NAME");
		const char *info = request_param(req, "PATH_INFO");

		q = request_param(req, "QUERY_STRING");
		return arena_printf(req->arena, "%s%s%s%s",
		    script ? script : "", info ? info : "",
		    q && *q ? "?" : "", q ? q : "");
	}
	if (*t != '/' && (s = strstr(t, "://")) != NULL) {
		s = strpbrk(s + 3, "/?");	/* absolute form */
		return s == NULL ? "/" : s;
	}
	return t;
}

static int
set_target(struct request *req, const char *target, struct err *err)
{
	const char *p;

	if (strlen(target) > TARGET_MAX)
		return err_set(err, E_TOOLARGE, "request target is too long");
	for (p = target; *p != '\0'; p++)
		if ((unsigned char)*p <= ' ' || *p == 0x7f)
			return err_set(err, E_INPUT,
			    "request target holds a control character");
	p = strchr(target, '?');
	req->query = p == NULL ? NULL : p + 1;
	req->raw_path = p == NULL ? target :
	    arena_strndup(req->arena, target, (size_t)(p - target));
	return 0;
}

static int
init_below(struct request *req, struct err *err)
{
	const char *base = req->rt->settings->base_path;
	size_t len = strlen(base);
	const char *rest;

	while (len > 0 && base[len - 1] == '/')
		len--;
	rest = req->raw_path + len;
	if (strncasecmp(req->raw_path, base, len) != 0 ||
	    (*rest != '/' && *rest != '\0'))
		return err_set(err, E_NOTFOUND, "not below the base path");
	req->below = *rest == '\0' ? "/" : rest;
	req->route_path = path_normalise(req->arena, req->below);
	if (req->route_path == NULL)
		return err_set(err, E_URI,
		    "Failed to decode param '%s'", req->below);
	return 0;
}

static int
init_length(struct request *req, struct err *err)
{
	const char *s = request_param(req, "CONTENT_LENGTH");
	const char *te = request_param(req, "HTTP_TRANSFER_ENCODING");
	char *end;

	req->length = 0;
	if (s != NULL && *s != '\0') {
		errno = 0;
		req->length = strtoll(s, &end, 10);
		if (errno != 0 || *end != '\0' || *s < '0' || *s > '9')
			return err_set(err, E_INPUT, "bad Content-Length");
	}
	/* What came in chunks goes on in chunks, though nginx counts them
	   where it has read them all before it asks us. */
	if (te != NULL && strcasestr(te, "chunked") != NULL)
		req->length = -1;
	return 0;
}

/* It goes into logs and headers, so it is plain and bounded. */
static bool
id_ok(const char *id)
{
	size_t len = id == NULL ? 0 : strlen(id);

	return len >= REQUEST_ID_MIN && len <= REQUEST_ID_MAX &&
	    strspn(id, ID_CHARS) == len;
}

/*
 * nginx's $request_id where it is handed over, or that of Apache's
 * mod_unique_id, so that logs join. Never a header of the client. Else one of
 * ours: random for the process, counted within.
 */
static void
init_id(struct request *req)
{
	static const char hex[] = "0123456789abcdef";
	static uint64_t process, count;
	const char *given = request_param(req, "STAGEDOOR_REQUEST_ID");
	uint64_t part[2];
	size_t i;

	if (given == NULL)
		given = request_param(req, "UNIQUE_ID");
	if (id_ok(given)) {
		memcpy(req->id, given, strlen(given) + 1);
		return;
	}
	if (__atomic_load_n(&process, __ATOMIC_RELAXED) == 0) {
		secret_random(part, sizeof(part));
		__atomic_store_n(&process, part[0] | 1, __ATOMIC_RELAXED);
	}
	part[0] = __atomic_load_n(&process, __ATOMIC_RELAXED);
	part[1] = __atomic_add_fetch(&count, 1, __ATOMIC_RELAXED);
	for (i = 0; i < 32; i++)
		req->id[i] = hex[part[i / 16] >> (60 - i % 16 * 4) & 15];
	req->id[32] = '\0';
}

int
request_init(struct request *req, struct err *err)
{
	int r;

	req->started = clock_mono_ms();
	req->method = "?";	/* for the log, should parsing fail */
	req->raw_path = "?";
	req->below = req->route_path = "/";
	init_id(req);
	if ((r = set_method(req, request_param(req, "REQUEST_METHOD"),
	    err)) != 0 ||
	    (r = set_target(req, find_target(req), err)) != 0 ||
	    (r = init_below(req, err)) != 0)
		return r;
	return init_length(req, err);
}

int
request_become(struct request *req, const char *method, const char *target,
    struct err *err)
{
	int r;

	if ((r = set_method(req, method, err)) != 0 || target == NULL)
		return r;
	if ((r = set_target(req, target, err)) != 0)
		return r;
	return init_below(req, err);
}

/* Undo gzip in one go; the limit counts what comes out. */
static int
body_gunzip(struct strbuf *in, struct strbuf *out, struct err *err)
{
	z_stream z = { .next_in = (unsigned char *)in->buf,
	    .avail_in = (unsigned)in->len };
	char chunk[8192];
	int r, code = 0;

	if (inflateInit2(&z, 15 + 32) != Z_OK)
		BUG("inflateInit2 failed");
	do {
		z.next_out = (unsigned char *)chunk;
		z.avail_out = sizeof(chunk);
		r = inflate(&z, Z_NO_FLUSH);
		if (r != Z_OK && r != Z_STREAM_END) {
			code = err_set(err, E_INPUT, "bad gzip body");
			break;
		}
		code = strbuf_add(out, chunk, sizeof(chunk) - z.avail_out);
	} while (code == 0 && r != Z_STREAM_END);
	inflateEnd(&z);
	return code == E_TOOLARGE ?
	    err_set(err, E_TOOLARGE, "request entity too large") : code;
}

static int
body_read(struct request *req, struct strbuf *out, struct err *err)
{
	int64_t until = clock_mono_ms() + 1000 * BODY_SECONDS;
	char chunk[8192];
	ssize_t n;

	do {
		n = req->carrier->read(req->carrier_ctx, chunk,
		    sizeof(chunk));
		if (n > 0 && strbuf_add(out, chunk, (size_t)n) != 0)
			return err_set(err, E_TOOLARGE,
			    "request entity too large");
	} while (n > 0 && clock_mono_ms() < until);
	if (n != 0 && clock_mono_ms() >= until)
		return err_set(err, E_TIMEOUT,
		    "request body did not come within %d s", BODY_SECONDS);
	if (n < 0)
		return err_set(err, E_GONE, "the client left");
	return 0;
}

/* Reading blocks no longer than the body may take as a whole. */
static int
body_read_soon(struct request *req, struct strbuf *out, struct err *err)
{
	const struct timeval soon = { .tv_sec = BODY_SECONDS };
	struct timeval usual;
	socklen_t len = sizeof(usual);
	bool timed = req->fd >= 0 && getsockopt(req->fd, SOL_SOCKET,
	    SO_RCVTIMEO, &usual, &len) == 0 && setsockopt(req->fd,
	    SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof(soon)) == 0;
	int r = body_read(req, out, err);

	if (timed)
		setsockopt(req->fd, SOL_SOCKET, SO_RCVTIMEO, &usual, len);
	return r;
}

static const char *
lower_case(struct arena *arena, const char *text)
{
	char *out = arena_strdup(arena, text), *p;

	for (p = out; *p != '\0'; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p += 'a' - 'A';
	return out;
}

int
request_body(struct request *req, size_t limit, struct strbuf *out,
    struct err *err)
{
	const char *enc = request_header(req, "content-encoding");
	struct strbuf raw = STRBUF_INIT(limit);
	int r;

	out->max = limit;
	if (req->length > 0 && (uint64_t)req->length > limit)
		return err_set(err, E_TOOLARGE, "request entity too large");
	if (enc == NULL || *enc == '\0' || strcasecmp(enc, "identity") == 0)
		return body_read_soon(req, out, err);
	if (strcasecmp(enc, "gzip") != 0 && strcasecmp(enc, "deflate") != 0)
		return err_set(err, E_MEDIA, "unsupported content encoding "
		    "\"%.64s\"", lower_case(req->arena, enc));
	if ((r = body_read_soon(req, &raw, err)) == 0)
		r = body_gunzip(&raw, out, err);
	strbuf_wipe(&raw);
	return r;
}
