/* SPDX-License-Identifier: Apache-2.0 */
/* Asking the catalog for clusters, and keeping what matters of them. */
#include "base.h"

#include "../providers/provider.h"
#include "arena.h"
#include "backstage.h"
#include "catalog_clusters.h"
#include "catalog_url.h"
#include "jsonx.h"
#include "settings.h"
#include "strbuf.h"

#define ANSWER_MAX (32 << 20)	/* bytes: people note much in entities */
#define CLUSTERS_MAX 5000	/* each is a record, and perhaps connections */
#define NOTES_MAX (64 * 1024)	/* bytes of what is kept of one */
#define LIFE (24 * 3600 * 1000)	/* ms for which a list is better than none */
#define LOOK_MS 3000		/* to begin with the last of the names */

#define NOTE "metadata.annotations." KUBERNETES_IO
#define FILTER "kind=Resource,spec.type=kubernetes-cluster," \
	NOTE "api-server," NOTE "api-server-certificate-authority," \
	NOTE "auth-provider"

/* --- The normal form ----------------------------------------------------- */

static struct json_object *
annotations_of(struct json_object *entity)
{
	return jsonx_get(jsonx_get(entity, "metadata"), "annotations");
}

/* The hosts that are names, and what they stand for. */
struct hosts {
	struct arena *arena;
	const char **names;	/* one for each entity; "": none */
	enum address_verdict *verdicts;
	size_t n;
};

static void
hosts_add(struct hosts *h, struct json_object *entity)
{
	const char *text = jsonx_str(annotations_of(entity),
	    KUBERNETES_IO "api-server");
	struct catalog_url u = { .host = NULL };
	const char **name = &ARRAY_PUSH(h->names, h->n);

	*name = "";
	if (text != NULL && catalog_url_read(h->arena, text, &u) == NULL &&
	    !u.literal)
		*name = u.host;
}

static int
by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Each name once, sorted; how many. */
static size_t
unique(const char **names, size_t n)
{
	size_t i, out = 0;

	qsort(names, n, sizeof(*names), by_text);
	for (i = 0; i < n; i++)
		if (*names[i] != '\0' &&
		    (out == 0 || strcmp(names[out - 1], names[i]) != 0))
			names[out++] = names[i];
	return out;
}

static void
hosts_look(struct hosts *h, address_resolver *resolve)
{
	const char **once, **at;
	enum address_verdict *found;
	size_t i, n;

	if (h->n == 0)
		return;
	once = xcalloc(h->n, sizeof(*once));
	memcpy(once, h->names, h->n * sizeof(*once));
	n = unique(once, h->n);
	found = xcalloc(n + 1, sizeof(*found));
	address_look_all(&(struct address_looking){ .hosts = once, .n = n,
	    .ms = LOOK_MS, .resolve = resolve }, found);
	h->verdicts = xcalloc(h->n, sizeof(*h->verdicts));
	for (i = 0; i < h->n; i++) {
		at = bsearch(&h->names[i], once, n, sizeof(*once), by_text);
		h->verdicts[i] = at != NULL ? found[at - once] :
		    ADDRESS_UNKNOWN;
	}
	free(once);
	free(found);
}

static void
add_annotations(struct strbuf *out, struct json_object *notes)
{
	size_t start = out->len;

	strbuf_addstr(out, ",\"annotations\":{");
	json_object_object_foreach(notes, key, value)
		if (str_starts(key, KUBERNETES_IO) &&
		    json_object_is_type(value, json_type_string) &&
		    out->len - start + strlen(key) + (size_t)
		    json_object_get_string_len(value) < NOTES_MAX)
			jsonx_add_pair(out, key, json_object_get_string(value));
	strbuf_addch(out, '}');
}

static void
add_entity(struct strbuf *out, struct json_object *entity,
    enum address_verdict verdict)
{
	struct json_object *meta = jsonx_get(entity, "metadata");
	const char *name = jsonx_str(meta, "name");
	const char *title = jsonx_str(meta, "title");
	struct json_object *notes = annotations_of(entity);

	jsonx_add_comma(out);
	strbuf_addch(out, '{');
	jsonx_add_pair(out, "name", name != NULL ? name : "");
	if (title != NULL)
		jsonx_add_pair(out, "title", title);
	if (verdict == ADDRESS_PRIVATE || verdict == ADDRESS_ABSENT)
		jsonx_add_pair(out, "dns", verdict == ADDRESS_PRIVATE ?
		    "private" : "absent");
	if (json_object_is_type(notes, json_type_object))
		add_annotations(out, notes);
	strbuf_addch(out, '}');
}

static int
check_answer(struct json_object *answer, struct err *err)
{
	size_t i, n;

	if (!json_object_is_type(answer, json_type_array))
		return err_set(err, E_PROTOCOL, "the answer is no list of "
		    "entities");
	n = json_object_array_length(answer);
	if (n > CLUSTERS_MAX)
		return err_set(err, E_TOOLARGE, "the catalog lists more than "
		    "%d clusters", CLUSTERS_MAX);
	for (i = 0; i < n; i++)
		if (!json_object_is_type(json_object_array_get_idx(answer, i),
		    json_type_object))
			return err_set(err, E_PROTOCOL, "the answer's list "
			    "has what is no entity");
	return 0;
}

int
catalog_clusters_reduce(struct json_object *answer, address_resolver *resolve,
    struct strbuf *out, struct err *err)
{
	struct hosts hosts = { .n = 0 };
	size_t i, n;
	int r;

	if ((r = check_answer(answer, err)) != 0)
		return r;
	n = json_object_array_length(answer);
	hosts.arena = arena_new();
	for (i = 0; i < n; i++)
		hosts_add(&hosts, json_object_array_get_idx(answer, i));
	hosts_look(&hosts, resolve);
	strbuf_addch(out, '[');
	for (i = 0; i < n; i++)
		add_entity(out, json_object_array_get_idx(answer, i),
		    hosts.verdicts[i]);
	strbuf_addch(out, ']');
	free(hosts.names);
	free(hosts.verdicts);
	arena_free(hosts.arena);
	return 0;
}

/* --- Asking -------------------------------------------------------------- */

struct asking {
	const struct settings *settings;
	double refresh;
	char *url;
};

static char *
url_of(struct arena *arena, const char *base)
{
	struct strbuf sb = STRBUF_INIT(STRBUF_UNLIMITED);
	char *url;

	strbuf_addf(&sb, "%s/entities?filter=", base);
	strbuf_add_percent(&sb, FILTER, "");
	url = arena_strdup(arena, sb.buf);
	strbuf_release(&sb);
	return url;
}

/* What came instead of a list. */
static int
refused(const struct http_answer *a, struct err *err)
{
	char text[64];

	backstage_status_text(a->status, text, sizeof(text));
	return err_set(err, E_PROTOCOL, "%s%s", text,
	    a->status == 401 || a->status == 403 ? " (is "
	    "stagedoor.backstage.token a token of backend.auth.externalAccess "
	    "that may read the catalog?)" : "");
}

static int
read_answer(const struct http_answer *a, struct source_value *out,
    struct err *err)
{
	struct strbuf list = STRBUF_INIT(STRBUF_UNLIMITED);
	struct json_object *tree = NULL;
	int r;

	if (a->status < 200 || a->status > 299)
		return refused(a, err);
	if ((r = jsonx_parse(a->body.len > 0 ? a->body.ptr : "", a->body.len,
	    &tree, err)) != 0)
		return r;
	r = catalog_clusters_reduce(tree, NULL, &list, err);
	if (r == 0)
		secret_set(&out->part[0], list.buf, list.len);
	json_object_put(tree);
	strbuf_release(&list);
	return r;
}

static int
ask(const struct provider_call *call, const struct asking *a,
    struct source_value *out, struct err *err)
{
	const struct secret *token = &a->settings->backstage_token;
	const char *headers[] = { "Accept: application/json", NULL, NULL };
	const struct http_request rq = { .url = a->url, .headers = headers,
	    .limit = ANSWER_MAX };
	struct http_answer answer = HTTP_ANSWER_INIT;
	int r;

	if (token->len > 0)
		headers[1] = arena_printf(call->scratch,
		    "Authorization: Bearer %s", token->ptr);
	if ((r = call->http(call, &rq, &answer, err)) == 0)
		r = read_answer(&answer, out, err);
	out->retry_after = answer.retry_after;
	http_answer_release(&answer);
	return r;
}

static int
make(const struct provider_call *call, const void *ctx,
    struct source_value *out, struct err *err)
{
	const struct asking *a = ctx;
	struct err why = ERR_INIT;
	int r = ask(call, a, out, &why);

	out->expires = call->now + LIFE;
	out->margin = LIFE - (int64_t)(a->refresh * 1000);
	if (r == 0)
		return 0;
	err_set(err, r, "cannot list the clusters of Backstage's catalog: %s",
	    why.text);
	err_detail(err, "%s", why.detail);
	return r;
}

int
catalog_clusters(const struct provider_call *call, const struct settings *s,
    const struct catalog_place *at, struct source_value *out, struct err *err)
{
	struct asking a = { s, at->refresh, url_of(call->scratch, at->base) };
	const char *inputs[] = { a.url, arena_printf(call->scratch, "%g",
	    at->refresh), s->backstage_token.len > 0 ?
	    s->backstage_token.ptr : "", NULL };
	const struct source source = { .kind = "catalog list",
	    .inputs = inputs, .make = make, .ctx = &a };

	if (at->base[0] == '\0')
		return err_set(err, E_CONFIG, "cannot list the clusters of "
		    "Backstage's catalog: its address is not known; set "
		    "backend.baseUrl or discovery.endpoints");
	return call->source(call, &source, out, err);
}
