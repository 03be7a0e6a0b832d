/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of reads share: an upstream with time, askers, lists. */
#ifndef STAGEDOOR_READS_RIG_H
#define STAGEDOOR_READS_RIG_H

#include "objects.h"
#include "reads.h"
#include "rig.h"
#include "splice.h"

#define ASK_MAX 4

struct ask {
	struct batch *batch;
	struct fetch_group group;
	struct fetch fetches[ASK_MAX];
};

/* The rig's own gives up so soon that little may be joined. */
static struct upstream *
patient_upstream(struct rig *r, double timeout)
{
	const struct upstream_options opt = { .url = r->server.url,
	    .connect_timeout = 5, .timeout = timeout };
	struct upstream *up = NULL;

	if (upstream_get(r->transport, &opt, &up, NULL) != 0)
		BUG("upstream_get failed");
	return up;
}

static void
ask_add(struct ask *a, struct upstream *up, const struct credential *cred,
    const char *path)
{
	struct fetch *f = &a->fetches[a->group.n++];

	f->up = up;
	f->cred = cred;
	f->path = path;
	f->limit = 65536;
}

static void
ask_submit(struct ask *a, struct rig *r, struct reads *rs, double fresh)
{
	a->batch = batch_new(r->transport, -1);
	a->group.fetches = a->fetches;
	reads_submit(rs, a->batch, &a->group, fresh);
}

static void
ask_release(struct ask *a)
{
	size_t i;

	batch_free(a->batch);
	for (i = 0; i < a->group.n; i++)
		reading_put(a->fetches[i].reading);
	memset(a, 0, sizeof(*a));
}

/* The items of the i-th answer, which was good; the caller frees. */
static char *
ask_items(struct ask *a, size_t i)
{
	static const struct object_list list = { .type = "x" };
	struct splice s;

	if (a->fetches[i].err.code != 0 || a->fetches[i].status != 200 ||
	    reading_splice(a->fetches[i].reading, &list, &s, NULL) != 0)
		return NULL;
	return strndup(s.items.ptr, s.items.len);
}

#endif
