/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stagedoor serve, and every way in which a web server starts us: settings,
 * a socket, a pool, then waiting for signals. SIGTERM, SIGINT and SIGUSR1
 * drain, SIGHUP reads the settings again, and so does a kubeconfig or a list
 * of clusters that changes.
 */
#include "base.h"

#include <getopt.h>
#include <pthread.h>
#include <signal.h>

#include "audit.h"
#include "cgi.h"
#include "clock.h"
#include "cmd.h"
#include "documents.h"
#include "ending.h"
#include "err.h"
#include "fcgi.h"
#include "files.h"
#include "list_keeper.h"
#include "harden.h"
#include "kubeconfig.h"
#include "leases.h"
#include "listen.h"
#include "live.h"
#include "log.h"
#include "metrics.h"
#include "pool.h"
#include "portal.h"
#include "reads.h"
#include "runtime.h"
#include "serve_checks.h"
#include "settings.h"
#include "sources.h"
#include "store.h"
#include "store_keeper.h"
#include "transport.h"
#include "watch.h"

#define THREADS_MAX 1024
#define WATCH_SECONDS 1		/* between looks for what changed */
#define ROOTS_MAX (4 * 1024 * 1024)

struct serve {
	const char **files;
	size_t nfiles;
	const char *listen;
	unsigned threads;
	bool cgi;		/* one request, on stdin and stdout */
	struct services services;
	struct store_keeper *keeper;	/* of the store; NULL for a CGI */
	struct secret roots;	/* caFile as it was at the start */
	struct runtime *rt;
	struct watch watch;	/* the kubeconfigs that rt is made of */
	struct kubeconfig_state kubeconfigs;
	struct listener listener;
	struct pool *pool;
};

static const char usage[] =
    "usage: stagedoor serve [-c FILE]... [--listen unix:PATH|HOST:PORT]\n"
    "                       [--threads N]\n"
    "\n"
    "Serves FastCGI with a pool of threads: on --listen, else on the socket\n"
    "it was started with (systemd, spawn-fcgi, mod_fcgid), else on\n"
    "stagedoor.listen of the settings. Started as a CGI program it answers\n"
    "one request. Without -c: $STAGEDOOR_CONFIG, else\n"
    SYSCONFDIR "/stagedoor/stagedoor.conf.\n";

static int
parse_threads(const char *text, unsigned *out)
{
	char *end;
	long n = strtol(text, &end, 10);

	if (*text == '\0' || *end != '\0' || n < 1 || n > THREADS_MAX)
		return -1;
	*out = (unsigned)n;
	return 0;
}

/* 0 to go on, else the exit code plus one. */
static int
parse_options(struct serve *sv, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "listen", required_argument, NULL, 'l' },
		{ "threads", required_argument, NULL, 't' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	optind = 1;
	while ((c = getopt_long(argc, argv, "c:h", longs, NULL)) != -1) {
		if (c == 'c') {
			ARRAY_PUSH(sv->files, sv->nfiles) = optarg;
		} else if (c == 'l') {
			sv->listen = optarg;
		} else if (c == 'h') {
			fputs(usage, stdout);
			return 1;
		} else if (c != 't' ||
		    parse_threads(optarg, &sv->threads) != 0) {
			fputs(usage, stderr);
			return 3;
		}
	}
	if (optind < argc) {
		fputs(usage, stderr);
		return 3;
	}
	if (sv->nfiles == 0)
		ARRAY_PUSH(sv->files, sv->nfiles) = cmd_default_file();
	return 0;
}

static void
log_problems(const struct problems *p)
{
	size_t i;

	for (i = 0; i < p->n; i++)
		log_msg(p->items[i].warning ? LOG_LEVEL_WARN :
		    LOG_LEVEL_ERROR, "%s", p->items[i].text);
}

static struct settings *
load_settings(struct serve *sv)
{
	struct problems problems = { 0 };
	struct settings *s = NULL;

	settings_load(sv->files, sv->nfiles, &s, &problems);
	if (s != NULL && serve_check_roots(s, &problems) != 0) {
		settings_free(s);
		s = NULL;
	}
	if (s != NULL)
		log_init((enum log_level)s->log_level, s->log_syslog);
	log_problems(&problems);
	problems_release(&problems);
	return s;
}

/* stagedoor.caFile; empty if there is none. */
static int
read_roots(const struct settings *s, struct secret *out)
{
	struct err err = ERR_INIT;

	if (s->ca_file == NULL ||
	    file_read(s->ca_file, ROOTS_MAX, out, &err) == 0)
		return 0;
	log_error("stagedoor.caFile: %s", err.text);
	return -1;
}

/* Where it cannot be used each process is on its own, but nothing is out of
   reach, except for those who would have to sign in. */
static struct store *
open_store(const struct settings *s)
{
	struct err err = ERR_INIT;
	struct store *st = store_open_later(&s->store, &err);

	if (err.code != 0)
		log_error("stagedoor.store: %s%s%s; until that is put right, "
		    "processes share no credentials and nobody can sign in",
		    err.text, err.detail[0] != '\0' ? ": " : "", err.detail);
	return st;
}

/*
 * What is watched pays where one process serves for long: not in a CGI, nor
 * where the web server starts as many of us as it likes, on fd 0.
 */
static bool
may_live(const struct serve *sv)
{
	struct listener l;

	return !sv->cgi && (sv->listen != NULL || !listen_inherited(&l) ||
	    l.systemd);
}

static int
make_services(struct serve *sv, const struct settings *s)
{
	struct transport_options opt = { 0 };

	if (read_roots(s, &sv->roots) != 0)
		return -1;
	opt.roots_pem = sv->roots.ptr;
	sv->services.transport = transport_new(&opt);
	sv->services.reads = reads_new();
	sv->services.documents = documents_new(sv->services.transport);
	sv->services.store = open_store(s);
	sv->services.leases = leases_new(sv->services.store);
	sv->services.sources = sources_new(store_is_shared(
	    sv->services.store) ? sv->services.store : NULL);
	sv->services.lists = list_keeper_new(&sv->services, sv->cgi);
	sv->services.portal = portal_new();
	if (may_live(sv))
		sv->services.live = live_new(sv->services.transport);
	return 0;
}

static void
use_live(struct serve *sv, const struct runtime *rt)
{
	const struct live_options opt = {
		.memory = rt->settings->live_memory,
		.idle = rt->settings->live_idle,
		.settings = rt->settings,
		.clusters = &rt->clusters,
	};

	live_use(sv->services.live, &opt);
}

static void
make_runtime(struct serve *sv, struct settings *s, struct runtime **out)
{
	struct problems problems = { 0 };

	*out = runtime_new(s, &sv->services, &problems);
	log_problems(&problems);
	problems_release(&problems);
	use_live(sv, *out);
}

/* A log that cannot be written is no reason to serve without. */
static int
open_audit(const struct settings *s)
{
	const char *at = s->audit_at ? s->audit_at : "settings";
	struct err err = ERR_INIT;

	if (audit_init(s->audit, &err) == 0)
		return 0;
	log_error("%s: stagedoor.audit: %s", at, err.text);
	return -1;
}

static int
open_listener(struct serve *sv)
{
	const struct settings *s = sv->rt->settings;
	struct err err = ERR_INIT;

	if (sv->listen == NULL && listen_inherited(&sv->listener))
		return 0;
	if (listen_open(sv->listen ? sv->listen : s->listen, s->socket_mode,
	    s->socket_group, &sv->listener, &err) == 0)
		return 0;
	log_error("%s", err.text);
	return -1;
}

static void
needs_restart(bool changed, const char *key)
{
	if (changed)
		log_warn("stagedoor.%s has changed: that needs a restart",
		    key);
}

/* What is taken up once, at the start. */
static void
report_unused(const struct serve *sv, const struct settings *new,
    const struct secret *roots)
{
	const struct settings *old = sv->rt->settings;

	needs_restart(new->threads != old->threads, "threads");
	needs_restart(strcmp(new->listen, old->listen) != 0, "listen");
	needs_restart(new->socket_mode != old->socket_mode, "socketMode");
	needs_restart(strcmp(new->socket_group, old->socket_group) != 0,
	    "socketGroup");
	needs_restart(!store_settings_same(&new->store, &old->store),
	    "store");
	needs_restart(roots->len != sv->roots.len || (roots->len > 0 &&
	    memcmp(roots->ptr, sv->roots.ptr, roots->len) != 0), "caFile");
}

static bool
reload_usable(const struct serve *sv, const struct settings *s)
{
	struct secret roots = SECRET_INIT;
	bool ok = s != NULL && read_roots(s, &roots) == 0;

	if (ok)
		report_unused(sv, s, &roots);
	secret_release(&roots);
	return ok;
}

/* From now on, look for changes against what is there now. */
static void
watch_again(struct serve *sv, const struct settings *s)
{
	watch_release(&sv->watch);
	kubeconfig_watch(s, &sv->watch);
}

/*
 * A list of clusters that worked does not give way to a file that is broken;
 * nor, where only files changed, to one that is gone.
 */
static bool
kubeconfigs_usable(struct serve *sv, const struct settings *s, bool changed)
{
	const struct kubeconfig_state *old = &sv->kubeconfigs;
	struct kubeconfig_state new;
	struct problems problems = { 0 };
	bool ok;

	kubeconfig_look(s, &new, &problems);
	ok = old->good == 0 || (new.broken <= old->broken &&
	    (!changed || new.good >= old->good));
	if (ok)
		sv->kubeconfigs = new;
	else
		log_problems(&problems);
	problems_release(&problems);
	return ok;
}

/* The settings as they are now, if they can be used; else why not is said. */
static struct settings *
settings_again(struct serve *sv, bool changed)
{
	struct settings *s = load_settings(sv);

	if (!reload_usable(sv, s)) {
		log_error("settings are not used: the old ones stay");
		watch_again(sv, sv->rt->settings);
		settings_free(s);
		return NULL;
	}
	watch_again(sv, s);
	if (!kubeconfigs_usable(sv, s, changed)) {
		log_error("a kubeconfig cannot be used: the last good list of "
		    "clusters stays");
		settings_free(s);
		return NULL;
	}
	if (open_audit(s) != 0) {
		log_error("settings are not used: the old ones stay");
		settings_free(s);
		return NULL;
	}
	return s;
}

/* changed: which file or list did; NULL: we were told to. */
static void
reload(struct serve *sv, const char *changed)
{
	struct settings *s = settings_again(sv, changed != NULL);
	struct runtime *rt;

	metric_add(s != NULL ? METRIC_RELOADS : METRIC_RELOADS_REFUSED, 1);
	if (s == NULL)
		return;
	if (changed == NULL)
		store_keeper_keys(sv->keeper);
	list_keeper_use(sv->services.lists, s, 0);
	make_runtime(sv, s, &rt);
	pool_use(sv->pool, rt);
	runtime_put(sv->rt);
	sv->rt = rt;
	log_info("settings are read again%s%s%s", changed != NULL ? ": " : "",
	    changed != NULL ? changed : "", changed != NULL ? " has changed" :
	    "");
}

/* A signal; 0 now and then where there is something to look at. */
static int
next_signal(const struct serve *sv, const sigset_t *set)
{
	const struct timespec pause = { .tv_sec = WATCH_SECONDS };
	bool looks = sv->watch.n > 0 ||
	    list_keeper_active(sv->services.lists) ||
	    sv->rt->settings->fresh > 0;
	int sig = looks ? sigtimedwait(set, NULL, &pause) :
	    sigwaitinfo(set, NULL);

	return SD_MAX(sig, 0);
}

static void
wait_for_signals(struct serve *sv, const sigset_t *set)
{
	int sig;

	for (;;) {
		sig = next_signal(sv, set);
		reads_sweep(sv->services.reads);
		if (sig == SIGHUP)
			audit_reopen(), reload(sv, NULL);
		else if (sig != 0)
			break;
		else if (watch_changed(&sv->watch))
			reload(sv, "a kubeconfig");
		else if (list_keeper_changed(sv->services.lists))
			reload(sv, "a list of clusters");
	}
	log_info("signal %d: finishing what is under way", sig);
}

/*
 * Blocked in every thread: a signal in mid-answer would cut it. And from the
 * start: one that comes while settings are read is heard afterwards.
 */
static void
block_signals(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGHUP);
	sigaddset(set, SIGUSR1);	/* what multiwatch ends us with */
	pthread_sigmask(SIG_BLOCK, set, NULL);
}

static int
serve_cgi(struct serve *sv, const sigset_t *set)
{
	ending_catch();
	pthread_sigmask(SIG_UNBLOCK, set, NULL);
	return cgi_serve(sv->rt);
}

/* How the files are that the runtime was made of a moment ago. */
static void
look_first(struct serve *sv)
{
	struct problems problems = { 0 };

	kubeconfig_look(sv->rt->settings, &sv->kubeconfigs, &problems);
	problems_release(&problems);	/* said when it was made */
}

static int
serve_pool(struct serve *sv, const sigset_t *set)
{
	unsigned n = sv->threads ? sv->threads : sv->rt->settings->threads;
	double drain;
	struct err err = ERR_INIT;

	fcgi_init();
	look_first(sv);
	if (pool_start(&sv->listener, sv->rt, n, &sv->pool, &err) != 0) {
		log_error("%s", err.text);
		return 1;
	}
	log_info("serving %zu clusters with %u threads",
	    sv->rt->clusters.n, n);
	sv->keeper = store_keeper_new(sv->services.store);
	wait_for_signals(sv, set);
	store_keeper_free(sv->keeper);
	list_keeper_end(sv->services.lists);
	drain = sv->rt->settings->limit_drain;
	if (!pool_stop(sv->pool, drain)) {
		/* Threads still use what we would free; but what is being
		   renewed must not be cut. */
		list_keeper_free(sv->services.lists);
		sources_stop(sv->services.sources);
		_exit(0);
	}
	return 0;
}

static int
run(struct serve *sv)
{
	struct settings *s;
	sigset_t set;
	int code;

	metric_add(METRIC_STARTED, clock_wall_ms());
	block_signals(&set);
	if ((s = load_settings(sv)) == NULL)
		return 2;
	sv->cgi = cgi_started() && sv->listen == NULL &&
	    !listen_inherited(&sv->listener);
	if (open_audit(s) != 0 || make_services(sv, s) != 0) {
		settings_free(s);
		return 2;
	}
	watch_again(sv, s);
	list_keeper_use(sv->services.lists, s, LIST_FIRST_MS);
	make_runtime(sv, s, &sv->rt);
	if (sv->cgi)
		code = serve_cgi(sv, &set);
	else if (open_listener(sv) != 0)
		code = 1;
	else
		code = serve_pool(sv, &set);
	listen_close(&sv->listener);
	watch_release(&sv->watch);
	if (!sources_stop(sv->services.sources)) {
		log_warn("a credential is still being fetched: it is not "
		    "waited for any longer");
		_exit(code);
	}
	live_free(sv->services.live);
	runtime_put(sv->rt);
	list_keeper_free(sv->services.lists);
	sources_free(sv->services.sources);
	leases_free(sv->services.leases);
	portal_free(sv->services.portal);
	store_close(sv->services.store);
	documents_free(sv->services.documents);
	reads_free(sv->services.reads);
	transport_free(sv->services.transport);
	secret_release(&sv->roots);
	audit_end();
	return code;
}

int
cmd_serve(int argc, char **argv)
{
	struct serve sv = { .listener = LISTENER_INIT };
	int code = parse_options(&sv, argc, argv);

	if (code == 0) {
		harden();
		code = run(&sv);
	} else {
		code--;
	}
	free(sv.files);
	return code;
}
