/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of the store in Redis share. */
#ifndef STAGEDOOR_TEST_STORE_REDIS_RIG_H
#define STAGEDOOR_TEST_STORE_REDIS_RIG_H

#include "store_rig.h"

static char url[160];

/* For each test: a Redis that is empty, and as it was at the start. */
static inline int
set_up(void **state UNUSED)
{
	void *type = (void *)(uintptr_t)"redis";

	return rig_set_up(&type);
}

static inline void
use_redis(void)
{
	rig_need_redis();
	redis_does("CONFIG SET requirepass \"\"");
	redis_does("CONFIG SET maxmemory 0");
	redis_does("REPLICAOF NO ONE");
}

static inline struct store *
open_at(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(url, sizeof(url), fmt, ap);
	va_end(ap);
	rig_settings.url = url;
	return rig_open();
}

/* A put fails, and says why; where is private. */
static inline void
cannot_put(struct store *st, const char *why)
{
	const struct store_item item = rig_item(99);
	struct secret value = SECRET_INIT;
	struct err err = ERR_INIT;

	secret_set(&value, "hush-hush", 9);
	assert_int_equal(store_put(st, &item, &value, 0, &err), E_STORE);
	secret_release(&value);
	if (strstr(err.text, why) == NULL)
		fail_msg("'%s' (%s) does not say '%s'", err.text, err.detail,
		    why);
	assert_null(strstr(err.text, "/tmp"));
	assert_null(strstr(err.text, "hush"));
	assert_null(strstr(err.detail, "hush"));
	assert_non_null(strstr(err.detail, rig_settings.url));
}

static inline void
cannot_open(const char *why)
{
	struct store *st = NULL;
	struct err err = ERR_INIT;

	assert_int_equal(store_open_limited(&rig_settings, &rig_limits, &st,
	    &err), E_STORE);
	if (strstr(err.text, why) == NULL)
		fail_msg("'%s' does not say '%s'", err.text, why);
	assert_null(strstr(err.text, "hush"));
}

/* It fails now; but when all is well again it works within a second. */
static inline void
comes_back(struct store *st)
{
	int64_t until = clock_mono_ms() + 1500;
	int r;

	while ((r = rig_put(st, 7, "back", 0)) != 0 &&
	    clock_mono_ms() < until)
		usleep(20000);
	assert_int_equal(r, 0);
	rig_has(st, 7, "back");
}

static inline bool
is_x(void *ctx UNUSED, const struct secret *value)
{
	return secret_equal(value, "x", 1);
}

static inline int
swap_x(struct store *st, int64_t expires)
{
	const struct store_item item = rig_item(1);
	struct secret value = SECRET_INIT;
	const struct store_swap swap = { .item = &item, .value = &value,
		.expires = expires, .is = is_x };
	int r;

	secret_set(&value, "y", 1);
	r = store_swap(st, &swap, NULL);
	secret_release(&value);
	return r;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, rig_tear_down)

#endif
