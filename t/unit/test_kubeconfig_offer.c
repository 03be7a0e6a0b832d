/* SPDX-License-Identifier: Apache-2.0 */
/* The kubeconfig of the portal: which clusters, and names of any kind. */
#include "base.h"

#include "connect_rig.h"

#include <yaml.h>

#include "kubeconfig_offer.h"
#include "portal.h"

static struct strbuf out;

static int
setup(void **state)
{
	if (connect_set_up(state) != 0)
		return -1;
	strbuf_init(&out, STRBUF_UNLIMITED);
	rig.settings.store.type = "sqlite";
	rig.rt.portal = portal_new();
	return 0;
}

static int
teardown(void **state)
{
	strbuf_release(&out);
	portal_free(rig.rt.portal);
	return connect_tear_down(state);
}

static size_t
print(const char *name)
{
	strbuf_reset(&out);
	return kubeconfig_offer_print(&rig.rt, &rig.ann, rig.arena, name,
	    &out);
}

static void
has_what_the_user_may_use(void **state UNUSED)
{
	/* All but "page", whose tokens the portal's page brings. */
	assert_int_equal(print(NULL), 6);
	assert_non_null(strstr(out.buf, "server: \"https://portal.example.org"
	    "/api/kubernetes/clusters/plain/proxy\"\n"));
	assert_non_null(strstr(out.buf, "      - \"https://portal.example.org"
	    "/api/kubernetes\"\n"));
	assert_non_null(strstr(out.buf, "current-context: \"plain\"\n"));
	assert_null(strstr(out.buf, "page"));
	assert_int_equal(print("two"), 1);
	assert_null(strstr(out.buf, "plain"));
	assert_int_equal(print("nothing"), 0);
	assert_int_equal(print("page"), 0);
	rig.ann.kind = IDENTITY_GUEST;
	assert_int_equal(print(NULL), 0);
}

static void
is_for_https(void **state UNUSED)
{
	rig.settings.public_url = "http://127.0.0.1";
	assert_int_equal(print(NULL), 0);
	rig.settings.public_url = NULL;
	assert_int_equal(print(NULL), 0);
}

/* The scalars of a YAML file, one after the other, as libyaml reads them. */
static const char *
scalar(const char *text, size_t len, int which)
{
	yaml_parser_t parser;
	yaml_event_t event;
	const char *found = NULL;
	bool end = false;

	yaml_parser_initialize(&parser);
	yaml_parser_set_input_string(&parser, (const unsigned char *)text,
	    len);
	while (!end) {
		if (!yaml_parser_parse(&parser, &event))
			fail_msg("no YAML: %s", parser.problem);
		if (event.type == YAML_SCALAR_EVENT && which-- == 0)
			found = arena_strndup(rig.arena, (const char *)
			    event.data.scalar.value, event.data.scalar.length);
		end = event.type == YAML_STREAM_END_EVENT;
		yaml_event_delete(&event);
	}
	yaml_parser_delete(&parser);
	return found;
}

static void
names_are_nothing_but_names(void **state UNUSED)
{
	static const char *const names[] = { "a\"b", "a\\b", "a: b\n- c",
	    "{}[]&*!|>'%@`#", "no", "1e3", "~", " x ", "\xc3\xbc"
	    "\xe2\x80\xa8\xf0\x9f\x98\x80", "\x01\x7f\t", "../x", "" };
	size_t i;

	for (i = 0; i < ARRAY_LEN(names); i++) {
		rig.clusters[0].name = names[i];
		assert_int_equal(print(names[i]), 1);
		assert_string_equal(scalar(out.buf, out.len, 6), names[i]);
	}
	rig.clusters[0].name = "\xff\xfe";
	assert_int_equal(print("\xff\xfe"), 1);
	assert_string_equal(scalar(out.buf, out.len, 6),
	    "\xef\xbf\xbd\xef\xbf\xbd");
}

static void
names_in_addresses_are_encoded(void **state UNUSED)
{
	rig.clusters[0].name = "a/../b?x";
	assert_int_equal(print("a/../b?x"), 1);
	assert_non_null(strstr(out.buf, "/clusters/a%2F..%2Fb%3Fx/proxy\""));
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(has_what_the_user_may_use),
		T(is_for_https),
		T(names_are_nothing_but_names),
		T(names_in_addresses_are_encoded),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
