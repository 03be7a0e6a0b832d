/* SPDX-License-Identifier: Apache-2.0 */
/*
 * serviceAccount: the token of the settings (or of a kubeconfig) or, without
 * one, that of the pod we run in. The pod's files are read for each request,
 * for they rotate; and where its CA is there, so is its API server
 * (Kubernetes, "Accessing the API from a Pod"), whatever the settings say.
 */
#include "base.h"

#include "arena.h"
#include "provider.h"

#define POD_DIR "/var/run/secrets/kubernetes.io/serviceaccount/"

static bool
locate(const struct provider_call *call, struct location *out)
{
	const char *host = call->getenv("KUBERNETES_SERVICE_HOST");
	const char *port = call->getenv("KUBERNETES_SERVICE_PORT");
	struct secret ca = SECRET_INIT;
	bool v6;

	if (call->cluster->token.len > 0 || host == NULL || port == NULL ||
	    call->cluster->token_file != NULL ||
	    call->read_file(POD_DIR "ca.crt", &ca, NULL) != 0)
		return false;
	v6 = strchr(host, ':') != NULL;
	out->url = arena_printf(call->scratch, "https://%s%s%s:%s",
	    v6 ? "[" : "", host, v6 ? "]" : "", port);
	out->ca_pem = arena_strndup(call->scratch, ca.ptr ? ca.ptr : "",
	    ca.len);
	secret_release(&ca);
	call->note(call, "KUBERNETES_SERVICE_HOST is set and '" POD_DIR
	    "ca.crt' is there: the API server of this pod is asked");
	return true;
}

static enum provider_verdict
obtain(const void *state UNUSED, const struct provider_call *call,
    struct credential *out, struct err *err)
{
	const struct cluster *c = call->cluster;
	const char *file = c->token_file ? c->token_file : POD_DIR "token";
	struct secret token = SECRET_INIT;
	struct err why = ERR_INIT;

	call->note(call, "a token in the settings: %s", c->token.len > 0 ?
	    "is set" : "is not set");
	if (c->token.len > 0) {
		secret_set(&token, c->token.ptr, c->token.len);
	} else if (call->read_file(file, &token, &why) == 0) {
		call->note(call, "'%s': is read", file);
	} else {
		call->note(call, "'%s': cannot be read", file);
		err_set(err, E_SYSTEM, "the service account token of cluster "
		    "'%s' cannot be read: there is none in the settings",
		    c->name);
		err_detail(err, "%s", why.text);
		return PROVIDER_FAILED;
	}
	if (!credential_token_ok(token.ptr, token.len)) {
		secret_release(&token);
		err_set(err, E_CONFIG, "the service account token of cluster "
		    "'%s' holds characters that no token has",
		    c->name);
		return PROVIDER_FAILED;
	}
	credential_take_bearer(out, &token);
	return PROVIDER_OK;
}

extern const struct provider_ops provider_service_account;
const struct provider_ops provider_service_account = {
	.name = "serviceAccount",
	.flags = PROVIDER_SERVER_SIDE,
	.locate = locate,
	.obtain = obtain,
};
