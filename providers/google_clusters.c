/* SPDX-License-Identifier: Apache-2.0 */
/* Asking for the clusters of a project, and keeping what matters of them. */
#include "base.h"

#include "arena.h"
#include "google_private.h"
#include "google_clusters.h"
#include "settings.h"
#include "strbuf.h"

/* A cluster is 5 to 20 KB there, most of it about its nodes. */
#define ANSWER_MAX (8 << 20)
#define CLUSTERS_MAX 2000	/* each is a record, and perhaps connections */
#define LIFE (24 * 3600 * 1000)	/* ms for which a list is better than none */

/* --- The normal form ----------------------------------------------------- */

static int
compare_strings(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorted: the API says its maps in any order. */
static void
add_labels(struct strbuf *out, struct json_object *labels)
{
	const char **names = NULL;
	size_t i, n = 0;

	if (!json_object_is_type(labels, json_type_object))
		return;
	json_object_object_foreach(labels, key, value)
		if (json_object_is_type(value, json_type_string))
			ARRAY_PUSH(names, n) = key;
	if (n > 0)
		qsort(names, n, sizeof(*names), compare_strings);
	strbuf_addstr(out, ",\"labels\":{");
	for (i = 0; i < n; i++)
		jsonx_add_pair(out, names[i], jsonx_str(labels, names[i]));
	strbuf_addch(out, '}');
	free(names);
}

static void
add_string(struct strbuf *out, const char *key, const char *value)
{
	if (value != NULL && *value != '\0')
		jsonx_add_pair(out, key, value);
}

static void
add_cluster(struct strbuf *out, struct json_object *c)
{
	const char *name = jsonx_str(c, "name");
	const char *endpoint = jsonx_str(c, "endpoint");
	const char *dns = jsonx_str(jsonx_get(jsonx_get(c,
	    "controlPlaneEndpointsConfig"), "dnsEndpointConfig"), "endpoint");

	jsonx_add_comma(out);
	strbuf_addch(out, '{');
	jsonx_add_pair(out, "name", name != NULL ? name : "");
	add_string(out, "endpoint", endpoint);
	add_string(out, "dns", dns);
	add_string(out, "ca", jsonx_str(jsonx_get(c, "masterAuth"),
	    "clusterCaCertificate"));
	/* It changes often, and matters only as a reason. */
	if (endpoint == NULL && dns == NULL)
		add_string(out, "status", jsonx_str(c, "status"));
	add_labels(out, jsonx_get(c, "resourceLabels"));
	strbuf_addch(out, '}');
}

/* A member that is a list or not there. */
static bool
list_of(struct json_object *answer, const char *key, struct json_object **out,
    size_t *n)
{
	*out = jsonx_get(answer, key);
	*n = 0;
	if (*out == NULL)
		return true;
	if (!json_object_is_type(*out, json_type_array))
		return false;
	*n = json_object_array_length(*out);
	return true;
}

static void
add_zones(struct strbuf *out, struct json_object *zones, size_t n)
{
	const char **names = NULL;
	size_t i, count = 0;

	for (i = 0; i < n; i++) {
		struct json_object *z = json_object_array_get_idx(zones, i);

		if (json_object_is_type(z, json_type_string))
			ARRAY_PUSH(names, count) = json_object_get_string(z);
	}
	if (count > 0)
		qsort(names, count, sizeof(*names), compare_strings);
	for (i = 0; i < count; i++) {
		jsonx_add_comma(out);
		jsonx_add_string(out, names[i], strlen(names[i]));
	}
	free(names);
}

int
google_clusters_reduce(struct json_object *answer, struct strbuf *out,
    struct err *err)
{
	struct json_object *clusters, *zones, *c;
	size_t i, n, nzones;

	if (!list_of(answer, "clusters", &clusters, &n) ||
	    !list_of(answer, "missingZones", &zones, &nzones))
		return err_set(err, E_PROTOCOL, "the answer is no list of "
		    "clusters");
	if (n > CLUSTERS_MAX)
		return err_set(err, E_TOOLARGE, "the answer lists more than "
		    "%d clusters: name a region", CLUSTERS_MAX);
	strbuf_addstr(out, "{\"clusters\":[");
	for (i = 0; i < n; i++) {
		c = json_object_array_get_idx(clusters, i);
		if (!json_object_is_type(c, json_type_object))
			return err_set(err, E_PROTOCOL, "the answer's list "
			    "has what is no cluster");
		add_cluster(out, c);
	}
	strbuf_addstr(out, "],\"missingZones\":[");
	add_zones(out, zones, nzones);
	strbuf_addstr(out, "]}");
	return 0;
}

/* --- Asking -------------------------------------------------------------- */

struct asking {
	const struct settings *settings;
	const struct google_place *at;
	char *url;
};

static char *
url_of(struct arena *arena, const struct google_place *at)
{
	size_t len = strlen(at->api);

	while (len > 0 && at->api[len - 1] == '/')
		len--;
	return arena_printf(arena, "%.*s/v1/projects/%s/locations/%s/clusters",
	    (int)len, at->api, google_encode(arena, at->project),
	    google_encode(arena, at->region));
}

static int
ask(struct google_work *w, const char *url, const struct secret *token,
    struct source_value *out, struct err *err)
{
	const char *headers[] = { arena_printf(w->call->scratch,
	    "Authorization: Bearer %s", token->ptr), NULL };
	struct strbuf list = STRBUF_INIT(STRBUF_UNLIMITED);
	struct json_object *answer;
	int r;

	google_hide(w, token->ptr);
	r = google_ask(w, &(struct http_request){ .url = url,
	    .headers = headers, .limit = ANSWER_MAX }, &answer, err);
	if (r == E_DENIED && w->status == 401)
		r = err->code = E_AUTH;
	if (r != 0)
		return r;
	r = google_clusters_reduce(answer, &list, err);
	if (r == 0)
		secret_set(&out->part[0], list.buf, list.len);
	strbuf_wipe(&list);
	jsonx_wipe(answer);
	return r;
}

/* With a token; what follows is for a person who may change something. */
static const char *
advice(int code)
{
	switch (code) {
	case E_DENIED:
		return " (does the project exist, with the Kubernetes Engine "
		    "API on, and has the server's account a role like "
		    "roles/container.clusterViewer there?)";
	default:
		return "";
	}
}

static int
make(const struct provider_call *call, const void *ctx,
    struct source_value *out, struct err *err)
{
	const struct asking *a = ctx;
	struct google_work w = { .call = call, .clock = call->now };
	struct source_value token = SOURCE_VALUE_INIT;
	struct err why = ERR_INIT;
	const char *todo = "";
	int r = google_token(call, a->settings, GOOGLE_SCOPES, &token, &why);

	if (r == 0 && (r = ask(&w, a->url, &token.part[0], out, &why)) != 0)
		todo = advice(r);
	source_value_release(&token);
	out->retry_after = w.retry_after;
	out->expires = call->now + LIFE;
	out->margin = LIFE - (int64_t)(a->at->refresh * 1000);
	if (r == 0 || r == E_PENDING)
		return r;
	err_set(err, r, "cannot list the clusters of project '%s', region "
	    "'%s': %s%s", a->at->project, a->at->region, why.text, todo);
	err_detail(err, "%s", why.detail);
	return r;
}

int
google_clusters(const struct provider_call *call, const struct settings *s,
    const struct google_place *at, struct source_value *out, struct err *err)
{
	struct asking a = { s, at, url_of(call->scratch, at) };
	const char *inputs[] = { a.url,
	    arena_printf(call->scratch, "%g", at->refresh),
	    s->google_credentials.len > 0 ? s->google_credentials.ptr : "",
	    s->google_credentials_file != NULL ? s->google_credentials_file :
	    "", NULL };
	const struct source source = { .kind = "gke list", .inputs = inputs,
	    .make = make, .ctx = &a };

	if (!google_url_ok(at->api, GOOGLE_TLS))
		return err_set(err, E_CONFIG, "cannot list the clusters of "
		    "project '%s': '%s' is neither https nor on loopback, and "
		    "would get the server's token", at->project, at->api);
	return call->source(call, &source, out, err);
}
