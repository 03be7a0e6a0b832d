/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which addresses of clusters are taken from Backstage's catalog, where many
 * may write: https ones of hosts on the internet, and those that the settings
 * allow by name (dangerouslyAllowClusterUrls). What a name stands for is
 * looked at twice: when the list is made (catalog_clusters.h) and, which is
 * what counts, for each connection (upstream_options.public_only).
 */
#ifndef STAGEDOOR_CATALOG_URL_H
#define STAGEDOOR_CATALOG_URL_H

#include "address.h"

struct arena;
struct string_list;

struct catalog_url {
	const char *host;	/* lower case; IPv6 without brackets */
	bool tls;
	bool literal;		/* the host is an address */
};

/*
 * Take apart http(s)://HOST[:PORT][/PATH], plain characters only: what
 * another reader of URLs might understand otherwise is none. NULL with out
 * filled (in the arena), or why it is refused: "its address ...".
 */
const char *catalog_url_read(struct arena *arena, const char *text,
    struct catalog_url *out);
/* Is the host one of these: a name, "*.domain" (and domain itself), or an
   address with or without brackets? */
bool catalog_url_allowed(const struct catalog_url *u,
    const struct string_list *allow);
/* NULL, or why a cluster that is not allowed by name is not taken; verdict:
   of the host, where that is a name. */
const char *catalog_url_refused(const struct catalog_url *u,
    enum address_verdict verdict);

#endif
