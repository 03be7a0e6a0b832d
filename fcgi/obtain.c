/* SPDX-License-Identifier: Apache-2.0 */
/* From (cluster, who asks) to a credential and an address. */
#include "base.h"

#include <pthread.h>

#include "arena.h"
#include "clock.h"
#include "files.h"
#include "impersonate.h"
#include "log.h"
#include "obtain.h"
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
read_small_file(const char *path, struct secret *out, struct err *err)
{
	return file_read(path, PROVIDER_FILE_MAX, out, err);
}

static const char *
read_environment(const char *name)
{
	return getenv(name);
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

static struct provider_call
call_for(const struct identity *who, const struct cluster *cluster)
{
	return (struct provider_call) {
		.cluster = cluster,
		.who = who,
		.scratch = arena_new(),
		.now = clock_wall_ms(),
		.read_file = read_small_file,
		.getenv = read_environment,
	};
}

int
obtain_address(const struct request *req, const struct cluster *cluster,
    struct access *out, struct err *err)
{
	struct provider_call call = call_for(&req->who, cluster);
	int r;

	memset(out, 0, sizeof(*out));
	r = obtain_where(req, &call, out, err);
	arena_free(call.scratch);
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

enum provider_verdict
obtain_access(const struct request *req, const struct cluster *cluster,
    const struct client_tokens *tokens, struct access *out, struct err *err)
{
	struct provider_call call = call_for(&req->who, cluster);
	enum provider_verdict v;
	int r;

	call.auth = tokens->auth;
	call.auth_lower = tokens->lower;
	memset(out, 0, sizeof(*out));
	if ((r = obtain_where(req, &call, out, err)) != 0)
		v = r == E_DENIED ? PROVIDER_REFUSED : PROVIDER_FAILED;
	else
		v = cluster->provider->obtain(cluster->provider_state, &call,
		    &out->cred, err);
	if (v == PROVIDER_OK && access_act(req, cluster, out, err) != 0)
		v = PROVIDER_REFUSED;
	if (v != PROVIDER_OK)
		access_release(out);
	if (v != PROVIDER_OK && err->detail[0] != '\0')
		log_warn("%s %s: %s", req->id, err->text, err->detail);
	arena_free(call.scratch);
	return v;
}

int
obtain_try(const struct cluster *cluster, struct err *err)
{
	struct provider_call call = call_for(NULL, cluster);
	struct credential cred = CREDENTIAL_INIT;
	enum provider_verdict v = cluster->provider->obtain(
	    cluster->provider_state, &call, &cred, err);

	credential_release(&cred);
	arena_free(call.scratch);
	return v == PROVIDER_OK ? 0 : err->code;
}

void
access_release(struct access *a)
{
	credential_release(&a->cred);
	upstream_put(a->up);
	a->up = NULL;
}
