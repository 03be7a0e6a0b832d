/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of /connect share: a store, settings with three logins, a
 * handful of clusters, somebody who asks, and tokens in a line.
 */
#ifndef STAGEDOOR_TEST_CONNECT_RIG_H
#define STAGEDOOR_TEST_CONNECT_RIG_H

#include "store_rig.h"

#include "../providers/provider.h"
#include "arena.h"
#include "connect_list.h"
#include "identity.h"
#include "log.h"
#include "runtime.h"
#include "settings.h"
#include "strbuf.h"
#include "tokens.h"

static struct connect_rig {
	struct arena *arena;
	struct login_settings logins[3];
	struct settings settings;
	struct cluster clusters[8];
	struct cluster *items[8];
	struct runtime rt;
	struct identity ann;
} rig;

static inline struct cluster *
rig_cluster(const char *name, const char *provider, const char *oidc)
{
	struct cluster *c = &rig.clusters[rig.rt.clusters.n];

	*c = (struct cluster){ .name = name, .auth_provider = provider,
	    .oidc_token_provider = oidc, .guests = true,
	    .sign_in_stagedoor = true, .provider = provider_find(provider) };
	rig.items[rig.rt.clusters.n++] = c;
	return c;
}

/* One of each kind: rig.clusters has them in this order. */
static inline int
connect_set_up(void **state)
{
	if (rig_set_up(state) != 0)
		return -1;
	log_init(LOG_LEVEL_ERROR, false);	/* a store that fails warns */
	memset(&rig, 0, sizeof(rig));
	rig.arena = arena_new();
	rig.logins[0] = (struct login_settings){ .provider = LOGIN_OIDC,
	    .name = "okta", .issuer = "https://id.example.org/dex" };
	rig.logins[1] = (struct login_settings){ .provider = LOGIN_GOOGLE };
	rig.logins[2] = (struct login_settings){ .provider = LOGIN_AKS,
	    .tenant = "contoso" };
	rig.settings = (struct settings){ .logins = rig.logins, .nlogins = 3,
	    .public_url = "https://portal.example.org",
	    .base_path = "/api/kubernetes" };
	rig.rt.settings = &rig.settings;
	rig.rt.clusters.items = rig.items;
	rig.ann = (struct identity){ .kind = IDENTITY_USER,
	    .user = "user:default/ann", .name = "ann", .session = true };
	rig_cluster("plain", "serviceAccount", NULL);
	rig_cluster("acting", "serviceAccount", NULL)->impersonate.on = true;
	rig_cluster("one", "oidc", "okta")->title = "Number One";
	rig_cluster("two", "oidc", "okta");
	rig_cluster("gke", "google", NULL);
	rig_cluster("page", "aks", NULL)->sign_in_stagedoor = false;
	rig_cluster("lost", "oidc", "nobody");
	rig.rt.store = rig_open();
	return 0;
}

static inline int
connect_tear_down(void **state)
{
	store_close(rig.rt.store);
	arena_free(rig.arena);
	return rig_tear_down(state);
}

/* A sign-in of ann's: expires and refresh as said; ended NULL: it is not. */
static inline void
rig_signed_in(const char *provider, const char *name, int64_t expires,
    const char *refresh, const char *ended)
{
	struct token_set ts = { .id_expires = expires,
	    .access_expires = expires };
	struct err err = ERR_INIT;

	ts.user = xstrdup(rig.ann.user);
	ts.provider = xstrdup(provider);
	ts.name = xstrdup(name);
	ts.account = xstrdup("ann@example.org");
	secret_set(&ts.id_token, "id-token-of-ann", 15);
	secret_set(&ts.access_token, "access-token-of-ann", 19);
	if (refresh != NULL)
		secret_set(&ts.refresh_token, refresh, strlen(refresh));
	token_set_renew(&ts);
	if (ended != NULL)
		token_set_end(&ts, ended);
	assert_int_equal(tokens_put(rig.rt.store, &ts, &err), 0);
	token_set_release(&ts);
}

#define CONNECT_TEST(f) \
	cmocka_unit_test_setup_teardown(f, connect_set_up, connect_tear_down)

#endif
