/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The page /connect: what it says of each cluster, that nothing of others is
 * markup, and what a screen reader needs.
 */
#include "base.h"

#include "connect_page.h"
#include "connect_rig.h"

#define HOUR INT64_C(3600000)

static struct notice notice;
static struct connect_page page;
static struct strbuf html = { strbuf_empty, 0, 0, STRBUF_UNLIMITED, false };

static int
set_up(void **state)
{
	notice = (struct notice){ .code = NOTICE_NONE };
	page = (struct connect_page){ .notice = &notice };
	return connect_set_up(state);
}

static int
tear_down(void **state)
{
	strbuf_release(&html);
	strbuf_init(&html, STRBUF_UNLIMITED);
	return connect_tear_down(state);
}

static const char *
print_as(const struct identity *who)
{
	static struct connect_list list;

	page.now = clock_wall_ms();
	connect_list_read(&rig.rt, who, rig.arena, page.now, &list);
	page.list = &list;
	strbuf_reset(&html);
	connect_page_print(&page, rig.arena, &html);
	return html.buf;
}

static size_t
count(const char *text)
{
	const char *p = html.buf;
	size_t n = 0;

	while ((p = strstr(p, text)) != NULL) {
		n++;
		p += strlen(text);
	}
	return n;
}

static bool
has(const char *text)
{
	return count(text) > 0;
}

/* The <li> of a cluster, by its heading's number, in the arena. */
static const char *
item(size_t i)
{
	const char *from = strstr(html.buf, arena_printf(rig.arena,
	    "<h2 id=\"cluster-%zu\"", i));

	assert_non_null(from);
	return arena_strndup(rig.arena, from,
	    (size_t)(strstr(from, "</li>") - from));
}

static void
a_document(void **state UNUSED)
{
	print_as(&rig.ann);
	assert_true(str_starts(html.buf, "<!DOCTYPE html>\n"
	    "<html lang=\"en\">"));
	assert_int_equal(count("<title>"), 1);
	assert_int_equal(count("<h1>"), 1);
	assert_int_equal(count("<main>"), 1);
	assert_int_equal(count("</main>"), 1);
	assert_int_equal(count("<header>"), 1);
	assert_int_equal(count("<li>"), 7);
	assert_int_equal(count("</li>"), 7);
	assert_true(has("<meta name=\"color-scheme\" content=\"light dark\">"));
	assert_true(has("<meta name=\"viewport\""));
	assert_true(has("user:default/ann"));
	assert_false(has("<script"));
	assert_false(has(" style="));
	assert_false(has(" on"  "click"));
}

static void
every_cluster(void **state UNUSED)
{
	print_as(&rig.ann);
	assert_non_null(strstr(item(0), "as the server"));
	assert_null(strstr(item(0), "<form"));
	assert_non_null(strstr(item(1), "acts for you"));
	assert_null(strstr(item(1), "<form"));
	assert_non_null(strstr(item(2), "Number One"));
	assert_non_null(strstr(item(2), ">one<"));
	assert_non_null(strstr(item(2), "as you"));
	assert_non_null(strstr(item(2), "id.example.org"));
	assert_non_null(strstr(item(2), "Not connected"));
	assert_non_null(strstr(item(2), "<form method=\"post\" "
	    "action=\"/api/kubernetes/connect/oidc/okta\">"));
	assert_non_null(strstr(item(2), "aria-describedby=\"cluster-2\">"
	    "Connect</button>"));
	assert_non_null(strstr(item(4), "Google"));
	assert_non_null(strstr(item(5), "by the portal&#39;s page"));
	assert_null(strstr(item(5), "<form"));
	assert_non_null(strstr(item(6), "no login for it"));
	assert_null(strstr(item(6), "<form"));
}

static void
one_sign_in_for_several(void **state UNUSED)
{
	print_as(&rig.ann);
	assert_non_null(strstr(item(2), "also <bdi>two</bdi>."));
	assert_non_null(strstr(item(3), "also <bdi>Number One</bdi>."));
	assert_null(strstr(item(4), "also"));
}

static void
connected(void **state UNUSED)
{
	rig_signed_in("oidc", "okta", clock_wall_ms() + 2 * HOUR + 60500,
	    "r", NULL);
	rig_signed_in("google", "", clock_wall_ms() + HOUR, NULL, NULL);
	print_as(&rig.ann);
	assert_non_null(strstr(item(3), "Connected</span> as "
	    "<bdi>ann@example.org</bdi>"));
	assert_non_null(strstr(item(3), "Renewed by itself"));
	assert_non_null(strstr(item(3), "<time datetime=\""));
	assert_non_null(strstr(item(3), "(in 2 h 1 min)"));
	assert_non_null(strstr(item(3), "action=\"/api/kubernetes/connect/"
	    "oidc/okta/disconnect\""));
	assert_non_null(strstr(item(3), "name=\"logout\" value=\"1\""));
	assert_non_null(strstr(item(3), "aria-describedby=\"cluster-3\">"
	    "Disconnect</button>"));
	assert_non_null(strstr(item(4), "then you connect again"));
	assert_null(strstr(item(4), "name=\"logout\""));
	assert_false(has("token-of-ann"));
}

static void
no_longer(void **state UNUSED)
{
	rig_signed_in("oidc", "okta", 1, "r", "the <i>issuer</i> said no");
	print_as(&rig.ann);
	assert_non_null(strstr(item(2), "No longer connected</span>: "
	    "the &lt;i&gt;issuer&lt;/i&gt; said no"));
	assert_non_null(strstr(item(2), ">Connect again</button>"));
}

static void
nothing_of_others_is_markup(void **state UNUSED)
{
	static const char evil[] = "\"><script>alert(1)</script>'&";
	struct identity who = rig.ann;
	size_t i;

	for (i = 0; i < rig.rt.clusters.n; i++) {
		rig.clusters[i].title = evil;
		rig.clusters[i].name = evil;
		rig.clusters[i].broken = evil;
	}
	rig.logins[0].issuer = "https://<script>x";
	who.user = evil;
	notice = (struct notice){ .code = NOTICE_REFUSED, .words = evil,
	    .login = &rig.logins[0] };
	page.after = "/a?\"><script>";
	print_as(&who);
	assert_false(has("<script"));
	assert_true(count("&lt;script&gt;") > 10);
	strbuf_reset(&html);
	connect_page_refusal(evil, evil, &html);
	assert_false(has("<script"));
}

static void
a_failure_and_a_success(void **state UNUSED)
{
	notice = (struct notice){ .code = NOTICE_DENIED,
	    .login = &rig.logins[0], .words = "access_denied: no" };
	print_as(&rig.ann);
	assert_int_equal(count("role=\"alert\""), 1);
	assert_true(has("You were not let in at id.example.org"));
	assert_true(has("<q>access_denied: no</q>"));
	assert_true(has("<title>You were not let in at id.example.org"));
	notice = (struct notice){ .code = NOTICE_CONNECTED };
	print_as(&rig.ann);
	assert_int_equal(count("role=\"alert\""), 0);
	assert_int_equal(count("role=\"status\""), 1);
	assert_true(has("You are connected"));
}

static void
a_guest(void **state UNUSED)
{
	const struct identity guest = { .kind = IDENTITY_GUEST,
	    .user = "user:default/guest" };

	print_as(&guest);
	assert_true(has("without an account of your own"));
	assert_false(has("<form"));
	assert_int_equal(count("<li>"), 7);
}

static void
without_a_store(void **state UNUSED)
{
	store_close(rig.rt.store);
	rig.rt.store = NULL;
	print_as(&rig.ann);
	assert_true(has("sign-ins cannot be read now"));
	assert_non_null(strstr(item(0), "as the server"));
	assert_non_null(strstr(item(2), "cannot be read now"));
}

static void
the_way_back(void **state UNUSED)
{
	page.after = "/catalog?a=b&c=d";
	rig_signed_in("google", "", clock_wall_ms() + HOUR, NULL, NULL);
	print_as(&rig.ann);
	/* oidc for two clusters, and google's. */
	assert_int_equal(count("<input type=\"hidden\" name=\"return\" "
	    "value=\"/catalog?a=b&amp;c=d\">"), 3);
	assert_true(has("<a href=\"/catalog?a=b&amp;c=d\">"));
}

static void
no_cluster(void **state UNUSED)
{
	rig.rt.clusters.n = 0;
	print_as(&rig.ann);
	assert_true(has("no cluster that you may use"));
	assert_false(has("<ul"));
}

static void
where_forms_may_lead(void **state UNUSED)
{
	assert_string_equal(connect_form_action(&rig.settings),
	    "'self' https:");
	rig.logins[0].issuer = "http://127.0.0.1:5556";
	assert_string_equal(connect_form_action(&rig.settings),
	    "'self' https: http:");
	rig.settings.nlogins = 0;
	assert_string_equal(connect_form_action(&rig.settings), "'self'");
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(a_document),
		T(every_cluster),
		T(one_sign_in_for_several),
		T(connected),
		T(no_longer),
		T(nothing_of_others_is_markup),
		T(a_failure_and_a_success),
		T(a_guest),
		T(without_a_store),
		T(the_way_back),
		T(no_cluster),
		T(where_forms_may_lead),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
