/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows: what is asked of one cluster, in which order, and what is kept of
 * its answers. How a row looks is in rowjson.c.
 */
#include "base.h"

#include "arena.h"
#include "objects.h"
#include "request.h"
#include "row.h"
#include "runtime.h"
#include "settings.h"

static void
group_make(struct fetch_group *group, struct row *row, size_t n)
{
	group->fetches = xcalloc(n, sizeof(*group->fetches));
	group->n = n;
	group->owner = row;
}

static void
fetch_make(struct fetch *f, const struct row *row, const char *target,
    size_t limit)
{
	f->up = row->access.up;
	f->cred = &row->access.cred;
	f->path = target;
	f->limit = limit;
}

bool
row_open(struct row *row, struct request *req, struct json_object *auth)
{
	const struct client_tokens tokens = { .auth = auth };
	size_t i, n = row->lists->n;
	size_t limit = req->rt->settings->limit_response;

	row->verdict = obtain_access(req, row->cluster, &tokens, &row->access,
	    &row->err);
	if (row->verdict != PROVIDER_OK || n == 0) {
		row->done = true;
		row->empty = row->verdict == PROVIDER_OK;
		return false;
	}
	group_make(&row->group, row, n);
	row->answers = xcalloc(n, sizeof(*row->answers));
	for (i = 0; i < n; i++)
		fetch_make(&row->group.fetches[i], row,
		    row->lists->items[i].target, limit);
	return true;
}

/* Look at one answer; what is of no use gives its memory back at once. */
static void
answer_check(struct fetch *f, const struct object_list *list,
    struct row_answer *a)
{
	bool good = f->status >= 200 && f->status < 300;

	if (f->err.code == 0 && good) {
		a->ok = splice_read(list, f->body.buf, f->body.len,
		    &a->splice, &f->err) == 0;
		a->invalid = !a->ok;
	}
	if (!a->ok || !a->splice.any)
		strbuf_release(&f->body);
}

/* The first list of pods: a second one would show the same pods again. */
static const struct row_answer *
row_pods(const struct row *row)
{
	size_t i;

	for (i = 0; i < row->lists->n; i++)
		if (row->answers[i].ok && row->answers[i].splice.any &&
		    splice_has_pods(&row->lists->items[i],
		    &row->answers[i].splice))
			return &row->answers[i];
	return NULL;
}

static const char *
metrics_target(const struct pod_namespace *ns,
    const struct selector *selector, struct arena *arena)
{
	struct strbuf sb = STRBUF_INIT(STRBUF_UNLIMITED);
	const char *target;

	strbuf_addstr(&sb, "/apis/metrics.k8s.io/v1beta1/namespaces/");
	uri_component_add(&sb, ns->name);
	strbuf_addstr(&sb, "/pods");
	strbuf_addstr(&sb, selector->query);
	target = arena_strndup(arena, sb.buf, sb.len);
	strbuf_release(&sb);
	return target;
}

/*
 * Backstage lists the pods again beside their metrics; the first list has
 * them already, of the same selector, moments ago.
 */
static bool
row_ask_metrics(struct row *row, const struct row_answer *pods,
    struct arena *arena)
{
	size_t i, n;

	pods_read(&row->pods, pods->splice.items, arena);
	n = row->pods.nnamespaces;
	if (n == 0)
		return false;
	group_make(&row->metrics_group, row, n);
	row->metrics_answers = xcalloc(n, sizeof(*row->metrics_answers));
	for (i = 0; i < n; i++)
		fetch_make(&row->metrics_group.fetches[i], row,
		    metrics_target(&row->pods.namespaces[i], row->selector,
		    arena), row->group.fetches[0].limit);
	return true;
}

static bool
fetch_failed(const struct fetch *f)
{
	return f->err.code != 0 || f->status < 200 || f->status > 299;
}

bool
row_lists_in(struct row *row, struct arena *arena)
{
	const struct row_answer *pods;
	bool any = false;
	size_t i;

	for (i = 0; i < row->lists->n; i++) {
		struct fetch *f = &row->group.fetches[i];

		answer_check(f, &row->lists->items[i], &row->answers[i]);
		any = any || row->answers[i].splice.any || fetch_failed(f);
	}
	row->empty = !any;
	pods = row->cluster->skip_metrics ? NULL : row_pods(row);
	row->done = pods == NULL || !row_ask_metrics(row, pods, arena);
	return !row->done;
}

void
row_metrics_in(struct row *row)
{
	static const struct object_list list = { .type = "podmetrics" };
	size_t i;

	for (i = 0; i < row->metrics_group.n; i++)
		answer_check(&row->metrics_group.fetches[i], &list,
		    &row->metrics_answers[i]);
	row->done = true;
}

static void
group_release(struct fetch_group *group)
{
	size_t i;

	for (i = 0; i < group->n; i++)
		strbuf_release(&group->fetches[i].body);
	free(group->fetches);
	group->fetches = NULL;
	group->n = 0;
}

void
row_release(struct row *row)
{
	group_release(&row->group);
	group_release(&row->metrics_group);
	free(row->answers);
	free(row->metrics_answers);
	row->answers = row->metrics_answers = NULL;
	pods_release(&row->pods);
	access_release(&row->access);
}
