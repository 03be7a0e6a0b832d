/* SPDX-License-Identifier: Apache-2.0 */
/* Writing nginx's configuration of the direct lane. */
#include "base.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <openssl/evp.h>

#include "address.h"
#include "arena.h"
#include "cluster.h"
#include "direct_name.h"
#include "files.h"
#include "impersonate.h"
#include "nginx_text.h"
#include "obtain.h"
#include "transport.h"

#define HOST_MAX 253
#define ADDRESSES_MAX 16
#define CERTIFICATE_MAX 65536
#define COMMENT_MAX 200
/*
 * nginx holds certificates to names, never to addresses. Of a cluster with a
 * CA of its own this name is the API server's wherever pods reach it.
 */
#define NAME_OF_ADDRESS "kubernetes.default.svc"

/* Where a cluster is, taken apart and found harmless. */
struct place {
	bool tls, address;	/* an address instead of a name */
	const char *host;	/* without brackets */
	const char *header;	/* Host */
	unsigned port;
	char *found[ADDRESSES_MAX];	/* "192.0.2.1:443" */
	size_t nfound;
	bool private;		/* one of them is not public */
};

void
nginx_text_init(struct nginx_text *t, struct arena *arena, const char *folder,
    const char *roots)
{
	*t = (struct nginx_text){ .arena = arena, .folder = folder,
	    .roots = roots };
	strbuf_init(&t->upstreams, NGINX_TEXT_MAX);
	strbuf_init(&t->captures, NGINX_TEXT_MAX);
	strbuf_init(&t->locations, NGINX_TEXT_MAX);
}

void
nginx_text_release(struct nginx_text *t)
{
	strbuf_release(&t->upstreams);
	strbuf_release(&t->captures);
	strbuf_release(&t->locations);
	free(t->files);
	free(t->extras);
}

/* ---- what may stand there ---- */

/* In a comment: no byte of it ends the line. */
static const char *
plain(struct arena *arena, const char *text)
{
	char *out = arena_strndup(arena, text,
	    SD_MIN(strlen(text), (size_t)COMMENT_MAX)), *p;

	for (p = out; *p != '\0'; p++)
		if ((unsigned char)*p < 0x20 || (unsigned char)*p >= 0x7f)
			*p = '?';
	return out;
}

/* Without quotes: nginx finds no variable, no end and no escape in it. */
static bool
path_ok(const char *path)
{
	return path != NULL && *path == '/' &&
	    path[strspn(path, "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+@:,=~")] == '\0';
}

static bool
host_ok(const char *host, bool v6)
{
	return *host != '\0' && strlen(host) <= HOST_MAX &&
	    host[strspn(host, v6 ? "0123456789abcdefABCDEF:." :
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "0123456789.-_")] == '\0';
}

static bool
is_address(const char *host, bool v6)
{
	unsigned char to[16];

	return inet_pton(v6 ? AF_INET6 : AF_INET, host, to) == 1;
}

/* "host", "host:port", "[v6]:port"; false: something else. */
static bool
read_authority(struct arena *arena, const char *text, struct place *p)
{
	bool v6 = *text == '[';
	size_t len = strcspn(text + v6, v6 ? "]" : ":");
	const char *after = text + v6 + len + v6;
	char *end;
	long port;

	if (v6 && text[1 + len] != ']')
		return false;
	p->host = arena_strndup(arena, text + v6, len);
	p->port = p->tls ? 443 : 80;
	p->address = is_address(p->host, v6);
	if (!host_ok(p->host, v6) || (v6 && !p->address))
		return false;
	if (*after == ':') {
		port = strtol(after + 1, &end, 10);
		if (after[1] < '0' || after[1] > '9' || *end != '\0' ||
		    port < 1 || port > 65535)
			return false;
		p->port = (unsigned)port;
	} else if (*after != '\0') {
		return false;
	}
	p->header = arena_printf(arena, v6 ? "[%s]" : "%s", p->host);
	if (p->port != (p->tls ? 443 : 80))
		p->header = arena_printf(arena, "%s:%u", p->header, p->port);
	return true;
}

static bool
read_url(struct arena *arena, const char *url, struct place *p)
{
	*p = (struct place){ .tls = strncasecmp(url, "https://", 8) == 0 };
	url = strstr(url, "://");
	if (url == NULL)
		return false;
	url += 3;
	return read_authority(arena, arena_strndup(arena, url,
	    strcspn(url, "/")), p);
}

/* ---- addresses ---- */

static int
by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void
found(struct arena *arena, struct place *p, const char *address, bool v6)
{
	char *text = arena_printf(arena, v6 ? "[%s]:%u" : "%s:%u", address,
	    p->port);
	size_t i;

	for (i = 0; i < p->nfound; i++)
		if (strcmp(p->found[i], text) == 0)
			return;
	if (p->nfound < ADDRESSES_MAX)
		p->found[p->nfound++] = text;
}

/* In an order that does not change from one answer to the next. */
static void
look_up(struct arena *arena, struct place *p)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *list, *a;
	char text[NI_MAXHOST];

	if (getaddrinfo(p->host, NULL, &hints, &list) != 0)
		return;
	for (a = list; a != NULL; a = a->ai_next) {
		p->private = p->private || !address_is_public(a->ai_addr);
		if (getnameinfo(a->ai_addr, a->ai_addrlen, text, sizeof(text),
		    NULL, 0, NI_NUMERICHOST) == 0 && strchr(text, '%') == NULL)
			found(arena, p, text, a->ai_family == AF_INET6);
	}
	freeaddrinfo(list);
	qsort(p->found, p->nfound, sizeof(p->found[0]), by_text);
}

/* As they were when the same cluster was written last. */
static void
remember(const struct nginx_text *t, const char *name, struct place *p)
{
	static const char server[] = "\tserver ";
	const char *at = t->last == NULL ? NULL : strstr(t->last,
	    arena_printf(t->arena, "\nupstream %s {\n", name));
	size_t len;

	if (at == NULL)
		return;
	for (at = strchr(at + 1, '\n') + 1; str_starts(at, server) &&
	    p->nfound < ADDRESSES_MAX; at += len + strspn(at + len, ";\n")) {
		at += sizeof(server) - 1;
		len = strcspn(at, ";\n");
		p->found[p->nfound++] = arena_strndup(t->arena, at, len);
	}
}

/* ---- files ---- */

/* The path of a file with that content; the same content is one file. */
static const char *
keep_file(struct nginx_text *t, const char *kind, const char *data, size_t len,
    bool secret)
{
	unsigned char md[EVP_MAX_MD_SIZE];
	char *name;
	size_t i;

	if (EVP_Digest(data, len, md, NULL, EVP_sha256(), NULL) != 1)
		BUG("SHA-256 failed");
	name = arena_printf(t->arena, "%s-%02x%02x%02x%02x%02x%02x%02x%02x.pem",
	    kind, md[0], md[1], md[2], md[3], md[4], md[5], md[6], md[7]);
	for (i = 0; i < t->nfiles; i++)
		if (strcmp(t->files[i].name, name) == 0)
			break;
	if (i == t->nfiles)
		ARRAY_PUSH(t->files, t->nfiles) = (struct nginx_file){
		    name, data, len, secret };
	return arena_printf(t->arena, "%s/%s", t->folder, name);
}

static const char *
pair_file(struct nginx_text *t, const char *file, const char *kind,
    const struct secret *value, bool secret)
{
	if (file != NULL)
		return path_ok(file) ? file : NULL;
	return value->len == 0 ? NULL :
	    keep_file(t, kind, value->ptr, value->len, secret);
}

/* ---- one cluster ---- */

struct writing {
	struct nginx_text *t;
	const struct cluster *c;
	const char *name;
	struct place place;
	struct upstream_options at;
	const char *ca, *certificate, *key;
};

void
nginx_text_leave_out(struct nginx_text *t, const struct cluster *c,
    const char *why)
{
	strbuf_addf(&t->upstreams, "# %s is left out: %s\n\n",
	    plain(t->arena, c->name), plain(t->arena, why));
	t->left_out++;
}

/* NULL, or why it cannot be written. */
static const char *
prepare(struct writing *w)
{
	struct nginx_text *t = w->t;
	const struct cluster *c = w->c;

	if (!read_url(t->arena, w->at.url, &w->place))
		return "its url is one that nginx may not understand as we do";
	if (w->at.ca_pem != NULL)
		w->ca = keep_file(t, "ca", w->at.ca_pem,
		    strlen(w->at.ca_pem), false);
	else
		w->ca = t->roots;
	if (w->place.tls && !w->at.insecure && !path_ok(w->ca))
		return "there is no file of the system's roots: see --roots";
	if (direct_has_certificate(c)) {
		w->certificate = pair_file(t, c->client_certificate_file,
		    "certificate", &c->client_certificate, true);
		w->key = pair_file(t, c->client_key_file, "key",
		    &c->client_key, true);
		if (w->certificate == NULL || w->key == NULL)
			return "the file of its certificate or key has a name "
			    "that nginx may not understand as we do";
	}
	look_up(t->arena, &w->place);
	if (w->at.public_only && w->place.private)
		return "it stands for an address that is not public";
	if (w->place.nfound == 0)
		remember(t, w->name, &w->place);
	return w->place.nfound > 0 ? NULL : "its name cannot be looked up";
}

static void
write_upstream(const struct writing *w)
{
	struct strbuf *to = &w->t->upstreams;
	size_t i;

	strbuf_addf(to, "# %s\nupstream %s {\n", plain(w->t->arena,
	    w->c->name), w->name);
	for (i = 0; i < w->place.nfound; i++)
		strbuf_addf(to, "\tserver %s;\n", w->place.found[i]);
	strbuf_addstr(to, "\tkeepalive 32;\n\tkeepalive_timeout 30s;\n"
	    "\tkeepalive_requests 100000;\n}\n\n");
}

/* Another certificate in the same file is another text, so that whoever
   compares texts reloads nginx, which reads the file. file may be NULL. */
static const char *
mark_of(struct arena *arena, const char *file)
{
	struct secret pem = SECRET_INIT;
	const char *mark = "";
	unsigned char md[EVP_MAX_MD_SIZE];

	if (file == NULL || file_read(file, CERTIFICATE_MAX, &pem, NULL) != 0)
		return "";
	if (pem.len > 0 && EVP_Digest(pem.ptr, pem.len, md, NULL, EVP_sha256(),
	    NULL) == 1)
		mark = arena_printf(arena, "\t# %02x%02x%02x%02x%02x%02x",
		    md[0], md[1], md[2], md[3], md[4], md[5]);
	secret_release(&pem);
	return mark;
}

static void
write_tls(const struct writing *w)
{
	const struct place *p = &w->place;
	struct strbuf *to = &w->t->locations;

	strbuf_addf(to, "\tproxy_ssl_name %s;\n", p->address &&
	    w->at.ca_pem != NULL ? NAME_OF_ADDRESS : p->host);
	strbuf_addf(to, "\tproxy_ssl_server_name %s;\n",
	    p->address ? "off" : "on");
	if (w->at.insecure)
		strbuf_addstr(to, "\t# skipTLSVerify: whoever answers there "
		    "is sent the credential\n\tproxy_ssl_verify off;\n");
	else
		strbuf_addf(to, "\tproxy_ssl_verify on;\n"
		    "\tproxy_ssl_trusted_certificate %s;\n", w->ca);
	if (w->certificate != NULL)
		strbuf_addf(to, "\tproxy_ssl_certificate %s;%s\n"
		    "\tproxy_ssl_certificate_key %s;\n", w->certificate,
		    mark_of(w->t->arena, w->c->client_certificate_file),
		    w->key);
}

static void
capture(struct nginx_text *t, const char *variable)
{
	size_t i;

	for (i = 0; i < t->nextras; i++)
		if (strcmp(t->extras[i], variable) == 0)
			return;
	ARRAY_PUSH(t->extras, t->nextras) = variable;
	strbuf_addf(&t->captures, "auth_request_set $stagedoor_extra_%s "
	    "$upstream_http_x_stagedoor_impersonate_extra_%s;\n", variable,
	    variable);
}

/* Headers of its own; and then none is inherited. */
static void
write_extras(const struct writing *w)
{
	const struct impersonation *im = &w->c->impersonate;
	struct nginx_text *t = w->t;
	char *variable, *p;
	size_t i;

	if (!im->on || im->nextra == 0)
		return;
	strbuf_addstr(&t->locations,
	    "\tinclude stagedoor/stagedoor-lane-headers.conf;\n");
	for (i = 0; i < im->nextra; i++) {
		variable = arena_strdup(t->arena,
		    direct_extra(t->arena, im->extra[i].key));
		for (p = variable; *p != '\0'; p++)
			if (*p == '-')
				*p = '_';
		capture(t, variable);
		strbuf_addf(&t->locations, "\tproxy_set_header \"%s\" "
		    "$stagedoor_extra_%s;\n", impersonate_extra(t->arena,
		    im->extra[i].key), variable);
	}
}

static void
write_location(const struct writing *w)
{
	struct strbuf *to = &w->t->locations;

	strbuf_addf(to, "# %s\nlocation = /_stagedoor/lane/to/%s {\n"
	    "\tinternal;\n\tset $stagedoor_host %s;\n",
	    plain(w->t->arena, w->c->name), w->name, w->place.header);
	strbuf_addf(to, "\tproxy_pass %s://%s$stagedoor_target"
	    "$stagedoor_query;\n\tproxy_connect_timeout %lldms;\n",
	    w->place.tls ? "https" : "http", w->name,
	    (long long)(w->c->connect_timeout * 1000));
	if (w->place.tls)
		write_tls(w);
	write_extras(w);
	strbuf_addstr(to, "}\n\n");
}

void
nginx_text_add(struct nginx_text *t, const struct cluster *c,
    const struct access *at)
{
	struct writing w = { .t = t, .c = c };
	const char *why;

	upstream_tell(at->up, &w.at);
	w.name = direct_name(t->arena, c, at->up);
	if ((why = prepare(&w)) != NULL) {
		nginx_text_leave_out(t, c, why);
		return;
	}
	write_upstream(&w);
	write_location(&w);
}
