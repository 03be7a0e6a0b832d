/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stagedoor tokens: whose sign-ins the token store holds, and an end to
 * them. Never a token.
 */
#include "base.h"

#include <getopt.h>

#include "arena.h"
#include "audit.h"
#include "cmd.h"
#include "cmd_user.h"
#include "harden.h"
#include "log.h"
#include "login.h"
#include "portal_session.h"
#include "session.h"
#include "settings.h"
#include "tokens_told.h"

static const char usage[] =
    "usage: stagedoor tokens list [-c FILE]... [--user USER]\n"
    "                           [--provider PROVIDER] [--name NAME] [--json]\n"
    "       stagedoor tokens revoke [-c FILE]... --user USER|--all\n"
    "                           [--provider PROVIDER] [--name NAME]\n"
    "\n"
    "list tells who has signed in to which provider, as whom, until when,\n"
    "and why a sign-in has ended; --json as one JSON object a line. Never a\n"
    "token. revoke signs out: the tokens are gone from the store, then the\n"
    "issuer is told; the audit log says who did it (\"by\":\"cli\"). What\n"
    "cannot be read goes too, if it is USER's, or with --all.\n"
    "USER is an entity ref or a name, PROVIDER oidc, google or aks, NAME the\n"
    "oidcTokenProvider; sessions of kubectl (stagedoor login) have PROVIDER\n"
    "portal and a NAME of their own. Run it as the server's user.\n"
    "Exit code 1: it failed; 2: the settings or the options are wrong, or\n"
    "there is no stagedoor.store: then only the server's memory has tokens.\n"
    "Without -c: $STAGEDOOR_CONFIG, else\n"
    SYSCONFDIR "/stagedoor/stagedoor.conf.\n";

struct cmd_tokens {
	struct cmd_user cu;
	bool revoke, all, json;
	const char *provider, *name;	/* NULL: any */
	const char *user;		/* a full ref; NULL: any */
	struct tokens_told told;
	size_t bad;		/* that cannot be read */
	size_t bad_sessions;	/* of kubectl; they end within an hour */
	int64_t now;
};

static int
complain(const char *what)
{
	fprintf(stderr, "stagedoor: %s\n%s", what, usage);
	return 3;
}

static int
set_option(struct cmd_tokens *ct, int c)
{
	const char **to = c == 'u' ? &ct->cu.words.user : c == 'p' ?
	    &ct->provider : &ct->name;

	if (c == 'c')
		ARRAY_PUSH(ct->cu.files, ct->cu.nfiles) = optarg;
	else if (c == 'a')
		ct->all = true;
	else if (c == 'j')
		ct->json = true;
	else if (*to != NULL)
		return complain("an option was given twice");
	else
		*to = optarg;
	return 0;
}

static int
check_options(struct cmd_tokens *ct, int argc, char **argv)
{
	const char *word = optind < argc ? argv[optind] : "";

	ct->revoke = strcmp(word, "revoke") == 0;
	if (!ct->revoke && strcmp(word, "list") != 0)
		return complain("list or revoke?");
	if (optind + 1 < argc)
		return complain("there is an argument too many");
	if (ct->revoke && (ct->cu.words.user != NULL) == ct->all)
		return complain("revoke needs --user, or --all for everybody");
	if (ct->revoke ? ct->json : ct->all)
		return complain(ct->revoke ? "--json is for list" :
		    "--all is for revoke: list tells of all anyway");
	if (ct->cu.nfiles == 0)
		ARRAY_PUSH(ct->cu.files, ct->cu.nfiles) = cmd_default_file();
	return 0;
}

/* 0 to go on, else the exit code plus one. */
static int
parse_options(struct cmd_tokens *ct, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "user", required_argument, NULL, 'u' },
		{ "provider", required_argument, NULL, 'p' },
		{ "name", required_argument, NULL, 'n' },
		{ "all", no_argument, NULL, 'a' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int c, r;

	optind = 1;
	while ((c = getopt_long(argc, argv, "c:h", longs, NULL)) != -1) {
		if (c == 'h' || c == '?') {
			fputs(usage, c == 'h' ? stdout : stderr);
			return c == 'h' ? 1 : 3;
		}
		if ((r = set_option(ct, c)) != 0)
			return r;
	}
	return check_options(ct, argc, argv);
}

/* ---- what is there ---- */

static int
find_user(struct cmd_tokens *ct)
{
	struct err err = ERR_INIT;

	if (ct->cu.words.user == NULL)
		return 0;
	ct->user = identity_ref(ct->cu.req.arena, ct->cu.words.user, "user");
	if (ct->user != NULL)
		return 0;
	err_set(&err, E_INPUT, "--user is no entity ref: give a name, or "
	    "kind:namespace/name");
	return cmd_user_fail(2, &err);
}

static bool
is_asked_for(const struct cmd_tokens *ct, const struct token_key *key)
{
	return (ct->user == NULL || strcmp(key->user, ct->user) == 0) &&
	    (ct->provider == NULL ||
	    strcmp(key->provider, ct->provider) == 0) &&
	    (ct->name == NULL || strcmp(key->name, ct->name) == 0);
}

static int
take(void *ctx, const struct token_set *ts)
{
	struct cmd_tokens *ct = ctx;
	const struct token_key key = { ts->user, ts->provider, ts->name };

	if (is_asked_for(ct, &key))
		tokens_told_add(&ct->told, ct->cu.rt->settings, ts);
	return 0;
}

static int
take_portal(void *ctx, const struct portal_session *s)
{
	struct cmd_tokens *ct = ctx;
	const char *id = portal_id_short(ct->cu.req.arena, s->id);
	const struct token_key key = { s->user, "portal", id };

	if (is_asked_for(ct, &key))
		tokens_told_add_portal(&ct->told, s);
	return 0;
}

static int
look(struct cmd_tokens *ct)
{
	struct err err = ERR_INIT;

	if (tokens_each(ct->cu.services.store, take, ct, &ct->bad, &err) !=
	    0 || portal_session_each(ct->cu.services.store, take_portal, ct,
	    &ct->bad_sessions, &err) != 0)
		return cmd_user_fail(1, &err);
	tokens_told_sort(&ct->told);
	return 0;
}

static int
complain_bad(const struct cmd_tokens *ct)
{
	if (ct->bad == 0)
		return 0;
	fprintf(stderr, "stagedoor: %zu sign-in%s cannot be read: damaged, or "
	    "sealed with a key that is no longer in keyFile\n", ct->bad,
	    ct->bad == 1 ? "" : "s");
	return 1;
}

/* ---- list, revoke ---- */

static int
list_all(struct cmd_tokens *ct)
{
	struct strbuf out = STRBUF_INIT(STRBUF_UNLIMITED);
	int code = look(ct);

	if (code == 0)
		code = complain_bad(ct);
	if (ct->json)
		tokens_told_json(&ct->told, &out);
	else
		tokens_told_table(&ct->told, &out);
	fputs(out.buf, stdout);
	strbuf_release(&out);
	if (!ct->json && ct->told.n == 0 && code == 0)
		puts("nobody has signed in");
	return fflush(stdout) == 0 && !ferror(stdout) ? code : 1;
}

static const struct session_end by_us = { .by = "cli" };

/* Processes that serve see it within a second. */
static int
revoke_session(struct cmd_tokens *ct, const struct token_told *t,
    struct err *err)
{
	struct portal_session s = { .user = t->user };
	const struct audit_event e = {
		.event = "revoke",
		.by = "cli",
		.user = t->user,
		.provider = "portal",
		.session = t->name,
		.account = t->account,
		.result = "ok",
	};
	int r;

	snprintf(s.id, sizeof(s.id), "%s", t->session);
	r = portal_session_end(ct->cu.services.store, ct->cu.req.arena, &s,
	    err);
	if (r == 0)
		audit(&e);
	return r;
}

static int
revoke_one(struct cmd_tokens *ct, const struct token_told *t)
{
	const struct token_key key = { t->user, t->provider, t->name };
	struct err err = ERR_INIT;
	int r = t->session != NULL ? revoke_session(ct, t, &err) :
	    session_revoke(ct->cu.rt, &key, &by_us, &err);

	if (r == E_NOTFOUND)		/* somebody else was first */
		return 0;
	if (r != 0)
		return cmd_user_fail(1, &err);
	tokens_told_print(t, "signed out", stdout);
	return 0;
}

static void
tell_unread(const struct cmd_tokens *ct, size_t n)
{
	const char *words = arena_printf(ct->cu.req.arena,
	    "%zu that cannot be read", n);
	const struct audit_event e = {
		.event = "revoke",
		.by = "cli",
		.user = ct->user,
		.result = words,
	};

	if (n == 0)
		return;
	printf("ended: %zu sign-in%s that cannot be read\n", n,
	    n == 1 ? "" : "s");
	audit(&e);
}

/* Those of that user have names, for each login of the settings. */
static int
revoke_unread_of(struct cmd_tokens *ct)
{
	const struct settings *s = ct->cu.rt->settings;
	struct store *st = ct->cu.services.store;
	struct err err = ERR_INIT;
	size_t i, before = ct->bad;

	for (i = 0; i < s->nlogins; i++) {
		const struct token_key key = login_key(&s->logins[i],
		    ct->user);

		if (is_asked_for(ct, &key))
			session_revoke(ct->cu.rt, &key, &by_us, NULL);
	}
	if (tokens_each(st, NULL, NULL, &ct->bad, &err) != 0)
		return cmd_user_fail(1, &err);
	tell_unread(ct, before - SD_MIN(before, ct->bad));
	return complain_bad(ct);
}

/* Whose they are nobody can tell: all, or only what is asked for by name. */
static int
revoke_unread(struct cmd_tokens *ct)
{
	struct err err = ERR_INIT;
	size_t n;

	if (ct->bad + ct->bad_sessions == 0)
		return 0;
	if (ct->user != NULL)
		return revoke_unread_of(ct);
	if (ct->provider != NULL || ct->name != NULL)
		return complain_bad(ct);
	if (tokens_drop_unread(ct->cu.services.store, &n, &err) != 0 ||
	    portal_session_drop_unread(ct->cu.services.store,
	    &ct->bad_sessions, &err) != 0)
		return cmd_user_fail(1, &err);
	tell_unread(ct, n);
	return 0;
}

static int
revoke_all(struct cmd_tokens *ct)
{
	int code = look(ct);
	size_t i;

	if (ct->told.n == 0 && ct->bad == 0 && code == 0)
		puts("nobody is signed in there");
	for (i = 0; i < ct->told.n; i++)
		if (revoke_one(ct, &ct->told.items[i]) != 0)
			code = 1;
	return revoke_unread(ct) != 0 ? 1 : code;
}

/* ---- all of it ---- */

/* The store, and for revoke the audit log: 0, or the exit code. */
static int
open_all(struct cmd_tokens *ct)
{
	int code;

	ct->cu.quiet = true;
	if ((code = cmd_user_load(&ct->cu)) != 0 ||
	    (code = cmd_user_store(&ct->cu)) != 0)
		return code;
	log_init(LOG_LEVEL_WARN, false);
	ct->cu.req.arena = arena_new();
	ct->told.arena = ct->cu.req.arena;
	if (ct->revoke && (code = cmd_user_audit(&ct->cu)) != 0)
		return code;
	return find_user(ct);
}

int
cmd_tokens(int argc, char **argv)
{
	struct cmd_tokens ct = { .cu = { .usage = usage } };
	int code = parse_options(&ct, argc, argv) - 1;

	if (code < 0) {
		harden();
		code = open_all(&ct);
		if (code == 0)
			code = ct.revoke ? revoke_all(&ct) : list_all(&ct);
	}
	tokens_told_release(&ct.told);
	cmd_user_close(&ct.cu);
	audit_end();
	return code;
}
