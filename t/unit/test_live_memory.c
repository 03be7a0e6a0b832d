/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an object of the live lane costs beside its bytes of JSON, and that
 * the budget counts what it takes: README.md names the figure.
 */
#include "base.h"

#include <setjmp.h>
#include <cmocka.h>
#include <malloc.h>

#include "err.h"
#include "live_index.h"
#include "rig.h"
#include "strbuf.h"

#define OBJECTS 20000
#define PAGE 500
#define FIXED 220	/* bytes of an object, and of each label, ... */
#define SHARED 100	/* ... that others have, too, or ... */
#define OWN 230		/* ... that no other has */

static size_t
allocated(void)
{
	struct mallinfo2 m = mallinfo2();

	return m.uordblks + m.hblkhd;
}

/* As a deployment would have: app and tier are shared, pods' hashes are not. */
struct shape {
	unsigned own, shared;		/* labels */
	size_t pad;
};

/* Returns the bytes of the object. */
static size_t
object_add(struct strbuf *sb, unsigned i, const struct shape *s)
{
	size_t from = sb->len;
	unsigned n;

	strbuf_addf(sb, "{\"metadata\":{\"name\":\"thing-%u\",\"namespace\":"
	    "\"n%u\",\"labels\":{", i, i % 200);
	for (n = 0; n < s->own + s->shared; n++)
		strbuf_addf(sb, "%s\"example.org/label-%u\":\"value-%u\"",
		    n > 0 ? "," : "", n, n < s->own ? i : i % (10 * (n + 1)));
	strbuf_addf(sb, "}},\"pad\":\"%0*d\"}", (int)s->pad, 0);
	return sb->len - from;
}

static size_t
load(struct live_index *idx, const struct shape *s)
{
	struct live_load *l = live_load_begin(idx);
	size_t bytes = 0;
	unsigned i;

	for (i = 0; i < OBJECTS; ) {
		struct strbuf sb = STRBUF_INIT(STRBUF_UNLIMITED);

		strbuf_addstr(&sb, "{\"kind\":\"ThingList\",\"apiVersion\":"
		    "\"v1\",\"metadata\":{},\"items\":[");
		do
			bytes += object_add(&sb, i, s);
		while (++i % PAGE != 0 && strbuf_addch(&sb, ',') == 0);
		strbuf_addstr(&sb, "]}");
		assert_int_equal(live_load_add(l, sb.buf, sb.len, NULL), 0);
		strbuf_release(&sb);
	}
	live_load_commit(l);
	return bytes;
}

static void
costs_what_the_manual_says(void **state UNUSED)
{
	static const struct shape shapes[] = {
		{ 0, 0, 100 }, { 1, 0, 100 }, { 0, 1, 100 }, { 1, 1, 1000 },
		{ 4, 0, 100 }, { 0, 8, 100 }, { 1, 7, 4000 } };
	const struct live_form form = { .scope = LIVE_NAMESPACED };
	size_t i, before, bytes, took, extra, said;

	if (RIG_SANITIZED)
		return;		/* it has memory of its own */
	for (i = 0; i < ARRAY_LEN(shapes); i++) {
		struct live_budget budget = { .limit = (size_t)1 << 30 };
		struct live_index *idx = live_index_new(&budget, &form);

		before = allocated();
		bytes = load(idx, &shapes[i]);
		took = allocated() - before;
		extra = (took - bytes) / OBJECTS;
		print_message("# %u and %u labels, %zu bytes: %zu more, "
		    "%zu counted\n", shapes[i].own, shapes[i].shared,
		    bytes / OBJECTS, extra, (budget.used - bytes) / OBJECTS);
		said = FIXED + OWN * shapes[i].own + SHARED * shapes[i].shared;
		assert_in_range(extra, said / 100 * 75, said);
		assert_true(budget.used >= took / 100 * 95);
		live_index_free(idx);
		assert_int_equal(budget.used, 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(costs_what_the_manual_says),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
