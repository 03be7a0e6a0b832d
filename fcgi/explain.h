/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One cluster explained to whoever runs it, for one user: which credential,
 * from where, step by step, until when, for whom it acts, and whom the
 * cluster takes it for. Never what the credential is.
 */
#ifndef STAGEDOOR_EXPLAIN_H
#define STAGEDOOR_EXPLAIN_H

struct cluster;
struct identity;
struct runtime;
struct strbuf;

/* How long a credential may take to get: as long as when serving. */
#define EXPLAIN_SOURCES_MS 60000

/*
 * Appends lines to out. True: the cluster can be used. Blocks for the
 * credential, and then as long as the cluster may take. Any thread.
 */
bool explain_cluster(struct runtime *rt, const struct identity *who,
    const struct cluster *cluster, struct strbuf *out);
/* A line on who that is. */
void explain_user(const struct identity *who, struct strbuf *out);

#endif
