/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one table of routes, and the way of one request through it: parse,
 * barrier (who asks), route, handler, one line of log.
 */
#ifndef STAGEDOOR_ROUTE_H
#define STAGEDOOR_ROUTE_H

struct request;

/*
 * Answer the request. The carrier fills arena, rt, carrier, fd and params
 * first and ends the answer afterwards.
 */
void route_handle(struct request *req);

#endif
