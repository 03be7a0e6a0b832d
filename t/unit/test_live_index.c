/* SPDX-License-Identifier: Apache-2.0 */
/*
 * live_index: what is kept of lists and events, in which form and order it
 * comes out again, what it costs, and that many may read while one changes.
 */
#include "base.h"

#include <malloc.h>
#include <pthread.h>
#include <setjmp.h>
#include <cmocka.h>

#include "err.h"
#include "live_index.h"
#include "strbuf.h"

#define MIB ((size_t)1024 * 1024)

static struct live_budget budget;
static const struct live_form plain = { .scope = LIVE_NAMESPACED };
static const struct live_form secret = { .secrets = true,
    .scope = LIVE_NAMESPACED };
static const struct live_form custom = { .custom = true };

static int
setup(void **state UNUSED)
{
	budget = (struct live_budget){ .limit = MIB };
	return 0;
}

static int
teardown(void **state UNUSED)
{
	assert_int_equal(budget.used, 0);
	assert_int_equal(budget.ready, 0);
	return 0;
}

static int
load(struct live_index *idx, const char *list, struct err *err)
{
	struct live_load *l = live_load_begin(idx);
	int r = live_load_add(l, list, strlen(list), err);

	if (r == 0)
		live_load_commit(l);
	else
		live_load_drop(l);
	return r;
}

static struct live_index *
loaded(const struct live_form *form, const char *list)
{
	struct live_index *idx = live_index_new(&budget, form);
	struct err err = ERR_INIT;

	if (load(idx, list, &err) != 0)
		fail_msg("%s: %s", list, err.text);
	return idx;
}

static void
put(struct live_index *idx, const char *object)
{
	struct err err = ERR_INIT;

	if (live_index_put(idx, object, strlen(object), &err) != 0)
		fail_msg("%s: %s", object, err.text);
}

static void
delete(struct live_index *idx, const char *object)
{
	struct err err = ERR_INIT;

	if (live_index_delete(idx, object, strlen(object), &err) != 0)
		fail_msg("%s: %s", object, err.text);
}

/* Of the namespace, or where it is cut, of the selector behind the blank. */
static void
assert_selected(struct live_index *idx, const char *namespace,
    const char *selector, const char *want)
{
	struct live_text *t = live_index_select(idx, namespace, selector);
	char *text;

	if (t == NULL) {
		assert_null(want);
		return;
	}
	text = xstrndup(t->data, t->len);
	if (want == NULL)
		fail_msg("'%s' gave %s", selector, text);
	assert_string_equal(text, want);
	free(text);
	live_text_put(t);
}

#define OBJECT(ns, name, labels) "{\"metadata\":{\"name\":\"" name "\"," \
	"\"namespace\":\"" ns "\",\"labels\":{" labels "}}}"
#define EVENT(ns, name, labels) "{\"kind\":\"Pod\",\"apiVersion\":\"v1\"," \
	"\"metadata\":{\"name\":\"" name "\",\"namespace\":\"" ns "\"," \
	"\"labels\":{" labels "}}}"
#define LIST(items) "{\"kind\":\"PodList\",\"apiVersion\":\"v1\"," \
	"\"items\":[" items "]}"
#define A "\"app\":\"a\""
#define B "\"app\":\"b\""

static void
lists_in_the_order_of_the_api_server(void **state UNUSED)
{
	struct live_index *idx = loaded(&plain, LIST(OBJECT("b", "x", A) ","
	    OBJECT("a", "y.z", A) "," OBJECT("a", "y", A) ","
	    OBJECT("a-b", "q", A) "," OBJECT("a", "y-z", A)));

	/* '-' comes before '/', as in the keys of etcd */
	assert_selected(idx, "", "app=a", "[" OBJECT("a-b", "q", A) ","
	    OBJECT("a", "y", A) "," OBJECT("a", "y-z", A) ","
	    OBJECT("a", "y.z", A) "," OBJECT("b", "x", A) "]");
	assert_selected(idx, "a", "", "[" OBJECT("a", "y", A) ","
	    OBJECT("a", "y-z", A) "," OBJECT("a", "y.z", A) "]");
	assert_selected(idx, "", "app!=a", "[]");
	assert_selected(idx, "c", "app=a", "[]");
	assert_selected(idx, "", "nothing=a", "[]");
	live_index_free(idx);
}

static void
follows_events(void **state UNUSED)
{
	struct live_index *idx = loaded(&plain, LIST(OBJECT("n", "a", A) ","
	    OBJECT("n", "b", B)));

	put(idx, EVENT("n", "c", A));
	assert_selected(idx, "", "app=a", "[" OBJECT("n", "a", A) ","
	    OBJECT("n", "c", A) "]");
	put(idx, EVENT("n", "a", B));
	assert_selected(idx, "", "app=a", "[" OBJECT("n", "c", A) "]");
	assert_selected(idx, "", "app=b", "[" OBJECT("n", "a", B) ","
	    OBJECT("n", "b", B) "]");
	delete(idx, EVENT("n", "b", B));
	delete(idx, EVENT("n", "never", B));
	assert_selected(idx, "n", "app=b", "[" OBJECT("n", "a", B) "]");
	assert_int_equal(live_index_count(idx), 2);
	assert_int_equal(load(idx, LIST(OBJECT("n", "z", A)), NULL), 0);
	assert_selected(idx, "", "", "[" OBJECT("n", "z", A) "]");
	assert_int_equal(load(idx, "{\"kind\":\"PodList\",\"items\":null}",
	    NULL), 0);
	assert_selected(idx, "", "", "[]");
	live_index_free(idx);
}

static void
keeps_the_form_of_lists(void **state UNUSED)
{
	static const char event[] = "{\"kind\":\"K\",\"apiVersion\":\"v\","
	    "\"metadata\":{\"name\":\"x\",\"kind\":\"no\"},\"kinds\":[ 1 ]}";
	struct live_index *idx = loaded(&plain, LIST(OBJECT("n", "a", A)));
	struct err err;

	put(idx, EVENT("n", "b", A));
	assert_selected(idx, "", "", "[" OBJECT("n", "a", A) ","
	    OBJECT("n", "b", A) "]");
	live_index_free(idx);

	idx = loaded(&plain, LIST("{\"apiVersion\":\"v\",\"kind\":\"K\","
	    "\"metadata\":{\"name\":\"a\"}}"));
	put(idx, event);
	delete(idx, "{\"metadata\":{\"name\":\"a\"}}");
	assert_selected(idx, "", "", "[{\"kind\":\"K\",\"apiVersion\":\"v\","
	    "\"metadata\":{\"name\":\"x\",\"kind\":\"no\"},"
	    "\"kinds\":[ 1 ]}]");
	/* what such a list does not hold */
	assert_int_equal(live_index_put(idx, OBJECT("n", "b", A),
	    strlen(OBJECT("n", "b", A)), &err), E_PROTOCOL);
	live_index_free(idx);

	/* nobody knows yet; once known it stays so */
	idx = loaded(&plain, LIST(""));
	assert_int_equal(live_index_put(idx, event, strlen(event), &err),
	    E_PENDING);
	assert_int_equal(load(idx, LIST(OBJECT("n", "a", A)), NULL), 0);
	assert_int_equal(load(idx, LIST(""), NULL), 0);
	put(idx, EVENT("n", "b", A));
	assert_selected(idx, "", "", "[" OBJECT("n", "b", A) "]");
	live_index_free(idx);
}

static void
gives_custom_resources_their_kind(void **state UNUSED)
{
	struct live_index *idx = loaded(&custom, "{\"kind\":\"FooList\","
	    "\"items\":[{\"apiVersion\":\"v\",\"kind\":\"Old\","
	    "\"metadata\":{\"name\":\"a\"}}]}");

	put(idx, "{\"apiVersion\":\"v\",\"kind\":\"Foo\",\"metadata\":{"
	    "\"name\":\"b\"},\"spec\":{}}");
	assert_selected(idx, "", "", "[{\"kind\":\"Foo\",\"apiVersion\":"
	    "\"v\",\"metadata\":{\"name\":\"a\"}},{\"kind\":\"Foo\","
	    "\"apiVersion\":\"v\",\"metadata\":{\"name\":\"b\"},"
	    "\"spec\":{}}]");
	live_index_free(idx);
	/* what metrics they have is for their list to say */
	idx = loaded(&custom, LIST(OBJECT("n", "a", A)));
	assert_selected(idx, "", "", NULL);
	live_index_free(idx);
}

static void
knows_which_kinds_have_namespaces(void **state UNUSED)
{
	static const struct live_form wide = { .scope = LIVE_CLUSTER_WIDE };
	struct live_index *idx = loaded(&custom, "{\"kind\":\"FooList\","
	    "\"items\":[]}");

	assert_selected(idx, "", "", "[]");
	assert_selected(idx, "n", "", NULL);	/* who knows */
	assert_int_equal(load(idx, "{\"kind\":\"FooList\",\"items\":["
	    OBJECT("n", "a", A) "]}", NULL), 0);
	assert_selected(idx, "m", "", "[]");
	delete(idx, OBJECT("n", "a", A));
	assert_selected(idx, "n", "", "[]");
	/* it may be another definition of that name by now */
	assert_int_equal(load(idx, "{\"kind\":\"FooList\",\"items\":[]}",
	    NULL), 0);
	assert_selected(idx, "n", "", NULL);
	live_index_free(idx);

	idx = loaded(&wide, LIST("{\"metadata\":{\"name\":\"a\"}}"));
	assert_selected(idx, "", "", "[{\"metadata\":{\"name\":\"a\"}}]");
	assert_selected(idx, "n", "", NULL);
	live_index_free(idx);
}

static void
leaves_odd_questions_to_the_cluster(void **state UNUSED)
{
	struct live_index *idx = loaded(&plain, LIST(OBJECT("n", "a", A)));

	assert_selected(idx, "", "app in (a", NULL);
	assert_selected(idx, "a/b", "", NULL);
	assert_selected(idx, "N", "", NULL);
	assert_selected(idx, "n%", "app=a", NULL);
	live_index_free(idx);
}

static void
keeps_no_value_of_a_secret(void **state UNUSED)
{
	struct live_index *idx = loaded(&secret, "{\"items\":["
	    "{\"metadata\":{\"name\":\"a\"},\"data\":{\"k\":\"hunter2\"}}]}");

	put(idx, "{\"kind\":\"Secret\",\"apiVersion\":\"v1\",\"metadata\":{"
	    "\"name\":\"b\",\"annotations\":{\"kubectl.kubernetes.io/"
	    "last-applied-configuration\":\"hunter2\"}},\"stringData\":{"
	    "\"k\":\"hunter2\"}}");
	assert_selected(idx, "", "", "[{\"metadata\":{\"name\":\"a\"},"
	    "\"data\":{\"k\":\"***\"}},{\"metadata\":{\"name\":\"b\","
	    "\"annotations\":{\"kubectl.kubernetes.io/"
	    "last-applied-configuration\":\"***\"}},\"stringData\":{"
	    "\"k\":\"***\"}}]");
	live_index_free(idx);
	/* whatever it was asked for as */
	idx = loaded(&custom, "{\"kind\":\"SecretList\",\"items\":["
	    "{\"metadata\":{\"name\":\"a\"},\"data\":{\"k\":\"hunter2\"}}]}");
	assert_selected(idx, "", "", "[{\"kind\":\"Secret\",\"metadata\":{"
	    "\"name\":\"a\"},\"data\":{\"k\":\"***\"}}]");
	live_index_free(idx);
}

static void
refuses_nonsense(void **state UNUSED)
{
	static const char *const objects[] = {
		"", "{", "[]", "7", "\"x\"", "null", "{}",
		"{\"metadata\":{}}", "{\"metadata\":7}",
		"{\"metadata\":{\"name\":\"\"}}",
		"{\"metadata\":{\"name\":7}}",
		"{\"metadata\":{\"name\":\"a/b\"}}",
		"{\"metadata\":{\"name\":\"a\\u0062\"}}",
		"{\"metadata\":{\"name\":\"a\",\"namespace\":null}}",
		"{\"metadata\":{\"name\":\"a\",\"namespace\":\"\"}}",
		"{\"metadata\":{\"name\":\"a\",\"labels\":[]}}",
		"{\"metadata\":{\"name\":\"a\",\"labels\":{\"a\":7}}}",
		"{\"metadata\":{\"name\":\"a\",\"labels\":{\"\\n\":\"\"}}}",
	};
	struct live_index *idx = loaded(&plain, LIST(OBJECT("n", "a", A)));
	struct strbuf sb = STRBUF_INIT(STRBUF_UNLIMITED);
	struct err err;
	size_t i;

	for (i = 0; i < ARRAY_LEN(objects); i++) {
		if (live_index_put(idx, objects[i], strlen(objects[i]), &err)
		    != E_PROTOCOL)
			fail_msg("%s is put", objects[i]);
		strbuf_reset(&sb);
		strbuf_addf(&sb, LIST("%s,%s"), OBJECT("n", "b", A),
		    objects[i]);
		if (load(idx, sb.buf, &err) != E_PROTOCOL)
			fail_msg("%s is loaded", objects[i]);
	}
	assert_int_equal(load(idx, "{\"items\":{}}", &err), E_PROTOCOL);
	assert_int_equal(load(idx, "{}", &err), E_PROTOCOL);
	/* items of two forms */
	assert_int_equal(load(idx, LIST(OBJECT("n", "a", A) ","
	    EVENT("n", "b", A)), &err), E_PROTOCOL);
	strbuf_reset(&sb);
	strbuf_addstr(&sb, "{\"metadata\":{\"name\":\"a\",\"labels\":{");
	for (i = 0; i < 1001; i++)
		strbuf_addf(&sb, "%s\"l%zu\":\"\"", i > 0 ? "," : "", i);
	strbuf_addstr(&sb, "}}}");
	assert_int_equal(live_index_put(idx, sb.buf, sb.len, &err),
	    E_PROTOCOL);
	assert_selected(idx, "", "", "[" OBJECT("n", "a", A) "]");
	strbuf_release(&sb);
	live_index_free(idx);
}

static void
keeps_answers_until_they_change(void **state UNUSED)
{
	struct live_index *idx = loaded(&plain, LIST(OBJECT("n", "a", A) ","
	    OBJECT("m", "b", B)));
	struct live_text *a = live_index_select(idx, "", "app=a");
	struct live_text *n = live_index_select(idx, "n", "!x");
	struct live_text *t;
	uint64_t version = live_index_version(idx);

	assert_true(budget.ready > a->len + n->len);
	put(idx, EVENT("m", "c", B));
	assert_true(live_index_version(idx) > version);
	t = live_index_select(idx, "", "app=a");
	assert_ptr_equal(t, a);
	live_text_put(t);
	t = live_index_select(idx, "n", "!x");
	assert_ptr_equal(t, n);
	live_text_put(t);
	/* the same list again changes nothing */
	assert_int_equal(load(idx, LIST(OBJECT("n", "a", A) ","
	    OBJECT("m", "b", B)), NULL), 0);
	t = live_index_select(idx, "", "app=a");
	assert_ptr_equal(t, a);
	live_text_put(t);
	/* what comes in, and what goes out */
	put(idx, EVENT("n", "d", B));
	t = live_index_select(idx, "n", "!x");
	assert_ptr_not_equal(t, n);
	assert_int_equal(t->n, 2);
	live_text_put(t);
	put(idx, EVENT("n", "a", B));
	assert_selected(idx, "", "app=a", "[]");
	live_text_put(a);
	live_text_put(n);
	live_index_free(idx);
}

static void
is_bounded(void **state UNUSED)
{
	struct live_index *idx = loaded(&plain, LIST(OBJECT("n", "a", A)));
	char *big = xmalloc(MIB + 100);
	struct err err;
	int i, r = 0, n;

	n = snprintf(big, MIB, "{\"kind\":\"Pod\",\"apiVersion\":\"v1\","
	    "\"metadata\":{\"name\":\"big\",\"namespace\":\"n\"},\"x\":\"");
	memset(big + n, 'x', MIB);
	memcpy(big + MIB * 3 / 4, "\"}", 3);
	assert_int_equal(live_index_put(idx, big, strlen(big), &err),
	    E_TOOLARGE);
	memcpy(big + MIB / 2, "\"}", 3);
	put(idx, big);
	put(idx, OBJECT("n", "b", A));
	/* answers have an eighth, each at most a quarter of that */
	live_text_put(live_index_select(idx, "", ""));
	assert_int_equal(budget.ready, 0);
	for (i = 0; i < 5000; i++) {
		n = snprintf(big, 100, "app!=b,x!=%d", i);
		live_text_put(live_index_select(idx, "m", big));
		assert_true(budget.ready <= MIB / 8);
	}
	assert_true(budget.ready > MIB / 16);
	for (i = 0; r == 0; i++) {
		n = snprintf(big, 100, OBJECT("n", "%d", A), i);
		r = live_index_put(idx, big, (size_t)n, &err);
	}
	assert_int_equal(r, E_TOOLARGE);
	assert_true(budget.used <= MIB * 3 / 4 + 200);
	assert_true(budget.used > MIB * 3 / 4 - 1000);
	free(big);
	live_index_free(idx);
}

/* The manual's figure: what an object takes beside its JSON. */
static void
costs_what_the_manual_says(void **state UNUSED)
{
	enum { N = 20000, EACH = 220 + 3 * 100 + 2 * 230 };
	struct live_index *idx;
	struct strbuf sb = STRBUF_INIT(STRBUF_UNLIMITED);
	size_t before, after, json = 0;
	int i;

	budget.limit = 1024 * MIB;
	idx = loaded(&plain, LIST(OBJECT("n", "a", A)));
	before = mallinfo2().uordblks;
	for (i = 0; i < N; i++) {
		strbuf_reset(&sb);
		strbuf_addf(&sb, OBJECT("some-namespace", "pod-5f6d8-%05d",
		    "\"app.kubernetes.io/name\":\"name-%d\","
		    "\"app.kubernetes.io/part-of\":\"everything\","
		    "\"pod-template-hash\":\"5f6d8%d\","
		    "\"controller-uid\":\"61b2%d\",\"tier\":\"front\""), i,
		    i % 100, i, i);
		put(idx, sb.buf);
		json += sb.len;
	}
	after = mallinfo2().uordblks;
	strbuf_release(&sb);
	print_message("# %zu bytes of JSON an object, %zu counted, %zu "
	    "taken\n", json / N, budget.used / N, (after - before) / N);
	assert_true((after - before) < budget.used * 11 / 10);
	/* 220 bytes, three labels of many and two of its own */
	assert_true(budget.used < json + N * EACH);
	assert_true(budget.used > json + N * EACH * 3 / 4);
	live_index_free(idx);
}

/* --- Many at once --------------------------------------------------------- */

struct race {
	struct live_index *idx;
	bool over;		/* atomic */
};

/* Objects change labels together, so an answer has all or none. */
static void *
read_on(void *arg)
{
	struct race *race = arg;
	struct live_text *t;
	unsigned round = 0;

	while (!__atomic_load_n(&race->over, __ATOMIC_ACQUIRE)) {
		t = live_index_select(race->idx, round % 2 ? "" : "n",
		    round % 3 ? "app=a" : "app in (a,b)");
		if (t->n != 1 && (round % 3 || t->n != 2))
			BUG("%zu objects", t->n);
		live_text_put(t);
		round++;
	}
	return NULL;
}

static void
lets_many_read_while_one_changes(void **state UNUSED)
{
	struct live_index *idx = loaded(&plain, LIST(OBJECT("n", "a", A) ","
	    OBJECT("n", "b", B)));
	struct race race = { .idx = idx };
	pthread_t threads[4];
	size_t i;

	for (i = 0; i < ARRAY_LEN(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, read_on,
		    &race), 0);
	for (i = 0; i < 3000; i++) {
		put(idx, EVENT("n", "b", B));
		put(idx, EVENT("n", "a", A));
		if (i % 10 == 0)
			assert_int_equal(load(idx, LIST(OBJECT("n", "c", A)
			    "," OBJECT("n", "d", B)), NULL), 0);
		if (i % 10 == 0)
			assert_int_equal(load(idx, LIST(OBJECT("n", "a", A)
			    "," OBJECT("n", "b", B)), NULL), 0);
	}
	__atomic_store_n(&race.over, true, __ATOMIC_RELEASE);
	for (i = 0; i < ARRAY_LEN(threads); i++)
		pthread_join(threads[i], NULL);
	live_index_free(idx);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(lists_in_the_order_of_the_api_server),
		TEST(follows_events),
		TEST(keeps_the_form_of_lists),
		TEST(gives_custom_resources_their_kind),
		TEST(knows_which_kinds_have_namespaces),
		TEST(leaves_odd_questions_to_the_cluster),
		TEST(keeps_no_value_of_a_secret),
		TEST(refuses_nonsense),
		TEST(keeps_answers_until_they_change),
		TEST(is_bounded),
		TEST(costs_what_the_manual_says),
		TEST(lets_many_read_while_one_changes),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
