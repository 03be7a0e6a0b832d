/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An issuer played by the test itself: its documents, its keys, what its
 * endpoints answer, and what they were sent. Every error that is asked for is
 * searched for every secret of the exchange.
 */
#ifndef STAGEDOOR_TEST_OAUTH_RIG_H
#define STAGEDOOR_TEST_OAUTH_RIG_H

#include <setjmp.h>
#include <cmocka.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "arena.h"
#include "jsonx.h"
#include "jwt.h"
#include "oauth.h"
#include "oauth_doubles.h"
#include "settings.h"
#include "strbuf.h"

#define ISSUER "https://issuer.example/realm"
#define CLIENT "the client"
#define CLIENT_SECRET "pepper+salt/50%&=:mint"
/* base64 of both, form-encoded, with a colon between */
#define BASIC "dGhlJTIwY2xpZW50OnBlcHBlciUyQnNhbHQlMkY1MCUyNSUyNiUzRCUzQW1pb" \
	"nQ="
#define REDIRECT "https://portal.example/api/kubernetes/connect/callback"
#define ACCESS "access-token-alpha"
#define REFRESH "refresh-token-beta"
#define REFRESH_OLD "refresh-token-gamma"
#define CODE "code-of-delta"
#define DEVICE_CODE "device-code-epsilon"
#define NOW INT64_C(1700000000000)

struct reply {
	int r;			/* no answer: this error */
	int status;
	const char *body;
	const char *why, *detail;
};

static struct world {
	struct arena *arena;
	EVP_PKEY *key, *other;
	struct secret pem, other_pem;
	struct login_settings login;
	struct oauth_io io;
	struct oauth o;
	struct oauth_begin begun;
	int64_t now;

	struct reply replies[8];	/* the last one again and again */
	size_t nreplies, nasked;
	char *url, *body, *headers, *method;	/* as asked last */
	double timeout;
	size_t limit;

	const char *metadata_url, *keys_url;
	char *metadata, *keys, *new_keys;	/* after a forced fetch */
	int metadata_r, keys_r;
	unsigned keys_forced, keys_fetched;

	const char *secrets[24];	/* that no error may hold */
	size_t nsecrets;
} w;

/* --- Keys and tokens ----------------------------------------------------- */

static inline char *
number_of(EVP_PKEY *key, const char *name)
{
	unsigned char buf[512];
	BIGNUM *n = NULL;
	int len;

	assert_int_equal(EVP_PKEY_get_bn_param(key, name, &n), 1);
	len = BN_bn2bin(n, buf);
	BN_free(n);
	return jwt_base64url(w.arena, buf, (size_t)len);
}

static inline char *
jwk_of(EVP_PKEY *key, const char *kid)
{
	return arena_printf(w.arena, "{\"keys\":[{\"kty\":\"RSA\",\"kid\":"
	    "\"%s\",\"use\":\"sig\",\"alg\":\"RS256\",\"n\":\"%s\","
	    "\"e\":\"%s\"}]}", kid, number_of(key, OSSL_PKEY_PARAM_RSA_N),
	    number_of(key, OSSL_PKEY_PARAM_RSA_E));
}

static inline void
pem_from(struct secret *out, EVP_PKEY *key)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *data;
	long len;

	assert_int_equal(PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0,
	    NULL, NULL), 1);
	len = BIO_get_mem_data(bio, &data);
	secret_set(out, data, (size_t)len);
	BIO_free(bio);
}

static inline void
hide(const char *secret)
{
	assert_true(w.nsecrets < ARRAY_LEN(w.secrets));
	w.secrets[w.nsecrets++] = secret;
}

static inline const char *
sign_with(const char *claims, const struct secret *pem, const char *kid)
{
	struct jwt jwt = { .algorithm = JWT_RS256, .key = pem,
	    .header = arena_printf(w.arena, "{\"alg\":\"RS256\",\"kid\":"
	    "\"%s\"}", kid), .claims = claims };
	char *out = NULL;

	assert_int_equal(jwt_sign(w.arena, &jwt, &out, NULL), 0);
	return out;
}

static inline const char *
sign(const char *claims)
{
	return sign_with(claims, &w.pem, "one");
}

/* An object with members replaced, added or (null) taken away. */
static inline char *
object_with(const char *text, const char *more)
{
	struct json_object *a, *b;
	char *out;

	more = arena_printf(w.arena, "{%s}", more);
	assert_int_equal(jsonx_parse(text, strlen(text), &a, NULL), 0);
	assert_int_equal(jsonx_parse(more, strlen(more), &b, NULL), 0);
	json_object_object_foreach(b, name, value) {
		json_object_object_del(a, name);
		if (value != NULL)
			json_object_object_add(a, name,
			    json_object_get(value));
	}
	out = arena_strdup(w.arena, json_object_to_json_string_ext(a,
	    JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(a);
	json_object_put(b);
	return out;
}

/* Good claims, changed so. */
static inline const char *
claims_with(const char *more)
{
	return object_with(arena_printf(w.arena, "{\"iss\":\"" ISSUER "\","
	    "\"aud\":\"" CLIENT "\",\"sub\":\"sub-1\",\"iat\":%lld,"
	    "\"exp\":%lld,\"nonce\":\"%s\"}", (long long)(w.now / 1000),
	    (long long)(w.now / 1000 + 600), w.begun.nonce), more);
}

/* --- Documents ----------------------------------------------------------- */

static struct document documents[2];

static inline int
rig_document(void *ctx UNUSED, const struct document_want *want,
    const struct document **out, struct err *err)
{
	bool keys = strcmp(want->url, w.keys_url) == 0;
	struct document *d = &documents[keys];
	int r = keys ? w.keys_r : w.metadata_r;

	if (!keys)
		assert_string_equal(want->url, w.metadata_url);
	assert_int_equal(want->max_age, keys ? JWKS_AGE_MS : DISCOVERY_AGE_MS);
	w.keys_fetched += keys;
	if (keys && want->force) {
		w.keys_forced++;
		if (w.new_keys != NULL)
			w.keys = w.new_keys;
	}
	if (r != 0)
		return err_set(err, r, "issuer.example: it is away");
	d->text = keys ? w.keys : w.metadata;
	d->len = strlen(d->text);
	*out = d;
	return 0;
}

/* Good metadata, changed so. */
static inline void
metadata_with(const char *more)
{
	w.metadata = object_with("{\"issuer\":\"" ISSUER "\","
	    "\"authorization_endpoint\":\"" ISSUER "/auth\","
	    "\"token_endpoint\":\"" ISSUER "/token\","
	    "\"jwks_uri\":\"" ISSUER "/keys\","
	    "\"revocation_endpoint\":\"" ISSUER "/revoke\","
	    "\"end_session_endpoint\":\"" ISSUER "/end\","
	    "\"device_authorization_endpoint\":\"" ISSUER "/device\"}",
	    more);
}

/* --- HTTP ---------------------------------------------------------------- */

static inline int
rig_http(void *ctx UNUSED, const struct http_request *rq,
    struct http_answer *out, struct err *err)
{
	const struct reply *a = &w.replies[SD_MIN(w.nasked,
	    w.nreplies - 1)];
	struct strbuf sb = STRBUF_INIT(STRBUF_UNLIMITED);
	const char *const *h;

	assert_true(w.nreplies > 0);
	for (h = rq->headers; h != NULL && *h != NULL; h++)
		strbuf_addf(&sb, "%s\n", *h);
	w.headers = arena_strdup(w.arena, sb.buf);
	strbuf_release(&sb);
	w.url = arena_strdup(w.arena, rq->url);
	w.method = arena_strdup(w.arena, rq->method);
	w.body = arena_strndup(w.arena, rq->body, rq->body_len);
	w.timeout = rq->timeout;
	w.limit = rq->limit;
	w.nasked++;
	if (a->r != 0) {
		err_set(err, a->r, "%s", a->why ? a->why : "it broke");
		err_detail(err, "%s", a->detail ? a->detail : "");
		return a->r;
	}
	out->status = a->status;
	if (a->body != NULL)
		secret_set(&out->body, a->body, strlen(a->body));
	return 0;
}

static inline int64_t
rig_now(void *ctx UNUSED)
{
	return w.now;
}

static inline void
answers(int status, const char *body)
{
	w.replies[0] = (struct reply){ .status = status, .body = body };
	w.nreplies = 1;
	w.nasked = 0;
}

static inline void
breaks(int r, const char *detail)
{
	w.replies[0] = (struct reply){ .r = r, .detail = detail };
	w.nreplies = 1;
	w.nasked = 0;
}

/* A token endpoint's good answer, changed so. */
static inline const char *
tokens_with(const char *id_token, const char *more)
{
	hide(id_token);
	return object_with(arena_printf(w.arena, "{\"access_token\":\""
	    ACCESS "\",\"token_type\":\"Bearer\",\"expires_in\":3600,"
	    "\"refresh_token\":\"" REFRESH "\",\"id_token\":\"%s\"}",
	    id_token), more);
}

/* The value in the form that was sent, decoded; NULL: none. */
static inline char *
sent_in(const char *text, const char *name)
{
	size_t len = strlen(name);
	unsigned hex;
	char *out, *to;

	while (strncmp(text, name, len) != 0 || text[len] != '=') {
		if ((text = strchr(text, '&')) == NULL)
			return NULL;
		text++;
	}
	text += len + 1;
	to = out = arena_strndup(w.arena, text, strcspn(text, "&"));
	for (text = out; *text != '\0'; text++) {
		if (*text == '%') {
			assert_int_equal(sscanf(text + 1, "%2x", &hex), 1);
			*to++ = (char)hex;
			text += 2;
		} else {
			*to++ = *text;
		}
	}
	*to = '\0';
	return out;
}

static inline char *
sent(const char *name)
{
	return sent_in(w.body, name);
}

/* --- Errors -------------------------------------------------------------- */

static inline void
no_secret_in(const char *text)
{
	size_t i;
	const char *p;

	for (i = 0; i < w.nsecrets; i++)
		if (strstr(text, w.secrets[i]) != NULL)
			fail_msg("'%s' holds the secret '%s'", text,
			    w.secrets[i]);
	for (p = text; *p != '\0'; p++)
		if (*p < ' ' || *p > '~')
			fail_msg("'%s' is not printable", text);
}

static inline void
told(const struct err *err, int r, int code, const char *words)
{
	if (r != code || err->code != code)
		fail_msg("%d (%d) and not %d: %s", r, err->code, code,
		    err->text);
	if (strstr(err->text, words) == NULL)
		fail_msg("'%s' does not say '%s'", err->text, words);
	no_secret_in(err->text);
	no_secret_in(err->detail);
}

/* Words that hold all secrets, as they are and as they stand in a form. */
static inline char *
all_secrets(void)
{
	struct strbuf sb = STRBUF_INIT(STRBUF_UNLIMITED);
	size_t i;
	char *out;

	for (i = 0; i < w.nsecrets; i++) {
		strbuf_addf(&sb, "%s ", w.secrets[i]);
		strbuf_add_percent(&sb, w.secrets[i], "");
		strbuf_addch(&sb, '\'');
	}
	out = arena_strdup(w.arena, sb.buf);
	strbuf_release(&sb);
	return out;
}

/* --- Life ---------------------------------------------------------------- */

static EVP_PKEY *rig_keys[2];	/* making them takes long: one pair for all */

static inline int
rig_group_setup(void **state UNUSED)
{
	rig_keys[0] = EVP_RSA_gen(2048);
	rig_keys[1] = EVP_RSA_gen(2048);
	return rig_keys[0] == NULL || rig_keys[1] == NULL;
}

static inline int
rig_group_teardown(void **state UNUSED)
{
	EVP_PKEY_free(rig_keys[0]);
	EVP_PKEY_free(rig_keys[1]);
	return 0;
}

static inline int
rig_setup(void **state UNUSED)
{
	memset(&w, 0, sizeof(w));
	w.arena = arena_new();
	w.now = NOW;
	w.key = rig_keys[0];
	w.other = rig_keys[1];
	pem_from(&w.pem, w.key);
	pem_from(&w.other_pem, w.other);
	w.login = (struct login_settings){ .provider = LOGIN_OIDC,
	    .name = "one", .issuer = ISSUER, .client_id = CLIENT,
	    .device = true };
	secret_set(&w.login.client_secret, CLIENT_SECRET,
	    strlen(CLIENT_SECRET));
	w.io = (struct oauth_io){ rig_http, rig_document, rig_now, &w };
	w.o = (struct oauth){ .io = &w.io, .login = &w.login,
	    .redirect_uri = REDIRECT };
	w.metadata_url = ISSUER "/.well-known/openid-configuration";
	w.keys_url = ISSUER "/keys";
	metadata_with("");
	w.keys = jwk_of(w.key, "one");
	oauth_begin(&w.begun);
	hide(CLIENT_SECRET);
	hide(ACCESS);
	hide(REFRESH);
	hide(REFRESH_OLD);
	hide(CODE);
	hide(DEVICE_CODE);
	hide(w.begun.verifier);
	hide(w.begun.nonce);
	return 0;
}

static inline int
rig_teardown(void **state UNUSED)
{
	secret_release(&w.pem);
	secret_release(&w.other_pem);
	secret_release(&w.login.client_secret);
	arena_free(w.arena);
	return 0;
}

#endif
