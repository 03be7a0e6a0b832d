/* SPDX-License-Identifier: Apache-2.0 */
/* Which addresses are taken from the catalog, and which by name. */
#include "base.h"

#include <setjmp.h>
#include <cmocka.h>

#include "arena.h"
#include "catalog_url.h"
#include "cluster.h"

static struct arena *arena;

static int
setup(void **state UNUSED)
{
	arena = arena_new();
	return 0;
}

static int
teardown(void **state UNUSED)
{
	arena_free(arena);
	return 0;
}

static void
takes_addresses_apart(void **state UNUSED)
{
	static const struct {
		const char *text, *host;
		bool tls, literal;
	} cases[] = {
		{ "https://k8s.example.com", "k8s.example.com", true, false },
		{ "HTTPS://K8s.Example.COM:6443/base/", "k8s.example.com",
		    true, false },
		{ "http://k8s:1", "k8s", false, false },
		{ "https://8.8.8.8:443/", "8.8.8.8", true, true },
		{ "https://[2606:4700::1111]:443/x", "2606:4700::1111", true,
		    true },
		{ "https://a.b./c@d", "a.b.", true, false },
	};
	struct catalog_url u;
	size_t i;

	for (i = 0; i < ARRAY_LEN(cases); i++) {
		assert_null(catalog_url_read(arena, cases[i].text, &u));
		assert_string_equal(u.host, cases[i].host);
		assert_int_equal(u.tls, cases[i].tls);
		assert_int_equal(u.literal, cases[i].literal);
	}
}

static void
refuses_what_may_be_misread(void **state UNUSED)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{ "notaurl", "http or https" },
		{ "", "http or https" },
		{ "ftp://8.8.8.8", "http or https" },
		{ "//8.8.8.8", "http or https" },
		{ " https://8.8.8.8", "http or https" },
		{ "https:8.8.8.8", "http or https" },
		{ "https://", "not a URL" },
		{ "https:///x", "not a URL" },
		{ "https://a b", "not a URL" },
		{ "https://8.8.8.8\\@10.0.0.1", "not a URL" },
		{ "https://8.8.8.8\t", "not a URL" },
		{ "https://8.8.8.8\n", "not a URL" },
		{ "https://\xef\xbc\x91.example", "not a URL" },
		{ "https://%31%32%37.0.0.1", "not a URL" },
		{ "https://a%00b", "not a URL" },
		{ "https://a:0", "not a URL" },
		{ "https://a:65536", "not a URL" },
		{ "https://a:", "not a URL" },
		{ "https://a:1:2", "not a URL" },
		{ "https://a:443x", "not a URL" },
		{ "https://[::1", "not a URL" },
		{ "https://[]", "not a URL" },
		{ "https://[::1]x", "not a URL" },
		{ "https://::1", "not a URL" },
		{ "https://[fe80::1%25eth0]", "not a URL" },
		{ "https://[8.8.8.8]", "not a URL" },
		{ "https://u@8.8.8.8", "name or password" },
		{ "https://u:p@8.8.8.8", "name or password" },
		{ "https://:p@8.8.8.8", "name or password" },
		{ "https://8.8.8.8@10.0.0.1", "name or password" },
		{ "https://8.8.8.8?x", "query or a fragment" },
		{ "https://8.8.8.8#@10.0.0.1", "query or a fragment" },
		{ "https://127.1", "odd notation" },
		{ "https://0x7f.0.0.1", "odd notation" },
		{ "https://2130706433", "odd notation" },
		{ "https://0177.0.0.1", "odd notation" },
		{ "https://134744072", "odd notation" },
	};
	struct catalog_url u;
	const char *why;
	size_t i;

	for (i = 0; i < ARRAY_LEN(cases); i++) {
		why = catalog_url_read(arena, cases[i].text, &u);
		if (why == NULL || strstr(why, cases[i].why) == NULL)
			fail_msg("%s: %s", cases[i].text, why ? why : "taken");
	}
}

static void
what_is_not_public_is_refused(void **state UNUSED)
{
	static const struct {
		const char *text;
		enum address_verdict verdict;
		const char *why;
	} cases[] = {
		{ "https://8.8.8.8", ADDRESS_UNKNOWN, NULL },
		{ "https://[2606:4700::1111]", ADDRESS_UNKNOWN, NULL },
		{ "https://a.example", ADDRESS_PUBLIC, NULL },
		/* The connection finds out. */
		{ "https://a.example", ADDRESS_UNKNOWN, NULL },
		{ "https://a.example", ADDRESS_PRIVATE, "its host stands for "
		    "an address that is not public" },
		{ "https://a.example", ADDRESS_ABSENT, "its host is not known "
		    "in DNS" },
		{ "http://a.example", ADDRESS_PUBLIC, "its address is not "
		    "https" },
		{ "https://10.1.2.3", ADDRESS_PUBLIC, "its address is not "
		    "public" },
		{ "https://[::ffff:8.8.8.8]", ADDRESS_PUBLIC, "its address is "
		    "not public" },
		{ "https://[::1]", ADDRESS_PUBLIC, "its address is not "
		    "public" },
	};
	struct catalog_url u;
	const char *why;
	size_t i;

	for (i = 0; i < ARRAY_LEN(cases); i++) {
		assert_null(catalog_url_read(arena, cases[i].text, &u));
		why = catalog_url_refused(&u, cases[i].verdict);
		if (!str_eq(why, cases[i].why))
			fail_msg("%s: %s", cases[i].text, why ? why : "taken");
	}
}

static void
names_that_are_allowed(void **state UNUSED)
{
	static const struct {
		const char *text, *pattern;
		bool allowed;
	} cases[] = {
		{ "https://a.example.org", "a.example.org", true },
		{ "https://A.example.org", "a.EXAMPLE.org", true },
		{ "https://a.example.org", "*.example.org", true },
		{ "https://b.a.example.org", "*.example.org", true },
		{ "https://example.org", "*.example.org", true },
		{ "https://badexample.org", "*.example.org", false },
		{ "https://example.org.evil.com", "*.example.org", false },
		{ "https://a.example.org", "example.org", false },
		{ "https://a.example.org", "*", false },
		{ "https://a.example.org", "*.", false },
		{ "https://a.example.org", "", false },
		{ "https://10.0.0.1", "10.0.0.1", true },
		{ "https://10.0.0.1", "*.0.0.1", true },
		{ "https://10.0.0.1", "10.0.0.2", false },
		{ "https://[fd00::1]", "fd00::1", true },
		{ "https://[fd00::1]", "[fd00::1]", true },
		{ "https://[fd00::1]", "[fd00::2]", false },
		{ "https://[fd00::1]", "[", false },
	};
	struct catalog_url u;
	size_t i;

	for (i = 0; i < ARRAY_LEN(cases); i++) {
		const char *items[] = { "other.example", cases[i].pattern };
		const struct string_list allow = { items, 2 };

		assert_null(catalog_url_read(arena, cases[i].text, &u));
		if (catalog_url_allowed(&u, &allow) != cases[i].allowed)
			fail_msg("%s by %s", cases[i].text, cases[i].pattern);
	}
}

#define URL_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		URL_TEST(takes_addresses_apart),
		URL_TEST(refuses_what_may_be_misread),
		URL_TEST(what_is_not_public_is_refused),
		URL_TEST(names_that_are_allowed),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
