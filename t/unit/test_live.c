/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The live lane's way through lists and watches: what is read from memory,
 * and when nothing is.
 */
#include "base.h"

#include <setjmp.h>
#include <cmocka.h>

#include "live_rig.h"

#define SOON 3000	/* ms */

static void
lists_and_follows(void **state UNUSED)
{
	struct live_rig r;

	live_rig_start(&r);
	kube_set(&r.kube, "a", "1");
	assert_true(live_rig_becomes(&r, "-", 0));
	assert_true(live_rig_becomes(&r, "a=1", SOON));
	assert_string_equal(r.kube.last_list, "/apis/x/v1/things?limit=500");
	assert_non_null(strstr(r.kube.last_watch, "/apis/x/v1/things?watch="
	    "true&allowWatchBookmarks=true&resourceVersion=101&"
	    "timeoutSeconds="));
	kube_set(&r.kube, "b", "2");
	assert_true(live_rig_becomes(&r, "a=1 b=2", SOON));
	kube_set(&r.kube, "a", "3");
	assert_true(live_rig_becomes(&r, "a=3 b=2", SOON));
	kube_set(&r.kube, "a", NULL);
	assert_true(live_rig_becomes(&r, "b=2", SOON));
	assert_int_equal(live_rig_counts(&r).lists, 1);
	assert_int_equal(live_rig_counts(&r).events, 3);
	assert_int_equal(live_rig_counts(&r).used, 1);
	assert_int_equal(live_rig_counts(&r).objects, 1);
	live_rig_stop(&r);
}

static void
fill(struct live_rig *r)
{
	kube_set(&r->kube, "a", "1");
	kube_set(&r->kube, "b", "2");
	kube_set(&r->kube, "c", "3");
}

static void
takes_pages(void **state UNUSED)
{
	struct live_rig r;

	live_rig_start(&r);
	fill(&r);
	r.kube.page = 1;
	assert_true(live_rig_becomes(&r, "a=1 b=2 c=3", SOON));
	assert_int_equal(r.kube.lists, 3);
	assert_string_equal(r.kube.last_list,
	    "/apis/x/v1/things?limit=500&continue=2");
	live_rig_stop(&r);
}

static void
lists_as_a_whole_when_pages_are_gone(void **state UNUSED)
{
	struct live_rig r;

	live_rig_start(&r);
	fill(&r);
	r.kube.page = 2;
	r.kube.forget_pages = true;
	assert_true(live_rig_becomes(&r, "a=1 b=2 c=3", SOON));
	assert_int_equal(r.kube.lists, 3);
	assert_string_equal(r.kube.last_list, "/apis/x/v1/things");
	assert_int_equal(live_rig_counts(&r).gone, 1);
	live_rig_stop(&r);
}

/* Whatever ends a watch: nothing is read until it was listed again. */
static void
loses(struct live_rig *r, const char *name, uint64_t failures)
{
	print_message("# %s\n", name);
	assert_true(live_rig_becomes(r, "-", SOON));
	assert_int_equal(live_rig_counts(r).used, 0);
	kube_set(&r->kube, "a", name);
	usleep(80000);			/* the list hangs */
	assert_true(live_rig_becomes(r, "-", 0));
	kube_put(&r->kube, &r->kube.list_hangs, 0);
	assert_true(live_rig_becomes(r, r->ask.selector->query, SOON));
	assert_true(live_rig_counts(r).failures > failures);
}

static void
lists_again_after_any_end(void **state UNUSED)
{
	static const struct {
		const char *name, *said;
		int how;
	} ends[] = {
		{ "end", NULL, KUBE_END },
		{ "reset", NULL, KUBE_RESET },
		{ "cut", NULL, KUBE_CUT },
		{ "gone", "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\","
		    "\"code\":410}}\n", 0 },
		{ "error", "{\"type\":\"ERROR\",\"object\":{\"code\":500}}\n",
		    0 },
		{ "garbage", "<html>\n", 0 },
		{ "odd", "{\"type\":\"WHAT\",\"object\":{}}\n", 0 },
		{ "nameless", "{\"type\":\"ADDED\",\"object\":{\"metadata\":"
		    "{\"resourceVersion\":\"7\"}}}\n", 0 },
		{ "half", "{\"type\":\"ADDED\",\"object\":{\"metadata\":{]}\n",
		    0 },
	};
	struct live_rig r;
	char want[64];
	uint64_t failures;
	size_t i;

	live_rig_start(&r);
	kube_set(&r.kube, "a", "1");
	assert_true(live_rig_becomes(&r, "a=1", SOON));
	for (i = 0; i < ARRAY_LEN(ends); i++) {
		usleep(70000);		/* a good watch: no back-off yet */
		kube_put(&r.kube, &r.kube.list_hangs, 1);
		snprintf(want, sizeof(want), "a=%s", ends[i].name);
		r.selector.query = want;
		failures = live_rig_counts(&r).failures;
		if (ends[i].said != NULL)
			kube_say(&r.kube, ends[i].said);
		else
			kube_cut(&r.kube, ends[i].how);
		loses(&r, ends[i].name, failures);
	}
	assert_int_equal(live_rig_counts(&r).gone, 1);
	live_rig_stop(&r);
}

static void
reads_directly_what_is_refused(void **state UNUSED)
{
	static const int statuses[] = { 403, 404, 405 };
	struct live_rig r;
	size_t i;

	for (i = 0; i < 2 * ARRAY_LEN(statuses); i++) {
		live_rig_start(&r);
		kube_set(&r.kube, "a", "1");
		*(i & 1 ? &r.kube.list_status : &r.kube.watch_status) =
		    statuses[i / 2];
		assert_true(live_rig_becomes(&r, "-", 0));
		while (live_rig_counts(&r).refused == 0)
			usleep(1000);
		assert_int_equal(live_rig_counts(&r).bytes, 0);
		kube_put(&r.kube, &r.kube.list_status, 0);
		kube_put(&r.kube, &r.kube.watch_status, 0);
		usleep(100000);
		assert_int_equal(kube_get(&r.kube, &r.kube.lists), 1);
		assert_true(live_rig_becomes(&r, "-", 0));
		assert_true(live_rig_becomes(&r, "a=1", SOON));
		live_rig_stop(&r);
	}
}

static bool
lists_again(struct live_rig *r, unsigned times)
{
	unsigned from = kube_get(&r->kube, &r->kube.lists);
	int64_t end = rig_ms() + SOON;

	while (kube_get(&r->kube, &r->kube.lists) < from + times) {
		if (rig_ms() >= end)
			return false;
		usleep(1000);
	}
	return true;
}

/* An API server that starts again: it is away, then refuses for a moment what
   it served and will serve. However long it was away. */
static void
waits_for_a_server_that_starts(void **state UNUSED)
{
	static const int statuses[] = { 403, 404 };
	struct live_rig r;
	size_t i;

	live_rig_start(&r);
	r.live->times.later = 60000;
	r.live->times.longest = 80;
	kube_set(&r.kube, "a", "1");
	assert_true(live_rig_becomes(&r, "a=1", SOON));
	for (i = 0; i < ARRAY_LEN(statuses); i++) {
		kube_put(&r.kube, &r.kube.list_status, 503);
		kube_cut(&r.kube, KUBE_RESET);
		assert_true(lists_again(&r, LIVE_PATIENCE + 1));
		kube_put(&r.kube, &r.kube.list_status, statuses[i]);
		assert_true(lists_again(&r, 2));
		assert_true(live_rig_becomes(&r, "-", 0));
		kube_put(&r.kube, &r.kube.list_status, 0);
		assert_true(live_rig_becomes(&r, "a=1", SOON));
	}
	assert_int_equal(live_rig_counts(&r).refused, 0);
	live_rig_stop(&r);
}

/* Rights that were taken away: no list for nothing, again and again. */
static void
loses_patience(void **state UNUSED)
{
	struct live_rig r;
	unsigned lists;

	live_rig_start(&r);
	kube_set(&r.kube, "a", "1");
	assert_true(live_rig_becomes(&r, "a=1", SOON));
	kube_put(&r.kube, &r.kube.list_status, 403);
	kube_cut(&r.kube, KUBE_END);
	while (live_rig_counts(&r).refused == 0)
		usleep(1000);
	lists = 1 + LIVE_PATIENCE + 1;
	assert_int_equal(kube_get(&r.kube, &r.kube.lists), lists);
	assert_int_equal(live_rig_counts(&r).bytes, 0);
	while (live_rig_counts(&r).refused == 1)
		usleep(1000);
	assert_int_equal(kube_get(&r.kube, &r.kube.lists), lists + 1);
	assert_true(live_rig_becomes(&r, "-", 0));
	live_rig_stop(&r);
}

/* A credential that ended: the next who asks brings another. */
static void
takes_the_newest_credential(void **state UNUSED)
{
	struct live_rig r;

	live_rig_start(&r);
	r.live->times.step = 60000;
	r.live->times.longest = 60000;
	kube_set(&r.kube, "a", "1");
	snprintf(r.kube.token, sizeof(r.kube.token), "bob");
	assert_true(live_rig_becomes(&r, "-", 0));
	while (live_rig_counts(&r).failures == 0)
		usleep(1000);
	usleep(50000);
	assert_int_equal(live_rig_counts(&r).lists, 1);
	credential_release(&r.access.cred);
	rig_bearer(&r.access.cred, "bob");
	assert_true(live_rig_becomes(&r, "a=1", SOON));
	assert_int_equal(live_rig_counts(&r).lists, 2);
	live_rig_stop(&r);
}

static void
waits_as_long_as_it_is_told(void **state UNUSED)
{
	struct live_rig r;
	int64_t began;

	live_rig_start(&r);
	kube_set(&r.kube, "a", "1");
	r.kube.list_status = 429;
	r.kube.retry_after = "1";
	began = rig_ms();
	assert_true(live_rig_becomes(&r, "-", 0));
	while (live_rig_counts(&r).failures == 0)
		usleep(1000);
	kube_put(&r.kube, &r.kube.list_status, 0);
	assert_true(live_rig_becomes(&r, "a=1", SOON));
	assert_true(rig_ms() - began >= 1000);
	assert_int_equal(r.kube.lists, 2);
	live_rig_stop(&r);
}

/* Each try costs the cluster a list: less and less often. */
static void
backs_off(void **state UNUSED)
{
	struct live_rig r;
	unsigned n;

	live_rig_start(&r);
	r.kube.list_status = 503;
	assert_true(live_rig_becomes(&r, "-", 0));
	usleep(1000000);
	n = kube_get(&r.kube, &r.kube.lists);
	assert_in_range(n, 4, 8);	/* of 40, 80, 160, 320, 640 ms */
	live_rig_stop(&r);
}

static void
lets_go_of_what_does_not_fit(void **state UNUSED)
{
	struct live_rig r;

	live_rig_start(&r);
	fill(&r);
	r.options.memory = 16;
	live_use(r.live, &r.options);
	assert_true(live_rig_becomes(&r, "-", 0));
	while (live_rig_counts(&r).over_budget == 0)
		usleep(1000);
	usleep(50000);
	assert_true(live_rig_becomes(&r, "-", 0));
	assert_int_equal(live_rig_counts(&r).bytes, 0);
	assert_int_equal(live_rig_counts(&r).lists, 1);
	r.options.memory = 1 << 20;	/* a reload looks again, at once */
	r.live->times.later = 60000;
	live_use(r.live, &r.options);
	assert_true(live_rig_becomes(&r, "a=1 b=2 c=3", SOON));
	r.options.memory = live_rig_counts(&r).bytes + 8;
	live_use(r.live, &r.options);
	kube_set(&r.kube, "d", "an event that is too much");
	assert_true(live_rig_becomes(&r, "-", SOON));
	assert_int_equal(live_rig_counts(&r).over_budget, 2);
	assert_int_equal(live_rig_counts(&r).bytes, 0);
	live_rig_stop(&r);
}

static void
stops_when_idle(void **state UNUSED)
{
	struct live_rig r;

	live_rig_start(&r);
	r.options.idle = 0.3;
	live_use(r.live, &r.options);
	kube_set(&r.kube, "a", "1");
	assert_true(live_rig_becomes(&r, "a=1", SOON));
	usleep(200000);
	assert_true(live_rig_becomes(&r, "a=1", 0));
	usleep(200000);
	assert_int_equal(live_rig_counts(&r).kinds, 1);
	usleep(200000);
	assert_int_equal(live_rig_counts(&r).kinds, 0);
	assert_int_equal(live_rig_counts(&r).bytes, 0);
	usleep(50000);
	assert_int_equal(kube_get(&r.kube, &r.kube.open), 0);
	assert_true(live_rig_becomes(&r, "a=1", SOON));
	assert_int_equal(live_rig_counts(&r).lists, 2);
	live_rig_stop(&r);
}

/* Watches end and are followed by others while much happens: it is fit all
   the time, never goes back, and is listed once. */
static void
hands_over_without_a_gap(void **state UNUSED)
{
	struct live_rig r;
	unsigned i = 0, seen = 0, n;
	int64_t end;
	char value[16], *got;

	live_rig_start(&r);
	r.live->times.watch_s = 1;	/* to 2; the next one at 0.9 to 1.8 */
	kube_set(&r.kube, "a", "0");
	assert_true(live_rig_becomes(&r, "a=0", SOON));
	for (end = rig_ms() + 4500; rig_ms() < end && i < 4000; i++) {
		snprintf(value, sizeof(value), "%u", i);
		kube_set(&r.kube, "a", value);
		got = live_rig_read(&r);
		assert_int_equal(sscanf(got, "a=%u", &n), 1);
		assert_true(n >= seen);
		seen = n;
		free(got);
		usleep(1000);
	}
	snprintf(value, sizeof(value), "a=%u", i - 1);
	assert_true(live_rig_becomes(&r, value, SOON));
	assert_int_equal(live_rig_counts(&r).lists, 1);
	assert_int_equal(live_rig_counts(&r).failures, 0);
	assert_true(kube_get(&r.kube, &r.kube.watches) >= 3);
	assert_int_equal(live_rig_counts(&r).events, i);
	live_rig_stop(&r);
}

static void
goes_on_from_bookmarks(void **state UNUSED)
{
	struct live_rig r;

	live_rig_start(&r);
	r.live->times.watch_s = 1;
	kube_set(&r.kube, "a", "1");
	assert_true(live_rig_becomes(&r, "a=1", SOON));
	kube_put(&r.kube, &r.kube.version, 4711);
	kube_bookmark(&r.kube);
	while (kube_get(&r.kube, &r.kube.watches) < 2)
		usleep(5000);
	assert_non_null(strstr(r.kube.last_watch, "resourceVersion=4711&"));
	assert_int_equal(live_rig_counts(&r).bookmarks, 1);
	live_rig_stop(&r);
}

/* Where the next watch is refused, the old one serves to its end. */
static void
uses_a_watch_to_its_end(void **state UNUSED)
{
	struct live_rig r;

	live_rig_start(&r);
	r.live->times.watch_s = 1;
	kube_set(&r.kube, "a", "1");
	assert_true(live_rig_becomes(&r, "a=1", SOON));
	kube_put(&r.kube, &r.kube.watch_status, 410);
	while (kube_get(&r.kube, &r.kube.watches) < 2)
		usleep(5000);
	usleep(50000);
	kube_set(&r.kube, "a", "2");
	assert_true(live_rig_becomes(&r, "a=2", SOON));
	kube_put(&r.kube, &r.kube.watch_status, 0);
	assert_int_equal(live_rig_counts(&r).lists, 1);
	kube_put(&r.kube, &r.kube.list_hangs, 1);
	kube_cut(&r.kube, KUBE_END);
	assert_true(live_rig_becomes(&r, "-", SOON));
	kube_put(&r.kube, &r.kube.list_hangs, 0);
	assert_true(live_rig_becomes(&r, "a=2", SOON));
	live_rig_stop(&r);
}

/* One that the cluster does not end is no way to go on seeing. */
static void
ends_a_watch_itself(void **state UNUSED)
{
	struct live_rig r;
	int64_t began;

	live_rig_start(&r);
	r.live->times.watch_s = 1;
	r.live->times.grace = 50;
	kube_set(&r.kube, "a", "1");
	assert_true(live_rig_becomes(&r, "a=1", SOON));
	began = rig_ms();
	kube_put(&r.kube, &r.kube.watch_status, 403);
	kube_put(&r.kube, &r.kube.list_status, 403);
	assert_true(live_rig_becomes(&r, "-", SOON));
	assert_in_range(rig_ms() - began, 900, 2500);
	live_rig_stop(&r);
}

static void
knows_the_first_of_a_kind(void **state UNUSED)
{
	struct live_rig r;

	live_rig_start(&r);
	assert_true(live_rig_becomes(&r, "", SOON));
	kube_set(&r.kube, "a", "1");
	assert_true(live_rig_becomes(&r, "a=1", SOON));
	assert_int_equal(live_rig_counts(&r).lists, 2);
	live_rig_stop(&r);
}

static void
lets_go_of_clusters_that_went(void **state UNUSED)
{
	const struct clusters none = { .n = 0 };
	struct live_rig r;
	struct cluster same, other;

	live_rig_start(&r);
	kube_set(&r.kube, "a", "1");
	assert_true(live_rig_becomes(&r, "a=1", SOON));
	same = other = r.cluster;	/* as a reload makes it */
	r.list[0] = &same;
	live_use(r.live, &r.options);
	assert_true(live_rig_becomes(&r, "-", 0));
	r.ask.cluster = &same;
	assert_true(live_rig_becomes(&r, "a=1", 0));
	other.assume_role = "another";
	r.list[0] = &other;
	live_use(r.live, &r.options);
	r.ask.cluster = &other;
	assert_true(live_rig_becomes(&r, "-", 0));
	assert_true(live_rig_becomes(&r, "a=1", SOON));
	assert_int_equal(live_rig_counts(&r).lists, 2);
	r.options.clusters = &none;
	live_use(r.live, &r.options);
	assert_true(live_rig_becomes(&r, "-", 0));
	usleep(100000);
	assert_int_equal(live_rig_counts(&r).kinds, 0);
	assert_int_equal(kube_get(&r.kube, &r.kube.open), 0);
	live_rig_stop(&r);
}

/* What listens there is another cluster, perhaps. */
static void
lists_again_elsewhere(void **state UNUSED)
{
	struct live_rig r;
	struct upstream *up;
	char url[80];

	live_rig_start(&r);
	kube_set(&r.kube, "a", "1");
	assert_true(live_rig_becomes(&r, "a=1", SOON));
	snprintf(url, sizeof(url), "%s/base", r.kube.rig.server.url);
	up = rig_upstream(&r.kube.rig, url, 0);
	r.access.up = up;
	assert_true(live_rig_becomes(&r, "-", 0));
	assert_true(live_rig_becomes(&r, "a=1", SOON));
	assert_string_equal(r.kube.last_list,
	    "/base/apis/x/v1/things?limit=500");
	live_free(r.live);
	r.live = NULL;
	upstream_put(up);
	live_rig_stop(&r);
}

static void
bounds_what_it_keeps(void **state UNUSED)
{
	struct live_rig r;
	char path[32];
	int i;

	live_rig_start(&r);
	kube_put(&r.kube, &r.kube.list_hangs, 1);
	for (i = 0; i < 100; i++) {
		snprintf(path, sizeof(path), "/apis/x/v1/t%d", i);
		r.kind.everywhere = path;
		assert_true(live_rig_becomes(&r, "-", 0));
	}
	assert_int_equal(live_rig_counts(&r).kinds, LIVE_KINDS_CLUSTER);
	usleep(100000);
	assert_int_equal(kube_get(&r.kube, &r.kube.lists),
	    LIVE_LISTS_CLUSTER);
	live_rig_stop(&r);
}

static void
ends_at_once(void **state UNUSED)
{
	struct live_rig r;
	int64_t began;

	live_rig_start(&r);
	kube_set(&r.kube, "a", "1");
	assert_true(live_rig_becomes(&r, "a=1", SOON));
	kube_put(&r.kube, &r.kube.list_hangs, 1);
	r.kind.everywhere = "/apis/x/v1/others";
	assert_true(live_rig_becomes(&r, "-", 0));
	usleep(50000);
	began = rig_ms();
	live_free(r.live);
	assert_true(rig_ms() - began < 200);
	r.live = NULL;
	live_rig_stop(&r);
}

static void
is_for_what_everybody_shares(void **state UNUSED)
{
	static const char *const acting[] = { "Impersonate-User: x", NULL };
	static const struct provider_ops users = {
		.name = "users", .flags = PROVIDER_USER_TOKEN };
	struct live_rig r;
	struct access a;
	struct cluster c;

	live_rig_start(&r);
	c = r.cluster;
	a = r.access;
	assert_true(live_may(r.live, &c, &a));
	assert_false(live_may(NULL, &c, &a));
	c.live = false;
	assert_false(live_may(r.live, &c, &a));
	c.live = true;
	c.provider = &users;
	assert_false(live_may(r.live, &c, &a));
	c = r.cluster;
	c.impersonate.on = true;
	assert_false(live_may(r.live, &c, &a));
	a.cred.from_client = true;
	assert_false(live_may(r.live, &r.cluster, &a));
	a = r.access;
	a.cred.acting = acting;
	assert_false(live_may(r.live, &r.cluster, &a));
	live_rig_stop(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_and_follows),
		cmocka_unit_test(takes_pages),
		cmocka_unit_test(lists_as_a_whole_when_pages_are_gone),
		cmocka_unit_test(lists_again_after_any_end),
		cmocka_unit_test(reads_directly_what_is_refused),
		cmocka_unit_test(waits_for_a_server_that_starts),
		cmocka_unit_test(loses_patience),
		cmocka_unit_test(takes_the_newest_credential),
		cmocka_unit_test(waits_as_long_as_it_is_told),
		cmocka_unit_test(backs_off),
		cmocka_unit_test(lets_go_of_what_does_not_fit),
		cmocka_unit_test(stops_when_idle),
		cmocka_unit_test(hands_over_without_a_gap),
		cmocka_unit_test(goes_on_from_bookmarks),
		cmocka_unit_test(uses_a_watch_to_its_end),
		cmocka_unit_test(ends_a_watch_itself),
		cmocka_unit_test(knows_the_first_of_a_kind),
		cmocka_unit_test(lets_go_of_clusters_that_went),
		cmocka_unit_test(lists_again_elsewhere),
		cmocka_unit_test(bounds_what_it_keeps),
		cmocka_unit_test(ends_at_once),
		cmocka_unit_test(is_for_what_everybody_shares),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
