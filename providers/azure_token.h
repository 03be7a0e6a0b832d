/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What all sources of an Azure token share: asking an endpoint with its
 * retries, reading its answer, and saying what it answered without a secret.
 * For threads of the pool only: it blocks.
 */
#ifndef STAGEDOOR_AZURE_TOKEN_H
#define STAGEDOOR_AZURE_TOKEN_H

#include "provider.h"

/* The application that stands for every AKS cluster. */
#define AZURE_AKS "6dae42f8-4368-4678-94ff-3960e28e3630"
#define AZURE_MARGIN (15 * 60 * 1000)	/* ms before its end: renew it */
#define AZURE_WORDS 200			/* bytes of somebody else's text */

/* This source is not configured or not there: try the one after it. */
#define AZURE_NEXT 1

/* Fills err with why, and returns AZURE_NEXT. */
int azure_next(struct err *err, const char *fmt, ...) PRINTF_LIKE(2, 3);

/*
 * Somebody else's text for a message of ours: one line, printable, at most
 * AZURE_WORDS bytes, without secret (NULL: none) and what else redact.h cuts.
 * In scratch; NULL gives "".
 */
char *azure_words(const struct provider_call *call, const char *text,
    const char *secret);

struct azure_request {
	const struct http_request *http;
	const char *where;	/* for messages: "https://login…" */
	const char *secret;	/* that must not come back; NULL: none */
	/* One try, and more after pauses of 0.8 s, 1.6 s … 6.4 s, as long as
	   an answer of another status, or none, may follow: */
	unsigned tries;
	bool (*again)(int status);
	bool must_connect;	/* not reached at once: not tried again */
};

/* 429 and 5xx. */
bool azure_again(int status);

/*
 * Whatever the status, 0 if a whole answer came; the caller releases out.
 * Else E_* and "WHERE: why". An answer that asks for a longer pause than we
 * have is given back as it is.
 */
int azure_ask(const struct provider_call *call,
    const struct azure_request *rq, struct http_answer *out,
    struct err *err);
/*
 * The token in an answer of Entra or of a managed identity. E_DENIED if it is
 * a refusal, E_BUSY (with out->retry_after) if it may pass, E_PROTOCOL if it
 * is no token, or one that has expired.
 */
int azure_take(const struct provider_call *call,
    const struct azure_request *rq, const struct http_answer *answer,
    struct source_value *out, struct err *err);
/* A token that ends at expires (wall ms of ours), into out. E_PROTOCOL. */
int azure_keep(const struct provider_call *call, const char *token,
    int64_t expires, struct source_value *out, struct err *err);

struct json_object;
/* Seconds since 1970, as number, digits or RFC 3339; 0: it is none. */
int64_t azure_seconds(struct json_object *obj);

#endif
