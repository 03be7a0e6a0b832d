/* SPDX-License-Identifier: Apache-2.0 */
/* Clusters and sign-ins as one user sees them. */
#include "base.h"

#include "../providers/provider.h"
#include "arena.h"
#include "clock.h"
#include "connect_list.h"
#include "err.h"
#include "identity.h"
#include "jsonx.h"
#include "kubeconfig_offer.h"
#include "log.h"
#include "login.h"
#include "portal.h"
#include "runtime.h"
#include "session.h"
#include "settings.h"
#include "strbuf.h"

const char *
connect_base(const struct runtime *rt, struct arena *arena)
{
	const char *page = login_page(rt->settings, arena);
	const char *host = strstr(page, "://");

	return host == NULL ? page : host + 3 + strcspn(host + 3, "/");
}

const char *
connect_login_path(const struct login_settings *login, struct arena *arena)
{
	if (login->provider != LOGIN_OIDC)
		return login_provider_name(login);
	return arena_printf(arena, "%s/%s", login_provider_name(login),
	    login->name);
}

enum connect_reach
connect_reach_of(const struct cluster *c)
{
	const struct provider_ops *ops = c->provider;

	if (ops == NULL && c->auth_provider != NULL)
		ops = provider_find(c->auth_provider);
	if (ops != NULL && (ops->flags & PROVIDER_USER_TOKEN) != 0)
		return c->sign_in_stagedoor ? CONNECT_USER : CONNECT_FRONTEND;
	return c->impersonate.on ? CONNECT_ACTING : CONNECT_SERVER;
}

/* ---- what is kept ---- */

static void
take_tokens(const struct token_set *ts, struct arena *arena, int64_t now,
    struct connect_login *out)
{
	out->account = arena_strdup(arena, ts->account);
	out->ended = arena_strdup(arena, ts->ended);
	if (ts->ended != NULL)
		return;
	session_pick(out->settings, ts, &out->expires);
	out->renewed = ts->refresh_token.len > 0;
	out->connected = out->renewed || out->expires == 0 ||
	    out->expires > now;
	if (!out->connected)
		out->ended = "it has run out";
}

static int
read_login(const struct runtime *rt, const struct identity *who,
    struct arena *arena, int64_t now, struct connect_login *out)
{
	const struct token_key key = login_key(out->settings, who->user);
	struct token_set ts;
	struct err err = ERR_INIT;
	int r;

	if (rt->store == NULL)
		return E_STORE;		/* the start said why */
	r = tokens_get(rt->store, &key, &ts, &err);
	out->known = r == 0 || r == E_NOTFOUND;
	if (r == 0) {
		take_tokens(&ts, arena, now, out);
		token_set_release(&ts);
	} else if (!out->known) {
		log_warn("the sign-in of %s for %s cannot be read: %s%s%s",
		    who->user, out->path, err.text,
		    err.detail[0] != '\0' ? ": " : "", err.detail);
	}
	return out->known ? 0 : r;
}

static void
read_logins(const struct runtime *rt, const struct identity *who,
    struct arena *arena, int64_t now, struct connect_list *out)
{
	const struct settings *s = rt->settings;
	const char *base = connect_base(rt, arena);
	size_t i;

	out->nlogins = s->nlogins;
	out->logins = arena_alloc(arena,
	    (s->nlogins + 1) * sizeof(*out->logins));
	for (i = 0; i < s->nlogins; i++) {
		struct connect_login *l = &out->logins[i];

		l->settings = &s->logins[i];
		l->path = arena_printf(arena, "%s/%s", base,
		    connect_login_path(l->settings, arena));
		if (out->can_connect && read_login(rt, who, arena, now, l) != 0)
			out->unread = true;
	}
}

/* ---- the list ---- */

static const struct connect_login *
find_login(const struct runtime *rt, const struct cluster *c,
    const struct connect_list *list)
{
	const struct login_settings *login = login_of(rt->settings, c);

	return login == NULL ? NULL :
	    &list->logins[login - rt->settings->logins];
}

/* Sessions of kubectl, where there can be some. */
static void
read_kubectl(const struct runtime *rt, const struct identity *who,
    struct arena *arena, struct connect_list *out)
{
	struct portal_sessions *all;
	struct err err = ERR_INIT;

	if (who->kind != IDENTITY_USER || portal_ready(rt, NULL) != 0)
		return;
	out->kubectl = true;
	out->kubectl_path = arena_printf(arena, "%s/portal/end",
	    portal_path(rt, arena));
	out->sessions = all = arena_alloc(arena, sizeof(*all));
	if (portal_session_list(rt->store, arena, who->user, all, &err) == 0)
		return;
	all->n = 0;
	out->unread = true;
	log_warn("the sessions of kubectl of %s cannot be read: %s%s%s",
	    who->user, err.text, err.detail[0] != '\0' ? ": " : "",
	    err.detail);
}

static const char *
kubeconfig_path(const struct runtime *rt, struct arena *arena,
    const struct cluster *c)
{
	struct strbuf sb = STRBUF_INIT(STRBUF_UNLIMITED);
	const char *path;

	strbuf_addf(&sb, "%s/kubeconfig/", connect_base(rt, arena));
	strbuf_add_percent(&sb, c->name, "");
	path = arena_strndup(arena, sb.buf, sb.len);
	strbuf_release(&sb);
	return path;
}

void
connect_list_read(const struct runtime *rt, const struct identity *who,
    struct arena *arena, int64_t now, struct connect_list *out)
{
	const struct clusters *cs = &rt->clusters;
	size_t i;

	memset(out, 0, sizeof(*out));
	out->user = who->user;
	out->can_connect = who->kind == IDENTITY_USER;
	read_logins(rt, who, arena, now, out);
	read_kubectl(rt, who, arena, out);
	out->entries = arena_alloc(arena, (cs->n + 1) * sizeof(*out->entries));
	for (i = 0; i < cs->n; i++) {
		const struct cluster *c = cs->items[i];
		struct connect_entry *e = &out->entries[out->n];

		if (!identity_may_use(who, c))
			continue;
		e->cluster = c;
		e->reached = connect_reach_of(c);
		if (e->reached == CONNECT_USER)
			e->login = find_login(rt, c, out);
		if (kubeconfig_offered(rt, who, c))
			e->kubeconfig = kubeconfig_path(rt, arena, c);
		if (e->kubeconfig != NULL)
			out->kubectl_all = arena_printf(arena,
			    "%s/kubeconfig", connect_base(rt, arena));
		out->n++;
	}
}

/* ---- as JSON ---- */

static void
add_bool(struct strbuf *sb, const char *key, bool value)
{
	strbuf_addf(sb, ",\"%s\":%s", key, value ? "true" : "false");
}

static void
add_sign_in(struct strbuf *sb, const struct connect_login *l)
{
	char stamp[CLOCK_STAMP_LEN];

	if (l->account != NULL)
		jsonx_add_pair(sb, "account", l->account);
	if (l->connected && l->expires != 0)
		jsonx_add_pair(sb, "expires",
		    clock_stamp(l->expires, stamp));
	if (l->connected)
		add_bool(sb, "renewed", l->renewed);
	if (l->ended != NULL)
		jsonx_add_pair(sb, "ended", l->ended);
}

static void
add_entry(struct strbuf *sb, const struct connect_entry *e)
{
	/* In the order of enum connect_reach. */
	static const char *const reached[] = { "server", "acting", "user",
	    "frontend" };
	const struct cluster *c = e->cluster;

	jsonx_add_comma(sb);
	strbuf_addch(sb, '{');
	jsonx_add_pair(sb, "name", c->name);
	if (c->title != NULL)
		jsonx_add_pair(sb, "title", c->title);
	jsonx_add_pair(sb, "authProvider", c->auth_provider);
	if (c->oidc_token_provider != NULL)
		jsonx_add_pair(sb, "oidcTokenProvider",
		    c->oidc_token_provider);
	jsonx_add_pair(sb, "reached", reached[e->reached]);
	if (e->reached == CONNECT_USER)
		jsonx_add_pair(sb, "signIn", "stagedoor");
	if (e->login != NULL) {
		jsonx_add_pair(sb, "connect", e->login->path);
		if (e->login->known) {
			add_bool(sb, "connected", e->login->connected);
			add_sign_in(sb, e->login);
		}
	}
	if (e->kubeconfig != NULL)
		jsonx_add_pair(sb, "kubeconfig", e->kubeconfig);
	strbuf_addch(sb, '}');
}

static void
add_session(struct strbuf *sb, const struct portal_session *s)
{
	char stamp[CLOCK_STAMP_LEN];

	jsonx_add_comma(sb);
	strbuf_addch(sb, '{');
	jsonx_add_pair(sb, "id", s->id);
	jsonx_add_pair(sb, "device", s->device);
	jsonx_add_pair(sb, "from", s->from);
	jsonx_add_pair(sb, "since", clock_stamp(s->issued, stamp));
	jsonx_add_pair(sb, "expires", clock_stamp(s->expires, stamp));
	strbuf_addch(sb, '}');
}

static void
add_kubectl(struct strbuf *sb, const struct connect_list *list)
{
	size_t i;

	strbuf_addstr(sb, ",\"kubectl\":{");
	jsonx_add_pair(sb, "end", list->kubectl_path);
	strbuf_addstr(sb, ",\"sessions\":[");
	for (i = 0; i < list->sessions->n; i++)
		add_session(sb, &list->sessions->items[i]);
	strbuf_addstr(sb, "]}");
}

void
connect_list_json(const struct connect_list *list, struct strbuf *out)
{
	size_t i;

	strbuf_addch(out, '{');
	if (list->user != NULL)
		jsonx_add_pair(out, "user", list->user);
	jsonx_add_comma(out);
	strbuf_addf(out, "\"canConnect\":%s",
	    list->can_connect ? "true" : "false");
	if (list->unread)
		jsonx_add_pair(out, "error", "sign-ins cannot be read now");
	if (list->kubectl)
		add_kubectl(out, list);
	strbuf_addstr(out, ",\"clusters\":[");
	for (i = 0; i < list->n; i++)
		add_entry(out, &list->entries[i]);
	strbuf_addstr(out, "]}");
}
