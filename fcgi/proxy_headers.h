/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which headers pass between a client and a cluster, and the credential that
 * a client hands over by header (backstage-contract.md section 7;
 * architecture.md, "What must always hold", 3; RFC 9110 section 7.6.1).
 */
#ifndef STAGEDOOR_PROXY_HEADERS_H
#define STAGEDOOR_PROXY_HEADERS_H

#include "obtain.h"

struct header;
struct request;
struct strbuf;

/*
 * The client's headers that go to the cluster. Impersonate-* are among them
 * only if the client brought the credential itself.
 */
const struct header *proxy_headers_out(const struct request *req,
    const struct credential *cred, size_t *n);
/* May header i of the cluster's answer reach the client? */
bool proxy_header_back(const struct header *headers, size_t n, size_t i);
/*
 * Credential and address for one /proxy request: verbatim, or by the
 * cluster's provider with the tokens in the client's headers.
 */
enum provider_verdict proxy_access(const struct request *req,
    const struct cluster *cluster, struct access *out, struct err *err);
/* The members of "cause" in the contract's error body. */
void proxy_error_cause(struct strbuf *sb, const struct err *err);

#endif
