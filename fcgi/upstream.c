/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Upstreams: the list of them in a transport, their addresses, their CA, and
 * the breaker with its probe.
 */
#include "base.h"

#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "clock.h"
#include "fetcher.h"
#include "lane.h"
#include "log.h"
#include "transport_private.h"

#define UPSTREAM_URL_MAX 4096
#define UPSTREAM_PROBE_LIMIT 65536	/* bytes of an answer to /version */

/* ---- address ---- */

static int
url_error(const char *url, struct err *err)
{
	return err_set(err, E_CONFIG, "'%s' is no http(s) url", url);
}

static char *
url_part(CURLU *u, CURLUPart part)
{
	char *s = NULL, *copy;

	if (curl_url_get(u, part, &s, 0) != CURLUE_OK)
		return NULL;
	copy = xstrdup(s);
	curl_free(s);
	return copy;
}

static bool
url_bytes_ok(const char *s)
{
	if (strlen(s) > UPSTREAM_URL_MAX)
		return false;
	for (; *s != '\0'; s++)
		if ((unsigned char)*s <= 0x20 || *s == 0x7f)
			return false;
	return true;
}

static char *
origin_print(const char *scheme, const char *host, const char *port)
{
	struct strbuf sb = STRBUF_INIT(2 * UPSTREAM_URL_MAX);

	strbuf_addf(&sb, "%s://%s", scheme, host);
	if (port != NULL)
		strbuf_addf(&sb, ":%s", port);
	strbuf_addch(&sb, '/');
	return strbuf_detach(&sb, NULL);
}

/* The base path as it was written, without the slash at its end. */
static char *
base_of(CURLU *u)
{
	char *base = url_part(u, CURLUPART_PATH);
	size_t n = base == NULL ? 0 : strlen(base);

	while (n > 0 && base[n - 1] == '/')
		base[--n] = '\0';
	return base == NULL ? xstrdup("") : base;
}

static int
upstream_address(struct upstream *up, struct err *err)
{
	CURLU *u = curl_url();
	char *scheme = NULL, *port = NULL, *extra = NULL;
	int r = 0;

	if (u == NULL)
		BUG("curl_url failed");
	if (!url_bytes_ok(up->url) || curl_url_set(u, CURLUPART_URL, up->url,
	    CURLU_PATH_AS_IS | CURLU_DISALLOW_USER) != CURLUE_OK) {
		r = url_error(up->url, err);
		goto out;
	}
	scheme = url_part(u, CURLUPART_SCHEME);
	up->host = url_part(u, CURLUPART_HOST);
	port = url_part(u, CURLUPART_PORT);
	if ((extra = url_part(u, CURLUPART_QUERY)) == NULL)
		extra = url_part(u, CURLUPART_FRAGMENT);
	up->tls = str_eq(scheme, "https");
	if (extra != NULL || (!up->tls && !str_eq(scheme, "http"))) {
		r = url_error(up->url, err);
		goto out;
	}
	up->origin = origin_print(scheme, up->host, port);
	up->base = base_of(u);
 out:
	free(scheme);
	free(port);
	free(extra);
	curl_url_cleanup(u);
	return r;
}

/* ---- roots ---- */

/* Add the certificates of a PEM text; returns how many. */
static int
store_add_pem(X509_STORE *store, const char *pem)
{
	BIO *bio = BIO_new_mem_buf(pem, -1);
	X509 *cert;
	int n = 0;

	while (bio != NULL &&
	    (cert = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
		n += X509_STORE_add_cert(store, cert) == 1;
		X509_free(cert);
	}
	BIO_free(bio);
	return n;
}

static int
check_ca(const char *pem, struct err *err)
{
	X509_STORE *store = X509_STORE_new();
	int n = store_add_pem(store, pem);

	X509_STORE_free(store);
	if (n == 0)
		return err_set(err, E_CONFIG,
		    "the CA data holds no PEM certificate");
	return 0;
}

/* The system's roots and those of the settings; under the lock. */
static void
make_roots(struct transport *t)
{
	if (t->roots != NULL)
		return;
	t->roots = X509_STORE_new();
	X509_STORE_set_default_paths(t->roots);
	X509_STORE_set_flags(t->roots, X509_V_FLAG_TRUSTED_FIRST);
	if (t->roots_pem != NULL && store_add_pem(t->roots, t->roots_pem) == 0)
		log_warn("caFile holds no PEM certificate");
}

/* ---- the list ---- */

static void
upstream_free(struct upstream *up)
{
	lane_free_all(up);
	pthread_mutex_destroy(&up->lock);
	free(up->url);
	free(up->origin);
	free(up->base);
	free(up->host);
	free(up->ca_pem);
	free(up);
}

static struct upstream *
upstream_new(struct transport *t, const struct upstream_options *opt)
{
	struct upstream *up = xcalloc(1, sizeof(*up));

	up->transport = t;
	up->refs = 1;
	up->url = xstrdup(opt->url);
	up->ca_pem = opt->ca_pem ? xstrdup(opt->ca_pem) : NULL;
	up->insecure = opt->insecure;
	up->public_only = opt->public_only;
	up->connect_timeout = opt->connect_timeout;
	up->timeout = opt->timeout;
	up->connect_ms = SD_MAX(clock_ms(opt->connect_timeout), (int64_t)1);
	up->timeout_ms = SD_MAX(clock_ms(opt->timeout), (int64_t)1);
	up->breaker_failures = opt->breaker_failures;
	up->breaker_probe = opt->breaker_probe;
	breaker_init(&up->breaker, opt->breaker_failures,
	    clock_ms(opt->breaker_probe));
	up->waiting_end = &up->waiting;
	pthread_mutex_init(&up->lock, NULL);
	return up;
}

static bool
upstream_same(const struct upstream *up, const struct upstream_options *opt)
{
	return strcmp(up->url, opt->url) == 0 &&
	    str_eq(up->ca_pem, opt->ca_pem) &&
	    up->insecure == opt->insecure &&
	    up->public_only == opt->public_only &&
	    up->connect_timeout == opt->connect_timeout &&
	    up->timeout == opt->timeout &&
	    up->breaker_failures == opt->breaker_failures &&
	    up->breaker_probe == opt->breaker_probe;
}

/* Under the lock. */
static struct upstream *
upstream_find(struct transport *t, const struct upstream_options *opt)
{
	struct upstream *up = t->upstreams;

	while (up != NULL && !upstream_same(up, opt))
		up = up->next;
	if (up != NULL)
		up->refs++;
	return up;
}

/* FNV-1a: enough to tell a few origins apart. */
static unsigned *
writes_of(struct transport *t, const char *origin)
{
	uint32_t h = 2166136261u;

	for (; *origin != '\0'; origin++)
		h = (h ^ (unsigned char)*origin) * 16777619u;
	return &t->writes[h % ARRAY_LEN(t->writes)];
}

static void
upstream_enter(struct transport *t, struct upstream *up)
{
	up->writes = writes_of(t, up->origin);
	up->fetcher = t->fetchers[t->next_fetcher++ % t->nfetchers];
	up->next = t->upstreams;
	t->upstreams = up;
	if (up->tls && up->ca_pem == NULL && !up->insecure)
		make_roots(t);
}

int
upstream_get(struct transport *t, const struct upstream_options *opt,
    struct upstream **out, struct err *err)
{
	struct upstream *up;
	int r = 0;

	pthread_mutex_lock(&t->lock);
	*out = upstream_find(t, opt);
	pthread_mutex_unlock(&t->lock);
	if (*out != NULL)
		return 0;
	up = upstream_new(t, opt);
	if ((r = upstream_address(up, err)) != 0 ||
	    (opt->ca_pem != NULL && (r = check_ca(opt->ca_pem, err)) != 0)) {
		upstream_free(up);
		return r;
	}
	pthread_mutex_lock(&t->lock);
	if ((*out = upstream_find(t, opt)) == NULL) {
		upstream_enter(t, up);
		*out = up;
		up = NULL;
	}
	pthread_mutex_unlock(&t->lock);
	if (up != NULL)		/* another thread was faster */
		upstream_free(up);
	return 0;
}

void
upstream_ref(struct upstream *up)
{
	pthread_mutex_lock(&up->transport->lock);
	up->refs++;
	pthread_mutex_unlock(&up->transport->lock);
}

void
upstream_put(struct upstream *up)
{
	struct upstream **p;
	bool last;

	if (up == NULL)
		return;
	pthread_mutex_lock(&up->transport->lock);
	last = --up->refs == 0;
	if (last) {
		p = &up->transport->upstreams;
		while (*p != up)
			p = &(*p)->next;
		*p = up->next;
	}
	pthread_mutex_unlock(&up->transport->lock);
	if (last)
		upstream_free(up);
}

void
upstream_tell(const struct upstream *up, struct upstream_options *out)
{
	*out = (struct upstream_options){
		.url = up->url,
		.ca_pem = up->ca_pem,
		.insecure = up->insecure,
		.public_only = up->public_only,
		.connect_timeout = up->connect_timeout,
		.timeout = up->timeout,
		.breaker_failures = up->breaker_failures,
		.breaker_probe = up->breaker_probe,
	};
}

void
upstream_wrote(struct upstream *up)
{
	__atomic_add_fetch(up->writes, 1, __ATOMIC_SEQ_CST);
}

unsigned
upstream_writes(const struct upstream *up)
{
	return __atomic_load_n(up->writes, __ATOMIC_SEQ_CST);
}

unsigned
upstream_room(const struct upstream *up, unsigned asked)
{
	unsigned most = up->multiplexed ? UPSTREAM_FETCHES_HTTP2 :
	    UPSTREAM_FETCHES_HTTP1;
	unsigned share = UPSTREAM_FETCHES_ALL / SD_MAX(asked, 1u);

	share = SD_MAX(share, (unsigned)UPSTREAM_FETCHES_QUERY);
	return SD_MIN(share, most);
}

/* ---- breaker and probe ---- */

static const struct credential probe_credential = {
	.kind = CREDENTIAL_ANONYMOUS,
};

static void
probe_end(struct fetch *f)
{
	struct upstream *up = f->up;

	pthread_mutex_lock(&up->lock);
	breaker_probed(&up->breaker);
	pthread_mutex_unlock(&up->lock);
	strbuf_release(&f->body);
	free(f);
	upstream_put(up);
}

static void
probe_start(struct upstream *up)
{
	struct fetch *f = xcalloc(1, sizeof(*f));

	upstream_ref(up);
	f->up = up;
	f->path = "/version";
	f->cred = &probe_credential;
	f->limit = UPSTREAM_PROBE_LIMIT;
	f->done = probe_end;
	f->probe = true;
	strbuf_init(&f->body, f->limit);
	fetcher_submit(up->fetcher, f, f);
}

int
upstream_admit(struct upstream *up, struct err *err)
{
	enum breaker_verdict v;

	pthread_mutex_lock(&up->lock);
	v = breaker_ask(&up->breaker, clock_mono_ms());
	pthread_mutex_unlock(&up->lock);
	if (v == BREAKER_PASS)
		return 0;
	if (v == BREAKER_PROBE)
		probe_start(up);
	return upstream_refuse(up, err);
}

int
upstream_refuse(struct upstream *up, struct err *err)
{
	if (err != NULL) {
		pthread_mutex_lock(&up->lock);
		*err = up->last;
		pthread_mutex_unlock(&up->lock);
		err->code = E_BREAKER;
	}
	return E_BREAKER;
}

bool
upstream_is_open(struct upstream *up)
{
	bool open;

	pthread_mutex_lock(&up->lock);
	open = up->breaker.open;
	pthread_mutex_unlock(&up->lock);
	return open;
}

bool
upstream_refuses(struct upstream *up, int64_t *since)
{
	bool open;

	pthread_mutex_lock(&up->lock);
	open = up->breaker.open;
	*since = up->changed;
	pthread_mutex_unlock(&up->lock);
	return open;
}

void
upstream_report(struct upstream *up, const struct err *err, bool answered,
    int64_t began)
{
	bool was, opened = false;

	pthread_mutex_lock(&up->lock);
	was = up->breaker.open;
	if (answered) {
		breaker_answered(&up->breaker, clock_mono_ms());
	} else if (err->code == E_TIMEOUT || err->code == E_CONNECT) {
		up->last = *err;
		opened = breaker_failed(&up->breaker, began);
	}
	if (opened || (was && answered))
		up->changed = clock_wall_ms();
	pthread_mutex_unlock(&up->lock);
	if (opened) {
		log_warn("%s does not answer: not asked until it is back",
		    up->origin);
		fetcher_look(up->fetcher);
	} else if (was && answered) {
		log_info("%s answers again", up->origin);
	}
}
