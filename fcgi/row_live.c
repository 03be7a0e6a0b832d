/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows from memory. A kept row has the texts that it was made of: it is good
 * while the lane and the metrics give the very same ones.
 */
#include "base.h"

#include "arena.h"
#include "clock.h"
#include "kept.h"
#include "live.h"
#include "objects.h"
#include "request.h"
#include "row.h"
#include "row_live.h"
#include "runtime.h"
#include "settings.h"

#define ROWS_MAX 20000
#define METRICS_MAX 20000
/* Of one in all: a larger one would drive out too many others. */
#define ROW_SHARE 16

struct rows_kept {
	struct kept *rows, *metrics;
	size_t row_max;
};

/* Metrics of one namespace: items, or an empty text and how it failed. */
struct metrics {
	struct kept_thing thing;
	struct live_text *text;
	int64_t expires;	/* mono ms */
	int status;
};

struct whole_row {
	struct kept_thing thing;
	size_t nlists, n;	/* parts: of lists, then of metrics */
	struct live_text **parts;
	char **targets;		/* of metrics */
	size_t len;
	char data[];
};

struct rows_kept *
rows_kept_new(size_t bytes)
{
	struct rows_kept *k = xcalloc(1, sizeof(*k));

	k->metrics = kept_new(bytes / 4, METRICS_MAX);
	k->rows = kept_new(bytes - bytes / 4, ROWS_MAX);
	k->row_max = bytes / ROW_SHARE;
	return k;
}

void
rows_kept_free(struct rows_kept *k)
{
	if (k == NULL)
		return;
	kept_free(k->rows);
	kept_free(k->metrics);
	free(k);
}

/* --- Metrics -------------------------------------------------------------- */

static void
metrics_free(struct kept_thing *t)
{
	struct metrics *m = (struct metrics *)t;

	live_text_put(m->text);
	free(m);
}

/* Of the cluster, not of the address: two may be there, with accounts that may
   see different things. */
static const char *
metrics_key(const struct row *row, struct request *req, const char *target)
{
	return arena_printf(req->arena, "%p %s%s", (const void *)row->cluster,
	    row->access.url, target);
}

/* What is there and not too old; the caller puts it. */
static struct metrics *
metrics_find(const struct row *row, struct request *req, const char *target)
{
	const char *key = metrics_key(row, req, target);
	struct kept_thing *t = kept_get(req->rt->rows->metrics, key,
	    strlen(key));

	if (t != NULL && ((struct metrics *)t)->expires > clock_mono_ms())
		return (struct metrics *)t;
	kept_thing_put(t);
	return NULL;
}

static void
answer_of_text(struct row_answer *a, struct live_text *text)
{
	a->text = live_text_ref(text);
	a->ok = true;
	a->splice.any = text->n > 0;
	if (a->splice.any)
		a->splice.items = (struct json_span){ text->data, text->len };
}

/* A read that failed stands there as one of this request's own. */
static void
answer_of_status(struct request *req, struct row_answer *a,
    const struct metrics *m, const char *target)
{
	a->text = live_text_ref(m->text);
	a->fetch = arena_alloc(req->arena, sizeof(*a->fetch));
	a->fetch->path = target;
	a->fetch->status = m->status;
}

bool
row_live_metrics(const struct row *row, struct request *req,
    const char *target, struct row_answer *a)
{
	struct metrics *m = row->live ? metrics_find(row, req, target) : NULL;

	if (m == NULL)
		return false;
	if (m->status == 200)
		answer_of_text(a, m->text);
	else
		answer_of_status(req, a, m, target);
	kept_thing_put(&m->thing);
	return true;
}

static struct live_text *
text_of(struct json_span items, bool any)
{
	size_t len = any ? items.len : 2;
	struct live_text *t = xmalloc(sizeof(*t) + len);

	t->refs = 1;
	t->n = any;
	t->len = len;
	memcpy(t->data, any ? items.ptr : "[]", len);
	return t;
}

void
row_live_came(const struct row *row, struct request *req,
    struct row_answer *a)
{
	int64_t fresh = clock_ms(req->rt->settings->live_metrics);
	const char *key = metrics_key(row, req, a->fetch->path);
	struct metrics *m;

	/* where there are no metrics, that is the answer for as long */
	if (!row->live || fresh == 0 || a->fetch->err.code != 0 ||
	    a->fetch->status == 401)
		return;
	m = xcalloc(1, sizeof(*m));
	m->thing = (struct kept_thing){ .refs = 1, .free = metrics_free };
	m->text = text_of(a->splice.items, a->ok && a->splice.any);
	m->status = a->ok ? 200 : a->fetch->status;
	m->expires = row->metrics_asked + fresh;
	m->thing.size = sizeof(*m) + sizeof(*m->text) + m->text->len;
	kept_set(req->rt->rows->metrics, key, strlen(key), &m->thing);
	if (a->ok)
		answer_of_text(a, m->text);
	else
		a->text = live_text_ref(m->text);
	kept_thing_put(&m->thing);
}

/* --- Lists ---------------------------------------------------------------- */

/* How many of them the lane does not have. */
static size_t
lists_read(struct row *row, struct request *req)
{
	const struct live_ask ask = {
		.cluster = row->cluster,
		.access = &row->access,
		.selector = row->selector,
	};
	struct live_text **texts = arena_alloc(req->arena,
	    row->lists->n * sizeof(*texts));
	size_t i, missing;

	missing = live_read_all(req->rt->live, &ask, row->lists, texts);
	for (i = 0; i < row->lists->n; i++) {
		if (texts[i] == NULL)
			continue;
		answer_of_text(&row->answers[i], texts[i]);
		live_text_put(texts[i]);
	}
	return missing;
}

/* --- Whole rows ----------------------------------------------------------- */

static void
whole_free(struct kept_thing *t)
{
	struct whole_row *w = (struct whole_row *)t;
	size_t i;

	for (i = 0; i < w->n; i++)
		live_text_put(w->parts[i]);
	for (i = w->nlists; i < w->n; i++)
		free(w->targets[i - w->nlists]);
	free(w->targets);
	free(w->parts);
	free(w);
}

/* All that a row depends on but the objects: the runtime is one. */
static void
whole_key(const struct row *row, struct strbuf *sb)
{
	const struct object_list *list;
	size_t i;

	strbuf_add(sb, (const char *)&row->cluster, sizeof(row->cluster));
	strbuf_addstr(sb, row->access.url);
	strbuf_addch(sb, '\n');
	strbuf_addstr(sb, row->selector->namespace);
	strbuf_addch(sb, '\0');
	strbuf_addstr(sb, row->selector->label);
	for (i = 0; i < row->lists->n; i++) {
		list = &row->lists->items[i];
		strbuf_addch(sb, '\0');
		strbuf_addstr(sb, list->type);
		strbuf_addstr(sb, list->everywhere);
	}
}

static bool
is_of_these(const struct whole_row *w, const struct row *row,
    struct request *req)
{
	struct metrics *m;
	bool same = w->nlists == row->lists->n;
	size_t i;

	for (i = 0; same && i < w->nlists; i++)
		same = w->parts[i] == row->answers[i].text;
	for (; same && i < w->n; i++) {
		m = metrics_find(row, req, w->targets[i - w->nlists]);
		same = m != NULL && m->text == w->parts[i];
		kept_thing_put(m != NULL ? &m->thing : NULL);
	}
	return same;
}

static void
whole_find(struct row *row, struct request *req)
{
	struct strbuf key = STRBUF_INIT(STRBUF_UNLIMITED);
	struct kept_thing *t;

	whole_key(row, &key);
	t = kept_get(req->rt->rows->rows, key.buf, key.len);
	strbuf_release(&key);
	if (t == NULL)
		return;
	if (is_of_these((struct whole_row *)t, row, req)) {
		row->ready = t;
		row->ready_data = ((struct whole_row *)t)->data;
		row->ready_len = ((struct whole_row *)t)->len;
	} else {
		kept_thing_put(t);
	}
}

size_t
row_live_lists(struct row *row, struct request *req)
{
	size_t missing = row->lists->n;

	row->live = live_may(req->rt->live, row->cluster, &row->access);
	if (row->live)
		missing = lists_read(row, req);
	if (missing == 0)
		whole_find(row, req);
	return missing;
}

bool
row_live_whole(const struct row *row)
{
	size_t i;

	if (!row->live || row->verdict != PROVIDER_OK)
		return false;
	for (i = 0; i < row->lists->n; i++)
		if (row->answers[i].text == NULL)
			return false;
	for (i = 0; i < row->nmetrics; i++)
		if (row->metrics_answers[i].text == NULL)
			return false;
	return true;
}

static struct whole_row *
whole_make(const struct row *row, const char *data, size_t len)
{
	struct whole_row *w = xmalloc(sizeof(*w) + len);
	size_t i;

	w->nlists = row->lists->n;
	w->n = w->nlists + row->nmetrics;
	w->thing = (struct kept_thing){ .refs = 1, .free = whole_free,
	    .size = sizeof(*w) + len + w->n * 4 * sizeof(void *) };
	w->parts = xcalloc(w->n, sizeof(*w->parts));
	w->targets = xcalloc(row->nmetrics + 1, sizeof(*w->targets));
	for (i = 0; i < w->nlists; i++)
		w->parts[i] = live_text_ref(row->answers[i].text);
	for (; i < w->n; i++) {
		size_t at = i - w->nlists;

		w->parts[i] = live_text_ref(row->metrics_answers[at].text);
		w->targets[at] = xstrdup(row->metrics_answers[at].target);
		w->thing.size += strlen(w->targets[at]) + 1;
	}
	/* the last to have them, if they changed */
	for (i = 0; i < w->n; i++)
		w->thing.size += w->parts[i]->len;
	w->len = len;
	memcpy(w->data, data, len);
	return w;
}

void
row_live_keep(const struct row *row, struct request *req, const char *data,
    size_t len)
{
	struct strbuf key = STRBUF_INIT(STRBUF_UNLIMITED);
	struct whole_row *w;

	if (len > req->rt->rows->row_max)
		return;
	w = whole_make(row, data, len);
	whole_key(row, &key);
	kept_set(req->rt->rows->rows, key.buf, key.len, &w->thing);
	strbuf_release(&key);
	kept_thing_put(&w->thing);
}
