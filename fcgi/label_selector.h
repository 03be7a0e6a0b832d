/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Label selectors as Kubernetes reads them, in the string form of a list's
 * labelSelector: "a=b", "a==b", "a!=b", "a in (b,c)", "a notin (b,c)", "a",
 * "!a", "a>1", "a<1", joined by commas. The rules are those of Kubernetes'
 * API reference ("Labels and Selectors") and of its API server's parser.
 */
#ifndef STAGEDOOR_LABEL_SELECTOR_H
#define STAGEDOOR_LABEL_SELECTOR_H

struct err;
struct label_selector;

/*
 * NULL, E_INPUT: the API server would refuse it too, or it is one whose
 * meaning we are not sure of; then the cluster is to be asked.
 */
struct label_selector *label_selector_parse(const char *text,
    struct err *err);
void label_selector_free(struct label_selector *s);

struct label {
	const char *key, *value;
};

/* Each key stands there once. */
bool label_selector_matches(const struct label_selector *s,
    const struct label *labels, size_t n);
/*
 * A label that every match has with exactly this value, or NULL: what an
 * index may start from.
 */
const struct label *label_selector_needs(const struct label_selector *s);

#endif
