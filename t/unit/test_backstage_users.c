/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whom tokens stand for: keys that change or are not there, groups that are
 * asked for once, what is kept. The double of the documents here gives what
 * the test says.
 */
#include "base.h"

#include "backstage_rig.h"
#include "backstage_users.h"
#include "clock.h"
#include "documents.h"
#include "http_double.h"
#include "settings.h"
#include "transport.h"

#define USER "vnd.backstage.user"

static struct rig_key key, other;
static struct http_double server;
static struct transport *transport;
static struct settings settings;
static struct backstage_users *users;
static struct arena *arena;
static struct backstage_user user;
static struct err err;
static char base[64];
static bool limited_ok;

static struct {
	struct document now, forced;	/* forced.text NULL: the same */
	int fails;			/* E_*, in place of a document */
	unsigned asked, force;
} documents;

int
documents_get(struct documents *d UNUSED, const struct document_want *want,
    const struct document **out, struct err *e)
{
	documents.asked++;
	documents.force += want->force;
	if (want->force && documents.forced.text != NULL)
		documents.now = documents.forced;
	*out = &documents.now;
	return documents.fails == 0 ? 0 :
	    err_set(e, documents.fails, "nobody is there");
}

void
document_put(const struct document *doc UNUSED)
{
}

static const struct double_answer answers[] = {
	{ "/api/auth/v1/userinfo", 200, "{\"claims\":{\"ent\":["
	    "\"user:default/jane\",\"group:Default/Team-A\"]}}", 100 },
	{ NULL, 0, NULL, 0 },
};
static const struct double_answer failing[] = {
	{ "/api/auth/v1/userinfo", 500, "{}", 0 },
	{ NULL, 0, NULL, 0 },
};
static const struct double_answer odd[] = {
	{ "/api/auth/v1/userinfo", 200, "{\"ent\":[\"group:a/b\"]}", 0 },
	{ NULL, 0, NULL, 0 },
};

static int
setup(void **state UNUSED)
{
	rig_key_make(&key);
	rig_key_make(&other);
	double_start(&server, answers);
	snprintf(base, sizeof(base), "http://127.0.0.1:%u", server.port);
	transport = transport_new(&(struct transport_options){ .threads = 1 });
	return 0;
}

static int
teardown(void **state UNUSED)
{
	transport_free(transport);
	double_stop(&server);
	rig_key_free(&key);
	rig_key_free(&other);
	return 0;
}

static struct document
document_of(const struct rig_key *k, const char *kid, uint64_t version)
{
	const char *text = rig_key_set(arena, k, kid);

	return (struct document){ text, strlen(text), version };
}

static int
fresh(void **state UNUSED)
{
	arena = arena_new();
	memset(&documents, 0, sizeof(documents));
	documents.now = document_of(&key, "k1", 1);
	settings = (struct settings){ .backend_base_url = base,
	    .limit_connect = 1 };
	users = backstage_users_new(&settings, transport,
	    (struct documents *)&documents);
	double_reset(&server, answers);
	return 0;
}

static int
done(void **state UNUSED)
{
	backstage_users_free(users);
	arena_free(arena);
	return 0;
}

/* A token of somebody, good for some seconds, with more claims. */
static char *
token_of(const struct rig_key *k, const char *kid, const char *sub,
    const char *more)
{
	int64_t now = clock_wall_ms() / 1000;

	return rig_token(arena, k, kid, USER, arena_printf(arena,
	    "\"sub\":\"%s\",\"iat\":%lld,\"exp\":%lld%s", sub,
	    (long long)now, (long long)now + 60, more));
}

static int
find(const char *token)
{
	err = (struct err)ERR_INIT;
	memset(&user, 0, sizeof(user));
	return backstage_users_find(users, &(struct backstage_question){
	    token, limited_ok }, arena, &user, &err);
}

static void
user_and_groups_of_a_token(void **state UNUSED)
{
	char *token = token_of(&key, "k1", "User:Default/Jane", ",\"ent\":["
	    "\"user:default/jane\",\"Group:default/Team-A\",\"bare\","
	    "\"group:default/a,group:default/b\",\"group:x/\",\"\"]");

	assert_int_equal(find(token), 0);
	assert_string_equal(user.user, "user:default/jane");
	assert_false(user.limited);
	assert_int_equal(user.ngroups, 2);
	assert_string_equal(user.groups[1], "group:default/team-a");
	assert_int_equal(server.asked, 0);
}

static void
groups_have_a_bound(void **state UNUSED)
{
	struct strbuf sb = STRBUF_INIT(STRBUF_UNLIMITED);
	size_t i;

	strbuf_addstr(&sb, ",\"ent\":[\"group:x/y\"");
	for (i = 0; i < 750; i++)
		strbuf_addf(&sb, ",\"group:x/%zu-%016d\"", i, 0);
	strbuf_addch(&sb, ']');
	assert_int_equal(find(token_of(&key, "k1", "user:a/b", sb.buf)), 0);
	assert_true(user.ngroups > 300 && user.ngroups < 750);
	strbuf_release(&sb);
}

static void
what_is_no_user(void **state UNUSED)
{
	char *token = token_of(&key, "k1", "user:a/b", ",\"ent\":[]");

	assert_int_equal(find("nope"), E_NOTFOUND);
	assert_int_equal(documents.asked, 0);
	assert_int_equal(find(token_of(&key, "k1", "jane", "")), E_AUTH);
	assert_int_equal(find(token_of(&key, "k1", "user:a/b,c", "")),
	    E_AUTH);
	assert_int_equal(find(token_of(&other, "k1", "user:a/b", "")),
	    E_AUTH);
	assert_string_equal(err.text, "Failed user token verification");
	assert_true(err.detail[0] != '\0');
	assert_int_equal(find(token), 0);
	token[strlen(token) - 5] ^= 1;
	assert_int_equal(find(token), E_AUTH);
	assert_int_equal(documents.force, 0);
}

static void
limited_tokens(void **state UNUSED)
{
	char *token = rig_token(arena, &key, "k1",
	    "vnd.backstage.limited-user", arena_printf(arena,
	    "\"sub\":\"user:default/jane\",\"iat\":1,\"exp\":%lld",
	    (long long)clock_wall_ms() / 1000 + 60));

	assert_int_equal(find(token), E_AUTH);
	assert_string_equal(err.text, "Illegal limited user token");
	assert_int_equal(server.asked, 0);
	limited_ok = true;
	assert_int_equal(find(token), 0);
	assert_true(user.limited);
	assert_int_equal(user.ngroups, 2);
	limited_ok = false;
	assert_int_equal(find(token), E_AUTH);
}

static void
keys_that_change(void **state UNUSED)
{
	char *old = token_of(&key, "k1", "user:a/old", ",\"ent\":[]");
	char *new = token_of(&other, "k2", "user:a/new", ",\"ent\":[]");

	assert_int_equal(find(old), 0);
	assert_int_equal(find(new), E_AUTH);
	assert_int_equal(documents.force, 1);
	documents.forced = document_of(&other, "k2", 2);
	assert_int_equal(find(new), 0);
	assert_int_equal(documents.force, 2);
	assert_string_equal(user.user, "user:a/new");
	/* what was kept of the old one went with its key */
	assert_int_equal(find(old), E_AUTH);
}

static void
keys_that_cannot_be_had(void **state UNUSED)
{
	char *token = token_of(&key, "k1", "user:a/b", ",\"ent\":[]");

	documents.fails = E_CONNECT;
	assert_int_equal(find(token), E_BUSY);
	assert_null(strstr(err.text, "nobody is there"));
	assert_non_null(strstr(err.detail, "nobody is there"));
	documents.fails = 0;
	documents.now.text = "{}";
	documents.now.len = 2;
	assert_int_equal(find(token), E_BUSY);
	backstage_users_free(users);
	users = backstage_users_new(&settings, transport, NULL);
	assert_int_equal(find(token), E_CONFIG);
}

static void
tokens_that_end(void **state UNUSED)
{
	int64_t now = clock_wall_ms();
	char *token = rig_token(arena, &key, "k1", USER, arena_printf(arena,
	    "\"sub\":\"user:a/b\",\"iat\":1,\"exp\":%lld.5,\"ent\":[]",
	    (long long)now / 1000 + 1));

	assert_int_equal(find(token), 0);
	while (clock_wall_ms() <= (now / 1000 + 1) * 1000 + 500)
		usleep(20000);
	assert_int_equal(find(token), E_AUTH);
}

static void *
find_alone(void *token)
{
	struct arena *own = arena_new();
	struct backstage_user u;
	bool good = backstage_users_find(users, &(struct backstage_question){
	    token, false }, own, &u, NULL) == 0 && u.ngroups == 2;

	arena_free(own);
	return good ? token : NULL;
}

static void
groups_are_asked_for_once(void **state UNUSED)
{
	char *token = token_of(&key, "k1", "user:default/jane", "");
	pthread_t threads[8];
	void *good;
	size_t i;

	for (i = 0; i < ARRAY_LEN(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, find_alone,
		    token), 0);
	for (i = 0; i < ARRAY_LEN(threads); i++) {
		pthread_join(threads[i], &good);
		assert_non_null(good);
	}
	assert_int_equal(find(token), 0);
	assert_string_equal(user.groups[1], "group:default/team-a");
	assert_int_equal(server.asked, 1);
	assert_true(double_was_asked(&server, arena_printf(arena,
	    "GET /api/auth/v1/userinfo Bearer %s|", token)));
}

static void
no_groups_without_an_answer(void **state UNUSED)
{
	char *token = token_of(&key, "k1", "user:default/jane", "");

	double_reset(&server, failing);
	assert_int_equal(find(token), 0);
	assert_int_equal(user.ngroups, 0);
	assert_int_equal(find(token), 0);
	assert_int_equal(server.asked, 1);
	double_reset(&server, odd);
	assert_int_equal(find(token_of(&key, "k1", "user:default/joe", "")),
	    0);
	assert_int_equal(user.ngroups, 0);
}

static void
more_users_than_are_kept(void **state UNUSED)
{
	char name[32];
	size_t i;

	for (i = 0; i < 3 * BACKSTAGE_USERS_KEPT; i++) {
		snprintf(name, sizeof(name), "user:a/%zu", i);
		assert_int_equal(find(token_of(&key, "k1", name,
		    ",\"ent\":[]")), 0);
		assert_string_equal(user.user, name);
	}
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, fresh, done)
	const struct CMUnitTest tests[] = {
		T(user_and_groups_of_a_token),
		T(groups_have_a_bound),
		T(what_is_no_user),
		T(limited_tokens),
		T(keys_that_change),
		T(keys_that_cannot_be_had),
		T(tokens_that_end),
		T(groups_are_asked_for_once),
		T(no_groups_without_an_answer),
		T(more_users_than_are_kept),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, setup, teardown);
}
