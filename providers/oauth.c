/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signing in with a code, and new tokens for old ones. What is said and
 * answered on the way is in the files beside this one.
 */
#include "base.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include "jwt.h"
#include "oauth_private.h"
#include "redact.h"
#include "strbuf.h"

#define RANDOM_BYTES 32
#define WORDS_READ 4096		/* bytes: longer ones are not looked at */

/* --- One call ------------------------------------------------------------ */

int
oauth_code_is(struct err *err, int code)
{
	if (err != NULL)
		err->code = code;
	return code;
}

void
oauth_hide(struct oauth_call *call, const char *secret)
{
	if (secret == NULL || *secret == '\0')
		return;
	if (call->nhidden == OAUTH_HIDE)
		BUG("more than %d secrets in one call", OAUTH_HIDE);
	call->hidden[call->nhidden++] = secret;
}

/* Cut also where it stands as it went out, in a form. */
static void
cut_hidden(char *text, const char *secret)
{
	struct strbuf sb = STRBUF_INIT(STRBUF_UNLIMITED);

	redact_value(text, secret);
	strbuf_room(&sb, 3 * strlen(secret));
	strbuf_add_percent(&sb, secret, "");
	redact_value(text, sb.buf);
	strbuf_wipe(&sb);
}

const char *
oauth_words(struct oauth_call *call, const char *text)
{
	char *out, *p;
	size_t i;

	/* Half a secret, cut at a bound, would not be found. */
	if (text == NULL || strlen(text) > WORDS_READ)
		return "";
	out = arena_strdup(call->scratch, text);
	for (p = out; *p != '\0'; p++)
		if (*p < ' ' || *p > '~')
			*p = ' ';
	for (i = 0; i < call->nhidden; i++)
		cut_hidden(out, call->hidden[i]);
	redact(out);
	if (strlen(out) > OAUTH_WORDS)
		out[OAUTH_WORDS] = '\0';
	return out;
}

int
oauth_call_begin(struct oauth_call *call, const struct oauth *o,
    struct err *err)
{
	*call = (struct oauth_call){ .o = o, .scratch = arena_new() };
	return oauth_issuer_get(call, err);
}

void
oauth_call_end(struct oauth_call *call)
{
	json_object_put(call->metadata);
	arena_free(call->scratch);
}

void
oauth_add_query(struct strbuf *url, size_t start, const char *name,
    const char *value)
{
	bool more = strchr(url->buf + start, '?') != NULL;

	if (value == NULL)
		return;
	strbuf_addf(url, "%c%s=", more ? '&' : '?', name);
	strbuf_add_percent(url, value, "");
}

/* --- The beginning ------------------------------------------------------- */

static void
base64url(const unsigned char *data, size_t len, char out[OAUTH_RANDOM])
{
	struct arena *arena = arena_new();
	const char *text = jwt_base64url(arena, data, len);

	memcpy(out, text, strlen(text) + 1);
	arena_free(arena);
}

static void
draw(char out[OAUTH_RANDOM])
{
	unsigned char bytes[RANDOM_BYTES];

	secret_random(bytes, sizeof(bytes));
	base64url(bytes, sizeof(bytes), out);
	OPENSSL_cleanse(bytes, sizeof(bytes));
}

void
oauth_begin(struct oauth_begin *b)
{
	draw(b->state);
	draw(b->nonce);
	draw(b->verifier);
}

void
oauth_challenge(const char *verifier, char out[OAUTH_RANDOM])
{
	unsigned char sum[SHA256_DIGEST_LENGTH];

	SHA256((const unsigned char *)verifier, strlen(verifier), sum);
	base64url(sum, sizeof(sum), out);
}

/* Google gives a refresh token only to those who ask for it twice over;
   "auto" is how Backstage's settings say that the issuer may choose. */
static void
add_dialect(struct oauth_call *call, struct strbuf *url, size_t start)
{
	const struct login_settings *login = call->o->login;
	const char *prompt = login->prompt;

	if (oauth_is(call, LOGIN_GOOGLE)) {
		oauth_add_query(url, start, "access_type", "offline");
		prompt = prompt != NULL ? prompt : "consent";
	} else if (oauth_is(call, LOGIN_AKS)) {
		oauth_add_query(url, start, "response_mode", "query");
	}
	if (prompt != NULL && strcmp(prompt, "auto") != 0)
		oauth_add_query(url, start, "prompt", prompt);
	oauth_add_query(url, start, "audience", login->audience);
}

int
oauth_authorize_url(const struct oauth *o, const struct oauth_begin *b,
    struct strbuf *url, struct err *err)
{
	char challenge[OAUTH_RANDOM];
	size_t start = url->len;
	struct oauth_call call;
	int r;

	if ((r = oauth_call_begin(&call, o, err)) != 0)
		goto out;
	oauth_challenge(b->verifier, challenge);
	strbuf_addstr(url, call.issuer.authorize);
	oauth_add_query(url, start, "response_type", "code");
	oauth_add_query(url, start, "client_id", o->login->client_id);
	oauth_add_query(url, start, "redirect_uri", o->redirect_uri);
	oauth_add_query(url, start, "scope", oauth_scope(&call));
	oauth_add_query(url, start, "state", b->state);
	oauth_add_query(url, start, "nonce", b->nonce);
	oauth_add_query(url, start, "code_challenge", challenge);
	oauth_add_query(url, start, "code_challenge_method", "S256");
	add_dialect(&call, url, start);
	if (url->overflow)
		r = err_set(err, E_TOOLARGE, "the address of the sign-in is "
		    "too long");
 out:
	oauth_call_end(&call);
	return r;
}

/* --- Tokens -------------------------------------------------------------- */

/* Ask the token endpoint, and take what it gives. */
static int
ask(struct oauth_call *call, struct oauth_form *form,
    const struct oauth_rules *rules, struct token_set *out, struct err *err)
{
	struct http_answer answer = HTTP_ANSWER_INIT;
	struct oauth_answer a = OAUTH_ANSWER_INIT;
	int r;

	form->url = call->issuer.token;
	form->timeout = OAUTH_LONG_WAIT;
	if (oauth_is(call, LOGIN_AKS))
		oauth_form_add(form, "scope", oauth_scope(call));
	if ((r = oauth_post(call, form, &answer, err)) != 0)
		goto out;
	oauth_answer_parse(&answer, &a);
	r = oauth_answer_good(&a) ?
	    oauth_answer_tokens(call, &a, rules, out, err) :
	    oauth_answer_refusal(call, form->url, &a, err);
 out:
	oauth_answer_release(&a);
	http_answer_release(&answer);
	return r;
}

/* RFC 9207: an answer that another issuer made is not ours to use. */
static int
check_iss(struct oauth_call *call, const char *iss, struct err *err)
{
	if (iss == NULL && call->issuer.sends_iss)
		return err_set(err, E_AUTH, "the answer does not say which "
		    "issuer it is of, as this issuer's do (iss)");
	if (iss != NULL && strcmp(iss, call->issuer.name) != 0)
		return err_set(err, E_AUTH, "the answer is of another issuer "
		    "(iss)");
	return 0;
}

int
oauth_code(const struct oauth *o, const struct oauth_callback *cb,
    struct token_set *out, struct err *err)
{
	struct oauth_rules rules = { .nonce = cb->begun->nonce };
	struct oauth_form form = { .n = 0 };
	struct oauth_call call;
	int r;

	if ((r = oauth_call_begin(&call, o, err)) != 0 ||
	    (r = check_iss(&call, cb->iss, err)) != 0 ||
	    (r = oauth_keys_ready(&call, err)) != 0)
		goto out;
	if (cb->code == NULL || *cb->code == '\0' ||
	    strlen(cb->code) > OAUTH_TOKEN_MAX) {
		r = err_set(err, E_AUTH, "there is no code in the answer");
		goto out;
	}
	oauth_hide(&call, cb->code);
	oauth_hide(&call, cb->begun->verifier);
	oauth_hide(&call, cb->begun->nonce);
	oauth_hide(&call, cb->begun->state);
	oauth_form_add(&form, "grant_type", "authorization_code");
	oauth_form_add(&form, "code", cb->code);
	oauth_form_add(&form, "redirect_uri", o->redirect_uri);
	oauth_form_add(&form, "code_verifier", cb->begun->verifier);
	r = ask(&call, &form, &rules, out, err);
	if (r == E_SIGNIN)
		r = oauth_code_is(err, E_AUTH);
 out:
	oauth_call_end(&call);
	return r;
}

/* Before anything is spent. */
static int
refresh_ready(struct oauth_call *call, const struct token_set *old,
    struct err *err)
{
	int r;

	if (old->refresh_token.len == 0)
		return err_set(err, E_SIGNIN, "there is no refresh token");
	/* Another one must not see the old one's token. */
	if (old->issuer != NULL && strcmp(old->issuer, call->issuer.name) != 0)
		return err_set(err, E_SIGNIN, "the settings name another "
		    "issuer now than the one that was signed in at");
	if ((r = oauth_keys_ready(call, err)) != 0)
		return oauth_code_is(err, r == E_TLS || r == E_CONFIG ? r :
		    E_CONNECT);
	return 0;
}

int
oauth_refresh(const struct oauth *o, const struct token_set *old,
    struct token_set *out, struct err *err)
{
	struct oauth_rules rules = { .old = old };
	struct oauth_form form = { .n = 0 };
	struct oauth_call call;
	int r;

	if ((r = oauth_call_begin(&call, o, err)) != 0 ||
	    (r = refresh_ready(&call, old, err)) != 0)
		goto out;
	oauth_hide(&call, old->refresh_token.ptr);
	oauth_hide(&call, old->access_token.ptr);
	oauth_hide(&call, old->id_token.ptr);
	oauth_form_add(&form, "grant_type", "refresh_token");
	oauth_form_add(&form, "refresh_token", old->refresh_token.ptr);
	r = ask(&call, &form, &rules, out, err);
 out:
	oauth_call_end(&call);
	return r;
}
