/* SPDX-License-Identifier: Apache-2.0 */
/* What the store keeps, for how long, for whom: the same on each back end. */
#include "base.h"

#include <pthread.h>

#include "store_private.h"
#include "store_rig.h"
#include "strbuf.h"

#define NOW 1790000000000

/* --- Values --------------------------------------------------------------- */

static void
keeps_values(void **state UNUSED)
{
	struct store *st = rig_open();
	const struct store_item item = rig_item(1);

	rig_has_not(st, 1, E_NOTFOUND);
	assert_int_equal(rig_put(st, 1, "alice-token", 0), 0);
	assert_int_equal(rig_put(st, 2, "bob-token", 0), 0);
	assert_int_equal(rig_put(st, 3, "", 0), 0);
	rig_has(st, 1, "alice-token");
	assert_int_equal(rig_put(st, 1, "alice-token-2", 0), 0);
	rig_reopen(&st);
	rig_has(st, 1, "alice-token-2");
	rig_has(st, 2, "bob-token");
	rig_has(st, 3, "");
	assert_int_equal(store_del(st, &item, NULL), 0);
	assert_int_equal(store_del(st, &item, NULL), 0);
	rig_has_not(st, 1, E_NOTFOUND);
	rig_has(st, 2, "bob-token");
	store_close(st);
}

static void
parts_kinds(void **state UNUSED)
{
	struct store *st = rig_open();
	struct store_item item = rig_item(1);
	struct secret value = SECRET_INIT;
	int64_t expires;

	assert_int_equal(rig_put(st, 1, "alice-token", 0), 0);
	item.kind = "session";
	assert_int_equal(store_get(st, &item, &value, &expires, NULL),
	    E_NOTFOUND);
	store_close(st);
}

static void
keeps_long_values_up_to_a_bound(void **state UNUSED)
{
	static char text[STORE_VALUE_MAX + 2];
	struct store *st = rig_open();

	memset(text, 'x', STORE_VALUE_MAX + 1);
	assert_int_equal(rig_put(st, 1, text, 0), E_STORE);
	text[STORE_VALUE_MAX] = '\0';
	assert_int_equal(rig_put(st, 1, text, 0), 0);
	rig_has(st, 1, text);
	store_close(st);
}

static void
forgets_in_time(void **state UNUSED)
{
	const struct store_item item = rig_item(1);
	struct secret value = SECRET_INIT;
	struct store *st = rig_open();
	int64_t expires = 0;

	rig_now = NOW;
	assert_int_equal(rig_put(st, 1, "alice-token", NOW + 1000), 0);
	assert_int_equal(rig_put(st, 2, "for ever", 0), 0);
	assert_int_equal(store_get(st, &item, &value, &expires, NULL), 0);
	assert_int_equal(expires, NOW + 1000);
	secret_release(&value);
	rig_now = NOW + 999;
	rig_has(st, 1, "alice-token");
	rig_now = NOW + 1000;
	rig_has_not(st, 1, E_NOTFOUND);
	rig_has(st, 2, "for ever");
	store_close(st);
}

static void
holds_so_many_values(void **state UNUSED)
{
	struct store *st;
	unsigned i;

	rig_limits.rows = 20;
	rig_limits.sweep = UINT_MAX;
	rig_now = NOW;
	st = rig_open();
	for (i = 0; i < 20; i++)
		assert_int_equal(rig_put(st, i, "x", i < 5 ? NOW + 10 : 0), 0);
	rig_cannot_put(st, 20, "the store is full: ");
	rig_has_not(st, 20, E_NOTFOUND);
	/* What is there may change; what is over gives way. */
	assert_int_equal(rig_put(st, 19, "z", 0), 0);
	rig_now = NOW + 11;
	for (i = 20; i < 25; i++)
		assert_int_equal(rig_put(st, i, "y", 0), 0);
	assert_int_equal(rig_put(st, 25, "y", 0), E_STORE);
	rig_has(st, 19, "z");
	rig_has(st, 5, "x");
	store_close(st);
}

static void
derives_the_same_for_all(void **state UNUSED)
{
	unsigned char one[32], two[32];
	struct store *st = rig_open(), *other;

	store_derive(st, "cache names", one);
	other = rig_open();
	store_derive(other, "cache names", two);
	assert_memory_equal(one, two, 32);
	store_derive(other, "else", two);
	assert_memory_not_equal(one, two, 32);
	store_close(other);
	store_close(st);
}

static int
seen_each(void *ctx, const struct store_item *item, const struct secret *value)
{
	unsigned *seen = ctx, n;

	memcpy(&n, item->key, sizeof(n));
	assert_in_range(n, 0, 999);
	assert_string_equal(item->kind, "source");
	assert_string_equal(value->ptr, n % 2 ? "odd" : "even");
	seen[n]++;
	return n == 999 ? 77 : 0;
}

static int
each(struct store *st, unsigned *seen, size_t *bad)
{
	struct store_visit visit = { .kind = "source", .each = seen_each,
		.ctx = seen };
	struct err err = ERR_INIT;
	int r;

	memset(seen, 0, 1000 * sizeof(*seen));
	r = store_each(st, &visit, &err);
	*bad = visit.bad;
	return r;
}

static void
shows_each_value_once(void **state UNUSED)
{
	static unsigned seen[1000];
	struct store *st = rig_open();
	unsigned i;
	size_t bad;

	rig_now = NOW;
	assert_int_equal(each(st, seen, &bad), 0);
	for (i = 0; i < 600; i++)
		assert_int_equal(rig_put(st, i, i % 2 ? "odd" : "even",
		    i < 10 ? NOW + 60000 : 0), 0);
	rig_kind = "session";
	for (i = 0; i < 300; i++)
		assert_int_equal(rig_put(st, i + 2000, "other", 0), 0);
	rig_kind = "source";
	assert_int_equal(each(st, seen, &bad), 0);
	assert_int_equal(bad, 0);
	for (i = 0; i < 1000; i++)
		assert_int_equal(seen[i], i < 600);
	rig_now = NOW + 60000;		/* some are over */
	assert_int_equal(each(st, seen, &bad), 0);
	assert_int_equal(bad, 0);
	for (i = 0; i < 1000; i++)
		assert_int_equal(seen[i], i >= 10 && i < 600);
	/* It ends where somebody says so. */
	assert_int_equal(rig_put(st, 999, "odd", 0), 0);
	assert_int_equal(each(st, seen, &bad), 77);
	store_close(st);
}

static int
del_each(void *ctx, const struct store_item *item,
    const struct secret *value UNUSED)
{
	return store_del(ctx, item, NULL);
}

static void
may_be_called_by_who_looks(void **state UNUSED)
{
	struct store *st = rig_open();
	struct store_visit visit = { .kind = "source", .each = del_each,
		.ctx = st };
	unsigned i;

	for (i = 0; i < 300; i++)
		assert_int_equal(rig_put(st, i, "odd", 0), 0);
	assert_int_equal(store_each(st, &visit, NULL), 0);
	for (i = 0; i < 300; i++)
		rig_has_not(st, i, E_NOTFOUND);
	store_close(st);
}

static void
seals_for_somebody_else_to_keep(void **state UNUSED)
{
	struct store *st = rig_open();
	struct strbuf bytes = STRBUF_INIT(1000);
	struct store_item item = rig_item(1), other = rig_item(2);
	struct store_sealed sealed = { .item = &item, .expires = NOW + 1000,
		.bytes = &bytes };
	struct secret value = SECRET_INIT, out = SECRET_INIT;

	rig_now = NOW;
	secret_set(&value, "verifier", 8);
	store_seal(st, &item, NOW + 1000, &value, &bytes);
	assert_null(memmem(bytes.buf, bytes.len, "verifier", 8));
	assert_int_equal(store_unseal(st, &sealed, &out, NULL), 0);
	assert_string_equal(out.ptr, "verifier");
	secret_release(&out);
	sealed.item = &other;
	assert_int_equal(store_unseal(st, &sealed, &out, NULL), E_STORE);
	sealed.item = &item;
	sealed.expires++;
	assert_int_equal(store_unseal(st, &sealed, &out, NULL), E_STORE);
	sealed.expires--;
	bytes.buf[bytes.len - 1] ^= 1;
	assert_int_equal(store_unseal(st, &sealed, &out, NULL), E_STORE);
	bytes.buf[bytes.len - 1] ^= 1;
	rig_now = NOW + 1000;
	assert_int_equal(store_unseal(st, &sealed, &out, NULL), E_NOTFOUND);
	assert_null(out.ptr);
	strbuf_release(&bytes);
	secret_release(&value);
	store_close(st);
}

static void
says_whether_others_see_it(void **state)
{
	struct store *st = rig_open();

	assert_int_equal(store_is_shared(st), !str_eq(*state, "memory"));
	store_close(st);
}

static void
sweeps_what_is_over(void **state UNUSED)
{
	struct store *st;
	unsigned i;

	rig_limits.sweep = UINT_MAX;
	rig_limits.rows = 3000;
	rig_now = NOW;
	st = rig_open();
	for (i = 0; i < 2500; i++)	/* more than one step takes */
		assert_int_equal(rig_put(st, i, "x", NOW + 1000), 0);
	assert_int_equal(rig_put(st, 5000, "for ever", 0), 0);
	rig_now = NOW + 3600000;
	assert_int_equal(store_sweep(st, NULL), 0);
	rig_now = NOW;			/* the clock was wrong */
	rig_has(st, 2000, "x");
	rig_now = NOW + 3602000;
	assert_int_equal(store_sweep(st, NULL), 0);
	rig_now = NOW;
	for (i = 0; i < 2500; i += 100)
		rig_has_not(st, i, E_NOTFOUND);
	rig_has(st, 5000, "for ever");
	store_close(st);
}

static void
knows_the_same_settings(void **state UNUSED)
{
	struct store_settings a = rig_settings, b = rig_settings;

	secret_set(&a.password, "hush", 4);
	assert_false(store_settings_same(&a, &b));
	secret_set(&b.password, "hush", 4);
	assert_true(store_settings_same(&a, &b));
	b.url = "unix:/x";
	assert_false(store_settings_same(&a, &b));
	b.url = a.url;
	b.key_file = "/x";
	assert_false(store_settings_same(&a, &b));
	secret_release(&a.password);
	secret_release(&b.password);
}

/* --- A full store --------------------------------------------------------- */

static void
keeps_tokens_when_it_is_full(void **state UNUSED)
{
	struct store *st;
	unsigned i;

	rig_limits.rows = 20;
	rig_now = NOW;
	st = rig_open();
	for (i = 0; i < 8; i++)
		assert_int_equal(rig_put(st, i, "x", 0), 0);
	rig_kind = "source failure";
	for (; i < 10; i++)
		assert_int_equal(rig_put(st, i, "x", 0), 0);
	rig_kind = "tokens";
	for (; i < 20; i++)
		assert_int_equal(rig_put(st, i, "t", 0), 0);
	/* What can be made again does not drive out anything, */
	rig_kind = "source";
	assert_int_equal(rig_put(st, 50, "x", 0), E_STORE);
	rig_has(st, 0, "x");
	/* but is driven out by what cannot. */
	rig_kind = "tokens";
	for (; i < 30; i++)
		assert_int_equal(rig_put(st, i, "t", 0), 0);
	assert_int_equal(rig_put(st, 50, "t", 0), E_STORE);
	for (i = 10; i < 30; i++)
		rig_has(st, i, "t");
	rig_kind = "source";
	rig_has_not(st, 0, E_NOTFOUND);
	assert_int_equal(rig_put(st, 50, "x", 0), E_STORE);
	/* A token that was there may change. */
	rig_kind = "tokens";
	assert_int_equal(rig_put(st, 10, "new", 0), 0);
	rig_has(st, 10, "new");
	store_close(st);
}

/* --- Keys ----------------------------------------------------------------- */

static const char two_one[] = RIG_OTHER_KEY RIG_KEY;

static void
takes_up_a_new_key(void **state UNUSED)
{
	struct store *st = rig_open();
	struct store_resealed done;
	unsigned i;

	for (i = 0; i < 300; i++)
		assert_int_equal(rig_put(st, i, "old", 0), 0);
	assert_int_equal(store_reseal(st, NULL, &done, NULL), 0);
	assert_int_equal(done.values, 300);
	assert_int_equal(done.now + done.old + done.lost, 0);
	rig_write(rig_keys, two_one, strlen(two_one));
	assert_int_equal(store_keys_again(st, NULL), 0);
	assert_int_equal(rig_put(st, 0, "new", 0), 0);
	rig_has(st, 1, "old");
	assert_int_equal(store_reseal(st, NULL, &done, NULL), 0);
	assert_int_equal(done.values, 300);
	assert_int_equal(done.now, 299);
	assert_int_equal(done.old + done.lost, 0);
	assert_int_equal(store_reseal(st, NULL, &done, NULL), 0);
	assert_int_equal(done.now, 0);
	/* The old line may go. */
	rig_write(rig_keys, RIG_OTHER_KEY, strlen(RIG_OTHER_KEY));
	assert_int_equal(store_keys_again(st, NULL), 0);
	rig_has(st, 0, "new");
	for (i = 1; i < 300; i++)
		rig_has(st, i, "old");
	store_close(st);
}

/* It opens what another one with newer keys sealed, without being told. */
static void
follows_a_key_file_that_changed(void **state UNUSED)
{
	struct store *st = rig_open(), *other;
	struct secret value = SECRET_INIT;
	unsigned char one[32], two[32];

	store_derive(st, "x", one);
	rig_write(rig_keys, two_one, strlen(two_one));
	other = rig_open();
	assert_int_equal(rig_put(other, 1, "new", 0), 0);
	rig_has(st, 1, "new");
	store_derive(st, "x", two);
	assert_memory_not_equal(one, two, sizeof(one));
	store_close(other);
	/* A file that is wrong leaves the keys as they are. */
	rig_write(rig_keys, "two:hush\n", 9);
	assert_int_equal(store_keys_again(st, NULL), E_CONFIG);
	rig_has(st, 1, "new");
	assert_int_equal(rig_put(st, 2, "more", 0), 0);
	rig_has(st, 2, "more");
	secret_release(&value);
	store_close(st);
}

static void
counts_what_nobody_can_open(void **state UNUSED)
{
	static unsigned seen[1000];
	struct store *st = rig_open();
	struct store_resealed done;
	size_t bad;

	assert_int_equal(rig_put(st, 1, "odd", 0), 0);
	rig_write(rig_keys, RIG_OTHER_KEY, strlen(RIG_OTHER_KEY));
	assert_int_equal(store_keys_again(st, NULL), 0);
	assert_int_equal(rig_put(st, 2, "even", 0), 0);
	assert_int_equal(store_reseal(st, NULL, &done, NULL), 0);
	assert_int_equal(done.values, 2);
	assert_int_equal(done.lost, 1);
	assert_int_equal(done.now + done.old, 0);
	assert_int_equal(each(st, seen, &bad), 0);
	assert_int_equal(bad, 1);
	assert_int_equal(seen[2], 1);
	store_close(st);
}

/* Processes with other first lines are still of one store. */
static void
shares_leases_and_values_across_orders_of_keys(void **state UNUSED)
{
	const char one_two[] = RIG_KEY RIG_OTHER_KEY;
	struct store_item item = rig_item(1);
	struct store_lease lease, none;
	struct store *one, *two;

	rig_write(rig_keys, one_two, strlen(one_two));
	one = rig_open();
	rig_write(rig_keys, two_one, strlen(two_one));
	two = rig_open();
	assert_int_equal(rig_put(one, 1, "by one", 0), 0);
	rig_has(two, 1, "by one");
	assert_int_equal(rig_put(two, 1, "by two", 0), 0);
	rig_has(one, 1, "by two");
	assert_int_equal(store_lease(one, &item, 60000, &lease, NULL), 0);
	assert_int_equal(store_lease(two, &item, 60000, &none, NULL), E_BUSY);
	store_lease_end(one, &lease);
	assert_int_equal(store_lease(two, &item, 60000, &lease, NULL), 0);
	store_lease_end(two, &lease);
	store_close(two);
	store_close(one);
}

struct racer {
	struct store *st;
	int stop;
	unsigned puts;
};

static void *
put_on(void *arg)
{
	struct racer *racer = arg;
	char text[16];

	while (!__atomic_load_n(&racer->stop, __ATOMIC_RELAXED)) {
		snprintf(text, sizeof(text), "%u", ++racer->puts);
		if (rig_put(racer->st, 1, text, 0) != 0)
			abort();
	}
	return NULL;
}

/* A value that was put while an older one was being sealed anew stays. */
static void
never_goes_back_while_it_seals_anew(void **state UNUSED)
{
	struct store *st = rig_open();
	struct racer racer = { .st = st };
	struct store_resealed done;
	pthread_t thread;
	char text[16];
	unsigned i;

	for (i = 0; i < 60; i++) {
		rig_write(rig_keys, i % 2 ? RIG_KEY RIG_OTHER_KEY :
		    RIG_OTHER_KEY RIG_KEY, strlen(two_one));
		racer.stop = 0;
		pthread_create(&thread, NULL, put_on, &racer);
		assert_int_equal(store_keys_again(st, NULL), 0);
		assert_int_equal(store_reseal(st, NULL, &done, NULL), 0);
		__atomic_store_n(&racer.stop, 1, __ATOMIC_RELAXED);
		pthread_join(thread, NULL);
		snprintf(text, sizeof(text), "%u", racer.puts);
		if (racer.puts > 0)
			rig_has(st, 1, text);
	}
	store_close(st);
}

static int
swap(struct store *st, const struct store_sealed_row *old, int64_t expires)
{
	struct store_item item = rig_item(1);
	struct store_row row = { .item = &item, .sealed = "sealed anew",
		.len = 11, .expires = expires };

	return st->ops->swap(st->be, &row, old, st->now(), NULL);
}

/* What is put meanwhile, or deleted, is not put back. */
static void
swaps_only_what_it_saw(void **state UNUSED)
{
	struct store_sealed_row row = STORE_SEALED_ROW_INIT;
	struct store_item item = rig_item(1);
	struct store *st = rig_open();
	int64_t until = clock_wall_ms() + 60000, expires = 0;
	struct secret value = SECRET_INIT;

	assert_int_equal(rig_put(st, 1, "old", until), 0);
	assert_int_equal(store_fetch(st, &item, &row, NULL), 0);
	assert_int_equal(rig_put(st, 1, "new", until), 0);
	assert_int_equal(swap(st, &row, until), E_NOTFOUND);
	assert_int_equal(store_get(st, &item, &value, &expires, NULL), 0);
	assert_string_equal(value.ptr, "new");
	assert_int_equal(expires, until);
	assert_int_equal(store_del(st, &item, NULL), 0);
	assert_int_equal(swap(st, &row, until), E_NOTFOUND);
	rig_has_not(st, 1, E_NOTFOUND);
	assert_int_equal(rig_put(st, 1, "old", until), 0);
	strbuf_reset(&row.sealed);
	assert_int_equal(store_fetch(st, &item, &row, NULL), 0);
	assert_int_equal(swap(st, &row, until + 1), 0);
	strbuf_reset(&row.sealed);
	assert_int_equal(store_fetch(st, &item, &row, NULL), 0);
	assert_string_equal(row.sealed.buf, "sealed anew");
	assert_int_equal(row.expires, until + 1);
	secret_release(&value);
	strbuf_release(&row.sealed);
	store_close(st);
}

static void
waits_for_its_key_file(void **state UNUSED)
{
	struct store *st;
	struct err err = ERR_INIT;
	struct store_item item = rig_item(1);
	struct secret value = SECRET_INIT;
	int64_t expires;

	if (str_eq(rig_type, "redis"))
		rig_need_redis();
	rig_write(rig_keys, "one:hush\n", 9);
	st = store_open_later(&rig_settings, &err);
	assert_int_equal(err.code, E_CONFIG);
	assert_non_null(strstr(err.text, "line 1 has a key that is not"));
	assert_int_equal(store_get(st, &item, &value, &expires, &err),
	    E_STORE);
	assert_non_null(strstr(err.text, "its key file is wrong"));
	assert_null(strstr(err.text, rig_dir));
	assert_non_null(strstr(err.detail, rig_keys));
	assert_int_equal(rig_put(st, 1, "x", 0), E_STORE);
	rig_write(rig_keys, RIG_KEY, strlen(RIG_KEY));
	usleep(1100000);
	assert_int_equal(rig_put(st, 1, "x", 0), 0);
	rig_has(st, 1, "x");
	store_close(st);
	st = rig_open();
	rig_has(st, 1, "x");
	store_close(st);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_ALL(keeps_values),
		RIG_ALL(parts_kinds),
		RIG_ALL(keeps_long_values_up_to_a_bound),
		RIG_ALL(forgets_in_time),
		RIG_ON(holds_so_many_values, "memory"),
		RIG_ON(holds_so_many_values, "sqlite"),
		RIG_SHARED(derives_the_same_for_all),
		RIG_ALL(shows_each_value_once),
		RIG_ALL(may_be_called_by_who_looks),
		RIG_ALL(seals_for_somebody_else_to_keep),
		RIG_ALL(says_whether_others_see_it),
		RIG_ON(knows_the_same_settings, "sqlite"),
		RIG_ON(sweeps_what_is_over, "memory"),
		RIG_ON(sweeps_what_is_over, "sqlite"),
		RIG_ON(keeps_tokens_when_it_is_full, "memory"),
		RIG_ON(keeps_tokens_when_it_is_full, "sqlite"),
		RIG_SHARED(takes_up_a_new_key),
		RIG_SHARED(follows_a_key_file_that_changed),
		RIG_SHARED(counts_what_nobody_can_open),
		RIG_SHARED(shares_leases_and_values_across_orders_of_keys),
		RIG_SHARED(never_goes_back_while_it_seals_anew),
		RIG_ALL(swaps_only_what_it_saw),
		RIG_SHARED(waits_for_its_key_file),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
