/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which clusters, which lists of each, and the wait for them. Nothing here
 * knows where the bytes of a list come from: rows are handed over to be
 * fetched in query_go_on, and come back from query_wait when they are in.
 */
#include "base.h"

#include "arena.h"
#include "entity.h"
#include "log.h"
#include "objects.h"
#include "query.h"
#include "reads.h"
#include "request.h"
#include "response.h"
#include "row.h"
#include "runtime.h"
#include "settings.h"

struct query {
	struct request *req;
	const struct query_spec *spec;
	struct selector selector;
	struct batch *batch;
	struct row *rows;
	size_t n;
	size_t written;		/* rows before it are out or left out */
	bool any;		/* a row is out */
};

/* Does the entity depend on the resource that stands for the cluster? */
static bool
is_related(const struct entity *e, const char *cluster, struct arena *arena)
{
	const char *ref = arena_printf(arena, "resource:%s/%s", e->namespace,
	    cluster);
	size_t i;

	for (i = 0; i < e->depends_on.n; i++)
		if (strcmp(e->depends_on.items[i], ref) == 0)
			return true;
	return false;
}

static bool
is_chosen(const struct query *q, const struct cluster *c)
{
	const struct entity *e = q->spec->entity;

	if (!identity_may_use(&q->req->who, c))
		return false;
	switch (q->req->rt->settings->service_locator) {
	case SERVICE_MULTI_TENANT:
		return true;
	case SERVICE_SINGLE_TENANT:
		return e->cluster == NULL || strcmp(e->cluster, c->name) == 0;
	case SERVICE_CATALOG_RELATION:
		return is_related(e, c->name, q->req->arena);
	}
	return false;
}

/*
 * The lists of a cluster. Most clusters share one set; one with custom
 * resources of its own gets its own.
 */
static const struct object_lists *
lists_of(const struct query *q, const struct cluster *c,
    const struct object_lists **shared)
{
	const struct settings *s = q->req->rt->settings;
	struct arena *arena = q->req->arena;
	bool own = c->custom_set && q->spec->custom == NULL;
	struct object_lists *lists;

	if (!own && *shared != NULL)
		return *shared;
	lists = arena_alloc(arena, sizeof(*lists));
	if (q->spec->custom != NULL) {
		objects_add_custom(lists, q->spec->custom, q->spec->ncustom,
		    &q->selector, arena);
	} else {
		objects_add_types(lists, s, &q->selector, arena);
		objects_add_custom(lists, own ? c->custom : s->custom,
		    own ? c->ncustom : s->ncustom, &q->selector, arena);
	}
	if (!own)
		*shared = lists;
	return lists;
}

static void
query_choose(struct query *q)
{
	const struct clusters *all = &q->req->rt->clusters;
	const struct object_lists *shared = NULL;
	struct row *row;
	size_t i;

	q->rows = xcalloc(all->n, sizeof(*q->rows));
	for (i = 0; i < all->n; i++) {
		if (!is_chosen(q, all->items[i]))
			continue;
		row = &q->rows[q->n++];
		row->cluster = all->items[i];
		row->id = q->req->id;
		row->selector = &q->selector;
		row->lists = lists_of(q, row->cluster, &shared);
	}
	log_debug("%s entity.metadata.name=%s clusters=%zu of %zu",
	    q->req->id, q->spec->entity->name, q->n, all->n);
}

static void
query_read(struct query *q, struct fetch_group *group)
{
	reads_submit(q->req->rt->reads, q->batch, group,
	    q->req->rt->settings->fresh);
}

/* Start what the row needs next; what is there already needs no waiting. */
static void
query_go_on(struct query *q, struct row *row, enum row_next next)
{
	while (next == ROW_WAIT && !row_await(row, q->req, q->batch))
		next = row_arrived(row, q->req, q->spec->auth);
	if (next == ROW_LISTS)
		query_read(q, &row->group);
	else if (next == ROW_METRICS)
		query_read(q, &row->metrics_group);
}

/* Something of a row came. */
static void
query_take(struct query *q, const struct fetch_group *group)
{
	struct row *row = group->owner;
	enum row_next next;

	if (group == &row->wait_group)
		next = row_arrived(row, q->req, q->spec->auth);
	else if (group == &row->group)
		next = row_lists_in(row, q->req, q->spec->auth);
	else
		next = row_metrics_in(row, q->req);
	query_go_on(q, row, next);
}

/* The next of what came for a row; NULL at the end or E_GONE. */
static struct fetch_group *
query_wait(struct query *q, struct err *err)
{
	return batch_wait(q->batch, err);
}

/* Write what is ready. A row's memory goes with it: only gaps are kept. */
static int
query_write(struct query *q)
{
	struct row *row;
	int r = 0;

	for (; q->written < q->n && q->rows[q->written].done && r == 0;
	    q->written++) {
		row = &q->rows[q->written];
		if (!row->empty) {
			r = response_write(q->req, ",", q->any);
			q->any = true;
			if (r == 0)
				r = row_write(row, q->req);
		}
		row_audit(row, q->req);
		row_release(row);
	}
	return r;
}

static int
query_run(struct query *q)
{
	struct fetch_group *group;
	struct err err = ERR_INIT;
	size_t i;
	int r;

	for (i = 0; i < q->n; i++)
		query_go_on(q, &q->rows[i], row_open(&q->rows[i], q->req,
		    q->spec->auth));
	response_json_stream(q->req, 200);
	r = response_write(q->req, "{\"items\":[", 10);
	while (r == 0 && (r = query_write(q)) == 0 &&
	    (group = query_wait(q, &err)) != NULL)
		query_take(q, group);
	if (r == 0)
		r = err.code;
	return r != 0 ? r : response_write(q->req, "]}", 2);
}

int
query_answer(struct request *req, const struct query_spec *spec)
{
	struct query q = { .req = req, .spec = spec };
	struct err err = ERR_INIT;
	size_t i;
	int r;

	if (selector_make(entity_selector(spec->entity, req->arena),
	    spec->entity->in_namespace, req->arena, &q.selector, &err) != 0)
		return response_error(req, &err);
	query_choose(&q);
	q.batch = batch_new(req->rt->transport, req->fd);
	r = query_run(&q);
	batch_free(q.batch);
	for (i = q.written; i < q.n; i++) {
		row_audit(&q.rows[i], req);
		row_release(&q.rows[i]);
	}
	free(q.rows);
	return r;
}
