/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the store's tests share: a folder with a key file, a store in it with
 * a clock that the test sets, and the usual calls in a line each.
 */
#ifndef STAGEDOOR_TEST_STORE_RIG_H
#define STAGEDOOR_TEST_STORE_RIG_H

#include <fcntl.h>
#include <setjmp.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "clock.h"
#include "err.h"
#include "secret.h"
#include "redis_rig.h"
#include "store_backend.h"

#define RIG_ALARM 100
#define RIG_KEY "one:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"
#define RIG_OTHER_KEY "two:Hx4dHBsaGRgXFhUUExIREA8ODQwLCgkIBwYFBAMCAQA=\n"

static char rig_dir[64], rig_db[80], rig_keys[80];
static int64_t rig_now;		/* 0: the real clock */

static inline int64_t
rig_clock(void)
{
	return rig_now != 0 ? rig_now : clock_wall_ms();
}

static const char *rig_type = "sqlite";
static const char *rig_kind = "source";
static struct store_limits rig_limits;
static struct store_settings rig_settings;

static inline void
rig_write(const char *path, const char *text, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, len), len);
	close(fd);
}

static inline void
rig_remove_db(void)
{
	char side[96];

	unlink(rig_db);
	snprintf(side, sizeof(side), "%s-wal", rig_db);
	unlink(side);
	snprintf(side, sizeof(side), "%s-shm", rig_db);
	unlink(side);
}

static inline void
rig_name(const char *dir)
{
	snprintf(rig_dir, sizeof(rig_dir), "%s", dir);
	snprintf(rig_db, sizeof(rig_db), "%s/store.db", rig_dir);
	snprintf(rig_keys, sizeof(rig_keys), "%s/keys", rig_dir);
	rig_settings = (struct store_settings){ .path = rig_db,
		.key_file = rig_keys };
	if (!str_eq(rig_type, "memory"))
		rig_settings.type = rig_type;
	rig_limits = (struct store_limits){ .rows = 1000, .pages = 10000,
		.wait_ms = 2000, .sweep = 64, .now = rig_clock };
	rig_now = 0;
}

/* For each test; its state may be the type of the store. */
static inline int
rig_set_up(void **state)
{
	char dir[] = "/tmp/stagedoor-store-XXXXXX";

	rig_type = *state != NULL ? *state : "sqlite";
	rig_kind = "source";
	alarm(RIG_ALARM);	/* a test that hangs has failed */
	if (mkdtemp(dir) == NULL)
		return -1;
	rig_name(dir);
	rig_write(rig_keys, RIG_KEY, sizeof(RIG_KEY) - 1);
	return 0;
}

static inline int
rig_tear_down(void **state UNUSED)
{
	rig_remove_db();
	unlink(rig_keys);
	return rmdir(rig_dir);
}

/* For tests of all back ends: one Redis for them all, emptied for each. */
static inline void
rig_need_redis(void)
{
	static char url[128];

	redis_needed();
	if (redis.pid < 0)
		redis_start();
	snprintf(url, sizeof(url), "unix:%s", redis.socket);
	rig_settings.url = url;
	redis_does("FLUSHALL");
}

static inline struct store *
rig_open(void)
{
	struct store *st = NULL;
	struct err err = ERR_INIT;

	if (str_eq(rig_type, "redis") && rig_settings.url == NULL)
		rig_need_redis();
	if (store_open_limited(&rig_settings, &rig_limits, &st, &err) != 0)
		fail_msg("store_open: %s", err.text);
	return st;
}

/* A test on one back end; ALL for the three. */
#define RIG_ON(f, type) { #f " on " type, f, rig_set_up, rig_tear_down, \
	(void *)(uintptr_t)type }
#define RIG_SHARED(f) RIG_ON(f, "sqlite"), RIG_ON(f, "redis")
#define RIG_ALL(f) RIG_ON(f, "memory"), RIG_SHARED(f)

/* As after another start; what is in memory would be gone. */
static inline void
rig_reopen(struct store **st)
{
	if (str_eq(rig_type, "memory"))
		return;
	store_close(*st);
	*st = rig_open();
}

static inline struct store_item
rig_item(unsigned n)
{
	struct store_item item = { .kind = rig_kind };

	memcpy(item.key, &n, sizeof(n));
	return item;
}

static inline int
rig_put(struct store *st, unsigned n, const char *text, int64_t expires)
{
	const struct store_item item = rig_item(n);
	struct secret value = SECRET_INIT;
	struct err err = ERR_INIT;
	int r;

	secret_set(&value, text, strlen(text));
	r = store_put(st, &item, &value, expires, &err);
	assert_int_equal(err.code, r);
	secret_release(&value);
	return r;
}

/* What there is, in a buffer of ours; "" and the code if there is none. */
static inline int
rig_get(struct store *st, unsigned n, const char **text)
{
	static char buf[STORE_VALUE_MAX + 1];
	const struct store_item item = rig_item(n);
	struct secret value = SECRET_INIT;
	struct err err = ERR_INIT;
	int64_t expires;
	int r = store_get(st, &item, &value, &expires, &err);

	assert_int_equal(err.code, r);
	assert_true(r == 0 || value.ptr == NULL);
	buf[0] = '\0';
	if (value.len > 0)
		memcpy(buf, value.ptr, value.len + 1);
	secret_release(&value);
	*text = buf;
	return r;
}

static inline void
rig_has(struct store *st, unsigned n, const char *expected)
{
	const char *text;

	assert_int_equal(rig_get(st, n, &text), 0);
	assert_string_equal(text, expected);
}

static inline void
rig_has_not(struct store *st, unsigned n, int code)
{
	const char *text;

	assert_int_equal(rig_get(st, n, &text), code);
}

/* --- What must fail: the texts say why, and where or not --- */

static inline void
rig_cannot_open(int code, const char *why)
{
	struct store *st = NULL;
	struct err err = ERR_INIT;

	assert_int_equal(store_open_limited(&rig_settings, &rig_limits, &st,
	    &err), code);
	assert_null(st);
	if (strstr(err.text, why) == NULL || strstr(err.text, rig_dir) == NULL)
		fail_msg("'%s' does not say '%s' and the file", err.text, why);
}

static inline void
rig_cannot_put(struct store *st, unsigned n, const char *why)
{
	const struct store_item item = rig_item(n);
	struct secret value = SECRET_INIT;
	struct err err = ERR_INIT;

	secret_set(&value, "hush-hush", 9);
	assert_int_equal(store_put(st, &item, &value, 0, &err), E_STORE);
	secret_release(&value);
	if (strstr(err.text, why) == NULL || (str_eq(rig_type, "sqlite") &&
	    strstr(err.detail, rig_db) == NULL))
		fail_msg("'%s' (%s) does not say '%s'", err.text, err.detail,
		    why);
	assert_null(strstr(err.text, rig_dir));
	assert_null(strstr(err.text, "hush"));
	assert_null(strstr(err.detail, "hush"));
}

#endif
