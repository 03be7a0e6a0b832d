/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may see how the process is: those whose address is in
 * stagedoor.metrics.allow. The address is REMOTE_ADDR, which the web server
 * sets; no header counts, X-Forwarded-For neither. Whoever speaks FastCGI to
 * our Unix socket without a web server, and so says no address, may.
 */
#ifndef STAGEDOOR_WATCHERS_H
#define STAGEDOOR_WATCHERS_H

struct request;

bool watchers_have(const struct request *req);
/* Is the address (as text) in the network, "10.0.0.0/8", "::1"? An IPv4
   address may be written as one of IPv6 (::ffff:10.0.0.1). */
bool network_has(const char *network, const char *address);

#endif
