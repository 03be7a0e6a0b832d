/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of the credential cache: what is found, what is forgotten and
 * when, how much there may be, and what it costs.
 */
#include "base.h"

#include <malloc.h>
#include <setjmp.h>
#include <cmocka.h>

#include "clock.h"
#include "sources_private.h"

#define MOST 16384
#define MINUTE 60000
#define HOUR (60 * MINUTE)
#define TURN 64		/* looks of a second each: the whole table */

static struct sources *s;

static int
setup(void **state UNUSED)
{
	s = sources_new(NULL);
	return 0;
}

static int
teardown(void **state UNUSED)
{
	sources_free(s);
	return 0;
}

static struct entry *
get(unsigned n)
{
	const char *const inputs[] = { (char[]){ (char)('a' + n % 26), '\0' },
	    (char[]){ (char)(1 + n / 26 % 127), '\0' },
	    (char[]){ (char)(1 + n / 26 / 127), '\0' }, NULL };
	const struct source source = { .kind = "test", .inputs = inputs };
	unsigned char key[SOURCE_KEY];

	source_key(s, &source, key);
	return entry_get(s, key, "test");
}

/* One that holds a value which lives so long (ms). */
static struct entry *
get_made(unsigned n, int64_t lives)
{
	struct source_value v = { .expires = clock_wall_ms() + lives };
	struct entry *e = get(n);

	secret_set(&v.part[0], "token", 5);
	entry_succeed(s, e, &v);
	return e;
}

static void
age(struct entry *e, int64_t ms)
{
	e->used -= ms;
}

/* As much as a minute of requests does. */
static void
sweep(void)
{
	unsigned i;

	for (i = 0; i < TURN; i++) {
		s->swept -= 1000;
		get(0);
	}
}

static void
what_is_there_is_found(void **state UNUSED)
{
	struct entry *e[1000];
	unsigned i;

	for (i = 0; i < 1000; i++)
		e[i] = get(i);
	assert_int_equal(s->nentries, 1000);
	for (i = 0; i < 1000; i++) {
		assert_ptr_equal(get(i), e[i]);
		assert_ptr_equal(entry_find(s, e[i]->key), e[i]);
	}
	assert_int_equal(s->nentries, 1000);
}

static void
what_nobody_uses_is_forgotten(void **state UNUSED)
{
	get(0);
	get_made(1, 2 * HOUR);
	age(get_made(2, 2 * HOUR), HOUR - 1000);
	age(get_made(3, 2 * HOUR), HOUR);
	sweep();
	assert_int_equal(s->nentries, 3);
	assert_true(get(2)->have);
	assert_false(get(3)->have);
}

static void
what_has_ended_is_forgotten_sooner(void **state UNUSED)
{
	struct err err = ERR_INIT;

	get(0);
	age(get_made(1, 0), MINUTE - 1000);
	age(get_made(2, 0), MINUTE);
	age(get_made(3, HOUR), MINUTE);
	age(get(4), MINUTE);
	err_set(&err, E_BUSY, "in half an hour");
	entry_fail(get(5), &err, HOUR / 2);	/* that is kept in mind */
	age(get(5), MINUTE);
	sweep();
	assert_int_equal(s->nentries, 4);
	assert_true(get(1)->have && get(3)->have);
	assert_int_equal(get(5)->failure->code, E_BUSY);
	assert_false(get(2)->have);
}

static void
what_is_at_work_stays(void **state UNUSED)
{
	struct entry *e = get(1), *f = get(2);

	e->state = ENTRY_MAKING;
	f->pins++;
	age(e, 2 * HOUR);
	age(f, 2 * HOUR);
	sweep();
	assert_int_equal(s->nentries, 3);
	e->state = ENTRY_IDLE;
	f->pins--;
	sweep();
	assert_int_equal(s->nentries, 1);
}

static void
the_one_used_longest_ago_makes_room(void **state UNUSED)
{
	unsigned i;

	get(0)->pins++;
	for (i = 1; i < MOST; i++)
		get_made(i, HOUR);
	assert_int_equal(s->nentries, MOST);
	assert_true(get(1)->have);
	get_made(MOST, HOUR);
	get_made(MOST + 1, HOUR);
	assert_int_equal(s->nentries, MOST);
	assert_true(get(1)->have);
	assert_true(get(4)->have);
	assert_int_equal(get(0)->pins, 1);
	assert_false(get(2)->have);
	assert_false(get(3)->have);
	get(0)->pins--;
}

/* There may be more if all of them are at work: nobody is failed for it. */
static void
all_may_be_at_work(void **state UNUSED)
{
	unsigned i;

	for (i = 0; i < MOST + 100; i++)
		get(i)->pins++;
	assert_int_equal(s->nentries, MOST + 100);
	for (i = 0; i < MOST + 100; i++)
		get(i)->pins--;
	get(MOST + 100);
	get(MOST + 101);
	assert_true(s->nentries <= MOST);
}

static int64_t
cost(unsigned n)
{
	int64_t began = clock_mono_ms();
	unsigned i;

	for (i = 0; i < 200000; i++)
		get(i % n);
	return clock_mono_ms() - began;
}

static void
it_costs_the_same_however_many_there_are(void **state UNUSED)
{
	int64_t few, many;
	unsigned i;

	few = cost(16);
	for (i = 0; i < MOST; i++)
		get_made(i, HOUR);
	many = cost(MOST);
	print_message("# 200000 look-ups: %ld ms of 16, %ld ms of %u\n",
	    (long)few, (long)many, MOST);
	assert_true(many < 5 * few + 100);
}

static void
an_entry_is_small(void **state UNUSED)
{
	size_t before = mallinfo2().uordblks, each;
	unsigned i;

	for (i = 0; i < 10000; i++)
		get_made(i, HOUR);
	each = (mallinfo2().uordblks - before) / 10000;
	print_message("# an entry: %zu bytes, %zu with a small value\n",
	    sizeof(struct entry), each);
	assert_true(sizeof(struct entry) <= 320);
	assert_true(each <= 400);	/* 0 under a sanitizer */
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_there_is_found),
		TEST(what_nobody_uses_is_forgotten),
		TEST(what_has_ended_is_forgotten_sooner),
		TEST(what_is_at_work_stays),
		TEST(the_one_used_longest_ago_makes_room),
		TEST(all_may_be_at_work),
		TEST(it_costs_the_same_however_many_there_are),
		TEST(an_entry_is_small),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
