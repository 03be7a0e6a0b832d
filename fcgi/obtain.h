/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way from (cluster, who asks) to a credential and the address it is
 * good for: checks that the user may use the cluster, then asks its
 * provider. Handlers call this and never a provider.
 */
#ifndef STAGEDOOR_OBTAIN_H
#define STAGEDOOR_OBTAIN_H

#include "sources.h"
#include "../providers/provider.h"

struct request;
struct runtime;

struct access {
	struct credential cred;
	struct source_uses used;	/* what cred was made of */
	struct source_uses refused;	/* in: not of these */
	unsigned char pending[SOURCE_KEY];	/* with E_PENDING: of this */
	const char *pending_kind;
	struct upstream *up;	/* a reference; usually the cluster's own */
	const char *url;	/* for messages; no slash at the end */
	const char *base_path;	/* of url: "" or "/prefix" */
};

#define ACCESS_INIT { .cred = CREDENTIAL_INIT }

/* What the client brought along. */
struct client_tokens {
	struct json_object *auth;	/* borrowed; NULL: none */
	bool lower;	/* by header: names of oidc providers in lower case */
};

/*
 * Without blocking. On PROVIDER_OK the caller releases out. Else err has the
 * sentence for the row or the answer, and out holds nothing, but with
 * PROVIDER_FAILED, E_PENDING what to wait for (sources_await) before asking
 * again. A broken cluster gives PROVIDER_FAILED, E_CONFIG. out is as
 * ACCESS_INIT, with `refused` perhaps.
 */
enum provider_verdict obtain_access(const struct request *req,
    const struct cluster *cluster, const struct client_tokens *tokens,
    struct access *out, struct err *err);
/*
 * The same, but waits: at most as long as the cluster may take to answer.
 * Also E_TIMEOUT, and E_GONE when the client left.
 */
enum provider_verdict obtain_access_wait(const struct request *req,
    const struct cluster *cluster, const struct client_tokens *tokens,
    struct access *out, struct err *err);
/*
 * The same for somebody who is no request: of req only rt, arena and who are
 * used. Makes what it needs on this thread, if asker (with rt) is `blocking`;
 * its notes tell the steps. What the log would be told beside err.text stands
 * in err.detail.
 */
enum provider_verdict obtain_blocking(const struct request *req,
    const struct cluster *cluster, struct source_asker *asker,
    struct access *out, struct err *err);
/* When waiting for a credential that was asked for now ends: mono ms. */
int64_t obtain_deadline(const struct cluster *cluster);
/* What a row says then: E_TIMEOUT. */
int obtain_late(const struct cluster *cluster, const struct access *a,
    struct err *err);
/*
 * The cluster answered 401. True: a has `refused`, ask once more for another
 * credential. False: there is none to be had.
 */
bool obtain_again(const struct request *req, const struct access *a,
    struct access *again);
/*
 * Only the address, for a credential that the client brought itself; checks
 * that the user may use the cluster. 0, E_DENIED or E_CONFIG.
 */
int obtain_address(const struct request *req, const struct cluster *cluster,
    struct access *out, struct err *err);
/* The same for nobody: of req only rt and arena are used. 0 or E_CONFIG. */
int obtain_place(const struct request *req, const struct cluster *cluster,
    struct access *out, struct err *err);
/*
 * Let the credential act for who asks, if the cluster's settings want that;
 * not if the client brought it. For credentials that obtain_access did not
 * give. 0 or E_DENIED.
 */
int access_act(const struct request *req, const struct cluster *cluster,
    struct access *a, struct err *err);
/*
 * Would the cluster's provider, which reads files only (PROVIDER_FILES),
 * give a credential now? 0, or what err says; it is not kept.
 */
int obtain_try(struct runtime *rt, const struct cluster *cluster,
    struct err *err);
void access_release(struct access *a);

/* A runtime's memory of located addresses. */
struct located;
struct located *located_new(void);
void located_free(struct located *l);

#endif
