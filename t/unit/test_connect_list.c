/* SPDX-License-Identifier: Apache-2.0 */
/* What each cluster is for a user, as structs and as JSON. */
#include "base.h"

#include "connect_rig.h"
#include "jsonx.h"

#define IN_AN_HOUR (clock_wall_ms() + 3600000)

static struct connect_list list;

static void
read_as(const struct identity *who)
{
	connect_list_read(&rig.rt, who, rig.arena, clock_wall_ms(), &list);
}

static struct json_object *
json(void)
{
	struct strbuf sb = STRBUF_INIT(STRBUF_UNLIMITED);
	struct json_object *o = NULL;
	struct err err = ERR_INIT;

	connect_list_json(&list, &sb);
	assert_null(strstr(sb.buf, "token-of-ann"));
	if (jsonx_parse(sb.buf, sb.len, &o, &err) != 0)
		fail_msg("%s: %s", err.text, sb.buf);
	strbuf_release(&sb);
	return o;
}

static struct json_object *
entry(struct json_object *all, size_t i)
{
	return json_object_array_get_idx(jsonx_get(all, "clusters"), i);
}

static void
how_each_is_reached(void **state UNUSED)
{
	static const enum connect_reach reached[] = { CONNECT_SERVER,
	    CONNECT_ACTING, CONNECT_USER, CONNECT_USER, CONNECT_USER,
	    CONNECT_FRONTEND, CONNECT_USER };
	size_t i;

	read_as(&rig.ann);
	assert_int_equal(list.n, ARRAY_LEN(reached));
	for (i = 0; i < list.n; i++)
		assert_int_equal(list.entries[i].reached, reached[i]);
	assert_true(list.can_connect);
	assert_false(list.unread);
	assert_ptr_equal(list.entries[2].login, list.entries[3].login);
	assert_string_equal(list.entries[2].login->path,
	    "/api/kubernetes/connect/oidc/okta");
	assert_string_equal(list.entries[4].login->path,
	    "/api/kubernetes/connect/google");
	assert_null(list.entries[5].login);
	assert_null(list.entries[6].login);
	assert_true(list.entries[2].login->known);
	assert_false(list.entries[2].login->connected);
}

static void
paths_before_ours(void **state UNUSED)
{
	rig.settings.public_url = "https://example.org/portal/";
	rig.settings.base_path = "/k/";
	assert_string_equal(connect_base(&rig.rt, rig.arena),
	    "/portal/k/connect");
	rig.settings.public_url = NULL;
	assert_string_equal(connect_base(&rig.rt, rig.arena), "/k/connect");
}

static void
signed_in(void **state UNUSED)
{
	int64_t until = IN_AN_HOUR;
	const struct connect_login *l;

	rig_signed_in("oidc", "okta", until, "refresh-token-of-ann", NULL);
	rig_signed_in("google", "", until, NULL, NULL);
	read_as(&rig.ann);
	l = list.entries[3].login;
	assert_true(l->connected);
	assert_true(l->renewed);
	assert_int_equal(l->expires, until);
	assert_string_equal(l->account, "ann@example.org");
	l = list.entries[4].login;
	assert_true(l->connected);
	assert_false(l->renewed);
}

static void
signed_in_before(void **state UNUSED)
{
	const struct connect_login *l;

	rig_signed_in("oidc", "okta", IN_AN_HOUR, "r", "the issuer said no");
	rig_signed_in("google", "", clock_wall_ms() - 1, NULL, NULL);
	read_as(&rig.ann);
	l = list.entries[2].login;
	assert_true(l->known);
	assert_false(l->connected);
	assert_string_equal(l->ended, "the issuer said no");
	l = list.entries[4].login;
	assert_false(l->connected);
	assert_string_equal(l->ended, "it has run out");
	/* With a refresh token it is not over when its token is. */
	rig_signed_in("google", "", clock_wall_ms() - 1, "r", NULL);
	read_as(&rig.ann);
	assert_true(list.entries[4].login->connected);
}

static void
of_others(void **state UNUSED)
{
	const struct identity bob = { .kind = IDENTITY_USER,
	    .user = "user:default/bob" };
	const struct identity guest = { .kind = IDENTITY_GUEST,
	    .user = "user:default/ann" };
	const struct identity service = { .kind = IDENTITY_SERVICE,
	    .user = "user:default/ann" };
	const struct identity nobody = { .kind = IDENTITY_NOBODY };
	const struct identity *others[] = { &bob, &guest, &service, &nobody };
	size_t i;

	rig_signed_in("oidc", "okta", IN_AN_HOUR, "r", NULL);
	for (i = 0; i < ARRAY_LEN(others); i++) {
		read_as(others[i]);
		assert_int_equal(list.can_connect, i == 0);
		assert_false(list.entries[2].login->connected);
		assert_null(list.entries[2].login->account);
		assert_int_equal(list.entries[2].login->known, i == 0);
	}
}

static void
only_what_one_may_use(void **state UNUSED)
{
	const char *allowed[] = { "user:default/bob" };

	rig.clusters[2].allow.items = allowed;
	rig.clusters[2].allow.n = 1;
	read_as(&rig.ann);
	assert_int_equal(list.n, 6);
	assert_string_equal(list.entries[2].cluster->name, "two");
}

static void
store_that_fails(void **state UNUSED)
{
	struct json_object *o;

	/* No store at all, and one whose value is damaged. */
	store_close(rig.rt.store);
	rig.rt.store = NULL;
	read_as(&rig.ann);
	assert_int_equal(list.n, 7);
	assert_true(list.unread);
	assert_false(list.entries[2].login->known);
	o = json();
	assert_string_equal(jsonx_str(o, "error"),
	    "sign-ins cannot be read now");
	assert_null(jsonx_get(entry(o, 2), "connected"));
	assert_string_equal(jsonx_str(entry(o, 2), "connect"),
	    "/api/kubernetes/connect/oidc/okta");
	jsonx_wipe(o);
}

static void
as_json(void **state UNUSED)
{
	struct json_object *o, *e;

	rig_signed_in("oidc", "okta", INT64_C(4102444800123), "r", NULL);
	rig.clusters[0].title = "a \"<b>\"";
	read_as(&rig.ann);
	o = json();
	assert_string_equal(jsonx_str(o, "user"), "user:default/ann");
	assert_true(jsonx_truthy(jsonx_get(o, "canConnect")));
	assert_null(jsonx_get(o, "error"));
	e = entry(o, 0);
	assert_string_equal(jsonx_str(e, "title"), "a \"<b>\"");
	assert_string_equal(jsonx_str(e, "reached"), "server");
	assert_null(jsonx_get(e, "signIn"));
	assert_null(jsonx_get(e, "connected"));
	e = entry(o, 2);
	assert_string_equal(jsonx_str(e, "name"), "one");
	assert_string_equal(jsonx_str(e, "title"), "Number One");
	assert_string_equal(jsonx_str(e, "authProvider"), "oidc");
	assert_string_equal(jsonx_str(e, "oidcTokenProvider"), "okta");
	assert_string_equal(jsonx_str(e, "reached"), "user");
	assert_string_equal(jsonx_str(e, "signIn"), "stagedoor");
	assert_string_equal(jsonx_str(e, "account"), "ann@example.org");
	assert_string_equal(jsonx_str(e, "expires"),
	    "2100-01-01T00:00:00.123Z");
	assert_true(jsonx_truthy(jsonx_get(e, "connected")));
	assert_true(jsonx_truthy(jsonx_get(e, "renewed")));
	assert_string_equal(jsonx_str(entry(o, 5), "reached"), "frontend");
	e = entry(o, 6);
	assert_null(jsonx_get(e, "connect"));
	assert_null(jsonx_get(e, "connected"));
	jsonx_wipe(o);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CONNECT_TEST(how_each_is_reached),
		CONNECT_TEST(paths_before_ours),
		CONNECT_TEST(signed_in),
		CONNECT_TEST(signed_in_before),
		CONNECT_TEST(of_others),
		CONNECT_TEST(only_what_one_may_use),
		CONNECT_TEST(store_that_fails),
		CONNECT_TEST(as_json),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
