/* SPDX-License-Identifier: Apache-2.0 */
/* From (cluster, who asks) to a credential and an address. */
#include "base.h"

#include <pthread.h>

#include "arena.h"
#include "clock.h"
#include "impersonate.h"
#include "log.h"
#include "metrics.h"
#include "obtain.h"
#include "provider_call.h"
#include "request.h"
#include "runtime.h"
#include "settings.h"
#include "transport.h"
#include "upstream.h"

/*
 * The address that a provider located last. There is one pod that we run in,
 * so one slot serves; keeping its reference keeps its connections.
 */
struct located {
	pthread_mutex_t lock;
	struct upstream *up;
};

struct located *
located_new(void)
{
	struct located *l = xcalloc(1, sizeof(*l));

	pthread_mutex_init(&l->lock, NULL);
	return l;
}

void
located_free(struct located *l)
{
	upstream_put(l->up);
	pthread_mutex_destroy(&l->lock);
	free(l);
}

static void
located_keep(struct located *l, struct upstream *up)
{
	struct upstream *old = NULL;

	pthread_mutex_lock(&l->lock);
	if (l->up != up) {
		old = l->up;
		l->up = up;
		upstream_ref(up);
	}
	pthread_mutex_unlock(&l->lock);
	upstream_put(old);
}

static int
use_location(const struct request *req, const struct cluster *c,
    const struct location *loc, struct access *out, struct err *err)
{
	const struct settings *s = req->rt->settings;
	struct upstream_options opt = {
		.url = loc->url,
		.ca_pem = loc->ca_pem,
		.insecure = c->skip_tls_verify,
		.connect_timeout = c->connect_timeout,
		.timeout = c->timeout,
		.breaker_failures = s->breaker_failures,
		.breaker_probe = s->breaker_probe,
	};
	int r = upstream_get(req->rt->transport, &opt, &out->up, err);

	if (r != 0)
		return r;
	located_keep(req->rt->located, out->up);
	out->url = arena_strdup(req->arena, loc->url);
	out->base_path = "";
	return 0;
}

static const char *
without_last_slashes(struct arena *arena, const char *url)
{
	size_t len = strlen(url);

	while (len > 0 && url[len - 1] == '/')
		len--;
	return arena_strndup(arena, url, len);
}

static int
find_address(const struct request *req, const struct provider_call *call,
    struct access *out, struct err *err)
{
	const struct cluster *c = call->cluster;
	struct location loc = { NULL, NULL };

	if (c->provider != NULL && c->provider->locate != NULL &&
	    c->provider->locate(call, &loc))
		return use_location(req, c, &loc, out, err);
	if (c->broken != NULL)
		return err_set(err, E_CONFIG, "%s", c->broken);
	out->up = c->upstream;
	upstream_ref(out->up);
	out->url = without_last_slashes(req->arena, c->url);
	out->base_path = c->base_path;
	return 0;
}

static int
obtain_where(const struct request *req, const struct provider_call *call,
    struct access *out, struct err *err)
{
	const struct cluster *c = call->cluster;

	if (!identity_may_use(call->who, c))
		return err_set(err, E_DENIED, "cluster '%s' is not for you",
		    c->name);
	return find_address(req, call, out, err);
}

int
obtain_address(const struct request *req, const struct cluster *cluster,
    struct access *out, struct err *err)
{
	struct source_asker asker = { .rt = req->rt };
	struct provider_call call;
	int r;

	*out = (struct access)ACCESS_INIT;
	provider_call_begin(&call, &asker, cluster, &req->who);
	r = obtain_where(req, &call, out, err);
	provider_call_end(&call);
	return r;
}

int
obtain_place(const struct request *req, const struct cluster *cluster,
    struct access *out, struct err *err)
{
	struct source_asker asker = { .rt = req->rt };
	struct provider_call call;
	int r;

	*out = (struct access)ACCESS_INIT;
	provider_call_begin(&call, &asker, cluster, NULL);
	r = find_address(req, &call, out, err);
	provider_call_end(&call);
	return r;
}

int
access_act(const struct request *req, const struct cluster *cluster,
    struct access *a, struct err *err)
{
	if (!cluster->impersonate.on || a->cred.from_client)
		return 0;
	return impersonate_lines(cluster, &req->who, req->arena,
	    &a->cred.acting, err);
}

static void
keep_sources(struct access *out, const struct source_asker *asker)
{
	out->used = asker->used;
	out->pending_kind = asker->pending_kind;
	memcpy(out->pending, asker->pending, SOURCE_KEY);
}

/* For /readyz: what it is to blame for, not what one request was. */
static void
note_outcome(const struct cluster *c, enum provider_verdict v,
    const struct err *err)
{
	if (v == PROVIDER_OK)
		metrics_credential(c->counts, true);
	else if (v == PROVIDER_FAILED && err->code != E_PENDING &&
	    err->code != E_INPUT && err->code != E_GONE)
		metrics_credential(c->counts, false);
}

/* The call's provider, and what comes after it. */
static enum provider_verdict
obtain_all(const struct request *req, const struct provider_call *call,
    struct access *out, struct err *err)
{
	const struct cluster *cluster = call->cluster;
	enum provider_verdict v;
	int r;

	if ((r = obtain_where(req, call, out, err)) != 0)
		v = r == E_DENIED ? PROVIDER_REFUSED : PROVIDER_FAILED;
	else
		v = cluster->provider->obtain(cluster->provider_state, call,
		    &out->cred, err);
	keep_sources(out, call->core);
	note_outcome(cluster, v, err);
	if (v == PROVIDER_OK && access_act(req, cluster, out, err) != 0)
		v = PROVIDER_REFUSED;
	if (v != PROVIDER_OK)
		access_release(out);
	return v;
}

enum provider_verdict
obtain_access(const struct request *req, const struct cluster *cluster,
    const struct client_tokens *tokens, struct access *out, struct err *err)
{
	struct source_asker asker = { .rt = req->rt, .refused = out->refused };
	struct provider_call call;
	enum provider_verdict v;

	provider_call_begin(&call, &asker, cluster, &req->who);
	call.auth = tokens->auth;
	call.auth_lower = tokens->lower;
	v = obtain_all(req, &call, out, err);
	if (v != PROVIDER_OK && err->detail[0] != '\0')
		log_warn("%s %s: %s", req->id, err->text, err->detail);
	provider_call_end(&call);
	return v;
}

/* ---- waiting ---- */

int64_t
obtain_deadline(const struct cluster *c)
{
	return clock_mono_ms() + clock_ms(c->connect_timeout + c->timeout);
}

int
obtain_late(const struct cluster *c, const struct access *a, struct err *err)
{
	return err_set(err, E_TIMEOUT, "the credential for cluster '%s' (%s) "
	    "is not there yet: it is still being asked for, try again soon",
	    c->name, a->pending_kind);
}

/* 0: ask again. */
static int
wait_once(const struct request *req, const struct access *a, int64_t deadline,
    struct err *err)
{
	struct batch *b = batch_new(req->rt->transport, req->fd);
	struct source_wait wait = { .sources = req->rt->sources };
	struct fetch_group group = { .n = 0 };
	int r = 0;

	memcpy(wait.key, a->pending, SOURCE_KEY);
	if (sources_await(&wait, b, &group, deadline) &&
	    batch_wait(b, err) == NULL)
		r = err->code;
	batch_free(b);
	return r;
}

enum provider_verdict
obtain_access_wait(const struct request *req, const struct cluster *cluster,
    const struct client_tokens *tokens, struct access *out, struct err *err)
{
	int64_t deadline = obtain_deadline(cluster);
	enum provider_verdict v;

	for (;;) {
		v = obtain_access(req, cluster, tokens, out, err);
		if (v != PROVIDER_FAILED || err->code != E_PENDING)
			return v;
		if (clock_mono_ms() >= deadline) {
			obtain_late(cluster, out, err);
			return v;
		}
		if (wait_once(req, out, deadline, err) != 0)
			return v;
	}
}

bool
obtain_again(const struct request *req, const struct access *a,
    struct access *again)
{
	*again = (struct access)ACCESS_INIT;
	if (a->used.n == 0)
		return false;
	again->refused = a->used;
	return sources_reject(req->rt->sources, &again->refused);
}

/* ---- without a request ---- */

enum provider_verdict
obtain_blocking(const struct request *req, const struct cluster *cluster,
    struct source_asker *asker, struct access *out, struct err *err)
{
	struct provider_call call;
	enum provider_verdict v;

	asker->refused = out->refused;
	provider_call_begin(&call, asker, cluster, &req->who);
	v = obtain_all(req, &call, out, err);
	provider_call_end(&call);
	return v;
}

/* 0 or E_*; the credential is not kept. */
static int
obtain_only(struct source_asker *asker, const struct cluster *cluster,
    const char *user, struct err *err)
{
	const struct identity who = { .kind = IDENTITY_USER, .user = user };
	struct credential cred = CREDENTIAL_INIT;
	struct provider_call call;
	enum provider_verdict v;

	provider_call_begin(&call, asker, cluster, user ? &who : NULL);
	v = cluster->provider->obtain(cluster->provider_state, &call, &cred,
	    err);
	credential_release(&cred);
	provider_call_end(&call);
	return v == PROVIDER_OK ? 0 : err->code;
}

int
obtain_source(struct source_job *job, struct err *err)
{
	return obtain_only(&job->asker, job->cluster, job->user, err);
}

int
obtain_try(struct runtime *rt, const struct cluster *cluster, struct err *err)
{
	struct source_asker asker = { .rt = rt };

	return obtain_only(&asker, cluster, NULL, err);
}

void
access_release(struct access *a)
{
	credential_release(&a->cred);
	upstream_put(a->up);
	a->up = NULL;
}
