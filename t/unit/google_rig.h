/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of Google's credentials share: an environment, files and a
 * cloud that exist only in the test. Questions are answered in the order in
 * which the test laid the answers out, and kept.
 */
#ifndef STAGEDOOR_TEST_GOOGLE_RIG_H
#define STAGEDOOR_TEST_GOOGLE_RIG_H

#include <setjmp.h>
#include <cmocka.h>

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "arena.h"
#include "err.h"
#include "google_private.h"
#include "settings.h"
#include "strbuf.h"

#define RIG_PAIRS 32
#define RIG_NOW INT64_C(1741964966000)	/* 2025-03-14T15:09:26Z */
#define RIG_SCOPES "scope.a scope.b"

struct rig_answer {
	const char *url;		/* how the URL must begin */
	int status;
	const char *body;
	const char *head;		/* NULL: none */
	int64_t skew, retry_after;
	int fails;			/* E_*, in place of an answer */
};

struct rig_question {
	char *method, *url, *headers, *body;	/* "": none */
};

static struct {
	struct pair variables[RIG_PAIRS], files[RIG_PAIRS];
	size_t nvariables, nfiles;
	struct settings settings;
	struct arena *arena;

	struct rig_answer answers[RIG_PAIRS];
	struct rig_question asked[RIG_PAIRS];
	size_t nanswers, nasked;
	int64_t slept[RIG_PAIRS];
	size_t nslept;
	bool no_time;			/* sleeping is refused */
	char notes[4096];
	char inputs[16384];		/* of the source, in lines */
	size_t nsources;

	int r;				/* of the last rig_get */
	struct source_value got;
	struct err err;
} rig;

static char rig_key[4096];		/* PEM, made once */
static EVP_PKEY *rig_pkey;

static const char *
rig_find(const struct pair *pairs, size_t n, const char *name)
{
	while (n-- > 0)		/* the last one wins */
		if (strcmp(pairs[n].key, name) == 0)
			return pairs[n].value;
	return NULL;
}

static const char *
rig_getenv(const char *name)
{
	return rig_find(rig.variables, rig.nvariables, name);
}

/* A file of "!" is there and cannot be read. */
static int
rig_read_file(const char *path, struct secret *out, struct err *err)
{
	const char *text = rig_find(rig.files, rig.nfiles, path);

	if (text == NULL || strcmp(text, "!") == 0)
		return err_set(err, text ? E_SYSTEM : E_NOTFOUND,
		    "cannot read '%s'", path);
	secret_set(out, text, strlen(text));
	return 0;
}

static int
rig_http(const struct provider_call *call UNUSED,
    const struct http_request *rq, struct http_answer *out, struct err *err)
{
	struct rig_question *q = &rig.asked[rig.nasked];
	const struct rig_answer *a = &rig.answers[rig.nasked];
	size_t i;

	if (rig.nasked == rig.nanswers)
		fail_msg("%s is asked, and should not be", rq->url);
	rig.nasked++;
	q->method = arena_strdup(rig.arena, rq->method ? rq->method : "GET");
	q->url = arena_strdup(rig.arena, rq->url);
	q->body = arena_strndup(rig.arena, rq->body ? rq->body : "",
	    rq->body_len);
	q->headers = arena_strdup(rig.arena, "");
	for (i = 0; rq->headers != NULL && rq->headers[i] != NULL; i++)
		q->headers = arena_printf(rig.arena, "%s%s\n", q->headers,
		    rq->headers[i]);
	if (!str_starts(rq->url, a->url))
		fail_msg("%s is asked and not %s", rq->url, a->url);
	assert_true(rq->limit > 0 && rq->limit <= GOOGLE_TOKEN_MAX);
	if (a->fails != 0)
		return err_set(err, a->fails, "connect ECONNREFUSED");
	out->status = a->status;
	out->skew = a->skew;
	out->retry_after = a->retry_after;
	secret_set(&out->body, a->body, strlen(a->body));
	if (a->head != NULL)
		secret_set(&out->head, a->head, strlen(a->head));
	return 0;
}

static int
rig_sleep(const struct provider_call *call UNUSED, int64_t ms,
    struct err *err)
{
	if (rig.no_time)
		return err_set(err, E_TIMEOUT, "no time is left");
	rig.slept[rig.nslept++] = ms;
	return 0;
}

static int
rig_source(const struct provider_call *call, const struct source *source,
    struct source_value *out, struct err *err)
{
	size_t i, len = 0;

	rig.nsources++;
	assert_string_equal(source->kind, "google token");
	for (i = 0; source->inputs[i] != NULL; i++)
		len += (size_t)snprintf(rig.inputs + len,
		    sizeof(rig.inputs) - len, "%s\n", source->inputs[i]);
	return source->make(call, source->ctx, out, err);
}

static void
rig_note(const struct provider_call *call UNUSED, const char *fmt, ...)
{
	size_t len = strlen(rig.notes);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(rig.notes + len, sizeof(rig.notes) - len, fmt, ap);
	va_end(ap);
	len = strlen(rig.notes);
	snprintf(rig.notes + len, sizeof(rig.notes) - len, "\n");
}

static inline void
rig_variable(const char *name, const char *value)
{
	assert_true(rig.nvariables < RIG_PAIRS);
	rig.variables[rig.nvariables++] = (struct pair){ name, value };
}

static inline void
rig_file(const char *path, const char *text)
{
	assert_true(rig.nfiles < RIG_PAIRS);
	rig.files[rig.nfiles++] = (struct pair){ path, text };
}

static inline void
rig_answer(const struct rig_answer *a)
{
	assert_true(rig.nanswers < RIG_PAIRS);
	rig.answers[rig.nanswers++] = *a;
}

/* The usual: that URL, 200, that body. */
static inline void
rig_says(const char *url, const char *body)
{
	rig_answer(&(struct rig_answer){ .url = url, .status = 200,
	    .body = body });
}

static inline void
rig_credentials(const char *json)
{
	secret_set(&rig.settings.google_credentials, json, strlen(json));
}

static inline void
rig_get(void)
{
	const struct provider_call call = { .scratch = arena_new(),
	    .now = RIG_NOW, .read_file = rig_read_file,
	    .getenv = rig_getenv, .http = rig_http, .sleep = rig_sleep,
	    .source = rig_source, .note = rig_note };

	source_value_release(&rig.got);
	rig.got = (struct source_value)SOURCE_VALUE_INIT;
	memset(&rig.err, 0, sizeof(rig.err));
	rig.nslept = 0;
	rig.notes[0] = '\0';
	rig.r = google_token(&call, &rig.settings, RIG_SCOPES, &rig.got,
	    &rig.err);
	arena_free(call.scratch);
}

/* A token of that text came, and all answers were fetched. */
static inline void
rig_expect(const char *token)
{
	rig_get();
	if (rig.r != 0)
		fail_msg("%d: %s", rig.r, rig.err.text);
	assert_string_equal(rig.got.part[0].ptr, token);
	assert_int_equal(rig.nasked, rig.nanswers);
}

/* It failed so, and the sentence has that. */
static inline void
rig_refuse(int code, const char *words)
{
	rig_get();
	if (strstr(rig.err.text, words) == NULL)
		fail_msg("'%s' says nothing of '%s'", rig.err.text, words);
	assert_int_equal(rig.r, code);
	assert_int_equal(rig.nasked, rig.nanswers);
	assert_null(rig.got.part[0].ptr);
}

/* The body has name=value, as a form has it. */
static inline void
rig_form_has(size_t which, const char *field)
{
	char *body = arena_printf(rig.arena, "&%s&", rig.asked[which].body);

	field = arena_printf(rig.arena, "&%s&", field);
	if (strstr(body, field) == NULL)
		fail_msg("no '%s' in '%s'", field, body);
}

static inline int
rig_make_key(void **state UNUSED)
{
	BIO *bio = BIO_new(BIO_s_mem());

	rig_pkey = EVP_RSA_gen(2048);
	PEM_write_bio_PrivateKey(bio, rig_pkey, NULL, NULL, 0, NULL, NULL);
	BIO_read(bio, rig_key, sizeof(rig_key) - 1);
	BIO_free(bio);
	return 0;
}

static inline int
rig_free_key(void **state UNUSED)
{
	EVP_PKEY_free(rig_pkey);
	return 0;
}

/* JSON of a service account's key, with more members (",\"a\":1"). */
static inline char *
rig_account(const char *more)
{
	return arena_printf(rig.arena, "{\"type\":\"service_account\","
	    "\"client_email\":\"sa@p.iam\",\"private_key_id\":\"kid1\","
	    "\"private_key\":%s%s}", google_quote(rig.arena, rig_key), more);
}

static int
rig_setup(void **state UNUSED)
{
	memset(&rig, 0, sizeof(rig));
	rig.arena = arena_new();
	return 0;
}

static int
rig_teardown(void **state UNUSED)
{
	source_value_release(&rig.got);
	secret_release(&rig.settings.google_credentials);
	arena_free(rig.arena);
	return 0;
}

#define RIG_TEST(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

#endif
