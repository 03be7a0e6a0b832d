/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside of oauth.h: one call of it, from its first step to its last. What
 * the call makes is in its scratch arena, which is wiped. One thread.
 */
#ifndef STAGEDOOR_OAUTH_PRIVATE_H
#define STAGEDOOR_OAUTH_PRIVATE_H

#include "arena.h"
#include "jsonx.h"
#include "oauth.h"
#include "settings.h"

#define OAUTH_ANSWER_MAX (256 * 1024)	/* bytes of any answer */
#define OAUTH_TOKEN_MAX 32768		/* of each token */
#define OAUTH_LONG_WAIT 40.0	/* s: what is spent by asking, is waited for */
#define OAUTH_HIDE 16
#define OAUTH_PAIRS 16

/* What the issuer's metadata say, checked; borrowed from those. */
struct oauth_issuer {
	const char *name;		/* as in iss */
	const char *authorize, *token, *keys;
	const char *revoke, *logout, *device;	/* NULL: not offered */
	bool sends_iss;			/* to the callback (RFC 9207) */
};

struct oauth_call {
	const struct oauth *o;
	struct arena *scratch;
	struct json_object *metadata;
	struct oauth_issuer issuer;
	/* Ours, not to be shown whoever says them. */
	const char *hidden[OAUTH_HIDE];
	size_t nhidden;
};

/*
 * With the issuer's metadata. 0; else nothing was sent but for those: E_TLS,
 * E_CONFIG, E_CONNECT. Either way oauth_call_end.
 */
int oauth_call_begin(struct oauth_call *call, const struct oauth *o,
    struct err *err);
void oauth_call_end(struct oauth_call *call);
/* Cut it out of others' words from here on; lives as long as the call. NULL
   and "" are fine. */
void oauth_hide(struct oauth_call *call, const char *secret);
/* Others' words as they may be shown: printable, at most OAUTH_WORDS bytes. */
#define OAUTH_WORDS 200
const char *oauth_words(struct oauth_call *call, const char *text);
/* Host and port of a URL, for words. */
const char *oauth_host(struct oauth_call *call, const char *url);
/* To a URL that begins at `start`, with or without a query; unless value is
   NULL. */
void oauth_add_query(struct strbuf *url, size_t start, const char *name,
    const char *value);
/* Another code for an error that is set. Returns code. */
int oauth_code_is(struct err *err, int code);

/* --- oauth_issuer.c --- */

/* Fetch the metadata and check them. Errors as oauth_call_begin. */
int oauth_issuer_get(struct oauth_call *call, struct err *err);
/* A document of the issuer's, parsed; the caller puts it. 0 or its E_*. */
int oauth_document(struct oauth_call *call, const struct document_want *want,
    struct json_object **out, struct err *err);
/*
 * https, or http on loopback if that may be; no user, no fragment, nothing
 * that does not belong into a URL.
 */
bool oauth_url_ok(const char *url, bool http);
/* What to ask for, with blanks between; openid first. */
const char *oauth_scope(struct oauth_call *call);
#define OAUTH_GOOGLE_SCOPE \
	"https://www.googleapis.com/auth/cloud-platform.read-only"
/* Is it one of those in a list with blanks between? */
bool oauth_has_scope(const char *list, const char *scope);
/* "access_type=offline" and its like are for Google alone, and so on. */
bool oauth_is(const struct oauth_call *call, enum login_provider p);

/* --- oauth_client_auth.c --- */

struct oauth_form {
	const char *url;
	double timeout;			/* s; 0: HTTP_TIMEOUT */
	bool nameless;			/* do not show who we are */
	struct oauth_pair {
		const char *name, *value;	/* borrowed */
	} pairs[OAUTH_PAIRS];
	size_t n;
};
/* Unless value is NULL. */
void oauth_form_add(struct oauth_form *f, const char *name,
    const char *value);
/*
 * POST a form, with what shows who we are. 0: an answer came, whatever its
 * status, for http_answer_release. E_CONNECT, E_TLS, E_CONFIG: nothing was
 * sent; else nobody knows.
 */
int oauth_post(struct oauth_call *call, const struct oauth_form *form,
    struct http_answer *out, struct err *err);

/* --- oauth_answer.c --- */

struct oauth_answer {
	struct json_object *json;	/* owned; oauth_answer_release */
	int status;
	const char *error;		/* NULL: none */
};
#define OAUTH_ANSWER_INIT { NULL, 0, NULL }
/* What an HTTP answer says; it may be none of ours: json is NULL then. */
void oauth_answer_parse(const struct http_answer *from,
    struct oauth_answer *out);
void oauth_answer_release(struct oauth_answer *a);
/* Did it do what it was asked? */
bool oauth_answer_good(const struct oauth_answer *a);
/*
 * Why not, in its words: the codes of oauth_refresh. url is what was asked,
 * of which err names the host.
 */
int oauth_answer_refusal(struct oauth_call *call, const char *url,
    const struct oauth_answer *a, struct err *err);

/* What tokens must be to be taken. */
struct oauth_rules {
	const char *nonce;		/* NULL: none was sent */
	const struct token_set *old;	/* a refresh; NULL: a sign-in */
};
/* The tokens in a good answer. 0, or what oauth_code and oauth_refresh say
   of answers. */
int oauth_answer_tokens(struct oauth_call *call, const struct oauth_answer *a,
    const struct oauth_rules *rules, struct token_set *out, struct err *err);

/* --- oauth_id_token.c --- */

struct oauth_person {		/* in scratch */
	const char *subject, *account;
	int64_t expires;	/* wall ms */
};
struct oauth_id_rules {
	const char *nonce, *access_token;	/* NULL: none */
	const char *subject;		/* that it must keep; NULL: any */
};
/*
 * Check an id token by every rule. 0 with out; E_AUTH; anything else: the
 * keys that could say whether it is good cannot be had now (E_NOTFOUND: there
 * are keys, but not that one).
 */
int oauth_id_token(struct oauth_call *call, const char *token,
    const struct oauth_id_rules *rules, struct oauth_person *out,
    struct err *err);
/* Have the issuer's keys at hand. 0 or E_*. */
int oauth_keys_ready(struct oauth_call *call, struct err *err);

#endif
