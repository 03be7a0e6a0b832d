/* SPDX-License-Identifier: Apache-2.0 */
/* What strings must look like: URLs, origins, sockets, refs, templates. */
#include "base.h"

#include <setjmp.h>
#include <cmocka.h>

#include "keys.h"

struct row {
	key_check *check;
	bool good;
	const char *value;
};

static const struct row rows[] = {
	{ check_url, true, "https://a" },
	{ check_url, true, "HTTP://a:1/b?c" },
	{ check_url, true, "http://[::1]:80/" },
	{ check_url, false, "" },
	{ check_url, false, "a" },
	{ check_url, false, "ftp://a" },
	{ check_url, false, "https://" },
	{ check_url, false, "https:///x" },
	{ check_url, false, "https://u:p@a" },
	{ check_url, true, "https://a/@b" },
	{ check_url, false, "https://a b" },
	{ check_url, false, "https://a\nb" },
	{ check_origin, true, "https://a:8443" },
	{ check_origin, false, "https://a/" },
	{ check_origin, false, "https://" },
	{ check_origin, false, "a" },
	{ check_origin, false, "null" },
	{ check_listen, true, "unix:/a" },
	{ check_listen, false, "unix:a" },
	{ check_listen, false, "unix:" },
	{ check_listen, true, "127.0.0.1:1" },
	{ check_listen, true, "[::1]:65535" },
	{ check_listen, false, ":1" },
	{ check_listen, false, "a:0" },
	{ check_listen, false, "a:65536" },
	{ check_listen, false, "a:1x" },
	{ check_listen, false, "a:+1" },
	{ check_listen, false, "a" },
	{ check_base_path, true, "/" },
	{ check_base_path, true, "/api/kubernetes" },
	{ check_base_path, true, "/a/" },
	{ check_base_path, true, "/..a/.b/c..d" },
	{ check_base_path, false, "a" },
	{ check_base_path, false, "//" },
	{ check_base_path, false, "/a//b" },
	{ check_base_path, false, "/a/../b" },
	{ check_base_path, false, "/." },
	{ check_base_path, false, "/.." },
	{ check_base_path, false, "/a%2fb" },
	{ check_base_path, false, "/a b" },
	{ check_route, true, "/metrics" },
	{ check_route, false, "/" },
	{ check_ref, true, "" },
	{ check_ref, true, "guest" },
	{ check_ref, true, "user:default/a.b-c_d" },
	{ check_ref, true, "team/a" },
	{ check_ref, false, "user:" },
	{ check_ref, false, "user:elsewhere/" },
	{ check_ref, false, "a/b/c" },
	{ check_ref, false, "a b" },
	{ check_ref, false, ":a" },
	{ check_ref, false, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	  "aaaaaaaaaaaaaaaa" },
	{ check_member, true, "user:default/a" },
	{ check_member, true, "Group:sre" },
	{ check_member, false, "a" },
	{ check_member, false, "component:a" },
	{ check_network, true, "127.0.0.1/8" },
	{ check_network, true, "::1" },
	{ check_network, true, "fe80::/10" },
	{ check_network, false, "127.0.0.1/33" },
	{ check_network, false, "127.0.0/8" },
	{ check_network, false, "::1/129" },
	{ check_network, false, "localhost" },
	{ check_network, false, "127.0.0.1/" },
	{ check_network, false, "127.0.0.1/8x" },
	{ check_audit, true, "off" },
	{ check_audit, true, "file:/a" },
	{ check_audit, false, "file:a" },
	{ check_audit, false, "none" },
	{ check_store_url, true, "unix:/a" },
	{ check_store_url, true, "redis://a:1" },
	{ check_store_url, true, "redis://a:1/0" },
	{ check_store_url, true, "unix:/a?db=3" },
	{ check_store_url, true, "redis://[::1]:6379/15" },
	{ check_store_url, false, "unix:/a?db=" },
	{ check_store_url, false, "unix:/a?db=x" },
	{ check_store_url, false, "unix:/a?x=1" },
	{ check_store_url, false, "unix:/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	    "aaaaaaa" },
	{ check_store_url, false, "redis://a:/0" },
	{ check_store_url, false, "redis://a:b/0" },
	{ check_store_url, false, "redis://a:123456/0" },
	{ check_store_url, false, "redis://[::1]/0" },
	{ check_store_url, false, "redis://a/0" },
	{ check_store_url, false, "redis://a:1/x" },
	{ check_store_url, false, "redis://:p@a:1/0" },
	{ check_store_url, false, "http://a:1" },
	{ check_template, true, "x{user}y{groups}{email}{name}{namespace}" },
	{ check_template, true, "plain" },
	{ check_template, false, "{usr}" },
	{ check_template, false, "{user" },
	{ check_template, false, "{}" },
	{ check_template, false, "{userxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx}" },
	{ check_template, false, "system:masters" },
	{ check_template, false, "System:x" },
	{ check_template_one, true, "x{user}{email}{name}{namespace}" },
	{ check_template_one, false, "{user}{groups}" },
	{ check_template_one, false, "{usr}" },
	{ check_template_one, false, "system:masters" },
	{ check_action, true, "read" },
	{ check_action, true, " read, create  delete,update," },
	{ check_action, false, "read write" },
	{ check_action, false, "readreadreadreadread" },
};

static void
checks(void **state UNUSED)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		const char *what = rows[i].check(rows[i].value);

		if ((what == NULL) != rows[i].good)
			fail_msg("'%s': %s", rows[i].value,
			    what ? what : "accepted");
		/* A value may be a secret: it is not repeated. */
		if (what != NULL && strlen(rows[i].value) > 12)
			assert_null(strstr(what, rows[i].value));
	}
}

/* Every key has a meaning, and a default that it would accept itself. */
static void
check_table(const struct key *keys)
{
	for (; keys->name != NULL; keys++) {
		if (keys->text == NULL || *keys->text == '\0')
			fail_msg("key '%s' says nothing", keys->name);
		if (keys->fallback != NULL && keys->type == KEY_WORD)
			assert_true(keys_word(keys->words,
			    keys->fallback) >= 0);
		if (keys->fallback != NULL && keys->check != NULL &&
		    keys->type == KEY_STRING)
			assert_null(keys->check(keys->fallback));
		if (keys->fallback != NULL && keys->max != 0 &&
		    keys->type != KEY_OCTAL)
			assert_true(strtod(keys->fallback, NULL) >=
			    keys->min && strtod(keys->fallback, NULL) <=
			    keys->max);
		if (keys->type == KEY_OBJECT || keys->type == KEY_LIST)
			assert_non_null(keys->keys);
		if (keys->keys != NULL)
			check_table(keys->keys);
	}
}

static void
the_table_is_sound(void **state UNUSED)
{
	check_table(keys_root);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(checks),
		cmocka_unit_test(the_table_is_sound),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
