/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a cluster's credentials are still those of the same origin: what of
 * the settings goes into them, as a hash. The values of files and clouds,
 * which are renewed, are no part of it.
 */
#include "base.h"

#include <openssl/hmac.h>

#include "cluster.h"
#include "live_private.h"
#include "settings.h"

/* With its end, and apart from one that is not set. */
static void
add(struct strbuf *sb, const char *s)
{
	strbuf_addch(sb, s != NULL ? 's' : '-');
	strbuf_add(sb, s != NULL ? s : "", s != NULL ? strlen(s) + 1 : 1);
}

static void
add_secret(struct strbuf *sb, const struct secret *s)
{
	strbuf_addf(sb, "%zu:", s->len);
	if (s->len > 0)
		strbuf_add(sb, s->ptr, s->len);
}

static void
add_pairs(struct strbuf *sb, const struct pair *pairs, size_t n)
{
	size_t i;

	strbuf_addf(sb, "%zu:", n);
	for (i = 0; i < n; i++) {
		add(sb, pairs[i].key);
		add(sb, pairs[i].value);
	}
}

static void
add_cluster(struct strbuf *sb, const struct cluster *c)
{
	const struct exec_plugin *exec = &c->exec;
	size_t i;

	add(sb, c->name);
	add(sb, c->url);
	add(sb, c->auth_provider);
	add_secret(sb, &c->token);
	add(sb, c->token_file);
	add_secret(sb, &c->client_certificate);
	add_secret(sb, &c->client_key);
	add(sb, c->client_certificate_file);
	add(sb, c->client_key_file);
	add(sb, c->assume_role);
	add(sb, c->external_id);
	add_pairs(sb, c->metadata, c->nmetadata);
	add(sb, exec->command);
	add_pairs(sb, exec->env, exec->nenv);
	add(sb, exec->config);
	for (i = 0; i < exec->args.n; i++)
		add(sb, exec->args.items[i]);
}

static void
add_account(struct strbuf *sb, const struct aws_account *a)
{
	add(sb, a->id);
	add(sb, a->access_key_id);
	add_secret(sb, &a->secret_access_key);
	add(sb, a->profile);
	add(sb, a->role_name);
	add(sb, a->region);
	add(sb, a->partition);
	add(sb, a->external_id);
	add(sb, a->web_identity_token_file);
}

/* What the providers of all clusters read. */
static void
add_settings(struct strbuf *sb, const struct settings *s)
{
	size_t i;

	add_account(sb, &s->aws.main);
	add_account(sb, &s->aws.defaults);
	for (i = 0; i < s->aws.naccounts; i++)
		add_account(sb, &s->aws.accounts[i]);
	add_secret(sb, &s->google_credentials);
	add(sb, s->google_credentials_file);
	add(sb, s->cloud.google_api);
	add(sb, s->cloud.entra_host);
	add(sb, s->cloud.azure_credential);
	add(sb, s->cloud.sts_endpoint);
	for (i = 0; i < s->ncustom_providers; i++) {
		add(sb, s->custom_providers[i].name);
		add(sb, s->custom_providers[i].path);
		add(sb, s->custom_providers[i].settings);
	}
}

void
live_identify(const struct live *l, const struct live_options *opt,
    const struct cluster *c, unsigned char out[LIVE_IDENTITY])
{
	struct strbuf sb = STRBUF_INIT(STRBUF_UNLIMITED);
	unsigned n = LIVE_IDENTITY;

	add_cluster(&sb, c);
	add_settings(&sb, opt->settings);
	if (HMAC(EVP_sha256(), l->key, sizeof(l->key),
	    (const unsigned char *)sb.buf, sb.len, out, &n) == NULL)
		BUG("HMAC failed");
	strbuf_wipe(&sb);
}
