/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an issuer says with something wrong in it: cut off anywhere, a byte
 * changed anywhere. Whatever is taken in the end is what was signed.
 */
#include "base.h"

#include "oauth_sets.h"

#define STEP 3		/* every third place, from another one for each byte */

/* Say `text` cut off, then with each byte in each place. */
static void
mutate(const char *text, void (*try)(const char *text))
{
	static const char bytes[] = { '"', '\\', '}', ',', '0', 'A', ' ',
	    '\x01', '\x7f', '\xc3' };
	size_t len = strlen(text), at, i;
	char *copy = xstrdup(text);

	for (at = 0; at < len; at += STEP) {
		copy[at] = '\0';
		try(copy);
		copy[at] = text[at];
	}
	for (i = 0; i < sizeof(bytes); i++)
		for (at = i % STEP; at < len; at += STEP) {
			copy[at] = bytes[i];
			try(copy);
			copy[at] = text[at];
		}
	free(copy);
}

static void
check_taken(int r, const struct err *err)
{
	if (r != 0) {
		assert_int_equal(r, err->code);
		assert_true(err->text[0] != '\0');
		no_secret_in(err->text);
		return;
	}
	assert_string_equal(got.issuer, ISSUER);
	assert_string_equal(got.subject, "sub-1");
	assert_true(got.access_token.len > 0);
}

static unsigned taken;

static void
sign_in_after(const char *text)
{
	struct err err;
	int r;

	answers(200, text);
	r = exchange(NULL, &err);
	check_taken(r, &err);
	taken += r == 0;
}

static void
answers_changed(void **state UNUSED)
{
	const char *good = tokens_with(sign(claims_with("")),
	    "\"scope\":\"openid\"");

	w.nsecrets = 1;		/* tokens are not known as such any more */
	taken = 0;
	mutate(good, sign_in_after);
	/* In access and refresh token, anything may stand. */
	assert_in_range(taken, 20, 1500);
}

static void
refuse_after(const char *text)
{
	struct err err;

	answers(400, text);
	assert_int_not_equal(exchange(NULL, &err), 0);
	no_secret_in(err.text);
}

static void
refusals_changed(void **state UNUSED)
{
	w.nsecrets = 0;
	mutate("{\"error\":\"invalid_grant\",\"error_description\":\"no\","
	    "\"error_uri\":\"https://issuer.example/\"}", refuse_after);
}

static const char *good_answer;

static void
with_metadata(const char *text)
{
	w.metadata = arena_strdup(w.arena, text);
	w.keys_url = ISSUER "/keys";
	sign_in_after(good_answer);
}

static void
with_keys(const char *text)
{
	w.keys = arena_strdup(w.arena, text);
	sign_in_after(good_answer);
}

/* The keys' address changes with the metadata. */
static int
any_document(void *ctx, const struct document_want *want,
    const struct document **out, struct err *err)
{
	struct document_want same = *want;

	if (strcmp(want->url, w.metadata_url) != 0)
		same.url = w.keys_url;
	return rig_document(ctx, &same, out, err);
}

static void
documents_changed(void **state UNUSED)
{
	w.io.document = any_document;
	good_answer = tokens_with(sign(claims_with("")), "");
	w.nsecrets = 0;
	mutate(w.metadata, with_metadata);
	metadata_with("");
	taken = 0;
	mutate(w.keys, with_keys);
	assert_true(taken > 0);
}

static void
begin_after(const char *text)
{
	struct oauth_device d;
	struct err err;

	answers(200, text);
	if (oauth_device_begin(&w.o, &d, &err) == 0) {
		no_secret_in(d.user_code);
		no_secret_in(d.verification_uri);
		assert_true(d.interval > 0 && d.expires > w.now);
	}
	oauth_device_release(&d);
}

static void
codes_changed(void **state UNUSED)
{
	w.nsecrets = 0;
	mutate("{\"device_code\":\"" DEVICE_CODE "\",\"user_code\":\"WD-MJ\","
	    "\"verification_uri\":\"" ISSUER "/go\",\"expires_in\":900,"
	    "\"interval\":7}", begin_after);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		SETS_TEST(answers_changed),
		SETS_TEST(refusals_changed),
		SETS_TEST(documents_changed),
		SETS_TEST(codes_changed),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, rig_group_setup,
	    rig_group_teardown);
}
