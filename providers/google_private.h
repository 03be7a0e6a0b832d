/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of google_sources.h share: one token being made, on one
 * thread. Strings are in the call's scratch, which is wiped. Errors are the
 * end of a sentence that google_sources.c begins.
 */
#ifndef STAGEDOOR_GOOGLE_PRIVATE_H
#define STAGEDOOR_GOOGLE_PRIVATE_H

#include "google_sources.h"
#include "jsonx.h"

#define GOOGLE_SECRETS 24	/* that messages must not have */
#define GOOGLE_DEPTH 3		/* credentials within credentials */
#define GOOGLE_TOKEN_MAX 65536	/* bytes of an answer */

struct google_work {
	const struct provider_call *call;
	int64_t clock;		/* wall ms to sign; Google's, once known */
	bool is_signed;		/* clock went into what was sent */
	int64_t skew;		/* of the last answer */
	int status;		/* its status */
	int64_t retry_after;
	const char *host;	/* that was asked last */
	const char *who;	/* "service account 'x'"; NULL: not known */
	unsigned depth;
	const char *secrets[GOOGLE_SECRETS];
	size_t nsecrets;
};

/* --- google_http.c: asking ----------------------------------------------- */

/*
 * One exchange, tried up to three times where the answer says that it may
 * work later. 0 with an answer of status 2xx, which the caller releases;
 * E_DENIED (4xx), E_BUSY (429, 5xx), E_PROTOCOL, or the transport's.
 */
int google_fetch(struct google_work *w, const struct http_request *rq,
    struct http_answer *out, struct err *err);
/* The same for an answer that must be a JSON object; for jsonx_wipe. */
int google_ask(struct google_work *w, const struct http_request *rq,
    struct json_object **out, struct err *err);
/* POST a form to url; fields without value are left out. extra: one more
   header line, or NULL. */
struct google_form {
	const char *url, *extra;
	const struct pair *fields;
	size_t n;
};
int google_post(struct google_work *w, const struct google_form *form,
    struct json_object **out, struct err *err);
/* "access_token" and "expires_in" of an answer, into out. */
int google_take(struct google_work *w, struct json_object *answer,
    struct source_value *out, struct err *err);
/* out is to be used until expires (wall ms); E_PROTOCOL: it is over. */
int google_until(const struct google_work *w, int64_t expires,
    struct source_value *out, struct err *err);
/* s must not be in a message, should a cloud send it back. NULL is fine. */
void google_hide(struct google_work *w, const char *s);

/* --- google_text.c: URLs and strings ------------------------------------- */

enum google_trust {
	GOOGLE_ANYWHERE,	/* http and https */
	GOOGLE_TLS,		/* https; http to loopback */
	GOOGLE_OWN,		/* https to googleapis.com; loopback */
	GOOGLE_LOOPBACK,
};
bool google_url_ok(const char *url, enum google_trust trust);
/* The host of a URL that is ok, with its port. */
char *google_host(struct arena *arena, const char *url);
/* With all but unreserved characters percent-encoded. */
char *google_encode(struct arena *arena, const char *s);
/* A JSON string with its quotes. */
char *google_quote(struct arena *arena, const char *s);
/* A JSON list of the words of s, which have blanks between. */
char *google_quote_words(struct arena *arena, const char *s);
/* A member that must be a string and not empty; NULL: E_CONFIG says so. */
const char *google_need(struct json_object *obj, const char *key,
    struct err *err);

/* --- Kinds of credentials ------------------------------------------------ */

/* google_credentials.c. Any type, of its JSON. scopes: with blanks between. */
int google_from_json(struct google_work *w, struct json_object *credentials,
    const char *scopes, struct source_value *out, struct err *err);

struct google_assertion {
	const char *email, *key_id, *scopes;	/* key_id NULL: none */
	const char *subject;	/* whom it acts for; NULL: itself */
	const struct secret *key;		/* PEM */
	int64_t now;				/* wall ms */
};
/* google_key.c. NULL: the key cannot sign, and err says why. */
char *google_assertion(struct arena *arena,
    const struct google_assertion *a, struct err *err);
int google_from_key(struct google_work *w, struct json_object *credentials,
    const char *scopes, struct source_value *out, struct err *err);

/*
 * google_impersonate.c: a token of another account, at that URL, with a token
 * that may make one. delegates and seconds (of its life) may be NULL.
 */
struct google_other {
	const char *url, *scopes;
	const struct secret *token;
	struct json_object *delegates, *seconds;
};
/* The URL in credentials, which must be Google's own; NULL: err says so. */
const char *google_other_url(struct json_object *credentials,
    struct err *err);
int google_become(struct google_work *w, const struct google_other *other,
    struct source_value *out, struct err *err);
int google_from_impersonated(struct google_work *w,
    struct json_object *credentials, const char *scopes,
    struct source_value *out, struct err *err);

/* google_external.c, google_external_aws.c: a workload identity. */
int google_from_external(struct google_work *w,
    struct json_object *credentials, const char *scopes,
    struct source_value *out, struct err *err);
/* A signed question to AWS's STS, which Google's asks in our place; NULL: err
   says why there is none. */
char *google_aws_subject(struct google_work *w, struct json_object *source,
    const char *audience, struct err *err);

/* google_metadata.c. Where the server is: "http://HOST"; NULL: it is not to
   be asked, or its name is none, and err says so. */
const char *google_metadata_base(const struct provider_call *call,
    struct err *err);
int google_from_metadata(struct google_work *w, const char *base,
    const char *scopes, struct source_value *out, struct err *err);

#endif
