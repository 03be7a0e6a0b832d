/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Backstage's catalog: one entity by its reference, asked on behalf of the
 * caller.
 */
#ifndef STAGEDOOR_CATALOG_H
#define STAGEDOOR_CATALOG_H

struct catalog;
struct entity;
struct entity_ref;
struct err;
struct problems;
struct request;
struct settings;
struct transport;

/*
 * Where the catalog is: the discovery endpoint of plug-in "catalog", else
 * backend.baseUrl. Without either there is a warning, and every look-up
 * fails. Settings and transport must live longer. Never NULL.
 */
struct catalog *catalog_new(const struct settings *settings,
    struct transport *transport, struct problems *problems);
void catalog_free(struct catalog *c);		/* NULL is fine */

/*
 * Read the entity, with the caller's own Backstage token where there is one,
 * else with stagedoor.backstage.token. Strings go to the request's arena.
 * E_NOTFOUND: no such entity; E_PROTOCOL: the catalog answered something
 * else ("Request failed with 500 Internal Server Error"); E_BUSY: it cannot
 * be reached; E_CONFIG: we do not know where it is; E_GONE.
 */
int catalog_entity(struct request *req, const struct entity_ref *ref,
    struct entity *out, struct err *err);

#endif
