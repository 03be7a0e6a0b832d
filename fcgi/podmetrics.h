/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pods and what they use: pods of a list sorted by namespace, and the
 * podMetrics entries of an answer, summed from their containers and the
 * metrics API.
 */
#ifndef STAGEDOOR_PODMETRICS_H
#define STAGEDOOR_PODMETRICS_H

#include "jsonscan.h"

struct arena;
struct strbuf;

/* Metrics are looked up in this many namespaces of one cluster, no more. */
#define POD_NAMESPACES_MAX 1000

struct pod {
	struct json_span object, name, spec;
	size_t next;			/* in its namespace; SIZE_MAX: last */
};

struct pod_namespace {
	struct json_span raw;		/* as the first pod has it */
	const char *name;		/* in the arena */
	size_t first, last;		/* indices of pods */
};

/* Spans point into the bytes of the list, which must live as long. */
struct pods {
	struct pod *items;
	size_t n, cap;
	struct pod_namespace *namespaces;	/* in the order first seen */
	size_t nnamespaces;
};

/* Read an array of pods that was checked. pods_release what it fills. */
void pods_read(struct pods *pods, struct json_span items,
    struct arena *arena);
void pods_release(struct pods *pods);

/* The items of a PodMetricsList, sorted by name. */
struct pod_metrics {
	struct pod_metric {
		struct json_span name, containers;
	} *items;
	size_t n, cap;
};

/* Read an array that was checked. pod_metrics_release what it fills. */
void pod_metrics_read(struct pod_metrics *m, struct json_span items);
void pod_metrics_release(struct pod_metrics *m);
/*
 * Append the podMetrics entry of one pod: the pod itself, the sums of its
 * containers, and each container that has metrics. Zeros if it has none.
 */
void pod_metrics_add(struct strbuf *sb, const struct pod *pod,
    const struct pod_metrics *m);

#endif
