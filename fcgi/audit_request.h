/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one request did, as the audit log tells it (audit.h): one event
 * "request" for each cluster that it asked or was refused, with the
 * credential it went with; where there is none, one for the request itself.
 * So a query over five clusters is five events of the same id: who reached
 * which cluster, with what.
 *
 * "status" is the answer's, but of a query the cluster's own: 200, or that of
 * the first list that it refused. "result": "ok"; "in part" (a query: some
 * lists came); "denied" (401, 403); "sign-in needed"; "no credential"; "no
 * answer" (of the cluster); "failed"; "cut short" and "client left" (the
 * answer did not arrive whole).
 *
 * The handler notes clusters as it goes; one thread has a request.
 */
#ifndef STAGEDOOR_AUDIT_REQUEST_H
#define STAGEDOOR_AUDIT_REQUEST_H

struct access;
struct cluster;
struct request;

/* In the request's arena; its end is the request's. */
struct audit_use {
	struct audit_use *next;
	const struct cluster *cluster;
	const char *credential, *source, *provider, *as;
	const char *result;	/* NULL: as the answer's status says */
	int status;		/* 0: the answer's; -1: there is none */
};

/* One more cluster; nothing is known of it yet. */
struct audit_use *audit_use(struct request *req,
    const struct cluster *cluster);
/* This is what it is asked with; copied. */
void audit_use_access(struct request *req, struct audit_use *use,
    const struct access *access);
/* The request is over: write its events. */
void audit_request(const struct request *req);

#endif
