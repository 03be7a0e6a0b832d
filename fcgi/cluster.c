/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making a cluster record ready to use, once, when settings are loaded. A
 * record that cannot work stays, with the reason, so that it costs only its
 * own row.
 */
#include "base.h"

#include <json-c/json.h>

#include "../providers/plugin.h"
#include "../providers/provider.h"
#include "arena.h"
#include "base64.h"
#include "cluster.h"
#include "direct_name.h"
#include "err.h"
#include "files.h"
#include "metrics.h"
#include "settings.h"
#include "shown.h"
#include "transport.h"

#define CA_MAX (1024 * 1024)	/* a bundle of all public roots is 220 KB */

const struct cluster *
clusters_find(const struct clusters *cs, const char *name)
{
	size_t i;

	for (i = 0; i < cs->n; i++)
		if (strcmp(cs->items[i]->name, name) == 0)
			return cs->items[i];
	return NULL;
}

/* Metadata that is the same as a key of the cluster, and beats it. */
static const struct {
	const char *name;
	size_t at;
} metadata_fields[] = {
	{ "kubernetes.io/oidc-token-provider",
	  offsetof(struct cluster, oidc_token_provider) },
	{ "kubernetes.io/aws-assume-role",
	  offsetof(struct cluster, assume_role) },
	{ "kubernetes.io/aws-external-id",
	  offsetof(struct cluster, external_id) },
};

void
cluster_heed_metadata(struct cluster *c)
{
	size_t i, k;

	for (i = 0; i < c->nmetadata; i++)
		for (k = 0; k < ARRAY_LEN(metadata_fields); k++)
			if (*c->metadata[i].value != '\0' &&
			    strcmp(c->metadata[i].key,
			    metadata_fields[k].name) == 0)
				*(const char **)(void *)((char *)c +
				    metadata_fields[k].at) =
				    c->metadata[i].value;
}

/* "https://host:1/base/" to "/base"; NULL if it is no http(s) URL. */
static const char *
url_base_path(struct arena *arena, const char *url)
{
	const char *host, *path;
	size_t len;

	if (strncasecmp(url, "https://", 8) == 0)
		host = url + 8;
	else if (strncasecmp(url, "http://", 7) == 0)
		host = url + 7;
	else
		return NULL;
	len = strcspn(host, "/?#");
	if (len == 0 || memchr(host, '@', len) != NULL ||
	    strpbrk(url, " ?#\\\"<>") != NULL)
		return NULL;
	path = host + len;
	len = strlen(path);
	while (len > 0 && path[len - 1] == '/')
		len--;
	return arena_strndup(arena, path, len);
}

/* The CA of the settings as PEM; the file beats the data. */
static int
load_ca(const struct cluster *c, struct secret *pem, struct err *err)
{
	struct err why = ERR_INIT;

	if (c->ca_file != NULL) {
		if (file_read(c->ca_file, CA_MAX, pem, &why) == 0)
			return 0;
		/* Who sees the row need not know our paths. */
		err_set(err, E_CONFIG, "its caFile cannot be read");
		err_detail(err, "%s", why.text);
		return E_CONFIG;
	}
	if (c->ca_data == NULL)
		return 0;
	if (strlen(c->ca_data) > CA_MAX)
		return err_set(err, E_CONFIG, "caData is too large");
	if (base64_decode(c->ca_data, pem) != 0)
		return err_set(err, E_CONFIG, "caData is not base64");
	return 0;
}

static int
connect_upstream(struct cluster *c, const struct settings *s,
    struct transport *t, struct err *err)
{
	struct secret pem = SECRET_INIT;
	struct upstream_options opt = {
		.url = c->url,
		.insecure = c->skip_tls_verify,
		.public_only = c->public_only,
		.connect_timeout = c->connect_timeout,
		.timeout = c->timeout,
		.breaker_failures = s->breaker_failures,
		.breaker_probe = s->breaker_probe,
	};
	int r;

	if ((r = load_ca(c, &pem, err)) != 0)
		goto out;
	opt.ca_pem = pem.len > 0 ? pem.ptr : NULL;
	r = upstream_get(t, &opt, &c->upstream, err);
 out:
	secret_release(&pem);
	return r;
}

static int
prepare(struct cluster *c, const struct settings *s, struct transport *t,
    struct arena *arena, struct err *err)
{
	int r;

	c->provider = provider_find(c->auth_provider);
	if (c->provider == NULL)
		c->provider = plugins_find(s->plugins, c->auth_provider);
	if (c->provider == NULL)
		return err_set(err, E_CONFIG, "authProvider '%s' is unknown",
		    c->auth_provider);
	if ((c->base_path = url_base_path(arena, c->url)) == NULL) {
		c->base_path = "";
		return err_set(err, E_CONFIG, "url '%s' is not an http or "
		    "https URL", shown(arena, c->url, NULL));
	}
	if (c->provider->check != NULL &&
	    (r = c->provider->check(c, err)) != 0)
		return r;
	return connect_upstream(c, s, t, err);
}

void
cluster_prepare(struct cluster *c, const struct settings *settings,
    struct transport *transport, struct arena *arena)
{
	struct err err = ERR_INIT;

	c->counts = metrics_cluster(c->name);
	if (c->broken != NULL) {	/* a locator knew already */
		c->base_path = "";
		return;
	}
	if (prepare(c, settings, transport, arena, &err) == 0) {
		c->direct_name = direct_name(arena, c, c->upstream);
		return;
	}
	c->broken = arena_printf(arena, "cluster '%s' cannot work: %s",
	    c->name, err.text);
	if (err.detail[0] != '\0')
		c->broken_detail = arena_strdup(arena, err.detail);
}

void
cluster_release(struct cluster *c)
{
	upstream_put(c->upstream);
	c->upstream = NULL;
	if (c->own_dashboard) {
		json_object_put(c->dashboard_parameters);
		c->dashboard_parameters = NULL;
	}
	secret_release(&c->token);
	secret_release(&c->client_certificate);
	secret_release(&c->client_key);
}

const char *
cluster_presented(const struct cluster *c)
{
	if (c->present_as != NULL)
		return c->present_as;
	/* What pages do not know they cannot show. */
	if (provider_find(c->auth_provider) == NULL ||
	    strcmp(c->auth_provider, "exec") == 0 ||
	    strcmp(c->auth_provider, "x509") == 0 || c->sign_in_stagedoor)
		return "serviceAccount";
	return c->auth_provider;
}
