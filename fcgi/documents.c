/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What issuers publish, kept by URL. No threads of its own: whoever finds a
 * document missing or old fetches it, and those who come meanwhile take the
 * old one or wait. A few URLs are all that settings name, so they are a list.
 */
#include "base.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>

#include "clock.h"
#include "documents.h"
#include "http.h"
#include "jsonx.h"
#include "log.h"

#define URL_MAX 2048
#define HOST_MAX 256
#define CONNECT_TIMEOUT 2.0	/* seconds; both are DOCUMENT_WAIT_MS */
#define ANSWER_TIMEOUT 3.0
#define BACK_OFF_FIRST 1000	/* ms; then doubled */
#define BACK_OFF_MAX 30000

struct text {
	struct document pub;
	unsigned refs;		/* atomic */
	char bytes[];
};

struct entry {
	char *url;
	struct text *kept;	/* the last good one; or NULL */
	int64_t asked;		/* mono ms: when kept was asked for */
	int64_t tried;		/* when the last fetch ended */
	int64_t pause;		/* ms from then: nobody tries; 0: none failed */
	struct err failure;	/* of the last fetch, if it failed */
	unsigned failures;	/* in a row */
	bool fetching;		/* its thread alone writes what is above */
	unsigned waiting;
	uint64_t rounds;	/* fetches that ended */
	uint64_t used;		/* the last use, by documents.uses */
};

struct documents {
	struct transport *transport;
	int64_t (*now)(void);
	pthread_mutex_t lock;		/* of what follows, and of entries */
	pthread_cond_t changed;		/* a fetch ended, a caller left */
	struct entry *entries[DOCUMENTS_MAX];
	size_t n;
	uint64_t uses, versions;
	unsigned inside;		/* callers of documents_get */
	bool over;
};

/* ---- URLs ---- */

static bool
is_loopback(const char *host)
{
	struct in_addr a;
	struct in6_addr a6;

	if (inet_pton(AF_INET, host, &a) == 1)
		return ntohl(a.s_addr) >> 24 == 127;
	if (inet_pton(AF_INET6, host, &a6) == 1)
		return IN6_IS_ADDR_LOOPBACK(&a6);
	return strcasecmp(host, "localhost") == 0;
}

/* Host and port, which may be missing: no user info, no escapes, nothing
   that two readers take for two things. */
static bool
authority_ok(const char *s, size_t len, char host[HOST_MAX])
{
	bool v6 = *s == '[';
	size_t n;

	s += v6;
	len -= v6;
	n = strspn(s, v6 ? "0123456789abcdefABCDEF:." : "0123456789.-_"
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
	if (n == 0 || n > len || n >= HOST_MAX || (v6 && s[n] != ']'))
		return false;
	memcpy(host, s, n);
	host[n] = '\0';
	n += v6;
	if (n == len)
		return true;
	return s[n] == ':' && len > n + 1 && len <= n + 6 &&
	    strspn(s + n + 1, "0123456789") == len - n - 1;
}

/* Where "host:port" stands, *len bytes; NULL: that URL is not asked. open:
   whoever is on the way could change what it answers. */
static const char *
place_of(const char *url, size_t *len, bool *open)
{
	bool tls = str_starts(url, "https://");
	const char *p = url + (tls ? 8 : 7);
	char host[HOST_MAX];
	size_t i;

	for (i = 0; url[i] != '\0'; i++)
		if (i == URL_MAX || url[i] <= ' ' || url[i] > '~' ||
		    strchr("\\#\"<>^`{|}", url[i]) != NULL)
			return NULL;
	if (!tls && !str_starts(url, "http://"))
		return NULL;
	*len = strcspn(p, "/?");
	if (!authority_ok(p, *len, host))
		return NULL;
	*open = !tls && !is_loopback(host);
	return p;
}

static int
refuse_url(struct err *err)
{
	return err_set(err, E_CONFIG, "the address of what an issuer "
	    "publishes cannot be asked: it must be https://HOST/PATH, or "
	    "http on loopback");
}

/* why, with whose document it is about. Returns its code. */
static int
name_host(const char *url, const struct err *why, struct err *out)
{
	size_t len = 0;
	bool open;
	const char *place = place_of(url, &len, &open);

	err_set(out, why->code, "cannot fetch what '%.*s' publishes: %s",
	    (int)len, place, why->text);
	if (why->detail[0] != '\0')
		err_detail(out, "%s", why->detail);
	return why->code;
}

/* ---- documents ---- */

static struct text *
text_new(const struct secret *body, uint64_t version)
{
	struct text *t = xmalloc(sizeof(*t) + body->len + 1);

	memcpy(t->bytes, body->ptr, body->len + 1);
	t->pub = (struct document){ t->bytes, body->len, version };
	t->refs = 1;
	return t;
}

static const struct document *
text_ref(struct text *t)
{
	__atomic_add_fetch(&t->refs, 1, __ATOMIC_RELAXED);
	return &t->pub;
}

/* pub stands first. */
void
document_put(const struct document *doc)
{
	struct text *t = (struct text *)(uintptr_t)doc;

	if (t != NULL &&
	    __atomic_sub_fetch(&t->refs, 1, __ATOMIC_ACQ_REL) == 0)
		free(t);
}

/* ---- entries; under the lock ---- */

static void
entry_free(struct entry *e)
{
	if (e->kept != NULL)
		document_put(&e->kept->pub);
	free(e->url);
	free(e);
}

/* A free place, or that of the entry used longest ago. NULL: all are busy. */
static struct entry **
place_for_entry(struct documents *d)
{
	struct entry **oldest = NULL;
	size_t i;

	if (d->n < DOCUMENTS_MAX)
		return &d->entries[d->n++];
	for (i = 0; i < d->n; i++) {
		struct entry *e = d->entries[i];

		if (!e->fetching && e->waiting == 0 &&
		    (oldest == NULL || e->used < (*oldest)->used))
			oldest = &d->entries[i];
	}
	if (oldest != NULL)
		entry_free(*oldest);
	return oldest;
}

static struct entry *
entry_get(struct documents *d, const char *url)
{
	struct entry **place;
	size_t i;

	for (i = 0; i < d->n; i++)
		if (strcmp(d->entries[i]->url, url) == 0)
			return d->entries[i];
	if ((place = place_for_entry(d)) == NULL)
		return NULL;
	*place = xcalloc(1, sizeof(**place));
	(*place)->url = xstrdup(url);
	return *place;
}

/* ---- fetching ---- */

static int
look_at(const struct http_answer *a, struct err *err)
{
	struct json_object *obj = NULL;
	bool good;

	if (a->status != 200)
		return err_set(err, E_PROTOCOL, "it answered %d%s", a->status,
		    a->status >= 300 && a->status < 400 ? ", and redirects "
		    "are not followed" : "");
	good = a->body.len > 0 && jsonx_parse(a->body.ptr, a->body.len, &obj,
	    NULL) == 0 && json_object_is_type(obj, json_type_object);
	json_object_put(obj);
	return good ? 0 : err_set(err, E_PROTOCOL, "it answered with what is "
	    "no JSON object");
}

/* Not under the lock. 0 with a->body; a is released by the caller. */
static int
ask(struct documents *d, const char *url, struct http_answer *a,
    struct err *err)
{
	static const char *const headers[] = { "Accept: application/json",
	    NULL };
	const struct http_request rq = {
		.url = url,
		.headers = headers,
		.connect_timeout = CONNECT_TIMEOUT,
		.timeout = ANSWER_TIMEOUT,
		.limit = DOCUMENT_MAX,
	};
	struct err why = ERR_INIT;
	int r = http_exchange(d->transport, &rq, a, &why);

	if (r == 0)
		r = look_at(a, &why);
	return r == 0 ? 0 : name_host(url, &why, err);
}

static void
take(struct documents *d, struct entry *e, const struct secret *body)
{
	e->failures = 0;
	e->pause = 0;
	if (e->kept != NULL && e->kept->pub.len == body->len &&
	    memcmp(e->kept->bytes, body->ptr, body->len) == 0)
		return;
	if (e->kept != NULL)
		document_put(&e->kept->pub);
	e->kept = text_new(body, ++d->versions);
}

static void
take_failure(struct entry *e, const struct err *err, int64_t retry_after)
{
	int64_t pause = BACK_OFF_FIRST;
	unsigned i;

	for (i = 0; i < e->failures && pause < BACK_OFF_MAX; i++)
		pause *= 2;
	e->failures++;
	e->failure = *err;
	e->pause = SD_MIN(SD_MAX(pause, retry_after), BACK_OFF_MAX);
}

/* Under the lock, which it leaves meanwhile. */
static void
fetch(struct documents *d, struct entry *e)
{
	struct http_answer a = HTTP_ANSWER_INIT;
	struct err err = ERR_INIT;
	int64_t began = d->now();
	int r;

	e->fetching = true;
	pthread_mutex_unlock(&d->lock);
	r = ask(d, e->url, &a, &err);
	if (r != 0 && e->failures == 0 && e->kept != NULL)
		log_warn("%s; the old one stays", err.text);
	pthread_mutex_lock(&d->lock);
	if (r == 0) {
		e->asked = began;
		take(d, e, &a.body);
	} else {
		take_failure(e, &err, a.retry_after);
	}
	e->tried = d->now();
	e->rounds++;
	e->fetching = false;
	pthread_cond_broadcast(&d->changed);
	http_answer_release(&a);
}

/* Under the lock. False: DOCUMENT_WAIT_MS were too short. */
static bool
wait_for(struct documents *d, struct entry *e)
{
	int64_t until = clock_mono_ms() + DOCUMENT_WAIT_MS;
	const struct timespec ts = { until / 1000, until % 1000 * 1000000 };
	uint64_t round = e->rounds;
	int r = 0;

	e->waiting++;
	while (e->rounds == round && !d->over && r == 0)
		r = pthread_cond_timedwait(&d->changed, &d->lock, &ts);
	e->waiting--;
	return e->rounds != round;
}

/* ---- for others ---- */

static bool
is_due(const struct documents *d, const struct entry *e,
    const struct document_want *want)
{
	int64_t now = d->now(), since = now - e->tried;

	if (e->failures > 0 && since < e->pause)
		return false;
	return e->kept == NULL || now - e->asked >= want->max_age ||
	    (want->force && since >= DOCUMENT_FORCE_MS);
}

static const struct err too_late = { E_TIMEOUT, "it has not answered in time",
    "" };

static int
get(struct documents *d, const struct document_want *want,
    const struct document **out, struct err *err)
{
	struct entry *e = entry_get(d, want->url);
	bool waited = true;

	if (e == NULL)
		return err_set(err, E_BUSY, "too many documents of issuers "
		    "are being fetched");
	e->used = ++d->uses;
	if (!e->fetching && is_due(d, e, want))
		fetch(d, e);
	else if (e->fetching && (e->kept == NULL || want->force))
		waited = wait_for(d, e);
	if (e->kept != NULL) {
		*out = text_ref(e->kept);
		return 0;
	}
	if (!waited)
		return name_host(e->url, &too_late, err);
	if (err != NULL)
		*err = e->failure;
	return e->failure.code;
}

int
documents_get(struct documents *d, const struct document_want *want,
    const struct document **out, struct err *err)
{
	size_t len;
	bool open;
	int r;

	*out = NULL;
	if (want->url == NULL || place_of(want->url, &len, &open) == NULL ||
	    (open && !want->plain_http))
		return refuse_url(err);
	pthread_mutex_lock(&d->lock);
	d->inside++;
	r = get(d, want, out, err);
	d->inside--;
	if (d->over)
		pthread_cond_broadcast(&d->changed);
	pthread_mutex_unlock(&d->lock);
	return r;
}

void
documents_clock(struct documents *d, int64_t (*mono_ms)(void))
{
	d->now = mono_ms;
}

struct documents *
documents_new(struct transport *t)
{
	struct documents *d = xcalloc(1, sizeof(*d));
	pthread_condattr_t attr;

	d->transport = t;
	d->now = clock_mono_ms;
	pthread_mutex_init(&d->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&d->changed, &attr);
	pthread_condattr_destroy(&attr);
	return d;
}

void
documents_free(struct documents *d)
{
	size_t i;

	if (d == NULL)
		return;
	pthread_mutex_lock(&d->lock);
	d->over = true;
	pthread_cond_broadcast(&d->changed);
	while (d->inside > 0)
		pthread_cond_wait(&d->changed, &d->lock);
	pthread_mutex_unlock(&d->lock);
	for (i = 0; i < d->n; i++)
		entry_free(d->entries[i]);
	pthread_cond_destroy(&d->changed);
	pthread_mutex_destroy(&d->lock);
	free(d);
}
