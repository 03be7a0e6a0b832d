/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Backstage's own back ends: where a plug-in is, and whose token it gets.
 */
#ifndef STAGEDOOR_BACKSTAGE_H
#define STAGEDOOR_BACKSTAGE_H

#include "credential.h"

struct arena;
struct err;
struct fetch;
struct request;
struct settings;
struct strbuf;
struct transport;
struct upstream;

/*
 * Append the base address of a plug-in, without slashes at its end: the
 * target of discovery.endpoints that names it, else its place below
 * backend.baseUrl. Nothing is added where neither is set.
 */
void backstage_base(const struct settings *s, const char *plugin,
    struct strbuf *out);
struct backstage_peer {
	const char *plugin;
	double timeout;			/* seconds, of an answer */
};
/*
 * An upstream for its address, with a breaker and limits.connect. 0 with a
 * reference; E_CONFIG: what is not known, and how to set it.
 */
int backstage_connect(const struct settings *s, struct transport *t,
    const struct backstage_peer *peer, struct upstream **out,
    struct err *err);
/*
 * Whose token a back end gets: the caller's own where that is Backstage's,
 * and we have verified it; else stagedoor.backstage.token; else none
 * (CREDENTIAL_ANONYMOUS). Never what a stranger sent, and no token that is
 * restricted or limited. The caller releases out.
 */
void backstage_credential(const struct request *req, struct credential *out);
/* "Request failed with 503 Service Unavailable": Backstage's words. */
void backstage_status_text(int status, char *out, size_t size);
/* The message in the body of an error of Backstage's, in arena; or NULL. */
const char *backstage_message(const struct fetch *f, struct arena *arena);

#endif
