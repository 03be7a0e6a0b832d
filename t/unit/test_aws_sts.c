/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls to STS that do not go well, and what is read of its answers: tries,
 * pauses, clocks that are wrong, tokens that are stale, XML that is none.
 */
#include "base.h"

#include "aws_rig.h"
#include "aws_sts.h"
#include "aws_text.h"
#include "aws_value.h"
#include "aws_xml.h"

#define SESSION "IQoJb3JpZ2luX2VjEXAMPLE"
#define TOKEN "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln"
#define ENDS "2025-03-14T16:09:26Z"
#define ROLE(key, time) "<AssumeRoleResponse><AssumeRoleResult><Credentials>" \
	"<AccessKeyId>" key "</AccessKeyId><SecretAccessKey>S" \
	"</SecretAccessKey><SessionToken>T</SessionToken><Expiration>" time \
	"</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"

/* --- A script ------------------------------------------------------------ */

struct step {
	int status;		/* E_*: no answer */
	const char *code;	/* of an error; or the whole body, if it begins
				   with a tag */
	int64_t skew, retry_after;
};

static const struct step *script;

static int
play(const struct rig_asked *rq, struct http_answer *out)
{
	const struct step *s = &script[rig.nasked - 1];
	const char *body = s->code;

	if (s->status < 0)
		return s->status;
	if (body == NULL)
		body = strstr(rq->body, "WebIdentity") == NULL ?
		    ROLE("ASIA", ENDS) : "<AssumeRoleWithWebIdentityResponse>"
		    "<AssumeRoleWithWebIdentityResult><Credentials>"
		    "<AccessKeyId>ASIA</AccessKeyId><SecretAccessKey>S"
		    "</SecretAccessKey><SessionToken>T</SessionToken>"
		    "<Expiration>" ENDS "</Expiration></Credentials>"
		    "</AssumeRoleWithWebIdentityResult>"
		    "</AssumeRoleWithWebIdentityResponse>";
	else if (*body != '<')
		body = arena_printf(rig.arena, "<ErrorResponse><Error><Type>"
		    "Sender</Type><Code>%s</Code><Message>it says %s and %s"
		    "</Message></Error></ErrorResponse>", body, body,
		    strstr(rq->body, "WebIdentity") != NULL ? TOKEN : SESSION);
	rig_say(out, s->status, body);
	out->skew = s->skew;
	out->retry_after = s->retry_after;
	return 0;
}

static struct source_value value;

/* A role is asked for, with keys or with a token. */
static int
ask(const struct step *steps, bool web)
{
	static const struct aws_role role = {
		.arn = "arn:aws:iam::222222222222:role/k8s",
		.sts = { .region = "eu-west-1" } };
	struct aws_credentials keys = { .access_key_id = "AK" };
	struct provider_call call = rig_call();
	int r;

	source_value_release(&value);
	rig_forget();
	rig.cloud = play;
	script = steps;
	secret_set(&keys.secret, "secret", 6);
	secret_set(&keys.session_token, SESSION, strlen(SESSION));
	if (web)
		r = aws_sts_web_identity(&call, &role, "/t", &value, &rig.err);
	else
		r = aws_sts_assume(&call, &role, &keys, &value, &rig.err);
	aws_credentials_release(&keys);
	return r;
}

static void
told(const char *what)
{
	if (strstr(rig.err.text, what) == NULL)
		fail_msg("'%s' does not say '%s'", rig.err.text, what);
	assert_non_null(strstr(rig.err.text, "'arn:aws:iam::222222222222:"
	    "role/k8s'"));
	assert_null(strstr(rig.err.text, SESSION));
	assert_null(strstr(rig.err.text, TOKEN));
	assert_null(strstr(rig.err.text, "secret"));
}

static const char *
date_of(size_t n)
{
	return rig_header(&rig.asked[n], "X-Amz-Date");
}

/* --- Tries --------------------------------------------------------------- */

/* What is tried again: three times in all, with pauses that grow. */
static void
tries(void **state UNUSED)
{
	static const struct {
		const char *code;
		int status, r;
		unsigned asked;
	} rows[] = {
		{ "AccessDenied", 403, E_DENIED, 1 },
		{ "ValidationError", 400, E_DENIED, 1 },
		{ "ExpiredToken", 403, E_DENIED, 1 },
		{ "SignatureDoesNotMatch", 403, E_DENIED, 1 },
		{ "Throttling", 400, E_BUSY, 3 },
		{ "IDPCommunicationError", 400, E_BUSY, 3 },
		{ "InternalFailure", 500, E_BUSY, 3 },
		{ "ServiceUnavailable", 503, E_BUSY, 3 },
		{ "<html>", 502, E_BUSY, 3 },
		{ "Whatever", 429, E_BUSY, 3 },
		{ "Whatever", 302, E_DENIED, 1 },
		{ NULL, E_CONNECT, E_CONNECT, 3 },
		{ NULL, E_TIMEOUT, E_TIMEOUT, 3 },
		{ NULL, E_PROTOCOL, E_PROTOCOL, 3 },
		{ NULL, E_TOOLARGE, E_TOOLARGE, 1 },
	};
	struct step steps[3];
	size_t i, k;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		for (k = 0; k < 3; k++)
			steps[k] = (struct step){ rows[i].status, rows[i].code,
			    0, 0 };
		if (ask(steps, false) != rows[i].r ||
		    rig.nasked != rows[i].asked)
			fail_msg("row %zu: %u tries, '%s'", i,
			    (unsigned)rig.nasked, rig.err.text);
		assert_int_equal(rig.nslept, rows[i].asked - 1);
		assert_in_range(rig_slept(), 0, 3000);
		assert_int_equal(rig.err.code, rows[i].r);
		told(rows[i].status < 0 ? "STS at sts.eu-west-1.amazonaws.com"
		    : arena_printf(rig.arena, "STS answered %d",
		    rows[i].status));
	}
}

static void
well_at_last(void **state UNUSED)
{
	static const struct step steps[] = { { 503, "Unavailable", 0, 0 },
	    { 400, "Throttling", 0, 7000 }, { 200, NULL, 0, 0 } };

	assert_int_equal(ask(steps, false), 0);
	assert_string_equal(value.part[0].ptr, "ASIA");
	assert_int_equal(value.expires, RIG_NOW + 3600000);
	assert_int_equal(value.margin, 5 * 60 * 1000);
	assert_in_range(rig_slept(), 7000, 9000);
	assert_int_equal(value.retry_after, 0);
	/* Each is signed for its own time. */
	assert_string_not_equal(date_of(0), date_of(2));
	assert_string_not_equal(rig_header(&rig.asked[0], "Authorization"),
	    rig_header(&rig.asked[2], "Authorization"));
}

/* STS asks for more time than anybody waits: the core is told. */
static void
retry_after(void **state UNUSED)
{
	static const struct step steps[] = { { 429, "Slow", 0, 60000 } };

	assert_int_equal(ask(steps, false), E_BUSY);
	assert_int_equal(rig.nasked, 1);
	assert_int_equal(rig.nslept, 0);
	assert_int_equal(value.retry_after, 60000);
}

/* --- Clocks -------------------------------------------------------------- */

static void
clocks(void **state UNUSED)
{
	static const struct step ahead[] = { { 403, "SignatureDoesNotMatch",
	    600000, 0 }, { 200, NULL, 600000, 0 } };
	static const struct step behind[] = { { 400, "RequestExpired",
	    -600000, 0 }, { 200, NULL, -600000, 0 } };
	static const struct step again[] = { { 403, "SignatureDoesNotMatch",
	    600000, 0 }, { 403, "SignatureDoesNotMatch", 600000, 0 } };

	assert_int_equal(ask(ahead, false), 0);
	assert_int_equal(rig.nslept, 0);
	assert_string_equal(date_of(0), "20250314T150926Z");
	assert_string_equal(date_of(1), "20250314T151926Z");
	assert_int_equal(value.expires, RIG_NOW + 3000000);
	assert_string_equal(value.part[3].ptr, "600000");

	assert_int_equal(ask(behind, false), 0);
	assert_string_equal(date_of(1), "20250314T145926Z");
	assert_int_equal(value.expires, RIG_NOW + 4200000);

	assert_int_equal(ask(again, false), E_DENIED);
	assert_int_equal(rig.nasked, 2);
	told("SignatureDoesNotMatch");
}

/* What is signed with credentials of a cloud whose clock we know. */
static void
clock_is_kept(void **state UNUSED)
{
	struct provider_call call = rig_call();
	struct aws_credentials keys = AWS_CREDENTIALS_INIT;
	struct source_value v = SOURCE_VALUE_INIT;

	secret_set(&v.part[0], "ASIA", 4);
	secret_set(&v.part[1], "S", 1);
	assert_int_equal(aws_value_expires(&call, ENDS, -120000, &v,
	    &rig.err), 0);
	aws_value_take(&call, &v, &keys);
	assert_int_equal(keys.skew, -120000);
	assert_int_equal(keys.expires, RIG_NOW + 3720000);
	aws_credentials_release(&keys);
	source_value_release(&v);
}

/* --- Web identities ------------------------------------------------------ */

static const char *token_now;

/* Another token is in the file by the second time. */
static int
rotate(const struct rig_asked *rq, struct http_answer *out)
{
	int r = play(rq, out);

	rig_file("/t", token_now);
	return r;
}

static void
stale_tokens(void **state UNUSED)
{
	static const struct step steps[] = { { 400, "ExpiredToken", 0, 0 },
	    { 200, NULL, 0, 0 } };
	static const struct step twice[] = { { 400, "InvalidIdentityToken",
	    0, 0 }, { 400, "InvalidIdentityToken", 0, 0 } };
	struct provider_call call = rig_call();
	struct aws_role role = { .arn = "r", .sts = { .region = "x" } };

	rig_file("/t", TOKEN "\n");
	assert_int_equal(ask(twice, true), E_DENIED);
	assert_int_equal(rig.nasked, 2);
	assert_null(strstr(rig.err.text, "eyJ"));
	assert_null(rig_header(&rig.asked[0], "Authorization"));

	source_value_release(&value);
	rig.nasked = 0;
	rig.cloud = rotate;
	token_now = "eyJ.new";
	script = steps;
	assert_int_equal(aws_sts_web_identity(&call, &role, "/t", &value,
	    &rig.err), 0);
	assert_int_equal(rig.nslept, 0);
	assert_non_null(strstr(rig.asked[0].body, "WebIdentityToken=" TOKEN));
	assert_null(strstr(rig.asked[0].body, "%0A"));
	assert_non_null(strstr(rig.asked[1].body,
	    "WebIdentityToken=eyJ.new"));
}

static void
bad_token_files(void **state UNUSED)
{
	assert_int_equal(ask(NULL, true), E_SYSTEM);
	told("cannot be read");
	assert_null(strstr(rig.err.text, "/t'"));
	rig_file("/t", "\n");
	assert_int_equal(ask(NULL, true), E_CONFIG);
	rig_file("/t", "a\nb");
	assert_int_equal(ask(NULL, true), E_CONFIG);
	told("holds no token");
	assert_int_equal(rig.nasked, 0);
}

/* --- Answers ------------------------------------------------------------- */

static void
bad_answers(void **state UNUSED)
{
	static const char *const bodies[] = {
		"", "{}", "<AssumeRoleResponse>",
		"<AssumeRoleResponse></AssumeRoleResponse>",
		ROLE("ASIA", ""), ROLE("", ENDS), ROLE("ASIA", "soon"),
		ROLE("ASIA", "2025-03-14T15:09:26Z"),
		ROLE("AS IA", ENDS), ROLE("ASIA", "1741968566"),
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(bodies); i++) {
		struct step steps[] = { { 200, *bodies[i] == '<' ? bodies[i] :
		    "<", 0, 0 } };

		if (ask(steps, false) != E_PROTOCOL)
			fail_msg("row %zu: '%s'", i, rig.err.text);
		assert_int_equal(rig.nasked, 1);
		told("STS answered ");
	}
}

/* A text, and what is in A/B; NULL: it is no XML that we take. */
static void
xml(void **state UNUSED)
{
	static const struct pair rows[] = {
		{ "<A><B>x</B></A>", "x" },
		{ "\xef\xbb\xbf<?xml version='1.0'?>\n<!-- < -->\n"
		    "<A xmlns=\"u/>\" b = 'c'>\r\n <C/><B > x y\n</B ></A>\n",
		    "x y" },
		{ "<A><B>&lt;&amp;&gt;&quot;&apos;&#65;&#x42;</B></A>",
		    "<&>\"'AB" },
		{ "<A><C><B>no</B></C><B>x</B></A>", "x" },
		{ "<A><B></B></A>", "" }, { "<A><B/></A>", "" },
		{ "<A/>", "" }, { "<A></A>", "" }, { "<B>x</B>", "" },
		{ "<A><B>x</B><B>y</B></A>", NULL },
		{ "<A><B>x</A></B>", NULL }, { "<A><B>x</B>", NULL },
		{ "<A/><A/>", NULL }, { "<A/>x", NULL }, { "x<A/>", NULL },
		{ "", NULL }, { " ", NULL }, { "<", NULL }, { "<A", NULL },
		{ "</A>", NULL }, { "<A>&x;</A>", NULL },
		{ "<A>&#0;</A>", NULL }, { "<A>&#x;</A>", NULL },
		{ "<A>&#99999999999999;</A>", NULL }, { "<A>&amp</A>", NULL },
		{ "<!DOCTYPE A><A/>", NULL }, { "<A><?x?></A>", NULL },
		{ "<A><![CDATA[x]]></A>", NULL }, { "<A b></A>", NULL },
		{ "<A b=c></A>", NULL }, { "<1/>", NULL }, { "<A b='/>", NULL },
	};
	struct secret text = SECRET_INIT, got = SECRET_INIT;
	const struct aws_xml_want want = { "A/B", &got };
	size_t i;
	int r;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		secret_set(&text, rows[i].key, strlen(rows[i].key));
		r = aws_xml_read(&text, &want, 1, &rig.err);
		if ((r == 0) != (rows[i].value != NULL) || (r == 0 &&
		    !str_eq(got.len > 0 ? got.ptr : "", rows[i].value)))
			fail_msg("row %zu: %d '%s'", i, r, got.len > 0 ?
			    got.ptr : "");
		secret_release(&got);
	}
	secret_release(&text);
}

/* Depth and names are bounded. */
static void
deep_xml(void **state UNUSED)
{
	struct secret text = SECRET_INIT;
	char deep[3 * 4096 + 1];
	int i;

	for (i = 0; i < 4096; i++)
		memcpy(deep + 3 * i, "<a>", 3);
	secret_set(&text, deep, sizeof(deep) - 1);
	assert_int_equal(aws_xml_read(&text, NULL, 0, NULL), E_PROTOCOL);
	memset(deep, 'a', sizeof(deep));
	deep[0] = '<';
	secret_set(&text, deep, sizeof(deep) - 1);
	assert_int_equal(aws_xml_read(&text, NULL, 0, NULL), E_PROTOCOL);
	secret_release(&text);
}

/* --- Texts --------------------------------------------------------------- */

static void
said(void **state UNUSED)
{
	struct secret s = SECRET_INIT;
	const struct secret *const secrets[] = { &s };
	char longer[400], word[100];

	secret_set(&s, "topsecret", 9);
	assert_string_equal(aws_said(rig.arena, " a\r\n\tb \x01\xc3\xa9 c ",
	    NULL, 0), "a b c");
	assert_string_equal(aws_said(rig.arena, "x:topsecret,topsecret.",
	    secrets, 1), "x:***,***.");
	assert_string_equal(aws_said(rig.arena, "SecretAccessKey=hush, x",
	    NULL, 0), "SecretAccessKey=***, x");
	memset(word, 'w', sizeof(word));
	word[99] = '\0';
	assert_string_equal(aws_said(rig.arena, word, NULL, 0), "***");
	memset(longer, ':', sizeof(longer));
	longer[399] = '\0';
	assert_int_equal(strlen(aws_said(rig.arena, longer, NULL, 0)),
	    AWS_SAID_MAX);
	secret_release(&s);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(tries), TEST(well_at_last), TEST(retry_after),
		TEST(clocks), TEST(clock_is_kept), TEST(stale_tokens),
		TEST(bad_token_files), TEST(bad_answers), TEST(xml),
		TEST(deep_xml), TEST(said),
	};
	int failed;

	cmocka_set_message_output(CM_OUTPUT_TAP);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	source_value_release(&value);
	return failed;
}
