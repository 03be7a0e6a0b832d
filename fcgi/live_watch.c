/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Watching a kind from the version that it was listed at. Before a watch is
 * at the end of its time a successor is opened from where it is. When that is
 * answered, it takes over: what it brings first are the events that the old
 * one brought meanwhile, in the same order, which are passed over.
 */
#include "base.h"

#include "clock.h"
#include "live_private.h"
#include "log.h"

/* Of the watch's time; what is left is for the successor to open. */
#define SUCCEED_PART(ms) ((ms) / 10 * 9)

/* ---- events ---- */

static void
ahead_forget(struct live_kind *k)
{
	free(k->ahead);
	k->ahead = NULL;
	k->nahead = k->ahead_done = 0;
}

static void
drop_watch(struct live_watch **at)
{
	struct live_watch *w = *at;

	if (w == NULL)
		return;
	*at = NULL;
	if (w->kind->live->follower != NULL)
		follow_stop(w->follow);
	watch_text_release(&w->text);
	free(w);
}

/* The old watch is ahead of its successor by one more. */
static void
ahead_note(struct live_kind *k, const char *version)
{
	if (k->successor == NULL)
		return;
	if (k->nahead == LIVE_AHEAD_MAX) {	/* too slow: without it */
		drop_watch(&k->successor);
		ahead_forget(k);
		return;
	}
	k->ahead = xrealloc(k->ahead, (k->nahead + 1) * sizeof(*k->ahead));
	memcpy(k->ahead[k->nahead++], version, WATCH_VERSION_MAX);
}

/* Has the watch before this one brought it? E_PROTOCOL: another was due. */
static int
ahead_check(struct live_kind *k, const struct watch_event *ev, bool *known)
{
	*known = false;
	if (k->successor != NULL || k->ahead_done == k->nahead)
		return 0;
	if (strcmp(k->ahead[k->ahead_done], ev->version) != 0)
		return E_PROTOCOL;
	*known = true;
	if (++k->ahead_done == k->nahead)
		ahead_forget(k);
	return 0;
}

static int
take_error(struct live_watch *w, const struct watch_event *ev)
{
	if (ev->code == 410)
		w->why = LIVE_WHY_GONE;
	return err_set(&w->err, E_PROTOCOL, "the watch was ended with %d",
	    ev->code);
}

static int
take_object(struct live_watch *w, const struct watch_event *ev)
{
	struct live_kind *k = w->kind;
	struct live_index *idx = k->shelf->index;
	int r;

	live_add(k->live, &k->live->counts.events);
	if (ev->type == WATCH_DELETED)
		r = live_index_delete(idx, ev->object.ptr, ev->object.len,
		    &w->err);
	else
		r = live_index_put(idx, ev->object.ptr, ev->object.len,
		    &w->err);
	if (r == E_TOOLARGE)
		w->why = LIVE_WHY_BUDGET;
	else if (r == E_PENDING)
		err_set(&w->err, r, "the first of its kind");
	return r;
}

static int
take_event(void *ctx, const char *text, size_t len)
{
	struct live_watch *w = ctx;
	struct live_kind *k = w->kind;
	struct watch_event ev;
	bool known;
	int r;

	if ((r = watch_event_read(text, len, &ev, &w->err)) != 0)
		return r;
	if (ev.type == WATCH_ERROR)
		return take_error(w, &ev);
	if (ev.type == WATCH_BOOKMARK) {
		live_add(k->live, &k->live->counts.bookmarks);
		if (k->ahead_done == k->nahead && k->successor == NULL)
			memcpy(k->version, ev.version, sizeof(ev.version));
		return 0;
	}
	if (ahead_check(k, &ev, &known) != 0)
		return err_set(&w->err, E_PROTOCOL,
		    "a watch did not go on where the last one was");
	if (known)
		return 0;
	if ((r = take_object(w, &ev)) != 0)
		return r;
	memcpy(k->version, ev.version, sizeof(ev.version));
	ahead_note(k, ev.version);
	return 0;
}

/* ---- a watch ---- */

/* Its list's objects are shown from here on. */
static void
first_opened(struct live_kind *k)
{
	live_load_commit(k->load);
	k->load = NULL;
	k->state = LIVE_FOLLOWS;
	live_kind_fit(k, true);
	follower_wake(k->live->follower);	/* for succeed_at */
	log_info("live lane: cluster '%s': %s is watched, %zu objects",
	    k->place->name, k->path, live_index_count(k->shelf->index));
}

static void
successor_opened(struct live_kind *k)
{
	drop_watch(&k->watch);
	k->watch = k->successor;
	k->successor = NULL;
}

static int
on_head(void *ctx, int status, int64_t retry_after)
{
	struct live_watch *w = ctx;
	struct live_kind *k = w->kind;

	w->status = status;
	w->retry_after = retry_after;
	if (status != 200)
		return 0;
	w->opened = clock_mono_ms();
	if (w == k->successor)
		successor_opened(k);
	else
		first_opened(k);
	return 0;
}

static int
on_body(void *ctx, const char *data, size_t len)
{
	struct live_watch *w = ctx;

	if (w->status != 200)
		return 0;
	return watch_text_add(&w->text, data, len, take_event, w);
}

/* The watch that is in use is over. */
static void
watch_over(struct live_kind *k, const struct live_watch *w,
    const struct err *err)
{
	if (w->why == LIVE_WHY_BUDGET)
		live_kind_over(k);
	else if (w->why == LIVE_WHY_GONE)
		live_kind_status(k, 410, 0);
	else if (w->err.code != 0)
		live_kind_lost(k, 0, w->err.text);
	else if (err->code == E_TOOLARGE)
		live_kind_lost(k, 0, "an event is too long");
	else if (err->code != 0)
		live_kind_lost(k, 0, err->text);
	else if (w->status != 200)
		live_kind_status(k, w->status, w->retry_after);
	else
		live_kind_lost(k, 0, "the watch has ended");
}

static void
on_end(void *ctx, const struct err *err)
{
	struct live_watch *w = ctx, keep;
	struct live_kind *k = w->kind;

	w->follow = NULL;
	if (w == k->successor) {	/* the old one goes on to its end */
		drop_watch(&k->successor);
		ahead_forget(k);
		return;
	}
	keep = *w;
	watch_over(k, &keep, err);	/* frees w */
}

static unsigned
watch_seconds(const struct live_kind *k)
{
	unsigned s = k->live->times.watch_s, n;

	secret_random(&n, sizeof(n));
	return s + n % (s + 1);
}

void
live_watch_open(struct live_kind *k, bool successor)
{
	static const struct follow_ops ops = {
		.head = on_head, .body = on_body, .end = on_end };
	struct live_watch *w = xcalloc(1, sizeof(*w));
	struct strbuf path = STRBUF_INIT(STRBUF_UNLIMITED);
	struct follow_spec spec = { .ops = &ops, .ctx = w };
	unsigned seconds = watch_seconds(k);

	w->kind = k;
	watch_text_init(&w->text, LIVE_EVENT_MAX);
	strbuf_addf(&path, "%s?watch=true&allowWatchBookmarks=true"
	    "&resourceVersion=%s&timeoutSeconds=%u", k->path, k->version,
	    seconds);
	spec.path = path.buf;
	*(successor ? &k->successor : &k->watch) = w;
	ahead_forget(k);
	k->succeed_at = clock_mono_ms() + SUCCEED_PART(seconds * 1000);
	w->over_at = clock_mono_ms() + (int64_t)seconds * 1000 +
	    k->live->times.grace;
	w->follow = live_kind_get(k, &spec);
	strbuf_release(&path);
}

void
live_watch_stop(struct live_kind *k)
{
	drop_watch(&k->watch);
	drop_watch(&k->successor);
	ahead_forget(k);
	k->succeed_at = INT64_MAX;
}
