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

struct object_lists;
struct request;
struct selector;

struct row_answer {
	struct splice splice;
	bool ok;		/* splice is filled */
	bool invalid;		/* it came, but err says why it is of no use */
};

struct row {
	const struct cluster *cluster;
	const struct object_lists *lists;
	const struct selector *selector;

	struct access access;
	enum provider_verdict verdict;
	struct err err;		/* why there is no access */
	struct fetch_group group, metrics_group;	/* owner: the row */
	struct row_answer *answers, *metrics_answers;
	struct pods pods;
	bool done;		/* nothing is under way or to be asked */
	bool empty;		/* done, and there is nothing to show */
};

/* cluster, lists and selector are filled; the rest is zero. */
/* Get access. True: group is ready to be submitted. Else the row is done. */
bool row_open(struct row *row, struct request *req, struct json_object *auth);
/* The lists are in. True: metrics_group is ready. Else the row is done. */
bool row_lists_in(struct row *row, struct arena *arena);
/* The metrics are in: the row is done. */
void row_metrics_in(struct row *row);
/* Write a done row that is not empty. 0 or E_GONE. */
int row_write(struct row *row, struct request *req);
/* Drop everything it holds; not while a group of it is under way. */
void row_release(struct row *row);

#endif
