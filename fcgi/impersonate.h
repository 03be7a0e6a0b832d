/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Acting as the user: from a cluster's `impersonate` templates and who asks
 * to the Impersonate-* headers that go along with the server's credential,
 * so that the cluster's own rules decide for each user.
 *
 * Nobody is let through with less than the templates ask for: whoever lacks
 * a part, or would come out as one of Kubernetes' own system: names, is
 * refused. Users without groups are in none, which is no lack.
 */
#ifndef STAGEDOOR_IMPERSONATE_H
#define STAGEDOOR_IMPERSONATE_H

struct arena;
struct cluster;
struct err;
struct identity;

/*
 * The lines "Name: value", NULL at the end, in the arena. E_DENIED with the
 * reason for the user. Only for clusters with impersonate.on.
 */
int impersonate_lines(const struct cluster *c, const struct identity *who,
    struct arena *arena, const char *const **out, struct err *err);
/* The name of the header for a key of `extra`, in the arena. */
const char *impersonate_extra(struct arena *arena, const char *key);

#endif
