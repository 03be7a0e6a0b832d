/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stagedoor connect: signs a user in from the server's terminal, by device
 * flow: a code is shown, somebody enters it in a browser wherever they are,
 * and the tokens are kept for that user.
 */
#include "base.h"

#include <getopt.h>
#include <pthread.h>
#include <signal.h>

#include "arena.h"
#include "audit.h"
#include "clock.h"
#include "cmd.h"
#include "cmd_user.h"
#include "harden.h"
#include "login.h"
#include "session.h"
#include "shown.h"
#include "tokens_told.h"

static const char usage[] =
    "usage: stagedoor connect [-c FILE]... --user USER --provider PROVIDER\n"
    "                         [--name NAME]\n"
    "\n"
    "Signs USER in to a login of the settings without a browser here: prints\n"
    "an address and a code, waits until the code is entered there, and keeps\n"
    "the tokens in stagedoor.store. USER is an entity ref or a name, PROVIDER\n"
    "oidc or aks, NAME the oidcTokenProvider, where there are several. Run it\n"
    "as the server's user, and enter the code only for whom you name here.\n"
    "Exit code 1: nobody is signed in; 2: the settings or the options are\n"
    "wrong, or there is no stagedoor.store to keep tokens in.\n"
    "Without -c: $STAGEDOOR_CONFIG, else\n"
    SYSCONFDIR "/stagedoor/stagedoor.conf.\n";

struct cmd_connect {
	struct cmd_user cu;
	const char *provider, *name;
	const struct login_settings *login;
	struct login_client client;
	struct oauth_device device;
	struct token_set tokens;
	sigset_t signals;		/* that stop the waiting */
	int64_t began;			/* mono ms */
};

/* ---- options ---- */

static int
complain(const char *what)
{
	fprintf(stderr, "stagedoor: %s\n%s", what, usage);
	return 3;
}

/* 0 to go on, else the exit code plus one. */
static int
parse_options(struct cmd_connect *cc, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "user", required_argument, NULL, 'u' },
		{ "provider", required_argument, NULL, 'p' },
		{ "name", required_argument, NULL, 'n' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	const char **to;
	int c;

	optind = 1;
	while ((c = getopt_long(argc, argv, "c:h", longs, NULL)) != -1) {
		if (c == 'h' || c == '?') {
			fputs(usage, c == 'h' ? stdout : stderr);
			return c == 'h' ? 1 : 3;
		}
		to = c == 'u' ? &cc->cu.words.user : c == 'p' ?
		    &cc->provider : &cc->name;
		if (c == 'c')
			ARRAY_PUSH(cc->cu.files, cc->cu.nfiles) = optarg;
		else if (*to != NULL)
			return complain("an option was given twice");
		else
			*to = optarg;
	}
	if (optind < argc)
		return complain("there is an argument too many");
	if (cc->cu.words.user == NULL || cc->provider == NULL)
		return complain(cc->cu.words.user == NULL ?
		    "--user is missing" : "--provider is missing");
	if (cc->cu.nfiles == 0)
		ARRAY_PUSH(cc->cu.files, cc->cu.nfiles) = cmd_default_file();
	return 0;
}

/* ---- for whom, and where ---- */

static int
check_user(const struct cmd_connect *cc, struct err *err)
{
	if (cc->cu.req.who.kind == IDENTITY_USER)
		return 0;
	return err_set(err, E_INPUT, "--user names a guest: only users have "
	    "sign-ins of their own");
}

/* Without --name: the only one of that provider. */
static const struct login_settings *
find_login(const struct cmd_connect *cc, size_t *n)
{
	const struct settings *s = cc->cu.rt->settings;
	const struct login_settings *found = NULL;
	size_t i;

	*n = 0;
	for (i = 0; i < s->nlogins; i++) {
		const struct login_settings *l = &s->logins[i];

		if (strcmp(login_provider_name(l), cc->provider) != 0 ||
		    (cc->name != NULL && !str_eq(l->name, cc->name)))
			continue;
		found = l;
		(*n)++;
	}
	return *n == 1 ? found : NULL;
}

static int
choose_login(struct cmd_connect *cc, struct err *err)
{
	size_t n;

	if (strcmp(cc->provider, "google") == 0)
		return err_set(err, E_INPUT, "Google's sign-in on another "
		    "device gives no token that opens clusters: sign in at %s",
		    login_page(cc->cu.rt->settings, cc->cu.req.arena));
	cc->login = find_login(cc, &n);
	if (cc->login == NULL && n > 1)
		return err_set(err, E_INPUT, "there are %zu logins of provider "
		    "'%.32s': say which with --name", n, cc->provider);
	if (cc->login == NULL)
		return err_set(err, E_INPUT, "stagedoor.login has none of "
		    "provider '%.32s'%s%.64s%s", cc->provider, cc->name ?
		    " named '" : "", cc->name ? cc->name : "",
		    cc->name ? "'" : "");
	if (!cc->login->device)
		return err_set(err, E_INPUT, "%s: device is false: this login "
		    "is for browsers, at %s", cc->login->where,
		    login_page(cc->cu.rt->settings, cc->cu.req.arena));
	return 0;
}

/* ---- what the audit log is told ---- */

static void
report(const struct cmd_connect *cc, const char *event, const char *result)
{
	const struct token_key key = login_key(cc->login,
	    cc->cu.req.who.user);
	const struct audit_event e = {
		.event = event,
		.user = key.user,
		.kind = "user",
		.by = "cli",
		.provider = key.provider,
		.name = *key.name != '\0' ? key.name : NULL,
		.account = cc->tokens.account,
		.issuer = cc->tokens.issuer != NULL ? cc->tokens.issuer :
		    cc->login->issuer,
		.result = result,
		.ms = clock_mono_ms() - cc->began,
	};

	audit(&e);
}

/* ---- the sign-in ---- */

static void
show_code(const struct cmd_connect *cc)
{
	const struct oauth_device *d = &cc->device;
	struct arena *arena = cc->cu.req.arena;

	printf("to sign in %s, open\n\n    %s\n\nand enter the code\n\n"
	    "    %s\n\n", shown(arena, cc->cu.req.who.user, NULL),
	    shown(arena, d->verification_uri, NULL),
	    shown(arena, d->user_code, NULL));
	if (d->verification_uri_complete != NULL)
		printf("or open\n\n    %s\n\n", shown(arena,
		    d->verification_uri_complete, NULL));
	printf("waiting until %s; Ctrl-C stops\n", tokens_told_time(arena,
	    d->expires));
	fflush(stdout);
}

/* True: somebody wants us to stop. */
static bool
wait_a_while(const struct cmd_connect *cc)
{
	int64_t ms = SD_MIN(cc->device.interval, SD_MAX(cc->device.expires -
	    clock_wall_ms(), (int64_t)0));
	const struct timespec pause = { .tv_sec = (time_t)(ms / 1000),
	    .tv_nsec = (long)(ms % 1000) * 1000000 };

	return sigtimedwait(&cc->signals, NULL, &pause) > 0;
}

static int
wait_for_tokens(struct cmd_connect *cc, struct err *err)
{
	int r;

	do {
		if (wait_a_while(cc))
			return err_set(err, E_GONE, "stopped: %s is not "
			    "signed in", cc->cu.req.who.user);
		r = oauth_device_poll(&cc->client.oauth, &cc->device,
		    &cc->tokens, err);
	} while (r == E_PENDING);
	return r;
}

static int
keep(struct cmd_connect *cc, struct err *err)
{
	const struct token_key key = login_key(cc->login,
	    cc->cu.req.who.user);
	struct token_set *ts = &cc->tokens;

	ts->user = xstrdup(key.user);
	ts->provider = xstrdup(key.provider);
	ts->name = xstrdup(key.name);
	ts->signed_in = ts->refreshed = clock_wall_ms();
	token_set_renew(ts);
	return tokens_put(cc->cu.services.store, ts, err);
}

static void
show_outcome(const struct cmd_connect *cc)
{
	const struct token_set *ts = &cc->tokens;
	struct arena *arena = cc->cu.req.arena;
	int64_t expires;

	session_pick(cc->login, ts, &expires);
	printf("connected as %s until %s%s\n", shown(arena,
	    ts->account != NULL ? ts->account : ts->subject, NULL),
	    tokens_told_time(arena, expires), ts->refresh_token.len > 0 ?
	    ", renewed by itself" : "");
	fflush(stdout);
}

static int
connect_user(struct cmd_connect *cc, struct err *err)
{
	int r;

	cc->began = clock_mono_ms();
	login_client_init(&cc->client, cc->cu.rt, cc->login,
	    cc->cu.req.arena);
	r = oauth_device_begin(&cc->client.oauth, &cc->device, err);
	report(cc, "device", r == 0 ? "ok" : err->text);
	if (r != 0)
		return r;
	show_code(cc);
	if ((r = wait_for_tokens(cc, err)) == 0)
		r = keep(cc, err);
	report(cc, r == 0 ? "sign-in" : "sign-in-failed", r == 0 ? "ok" :
	    err->text);
	if (r == 0)
		show_outcome(cc);
	return r;
}

/* ---- all of it ---- */

/*
 * Blocked from before there are threads, and looked at between questions: a
 * signal must not come between tokens that arrived and their being kept.
 */
static void
block_signals(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGHUP);
	pthread_sigmask(SIG_BLOCK, set, NULL);
}

static int
run(struct cmd_connect *cc)
{
	struct err err = ERR_INIT;
	int code;

	block_signals(&cc->signals);
	cc->cu.quiet = true;
	if ((code = cmd_user_open(&cc->cu)) != 0 ||
	    (code = cmd_user_store(&cc->cu)) != 0)
		return code;
	if (check_user(cc, &err) != 0 || choose_login(cc, &err) != 0)
		return cmd_user_fail(2, &err);
	if ((code = cmd_user_audit(&cc->cu)) != 0)
		return code;
	return connect_user(cc, &err) == 0 ? 0 : cmd_user_fail(1, &err);
}

int
cmd_connect(int argc, char **argv)
{
	struct cmd_connect cc = { .cu = { .usage = usage } };
	int code = parse_options(&cc, argc, argv) - 1;

	if (code < 0) {
		harden();
		code = run(&cc);
	}
	oauth_device_release(&cc.device);
	token_set_release(&cc.tokens);
	cmd_user_close(&cc.cu);
	audit_end();
	return code;
}
