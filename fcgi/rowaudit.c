/* SPDX-License-Identifier: Apache-2.0 */
/* What the audit log is told of a row: how the cluster answered. */
#include "base.h"

#include "audit_request.h"
#include "objects.h"
#include "row.h"

/* No credential, so nothing was asked. */
static void
tell_refusal(const struct row *row, struct audit_use *use)
{
	use->status = -1;
	if (row->verdict == PROVIDER_NEEDS_USER) {
		use->status = 401;
		use->result = "sign-in needed";
	} else if (row->verdict == PROVIDER_REFUSED) {
		use->status = 403;
		use->result = "denied";
	} else {
		use->result = "no credential";
	}
}

static bool
is_good(const struct fetch *f)
{
	return f->err.code == 0 && f->status >= 200 && f->status < 300;
}

static size_t
from_memory(const struct row *row)
{
	size_t i, n = 0;

	for (i = 0; row->answers != NULL && i < row->lists->n; i++)
		n += row->answers[i].text != NULL;
	return n;
}

static void
tell_answers(const struct row *row, struct audit_use *use)
{
	const struct fetch *bad = NULL, *f;
	size_t i, ngood = from_memory(row);

	for (i = 0; i < row->group.n; i++) {
		f = &row->group.fetches[i];
		if (is_good(f))
			ngood++;
		else if (bad == NULL)
			bad = f;
	}
	use->status = bad == NULL ? 200 : bad->err.code == 0 ? bad->status :
	    -1;
	if (bad == NULL)
		use->result = "ok";
	else if (ngood > 0)
		use->result = "in part";
	else if (bad->err.code != 0)
		use->result = "no answer";
	else
		use->result = bad->status == 401 || bad->status == 403 ?
		    "denied" : "failed";
}

void
row_audit(const struct row *row, struct request *req)
{
	struct audit_use *use = audit_use(req, row->cluster);

	if (!row->done) {	/* nobody waits for it any more */
		use->status = -1;
		use->result = "client left";
	} else if (row->verdict != PROVIDER_OK) {
		tell_refusal(row, use);
	} else {
		tell_answers(row, use);
	}
	if (row->verdict == PROVIDER_OK)
		audit_use_access(req, use, &row->access);
}
