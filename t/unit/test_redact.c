/* SPDX-License-Identifier: Apache-2.0 */
/* What is cut out of other people's words, and what must stay readable. */
#include "base.h"

#include <setjmp.h>
#include <cmocka.h>

#include "redact.h"

struct row {
	const char *from, *to;
};

static void
each(const struct row *rows, size_t n)
{
	char text[512];
	size_t i;

	for (i = 0; i < n; i++) {
		snprintf(text, sizeof(text), "%s", rows[i].from);
		redact(text);
		if (strcmp(text, rows[i].to) != 0)
			fail_msg("%s\nbecame %s\nnot    %s", rows[i].from, text,
			    rows[i].to);
	}
}

static void
cuts_secrets(void **state UNUSED)
{
	static const struct row rows[] = {
		{ "got eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4IjoiMTIzNDU2In0.c2ln",
		    "got ***.***.c2ln" },
		{ "k8s-aws-v1.aHR0cHM6Ly9zdHMuYW1hem9uYXdzLmNvbS8_QWN0aW9u",
		    "k8s-aws-v1.***" },
		{ "key wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY is bad",
		    "key *** is bad" },
		{ "0123456789abcdef0123456789abcdef", "***" },
		{ "Authorization: Bearer abc", "Authorization: Bearer ***" },
		{ "sent Bearer abc.", "sent Bearer ***" },
		{ "{\"access_token\": \"abc\", \"n\": 1}",
		    "{\"access_token\": \"***\", \"n\": 1}" },
		{ "password=hush user=x", "password=*** user=x" },
		{ "client_secret=h%21&x=1", "client_secret=***&x=1" },
		{ "https://me:hush@host/path", "https://***@host/path" },
		{ "token: 'ab'", "token: '**'" },
	};

	each(rows, ARRAY_LEN(rows));
}

static void
keeps_words(void **state UNUSED)
{
	static const struct row rows[] = {
		{ "", "" },
		{ "the token has expired", "the token has expired" },
		{ "Unable to locate credentials. You can configure them by "
		    "running \"aws configure\".",
		    "Unable to locate credentials. You can configure them by "
		    "running \"aws configure\"." },
		{ "arn:aws:iam::123456789012:role/admin",
		    "arn:aws:iam::123456789012:role/admin" },
		{ "https://sts.eu-west-1.amazonaws.com/ answered 403",
		    "https://sts.eu-west-1.amazonaws.com/ answered 403" },
		{ "trace 6dae42f8-4368-4678-94ff-3960e28e3630",
		    "trace 6dae42f8-4368-4678-94ff-3960e28e3630" },
		{ "AADSTS50034: see error code: 5",
		    "AADSTS50034: see error code: 5" },
		{ "/var/lib/somebody/.kube/cache/oidc-login/config",
		    "/var/lib/somebody/.kube/cache/oidc-login/config" },
		{ "2025-03-14T15:09:26Z failed",
		    "2025-03-14T15:09:26Z failed" },
	};

	each(rows, ARRAY_LEN(rows));
}

static void
cuts_values(void **state UNUSED)
{
	char text[] = "a open-sesame b open-sesame";
	char small[] = "a short word";

	redact_value(text, "open-sesame");
	assert_string_equal(text, "a *** b ***");
	redact_value(small, "short");
	assert_string_equal(small, "a short word");
	redact_value(small, "");
	assert_string_equal(small, "a short word");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cuts_secrets),
		cmocka_unit_test(keeps_words),
		cmocka_unit_test(cuts_values),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
