/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the routes of /connect answer: pages for people, redirects with
 * cookies, and for those who ask for JSON the same as JSON. Nothing of it is
 * kept by anybody on the way. Functions return 0 or E_GONE.
 */
#ifndef STAGEDOOR_CONNECT_ANSWER_H
#define STAGEDOOR_CONNECT_ANSWER_H

#include "response.h"

struct notice;
struct runtime;
struct strbuf;

#define CONNECT_COOKIES_MAX 64	/* set, or ended, by one answer */

/* What an answer says of cookies; in the request's arena. */
struct connect_cookies {
	struct response_cookie items[CONNECT_COOKIES_MAX];
	size_t n;
};
/* Their path and `secure` are those of all of ours. More than fit are left
   out. seconds 0: it is to go. */
void connect_cookie(struct request *req, struct connect_cookies *cs,
    const char *name, const char *value, int64_t seconds);
/* Does the browser see nothing but https? Then our cookies say so. */
bool connect_secure(const struct runtime *rt);
/* The name of the cookie with the words of others. */
const char *connect_words_cookie(const struct request *req);

/* A path of ours as the browser has it: after publicUrl's origin, so that no
   path can lead to another host. In the arena. */
const char *connect_url(struct request *req, const char *path);

/* Does it ask for JSON, and not for a page? */
bool connect_wants_json(const struct request *req);

int connect_answer_page(struct request *req, int status,
    const struct strbuf *page);
int connect_answer_json(struct request *req, int status, const char *data,
    size_t len);
/*
 * Send the browser on: 303, or {"location": url} with 200 for who asks for
 * JSON. cookies may be NULL.
 */
int connect_answer_location(struct request *req, const char *url,
    const struct connect_cookies *cookies);
/* What is refused here and now: a page, or the contract's error. */
int connect_answer_refusal(struct request *req, const struct err *err);
/* Back to /connect, which tells. cookies: not NULL; the notice's words are
   added. */
int connect_answer_notice(struct request *req, const struct notice *n,
    struct connect_cookies *cookies);

#endif
