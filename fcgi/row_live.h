/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The part of a row that comes from memory: lists of the live lane, pod
 * metrics that were read a moment ago, and the whole row, as long as all that
 * it was made of is the same. For row.c and rowjson.c.
 */
#ifndef STAGEDOOR_ROW_LIVE_H
#define STAGEDOOR_ROW_LIVE_H

#include "live_index.h"

struct fetch;
struct request;
struct row;
struct row_answer;

/* A runtime's memory of rows and metrics. */
struct rows_kept;
struct rows_kept *rows_kept_new(size_t bytes);
void rows_kept_free(struct rows_kept *k);		/* NULL is fine */

/*
 * There is access: fill the answers that the lane has. How many it has not.
 * If the whole row is ready, row->ready is set.
 */
size_t row_live_lists(struct row *row, struct request *req);
/* The metrics of target, if they were read a moment ago. */
bool row_live_metrics(const struct row *row, struct request *req,
    const char *target, struct row_answer *a);
/* They came: keep them for others. */
void row_live_came(const struct row *row, struct request *req,
    struct row_answer *a);
/* Is all of the row from memory, so that it can be kept? */
bool row_live_whole(const struct row *row);
void row_live_keep(const struct row *row, struct request *req,
    const char *data, size_t len);

#endif
