/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The handlers of routes, a file for each family. Each answers the request
 * it is given, whatever happens, and returns 0 or E_GONE.
 */
#ifndef STAGEDOOR_API_H
#define STAGEDOOR_API_H

struct request;

int api_clusters(struct request *req);		/* GET /clusters */
int api_services(struct request *req);		/* POST /services/:id */
/* POST /resources/workloads/query */
int api_workloads(struct request *req);
/* POST /resources/custom/query */
int api_custom(struct request *req);
/* /proxy and what follows, /clusters/NAME/proxy and what follows. */
int api_proxy(struct request *req);
/*
 * The page /connect, /connect.json, /connect/callback, and what is posted to
 * or deleted at /connect/PROVIDER[/NAME]: sign-ins of the one who asks.
 */
int api_connect(struct request *req);
int api_connect_json(struct request *req);
int api_connect_callback(struct request *req);
int api_connect_post(struct request *req);
int api_connect_delete(struct request *req);

/*
 * kubectl through the portal. For stagedoor login, without an identity: a
 * device's codes and its token (RFC 8628), an end to a token (RFC 7009) and
 * whether it is good (RFC 7662). For the user: the page that allows a device,
 * and the button that ends a session.
 */
int api_portal_device(struct request *req);
int api_portal_token(struct request *req);
int api_portal_revoke(struct request *req);
int api_portal_introspect(struct request *req);
int api_portal_activate(struct request *req);
int api_portal_decide(struct request *req);
int api_portal_end(struct request *req);
/* GET /connect/kubeconfig, and that for one cluster. */
int api_kubeconfig(struct request *req);
int api_kubeconfig_one(struct request *req);

int api_authorize(struct request *req);		/* GET /authorize */
/* Any request, in the authorizer's role of FastCGI. */
int api_authorizer(struct request *req);

/*
 * GET /healthz: the process serves. GET /readyz: it can do its work; how each
 * cluster is, for those who may know (watchers.h): with ?verbose, with
 * ?cluster=NAME (404: there is none), or as JSON (Accept). 503 while it ends
 * and without `kubernetes` settings; never for a cluster's sake. Nobody is
 * asked who he is.
 */
int api_healthz(struct request *req);
int api_readyz(struct request *req);
/* Prometheus' metrics, for those who may know. */
int api_metrics(struct request *req);

#endif
