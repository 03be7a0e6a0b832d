/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of Google's credentials share. Questions are answered in the
 * order in which the test laid the answers out, and kept.
 */
#ifndef STAGEDOOR_TEST_GOOGLE_RIG_H
#define STAGEDOOR_TEST_GOOGLE_RIG_H

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "cloud_rig.h"
#include "google_private.h"
#include "strbuf.h"

#define RIG_SCOPES "scope.a scope.b"

static struct {
	struct rig_answer answers[RIG_PAIRS];
	size_t nanswers;
	struct source_value got;	/* of the last rig_get */
} google;

static char rig_key[4096];		/* PEM, made once */
static EVP_PKEY *rig_pkey;

static int
rig_in_order(const struct rig_asked *rq, struct http_answer *out)
{
	const struct rig_answer *a = &google.answers[rig.nasked - 1];

	if (rig.nasked > google.nanswers)
		fail_msg("%s is asked, and should not be", rq->url);
	if (!str_starts(rq->url, a->url))
		fail_msg("%s is asked and not %s", rq->url, a->url);
	assert_true(rq->limit > 0 && rq->limit <= GOOGLE_TOKEN_MAX);
	return rig_answers(a, out);
}

static inline void
rig_answer(const struct rig_answer *a)
{
	assert_true(google.nanswers < RIG_PAIRS);
	google.answers[google.nanswers++] = *a;
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

/* What was asked before stays. */
static inline void
rig_get(void)
{
	struct provider_call call = rig_call();
	size_t nasked = rig.nasked;

	call.scratch = arena_new();
	source_value_release(&google.got);
	rig_forget();
	rig.nasked = nasked;
	rig.r = google_token(&call, &rig.settings, RIG_SCOPES, &google.got,
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
	assert_string_equal(google.got.part[0].ptr, token);
	assert_int_equal(rig.nasked, google.nanswers);
}

/* It failed so, and the sentence has that. */
static inline void
rig_refuse(int code, const char *words)
{
	rig_get();
	if (strstr(rig.err.text, words) == NULL)
		fail_msg("'%s' says nothing of '%s'", rig.err.text, words);
	assert_int_equal(rig.r, code);
	assert_int_equal(rig.nasked, google.nanswers);
	assert_null(google.got.part[0].ptr);
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
	rig_begin("gke", "googleServiceAccount");
	memset(&google, 0, sizeof(google));
	rig.cloud = rig_in_order;
	return 0;
}

static int
rig_teardown(void **state UNUSED)
{
	source_value_release(&google.got);
	secret_release(&rig.settings.google_credentials);
	arena_free(rig.arena);
	return 0;
}

#define RIG_TEST(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

#endif
