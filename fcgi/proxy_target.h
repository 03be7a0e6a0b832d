/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which cluster a request to /proxy or /clusters/NAME/proxy means, and what
 * it may do there: one answer for the module and for the direct lane, for
 * requests that route.h has let through.
 */
#ifndef STAGEDOOR_PROXY_TARGET_H
#define STAGEDOOR_PROXY_TARGET_H

struct cluster;
struct err;
struct request;

/*
 * The cluster that is named in the path, else by the header
 * Backstage-Kubernetes-Cluster; without a name the only one that the user
 * may use. rest: what follows the route, as it came. NULL: E_NOTFOUND; what
 * this user may not use is not there for this user.
 */
const struct cluster *proxy_cluster(struct request *req, const char **rest,
    struct err *err);
/* The one of that name. */
const struct cluster *proxy_cluster_named(const struct request *req,
    const char *name, struct err *err);
/*
 * rest as the path below the cluster's base path, in the arena. NULL:
 * E_INPUT, it would leave the base path.
 */
const char *proxy_path(const struct request *req, const char *rest,
    struct err *err);
/* 0; E_INPUT: a method that passes to no cluster; E_DENIED: the cluster is for
   reading only. */
int proxy_allowed(const struct request *req, const struct cluster *c,
    struct err *err);
/* A method that changes nothing. */
bool proxy_is_read(const struct request *req);
/* To WebSocket or SPDY; not "h2c", which some clients offer each time. */
bool proxy_wants_upgrade(const struct request *req);

#endif
