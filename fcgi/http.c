/* SPDX-License-Identifier: Apache-2.0 */
/* One exchange with a cloud, on top of the transport's fetches. */
#include "base.h"

#include <curl/curl.h>
#include <openssl/crypto.h>

#include "clock.h"
#include "http.h"
#include "transport.h"

#define HEAD_MAX 65536			/* bytes of an answer's header */
#define SKEW_IGNORED 2000		/* ms: Date has whole seconds */
#define RETRY_AFTER_MAX 300		/* s: it may be back before it said */
#define VALUE_MAX 128			/* of Date and Retry-After */

/* ---- header ---- */

bool
http_answer_header(const struct http_answer *a, const char *name, char *out,
    size_t size)
{
	const char *line = a->head.ptr, *end;
	size_t len = strlen(name);

	for (; line != NULL && *line != '\0'; line = *end ? end + 1 : end) {
		end = line + strcspn(line, "\n");
		if (strncasecmp(line, name, len) != 0 || line[len] != ':')
			continue;
		line += len + 1;
		line += strspn(line, " \t");
		len = strcspn(line, "\r\n");
		if (len >= size)
			return false;
		memcpy(out, line, len);
		out[len] = '\0';
		return true;
	}
	return false;
}

/* How far their clock is ahead: 0 if it cannot be known. */
static int64_t
skew_of(const struct http_answer *a, int64_t now)
{
	char date[VALUE_MAX];
	time_t theirs;
	int64_t skew;

	if (!http_answer_header(a, "date", date, sizeof(date)) ||
	    (theirs = curl_getdate(date, NULL)) == -1)
		return 0;
	skew = (int64_t)theirs * 1000 - now;
	return skew > -SKEW_IGNORED && skew < SKEW_IGNORED ? 0 : skew;
}

/* Seconds or a date (RFC 9110, section 10.2.3), by their clock. */
static int64_t
retry_after_of(const struct http_answer *a, int64_t now)
{
	char text[VALUE_MAX], *end;
	int64_t s;

	if (!http_answer_header(a, "retry-after", text, sizeof(text)))
		return 0;
	s = strtol(text, &end, 10);
	if (end == text || *end != '\0')
		s = curl_getdate(text, NULL) - (now + a->skew) / 1000;
	return SD_MIN(SD_MAX(s, 0), RETRY_AFTER_MAX) * 1000;
}

/* ---- exchange ---- */

/* Where a URL's path begins: behind the authority. NULL: it is no URL. */
static const char *
path_of(const char *url)
{
	const char *p = strstr(url, "://");

	return p == NULL ? NULL : p + 3 + strcspn(p + 3, "/?#");
}

static int
get_upstream(struct transport *t, const struct http_request *rq,
    struct upstream **out, struct err *err)
{
	const char *path = path_of(rq->url);
	struct upstream_options opt = {
		.connect_timeout = rq->connect_timeout > 0 ?
		    rq->connect_timeout : HTTP_CONNECT_TIMEOUT,
		.timeout = rq->timeout > 0 ? rq->timeout : HTTP_TIMEOUT,
	};
	char *origin;
	int r;

	if (path == NULL || strchr(path, '#') != NULL)
		return err_set(err, E_CONFIG, "the address is no URL");
	origin = xstrndup(rq->url, (size_t)(path - rq->url));
	opt.url = origin;
	r = upstream_get(t, &opt, out, err);
	free(origin);
	return r;
}

static void
take_answer(struct http_answer *out, struct fetch *f)
{
	int64_t now = clock_wall_ms();

	out->status = f->status;
	secret_set(&out->body, f->body.buf, f->body.len);
	secret_set(&out->head, f->head->buf, f->head->len);
	out->skew = skew_of(out, now);
	out->retry_after = retry_after_of(out, now);
}

/* "?query" alone stands for the root's. */
static char *
target_of(const char *url)
{
	const char *path = path_of(url);
	struct strbuf sb = STRBUF_INIT(STRBUF_UNLIMITED);

	if (*path != '/')
		strbuf_addch(&sb, '/');
	strbuf_addstr(&sb, path);
	return strbuf_detach(&sb, NULL);
}

int
http_exchange(struct transport *t, const struct http_request *rq,
    struct http_answer *out, struct err *err)
{
	static const struct credential none = { .kind = CREDENTIAL_ANONYMOUS };
	struct strbuf head = STRBUF_INIT(HEAD_MAX);
	struct fetch f = {
		.method = rq->method ? rq->method : "GET",
		.headers = rq->headers,
		.upload = rq->body,
		.upload_len = rq->body_len,
		.limit = rq->limit > 0 ? rq->limit : HTTP_ANSWER_MAX,
		.head = &head,
		.secret = true,
		.cred = &none,
	};
	char *target;
	int r;

	*out = (struct http_answer)HTTP_ANSWER_INIT;
	if ((r = get_upstream(t, rq, &f.up, err)) != 0)
		return r;
	f.path = target = target_of(rq->url);
	r = transport_fetch(t, &f, -1);
	if (r == 0)
		take_answer(out, &f);
	else if (err != NULL)
		*err = f.err;
	strbuf_wipe(&f.body);
	strbuf_wipe(&head);
	upstream_put(f.up);
	OPENSSL_cleanse(target, strlen(target));
	free(target);
	return r;
}

void
http_answer_release(struct http_answer *a)
{
	secret_release(&a->body);
	secret_release(&a->head);
}
