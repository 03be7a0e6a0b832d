/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request that the web server will send to a cluster itself: may it, and
 * with what. All that /proxy asks for is asked for here too; what the web
 * server cannot carry is refused, never cut down.
 *
 * A cluster's 401 is seen by the web server only, so no credential is dropped
 * for it here. One of ours is renewed before it ends, and at once when a
 * query or /proxy meets a 401.
 */
#ifndef STAGEDOOR_DIRECT_H
#define STAGEDOOR_DIRECT_H

#include "obtain.h"

#define DIRECT_GROUPS 16	/* Impersonate-Group-1 ... */

struct audit_use;
struct cluster;
struct err;
struct request;

struct direct {
	const struct cluster *cluster;
	const char *path;	/* on the cluster, without a query; NULL: the
				   web server chooses */
	const char *upstream;	/* direct_name */
	/* Header values; NULL: that header is not sent. */
	const char *authorization, *user, *uid;
	const char *groups[DIRECT_GROUPS];
	size_t ngroups;
	struct pair *extra;	/* key as direct_extra has it */
	size_t nextra;

	struct access access;	/* what they are of */
	struct audit_use *use;
};

/*
 * For the request's own path, which route_admit_proxy has let through. Waits
 * for the credential as long as the cluster may take. 0: direct_close when
 * done; strings are in the request's arena. E_NOTFOUND (cluster), E_INPUT
 * (path), E_DENIED, E_SIGNIN, E_GONE; E_BREAKER; E_BUSY for all else that is
 * broken, slow, or not for this lane.
 */
int direct_open(struct request *req, struct direct *out, struct err *err);
/* The same for a cluster that the web server names, on a path of its own. */
int direct_open_named(struct request *req, const char *name,
    struct direct *out, struct err *err);
void direct_close(struct direct *d);

#endif
