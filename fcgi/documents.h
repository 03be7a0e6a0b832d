/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON documents that issuers publish: discovery (OpenID Connect Discovery
 * 1.0) and key sets (RFC 7517). Kept in memory by URL. One caller fetches a
 * document for all who want it; whoever has an old one uses that meanwhile,
 * the others wait, each at most DOCUMENT_WAIT_MS, as long as a fetch may take
 * at most. A fetch that fails leaves the old one, and nobody tries again for
 * 1, 2, 4 ... 30 s, or as long as Retry-After says, up to 30 s. Redirects are
 * not followed; https only, but http on loopback, and where the caller says
 * so. Any thread; outlives runtimes.
 */
#ifndef STAGEDOOR_DOCUMENTS_H
#define STAGEDOOR_DOCUMENTS_H

#include "err.h"

struct documents;
struct transport;

#define DOCUMENT_MAX (256 * 1024)	/* bytes */
#define DOCUMENT_WAIT_MS 5000
#define DOCUMENT_FORCE_MS 30000		/* between fetches that `force` makes */
#define DOCUMENTS_MAX 256		/* then the one used longest ago goes */
#define DISCOVERY_AGE_MS 3600000
#define JWKS_AGE_MS 600000

struct document {	/* immutable; a reference */
	const char *text;	/* JSON, whole and parsed once without error */
	size_t len;
	uint64_t version;	/* another text is another version */
};

struct documents *documents_new(struct transport *t);
/*
 * NULL is fine. Calls that are under way are waited for, as long as a fetch
 * may take; references that were given stay good.
 */
void documents_free(struct documents *d);
/* For tests: another clock for ages and pauses; waits are by the real one. */
void documents_clock(struct documents *d, int64_t (*mono_ms)(void));

struct document_want {
	const char *url;
	int64_t max_age;	/* ms: older ones are fetched anew */
	/* What is kept does not do (an unknown key): fetch it anew now, if
	   the last fetch is DOCUMENT_FORCE_MS ago; wait for one that is under
	   way. */
	bool force;
	/* Plain http beyond loopback will do: the settings say that address
	   itself, for a network of their own. */
	bool plain_http;
};

/*
 * 0 with *out a reference for document_put; else why there is none: E_CONFIG
 * (the URL), or the transport's E_* (E_TIMEOUT where the wait was over, too),
 * E_PROTOCOL for a status or a text that is no JSON object, E_BUSY when too
 * many others are being fetched. err names the URL's host, no more of it.
 */
int documents_get(struct documents *d, const struct document_want *want,
    const struct document **out, struct err *err);
void document_put(const struct document *doc);	/* NULL is fine */

#endif
