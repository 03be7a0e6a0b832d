/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One cluster's row of an answer: from a credential to lists, from lists to
 * the metrics of their pods, and out. Whatever goes wrong on the way becomes
 * an entry in the row's errors; nothing here fails the request.
 */
#ifndef STAGEDOOR_ROW_H
#define STAGEDOOR_ROW_H

#include "obtain.h"
#include "podmetrics.h"
#include "splice.h"
#include "transport.h"

struct kept_thing;
struct live_text;
struct object_lists;
struct request;
struct selector;

struct row_answer {
	struct splice splice;	/* into text, or what the fetch has */
	struct live_text *text;	/* of the live lane; NULL: it was fetched */
	struct fetch *fetch;	/* NULL: there was no need */
	const char *target;	/* of metrics */
	bool ok;		/* splice is filled */
	bool invalid;		/* it came, but err says why it is of no use */
};

struct row {
	const struct cluster *cluster;
	const char *id;		/* of the request */
	const struct object_lists *lists;
	const struct selector *selector;

	struct access access;
	enum provider_verdict verdict;
	struct err err;		/* why there is no access */
	struct fetch_group group, metrics_group;	/* owner: the row */
	struct row_answer *answers, *metrics_answers;
	size_t nmetrics;
	struct pods pods;
	int64_t metrics_asked;		/* mono ms */
	bool live;			/* it may come from memory */
	struct kept_thing *ready;	/* all of it does: these bytes */
	const char *ready_data;
	size_t ready_len;
	struct source_wait wait;	/* for a credential */
	struct fetch_group wait_group;	/* owner: the row */
	int64_t wait_until;
	struct access again;		/* after a 401 */
	bool rejected;			/* a 401 came already */
	bool done;		/* nothing is under way or to be asked */
	bool empty;		/* done, and there is nothing to show */
};

/* What a row needs next. */
enum row_next {
	ROW_DONE,
	ROW_WAIT,	/* for its credential: row_await, then row_arrived */
	ROW_LISTS,	/* its group is to be fetched, then row_lists_in */
	ROW_METRICS,	/* its metrics_group is, then row_metrics_in */
};

/* cluster, id, lists and selector are filled; the rest is zero. */
enum row_next row_open(struct row *row, struct request *req,
    struct json_object *auth);
/* True: wait_group arrives in the batch. False: call row_arrived now. */
bool row_await(struct row *row, struct request *req, struct batch *b);
enum row_next row_arrived(struct row *row, struct request *req,
    struct json_object *auth);
enum row_next row_lists_in(struct row *row, struct request *req,
    struct json_object *auth);
enum row_next row_metrics_in(struct row *row, struct request *req);
/* Write a done row that is not empty. 0 or E_GONE. */
int row_write(struct row *row, struct request *req);
/* Tell the audit log how it went or how far it came; before row_release. */
void row_audit(const struct row *row, struct request *req);
/* Drop everything it holds; not while a group of it is under way. */
void row_release(struct row *row);

#endif
