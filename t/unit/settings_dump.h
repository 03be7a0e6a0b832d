/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Settings as text, everything that is in the struct but the places where it
 * was written: two settings are the same if their dumps are.
 */
#ifndef STAGEDOOR_TEST_SETTINGS_DUMP_H
#define STAGEDOOR_TEST_SETTINGS_DUMP_H

#include <json-c/json.h>

#include "settings.h"
#include "strbuf.h"

#define TEXT(s) ((s) != NULL ? (s) : "(none)")

static inline void
dump_strings(struct strbuf *out, const char *name,
    const struct string_list *list)
{
	size_t i;

	strbuf_addf(out, "%s:", name);
	for (i = 0; i < list->n; i++)
		strbuf_addf(out, " %s", list->items[i]);
	strbuf_addch(out, '\n');
}

static inline void
dump_custom(struct strbuf *out, const struct custom_resource *cr, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		strbuf_addf(out, "custom %s %s %s\n", cr[i].group,
		    cr[i].version, cr[i].plural);
}

static inline void
dump_cluster(struct strbuf *out, const struct cluster *c)
{
	size_t i;

	strbuf_addf(out, "cluster %s title %s url %s provider %s oidc %s as %s"
	    " token %.*s role %s id %s ca %s %s dash %s %s %s broken %s\n",
	    c->name, TEXT(c->title), c->url, c->auth_provider,
	    TEXT(c->oidc_token_provider), TEXT(c->present_as),
	    (int)c->token.len, TEXT(c->token.ptr), TEXT(c->assume_role),
	    TEXT(c->external_id), TEXT(c->ca_data), TEXT(c->ca_file),
	    TEXT(c->dashboard_url), TEXT(c->dashboard_app),
	    json_object_to_json_string(c->dashboard_parameters),
	    TEXT(c->broken));
	strbuf_addf(out, "flags %d%d%d%d%d%d times %g %g\n",
	    c->sign_in_stagedoor, c->skip_tls_verify, c->skip_metrics,
	    c->custom_set, c->guests, c->read_only, c->connect_timeout,
	    c->timeout);
	for (i = 0; i < c->nmetadata; i++)
		strbuf_addf(out, "meta %s=%s\n", c->metadata[i].key,
		    c->metadata[i].value);
	strbuf_addf(out, "impersonate %d %s %s %s %s\n", c->impersonate.on,
	    c->impersonate.user, TEXT(c->impersonate.uid),
	    TEXT(c->impersonate.user_prefix),
	    TEXT(c->impersonate.group_prefix));
	for (i = 0; i < c->impersonate.nextra; i++)
		strbuf_addf(out, "extra %s=%s\n",
		    c->impersonate.extra[i].key,
		    c->impersonate.extra[i].value);
	dump_strings(out, "groups", &c->impersonate.groups);
	dump_strings(out, "allow", &c->allow);
	dump_custom(out, c->custom, c->ncustom);
}

static inline void
dump_kubernetes(struct strbuf *out, const struct settings *s)
{
	size_t i, k;

	strbuf_addf(out, "kubernetes %d service %d types %d\n",
	    s->have_kubernetes, (int)s->service_locator, s->object_types_set);
	dump_strings(out, "types", &s->object_types);
	for (i = 0; i < s->napi_versions; i++)
		strbuf_addf(out, "version %s=%s\n", s->api_versions[i].key,
		    s->api_versions[i].value);
	dump_custom(out, s->custom, s->ncustom);
	for (i = 0; i < s->nlocators; i++) {
		const struct locator_settings *ls = &s->locators[i];

		strbuf_addf(out, "locator %d %s\n", (int)ls->type,
		    TEXT(ls->path));
		dump_strings(out, "contexts", &ls->contexts);
		for (k = 0; k < ls->nclusters; k++)
			dump_cluster(out, &ls->clusters[k]);
	}
}

static inline void
dump_backend(struct strbuf *out, const struct settings *s)
{
	size_t i, k;

	strbuf_addf(out, "backend %d %s open %d permission %d\n",
	    s->have_backend, TEXT(s->backend_base_url), s->auth_disabled,
	    s->permission_enabled);
	for (i = 0; i < s->nexternal; i++) {
		const struct external_access *ea = &s->external[i];

		strbuf_addf(out, "access %s %s %d\n", ea->token.ptr,
		    ea->subject, ea->has_restrictions);
		for (k = 0; k < ea->nrestrictions; k++) {
			strbuf_addf(out, "only %s %d\n",
			    ea->restrictions[k].plugin,
			    ea->restrictions[k].has_permissions);
			dump_strings(out, "permissions",
			    &ea->restrictions[k].permissions);
		}
	}
	for (i = 0; i < s->ndiscovery; i++) {
		strbuf_addf(out, "at %s\n", s->discovery[i].target);
		dump_strings(out, "plugins", &s->discovery[i].plugins);
	}
}

static inline void
dump_settings(struct strbuf *out, const struct settings *s)
{
	dump_kubernetes(out, s);
	dump_backend(out, s);
	strbuf_addf(out, "base %s public %s backstage %d guest %s remote %d\n",
	    s->base_path, TEXT(s->public_url), s->identity_backstage,
	    s->guest, s->remote_user);
	dump_strings(out, "origins", &s->origins);
	strbuf_addf(out, "token %s fresh %g listen %s group %s mode %o\n",
	    TEXT(s->backstage_token.ptr), s->catalog_fresh, s->listen,
	    s->socket_group, s->socket_mode);
	strbuf_addf(out, "threads %u %u limits %g %g %g %zu %zu\n",
	    s->threads, s->streams, s->limit_connect, s->limit_cluster,
	    s->limit_drain, s->limit_request_body, s->limit_response);
	strbuf_addf(out, "breaker %u %g ca %s log %d %d\n",
	    s->breaker_failures, s->breaker_probe, TEXT(s->ca_file),
	    s->log_level, s->log_syslog);
}

#endif
