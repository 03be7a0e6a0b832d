/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What became of the last step, shown on /connect after a redirect. The
 * address has a word out of a fixed list, and the login's name; what is shown
 * are sentences of ours. The words of others come in a sealed cookie, for this
 * user and this word only: nobody's link can put a text on the page.
 */
#ifndef STAGEDOOR_NOTICE_H
#define STAGEDOOR_NOTICE_H

struct arena;
struct login_settings;
struct runtime;

#define NOTICE_COOKIE "stagedoor-words"
#define NOTICE_MS 120000	/* that the words of others are kept */
#define NOTICE_WORDS_MAX 400	/* bytes of them */

enum notice_code {
	NOTICE_NONE,
	NOTICE_CONNECTED,
	NOTICE_DISCONNECTED,
	NOTICE_ENDED,		/* a session of kubectl */
	/* From here on it failed. */
	NOTICE_STRANGE,		/* no cookie, or none that opens */
	NOTICE_USED,
	NOTICE_OTHER_USER,
	NOTICE_DENIED,		/* by the person, or the issuer's rules */
	NOTICE_REFUSED,		/* by the issuer's answer, or by our checks */
	NOTICE_AWAY,		/* the issuer is */
	NOTICE_NOT_KEPT,	/* the store failed */
	NOTICE_SETUP,		/* our settings, or the issuer's */
	NOTICE_GARBLED,		/* parameters that are none */
};

struct notice {
	enum notice_code code;
	const struct login_settings *login;	/* NULL: not known */
	const char *words;		/* of others; NULL: none */
};

bool notice_failed(enum notice_code code);
/* "failed=denied&login=oidc/okta" */
const char *notice_query(struct arena *arena, const struct notice *n);
/* From such a query; NOTICE_NONE for anything else. words stays NULL. */
void notice_parse(const struct runtime *rt, struct arena *arena,
    const char *query, struct notice *out);
/* A heading and a sentence, in the arena. where: the issuer's name. */
const char *notice_title(struct arena *arena, enum notice_code code,
    const char *where);
const char *notice_text(struct arena *arena, enum notice_code code,
    const char *where);
/* For an error of oauth.h's, a store's or an issuer's. */
enum notice_code notice_of(int code);

/* The words as a cookie's value, for this user; NULL: there are none, or no
   store. now: wall ms. */
const char *notice_seal(const struct runtime *rt, struct arena *arena,
    const struct notice *n, const char *user, int64_t now);
/* Fills words, if the value is for this user and n's code. */
void notice_open(const struct runtime *rt, struct arena *arena,
    struct notice *n, const char *user, const char *value);

#endif
