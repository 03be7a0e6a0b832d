/* SPDX-License-Identifier: Apache-2.0 */
/* The kubeconfig of the portal, printed. */
#include "base.h"

#include "arena.h"
#include "cluster.h"
#include "connect_list.h"
#include "html.h"
#include "identity.h"
#include "kubeconfig_offer.h"
#include "portal.h"
#include "runtime.h"
#include "settings.h"
#include "strbuf.h"

bool
kubeconfig_offered(const struct runtime *rt, const struct identity *who,
    const struct cluster *c)
{
	const char *url = rt->settings->public_url;

	return who->kind == IDENTITY_USER && portal_ready(rt, NULL) == 0 &&
	    strncasecmp(url, "https://", 8) == 0 &&
	    identity_may_use(who, c) &&
	    clusters_find(&rt->clusters, c->name) == c &&
	    connect_reach_of(c) != CONNECT_FRONTEND;
}

/* ---- scalars ---- */

static void
quote_one(struct strbuf *sb, unsigned c)
{
	if (c == '"' || c == '\\')
		strbuf_addf(sb, "\\%c", (char)c);
	else if (c >= 0x20 && c < 0x7f)
		strbuf_addch(sb, (char)c);
	else if (c <= 0xffff)
		strbuf_addf(sb, "\\u%04x", c);
	else
		strbuf_addf(sb, "\\U%08x", c);
}

/* The number of a character of len bytes that html_character found good. */
static unsigned
number_of(const unsigned char *s, size_t len)
{
	unsigned c = len == 1 ? s[0] : s[0] & (0x7fu >> len);
	size_t i;

	for (i = 1; i < len; i++)
		c = c << 6 | (s[i] & 0x3fu);
	return c;
}

void
kubeconfig_quote(struct strbuf *sb, const char *text)
{
	size_t len;

	strbuf_addch(sb, '"');
	for (; *text != '\0'; text += SD_MAX(len, (size_t)1)) {
		len = html_character(text);
		if (len > 0)
			quote_one(sb, number_of((const unsigned char *)text,
			    len));
		else
			quote_one(sb, (unsigned char)*text < 0x80 ?
			    (unsigned char)*text : 0xfffd);
	}
	strbuf_addch(sb, '"');
}

/* ---- the file ---- */

static void
add(struct strbuf *sb, const char *before, const char *text)
{
	strbuf_addstr(sb, before);
	kubeconfig_quote(sb, text);
	strbuf_addch(sb, '\n');
}

static void
add_cluster(struct strbuf *sb, const char *portal, const struct cluster *c)
{
	struct strbuf url = STRBUF_INIT(STRBUF_UNLIMITED);

	strbuf_addf(&url, "%s/clusters/", portal);
	strbuf_add_percent(&url, c->name, "");
	strbuf_addstr(&url, "/proxy");
	add(sb, "- name: ", c->name);
	add(sb, "  cluster:\n    server: ", url.buf);
	strbuf_release(&url);
}

static void
add_context(struct strbuf *sb, const char *user, const struct cluster *c)
{
	add(sb, "- name: ", c->name);
	add(sb, "  context:\n    cluster: ", c->name);
	add(sb, "    user: ", user);
}

static void
add_user(struct strbuf *sb, const char *user, const char *portal)
{
	add(sb, "users:\n- name: ", user);
	strbuf_addstr(sb, "  user:\n    exec:\n"
	    "      apiVersion: client.authentication.k8s.io/v1\n"
	    "      command: stagedoor\n"
	    "      args:\n      - login\n      - --portal\n");
	add(sb, "      - ", portal);
	strbuf_addstr(sb, "      interactiveMode: Never\n"
	    "      provideClusterInfo: false\n");
	add(sb, "      installHint: ", "stagedoor, which gets tokens from the "
	    "portal, is not in PATH: install it, or name its whole path as "
	    "command in the kubeconfig");
}

size_t
kubeconfig_offer_print(const struct runtime *rt, const struct identity *who,
    struct arena *arena, const char *name, struct strbuf *out)
{
	const struct clusters *cs = &rt->clusters;
	const char *portal = rt->settings->public_url == NULL ? "" :
	    portal_audience(rt, arena);
	const char *user = arena_printf(arena, "stagedoor %s", portal);
	struct strbuf contexts = STRBUF_INIT(STRBUF_UNLIMITED);
	const struct cluster *first = NULL;
	size_t i, n = 0;

	strbuf_addstr(out, "apiVersion: v1\nkind: Config\nclusters:\n");
	for (i = 0; i < cs->n; i++) {
		const struct cluster *c = cs->items[i];

		if ((name != NULL && strcmp(c->name, name) != 0) ||
		    !kubeconfig_offered(rt, who, c))
			continue;
		if (n++ == 0)
			first = c;
		add_cluster(out, portal, c);
		add_context(&contexts, user, c);
	}
	add_user(out, user, portal);
	strbuf_addstr(out, "contexts:\n");
	strbuf_add(out, contexts.buf, contexts.len);
	add(out, "current-context: ", first != NULL ? first->name : "");
	strbuf_release(&contexts);
	return n;
}
