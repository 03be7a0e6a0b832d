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

int api_authorize(struct request *req);		/* GET /authorize */
/* Any request, in the authorizer's role of FastCGI. */
int api_authorizer(struct request *req);

#endif
