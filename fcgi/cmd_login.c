/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stagedoor login: on a person's machine, without settings. It gets a token
 * from the portal by device flow, keeps it until shortly before it ends, and
 * prints it as kubectl's credential plug-ins do.
 */
#include "base.h"

#include <getopt.h>
#include <pwd.h>

#include "arena.h"
#include "clock.h"
#include "cmd.h"
#include "credential.h"
#include "err.h"
#include "exec_print.h"
#include "files.h"
#include "harden.h"
#include "log.h"
#include "login_cache.h"
#include "portal_client.h"
#include "shown.h"
#include "tokens_told.h"
#include "transport.h"

#define CA_MAX (4 * 1024 * 1024)
#define SPARE_MS 30000		/* a token that ends sooner is not used */
#define CHECK_MS 60000		/* the portal is asked no more often whether a
				   token is still good */
#define HOST_MAX 64
#define PASSWD_MAX 16384

static const char usage[] =
    "usage: stagedoor login --portal URL [--ca FILE] [--wait]\n"
    "       stagedoor login --portal URL [--ca FILE] --logout\n"
    "\n"
    "Lets kubectl on this machine into the clusters of a portal, as yourself:\n"
    "shows an address and a code, waits until you have allowed it there, and\n"
    "prints the token as an ExecCredential, for the `exec` of a user in a\n"
    "kubeconfig (the portal's page /connect offers one). The token is kept in\n"
    "$XDG_CACHE_HOME/stagedoor, else ~/.cache/stagedoor, until it ends, in an\n"
    "hour or less. URL is the portal's address with the path of its back end\n"
    "for Kubernetes: https://portal.example.org/api/kubernetes.\n"
    "--ca: a file with certificates to trust beside the system's.\n"
    "--wait: wait also where standard error is no terminal.\n"
    "--logout: end the session and forget its token.\n"
    "Exit code 1: nobody is signed in; 2: the options are wrong.\n";

struct cmd_login {
	const char *portal, *ca;
	bool wait, logout;
	const char *version;		/* of ExecCredential */
	struct secret roots;
	struct portal_client client;
	struct login_cache cache;
	struct login_kept kept;
	struct portal_codes codes;
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
parse_options(struct cmd_login *cl, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "portal", required_argument, NULL, 'p' },
		{ "ca", required_argument, NULL, 'a' },
		{ "wait", no_argument, NULL, 'w' },
		{ "logout", no_argument, NULL, 'l' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	const char **to;
	int c;

	optind = 1;
	while ((c = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
		if (c == 'h' || c == '?') {
			fputs(usage, c == 'h' ? stdout : stderr);
			return c == 'h' ? 1 : 3;
		}
		to = c == 'p' ? &cl->portal : &cl->ca;
		if (c == 'w')
			cl->wait = true;
		else if (c == 'l')
			cl->logout = true;
		else if (*to != NULL)
			return complain("an option was given twice");
		else
			*to = optarg;
	}
	if (optind < argc)
		return complain("there is an argument too many");
	return cl->portal == NULL ? complain("--portal is missing") : 0;
}

static int
fail(int code, const struct err *err)
{
	struct arena *arena = arena_new();

	fprintf(stderr, "stagedoor: %s\n", shown(arena, err->text, NULL));
	arena_free(arena);
	return code;
}

/* ---- getting ready ---- */

static int
read_roots(struct cmd_login *cl, struct err *err)
{
	int r;

	if (cl->ca == NULL)
		return 0;
	r = file_read(cl->ca, CA_MAX, &cl->roots, err);
	if (r == 0 && (cl->roots.len == 0 ||
	    strstr(cl->roots.ptr, "-----BEGIN CERTIFICATE") == NULL))
		r = err_set(err, E_CONFIG, "'%.200s' holds no PEM "
		    "certificate", cl->ca);
	return r;
}

static int
get_ready(struct cmd_login *cl, struct err *err)
{
	struct transport_options opt = { .threads = 1 };
	int r;

	log_init(LOG_LEVEL_ERROR, false);
	cl->client.arena = arena_new();
	if ((r = portal_client_url(cl->client.arena, cl->portal,
	    &cl->client.url, err)) != 0 || (r = read_roots(cl, err)) != 0 ||
	    (r = exec_print_version(&cl->version, err)) != 0)
		return r;
	opt.roots_pem = cl->roots.ptr;
	cl->client.transport = transport_new(&opt);
	return 0;
}

static void
end(struct cmd_login *cl)
{
	login_kept_release(&cl->kept);
	login_cache_close(&cl->cache);
	secret_release(&cl->codes.device);
	secret_release(&cl->roots);
	if (cl->client.transport != NULL)
		transport_free(cl->client.transport);
	if (cl->client.arena != NULL)
		arena_free(cl->client.arena);
}

/* ---- a token that is kept ---- */

/* Ended on /connect, say: it would be good for nothing, and kubectl does not
   tell us. Where the portal cannot say, it is taken for good. */
static bool
is_still_good(struct cmd_login *cl)
{
	int64_t now = clock_wall_ms();
	int r;

	if (cl->kept.expires - now < SPARE_MS)
		return false;
	if (now - cl->kept.checked < CHECK_MS && cl->kept.checked <= now)
		return true;
	r = portal_client_check(&cl->client, &cl->kept.token, NULL);
	if (r == E_AUTH)
		return false;
	if (r == 0) {
		cl->kept.checked = now;
		login_cache_write(&cl->cache, &cl->kept, NULL);
	}
	return true;
}

static void
say_waiting(void)
{
	fputs("stagedoor: waiting for another stagedoor login\n", stderr);
}

/* ---- a new one ---- */

static const char *
name_of_this(struct arena *arena)
{
	struct passwd pw, *found = NULL;
	char buf[PASSWD_MAX], host[HOST_MAX + 1] = "";

	gethostname(host, HOST_MAX);
	if (getpwuid_r(getuid(), &pw, buf, sizeof(buf), &found) != 0 ||
	    found == NULL)
		return arena_strdup(arena, host);
	return arena_printf(arena, "%.32s@%s", found->pw_name, host);
}

static void
show_codes(const struct cmd_login *cl)
{
	const struct portal_codes *codes = &cl->codes;
	struct arena *arena = cl->client.arena;

	fprintf(stderr, "to use kubectl as yourself, open\n\n    %s\n\n"
	    "and enter the code\n\n    %s\n\n", shown(arena, codes->page,
	    NULL), shown(arena, codes->user, NULL));
	if (codes->page_complete != NULL)
		fprintf(stderr, "or open\n\n    %s\n\n", shown(arena,
		    codes->page_complete, NULL));
	fputs("waiting; Ctrl-C stops\n", stderr);
}

static void
pause_for(int64_t ms)
{
	const struct timespec t = { .tv_sec = (time_t)(ms / 1000),
	    .tv_nsec = (long)(ms % 1000) * 1000000 };

	nanosleep(&t, NULL);
}

static int
wait_for_token(struct cmd_login *cl, struct portal_given *given,
    struct err *err)
{
	int r;

	do {
		pause_for(SD_MIN(cl->codes.interval, SD_MAX(cl->codes.expires
		    - clock_mono_ms(), (int64_t)0)));
		r = portal_client_poll(&cl->client, &cl->codes, given, err);
	} while (r == E_PENDING && clock_mono_ms() < cl->codes.expires);
	return r == E_PENDING ? err_set(err, E_TIMEOUT, "the code has run "
	    "out before anybody allowed it") : r;
}

static int
check_terminal(const struct cmd_login *cl, struct err *err)
{
	if (cl->wait || isatty(STDERR_FILENO))
		return 0;
	return err_set(err, E_SIGNIN, "nobody is signed in to the portal "
	    "here, and there is no terminal to show a code on: run "
	    "stagedoor login --portal %.200s in one first", cl->client.url);
}

static int
sign_in(struct cmd_login *cl, struct err *err)
{
	struct portal_given given = { .token = SECRET_INIT };
	struct err why = ERR_INIT;
	int r;

	if ((r = check_terminal(cl, err)) != 0 ||
	    (r = portal_client_begin(&cl->client,
	    name_of_this(cl->client.arena), &cl->codes, err)) != 0)
		return r;
	show_codes(cl);
	if ((r = wait_for_token(cl, &given, err)) != 0)
		return r;
	login_kept_release(&cl->kept);
	secret_move(&cl->kept.token, &given.token);
	cl->kept.expires = given.expires;
	cl->kept.checked = clock_wall_ms();
	fprintf(stderr, "signed in as %s until %s\n", shown(cl->client.arena,
	    given.user != NULL ? given.user : "?", NULL),
	    tokens_told_time(cl->client.arena, given.expires));
	if (login_cache_write(&cl->cache, &cl->kept, &why) != 0)
		fail(1, &why);		/* it works this once */
	return 0;
}

/* For kubectl; a person who runs it by hand has been told. */
static int
print_token(struct cmd_login *cl, struct err *err)
{
	struct credential cred = { .kind = CREDENTIAL_ANONYMOUS };
	int r;

	if (isatty(STDOUT_FILENO) && getenv("KUBERNETES_EXEC_INFO") == NULL) {
		puts("kubectl can use the portal now");
		return 0;
	}
	credential_take_bearer(&cred, &cl->kept.token);
	cred.expires = cl->kept.expires;
	r = exec_print(&cred, cl->version, err);
	credential_release(&cred);
	return r;
}

/* ---- all of it ---- */

static int
log_out(struct cmd_login *cl, struct err *err)
{
	int r;

	if (login_cache_read(&cl->cache, &cl->kept, NULL) != 0) {
		login_cache_remove(&cl->cache);
		puts("nobody is signed in");
		return 0;
	}
	login_cache_remove(&cl->cache);
	if ((r = portal_client_revoke(&cl->client, &cl->kept.token, err)) == 0)
		puts("signed out");
	return r;
}

static int
run(struct cmd_login *cl)
{
	struct err err = ERR_INIT;
	int r;

	if (get_ready(cl, &err) != 0)
		return fail(2, &err);
	if (login_cache_open(cl->client.url, say_waiting, &cl->cache,
	    &err) != 0)
		return fail(1, &err);
	if (cl->logout)
		return log_out(cl, &err) == 0 ? 0 : fail(1, &err);
	r = login_cache_read(&cl->cache, &cl->kept, &err);
	if (r == E_NOTFOUND || (r == 0 && !is_still_good(cl)))
		r = sign_in(cl, &err);
	if (r == 0)
		r = print_token(cl, &err);
	return r == 0 ? 0 : fail(1, &err);
}

int
cmd_login(int argc, char **argv)
{
	struct cmd_login cl = { .cache = LOGIN_CACHE_INIT };
	int code = parse_options(&cl, argc, argv) - 1;

	if (code < 0) {
		harden();
		code = run(&cl);
	}
	end(&cl);
	return code;
}
