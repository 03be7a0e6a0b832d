/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All that the store has in Redis: listed, made room in, and whether Redis is
 * set so that it stays.
 */
#include "base.h"

#include <hiredis.h>

#include "err.h"
#include "log.h"
#include "store_redis.h"

#define REMOVE_MAX 1024			/* for one value to have room */

/* A page of keys that match; *reply is for freeReplyObject. */
static int
scan(struct store_backend *be, const char *pattern, uint64_t *cursor,
    redisReply **reply, struct err *err)
{
	struct redis_args args = { .n = 0 };
	redisReply *rep = NULL;
	char from[24];
	int r;

	snprintf(from, sizeof(from), "%llu", (unsigned long long)*cursor);
	redis_add_text(&args, "SCAN");
	redis_add_text(&args, from);
	redis_add_text(&args, "MATCH");
	redis_add_text(&args, pattern);
	redis_add_text(&args, "COUNT");
	redis_add_text(&args, "256");
	if ((r = redis_ask(be, &args, &rep, NULL, err)) != 0)
		return r;
	if (rep->type != REDIS_REPLY_ARRAY || rep->elements != 2 ||
	    rep->element[0]->type != REDIS_REPLY_STRING ||
	    rep->element[1]->type != REDIS_REPLY_ARRAY)
		return redis_unexpected(be, rep, err);
	*cursor = strtoull(rep->element[0]->str, NULL, 10);
	*reply = rep;
	return 0;
}

static bool
parse_hex(const char *hex, unsigned char out[STORE_KEY])
{
	static const char digits[] = "0123456789abcdef";
	const char *d;
	size_t i;

	memset(out, 0, STORE_KEY);
	for (i = 0; i < (size_t)2 * STORE_KEY; i++) {
		d = hex[i] == '\0' ? NULL : strchr(digits, hex[i]);
		if (d == NULL)
			return false;
		out[i / 2] = (unsigned char)(out[i / 2] << 4 | (d - digits));
	}
	return hex[i] == '\0';
}

/* stagedoor:KIND:HEX; others, leases too, are passed over. */
static bool
parse_key(const redisReply *reply, struct store_listed *out)
{
	const char *kind, *colon;
	size_t len;

	if (reply->type != REDIS_REPLY_STRING ||
	    strlen(reply->str) != reply->len ||
	    !str_starts(reply->str, REDIS_PREFIX))
		return false;
	kind = reply->str + strlen(REDIS_PREFIX);
	len = strcspn(kind, ":");
	colon = kind + len;
	if (*colon == '\0' || len > STORE_KIND_MAX)
		return false;
	memcpy(out->kind, kind, len);
	return parse_hex(colon + 1, out->key);
}

/* The first bytes of its value; gone meanwhile is fine. */
static int
get_head(struct store_backend *be, const char *key, struct store_listed *row,
    struct err *err)
{
	redisReply *reply = NULL;
	char last[16];
	int r;

	snprintf(last, sizeof(last), "%d", REDIS_TIME + SEAL_HEAD - 1);
	if ((r = redis_get_range(be, key, last, &reply, err)) != 0)
		return r;
	if (reply != NULL && reply->len > REDIS_TIME) {
		row->headlen = SD_MIN(reply->len - REDIS_TIME,
		    (size_t)SEAL_HEAD);
		memcpy(row->head, reply->str + REDIS_TIME, row->headlen);
	}
	freeReplyObject(reply);
	return 0;
}

int
redis_list(struct store_backend *be, struct store_list *list,
    struct err *err)
{
	char pattern[REDIS_KEY_MAX];
	redisReply *reply = NULL, *keys;
	struct store_listed *row;
	size_t i;
	int r;

	list->n = 0;
	snprintf(pattern, sizeof(pattern), REDIS_PREFIX "%s%s*", list->kind ?
	    list->kind : "", list->kind ? ":" : "");
	if ((r = scan(be, pattern, &list->place, &reply, err)) != 0)
		return r;
	keys = reply->element[1];
	for (i = 0; i < keys->elements && r == 0; i++) {
		row = store_list_room(list);
		if (!parse_key(keys->element[i], row))
			continue;
		list->n++;
		if (list->kind == NULL)
			r = get_head(be, keys->element[i]->str, row, err);
	}
	list->end = list->place == 0;
	freeReplyObject(reply);
	return r;
}

/* Some of what can be made again, where there is no room for what cannot. */
int
redis_remove_others(struct store_backend *be, struct err *err)
{
	redisReply *reply = NULL, *keys;
	size_t i, gone = 0;
	uint64_t cursor = 0;
	int r;

	do {
		if ((r = scan(be, REDIS_PREFIX STORE_GIVES_WAY "*", &cursor,
		    &reply, err)) != 0)
			return r;
		keys = reply->element[1];
		for (i = 0; i < keys->elements && r == 0; i++, gone++)
			if (keys->element[i]->type == REDIS_REPLY_STRING)
				r = redis_del_key(be, keys->element[i]->str,
				    err);
		freeReplyObject(reply);
	} while (r == 0 && cursor != 0 && gone < REMOVE_MAX);
	return r;
}

/* The value of a setting of Redis's, for free(); NULL: it is not told. */
static char *
setting(struct store_backend *be, const char *name)
{
	struct redis_args args = { .n = 0 };
	redisReply *reply = NULL;
	char *value = NULL;

	redis_add_text(&args, "CONFIG");
	redis_add_text(&args, "GET");
	redis_add_text(&args, name);
	if (redis_ask(be, &args, &reply, NULL, NULL) == 0 &&
	    reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 &&
	    reply->element[1]->type == REDIS_REPLY_STRING)
		value = xstrdup(reply->element[1]->str);
	freeReplyObject(reply);
	return value;
}

/* Many do not let us look, which is fine. */
static void
judge(struct store_backend *be)
{
	char *append = setting(be, "appendonly");
	char *memory = setting(be, "maxmemory");
	char *policy = setting(be, "maxmemory-policy");

	if (append != NULL && !str_eq(append, "yes"))
		log_warn("stagedoor.store: this Redis does not write down what "
		    "it is told (appendonly no): when it stops, users may have "
		    "to sign in again; set appendonly yes");
	if (memory != NULL && policy != NULL && !str_eq(memory, "0") &&
	    !str_eq(policy, "noeviction"))
		log_warn("stagedoor.store: this Redis drops values when its "
		    "memory is used up (maxmemory-policy %.40s): users may "
		    "have to sign in again; set noeviction", policy);
	free(append);
	free(memory);
	free(policy);
}

/* Redis does that itself. But it is a server that asks, and not a command: so
   it is told once what Redis's settings mean. */
int
redis_sweep(struct store_backend *be, int64_t before UNUSED,
    struct err *err UNUSED)
{
	bool first;

	pthread_mutex_lock(&be->lock);
	first = !be->judged;
	be->judged = true;
	pthread_mutex_unlock(&be->lock);
	if (first)
		judge(be);
	return 0;
}
