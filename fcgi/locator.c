/* SPDX-License-Identifier: Apache-2.0 */
/* The locators that need no more than settings, and the order of all. */
#include "base.h"

#include <arpa/inet.h>
#include <netdb.h>

#include "arena.h"
#include "err.h"
#include "list_keeper.h"
#include "locator.h"
#include "settings.h"

#define NAME_MAX_LEN 128	/* GKE's have 40 at most, the catalog's 63 */

struct cluster *
locator_cluster(const struct settings *s, struct arena *arena,
    const char *name)
{
	struct cluster *c = arena_alloc(arena, sizeof(*c));

	c->name = arena_strdup(arena, name);
	c->connect_timeout = s->limit_connect;
	c->timeout = s->limit_cluster;
	c->guests = true;
	return c;
}

void
locator_add(struct clusters *out, struct cluster *c)
{
	ARRAY_PUSH(out->items, out->n) = c;
}

bool
locator_name_ok(const char *s)
{
	static const char good[] = "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
	size_t len = strlen(s);

	return len > 0 && len <= NAME_MAX_LEN && s[0] != '-' && s[0] != '.' &&
	    strspn(s, good) == len;
}

/* The IPv4 address of localhost: kubectl proxy listens there only. */
static const char *
localhost_v4(struct arena *arena)
{
	struct addrinfo hints = { .ai_family = AF_INET,
	    .ai_socktype = SOCK_STREAM }, *res = NULL;
	char text[INET_ADDRSTRLEN] = "127.0.0.1";

	if (getaddrinfo("localhost", NULL, &hints, &res) == 0 && res != NULL)
		inet_ntop(AF_INET,
		    &((struct sockaddr_in *)(void *)res->ai_addr)->sin_addr,
		    text, sizeof(text));
	if (res != NULL)
		freeaddrinfo(res);
	return arena_strdup(arena, text);
}

static void
locate_kubectl_proxy(const struct settings *s, struct arena *arena,
    struct clusters *out)
{
	struct cluster *c = locator_cluster(s, arena, "local");

	c->url = arena_printf(arena, "http://%s:8001", localhost_v4(arena));
	c->auth_provider = "localKubectlProxy";
	c->skip_metrics = true;
	locator_add(out, c);
}

/* There is one, or the keeper says why not. check has none and asks none. */
static void
locate_listed(const struct locating *l, const struct list_keeper *lists)
{
	struct err why = ERR_INIT;
	const char *list;

	if (lists == NULL)
		return;
	list = list_keeper_list(lists, l->settings, l->locator, l->arena,
	    &why);
	if (list != NULL && l->locator->type == LOCATOR_GKE)
		locator_gke(l, list);
	else if (list != NULL)
		locator_catalog(l, list);
	if (list != NULL)
		return;
	l->out->unlisted++;
	problems_add(l->problems, true, "%s: %s%s%s", l->locator->where,
	    why.text, why.detail[0] != '\0' ? ": " : "", why.detail);
}

void
locators_run(const struct settings *s, const struct list_keeper *lists,
    struct arena *arena, struct clusters *out, struct problems *problems)
{
	size_t i, k;

	for (i = 0; i < s->nlocators; i++) {
		struct locator_settings *ls = &s->locators[i];

		switch (ls->type) {
		case LOCATOR_CONFIG:
			for (k = 0; k < ls->nclusters; k++)
				locator_add(out, &ls->clusters[k]);
			break;
		case LOCATOR_LOCAL_KUBECTL_PROXY:
			locate_kubectl_proxy(s, arena, out);
			break;
		case LOCATOR_KUBECONFIG:
			locator_kubeconfig(s, ls, arena, out, problems);
			break;
		case LOCATOR_CATALOG:
		case LOCATOR_GKE:
			locate_listed(&(struct locating){ s, ls, arena, out,
			    problems }, lists);
			break;
		}
	}
}
