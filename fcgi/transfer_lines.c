/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a request says: its target and header lines, checked so that no line
 * becomes two and nothing of ours is overruled, and whose connections it may
 * use.
 */
#include "base.h"

#include <ctype.h>
#include <openssl/evp.h>

#include "transfer.h"

#define TRANSFER_LINES_MAX (256 * 1024)	/* request headers of one transfer */
#define TRANSFER_HEADERS_MAX 512
#define TRANSFER_TARGET_MAX (64 * 1024)
#define TRANSFER_METHOD_MAX 32

/* Framing is curl's; the host, the credential and the id are ours. */
static const char *const own_headers[] = { "audit-id", "authorization",
    "connection", "content-length", "expect", "host", "http2-settings",
    "keep-alive", "proxy-authorization", "proxy-connection", "te", "trailer",
    "transfer-encoding", "upgrade", "x-request-id" };

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
	value += strspn(value, " \t");
	strbuf_addstr(&t->lines, name);
	strbuf_addstr(&t->lines, *value == '\0' ? ";" : ": ");
	strbuf_add(&t->lines, value, strlen(value) + 1);
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

/* Lines that are whole: "Name: value". */
static int
add_whole(struct transfer *t, size_t *n, const char *const *lines,
    struct err *err)
{
	for (; lines != NULL && *lines != NULL; lines++) {
		if (!value_ok(*lines))
			return err_set(err, E_INPUT,
			    "header cannot be sent");
		strbuf_add(&t->lines, *lines, strlen(*lines) + 1);
		(*n)++;
	}
	return 0;
}

static int
add_headers(struct transfer *t, size_t *n, const struct transfer_spec *spec,
    struct err *err)
{
	const struct header *h;
	bool accept = spec->bounded && spec->method == NULL;
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
	if (!accept)
		drop_line(t, n, "Accept");
	return add_whole(t, n, spec->lines, err);
}

/* What tells one certificate's connections from another's. */
static int
identify(struct transfer *t, const struct credential *cred, struct err *err)
{
	EVP_MD_CTX *md;

	if (!t->up->tls)
		return err_set(err, E_CONFIG,
		    "a client certificate needs an https cluster");
	if (cred->certificate.len == 0 || cred->key.len == 0)
		return err_set(err, E_AUTH, "there is no credential");
	md = EVP_MD_CTX_new();
	if (md == NULL || !EVP_DigestInit_ex(md, EVP_sha256(), NULL) ||
	    !EVP_DigestUpdate(md, cred->certificate.ptr,
	    cred->certificate.len + 1) ||	/* with the NUL between */
	    !EVP_DigestUpdate(md, cred->key.ptr, cred->key.len) ||
	    !EVP_DigestFinal_ex(md, t->identity, NULL))
		BUG("SHA-256 failed");
	EVP_MD_CTX_free(md);
	return 0;
}

static int
add_credential(struct transfer *t, size_t *n, const struct credential *cred,
    struct err *err)
{
	const struct secret *s;
	int r;

	if (cred == NULL || cred->kind == CREDENTIAL_NONE)
		return err_set(err, E_AUTH, "there is no credential");
	if (cred->kind == CREDENTIAL_ANONYMOUS)
		return 0;
	s = &cred->value;
	if (cred->kind == CREDENTIAL_CERTIFICATE &&
	    ((r = identify(t, cred, err)) != 0 || s->len == 0))
		return r;
	if (s->len == 0 && cred->kind == CREDENTIAL_VERBATIM) {
		add_line(t, n, "Authorization", "");
		return 0;
	}
	if (s->len == 0 || strlen(s->ptr) != s->len || !value_ok(s->ptr))
		return err_set(err, E_INPUT,
		    "credential cannot stand in a header");
	strbuf_addstr(&t->lines, cred->kind == CREDENTIAL_VERBATIM ?
	    "Authorization: " : "Authorization: Bearer ");
	strbuf_add(&t->lines, s->ptr, s->len + 1);
	(*n)++;
	return 0;
}

/* Connections to public addresses only are apart from all others. */
static void
part_public(struct transfer *t)
{
	size_t i;

	for (i = 0; t->up->public_only && i < TRANSFER_IDENTITY; i++)
		t->identity[i] ^= 0x5a;
}

bool
transfer_has_body(const struct transfer_spec *spec)
{
	return spec->length != 0 && spec->method != NULL &&
	    strcmp(spec->method, "HEAD") != 0;
}

/* GET and HEAD without a body say nothing of it; others say that it is 0. */
static bool
says_length(const struct transfer_spec *spec)
{
	return spec->method != NULL && !transfer_has_body(spec) &&
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
	    (r = add_whole(t, &n, spec->cred->acting, err)) != 0 ||
	    (r = add_headers(t, &n, spec, err)) != 0)
		return r;
	/* The API server's audit log has it, and says it back. */
	if (spec->id != NULL) {
		add_line(t, &n, "Audit-ID", spec->id);
		add_line(t, &n, "X-Request-Id", spec->id);
	}
	if (spec->bounded && spec->method == NULL) {
		add_line(t, &n, "Accept", "application/json");
		add_line(t, &n, "Content-Type", "application/json");
	}
	if (says_length(spec))
		add_line(t, &n, "Content-Length", "0");
	if (transfer_has_body(spec))
		drop_line(t, &n, "Expect");
	if (t->lines.overflow || n > TRANSFER_HEADERS_MAX)
		return err_set(err, E_INPUT, "too many request headers");
	link_lines(t, n);
	return 0;
}

int
transfer_write(struct transfer *t, const struct transfer_spec *spec,
    struct err *err)
{
	int r;

	strbuf_init(&t->lines, TRANSFER_LINES_MAX);
	strbuf_init(&t->target, TRANSFER_TARGET_MAX);
	if ((r = check_request(spec, err)) != 0 ||
	    (r = make_lines(t, spec, err)) != 0)
		return r;
	part_public(t);
	strbuf_addstr(&t->target, t->up->base);
	strbuf_addstr(&t->target, spec->path);
	if (t->target.overflow)
		return err_set(err, E_INPUT, "path is too long");
	return 0;
}
