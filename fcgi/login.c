/* SPDX-License-Identifier: Apache-2.0 */
/* Sign-in clients, made ready. */
#include "base.h"

#include "arena.h"
#include "clock.h"
#include "cluster.h"
#include "login.h"
#include "runtime.h"
#include "settings.h"

static int
login_http(void *ctx, const struct http_request *rq, struct http_answer *out,
    struct err *err)
{
	const struct runtime *rt = ctx;

	return http_exchange(rt->transport, rq, out, err);
}

static int
login_document(void *ctx, const struct document_want *want,
    const struct document **out, struct err *err)
{
	const struct runtime *rt = ctx;

	return documents_get(rt->documents, want, out, err);
}

static int64_t
login_now(void *ctx UNUSED)
{
	return clock_wall_ms();
}

const char *
login_page(const struct settings *s, struct arena *arena)
{
	const char *url = s->public_url != NULL ? s->public_url : "";
	size_t len = strlen(url), base = strlen(s->base_path);

	while (len > 0 && url[len - 1] == '/')
		len--;
	while (base > 0 && s->base_path[base - 1] == '/')
		base--;
	return arena_printf(arena, "%.*s%.*s/connect", (int)len, url,
	    (int)base, s->base_path);
}

void
login_client_init(struct login_client *lc, const struct runtime *rt,
    const struct login_settings *login, struct arena *arena)
{
	lc->io = (struct oauth_io){
		.http = login_http,
		.document = login_document,
		.now = login_now,
		.ctx = (void *)(uintptr_t)rt,
	};
	lc->oauth = (struct oauth){
		.io = &lc->io,
		.login = login,
		.entra_host = rt->settings->cloud.entra_host,
		.redirect_uri = arena_printf(arena, "%s/callback",
		    login_page(rt->settings, arena)),
	};
}

const struct login_settings *
login_of(const struct settings *s, const struct cluster *cluster)
{
	return settings_login(s, cluster->auth_provider,
	    cluster->oidc_token_provider);
}

struct token_key
login_key(const struct login_settings *login, const char *user)
{
	return (struct token_key){
		.user = user,
		.provider = login_provider_name(login),
		.name = login->provider == LOGIN_OIDC ? login->name : "",
	};
}
