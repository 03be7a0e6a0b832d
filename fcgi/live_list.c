/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Listing a kind, in pages: all that there is at one resource version, from
 * which it is watched then. Where the pages outlive what the cluster
 * remembers (410), it is listed as a whole.
 */
#include "base.h"

#include "arena.h"
#include "live_private.h"

/* ---- room ---- */

static bool
take_room(struct live_kind *k)
{
	struct live *l = k->live;
	bool room;

	pthread_mutex_lock(&l->lock);
	room = l->lists < LIVE_LISTS_ALL &&
	    k->place->lists < LIVE_LISTS_CLUSTER;
	if (room) {
		l->lists++;
		k->place->lists++;
	}
	pthread_mutex_unlock(&l->lock);
	k->slot = room;
	return room;
}

/* Others may be waiting for it. */
static void
give_room(struct live_kind *k)
{
	struct live *l = k->live;

	if (!k->slot)
		return;
	k->slot = false;
	pthread_mutex_lock(&l->lock);
	l->lists--;
	k->place->lists--;
	pthread_mutex_unlock(&l->lock);
	if (l->follower != NULL)
		follower_wake(l->follower);
}

/* ---- a page ---- */

static int
on_head(void *ctx, int status, int64_t retry_after)
{
	struct live_kind *k = ctx;

	k->list_status = status;
	k->list_retry_after = retry_after;
	return 0;
}

static int
on_body(void *ctx, const char *data, size_t len)
{
	struct live_kind *k = ctx;

	return k->list_status == 200 ? strbuf_add(&k->page, data, len) : 0;
}

/* The version of the first page, the token of the next. */
static int
read_metadata(struct live_kind *k)
{
	const struct json_span list = { k->page.buf, k->page.len };
	struct json_span metadata = jsonscan_get(list, "metadata"), rest;
	struct arena *arena;
	const char *token;

	if (metadata.ptr == NULL || *metadata.ptr != '{' ||
	    (k->rest == NULL && !watch_version(metadata, k->version)))
		return E_PROTOCOL;
	free(k->rest);
	k->rest = NULL;
	rest = jsonscan_get(metadata, "continue");
	if (rest.ptr == NULL || rest.len <= 2)
		return 0;
	arena = arena_new();
	token = jsonscan_string(rest, arena);
	if (token != NULL)
		k->rest = xstrdup(token);
	arena_free(arena);
	return token != NULL ? 0 : E_PROTOCOL;
}

static void ask_page(struct live_kind *k);

static void
list_again(struct live_kind *k)
{
	live_add(k->live, &k->live->counts.gone);
	live_load_drop(k->load);
	k->load = live_load_begin(live_kind_shelf(k)->index);
	free(k->rest);
	k->rest = NULL;
	k->whole = true;
	ask_page(k);
}

/* All of it is there; what was loaded is shown when the watch is open. */
static void
list_done(struct live_kind *k)
{
	k->whole = false;
	k->state = LIVE_OPENS;
	strbuf_wipe(&k->page);
	strbuf_init(&k->page, LIVE_PAGE_MAX);
	live_watch_open(k, false);
	give_room(k);
}

static void
take_page(struct live_kind *k)
{
	struct err err = ERR_INIT;
	int r = live_load_add(k->load, k->page.buf, k->page.len, &err);

	if (r == 0 && read_metadata(k) != 0)
		r = err_set(&err, E_PROTOCOL, "the list has no version");
	if (r == E_TOOLARGE)
		live_kind_over(k);
	else if (r != 0)
		live_kind_lost(k, 0, err.text);
	else if (k->rest != NULL)
		ask_page(k);
	else
		list_done(k);
}

static void
on_end(void *ctx, const struct err *err)
{
	struct live_kind *k = ctx;

	k->list = NULL;
	if (err->code == E_TOOLARGE)
		live_kind_over(k);
	else if (err->code != 0)
		live_kind_lost(k, 0, err->text);
	else if (k->list_status == 410 && k->rest != NULL && !k->whole)
		list_again(k);
	else if (k->list_status != 200)
		live_kind_status(k, k->list_status, k->list_retry_after);
	else
		take_page(k);
}

static const struct follow_ops list_ops = {
	.head = on_head, .body = on_body, .end = on_end };

static void
ask_page(struct live_kind *k)
{
	struct strbuf path = STRBUF_INIT(STRBUF_UNLIMITED);
	struct follow_spec spec = {
		.limit = LIVE_PAGE_MAX,
		.ops = &list_ops,
		.ctx = k,
	};

	strbuf_addstr(&path, k->path);
	if (!k->whole)
		strbuf_addf(&path, "?limit=%d", LIVE_PAGE_ITEMS);
	if (k->rest != NULL) {
		strbuf_addstr(&path, k->whole ? "?continue=" : "&continue=");
		strbuf_add_percent(&path, k->rest, "");
	}
	strbuf_reset(&k->page);
	k->list_status = 0;
	spec.path = path.buf;
	k->list = live_kind_get(k, &spec);
	strbuf_release(&path);
}

/* ---- begin and end ---- */

bool
live_list_start(struct live_kind *k)
{
	if (!take_room(k))
		return false;
	live_add(k->live, &k->live->counts.lists);
	k->load = live_load_begin(live_kind_shelf(k)->index);
	ask_page(k);
	return true;
}

void
live_list_stop(struct live_kind *k)
{
	if (k->live->follower != NULL)
		follow_stop(k->list);
	k->list = NULL;
	live_load_drop(k->load);
	k->load = NULL;
	free(k->rest);
	k->rest = NULL;
	k->whole = false;
	strbuf_wipe(&k->page);
	strbuf_init(&k->page, LIVE_PAGE_MAX);
	give_room(k);
}
