/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The GKE clusters of a project, as Google's container API lists them (v1,
 * projects.locations.clusters.list), asked for with the server's own account.
 * Kept, renewed and shared between processes as credentials are.
 */
#ifndef STAGEDOOR_GOOGLE_CLUSTERS_H
#define STAGEDOOR_GOOGLE_CLUSTERS_H

#include "provider.h"

struct json_object;
struct settings;
struct strbuf;

#define GOOGLE_CONTAINER_API "https://container.googleapis.com"

struct google_place {
	const char *api;	/* base of the API's URL */
	const char *project;
	const char *region;	/* or a zone; "-": all */
	double refresh;		/* seconds after which to ask again */
};

/*
 * Part 0 of out is the list in its normal form, for locator_gke.c: JSON with
 * only what is used, so that what looks the same is the same. On 0 the caller
 * releases out. Errors as of google_token, and E_AUTH: the API does not take
 * the token. They name the project, what was answered, and what to do. An
 * empty list is one.
 */
int google_clusters(const struct provider_call *call,
    const struct settings *s, const struct google_place *at,
    struct source_value *out, struct err *err);

/*
 * An answer of the API to the normal form, which is
 * { "clusters": [ { "name", "endpoint", "dns", "ca", "status", "labels": {} }
 * ], "missingZones": [] }; absent is what the answer does not have. status is
 * there only where there is no address. 0, E_PROTOCOL: it is no list, or
 * E_TOOLARGE.
 */
int google_clusters_reduce(struct json_object *answer, struct strbuf *out,
    struct err *err);

#endif
