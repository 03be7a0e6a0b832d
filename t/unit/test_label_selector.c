/* SPDX-License-Identifier: Apache-2.0 */
/*
 * label_selector: what Kubernetes' own parser takes and refuses, and what
 * matches which labels.
 */
#include "base.h"

#include <setjmp.h>
#include <cmocka.h>

#include "err.h"
#include "label_selector.h"

#define N63 "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk"
#define N50 "a2345678901234567890123456789012345678901234567890"
#define N253 N50 "." N50 "." N50 "." N50 ".a23456789012345678901234567890123" \
	"4567890123456789"

/* "a=b,c" are two labels, the second with an empty value. */
static size_t
labels_of(char *text, struct label *out)
{
	size_t n = 0;
	char *save = NULL, *one, *equals;

	for (one = strtok_r(text, ",", &save); one != NULL;
	    one = strtok_r(NULL, ",", &save)) {
		if ((equals = strchr(one, '=')) != NULL)
			*equals = '\0';
		out[n].key = one;
		out[n++].value = equals != NULL ? equals + 1 : "";
	}
	return n;
}

static bool
matches(const char *selector, const char *labels)
{
	struct err err = ERR_INIT;
	struct label_selector *s = label_selector_parse(selector, &err);
	char *text = xstrdup(labels);
	struct label list[16];
	bool yes;

	if (s == NULL)
		fail_msg("'%s' is refused: %s", selector, err.text);
	yes = label_selector_matches(s, list, labels_of(text, list));
	label_selector_free(s);
	free(text);
	return yes;
}

static void
knows_what_matches(void **state UNUSED)
{
	static const struct {
		const char *selector, *yes, *no;	/* NULL: nothing to
							   hold against it */
	} table[] = {
		{ "", "", NULL },
		{ " \t\r\n", "a=b", NULL },
		{ "a=b", "x=y,a=b", "a=c" },
		{ "a=b", "a=b,c=d", "" },
		{ "a==b", "a=b", "a=B" },
		{ " a = b ", "a=b", "a" },
		{ "a=", "a", "" },
		{ "a==", "a=", "a=b" },
		{ "a=,b", "a,b=x", "a" },
		{ "a!=b", "a=c", "a=b" },
		{ "a!=b", "", "a=b" },
		{ "a!=", "", "a" },
		{ "a!=", "a=b", "a=" },
		{ "a=b,a=b", "a=b", "a=c" },
		{ "a=b,c!=d", "a=b", "a=b,c=d" },
		{ "a", "a", "b" },
		{ "a", "a=x", "b=a" },
		{ "!a", "b", "a" },
		{ "! a", "", "a=x" },
		{ "!a,!b", "c", "c,b" },
		{ "a in (b)", "a=b", "a=c" },
		{ "a in (b,c)", "a=c", "a=d" },
		{ "a in(b,c)", "a=b", "" },
		{ "a in ( b , c )", "a=c", "a" },
		{ "a in (,b)", "a", "" },
		{ "a in (b,)", "a=", "a=c" },
		{ "a in (b,,c)", "a=", "a=d" },
		{ "a in (,)", "a", "a=b" },
		{ "a in (,,b)", "a=b", "a=c" },
		{ "a in (,,,)", "a", "a=b" },
		{ "a in (in,notin)", "a=notin", "a=x" },
		{ "in in (in)", "in=in", "in" },
		{ "notin notin (notin)", "notin=x", "notin=notin" },
		{ "in", "in", "notin" },
		{ "!in", "", "in" },
		{ "in=in", "in=in", "in=notin" },
		{ "in,notin", "in,notin", "in" },
		{ "a notin (b)", "a=c", "a=b" },
		{ "a notin (b,c)", "", "a=c" },
		{ "a notin (,b)", "a=c", "a" },
		{ "a>1", "a=2", "a=1" },
		{ "a>1", "a=10", "a=0" },
		{ "a>1", "a=007", "a=x" },
		{ "a>1", NULL, "" },
		{ "a>1", NULL, "a" },
		{ "a<2", "a=1", "a=2" },
		{ "a < 2", "a=1", "a=1.0" },
		{ "a<10", "a=9", "a=9a" },
		{ "a>9223372036854775806", "a=9223372036854775807",
		    "a=9223372036854775808" },
		{ "a<1,b>2", "a=0,b=3", "a=0,b=2" },
		{ "app.kubernetes.io/name=x", "app.kubernetes.io/name=x",
		    "name=x" },
		{ "x/y=Z_9.-z", "x/y=Z_9.-z", "x/y=z_9.-z" },
		{ "1=2", "1=2", "1=3" },
		{ N63 "=" N63, N63 "=" N63, "a" },
		{ N253 "/a=b", N253 "/a=b", "a=b" },
		{ "a\n=\tb\r,\nc", "a=b,c", "a=b" },
		{ "a=b,c in (d),!e,f notin (g),h!=i,j>1,k", "a=b,c=d,j=2,k",
		    "a=b,c=d,j=2,k,e" },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(table); i++) {
		if (table[i].yes != NULL &&
		    !matches(table[i].selector, table[i].yes))
			fail_msg("'%s' does not match '%s'",
			    table[i].selector, table[i].yes);
		if (table[i].no != NULL &&
		    matches(table[i].selector, table[i].no))
			fail_msg("'%s' matches '%s'", table[i].selector,
			    table[i].no);
	}
}

static void
refuses_what_the_api_server_refuses(void **state UNUSED)
{
	static const char *const table[] = {
		",", "a,", ",a", "a,,b", "a=b,", "a=b,,c", "a b", "a=b c",
		"a=b=c", "=", "=b", "==b", "!", "!!a", "!a=b", "!a in (b)",
		"!=b", "! ", "a!", "a=!b", "a=!", "a===b", "a=>b", "a=(b)",
		"a in", "a in b", "a in ()", "a in (", "a in (b", "a in b)",
		"a in (b c)", "a in (b))", "a in (b) c", "a in (b,,)",
		"a in (,,)", "a in ((b))", "a in (b=c)", "a in (!b)",
		"a notin ()", "a notin b", "a not in (b)", "a IN (b)",
		"a inn (b)", "(a)", ")", "a)", "(", "in (a)", "notin (a)",
		"a>", "a<", "a>b", "a>1.5", "a>-1", "a>+1", "a>=1", "a<=1",
		"a>1,a>x", "a>9223372036854775808", "a><1", "a>(1)",
		"-a", "a-", "_a", "a.", "a/", "/a", "a/b/c", "A/b", "a_b/c",
		"-a/b", "a-/b", "a..b/c", ".a/b", "a./b", "a/-b", "a/b-",
		"a=-b", "a=b-", "a=b/c", "a=b:c", "a=\xc3\xa9", "\xc3\xa9=a",
		"a=b\\", "a='b'", "a=\"b\"", "a in (b/c)", "a in (-b)",
		"a!=-b", "a\v=b", "a\x7f", "a=b;c=d", "a=b&c", "a*",
		N63 "l", N63 "l=a", "a=" N63 "l", N253 "a/a=b", "a\x01",
	};
	struct err err;
	size_t i;

	for (i = 0; i < ARRAY_LEN(table); i++) {
		if (label_selector_parse(table[i], &err) != NULL)
			fail_msg("'%s' is taken", table[i]);
		assert_int_equal(err.code, E_INPUT);
	}
}

static void
bounds_the_text(void **state UNUSED)
{
	size_t len = 16384;
	char *text = xmalloc(len + 2);
	struct label_selector *s;

	memset(text, ' ', len + 1);
	text[0] = 'a';
	text[len + 1] = '\0';
	assert_null(label_selector_parse(text, NULL));
	text[len] = '\0';
	s = label_selector_parse(text, NULL);
	assert_non_null(s);
	label_selector_free(s);
	free(text);
}

static void
says_which_label_a_match_has(void **state UNUSED)
{
	static const struct {
		const char *selector, *key, *value;
	} table[] = {
		{ "", NULL, NULL },
		{ "a", NULL, NULL },
		{ "!a,b!=c,d>1", NULL, NULL },
		{ "a in (b,c)", NULL, NULL },
		{ "a notin (b)", NULL, NULL },
		{ "a=b", "a", "b" },
		{ "x,y in (z),a=b", "y", "z" },
		{ "a==", "a", "" },
	};
	struct label_selector *s;
	const struct label *l;
	size_t i;

	for (i = 0; i < ARRAY_LEN(table); i++) {
		s = label_selector_parse(table[i].selector, NULL);
		assert_non_null(s);
		l = label_selector_needs(s);
		assert_int_equal(l != NULL, table[i].key != NULL);
		if (l != NULL) {
			assert_string_equal(l->key, table[i].key);
			assert_string_equal(l->value, table[i].value);
		}
		label_selector_free(s);
	}
	label_selector_free(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(knows_what_matches),
		cmocka_unit_test(refuses_what_the_api_server_refuses),
		cmocka_unit_test(bounds_the_text),
		cmocka_unit_test(says_which_label_a_match_has),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
