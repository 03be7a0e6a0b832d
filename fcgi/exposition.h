/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prometheus' text format, version 0.0.4: families with HELP and TYPE, and
 * samples with labels, escaped. Specification: "Exposition formats" of the
 * Prometheus documentation.
 */
#ifndef STAGEDOOR_EXPOSITION_H
#define STAGEDOOR_EXPOSITION_H

struct histogram;
struct strbuf;

#define EXPOSITION_TYPE "text/plain; version=0.0.4; charset=utf-8"

struct label {
	const char *name, *value;
};
/* Some labels, ended by one without a name. */
#define LABELS(...) ((const struct label[]){ __VA_ARGS__, { NULL, NULL } })

struct exposition {
	struct strbuf *out;
	const char *name;	/* of the family; constant */
};

/*
 * Begin a family; samples follow until the next one. type: "counter",
 * "gauge", "histogram". help is a constant of one line.
 */
void exposition_family(struct exposition *x, const char *name,
    const char *type, const char *help);
/* A family of one number without labels. */
void exposition_single(struct exposition *x, const char *name,
    const char *type, const char *help, int64_t value);
/* labels may be NULL. What is no UTF-8 in a value becomes "?". */
void exposition_sample(struct exposition *x, const struct label *labels,
    int64_t value);
void exposition_real(struct exposition *x, const struct label *labels,
    double value);
/* Buckets from the bound `first` on, in seconds, their sum and count. */
void exposition_histogram(struct exposition *x, const struct label *labels,
    const struct histogram *h, size_t first);

#endif
