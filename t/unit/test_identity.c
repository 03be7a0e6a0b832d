/* SPDX-License-Identifier: Apache-2.0 */
/* Who asks: parameters, guests, static tokens, origins, who may use what. */
#include "base.h"

#include <setjmp.h>
#include <cmocka.h>

#include "arena.h"
#include "backstage_users.h"
#include "err.h"
#include "identity.h"
#include "request.h"
#include "runtime.h"
#include "settings.h"

static struct settings settings;
static struct runtime rt = { .settings = &settings };
static struct identity who;
static struct err err;
static struct arena *arena;

static int
setup(void **state UNUSED)
{
	memset(&settings, 0, sizeof(settings));
	memset(&err, 0, sizeof(err));
	settings.guest = "";
	arena = arena_new();
	return 0;
}

static int
teardown(void **state UNUSED)
{
	arena_free(arena);
	return 0;
}

static struct request
request(char **params)
{
	return (struct request){ .arena = arena, .rt = &rt, .params = params,
	    .method = "GET" };
}

static int
ask(char **params)
{
	struct request req = request(params);

	memset(&err, 0, sizeof(err));
	return identity_of(&req, &who, &err);
}

#define ASK(...) ask((char *[]){ __VA_ARGS__, NULL })

static void
refs(void **state UNUSED)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{ "alice", "user:default/alice" },
		{ "user:Alice.B", "user:default/alice.b" },
		{ "ns/bob", "user:ns/bob" },
		{ "user:ns/bob", "user:ns/bob" },
		{ "GROUP:Default/SRE", "group:default/sre" },
		{ "ns/a:b", "user:ns/a:b" },
		{ "", NULL }, { "user:", NULL }, { ":x", NULL },
		{ "/x", NULL }, { "user:/x", NULL }, { "user:ns/", NULL },
		{ "a\nb", NULL },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		const char *got = identity_ref(arena, rows[i].in, "user");

		if (!str_eq(got, rows[i].out))
			fail_msg("'%s' gives '%s'", rows[i].in,
			    got ? got : "nothing");
	}
}

static void
user_from_parameters(void **state UNUSED)
{
	assert_int_equal(ASK("STAGEDOOR_USER=user:default/some.user",
	    "STAGEDOOR_EMAIL=a@b.test", "STAGEDOOR_GROUPS=sre, group:x/dev,"),
	    0);
	assert_int_equal(who.kind, IDENTITY_USER);
	assert_string_equal(who.user, "user:default/some.user");
	assert_string_equal(who.name, "some.user");
	assert_string_equal(who.namespace, "default");
	assert_string_equal(who.email, "a@b.test");
	assert_int_equal(who.ngroups, 2);
	assert_string_equal(who.groups[0], "group:default/sre");
	assert_string_equal(who.groups[1], "group:x/dev");
	assert_true(who.session);
}

/* As Keycloak calls them, with full paths. */
static void
leaves_out_groups_that_are_no_refs(void **state UNUSED)
{
	assert_int_equal(ASK("STAGEDOOR_USER=ann",
	    "STAGEDOOR_GROUPS=/team,sre,group:,/a/b"), 0);
	assert_int_equal(who.kind, IDENTITY_USER);
	assert_int_equal(who.ngroups, 1);
	assert_string_equal(who.groups[0], "group:default/sre");
}

static void
refuses_odd_parameters(void **state UNUSED)
{
	char *big = xmalloc(2000);

	memset(big, 'a', 1999);
	memcpy(big, "STAGEDOOR_USER=", 15);
	big[1999] = '\0';
	assert_int_equal(ASK("STAGEDOOR_USER=a", "STAGEDOOR_USER=b"), E_INPUT);
	assert_int_equal(ASK("STAGEDOOR_USER=a", "STAGEDOOR_USER=a"), E_INPUT);
	assert_int_equal(ASK("STAGEDOOR_USER=a\tb"), E_INPUT);
	assert_int_equal(ASK("STAGEDOOR_USER=user:"), E_INPUT);
	assert_int_equal(ASK("STAGEDOOR_USER=a", "STAGEDOOR_EMAIL=x\r\ny"),
	    E_INPUT);
	assert_int_equal(ask((char *[]){ big, NULL }), E_INPUT);
	free(big);
}

static void
nobody_without_parameters(void **state UNUSED)
{
	assert_int_equal(ASK("HTTP_STAGEDOOR_USER=root"), E_AUTH);
	assert_int_equal(ASK("STAGEDOOR_USER="), E_AUTH);
	assert_int_equal(ASK("HTTP_AUTHORIZATION=Bearer x"), E_AUTH);
	assert_int_equal(ASK("REMOTE_USER=root"), E_AUTH);
	assert_string_equal(err.text, "Missing credentials");
}

static void
guests_and_remote_user(void **state UNUSED)
{
	settings.guest = "user:default/guest";
	assert_int_equal(ASK("REMOTE_USER=root"), 0);
	assert_int_equal(who.kind, IDENTITY_GUEST);
	assert_string_equal(who.user, "user:default/guest");
	assert_false(who.session);
	settings.remote_user = true;
	assert_int_equal(ASK("REMOTE_USER=carol"), 0);
	assert_string_equal(who.user, "user:default/carol");
	assert_int_equal(ASK("REMOTE_USER=carol", "STAGEDOOR_USER=dave"), 0);
	assert_string_equal(who.user, "user:default/dave");
}

static void
static_tokens(void **state UNUSED)
{
	const char *kubernetes[] = { "kubernetes.clusters.read" };
	struct access_restriction other = { .plugin = "catalog" };
	struct access_restriction ours = { .plugin = "kubernetes",
	    .has_permissions = true, .permissions = { kubernetes, 1 } };
	struct external_access ea[3] = {
		{ .token = { (char *)"whole-token", 11 }, .subject = "one" },
		{ .token = { (char *)"other-token", 11 }, .subject = "two",
		    .has_restrictions = true, .restrictions = &other,
		    .nrestrictions = 1 },
		{ .token = { (char *)"part-token", 10 }, .subject = "three",
		    .has_restrictions = true, .restrictions = &ours,
		    .nrestrictions = 1 },
	};

	rt.users = backstage_users_new(&settings, NULL, NULL);
	settings.identity_backstage = true;
	settings.external = ea;
	settings.nexternal = 3;
	assert_int_equal(ASK("HTTP_AUTHORIZATION=bEARER whole-token"), 0);
	assert_int_equal(who.kind, IDENTITY_SERVICE);
	assert_string_equal(who.user, "one");
	assert_false(who.restricted);
	assert_int_equal(ASK("HTTP_AUTHORIZATION=Bearer other-token"),
	    E_DENIED);
	assert_string_equal(err.text, "This token's access is restricted to "
	    "plugin(s) 'catalog'");
	assert_int_equal(ASK("HTTP_AUTHORIZATION=Bearer part-token"), 0);
	assert_true(who.restricted);
	assert_int_equal(who.npermissions, 1);
	assert_int_equal(ASK("HTTP_AUTHORIZATION=Bearer whole-toke"), E_AUTH);
	assert_string_equal(err.text, "Illegal token");
	assert_int_equal(ASK("HTTP_AUTHORIZATION=Basic Zm9v"), E_AUTH);
	assert_string_equal(err.text, "Missing credentials");
	assert_int_equal(ASK("HTTP_AUTHORIZATION=Bearer whole-token x"),
	    E_AUTH);
	assert_string_equal(err.text, "Missing credentials");
	assert_int_equal(ASK("HTTP_AUTHORIZATION=Bearer whole\ttoken"),
	    E_AUTH);
	assert_string_equal(err.text, "Missing credentials");
	assert_int_equal(ASK("STAGEDOOR_USER=root"), E_AUTH);
	settings.auth_disabled = true;
	assert_int_equal(ASK("HTTP_AUTHORIZATION=Basic Zm9v"), 0);
	assert_int_equal(who.kind, IDENTITY_NOBODY);
	assert_int_equal(ASK("HTTP_AUTHORIZATION=Bearer nope"), E_AUTH);
	backstage_users_free(rt.users);
}

static int
origin(const char *method, enum identity_kind kind, char **params)
{
	struct request req = request(params);
	struct identity id = { .kind = kind, .session =
	    kind == IDENTITY_USER };

	req.method = method;
	return identity_same_origin(&req, &id, &err);
}

#define ORIGIN(m, k, ...) origin(m, k, (char *[]){ __VA_ARGS__, NULL })

static void
same_origin(void **state UNUSED)
{
	const char *ok[] = { "https://portal.test" };

	settings.origins = (struct string_list){ ok, 1 };
	assert_int_equal(ORIGIN("GET", IDENTITY_USER, "A=b"), 0);
	assert_int_equal(ORIGIN("POST", IDENTITY_USER, "A=b"), E_DENIED);
	assert_int_equal(ORIGIN("DELETE", IDENTITY_USER,
	    "HTTP_SEC_FETCH_SITE=cross-site"), E_DENIED);
	assert_int_equal(ORIGIN("POST", IDENTITY_USER,
	    "HTTP_SEC_FETCH_SITE=same-site"), E_DENIED);
	assert_int_equal(ORIGIN("POST", IDENTITY_USER,
	    "HTTP_SEC_FETCH_SITE=same-origin"), 0);
	assert_int_equal(ORIGIN("POST", IDENTITY_USER,
	    "HTTP_ORIGIN=https://portal.test"), 0);
	assert_int_equal(ORIGIN("POST", IDENTITY_USER,
	    "HTTP_ORIGIN=https://portal.test.evil"), E_DENIED);
	assert_int_equal(ORIGIN("GET", IDENTITY_USER,
	    "HTTP_UPGRADE=websocket"), E_DENIED);
	assert_int_equal(ORIGIN("GET", IDENTITY_USER,
	    "HTTP_CONNECTION=keep-alive, Upgrade"), E_DENIED);
	assert_int_equal(ORIGIN("POST", IDENTITY_SERVICE, "A=b"), 0);
	assert_int_equal(ORIGIN("POST", IDENTITY_GUEST, "A=b"), 0);
	assert_int_equal(ORIGIN("POST", IDENTITY_GUEST,
	    "HTTP_ORIGIN=https://evil.test"), E_DENIED);
}

static void
who_may_use(void **state UNUSED)
{
	const char *allow[] = { "alice", "group:default/sre" };
	const char *groups[] = { "group:default/sre" };
	struct cluster open = { .guests = true };
	struct cluster shut = { .guests = false };
	struct cluster few = { .guests = true, .allow = { allow, 2 } };
	struct identity guest = { .kind = IDENTITY_GUEST,
	    .user = "user:default/guest" };
	struct identity alice = { .kind = IDENTITY_USER,
	    .user = "user:default/alice" };
	struct identity bob = { .kind = IDENTITY_USER,
	    .user = "user:default/bob" };
	struct identity sre = { .kind = IDENTITY_USER,
	    .user = "user:default/carol", .groups = groups, .ngroups = 1 };
	struct identity service = { .kind = IDENTITY_SERVICE,
	    .user = "user:default/alice" };

	struct identity nobody = { .kind = IDENTITY_NOBODY };

	assert_true(identity_may_use(&nobody, &open));
	assert_false(identity_may_use(&nobody, &shut));
	assert_false(identity_may_use(&nobody, &few));
	assert_true(identity_may_use(&guest, &open));
	assert_false(identity_may_use(&guest, &shut));
	assert_true(identity_may_use(&bob, &shut));
	assert_true(identity_may_use(&alice, &few));
	assert_false(identity_may_use(&bob, &few));
	assert_true(identity_may_use(&sre, &few));
	assert_false(identity_may_use(&guest, &few));
	assert_false(identity_may_use(&service, &few));
}

static int
named(const char *user, const char *groups, const char *email)
{
	const struct identity_words words = { user, email, groups };
	struct request req = request(NULL);

	memset(&err, 0, sizeof(err));
	return identity_named(&req, &words, &who, &err);
}

/* As parameters would make them: the same refs, the same refusals. */
static void
named_on_the_command_line(void **state UNUSED)
{
	char long_name[600];

	assert_int_equal(named("Alice", "dev, group:x/Ops,", "a@x.test"), 0);
	assert_int_equal(who.kind, IDENTITY_USER);
	assert_string_equal(who.user, "user:default/alice");
	assert_string_equal(who.name, "alice");
	assert_string_equal(who.email, "a@x.test");
	assert_int_equal(who.ngroups, 2);
	assert_string_equal(who.groups[0], "group:default/dev");
	assert_string_equal(who.groups[1], "group:x/ops");
	assert_false(who.session);

	assert_int_equal(named("user:ns/bob", NULL, ""), 0);
	assert_string_equal(who.namespace, "ns");
	assert_null(who.email);
	assert_int_equal(who.ngroups, 0);

	assert_int_equal(named("user:", NULL, NULL), E_INPUT);
	assert_int_equal(named("a\nb", NULL, NULL), E_INPUT);
	assert_int_equal(named("a", "group:", NULL), E_INPUT);
	assert_int_equal(named("a", "b\033", NULL), E_INPUT);
	assert_int_equal(named("a", NULL, "b\r"), E_INPUT);
	assert_non_null(strstr(err.text, "--email"));
	memset(long_name, 'a', sizeof(long_name));
	long_name[sizeof(long_name) - 1] = '\0';
	assert_int_equal(named(long_name, NULL, NULL), E_INPUT);
}

static void
guests_on_the_command_line(void **state UNUSED)
{
	assert_int_equal(named("", NULL, NULL), E_AUTH);
	settings.guest = "user:development/guest";
	assert_int_equal(named("", "dev", NULL), 0);
	assert_int_equal(who.kind, IDENTITY_GUEST);
	assert_string_equal(who.user, "user:development/guest");
	assert_int_equal(who.ngroups, 0);
	assert_int_equal(named("development/Guest", NULL, NULL), 0);
	assert_int_equal(who.kind, IDENTITY_GUEST);
	assert_int_equal(named("guest", NULL, NULL), 0);
	assert_int_equal(who.kind, IDENTITY_USER);

	settings.identity_backstage = true;
	assert_int_equal(named("", NULL, NULL), E_AUTH);
	assert_int_equal(named("development/guest", NULL, NULL), 0);
	assert_int_equal(who.kind, IDENTITY_USER);
	settings.auth_disabled = true;
	assert_int_equal(named("", NULL, NULL), 0);
	assert_int_equal(who.kind, IDENTITY_NOBODY);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(refs),
		T(user_from_parameters),
		T(leaves_out_groups_that_are_no_refs),
		T(refuses_odd_parameters),
		T(nobody_without_parameters),
		T(guests_and_remote_user),
		T(static_tokens),
		T(same_origin),
		T(who_may_use),
		T(named_on_the_command_line),
		T(guests_on_the_command_line),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
