/* SPDX-License-Identifier: Apache-2.0 */
/* The page /connect, printed. */
#include "base.h"

#include "arena.h"
#include "clock.h"
#include "cluster.h"
#include "connect_page.h"
#include "html.h"
#include "portal_session.h"
#include "settings.h"
#include "strbuf.h"

#define TITLE "Your way into the clusters"
#define SHARED_MAX 8		/* clusters of a login that are named */
#define MINUTE 60000
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

struct print {
	const struct connect_page *page;
	struct arena *arena;
	struct strbuf *out;
};

const char *
connect_issuer(const struct login_settings *login, struct arena *arena)
{
	const char *host;

	if (login == NULL)
		return "the issuer";
	if (login->provider == LOGIN_GOOGLE)
		return "Google";
	if (login->provider == LOGIN_AKS)
		return "Microsoft Entra";
	host = strstr(login->issuer, "://");
	host = host == NULL ? login->issuer : host + 3;
	return arena_strndup(arena, host, strcspn(host, "/?#"));
}

const char *
connect_form_action(const struct settings *s)
{
	size_t i;

	/*
	 * Chromium holds every redirect after a form's answer to this, and an
	 * issuer may pass the browser on to another one, of which nobody
	 * here knows. Without TLS issuers are on loopback only.
	 */
	for (i = 0; i < s->nlogins; i++)
		if (s->logins[i].issuer != NULL &&
		    strncasecmp(s->logins[i].issuer, "http:", 5) == 0)
			return "'self' https: http:";
	return s->nlogins > 0 ? "'self' https:" : "'self'";
}

static const char *
title_of(const struct cluster *c)
{
	return c->title != NULL && *c->title != '\0' ? c->title : c->name;
}

/* ---- times ---- */

/* "2 h 5 min", as rough as one would say it. */
static const char *
span(struct arena *arena, int64_t ms)
{
	long long n = (long long)ms;

	if (n >= 2 * DAY)
		return arena_printf(arena, "%lld days", n / DAY);
	if (n >= HOUR)
		return arena_printf(arena, "%lld h %lld min", n / HOUR,
		    n % HOUR / MINUTE);
	if (n >= MINUTE)
		return arena_printf(arena, "%lld min", n / MINUTE);
	return "less than a minute";
}

static void
print_time(const struct print *p, int64_t wall_ms)
{
	const char *left = span(p->arena, wall_ms - p->page->now);
	time_t seconds = (time_t)(wall_ms / 1000);
	char stamp[CLOCK_STAMP_LEN], text[64];
	struct tm tm;

	gmtime_r(&seconds, &tm);
	strftime(text, sizeof(text), "%e %B %Y, %H:%M UTC", &tm);
	html_addf(p->out, "<time datetime=\"%s\">%s</time>",
	    clock_stamp(wall_ms, stamp), text + strspn(text, " "));
	if (wall_ms > p->page->now)
		html_addf(p->out, " (in %s)", left);
}

/* ---- one cluster ---- */

/* The other clusters of its login: connecting once is enough for all. */
static void
print_shared(const struct print *p, const struct connect_entry *e)
{
	const struct connect_list *list = p->page->list;
	size_t i, n = 0;

	for (i = 0; i < list->n; i++) {
		if (list->entries[i].login != e->login ||
		    &list->entries[i] == e)
			continue;
		if (n < SHARED_MAX)
			html_addf(p->out, "%s<bdi>%s</bdi>", n > 0 ? ", " :
			    "", title_of(list->entries[i].cluster));
		n++;
	}
	if (n > SHARED_MAX)
		html_addf(p->out, " and %zu more", n - SHARED_MAX);
}

static bool
is_shared(const struct connect_list *list, const struct connect_entry *e)
{
	size_t i;

	for (i = 0; i < list->n; i++)
		if (list->entries[i].login == e->login &&
		    &list->entries[i] != e)
			return true;
	return false;
}

static void
print_state(const struct print *p, const struct connect_login *l)
{
	if (!l->known) {
		html_addf(p->out, "<p>Whether you are connected cannot be "
		    "read now.</p>\n");
	} else if (l->connected) {
		html_addf(p->out, "<p><span class=\"good\">Connected</span>");
		if (l->account != NULL)
			html_addf(p->out, " as <bdi>%s</bdi>", l->account);
		html_addf(p->out, "</p>\n");
	} else if (l->ended != NULL) {
		html_addf(p->out, "<p><span class=\"bad\">No longer connected"
		    "</span>: %s</p>\n", l->ended);
	} else {
		html_addf(p->out, "<p>Not connected</p>\n");
	}
}

static void
print_until(const struct print *p, const struct connect_login *l)
{
	if (!l->connected)
		return;
	html_addf(p->out, "<p class=\"soft\">");
	if (l->renewed) {
		html_addf(p->out, "Renewed by itself.");
		if (l->expires > p->page->now) {
			html_addf(p->out, " The token in use ends ");
			print_time(p, l->expires);
			html_addf(p->out, ".");
		}
	} else if (l->expires != 0) {
		html_addf(p->out, "Until ");
		print_time(p, l->expires);
		html_addf(p->out, "; then you connect again.");
	} else {
		html_addf(p->out, "Nobody said until when.");
	}
	html_addf(p->out, "</p>\n");
}

/* The button says for which cluster it is: id is that of its heading. */
static void
print_connect(const struct print *p, const struct connect_login *l, size_t id)
{
	html_addf(p->out, "<form method=\"post\" action=\"%s\">\n", l->path);
	if (p->page->after != NULL)
		html_addf(p->out, "<input type=\"hidden\" name=\"return\" "
		    "value=\"%s\">\n", p->page->after);
	html_addf(p->out, "<button type=\"submit\" "
	    "aria-describedby=\"cluster-%zu\">%s</button>\n</form>\n", id,
	    l->ended != NULL ? "Connect again" : "Connect");
}

static void
print_disconnect(const struct print *p, const struct connect_login *l,
    size_t id)
{
	html_addf(p->out, "<form method=\"post\" action=\"%s/disconnect\">\n",
	    l->path);
	if (p->page->after != NULL)
		html_addf(p->out, "<input type=\"hidden\" name=\"return\" "
		    "value=\"%s\">\n", p->page->after);
	html_addf(p->out, "<button type=\"submit\" class=\"quiet\" "
	    "aria-describedby=\"cluster-%zu\">Disconnect</button>\n", id);
	/* Google has no such address. */
	if (l->settings->provider != LOGIN_GOOGLE)
		html_addf(p->out, "<label><input type=\"checkbox\" "
		    "name=\"logout\" value=\"1\"><span>Sign out at "
		    "<bdi>%s</bdi> too</span></label>\n",
		    connect_issuer(l->settings, p->arena));
	html_addf(p->out, "</form>\n");
}

static void
print_sign_in(const struct print *p, const struct connect_entry *e, size_t id)
{
	const struct connect_login *l = e->login;

	if (l == NULL) {
		html_addf(p->out, "<p>Nobody can connect to it here yet: the "
		    "portal's settings have no login for it.</p>\n");
		return;
	}
	if (!p->page->list->can_connect)
		return;
	print_state(p, l);
	print_until(p, l);
	if (is_shared(p->page->list, e)) {
		html_addf(p->out, "<p class=\"soft\">One sign-in serves this "
		    "cluster and also ");
		print_shared(p, e);
		html_addf(p->out, ".</p>\n");
	}
	if (l->connected)
		print_disconnect(p, l, id);
	else
		print_connect(p, l, id);
}

static void
print_how(const struct print *p, const struct connect_entry *e)
{
	switch (e->reached) {
	case CONNECT_SERVER:
		html_addf(p->out, "<p class=\"soft\">The portal uses its "
		    "own access, the same for everyone.</p>\n");
		break;
	case CONNECT_ACTING:
		html_addf(p->out, "<p class=\"soft\">The portal acts for "
		    "you: the cluster decides by who you are.</p>\n");
		break;
	case CONNECT_USER:
		html_addf(p->out, "<p class=\"soft\">You use your own "
		    "account at <bdi>%s</bdi>.</p>\n", connect_issuer(
		    e->login != NULL ? e->login->settings : NULL, p->arena));
		break;
	case CONNECT_FRONTEND:
		html_addf(p->out, "<p class=\"soft\">You use a token that "
		    "the portal's page asks you for.</p>\n");
		break;
	}
}

static void
print_entry(const struct print *p, const struct connect_entry *e, size_t id)
{
	/* In the order of enum connect_reach. */
	static const char *const chips[] = { "as the server", "acts for you",
	    "as you", "by the portal's page" };
	const struct cluster *c = e->cluster;

	html_addf(p->out, "<li>\n<div class=\"row\"><h2 id=\"cluster-%zu\" "
	    "dir=\"auto\">%s</h2> <span class=\"chip\">%s</span></div>\n", id,
	    title_of(c), chips[e->reached]);
	if (strcmp(title_of(c), c->name) != 0)
		html_addf(p->out, "<p class=\"soft\"><bdi>%s</bdi></p>\n",
		    c->name);
	print_how(p, e);
	if (c->broken != NULL)
		html_addf(p->out, "<p><span class=\"bad\">It cannot be used "
		    "now</span>: %s</p>\n", c->broken);
	if (e->reached == CONNECT_USER)
		print_sign_in(p, e, id);
	if (e->kubeconfig != NULL)
		html_addf(p->out, "<p><a href=\"%s\" aria-describedby=\""
		    "cluster-%zu\">File for kubectl</a></p>\n",
		    e->kubeconfig, id);
	html_addf(p->out, "</li>\n");
}

/* ---- kubectl ---- */

static void
print_session(const struct print *p, const struct portal_session *s, size_t id)
{
	html_addf(p->out, "<li>\n<h2 id=\"session-%zu\" dir=\"auto\">%s"
	    "</h2>\n<p>Since ", id, *s->device != '\0' ? s->device :
	    "a machine without a name");
	print_time(p, s->issued);
	if (*s->from != '\0')
		html_addf(p->out, ", from %s", s->from);
	html_addf(p->out, "</p>\n<p class=\"soft\">Until ");
	print_time(p, s->expires);
	html_addf(p->out, "</p>\n<form method=\"post\" action=\"%s\">\n"
	    "<input type=\"hidden\" name=\"session\" value=\"%s\">\n"
	    "<button type=\"submit\" class=\"quiet\" aria-describedby=\""
	    "session-%zu\">End it</button>\n</form>\n</li>\n",
	    p->page->list->kubectl_path, s->id, id);
}

static void
print_kubectl(const struct print *p)
{
	const struct connect_list *list = p->page->list;
	size_t i;

	if (list->kubectl_all != NULL)
		html_addf(p->out, "<h2>kubectl</h2>\n<p><a href=\"%s\">File "
		    "for all clusters</a>: with it kubectl works as you, once "
		    "<code>stagedoor login</code> was allowed here.</p>\n",
		    list->kubectl_all);
	if (list->sessions->n == 0)
		return;
	html_addf(p->out, "<h2>Sessions of kubectl</h2>\n"
	    "<ul role=\"list\" aria-label=\"Sessions of kubectl\">\n");
	for (i = 0; i < list->sessions->n; i++)
		print_session(p, &list->sessions->items[i], i);
	html_addf(p->out, "</ul>\n");
}

/* ---- the page ---- */

static void
print_notice(const struct print *p)
{
	const struct notice *n = p->page->notice;
	const char *where = connect_issuer(n->login, p->arena);
	bool failed = notice_failed(n->code);

	if (n->code == NOTICE_NONE)
		return;
	html_addf(p->out, "<div class=\"note %s\" role=\"%s\">\n<h2>%s</h2>\n"
	    "<p>%s</p>\n", failed ? "bad" : "good",
	    failed ? "alert" : "status",
	    notice_title(p->arena, n->code, where),
	    notice_text(p->arena, n->code, where));
	if (n->words != NULL)
		html_addf(p->out, "<p>What was said: <q>%s</q></p>\n",
		    n->words);
	html_addf(p->out, "</div>\n");
}

static void
print_remarks(const struct print *p)
{
	const struct connect_list *list = p->page->list;

	if (!list->can_connect)
		html_addf(p->out, "<p class=\"note\" role=\"status\">You are "
		    "here without an account of your own. Only users who are "
		    "signed in to the portal can connect to clusters as "
		    "themselves.</p>\n");
	if (list->unread)
		html_addf(p->out, "<p class=\"note bad\" role=\"alert\">Your "
		    "sign-ins cannot be read now. Clusters that need none "
		    "work all the same; for the others, please try again in a "
		    "while.</p>\n");
	if (list->n == 0)
		html_addf(p->out, "<p>There is no cluster that you may use."
		    "</p>\n");
}

void
connect_page_print(const struct connect_page *page, struct arena *arena,
    struct strbuf *out)
{
	const struct print p = { page, arena, out };
	const struct connect_list *list = page->list;
	struct html_head head = { .title = TITLE };
	size_t i;

	if (page->notice->code != NOTICE_NONE)
		head.title_more = notice_title(arena, page->notice->code,
		    connect_issuer(page->notice->login, arena));
	if (list->user != NULL)
		head.lead = arena_printf(arena, "The portal knows you as %s.",
		    list->user);
	html_begin(out, &head);
	print_notice(&p);
	print_remarks(&p);
	if (list->n > 0) {
		/* The role, as some browsers drop it with the bullets. */
		html_addf(out, "<ul role=\"list\" aria-label=\"Clusters\">\n");
		for (i = 0; i < list->n; i++)
			print_entry(&p, &list->entries[i], i);
		html_addf(out, "</ul>\n");
	}
	if (list->kubectl)
		print_kubectl(&p);
	if (page->after != NULL)
		html_addf(out, "<p><a href=\"%s\">Back to where you came from"
		    "</a></p>\n", page->after);
	html_end(out);
}

void
connect_page_refusal(const char *text, const char *base, struct strbuf *out)
{
	const struct html_head head = { .title = "That did not work" };

	html_begin(out, &head);
	html_addf(out, "<p class=\"note bad\" role=\"alert\">%s</p>\n"
	    "<p><a href=\"%s\">Back to your clusters</a></p>\n", text, base);
	html_end(out);
}
