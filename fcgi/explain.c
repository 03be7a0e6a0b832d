/* SPDX-License-Identifier: Apache-2.0 */
/* What stagedoor explain says of one cluster. */
#include "base.h"

#include "arena.h"
#include "clock.h"
#include "explain.h"
#include "login.h"
#include "obtain.h"
#include "request.h"
#include "runtime.h"
#include "selfreview.h"
#include "settings.h"
#include "shown.h"
#include "tokens_told.h"

#define SLOW_MS 1000		/* from there on it is said how long */

struct telling {
	struct request req;	/* rt, arena and who only */
	const struct cluster *cluster;
	struct strbuf *out;
	struct source_asker asker;
	struct access access;
	size_t steps;
};

static void say(const struct telling *t, const char *fmt, ...)
    PRINTF_LIKE(2, 3);

/* One line, made fit as a whole. */
static void
say(const struct telling *t, const char *fmt, ...)
{
	char line[4 * SHOWN_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	strbuf_addf(t->out, "  %s\n", shown(t->req.arena, line,
	    &t->access.cred.value));
}

/* ---- time ---- */

/* "54 min" and the like: one unit is enough. */
static const char *
span(struct arena *arena, int64_t ms)
{
	int64_t s = ms / 1000;

	if (s < 120)
		return arena_printf(arena, "%lld s", (long long)s);
	if (s < 2 * 3600)
		return arena_printf(arena, "%lld min", (long long)s / 60);
	if (s < 2 * 86400)
		return arena_printf(arena, "%lld h", (long long)s / 3600);
	return arena_printf(arena, "%lld days", (long long)s / 86400);
}

static const char *
until(struct arena *arena, int64_t expires)
{
	time_t seconds = (time_t)(expires / 1000);
	int64_t left = expires - clock_wall_ms();
	char when[64] = "?";
	struct tm tm;

	if (expires == 0)
		return "its end is not known";
	if (localtime_r(&seconds, &tm) != NULL)
		strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S %Z", &tm);
	return left > 0 ?
	    arena_printf(arena, "until %s (in %s)", when, span(arena, left)) :
	    arena_printf(arena, "until %s (%s ago)", when,
	    span(arena, -left));
}

/* ---- the cluster, and whether the user may ---- */

static void
say_cluster(const struct telling *t)
{
	const struct cluster *c = t->cluster;

	strbuf_addf(t->out, "cluster %s\n", shown(t->req.arena, c->name,
	    NULL));
	if (c->title != NULL)
		say(t, "title: %s", c->title);
	say(t, "url: %s", c->url != NULL ? c->url : "none");
	say(t, "provider: %s", c->auth_provider);
	if (c->skip_tls_verify)
		say(t, "its certificate is NOT verified: skipTLSVerify");
	if (c->read_only)
		say(t, "readOnly: /proxy passes on what reads, no more");
}

static bool
say_may(const struct telling *t)
{
	const struct identity *who = &t->req.who;
	const struct cluster *c = t->cluster;
	bool nameless = who->kind == IDENTITY_GUEST ||
	    who->kind == IDENTITY_NOBODY;
	bool may = identity_may_use(who, c);

	if (may)
		say(t, "may be used: yes, %s", c->allow.n > 0 ?
		    "its allow names them" : nameless ?
		    "guests are let in" : "by everyone who is signed in");
	else
		say(t, "may be used: no, %s", nameless && !c->guests ?
		    "its guests does not let guests in" :
		    "its allow names neither them nor their groups");
	return may;
}

/* ---- the sign-in that is kept ---- */

static void
say_set(const struct telling *t, const struct token_set *ts)
{
	struct arena *arena = t->req.arena;
	struct tokens_told told = { .arena = arena };
	const struct token_told *one;

	tokens_told_add(&told, t->req.rt->settings, ts);
	one = &told.items[0];
	say(t, "signed in as %s at %s%s%s, %s", one->account != NULL ?
	    one->account : one->subject, tokens_told_time(arena,
	    one->signed_in), one->expires != 0 ? ", until " : "",
	    one->expires != 0 ? tokens_told_time(arena, one->expires) : "",
	    token_told_state(arena, one));
	tokens_told_release(&told);
}

/* Where there is none, the lack of a credential says so. */
static void
say_sign_in(const struct telling *t)
{
	const struct settings *s = t->req.rt->settings;
	const struct login_settings *login = login_of(s, t->cluster);
	struct token_key key;
	struct token_set ts;

	if (!t->cluster->sign_in_stagedoor || login == NULL ||
	    t->req.who.kind != IDENTITY_USER)
		return;
	if (s->store.type == NULL) {
		say(t, "sign-ins are in the server's memory (there is no "
		    "stagedoor.store): they cannot be seen from here");
		return;
	}
	key = login_key(login, t->req.who.user);
	if (tokens_get(t->req.rt->store, &key, &ts, NULL) != 0)
		return;
	say_set(t, &ts);
	token_set_release(&ts);
}

/* ---- the credential ---- */

static void
on_note(void *ctx, const char *line)
{
	struct telling *t = ctx;

	if (t->steps++ == 0)
		say(t, "steps:");
	say(t, "  %s", line);
}

static void
say_credential(const struct telling *t, int64_t took)
{
	const struct credential *cred = &t->access.cred;
	struct arena *arena = t->req.arena;
	char tag[SECRET_TAG_LEN];
	const char *kind = "a token";

	if (cred->kind == CREDENTIAL_ANONYMOUS) {
		say(t, "credential: none of ours, requests go out without");
		return;
	}
	if (cred->kind == CREDENTIAL_CERTIFICATE)
		kind = "a client certificate";
	secret_tag(cred->kind == CREDENTIAL_CERTIFICATE ?
	    &cred->certificate : &cred->value, tag);
	say(t, "credential: %s (%s), %s", kind, tag,
	    until(arena, cred->expires));
	if (took >= SLOW_MS)
		say(t, "it took %.1f s to get", (double)took / 1000);
}

static void
say_failure(const struct telling *t, enum provider_verdict v,
    const struct err *err)
{
	if (v == PROVIDER_NEEDS_USER)
		say(t, "credential: the user's own, who must sign in");
	else if (v == PROVIDER_REFUSED)
		say(t, "refused");
	else
		say(t, "credential: none");
	say(t, "  %s", err->text);
	if (err->detail[0] != '\0')
		say(t, "  %s", err->detail);
	else if (t->cluster->broken_detail != NULL)
		say(t, "  %s", t->cluster->broken_detail);
}

static void
say_acting(const struct telling *t)
{
	const char *const *line = t->access.cred.acting;

	if (line == NULL)
		return;
	say(t, "acts for the user:");
	for (; *line != NULL; line++)
		say(t, "  %s", *line);
}

/* The cluster answers elsewhere than the settings say. */
static void
say_place(const struct telling *t)
{
	const char *url = t->cluster->url;
	size_t len = strlen(t->access.url);

	if (url == NULL || strncmp(url, t->access.url, len) != 0 ||
	    url[len + strspn(url + len, "/")] != '\0')
		say(t, "it is asked at %s", t->access.url);
}

static bool
get_credential(struct telling *t)
{
	int64_t began = clock_mono_ms();
	struct err err = ERR_INIT;
	enum provider_verdict v;

	t->asker = (struct source_asker){ .rt = t->req.rt, .blocking = true,
	    .deadline = began + EXPLAIN_SOURCES_MS, .note = on_note,
	    .note_ctx = t };
	v = obtain_blocking(&t->req, t->cluster, &t->asker, &t->access, &err);
	if (v != PROVIDER_OK) {
		say_failure(t, v, &err);
		return false;
	}
	say_credential(t, clock_mono_ms() - began);
	say_acting(t);
	say_place(t);
	return true;
}

/* ---- what the cluster says ---- */

static void
say_review(const struct telling *t, const struct selfreview *sr)
{
	size_t i;

	say(t, "the cluster takes it for: %s", *sr->user != '\0' ? sr->user :
	    "nobody");
	if (sr->uid != NULL)
		say(t, "  uid: %s", sr->uid);
	for (i = 0; i < sr->groups.n; i++)
		say(t, "  group: %s", sr->groups.items[i]);
	for (i = 0; i < sr->nextra; i++)
		say(t, "  extra: %s = %s", sr->extra[i].key,
		    sr->extra[i].value);
	if (sr->cut)
		say(t, "  and more");
}

/* 0, or why not. */
static int
ask_cluster(struct telling *t)
{
	struct selfreview sr;
	struct err err = ERR_INIT;
	int r = selfreview_ask(t->req.rt->transport, &t->access,
	    t->req.arena, &sr, &err);

	if (r == 0)
		say_review(t, &sr);
	else if (r == E_NOTFOUND)
		say(t, "the cluster answers, but cannot say for whom it takes "
		    "it (before Kubernetes 1.27)");
	else
		say(t, "%s: %s", r == E_AUTH || r == E_DENIED ?
		    "the cluster refuses it" : "the cluster cannot be asked",
		    err.text);
	return r == E_NOTFOUND ? 0 : r;
}

/* A credential that others got before may have been withdrawn since: another
   one is got, as when serving. */
static bool
ask_again(struct telling *t)
{
	struct access again;

	if (!obtain_again(&t->req, &t->access, &again))
		return false;
	access_release(&t->access);
	t->access = again;
	say(t, "another one is got:");
	return get_credential(t) && ask_cluster(t) == 0;
}

static bool
tell(struct telling *t)
{
	int r;

	say_cluster(t);
	if (!say_may(t))
		return false;
	say_sign_in(t);
	if (!get_credential(t))
		return false;
	r = ask_cluster(t);
	return r == 0 || (r == E_AUTH && ask_again(t));
}

bool
explain_cluster(struct runtime *rt, const struct identity *who,
    const struct cluster *cluster, struct strbuf *out)
{
	struct telling t = {
		.req = { .rt = rt, .who = *who, .arena = arena_new(),
		    .fd = -1 },
		.cluster = cluster, .out = out, .access = ACCESS_INIT,
	};
	bool ok = tell(&t);

	say(&t, ok ? "can be used" : "cannot be used");
	access_release(&t.access);
	arena_free(t.req.arena);
	return ok;
}

void
explain_user(const struct identity *who, struct strbuf *out)
{
	struct arena *arena = arena_new();
	size_t i;

	strbuf_addf(out, "%s %s\n", who->kind == IDENTITY_GUEST ? "guest" :
	    "user", who->user != NULL ? shown(arena, who->user, NULL) :
	    "without a name");
	if (who->email != NULL)
		strbuf_addf(out, "  email: %s\n", shown(arena, who->email,
		    NULL));
	for (i = 0; i < who->ngroups; i++)
		strbuf_addf(out, "  group: %s\n", shown(arena, who->groups[i],
		    NULL));
	arena_free(arena);
}
