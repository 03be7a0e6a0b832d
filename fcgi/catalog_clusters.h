/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The clusters that Backstage's catalog lists: Resources of type
 * kubernetes-cluster with the three annotations that make one (the call that
 * Backstage's own back end makes: GET /entities with a filter). Asked for
 * with stagedoor.backstage.token, or without any, for the list is everyone's;
 * kept, renewed and shared between processes as credentials are.
 */
#ifndef STAGEDOOR_CATALOG_CLUSTERS_H
#define STAGEDOOR_CATALOG_CLUSTERS_H

#include "address.h"

struct err;
struct json_object;
struct provider_call;
struct settings;
struct source_value;
struct strbuf;

#define KUBERNETES_IO "kubernetes.io/"

struct catalog_place {
	const char *base;	/* of the catalog; "": nobody knows */
	double refresh;		/* seconds after which to ask again */
};

/*
 * Part 0 of out is the list in its normal form, for locator_catalog.c. On 0
 * the caller releases out. Errors name what was answered, and what to do. An
 * empty list is one.
 */
int catalog_clusters(const struct provider_call *call,
    const struct settings *s, const struct catalog_place *at,
    struct source_value *out, struct err *err);

/*
 * An answer of the catalog to the normal form, in the answer's order:
 * [ { "name", "title", "dns", "annotations": {} } ], only annotations of
 * kubernetes.io; dns is "private" or "absent" where the host of the address
 * is a name and was found to be so. Blocks for seconds. 0, E_PROTOCOL: it is
 * no list, or E_TOOLARGE. resolve: for tests, or NULL.
 */
int catalog_clusters_reduce(struct json_object *answer,
    address_resolver *resolve, struct strbuf *out, struct err *err);

#endif
