/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AWS Signature Version 4: a canonical form of the request is hashed, and
 * the hash signed with a key made of the secret, the day, the region and the
 * service (AWS, "Create a signed AWS API request").
 */
#include "base.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

#include "arena.h"
#include "secret.h"
#include "sigv4.h"

#define ALGORITHM "AWS4-HMAC-SHA256"
#define DAY_LEN 8		/* of a date */

/* What both kinds of signing work on. */
struct work {
	struct arena *arena;
	const struct sigv4_signer *signer;
	const struct sigv4_request *req;
	char date[SIGV4_DATE];
	char *scope;		/* "day/region/service/aws4_request" */
	const char *signed_headers;
};

void
sigv4_date(int64_t now, char out[SIGV4_DATE])
{
	time_t seconds = (time_t)(now / 1000);
	struct tm tm;

	if (gmtime_r(&seconds, &tm) == NULL ||
	    strftime(out, SIGV4_DATE, "%Y%m%dT%H%M%SZ", &tm) == 0)
		BUG("no date of %lld", (long long)now);
}

/* --- Hashes -------------------------------------------------------------- */

static void
hex_of(const unsigned char *bytes, char out[SIGV4_HEX])
{
	size_t i;

	for (i = 0; i < SHA256_DIGEST_LENGTH; i++)
		snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}

static void
hash_of(const char *data, size_t len, char out[SIGV4_HEX])
{
	unsigned char sum[SHA256_DIGEST_LENGTH];

	if (EVP_Digest(data, len, sum, NULL, EVP_sha256(), NULL) != 1)
		BUG("no SHA-256");
	hex_of(sum, out);
}

/* key becomes HMAC(key, text). */
static void
hmac_step(unsigned char key[SHA256_DIGEST_LENGTH], const char *text,
    size_t len)
{
	unsigned char out[SHA256_DIGEST_LENGTH];

	if (HMAC(EVP_sha256(), key, SHA256_DIGEST_LENGTH,
	    (const unsigned char *)text, len, out, NULL) == NULL)
		BUG("no HMAC");
	memcpy(key, out, sizeof(out));
	OPENSSL_cleanse(out, sizeof(out));
}

static void
signing_key(const struct work *w, unsigned char key[SHA256_DIGEST_LENGTH])
{
	const struct sigv4_signer *s = w->signer;
	char *first = arena_printf(w->arena, "AWS4%.*s", (int)s->secret->len,
	    s->secret->len > 0 ? s->secret->ptr : "");

	if (HMAC(EVP_sha256(), first, (int)strlen(first),
	    (const unsigned char *)w->date, DAY_LEN, key, NULL) == NULL)
		BUG("no HMAC");
	hmac_step(key, s->region, strlen(s->region));
	hmac_step(key, s->service, strlen(s->service));
	hmac_step(key, "aws4_request", strlen("aws4_request"));
}

/* --- Canonical forms ----------------------------------------------------- */

/* Percent-encoded, all but RFC 3986's unreserved characters. */
static char *
encoded(struct arena *arena, const char *s)
{
	static const char digits[] = "0123456789ABCDEF";
	char *out = arena_alloc(arena, 3 * strlen(s) + 1), *p = out;

	for (; *s != '\0'; s++) {
		unsigned char c = (unsigned char)*s;

		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		    (c >= '0' && c <= '9') || strchr("-_.~", c) != NULL) {
			*p++ = (char)c;
		} else {
			*p++ = '%';
			*p++ = digits[c >> 4];
			*p++ = digits[c & 15];
		}
	}
	return out;
}

static int
by_name(const void *a, const void *b)
{
	const struct pair *x = a, *y = b;
	int order = strcmp(x->key, y->key);

	return order != 0 ? order : strcmp(x->value, y->value);
}

static char *
query_of(struct arena *arena, const struct pair *query, size_t n)
{
	struct pair sorted[SIGV4_PAIRS_MAX];
	char *out = arena_strdup(arena, "");
	size_t i;

	if (n > SIGV4_PAIRS_MAX)
		BUG("%zu parameters", n);
	for (i = 0; i < n; i++) {
		sorted[i].key = encoded(arena, query[i].key);
		sorted[i].value = encoded(arena, query[i].value);
	}
	qsort(sorted, n, sizeof(*sorted), by_name);
	for (i = 0; i < n; i++)
		out = arena_printf(arena, "%s%s%s=%s", out, i > 0 ? "&" : "",
		    sorted[i].key, sorted[i].value);
	return out;
}

/* Blanks at the ends go, runs of blanks become one. */
static char *
header_value(struct arena *arena, const char *s)
{
	char *out = arena_alloc(arena, strlen(s) + 1), *p = out;

	for (; *s != '\0'; s++)
		if (*s != ' ' || (p > out && p[-1] != ' '))
			*p++ = *s;
	if (p > out && p[-1] == ' ')
		*--p = '\0';
	return out;
}

/* "name:value\n" each; host stands where its name belongs. */
static char *
headers_of(struct work *w)
{
	const struct sigv4_request *req = w->req;
	char *lines = arena_strdup(w->arena, "");
	char *names = lines;
	bool host = false;
	size_t i = 0;

	while (i < req->nheaders || !host) {
		bool mine = !host && (i == req->nheaders ||
		    strcmp(req->headers[i].key, "host") > 0);
		const char *name = mine ? "host" : req->headers[i].key;
		const char *value = mine ? req->host : req->headers[i].value;

		lines = arena_printf(w->arena, "%s%s:%s\n", lines, name,
		    header_value(w->arena, value));
		names = arena_printf(w->arena, "%s%s%s", names,
		    *names != '\0' ? ";" : "", name);
		if (mine)
			host = true;
		else
			i++;
	}
	w->signed_headers = names;
	return lines;
}

/* --- Signing ------------------------------------------------------------- */

static struct work
work_for(struct arena *arena, const struct sigv4_signer *s,
    const struct sigv4_request *req)
{
	struct work w = { .arena = arena, .signer = s, .req = req };

	sigv4_date(s->now, w.date);
	w.scope = arena_printf(arena, "%.*s/%s/%s/aws4_request", DAY_LEN,
	    w.date, s->region, s->service);
	return w;
}

static void
signature_of(struct work *w, const char *query, const char *headers,
    char out[SIGV4_HEX])
{
	const struct sigv4_request *req = w->req;
	unsigned char key[SHA256_DIGEST_LENGTH];
	char hash[SIGV4_HEX];
	char *text;

	hash_of(req->body_len > 0 ? req->body : "", req->body_len, hash);
	text = arena_printf(w->arena, "%s\n/\n%s\n%s\n%s\n%s", req->method,
	    query, headers, w->signed_headers, hash);
	hash_of(text, strlen(text), hash);
	text = arena_printf(w->arena, ALGORITHM "\n%s\n%s\n%s", w->date,
	    w->scope, hash);
	signing_key(w, key);
	hmac_step(key, text, strlen(text));
	hex_of(key, out);
	OPENSSL_cleanse(key, sizeof(key));
}

char *
sigv4_presign(struct arena *arena, const struct sigv4_signer *s,
    const struct sigv4_request *req)
{
	struct work w = work_for(arena, s, req);
	struct pair all[SIGV4_PAIRS_MAX];
	char *headers = headers_of(&w), *query;
	char signature[SIGV4_HEX];
	size_t n;

	if (req->nquery + 6 > SIGV4_PAIRS_MAX)
		BUG("%zu parameters", req->nquery);
	for (n = 0; n < req->nquery; n++)
		all[n] = req->query[n];
	all[n++] = (struct pair){ "X-Amz-Algorithm", ALGORITHM };
	all[n++] = (struct pair){ "X-Amz-Credential",
	    arena_printf(arena, "%s/%s", s->access_key_id, w.scope) };
	all[n++] = (struct pair){ "X-Amz-Date", w.date };
	all[n++] = (struct pair){ "X-Amz-Expires",
	    arena_printf(arena, "%u", req->expires) };
	all[n++] = (struct pair){ "X-Amz-SignedHeaders", w.signed_headers };
	if (s->session_token->len > 0)
		all[n++] = (struct pair){ "X-Amz-Security-Token",
		    s->session_token->ptr };
	query = query_of(arena, all, n);
	signature_of(&w, query, headers, signature);
	return arena_printf(arena, "https://%s/?%s&X-Amz-Signature=%s",
	    req->host, query, signature);
}

char *
sigv4_authorization(struct arena *arena, const struct sigv4_signer *s,
    const struct sigv4_request *req)
{
	struct work w = work_for(arena, s, req);
	char signature[SIGV4_HEX];
	char *headers = headers_of(&w);

	signature_of(&w, query_of(arena, req->query, req->nquery), headers,
	    signature);
	return arena_printf(arena, ALGORITHM " Credential=%s/%s, "
	    "SignedHeaders=%s, Signature=%s", s->access_key_id, w.scope,
	    w.signed_headers, signature);
}
