/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows: what is asked of one cluster, in which order, and what is kept of
 * its answers. How a row looks is in rowjson.c.
 */
#include "base.h"

#include "arena.h"
#include "clock.h"
#include "kept.h"
#include "objects.h"
#include "reads.h"
#include "request.h"
#include "row.h"
#include "row_live.h"
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
group_release(struct fetch_group *group)
{
	size_t i;

	for (i = 0; i < group->n; i++)
		reading_put(group->fetches[i].reading);
	free(group->fetches);
	group->fetches = NULL;
	group->n = 0;
}

static void
fetch_make(struct fetch *f, const struct row *row, const char *target,
    size_t limit)
{
	/* By whatever way secrets are asked for. */
	f->unkept = strstr(target, "/secrets") != NULL;
	f->up = row->access.up;
	f->cred = &row->access.cred;
	f->path = target;
	f->limit = limit;
	f->id = row->id;
	f->counts = row->cluster->counts;
}

static enum row_next
row_end(struct row *row)
{
	row->done = true;
	return ROW_DONE;
}

static enum row_next row_read(struct row *row, struct request *req);

/* There is access: ask for the lists that are not in memory. */
static enum row_next
row_ask(struct row *row, struct request *req)
{
	size_t i, n = row->lists->n, missing;
	struct fetch *f;

	row->answers = xcalloc(n, sizeof(*row->answers));
	missing = row_live_lists(row, req);
	if (row->ready != NULL)
		return row_end(row);
	group_make(&row->group, row, missing);
	f = row->group.fetches;
	for (i = 0; i < n; i++) {
		if (row->answers[i].text != NULL)
			continue;
		fetch_make(f, row, row->lists->items[i].target,
		    req->rt->settings->limit_response);
		row->answers[i].fetch = f++;
	}
	return missing > 0 ? ROW_LISTS : row_read(row, req);
}

static bool
row_obtain(struct row *row, struct request *req, struct json_object *auth,
    struct access *access)
{
	const struct client_tokens tokens = { .auth = auth };

	row->verdict = obtain_access(req, row->cluster, &tokens, access,
	    &row->err);
	return row->verdict == PROVIDER_FAILED && row->err.code == E_PENDING;
}

static enum row_next
row_first(struct row *row, struct request *req, struct json_object *auth)
{
	if (row_obtain(row, req, auth, &row->access))
		return ROW_WAIT;
	row->empty = row->verdict == PROVIDER_OK && row->lists->n == 0;
	if (row->verdict != PROVIDER_OK || row->empty)
		return row_end(row);
	return row_ask(row, req);
}

enum row_next
row_open(struct row *row, struct request *req, struct json_object *auth)
{
	row->wait_until = obtain_deadline(row->cluster);
	return row_first(row, req, auth);
}

bool
row_await(struct row *row, struct request *req, struct batch *b)
{
	const struct access *a = row->rejected ? &row->again : &row->access;

	row->wait.sources = req->rt->sources;
	memcpy(row->wait.key, a->pending, SOURCE_KEY);
	row->wait_group.owner = row;
	row->wait_group.late = clock_mono_ms() >= row->wait_until;
	return !row->wait_group.late && sources_await(&row->wait, b,
	    &row->wait_group, row->wait_until);
}

/* Look at one answer; what is of no use gives its memory back at once. */
static void
answer_check(const struct object_list *list, struct row_answer *a)
{
	struct fetch *f = a->fetch;
	bool good;

	if (a->text != NULL)	/* checked already */
		return;
	good = f->status >= 200 && f->status < 300;
	if (f->err.code == 0 && good) {
		a->ok = reading_splice(f->reading, list, &a->splice,
		    &f->err) == 0;
		a->invalid = !a->ok;
	}
	if (!a->ok || !a->splice.any) {
		reading_put(f->reading);
		f->reading = NULL;
	}
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

/* Those of each namespace, unless they were read a moment ago. */
static size_t
metrics_missing(struct row *row, struct request *req)
{
	size_t i, missing = 0;
	struct row_answer *a;

	row->metrics_answers = xcalloc(row->nmetrics, sizeof(*a));
	for (i = 0; i < row->nmetrics; i++) {
		a = &row->metrics_answers[i];
		a->target = metrics_target(&row->pods.namespaces[i],
		    row->selector, req->arena);
		missing += !row_live_metrics(row, req, a->target, a);
	}
	return missing;
}

/*
 * Backstage lists the pods again beside their metrics; the first list has
 * them already, of the same selector, moments ago.
 */
static bool
row_ask_metrics(struct row *row, const struct row_answer *pods,
    struct request *req)
{
	struct row_answer *a;
	size_t i, missing;
	struct fetch *f;

	pods_read(&row->pods, pods->splice.items, req->arena);
	row->nmetrics = row->pods.nnamespaces;
	row->metrics_asked = clock_mono_ms();
	if ((missing = metrics_missing(row, req)) == 0)
		return false;
	group_make(&row->metrics_group, row, missing);
	f = row->metrics_group.fetches;
	for (i = 0; i < row->nmetrics; i++) {
		a = &row->metrics_answers[i];
		if (a->text != NULL)
			continue;
		fetch_make(f, row, a->target,
		    req->rt->settings->limit_response);
		a->fetch = f++;
	}
	return true;
}

static bool
fetch_failed(const struct fetch *f)
{
	return f->err.code != 0 || f->status < 200 || f->status > 299;
}

static void
answers_release(struct row_answer **answers, size_t n)
{
	size_t i;

	for (i = 0; *answers != NULL && i < n; i++)
		live_text_put((*answers)[i].text);
	free(*answers);
	*answers = NULL;
}

/* Drop what the refused credential brought. */
static void
row_forget(struct row *row)
{
	group_release(&row->group);
	answers_release(&row->answers, row->lists->n);
	access_release(&row->access);
	row->access = row->again;	/* taken */
	row->again = (struct access)ACCESS_INIT;
}

static enum row_next
row_read(struct row *row, struct request *req)
{
	const struct row_answer *pods;
	struct row_answer *a;
	bool any = false;
	size_t i;

	for (i = 0; i < row->lists->n; i++) {
		a = &row->answers[i];
		answer_check(&row->lists->items[i], a);
		any = any || a->splice.any ||
		    (a->fetch != NULL && fetch_failed(a->fetch));
	}
	row->empty = !any;
	pods = row->cluster->skip_metrics ? NULL : row_pods(row);
	if (pods == NULL || !row_ask_metrics(row, pods, req))
		return row_end(row);
	return ROW_METRICS;
}

/* After a 401: another credential, or what the refused one brought. */
static enum row_next
row_again(struct row *row, struct request *req, struct json_object *auth)
{
	if (row_obtain(row, req, auth, &row->again))
		return ROW_WAIT;
	if (row->verdict == PROVIDER_OK) {
		row_forget(row);
		return row_ask(row, req);
	}
	row->verdict = PROVIDER_OK;	/* the answers say what is wrong */
	return row_read(row, req);
}

static bool
row_is_refused(const struct row *row)
{
	size_t i;

	for (i = 0; i < row->group.n; i++)
		if (row->group.fetches[i].status == 401)
			return true;
	return false;
}

enum row_next
row_arrived(struct row *row, struct request *req, struct json_object *auth)
{
	if (!row->wait_group.late)
		return row->rejected ? row_again(row, req, auth) :
		    row_first(row, req, auth);
	if (row->rejected) {
		row->verdict = PROVIDER_OK;
		return row_read(row, req);
	}
	obtain_late(row->cluster, &row->access, &row->err);
	return row_end(row);
}

enum row_next
row_lists_in(struct row *row, struct request *req, struct json_object *auth)
{
	if (row->rejected || !row_is_refused(row) ||
	    !obtain_again(req, &row->access, &row->again))
		return row_read(row, req);
	row->rejected = true;
	row->wait_until = obtain_deadline(row->cluster);
	return row_again(row, req, auth);
}

enum row_next
row_metrics_in(struct row *row, struct request *req)
{
	static const struct object_list list = { .type = "podmetrics" };
	struct row_answer *a;
	size_t i;

	for (i = 0; i < row->nmetrics; i++) {
		a = &row->metrics_answers[i];
		if (a->text != NULL)
			continue;
		answer_check(&list, a);
		row_live_came(row, req, a);
	}
	return row_end(row);
}

void
row_release(struct row *row)
{
	group_release(&row->group);
	group_release(&row->metrics_group);
	answers_release(&row->answers, row->lists->n);
	answers_release(&row->metrics_answers, row->nmetrics);
	kept_thing_put(row->ready);
	row->ready = NULL;
	pods_release(&row->pods);
	access_release(&row->access);
	access_release(&row->again);
}
