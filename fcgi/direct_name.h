/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What things are called in the direct lane, in which the web server itself
 * moves the bytes between a client and a cluster: the names that /authorize
 * tells and that `stagedoor nginx` writes.
 */
#ifndef STAGEDOOR_DIRECT_NAME_H
#define STAGEDOOR_DIRECT_NAME_H

struct arena;
struct cluster;
struct upstream;

#define DIRECT_PREFIX "stagedoor-"

/*
 * The cluster at that address: "stagedoor-NAME-DIGEST", with what is left of
 * the cluster's name when all but [a-z0-9-] is gone. The digest is of all
 * that makes the web server trust and open it: name, URL, CA, certificate. So
 * a web server that has not been told of a change does not know the name,
 * rather than that it sends a credential to where the cluster was.
 */
const char *direct_name(struct arena *arena, const struct cluster *c,
    const struct upstream *up);
/*
 * Is the cluster opened with a certificate that the settings hold or name?
 * The web server shows it on each connection there, so nothing else may go
 * that way: API servers look at a certificate first, and whoever came with any
 * token would be the certificate's user, and act as anybody.
 */
bool direct_has_certificate(const struct cluster *c);
/*
 * A key of `impersonate.extra` as part of a header's and a variable's name:
 * [a-z0-9] stay, others become "-xx" in hex. Upper case is folded, as the API
 * server does.
 */
const char *direct_extra(struct arena *arena, const char *key);

#endif
