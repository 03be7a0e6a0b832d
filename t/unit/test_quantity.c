/* SPDX-License-Identifier: Apache-2.0 */
/*
 * quantity: what each way of writing means, and sums without loss.
 */
#include "base.h"

#include <setjmp.h>
#include <cmocka.h>

#include "quantity.h"
#include "strbuf.h"

static const char *
text_of(const struct quantity *q)
{
	static struct strbuf sb = STRBUF_INIT(1000);

	strbuf_reset(&sb);
	quantity_print(&sb, q);
	return sb.buf;
}

static void
reads_every_form(void **state UNUSED)
{
	static const struct {
		const char *text, *json;
	} table[] = {
		{ "0", "0" }, { "1", "1" }, { "2.5", "2.5" }, { "+3", "3" },
		{ "-1", "-1" }, { ".5", "0.5" }, { "5.", "5" },
		{ "250m", "0.25" }, { "0.5m", "0.0005" }, { "-10m", "-0.01" },
		{ "123456789n", "0.123456789" }, { "1500u", "0.0015" },
		{ "1n", "0.000000001" }, { "1e3", "1000" }, { "1E3", "1000" },
		{ "1.5e-3", "0.0015" }, { "1e+2", "100" },
		{ "9007199254740992", "9007199254740992" },
		{ "1k", "\"1000\"" }, { "100M", "\"100000000\"" },
		{ "2G", "\"2000000000\"" }, { "1T", "\"1000000000000\"" },
		{ "1P", "\"1000000000000000\"" },
		{ "1E", "\"1000000000000000000\"" },
		{ "70000Ki", "\"71680000\"" }, { "64Mi", "\"67108864\"" },
		{ "1Gi", "\"1073741824\"" }, { "1Ti", "\"1099511627776\"" },
		{ "1Pi", "\"1125899906842624\"" },
		{ "16Ei", "\"18446744073709551616\"" },
		{ "1.5Gi", "\"1610612736\"" }, { "0.1Ki", "\"103\"" },
		{ "0.001k", "\"1\"" }, { "0.0001k", "\"1\"" },
		{ "0Mi", "\"0\"" }, { "-1Ki", "\"-1024\"" },
		{ "12345678901234567890Ki", "\"12641975194864197519360\"" },
		{ "9999999999999999999999999999999999999999E",
		    "\"170141183460469231731687303715884105727\"" },
	};
	struct quantity q;
	size_t i;

	for (i = 0; i < ARRAY_LEN(table); i++) {
		if (!quantity_parse(table[i].text, strlen(table[i].text), &q))
			fail_msg("cannot read %s", table[i].text);
		assert_string_equal(text_of(&q), table[i].json);
	}
}

static void
refuses_what_is_none(void **state UNUSED)
{
	static const char *const none[] = {
		"", "m", "Mi", "abc", "1x", "1kk", "1mi", "1Kii", "Ki1",
		"1 Gi", "--1", "1.2.3", "0x10", "inf", "nan", "1e", "e3",
		"1e400", "1K", "1ki", "1e3Mi", "-",
		"1000000000000000000000000000000000000000000000000000000000000"
		"0000",
	};
	struct quantity q;
	size_t i;

	for (i = 0; i < ARRAY_LEN(none); i++) {
		q = (struct quantity){ true, 7, 7 };
		if (quantity_parse(none[i], strlen(none[i]), &q))
			fail_msg("read %s as %s", none[i], text_of(&q));
		assert_string_equal(text_of(&q), "0");
	}
	assert_false(quantity_parse("1\0m", 3, &q));
}

static void
adds_up(void **state UNUSED)
{
	static const struct {
		const char *terms[4], *json;
	} table[] = {
		{ { "64Mi", "16Mi" }, "\"83886080\"" },
		{ { "123456789n", "1500u" }, "0.124956789" },
		{ { "250m", "10m" }, "0.26" },
		{ { "100m", "200m" }, "0.30000000000000004" },
		{ { "1", "1Ki" }, "\"1025\"" },
		{ { "1Ki", "500m" }, "\"1025\"" },
		{ { "1Ki", "499m" }, "\"1024\"" },
		{ { "1.5", "1.5", "1k" }, "\"1003\"" },
		{ { "9007199254740992Ki", "1Ki" }, "\"9223372036854776832\"" },
		{ { "1Gi", "1.5Gi", "1M" }, "\"2685354560\"" },
	};
	struct quantity sum, q;
	size_t i, j;

	for (i = 0; i < ARRAY_LEN(table); i++) {
		sum = (struct quantity)QUANTITY_ZERO;
		for (j = 0; j < 4 && table[i].terms[j] != NULL; j++) {
			assert_true(quantity_parse(table[i].terms[j],
			    strlen(table[i].terms[j]), &q));
			quantity_add(&sum, &q);
		}
		assert_string_equal(text_of(&sum), table[i].json);
	}
}

static void
stays_at_the_largest(void **state UNUSED)
{
	struct quantity sum = QUANTITY_ZERO, q;

	quantity_parse("170141183460469231731Ei", 23, &q);
	quantity_add(&sum, &q);
	quantity_add(&sum, &q);
	assert_string_equal(text_of(&sum),
	    "\"170141183460469231731687303715884105727\"");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_every_form),
		cmocka_unit_test(refuses_what_is_none),
		cmocka_unit_test(adds_up),
		cmocka_unit_test(stays_at_the_largest),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
