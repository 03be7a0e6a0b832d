/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client of OAuth 2.0 and OpenID Connect issuers: authorization code with
 * PKCE (RFC 6749, 7636, 9207, OpenID Connect Core and Discovery 1.0), refresh,
 * revocation (RFC 7009), RP-initiated logout, device flow (RFC 8628), and the
 * ways to show who we are (client_secret_basic and _post, none,
 * private_key_jwt: RFC 7523). `google` and `aks` (Entra) are dialects.
 *
 * Blocks, on the caller's thread. No state of its own: who keeps what is the
 * caller's business. Redirects are not followed, nothing is sent twice.
 * Texts of errors say what the issuer said (error and error_description,
 * bounded, printable), and never a secret. Any thread.
 */
#ifndef STAGEDOOR_OAUTH_H
#define STAGEDOOR_OAUTH_H

#include "documents.h"
#include "http.h"
#include "tokens.h"

struct login_settings;
struct strbuf;

/* How it reaches the world; doubles in tests. */
struct oauth_io {
	int (*http)(void *ctx, const struct http_request *rq,
	    struct http_answer *out, struct err *err);
	int (*document)(void *ctx, const struct document_want *want,
	    const struct document **out, struct err *err);
	int64_t (*now)(void *ctx);		/* wall ms */
	void *ctx;
};

/* One client: borrowed, all of it. */
struct oauth {
	const struct oauth_io *io;
	const struct login_settings *login;
	const char *entra_host;		/* stagedoor.cloud; NULL: the usual */
	const char *redirect_uri;	/* our callback */
};

/* Of one sign-in: each at least 128 bits from secret_random. */
#define OAUTH_RANDOM 44		/* 32 bytes in base64url, and NUL */
struct oauth_begin {
	char state[OAUTH_RANDOM], nonce[OAUTH_RANDOM], verifier[OAUTH_RANDOM];
};
/* Draw all three. */
void oauth_begin(struct oauth_begin *b);
/* BASE64URL(SHA256(verifier)), RFC 7636; out has room for 44. */
void oauth_challenge(const char *verifier, char out[OAUTH_RANDOM]);

/* Where to send the browser. 0 or E_* (the issuer's metadata). */
int oauth_authorize_url(const struct oauth *o, const struct oauth_begin *b,
    struct strbuf *url, struct err *err);

struct oauth_callback {		/* as it came; NULL: absent */
	const char *code, *iss;
	const struct oauth_begin *begun;
};
/*
 * Trade the code for tokens, checked by every rule. `iss` must be the
 * issuer's, where it came or the issuer says that it sends it. 0 with out
 * filled but for its key; E_AUTH: refused, or a rule was broken (mix-up,
 * nonce, ...); E_DENIED, E_BUSY, E_CONFIG as below; else the transport's E_*.
 */
int oauth_code(const struct oauth *o, const struct oauth_callback *cb,
    struct token_set *out, struct err *err);

/*
 * New tokens for those of `old`, whose issuer and subject they must keep. out
 * has all that old has, with what is new in place of it: no refresh token in
 * the answer keeps the old one. So does no id token, while the old one is
 * good, and one whose key cannot be had now (then out->id_expires is old's,
 * and may be over): the next refresh may bring another.
 * 0; E_SIGNIN: the issuer refused for good (invalid_grant,
 * interaction_required and their like), or can renew nothing that opens
 * clusters: the user must sign in again;
 * E_CONNECT, E_TLS, E_CONFIG: nothing was sent; E_BUSY: it answered that it
 * cannot now (429, 5xx other than 502 and 504); E_DENIED: it refuses us
 * (invalid_client): the operator has to act, the session lives;
 * E_AUTH: what it gave breaks a rule, and none of it may be used; but the old
 * refresh token is spent for it, so out is filled all the same, with old's
 * tokens and generation, and the new refresh token;
 * anything else: nobody knows whether the old token is spent.
 */
int oauth_refresh(const struct oauth *o, const struct token_set *old,
    struct token_set *out, struct err *err);

/* Tell the issuer that the tokens are over (the refresh token, else the access
   token). 0; E_NOTFOUND: it offers no revocation, or there is nothing of its;
   else why it failed. */
int oauth_revoke(const struct oauth *o, const struct token_set *ts,
    struct err *err);
/*
 * Where the browser may go to sign out at the issuer too, and come back to
 * `after` with state. No token stands in it. 0; E_NOTFOUND: not offered.
 */
int oauth_logout_url(const struct oauth *o, const char *after,
    const char *state, struct strbuf *url, struct err *err);

struct oauth_device {
	struct secret device_code;
	char *user_code, *verification_uri, *verification_uri_complete;
	int64_t expires;	/* wall ms */
	int64_t interval;	/* ms between polls */
};
void oauth_device_release(struct oauth_device *d);
/* 0; E_NOTFOUND: no device flow there (Google has none for clusters). */
int oauth_device_begin(const struct oauth *o, struct oauth_device *out,
    struct err *err);
/* 0; E_PENDING: wait d->interval and ask again (err says why: nobody entered
   it yet, or the issuer does not answer now); E_DENIED: refused by the
   person, or too late; else why it failed. */
int oauth_device_poll(const struct oauth *o, struct oauth_device *d,
    struct token_set *out, struct err *err);

#endif
