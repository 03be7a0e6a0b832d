/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of GET /metrics share. */
#ifndef STAGEDOOR_API_METRICS_PRIVATE_H
#define STAGEDOOR_API_METRICS_PRIVATE_H

struct exposition;
struct runtime;

/* ---- api_metrics_clusters.c ---- */

void metrics_print_clusters(struct exposition *x, const struct runtime *rt);
/* One read for many, and the live lane. */
void metrics_print_reads(struct exposition *x, const struct runtime *rt);

#endif
