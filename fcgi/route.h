/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one table of routes, and the way of one request through it: parse,
 * barrier (who asks), route, handler, one line of log.
 */
#ifndef STAGEDOOR_ROUTE_H
#define STAGEDOOR_ROUTE_H

struct err;
struct request;

/*
 * Answer the request. The carrier fills arena, rt, carrier, fd and params
 * first and ends the answer afterwards.
 */
void route_handle(struct request *req);
/*
 * Would the request, as it stands, be let through to /proxy or
 * /clusters/NAME/proxy (without a path: to any cluster)? 0; E_INPUT,
 * E_NOTFOUND (another route, or none), E_DENIED, and what permission_ask
 * gives.
 */
int route_admit_proxy(struct request *req, bool has_path, struct err *err);
/* The pattern of the route of that number (request.h), or what else is counted
   there; NULL: there is no such number. */
const char *route_label(unsigned number);

#endif
