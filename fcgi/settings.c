/* SPDX-License-Identifier: Apache-2.0 */
/* Settings as a whole: read, check, fill the struct, let go of it. */
#include "base.h"

#include <json-c/json.h>

#include "arena.h"
#include "err.h"
#include "files.h"
#include "identity.h"
#include "jsonx.h"
#include "layer.h"
#include "settings_read.h"
#include "settings_rules.h"
#include "verify.h"
#include "../providers/plugin.h"

#define TOKEN_FILE_MAX 65536

static void
read_kubernetes(struct settings *s, const struct node *k)
{
	const struct node *map = node_get(k, "apiVersionOverrides");
	size_t i, n;

	s->have_kubernetes = k != NULL;
	s->object_types_set = node_get(k, "objectTypes") != NULL;
	read_locators(s, k);
	read_custom(s->arena, node_get(k, "customResources"), &s->custom,
	    &s->ncustom);
	s->api_versions = read_room(s->arena, map, sizeof(*s->api_versions),
	    &n);
	for (i = 0; i < n; i++) {
		struct pair *p = &s->api_versions[s->napi_versions];

		/* Of types that are not listed anything may stand there. */
		if (!object_type_listed(k, map->items[i]->key))
			continue;
		p->key = arena_strdup(s->arena, map->items[i]->key);
		p->value = arena_strdup(s->arena, map->items[i]->string);
		s->napi_versions++;
	}
}

/* "https://Host:443/x" to "https://host", as browsers write an Origin. */
static const char *
origin_of(struct arena *arena, const char *url)
{
	bool tls = strncasecmp(url, "https", 5) == 0;
	const char *port = tls ? ":443" : ":80";
	const char *host = strstr(url, "://") + 3;
	size_t len = strcspn(host, "/?#"), plen = strlen(port);
	char *origin, *p;

	if (len > plen && strncmp(host + len - plen, port, plen) == 0)
		len -= plen;
	origin = arena_printf(arena, "%s://%.*s", tls ? "https" : "http",
	    (int)len, host);
	for (p = origin; *p != '\0'; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p += 'a' - 'A';
	return origin;
}

static void
read_identity(struct settings *s, const struct node *root)
{
	const struct node *ours = node_get(node_get(root, "stagedoor"),
	    "identity");
	size_t i;

	if (ours == NULL && s->have_backend)
		s->identity_backstage = true;
	if (*s->guest != '\0')
		s->guest = identity_ref(s->arena, s->guest, "user");
	for (i = 0; i < s->origins.n; i++)
		s->origins.items[i] = origin_of(s->arena,
		    s->origins.items[i]);
	if (node_get(ours, "origins") == NULL && s->public_url != NULL) {
		s->origins.items = arena_alloc(s->arena, sizeof(char *));
		s->origins.items[s->origins.n++] = origin_of(s->arena,
		    s->public_url);
	}
}

static const char *
place_of(struct arena *arena, const struct node *n)
{
	return n == NULL ? NULL : arena_printf(arena, "%s:%u",
	    n->source->name, n->line);
}

/* What is passed on is not kept as a tree: json-c leaves copies behind. */
static const char *
settings_text(struct arena *arena, const struct node *n)
{
	struct json_object *tree = n != NULL ? node_to_json(n) : NULL;
	struct strbuf sb = STRBUF_INIT(TREE_BYTES_MAX);
	const char *text;

	jsonx_add_tree(&sb, tree);
	jsonx_wipe(tree);
	text = arena_strndup(arena, sb.buf, sb.len);
	strbuf_wipe(&sb);
	return text;
}

static void
read_custom_providers(struct settings *s, const struct node *list)
{
	const struct key *keys = keys_find(keys_find(keys_root,
	    "stagedoor")->keys, "providers")->keys;
	size_t i;

	s->custom_providers = read_room(s->arena, list,
	    sizeof(*s->custom_providers), &s->ncustom_providers);
	for (i = 0; i < s->ncustom_providers; i++) {
		struct custom_provider *p = &s->custom_providers[i];
		const struct node *n = list->items[i];

		read_keys(s->arena, keys, n, p);
		p->settings = settings_text(s->arena, node_get(n, "settings"));
		p->where = place_of(s->arena, n);
	}
}

/* No list is this machine; an empty one is nobody. */
static void
read_metrics(struct settings *s, const struct node *ours)
{
	static const char *own[] = { "127.0.0.1/8", "::1" };

	if (node_get(node_get(ours, "metrics"), "allow") == NULL)
		s->metrics_allow = (struct string_list){ .items = own,
		    .n = ARRAY_LEN(own) };
}

static void
read_ours(struct settings *s, const struct node *root)
{
	const struct node *ours = node_get(root, "stagedoor");
	const struct node *store = node_get(ours, "store");
	size_t len = strlen(s->base_path);

	while (len > 0 && s->base_path[len - 1] == '/')
		len--;
	s->base_path = arena_strndup(s->arena, s->base_path, len);
	read_identity(s, root);
	read_metrics(s, ours);
	read_custom_providers(s, node_get(ours, "providers"));
	read_logins(s, node_get(ours, "login"));
	s->ca_file_at = place_of(s->arena, node_get(ours, "caFile"));
	s->socket_group_at = place_of(s->arena, node_get(ours,
	    "socketGroup"));
	s->store_password_file_at = place_of(s->arena, node_get(store,
	    "passwordFile"));
	s->store_path_at = place_of(s->arena, node_get(store, "path"));
	s->store_key_file_at = place_of(s->arena, node_get(store,
	    "keyFile"));
	s->audit_at = place_of(s->arena, node_get(ours, "audit"));
	/* A smaller pool gives streams no more than half of it. */
	if (node_get(ours, "streams") == NULL && s->streams >= s->threads)
		s->streams = SD_MAX(s->threads / 2, 1U);
}

static void
read_aws(struct settings *s, const struct node *aws)
{
	const struct node *list = node_get(aws, "accounts");
	const struct key *keys = keys_find(keys_aws, "accounts")->keys;
	size_t i;

	s->aws.accounts = read_room(s->arena, list, sizeof(*s->aws.accounts),
	    &s->aws.naccounts);
	for (i = 0; i < s->aws.naccounts; i++)
		read_keys(s->arena, keys, list->items[i],
		    &s->aws.accounts[i]);
}

/* Must be readable now: nothing else could tell why later. */
static void
read_backstage_token(struct tree *t, const struct node *root,
    struct secret *token)
{
	const struct node *n = node_get(node_get(node_get(root, "stagedoor"),
	    "backstage"), "tokenFile");
	struct err err = ERR_INIT;

	if (n != NULL && n->type == NODE_STRING && *n->string != '\0' &&
	    file_read(n->string, TOKEN_FILE_MAX, token, &err) != 0)
		tree_problem(t, false, n, "stagedoor.backstage.tokenFile",
		    "%s", err.text);
}

/* token: of a file, which beats the one in the settings. */
static struct settings *
settings_new(const struct node *root, struct secret *token)
{
	struct settings *s = xcalloc(1, sizeof(*s));

	s->arena = arena_new();
	read_keys(s->arena, keys_root, root, s);
	if (token->len > 0)
		secret_move(&s->backstage_token, token);
	read_backend(s, root);
	read_ours(s, root);
	read_aws(s, node_get(root, "aws"));
	read_kubernetes(s, node_get(root, "kubernetes"));
	return s;
}

/* With partial, what is right is given also where something is wrong. */
static int
load(const char *const *files, size_t n, bool partial,
    struct settings **out, struct problems *problems)
{
	struct secret token = SECRET_INIT;
	size_t errors = problems->nerrors;
	struct node *root;
	struct tree t;
	bool complete, good;

	*out = NULL;
	tree_init(&t, problems);
	root = layers_read(&t, files, n, &complete);
	verify_tree(&t, root, complete ? 0 : VERIFY_PARTIAL);
	if (complete)
		settings_rules(&t, root);
	read_backstage_token(&t, root, &token);
	tree_report_rest(&t);
	good = problems->nerrors == errors;
	if (!good && partial && complete)
		node_prune(root);
	if (good || (partial && complete))
		*out = settings_new(root, &token);
	secret_release(&token);
	node_free(root);
	tree_release(&t);
	return good ? 0 : E_CONFIG;
}

int
settings_load(const char *const *files, size_t n, struct settings **out,
    struct problems *problems)
{
	return load(files, n, false, out, problems);
}

int
settings_check(const char *const *files, size_t n, struct settings **out,
    struct problems *problems)
{
	return load(files, n, true, out, problems);
}

static void
free_locator(struct locator_settings *ls)
{
	size_t i;

	for (i = 0; i < ls->nclusters; i++) {
		secret_release(&ls->clusters[i].token);
		secret_release(&ls->clusters[i].client_certificate);
		secret_release(&ls->clusters[i].client_key);
		json_object_put(ls->clusters[i].dashboard_parameters);
	}
}

void
settings_free(struct settings *s)
{
	size_t i;

	if (s == NULL)
		return;
	for (i = 0; i < s->nlocators; i++)
		free_locator(&s->locators[i]);
	for (i = 0; i < s->nexternal; i++)
		secret_release(&s->external[i].token);
	for (i = 0; i < s->aws.naccounts; i++)
		secret_release(&s->aws.accounts[i].secret_access_key);
	for (i = 0; i < s->nlogins; i++)
		secret_release(&s->logins[i].client_secret);
	secret_release(&s->store.password);
	secret_release(&s->aws.main.secret_access_key);
	secret_release(&s->google_credentials);
	secret_release(&s->backstage_token);
	plugins_free(s->plugins);
	arena_free(s->arena);
	free(s);
}
