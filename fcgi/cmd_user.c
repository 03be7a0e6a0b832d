/* SPDX-License-Identifier: Apache-2.0 */
/* Options, settings and identity of subcommands that ask for one user. */
#include "base.h"

#include <getopt.h>
#include <sys/stat.h>

#include "arena.h"
#include "audit.h"
#include "cmd.h"
#include "cmd_user.h"
#include "documents.h"
#include "err.h"
#include "files.h"
#include "list_keeper.h"
#include "leases.h"
#include "log.h"
#include "serve_checks.h"
#include "shown.h"
#include "sources.h"
#include "store.h"
#include "suggest.h"
#include "transport.h"

#define ROOTS_MAX (4 * 1024 * 1024)

static int
complain(const struct cmd_user *cu, const char *what)
{
	fprintf(stderr, "stagedoor: %s\n%s", what, cu->usage);
	return 3;
}

/* An option that says who or what: once, or it is not clear which. */
static bool
set_once(const char **to)
{
	if (*to != NULL)
		return false;
	*to = optarg;
	return true;
}

static const char **
word_of(struct cmd_user *cu, int option)
{
	switch (option) {
	case 'u':
		return &cu->words.user;
	case 'e':
		return &cu->words.email;
	case 'g':
		return &cu->words.groups;
	default:
		return &cu->cluster_name;
	}
}

int
cmd_user_options(struct cmd_user *cu, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "user", required_argument, NULL, 'u' },
		{ "email", required_argument, NULL, 'e' },
		{ "groups", required_argument, NULL, 'g' },
		{ "cluster", required_argument, NULL, 'n' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	optind = 1;
	while ((c = getopt_long(argc, argv, "c:h", longs, NULL)) != -1) {
		if (c == 'h') {
			fputs(cu->usage, stdout);
			return 1;
		}
		if (c == '?') {
			fputs(cu->usage, stderr);
			return 3;
		}
		if (c == 'c')
			ARRAY_PUSH(cu->files, cu->nfiles) = optarg;
		else if (!set_once(word_of(cu, c)))
			return complain(cu, "an option was given twice");
	}
	if (optind < argc)
		return complain(cu, "there is an argument too many");
	if (cu->words.user == NULL)
		return complain(cu, "--user is missing");
	if (cu->nfiles == 0)
		ARRAY_PUSH(cu->files, cu->nfiles) = cmd_default_file();
	return 0;
}

/* ---- settings ---- */

void
cmd_user_warn(const struct cmd_user *cu)
{
	struct arena *arena = arena_new();
	size_t i;

	for (i = 0; i < cu->warnings.n; i++)
		fprintf(stderr, "%s%s\n", cu->warnings.items[i].warning ?
		    "warning: " : "", shown(arena,
		    cu->warnings.items[i].text, NULL));
	arena_free(arena);
}

static int
fail(const struct cmd_user *cu, int code, const char *text)
{
	cmd_user_warn(cu);
	if (text != NULL)
		fprintf(stderr, "stagedoor: %s\n", text);
	return code;
}

/*
 * A database that is not there is made by the server's own user only, whose
 * folder it is: another's would shut the server out.
 */
static bool
store_is_ours(const struct store_settings *s)
{
	const char *slash = s->path != NULL ? strrchr(s->path, '/') : NULL;
	struct stat st;
	char *folder;
	bool ours;

	if (slash == NULL || access(s->path, F_OK) == 0)
		return true;
	folder = xstrndup(s->path, (size_t)(slash - s->path) + 1);
	ours = stat(folder, &st) != 0 || st.st_uid == geteuid();
	free(folder);
	return ours;
}

/* What processes share, read and kept as serve does. */
static struct store *
open_store(struct cmd_user *cu, const struct settings *s)
{
	const struct store_settings none = { .type = NULL };
	struct err *err = &cu->store_err;
	struct store *st;

	if (!store_is_ours(&s->store)) {
		st = store_open_later(&none, err);
		err_set(err, E_STORE, "it is not there yet, and only the "
		    "server's own user makes it");
		return st;
	}
	st = store_open_later(&s->store, err);
	if (err->code != 0)
		problems_add(&cu->warnings, true, "stagedoor.store: %s%s%s",
		    err->text, err->detail[0] != '\0' ? ": " : "",
		    err->detail);
	return st;
}

static int
open_services(struct cmd_user *cu, const struct settings *s)
{
	struct transport_options opt = { .threads = 1 };
	struct err err = ERR_INIT;

	if (serve_check_roots(s, &cu->warnings) != 0)
		return -1;
	if (s->ca_file != NULL &&
	    file_read(s->ca_file, ROOTS_MAX, &cu->roots, &err) != 0) {
		problems_add(&cu->warnings, false, "%s", err.text);
		return -1;
	}
	opt.roots_pem = cu->roots.ptr;
	cu->services.transport = transport_new(&opt);
	cu->services.store = open_store(cu, s);
	cu->services.documents = documents_new(cu->services.transport);
	cu->services.leases = leases_new(cu->services.store);
	cu->services.sources = sources_new(store_is_shared(
	    cu->services.store) ? cu->services.store : NULL);
	return 0;
}

static int
load(struct cmd_user *cu)
{
	struct settings *s = NULL;

	settings_load(cu->files, cu->nfiles, &s, &cu->warnings);
	if (s == NULL)
		return -1;
	if (open_services(cu, s) != 0) {
		settings_free(s);
		return -1;
	}
	/* What is said there is told as the outcome. */
	log_init(LOG_LEVEL_ERROR, false);
	if (!cu->quiet) {
		cu->services.lists = list_keeper_new(&cu->services, true);
		list_keeper_use(cu->services.lists, s, LIST_FIRST_MS);
	}
	cu->rt = runtime_new(s, &cu->services, &cu->warnings);
	return 0;
}

static int
find_cluster(struct cmd_user *cu)
{
	const struct clusters *cs = &cu->rt->clusters;
	const char **names, *near;
	char text[300];
	size_t i;

	cu->cluster = clusters_find(cs, cu->cluster_name);
	if (cu->cluster != NULL)
		return 0;
	names = xcalloc(cs->n + 1, sizeof(*names));
	for (i = 0; i < cs->n; i++)
		names[i] = cs->items[i]->name;
	near = suggest(cu->cluster_name, names);
	snprintf(text, sizeof(text), "there is no cluster '%.64s'%s%.64s%s",
	    cu->cluster_name, near ? "; did you mean '" : "",
	    near ? near : "", near ? "'?" : "");
	free(names);
	return fail(cu, 2, text);
}

int
cmd_user_load(struct cmd_user *cu)
{
	return load(cu) == 0 ? 0 : fail(cu, 2, NULL);
}

int
cmd_user_open(struct cmd_user *cu)
{
	struct err err = ERR_INIT;
	int r;

	if ((r = cmd_user_load(cu)) != 0)
		return r;
	cu->req = (struct request){ .rt = cu->rt, .arena = arena_new(),
	    .fd = -1 };
	r = identity_named(&cu->req, &cu->words, &cu->req.who, &err);
	if (r != 0)
		return fail(cu, r == E_AUTH ? 1 : 2, err.text);
	return cu->cluster_name != NULL ? find_cluster(cu) : 0;
}

int
cmd_user_fail(int code, const struct err *err)
{
	fprintf(stderr, "stagedoor: %s%s%s\n", err->text,
	    err->detail[0] != '\0' ? ": " : "", err->detail);
	return code;
}

int
cmd_user_store(struct cmd_user *cu)
{
	struct err err = ERR_INIT;

	if (cu->rt->settings->store.type == NULL) {
		err_set(&err, E_CONFIG, "the settings have no stagedoor.store: "
		    "tokens are in the server's memory, and nowhere to be "
		    "seen from outside");
		return cmd_user_fail(2, &err);
	}
	if (cu->store_err.code == 0)
		return 0;
	err_set(&err, E_STORE, "stagedoor.store cannot be opened: %s",
	    cu->store_err.text);
	return cmd_user_fail(cu->store_err.code == E_STORE ? 1 : 2, &err);
}

int
cmd_user_audit(const struct cmd_user *cu)
{
	const struct settings *s = cu->rt->settings;
	struct err err = ERR_INIT;

	if (audit_init(s->audit, &err) == 0)
		return 0;
	fprintf(stderr, "stagedoor: %s: stagedoor.audit: %s\n",
	    s->audit_at != NULL ? s->audit_at : "settings", err.text);
	return 2;
}

void
cmd_user_close(struct cmd_user *cu)
{
	runtime_put(cu->rt);
	list_keeper_free(cu->services.lists);
	sources_free(cu->services.sources);
	leases_free(cu->services.leases);
	documents_free(cu->services.documents);
	store_close(cu->services.store);
	if (cu->services.transport != NULL)
		transport_free(cu->services.transport);
	if (cu->req.arena != NULL)
		arena_free(cu->req.arena);
	secret_release(&cu->roots);
	problems_release(&cu->warnings);
	free(cu->files);
}
