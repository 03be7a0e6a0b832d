/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whom a cluster takes us for: SelfSubjectReview (Kubernetes, "API access to
 * authentication information for a client", authentication.k8s.io/v1, and
 * v1beta1 for clusters before 1.28).
 */
#ifndef STAGEDOOR_SELFREVIEW_H
#define STAGEDOOR_SELFREVIEW_H

#include "cluster.h"
#include "err.h"

struct access;
struct arena;
struct transport;

#define SELFREVIEW_MAX 100	/* of groups, and of pairs in extra */

/* Strings are the cluster's, as `shown` makes them, in the arena. */
struct selfreview {
	const char *user, *uid;		/* uid NULL: none */
	struct string_list groups;
	struct pair *extra;		/* one for each value */
	size_t nextra;
	bool cut;			/* there was more */
};

/*
 * Ask with that credential, acting for whom it acts for; blocks as long as
 * the cluster may take. 0; E_AUTH (401), E_DENIED (403), E_NOTFOUND (it does
 * not know the question, but answers), E_PROTOCOL, or the transport's.
 * err.text has the cluster's own words, without the credential.
 */
int selfreview_ask(struct transport *t, const struct access *a,
    struct arena *arena, struct selfreview *out, struct err *err);

#endif
