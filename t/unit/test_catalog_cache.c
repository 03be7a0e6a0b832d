/* SPDX-License-Identifier: Apache-2.0 */
/*
 * catalog_cache: one read for many, nothing across keys, failures not kept.
 */
#include "base.h"

#include <pthread.h>
#include <setjmp.h>
#include <cmocka.h>

#include "arena.h"
#include "catalog_cache.h"
#include "entity.h"
#include "err.h"

struct source {
	pthread_mutex_t lock;
	int reads, code;
	unsigned sleep_ms;
	const char *name;
	size_t relations;
};

static int
source_read(void *ctx, struct arena *arena, struct entity *out,
    struct err *err)
{
	struct source *s = ctx;

	pthread_mutex_lock(&s->lock);
	s->reads++;
	pthread_mutex_unlock(&s->lock);
	usleep(s->sleep_ms * 1000);
	if (s->code != 0)
		return err_set(err, s->code, "no luck");
	out->name = arena_strdup(arena, s->name);
	out->namespace = "default";
	out->depends_on.n = s->relations;
	out->depends_on.items = arena_alloc(arena, s->relations *
	    sizeof(char *));
	return 0;
}

static struct source
source(const char *name)
{
	return (struct source){ .lock = PTHREAD_MUTEX_INITIALIZER,
	    .name = name };
}

static int
get(struct catalog_cache *c, unsigned char key, struct source *s,
    const char *want)
{
	struct catalog_reader reader = { .read = source_read, .ctx = s };
	struct arena *arena = arena_new();
	struct entity e = { 0 };
	struct err err = ERR_INIT;
	int r;

	reader.key[CATALOG_KEY_LEN - 1] = key;	/* all in one slot */
	r = catalog_cache_get(c, &reader, arena, &e, &err);
	if (r == 0)
		assert_string_equal(e.name, want);
	else
		assert_string_equal(err.text, "no luck");
	arena_free(arena);
	return r;
}

static void
keeps_for_a_while(void **state UNUSED)
{
	struct catalog_cache *c = catalog_cache_new(0.2);
	struct source s = source("one");

	assert_int_equal(get(c, 1, &s, "one"), 0);
	s.name = "new";
	assert_int_equal(get(c, 1, &s, "one"), 0);
	assert_int_equal(s.reads, 1);
	usleep(300 * 1000);
	assert_int_equal(get(c, 1, &s, "new"), 0);
	assert_int_equal(s.reads, 2);
	catalog_cache_free(c);
}

static void
never_gives_one_keys_entity_to_another(void **state UNUSED)
{
	struct catalog_cache *c = catalog_cache_new(60);
	struct source a = source("a"), b = source("b");

	get(c, 1, &a, "a");
	get(c, 2, &b, "b");
	get(c, 2, &a, "b");
	get(c, 1, &a, "a");
	assert_int_equal(a.reads, 2);
	assert_int_equal(b.reads, 1);
	catalog_cache_free(c);
}

static void
reads_each_time_when_told_so(void **state UNUSED)
{
	struct catalog_cache *c = catalog_cache_new(0);
	struct source s = source("one");

	get(c, 1, &s, "one");
	get(c, 1, &s, "one");
	assert_int_equal(s.reads, 2);
	catalog_cache_free(c);
}

static void
keeps_no_failure_and_nothing_huge(void **state UNUSED)
{
	struct catalog_cache *c = catalog_cache_new(60);
	struct source s = source("one");

	s.code = E_BUSY;
	assert_int_equal(get(c, 1, &s, ""), E_BUSY);
	s.code = 0;
	s.relations = CATALOG_KEPT_RELATIONS + 1;
	assert_int_equal(get(c, 1, &s, "one"), 0);
	s.relations = CATALOG_KEPT_RELATIONS;
	assert_int_equal(get(c, 1, &s, "one"), 0);
	assert_int_equal(get(c, 1, &s, "one"), 0);
	assert_int_equal(s.reads, 3);
	catalog_cache_free(c);
}

struct caller {
	pthread_t thread;
	struct catalog_cache *c;
	struct source *s;
	unsigned char key;
	int r;
};

static void *
call(void *arg)
{
	struct caller *one = arg;

	one->r = get(one->c, one->key, one->s, one->s->name);
	return NULL;
}

static void
start_all(struct caller *callers, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		assert_int_equal(pthread_create(&callers[i].thread, NULL,
		    call, &callers[i]), 0);
}

static void
join_all(struct caller *callers, size_t n, int want)
{
	size_t i;

	for (i = 0; i < n; i++) {
		pthread_join(callers[i].thread, NULL);
		assert_int_equal(callers[i].r, want);
	}
}

static int
reads_of(struct source *s)
{
	int n;

	pthread_mutex_lock(&s->lock);
	n = s->reads;
	pthread_mutex_unlock(&s->lock);
	return n;
}

static void
reads_once_for_many(void **state UNUSED)
{
	struct catalog_cache *c = catalog_cache_new(60);
	struct source s = source("one"), other = source("two");
	struct caller callers[8];
	size_t i;

	s.sleep_ms = 200;
	for (i = 0; i < 8; i++)
		callers[i] = (struct caller){ .c = c, .s = &s, .key = 1 };
	start_all(callers, 8);
	while (reads_of(&s) == 0)
		usleep(1000);
	/* another key meanwhile: it neither waits nor disturbs */
	assert_int_equal(get(c, 2, &other, "two"), 0);
	assert_int_equal(other.reads, 1);
	join_all(callers, 8, 0);
	assert_int_equal(s.reads, 1);
	catalog_cache_free(c);
}

static void
shares_a_failure_with_those_who_wait(void **state UNUSED)
{
	struct catalog_cache *c = catalog_cache_new(60);
	struct source s = source("one");
	struct caller callers[8];
	size_t i;

	s.sleep_ms = 300;
	s.code = E_BUSY;
	for (i = 0; i < 8; i++)
		callers[i] = (struct caller){ .c = c, .s = &s, .key = 3 };
	start_all(callers, 8);
	join_all(callers, 8, E_BUSY);
	assert_in_range(s.reads, 1, 2);	/* a thread may start late */
	catalog_cache_free(c);
	catalog_cache_free(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_for_a_while),
		cmocka_unit_test(never_gives_one_keys_entity_to_another),
		cmocka_unit_test(reads_each_time_when_told_so),
		cmocka_unit_test(keeps_no_failure_and_nothing_huge),
		cmocka_unit_test(reads_once_for_many),
		cmocka_unit_test(shares_a_failure_with_those_who_wait),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
