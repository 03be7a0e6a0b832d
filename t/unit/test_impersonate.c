/* SPDX-License-Identifier: Apache-2.0 */
/* Templates and identities to Impersonate-* lines, and who is refused. */
#include "base.h"

#include <setjmp.h>
#include <cmocka.h>

#include "arena.h"
#include "cluster.h"
#include "err.h"
#include "identity.h"
#include "impersonate.h"

static struct arena *arena;
static struct err err;

static int
begin(void **state UNUSED)
{
	arena = arena_new();
	return 0;
}

static int
end(void **state UNUSED)
{
	arena_free(arena);
	return 0;
}

/* The lines joined by '|', or what is said to who is refused. */
static const char *
lines(const struct impersonation *im, const struct identity *who)
{
	const struct cluster c = { .name = "one", .impersonate = *im };
	const char *const *out;
	const char *all = "";

	err = (struct err)ERR_INIT;
	if (impersonate_lines(&c, who, arena, &out, &err) != 0) {
		assert_null(out);
		assert_int_equal(err.code, E_DENIED);
		assert_true(strncmp(err.text,
		    "cannot act as you on cluster 'one': ", 36) == 0);
		return err.text + 36;
	}
	for (; *out != NULL; out++)
		all = arena_printf(arena, "%s%s%s", all, *all ? "|" : "",
		    *out);
	return all;
}

#define LINES(who, ...) \
	lines(&(const struct impersonation){ .on = true, __VA_ARGS__ }, who)
#define LIST(...) { (const char *[]){ __VA_ARGS__ }, \
	sizeof((const char *[]){ __VA_ARGS__ }) / sizeof(char *) }

static struct identity
user(const char *name)
{
	static const char *groups[] = { "group:default/a", "group:x/b" };

	return (struct identity){
		.kind = IDENTITY_USER,
		.user = arena_printf(arena, "user:default/%s", name),
		.name = name, .namespace = "default",
		.email = "ann@example.test",
		.groups = groups, .ngroups = 2,
	};
}

static void
every_part(void **state UNUSED)
{
	const struct identity ann = user("ann");
	struct pair extra[] = { { "a.test/B_c%", "{email}" },
	    { "teams", "<{groups}>" } };

	assert_string_equal(LINES(&ann, .user = "{user}"),
	    "Impersonate-User: user:default/ann");
	assert_string_equal(LINES(&ann, .user = "{name}@{namespace}",
	    .user_prefix = "p:{email}:", .uid = "u-{name}"),
	    "Impersonate-User: p:ann@example.test:ann@default|"
	    "Impersonate-Uid: u-ann");
	assert_string_equal(LINES(&ann, .user = "x", .group_prefix = "p:",
	    .groups = LIST("all", "{groups}!", "of-{name}")),
	    "Impersonate-User: x|Impersonate-Group: p:all|"
	    "Impersonate-Group: p:group:default/a!|"
	    "Impersonate-Group: p:group:x/b!|Impersonate-Group: p:of-ann");
	assert_string_equal(LINES(&ann, .user = "x", .extra = extra,
	    .nextra = 2), "Impersonate-User: x|"
	    "Impersonate-Extra-a.test%2F%42%5Fc%25: ann@example.test|"
	    "Impersonate-Extra-teams: <group:default/a>|"
	    "Impersonate-Extra-teams: <group:x/b>");
}

static void
names_are_no_templates(void **state UNUSED)
{
	const struct identity odd = user("{email}");

	assert_string_equal(LINES(&odd, .user = "{name}"),
	    "Impersonate-User: {email}");
}

static void
without_groups(void **state UNUSED)
{
	struct identity ann = user("ann");

	ann.ngroups = 0;
	assert_string_equal(LINES(&ann, .user = "{name}",
	    .groups = LIST("{groups}")), "Impersonate-User: ann");
	ann.kind = IDENTITY_GUEST;
	assert_string_equal(LINES(&ann, .user = "{name}",
	    .groups = LIST("{groups}")), "Impersonate-User: ann");
}

static void
who_lacks_a_part(void **state UNUSED)
{
	const struct identity nobody = { .kind = IDENTITY_NOBODY };
	const struct identity service = { .kind = IDENTITY_SERVICE,
	    .user = "external:ci" };
	struct identity ann = user("ann");
	struct pair extra = { "mail", "{email}" };

	assert_string_equal(LINES(&nobody, .user = "{user}"),
	    "nobody is signed in");
	assert_string_equal(LINES(&nobody, .user = "x",
	    .groups = LIST("{groups}")), "nobody is signed in");
	assert_string_equal(LINES(&nobody, .user = "viewer"),
	    "Impersonate-User: viewer");
	assert_string_equal(LINES(&service, .user = "{user}"),
	    "the token of a service is no user's");
	ann.email = NULL;
	assert_string_equal(LINES(&ann, .user = "{email}"),
	    "your email is not known");
	assert_string_equal(LINES(&ann, .user = "x", .uid = "{email}"),
	    "your email is not known");
	assert_string_equal(LINES(&ann, .user = "x", .extra = &extra,
	    .nextra = 1), "your email is not known");
	ann.email = "";
	assert_string_equal(LINES(&ann, .user = "x{email}"),
	    "your email is not known");
}

static void
names_of_kubernetes(void **state UNUSED)
{
	struct identity ann = user("system:admin");
	const char *masters[] = { "group:default/a", "system:masters" };

	assert_string_equal(LINES(&ann, .user = "{name}"), "user "
	    "'system:admin' is one of the system: names, which Kubernetes "
	    "keeps for itself");
	assert_string_equal(LINES(&ann, .user = "{name}",
	    .user_prefix = "p:"), "Impersonate-User: p:system:admin");
	ann = user("em:x");
	assert_non_null(strstr(LINES(&ann, .user = "{name}",
	    .user_prefix = "Syst"), "'System:x' is one of"));
	ann = user("ann");
	ann.groups = masters;
	assert_string_equal(LINES(&ann, .user = "x",
	    .groups = LIST("{groups}")), "group 'system:masters' is one of "
	    "the system: names, which Kubernetes keeps for itself");
	ann.email = "system:x";
	assert_non_null(strstr(LINES(&ann, .user = "x",
	    .groups = LIST("{email}")), "group 'system:x'"));
}

static void
what_no_header_holds(void **state UNUSED)
{
	static const char *const bad[] = { "a\r\nImpersonate-Group: b",
	    "a\nb", "a\tb", "a\x7f", "j\xc3\xb6rg", " system:masters", "a ",
	    " " };
	struct identity ann;
	size_t i;

	for (i = 0; i < ARRAY_LEN(bad); i++) {
		struct pair extra = { "k", "{name}" };

		ann = user(bad[i]);
		assert_string_equal(LINES(&ann, .user = "{name}"), "user is "
		    "too long or holds characters that cannot stand in a "
		    "header");
		assert_non_null(strstr(LINES(&ann, .user = "x",
		    .groups = LIST("{name}")), "group is too long or"));
		assert_non_null(strstr(LINES(&ann, .user = "x",
		    .uid = "{name}"), "uid is too long or"));
		assert_non_null(strstr(LINES(&ann, .user = "x",
		    .extra = &extra, .nextra = 1), "'k' is too long or"));
	}
	ann = user("a b");
	assert_string_equal(LINES(&ann, .user = "{name}"),
	    "Impersonate-User: a b");
}

static void
bounds(void **state UNUSED)
{
	struct identity ann = user("ann");
	const char *many[400];
	char *name = arena_alloc(arena, 4098);
	size_t i;

	for (i = 0; i < ARRAY_LEN(many); i++)
		many[i] = "group:default/g";
	ann.groups = many;
	ann.ngroups = 382;
	assert_null(strstr(LINES(&ann, .user = "x",
	    .groups = LIST("{groups}")), "too many"));
	ann.ngroups = 383;
	assert_string_equal(LINES(&ann, .user = "x",
	    .groups = LIST("{groups}")), "you are in too many groups");
	memset(name, 'a', 4097);
	ann = user(name);
	assert_non_null(strstr(LINES(&ann, .user = "{name}"), "too long"));
	name[4096] = '\0';
	assert_null(strstr(LINES(&ann, .user = "{name}"), "too long"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_part),
		TEST(names_are_no_templates),
		TEST(without_groups),
		TEST(who_lacks_a_part),
		TEST(names_of_kubernetes),
		TEST(what_no_header_holds),
		TEST(bounds),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
