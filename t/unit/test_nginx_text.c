/* SPDX-License-Identifier: Apache-2.0 */
/* Names of the direct lane, and the text that nginx is given. */
#include "base.h"

#include <setjmp.h>
#include <cmocka.h>

#include "arena.h"
#include "cluster.h"
#include "direct_name.h"
#include "err.h"
#include "nginx_text.h"
#include "obtain.h"
#include "transport.h"

static const struct provider_ops x509 = { .name = "x509" };

struct world {
	struct transport *transport;
	struct arena *arena;
	struct nginx_text text;
};

static int
setup(void **state)
{
	static struct world w;

	w.transport = transport_new(&(struct transport_options){
	    .threads = 1 });
	w.arena = arena_new();
	nginx_text_init(&w.text, w.arena, "/etc/x", "/etc/roots.pem");
	*state = &w;
	return 0;
}

static int
teardown(void **state)
{
	struct world *w = *state;

	nginx_text_release(&w->text);
	arena_free(w->arena);
	transport_free(w->transport);
	return 0;
}

static struct upstream *
upstream_of(struct world *w, const char *url, bool insecure)
{
	const struct upstream_options opt = { .url = url,
	    .insecure = insecure, .connect_timeout = 1, .timeout = 1 };
	struct upstream *up;
	struct err err = ERR_INIT;

	assert_int_equal(upstream_get(w->transport, &opt, &up, &err), 0);
	return up;
}

static const char *
name_of(struct world *w, const struct cluster *c, const char *url,
    bool insecure)
{
	struct upstream *up = upstream_of(w, url, insecure);
	const char *name = direct_name(w->arena, c, up);

	upstream_put(up);
	return name;
}

static void
test_name(void **state)
{
	struct world *w = *state;
	struct cluster c = { .name = "Prod; \n{$x}-1" };
	const char *first = name_of(w, &c, "https://a.example:1", false);

	assert_true(str_starts(first, "stagedoor-rodx-1-"));
	assert_int_equal(strlen(first), strlen("stagedoor-rodx-1-") + 20);
	assert_string_equal(first, name_of(w, &c, "https://a.example:1",
	    false));
	assert_string_not_equal(first, name_of(w, &c, "https://a.example:2",
	    false));
	assert_string_not_equal(first, name_of(w, &c, "https://a.example:1",
	    true));
	c.client_certificate_file = "/a.crt";
	assert_string_equal(first, name_of(w, &c, "https://a.example:1",
	    false));	/* which nothing shows */
	c.provider = &x509;
	assert_string_not_equal(first, name_of(w, &c, "https://a.example:1",
	    false));
	c.client_certificate_file = NULL;
	c.name = "prod; {$x}-1";
	assert_string_not_equal(first, name_of(w, &c, "https://a.example:1",
	    false));
}

static void
test_extra(void **state)
{
	struct world *w = *state;

	assert_string_equal(direct_extra(w->arena, "Example.org/e_mail"),
	    "example-2eorg-2fe-5fmail");
	assert_string_equal(direct_extra(w->arena, "a-b"), "a-2db");
	assert_string_equal(direct_extra(w->arena, "a$b;\n"), "a-24b-3b-0a");
}

/* A name that nobody knows: what it was last, if the cluster is the same. */
static void
add_unknown(struct world *w, const char *url)
{
	const struct cluster c = { .name = "lost", .connect_timeout = 1 };
	struct access at = ACCESS_INIT;

	at.up = upstream_of(w, url, true);
	nginx_text_add(&w->text, &c, &at);
	access_release(&at);
}

static void
test_lost(void **state)
{
	static const char url[] = "https://no.such.host.invalid:1";
	struct world *w = *state;
	const struct cluster c = { .name = "lost" };

	add_unknown(w, url);
	assert_int_equal(w->text.left_out, 1);
	w->text.last = arena_printf(w->arena, "# lost\nupstream %s {\n"
	    "\tserver 192.0.2.1:1;\n\tserver [2001:db8::1]:1;\n"
	    "\tkeepalive 32;\n}\n", name_of(w, &c, url, true));
	strbuf_reset(&w->text.upstreams);
	add_unknown(w, url);
	assert_int_equal(w->text.left_out, 1);
	assert_non_null(strstr(w->text.upstreams.buf,
	    "\tserver 192.0.2.1:1;\n\tserver [2001:db8::1]:1;\n"
	    "\tkeepalive"));
	add_unknown(w, "https://no.such.host.invalid:2");
	assert_int_equal(w->text.left_out, 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_name, setup, teardown),
		cmocka_unit_test_setup_teardown(test_extra, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lost, setup, teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
