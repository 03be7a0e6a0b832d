/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gke locator: a list of clusters, as providers/google_clusters.h has it,
 * to records. Which list that is, and how old, is list_keeper.h's matter.
 */
#include "base.h"

#include <arpa/inet.h>

#include "arena.h"
#include "jsonx.h"
#include "locator.h"
#include "log.h"
#include "settings.h"

#define HOST_MAX_LEN 255
#define ZONES_SHOWN 10
#define DIGITS "0123456789"
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

static bool
port_ok(const char *s)
{
	size_t len = strlen(s);

	return len > 0 && len <= 5 && strspn(s, DIGITS) == len &&
	    strtol(s, NULL, 10) > 0 && strtol(s, NULL, 10) <= 65535;
}

/* "https://HOST" of a name or an address, with a port or not; NULL: it is
   none, and nothing may be sent there. */
static const char *
url_of(struct arena *arena, const char *host)
{
	struct in6_addr six;
	size_t len = strspn(host, LETTERS DIGITS "-.");

	if (inet_pton(AF_INET6, host, &six) == 1)
		return arena_printf(arena, "https://[%s]", host);
	if (len == 0 || len > HOST_MAX_LEN || host[0] == '-' ||
	    host[0] == '.' || (host[len] != '\0' && (host[len] != ':' ||
	    !port_ok(host + len + 1))))
		return NULL;
	return arena_printf(arena, "https://%s", host);
}

static bool
has_labels(const struct gke_settings *gke, struct json_object *item)
{
	struct json_object *labels = jsonx_get(item, "labels");
	size_t i;

	for (i = 0; i < gke->nlabels; i++) {
		const char *value = jsonx_str(labels, gke->labels[i].key);

		if (value == NULL || strcmp(value, gke->labels[i].value) != 0)
			return false;
	}
	return true;
}

/*
 * Behind the public address stands the cluster's own CA; the DNS endpoint has
 * a certificate of the public ones.
 */
static void
fill_address(const struct locating *l, struct cluster *c,
    struct json_object *item)
{
	const char *host = jsonx_str(item, "endpoint");
	const char *dns = jsonx_str(item, "dns");
	const char *status = jsonx_str(item, "status");
	bool known = status != NULL && locator_name_ok(status);
	bool use_dns = l->locator->gke.dns && dns != NULL;

	if (l->locator->gke.dns && dns == NULL && host != NULL)
		log_info("cluster '%s' of GKE has no DNS endpoint: its public "
		    "address is used", c->name);
	if (use_dns)
		host = dns;
	else
		c->ca_data = arena_strdup(l->arena, jsonx_str(item, "ca"));
	c->url = host != NULL ? url_of(l->arena, host) : NULL;
	if (c->url != NULL)
		return;
	c->url = "https://";
	if (host != NULL)
		c->broken = arena_printf(l->arena, "cluster '%s' cannot work: "
		    "GKE's list has an address for it that is none", c->name);
	else
		c->broken = arena_printf(l->arena, "cluster '%s' cannot work: "
		    "GKE's list has no address for it%s%s%s", c->name,
		    known ? " (" : "", known ? status : "", known ? ")" : "");
}

/* What Backstage's formatter of GKE's console wants. */
static void
fill_dashboard(const struct gke_settings *gke, struct cluster *c)
{
	struct json_object *p = json_object_new_object();

	json_object_object_add(p, "projectId",
	    json_object_new_string(gke->project));
	json_object_object_add(p, "region",
	    json_object_new_string(gke->region));
	json_object_object_add(p, "clusterName",
	    json_object_new_string(c->name));
	c->dashboard_app = "gke";
	c->dashboard_parameters = p;
	c->own_dashboard = true;
}

static void
add_item(const struct locating *l, struct json_object *item)
{
	const struct gke_settings *gke = &l->locator->gke;
	const char *name = jsonx_str(item, "name");
	struct cluster *c;

	if (!has_labels(gke, item))
		return;
	if (name == NULL || !locator_name_ok(name)) {
		problems_add(l->problems, true, "%s: a cluster of project '%s' "
		    "has a name that is none: it is left out",
		    l->locator->where, gke->project);
		return;
	}
	c = locator_cluster(l->settings, l->arena, name);
	c->where = l->locator->where;
	/* As Backstage: whatever else is written there is google. */
	c->auth_provider = strcmp(gke->auth_provider,
	    "googleServiceAccount") == 0 ? "googleServiceAccount" : "google";
	c->skip_tls_verify = gke->skip_tls_verify;
	c->skip_metrics = gke->skip_metrics;
	fill_address(l, c, item);
	if (gke->dashboard)
		fill_dashboard(gke, c);
	locator_add(l->out, c);
}

static void
report_zones(const struct locating *l, struct json_object *zones)
{
	char *names = arena_strdup(l->arena, "");
	size_t i, n = json_object_array_length(zones);

	for (i = 0; i < n && i < ZONES_SHOWN; i++) {
		const char *zone = json_object_get_string(
		    json_object_array_get_idx(zones, i));

		names = arena_printf(l->arena, "%s%s%s", names, i > 0 ? ", " :
		    "", locator_name_ok(zone) ? zone : "(a zone whose name is "
		    "none)");
	}
	if (n > 0)
		problems_add(l->problems, true, "%s: GKE's list of project "
		    "'%s' is not whole: clusters in %s%s are missing for now, "
		    "as Google could not ask there", l->locator->where,
		    l->locator->gke.project, names, n > ZONES_SHOWN ?
		    " and more zones" : "");
}

void
locator_gke(const struct locating *l, const char *list)
{
	struct json_object *tree, *clusters, *zones;
	size_t i;

	if (jsonx_parse(list, strlen(list), &tree, NULL) != 0)
		BUG("a list of GKE is no JSON");
	clusters = jsonx_get(tree, "clusters");
	zones = jsonx_get(tree, "missingZones");
	if (!json_object_is_type(clusters, json_type_array) ||
	    !json_object_is_type(zones, json_type_array))
		BUG("a list of GKE is none");
	for (i = 0; i < json_object_array_length(clusters); i++)
		add_item(l, json_object_array_get_idx(clusters, i));
	report_zones(l, zones);
	json_object_put(tree);
}
