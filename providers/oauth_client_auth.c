/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Forms that are posted to an issuer, and how we show it who we are: a
 * secret in a header or in the form, a signature, or nothing but our name.
 */
#include "base.h"

#include <openssl/err.h>
#include <openssl/evp.h>

#include "azure_assertion.h"
#include "files.h"
#include "jwt.h"
#include "oauth_private.h"
#include "strbuf.h"
#include "transport.h"

#define ASSERTION_TYPE "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
#define ASSERTION_LIFE 300		/* s */
#define CLAIMS_MAX 8192
#define SECRET_MAX 4096
#define KEY_MAX 65536
#define JTI_LEN 16

/* --- Forms --------------------------------------------------------------- */

void
oauth_form_add(struct oauth_form *f, const char *name, const char *value)
{
	if (value == NULL)
		return;
	if (f->n == OAUTH_PAIRS)
		BUG("a form of more than %d pairs", OAUTH_PAIRS);
	f->pairs[f->n++] = (struct oauth_pair){ name, value };
}

/* The buffer has its size from the start: growing would leave copies. */
static char *
form_print(struct oauth_call *call, const struct oauth_form *f)
{
	struct strbuf sb = STRBUF_INIT(STRBUF_UNLIMITED);
	size_t i, size = 0;
	char *out;

	for (i = 0; i < f->n; i++)
		size += strlen(f->pairs[i].name) +
		    3 * strlen(f->pairs[i].value) + 2;
	strbuf_room(&sb, size);
	for (i = 0; i < f->n; i++) {
		strbuf_addf(&sb, "%s%s=", i > 0 ? "&" : "", f->pairs[i].name);
		strbuf_add_percent(&sb, f->pairs[i].value, "");
	}
	out = arena_strdup(call->scratch, sb.buf);
	strbuf_wipe(&sb);
	return out;
}

static char *
percent(struct oauth_call *call, const char *text)
{
	struct oauth_form one = { .n = 0 };

	oauth_form_add(&one, "", text);
	return form_print(call, &one) + 1;
}

/* --- A secret ------------------------------------------------------------ */

/* A file's content in scratch; NULL with E_CONFIG. */
static char *
content_of(struct oauth_call *call, const char *path, size_t max,
    struct err *err)
{
	struct secret s = SECRET_INIT;
	struct err why = ERR_INIT;
	char *out = NULL;

	if (file_read(path, max, &s, &why) != 0)
		err_set(err, E_CONFIG, "%s", why.text);
	else if (s.len == 0 || strlen(s.ptr) != s.len)
		err_set(err, E_CONFIG, "'%s' is empty, or no text", path);
	else
		out = arena_strdup(call->scratch, s.ptr);
	secret_release(&s);
	return out;
}

/* NULL: it cannot be had. */
static const char *
client_secret(struct oauth_call *call, struct err *err)
{
	const struct login_settings *login = call->o->login;
	const char *secret = NULL;

	if (login->client_secret_file != NULL)
		secret = content_of(call, login->client_secret_file,
		    SECRET_MAX, err);
	else if (login->client_secret.len > 0)
		secret = login->client_secret.ptr;
	else
		err_set(err, E_CONFIG, "the settings name no clientSecret");
	oauth_hide(call, secret);
	return secret;
}

/* RFC 6749, 2.3.1: both parts are form-encoded before base64 sees them. */
static int
auth_basic(struct oauth_call *call, const char **header, struct err *err)
{
	const char *secret = client_secret(call, err);
	char *both, *text;
	size_t len;

	if (secret == NULL)
		return E_CONFIG;
	both = arena_printf(call->scratch, "%s:%s", percent(call,
	    call->o->login->client_id), percent(call, secret));
	len = strlen(both);
	text = arena_alloc(call->scratch, (len + 2) / 3 * 4 + 1);
	EVP_EncodeBlock((unsigned char *)text, (unsigned char *)both,
	    (int)len);
	oauth_hide(call, text);
	*header = arena_printf(call->scratch, "Authorization: Basic %s", text);
	return 0;
}

static int
auth_post(struct oauth_call *call, struct oauth_form *form, struct err *err)
{
	const char *secret = client_secret(call, err);

	if (secret == NULL)
		return E_CONFIG;
	oauth_form_add(form, "client_id", call->o->login->client_id);
	oauth_form_add(form, "client_secret", secret);
	return 0;
}

/* --- A signature --------------------------------------------------------- */

/* RFC 7523, 3, and OpenID Connect Core 1.0, 9. */
static char *
assertion_claims(struct oauth_call *call)
{
	const char *id = call->o->login->client_id;
	struct strbuf sb = STRBUF_INIT(CLAIMS_MAX);
	long long now = call->o->io->now(call->o->io->ctx) / 1000;
	unsigned char jti[JTI_LEN];
	char *out;

	secret_random(jti, sizeof(jti));
	strbuf_addch(&sb, '{');
	jsonx_add_pair(&sb, "iss", id);
	jsonx_add_pair(&sb, "sub", id);
	jsonx_add_pair(&sb, "aud", call->issuer.token);
	jsonx_add_pair(&sb, "jti", jwt_base64url(call->scratch, jti,
	    sizeof(jti)));
	strbuf_addf(&sb, ",\"iat\":%lld,\"exp\":%lld}", now,
	    now + ASSERTION_LIFE);
	out = arena_strdup(call->scratch, sb.buf);
	strbuf_release(&sb);
	return out;
}

/* What the key can sign: RSA or P-256. */
static int
sign_usual(struct oauth_call *call, const struct secret *pem, char **out,
    struct err *err)
{
	EVP_PKEY *key = jwt_key(pem, NULL, err);
	struct jwt jwt = { .key = pem };

	ERR_clear_error();	/* libcurl would take it for its own */
	if (key == NULL)
		return E_CONFIG;
	jwt.algorithm = EVP_PKEY_is_a(key, "EC") ? JWT_ES256 :
	    EVP_PKEY_is_a(key, "RSA-PSS") ? JWT_PS256 : JWT_RS256;
	EVP_PKEY_free(key);
	/* No kid: the issuer knows our keys, and we not what it calls them. */
	jwt.header = arena_printf(call->scratch, "{\"alg\":\"%s\","
	    "\"typ\":\"JWT\"}", jwt_algorithm_name(jwt.algorithm));
	jwt.claims = assertion_claims(call);
	return jwt_sign(call->scratch, &jwt, out, err);
}

/* Entra finds the key by its certificate, which the file must have. */
static int
sign_entra(struct oauth_call *call, const struct secret *pem, char **out,
    struct err *err)
{
	struct azure_assertion a = { .pem = pem, .algorithm = JWT_PS256,
	    .client_id = call->o->login->client_id,
	    .token_url = call->issuer.token,
	    .now = call->o->io->now(call->o->io->ctx) };

	return azure_assertion(call->scratch, &a, out, err);
}

static int
auth_signature(struct oauth_call *call, struct oauth_form *form,
    struct err *err)
{
	const char *path = call->o->login->key_file;
	char *text = NULL, *assertion = NULL;
	struct secret pem = SECRET_INIT;
	struct err why = ERR_INIT;
	int r;

	if (path == NULL)
		return err_set(err, E_CONFIG, "the settings name no keyFile");
	if ((text = content_of(call, path, KEY_MAX, err)) == NULL)
		return E_CONFIG;
	secret_set(&pem, text, strlen(text));
	r = oauth_is(call, LOGIN_AKS) ?
	    sign_entra(call, &pem, &assertion, &why) :
	    sign_usual(call, &pem, &assertion, &why);
	secret_release(&pem);
	if (r != 0)
		return err_set(err, E_CONFIG, "'%s': %s", path, why.text);
	oauth_hide(call, assertion);
	oauth_form_add(form, "client_id", call->o->login->client_id);
	oauth_form_add(form, "client_assertion_type", ASSERTION_TYPE);
	oauth_form_add(form, "client_assertion", assertion);
	return 0;
}

/* --- Posting ------------------------------------------------------------- */

static int
authenticate(struct oauth_call *call, struct oauth_form *form,
    const char **header, struct err *err)
{
	switch (call->o->login->client_auth) {
	case CLIENT_AUTH_BASIC:
		return auth_basic(call, header, err);
	case CLIENT_AUTH_POST:
		return auth_post(call, form, err);
	case CLIENT_AUTH_PRIVATE_KEY_JWT:
		return auth_signature(call, form, err);
	case CLIENT_AUTH_NONE:
		oauth_form_add(form, "client_id", call->o->login->client_id);
		return 0;
	}
	return err_set(err, E_CONFIG, "unknown clientAuth");
}

/* Was there never a connection on which the request could have gone out? */
static int
code_of(int r, const struct err *why)
{
	struct transport_cause cause;

	transport_cause(why, &cause);
	switch (r) {
	case E_TIMEOUT:
		return cause.syscall != NULL ? E_CONNECT : r;
	case E_SYSTEM:
	case E_BREAKER:
	case E_AUTH:
		return E_CONNECT;
	case E_INPUT:
		return E_CONFIG;
	default:
		return r;
	}
}

int
oauth_post(struct oauth_call *call, const struct oauth_form *form,
    struct http_answer *out, struct err *err)
{
	const struct oauth_io *io = call->o->io;
	const char *headers[] = { "Accept: application/json",
	    "Content-Type: application/x-www-form-urlencoded", NULL, NULL };
	struct http_request rq = { .method = "POST", .url = form->url,
	    .headers = headers, .timeout = form->timeout,
	    .limit = OAUTH_ANSWER_MAX };
	struct oauth_form whole = *form;
	struct err why = ERR_INIT;
	int r;

	*out = (struct http_answer)HTTP_ANSWER_INIT;
	if (!form->nameless &&
	    (r = authenticate(call, &whole, &headers[2], err)) != 0)
		return r;
	rq.body = form_print(call, &whole);
	rq.body_len = strlen(rq.body);
	if ((r = io->http(io->ctx, &rq, out, &why)) == 0)
		return 0;
	return err_set(err, code_of(r, &why), "%s: %s", oauth_host(call,
	    form->url), why.text);
}
