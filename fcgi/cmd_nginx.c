/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stagedoor nginx: the clusters of the settings as nginx's configuration of
 * the direct lane, printed, or written to a folder in which only what has
 * changed is touched.
 */
#include "base.h"

#include <getopt.h>
#include <openssl/x509.h>
#include <sys/stat.h>

#include "arena.h"
#include "cmd.h"
#include "cmd_user.h"
#include "err.h"
#include "files.h"
#include "harden.h"
#include "nginx_kept.h"
#include "nginx_text.h"
#include "obtain.h"
#include "secret.h"

#define LAST_MAX (4 * 1024 * 1024)	/* bytes of a file of the last time */
#define FOLDER "/etc/nginx/stagedoor/clusters"

static const char usage[] =
    "usage: stagedoor nginx [-c FILE]... [--write FOLDER] [--roots FILE]\n"
    "\n"
    "Prints, for each cluster of the settings, what nginx needs to reach it\n"
    "in the direct lane: three files for " FOLDER ".\n"
    "--write makes them in FOLDER (an absolute path), with the certificates\n"
    "that they name, and touches only what has changed. --roots is the file\n"
    "of the roots for clusters without a CA of their own; without it the\n"
    "system's. A cluster that cannot be written is left out, and a comment\n"
    "says why; while a list of clusters cannot be had, those written before\n"
    "stay. Exit code 0; 1: a file cannot be written; 2: the settings or\n"
    "the options are wrong. Without -c: $STAGEDOOR_CONFIG, else\n"
    SYSCONFDIR "/stagedoor/stagedoor.conf.\n";

struct options {
	const char *folder;	/* NULL: print */
	const char *roots;
};

/* 0 to go on, else the exit code plus one. */
static int
read_options(struct cmd_user *cu, struct options *o, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "write", required_argument, NULL, 'w' },
		{ "roots", required_argument, NULL, 'r' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	bool good = true;
	int c;

	optind = 1;
	while ((c = getopt_long(argc, argv, "c:h", longs, NULL)) != -1) {
		if (c == 'c') {
			ARRAY_PUSH(cu->files, cu->nfiles) = optarg;
		} else if (c == 'w') {
			o->folder = optarg;
		} else if (c == 'r') {
			o->roots = optarg;
		} else {
			fputs(usage, c == 'h' ? stdout : stderr);
			return c == 'h' ? 1 : 3;
		}
	}
	good = optind == argc && (o->folder == NULL || *o->folder == '/');
	if (!good) {
		fputs(usage, stderr);
		return 3;
	}
	if (cu->nfiles == 0)
		ARRAY_PUSH(cu->files, cu->nfiles) = cmd_default_file();
	return 0;
}

/* Where distributions have them, in one file. */
static const char *
system_roots(void)
{
	const char *const files[] = {
		getenv(X509_get_default_cert_file_env()),
		X509_get_default_cert_file(),
		"/etc/ssl/certs/ca-certificates.crt",
		"/etc/pki/tls/certs/ca-bundle.crt",
		"/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem",
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(files); i++)
		if (files[i] != NULL && access(files[i], R_OK) == 0)
			return files[i];
	return NULL;
}

static void
add_clusters(struct cmd_user *cu, struct nginx_text *t)
{
	const struct clusters *cs = &cu->rt->clusters;
	struct access at;
	struct err err;
	size_t i;

	for (i = 0; i < cs->n; i++) {
		/* Of those of one name requests reach the first. */
		if (clusters_find(cs, cs->items[i]->name) != cs->items[i])
			continue;
		err = (struct err)ERR_INIT;
		if (obtain_place(&cu->req, cs->items[i], &at, &err) != 0) {
			nginx_text_leave_out(t, cs->items[i], err.text);
			continue;
		}
		nginx_text_add(t, cs->items[i], &at);
		access_release(&at);
	}
}

static int
print(const struct nginx_text *t)
{
	printf("# --- upstreams.conf\n%s# --- captures.conf\n%s"
	    "# --- locations.conf\n%s", t->upstreams.buf, t->captures.buf,
	    t->locations.buf);
	return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 1;
}

static int
write_one(const struct nginx_text *t, const struct nginx_file *f,
    struct err *err)
{
	return file_replace(arena_printf(t->arena, "%s/%s", t->folder,
	    f->name), f->data, f->len, f->secret ? 0600 : 0644, err);
}

/* First what others name. */
static int
write_all(const struct nginx_text *t, struct err *err)
{
	const struct nginx_file texts[] = {
		{ "upstreams.conf", t->upstreams.buf, t->upstreams.len,
		    false },
		{ "captures.conf", t->captures.buf, t->captures.len, false },
		{ "locations.conf", t->locations.buf, t->locations.len,
		    false },
	};
	size_t i;
	int r = 0;

	if (mkdir(t->folder, 0755) != 0 && errno != EEXIST)
		return err_set(err, E_SYSTEM, "cannot make '%s': %s",
		    t->folder, strerror(errno));
	for (i = 0; i < t->nfiles && r == 0; i++)
		r = write_one(t, &t->files[i], err);
	for (i = 0; i < ARRAY_LEN(texts) && r == 0; i++)
		r = write_one(t, &texts[i], err);
	return r;
}

/* A file of the folder as it was, in out; NULL if there is none. */
static const char *
read_last(const struct nginx_text *t, const char *name, struct secret *out)
{
	if (file_read(arena_printf(t->arena, "%s/%s", t->folder, name),
	    LAST_MAX, out, NULL) != 0)
		return NULL;
	return out->ptr != NULL ? out->ptr : "";
}

static void
keep_last(struct nginx_text *t)
{
	struct secret captures = SECRET_INIT, locations = SECRET_INIT;
	const char *of = read_last(t, "captures.conf", &captures);
	const char *at = read_last(t, "locations.conf", &locations);

	if (t->last != NULL && of != NULL && at != NULL) {
		nginx_kept_blocks(&t->upstreams, t->last);
		nginx_kept_lines(&t->captures, of);
		nginx_kept_blocks(&t->locations, at);
		fputs("stagedoor: a list of clusters cannot be had: what was "
		    "written before stays\n", stderr);
	}
	secret_release(&captures);
	secret_release(&locations);
}

static int
run(struct cmd_user *cu, const struct options *o)
{
	struct err err = ERR_INIT;
	struct secret last = SECRET_INIT;
	struct nginx_text t;
	int code;

	cu->req = (struct request){ .rt = cu->rt, .arena = arena_new(),
	    .fd = -1 };
	cmd_user_warn(cu);
	nginx_text_init(&t, cu->req.arena, o->folder ? o->folder : FOLDER,
	    o->roots ? o->roots : system_roots());
	if (o->folder != NULL)
		t.last = read_last(&t, "upstreams.conf", &last);
	add_clusters(cu, &t);
	if (o->folder != NULL && cu->rt->clusters.unlisted > 0)
		keep_last(&t);
	if (t.left_out > 0)
		fprintf(stderr, "stagedoor: %zu cluster%s left out: "
		    "upstreams.conf says why\n", t.left_out,
		    t.left_out == 1 ? " is" : "s are");
	if (o->folder == NULL)
		code = print(&t);
	else
		code = write_all(&t, &err) == 0 ? 0 : cmd_user_fail(1, &err);
	nginx_text_release(&t);
	secret_release(&last);
	return code;
}

int
cmd_nginx(int argc, char **argv)
{
	struct cmd_user cu = { .usage = usage };
	struct options o = { NULL, NULL };
	int code = read_options(&cu, &o, argc, argv) - 1;

	if (code < 0) {
		harden();
		code = cmd_user_load(&cu);
		if (code == 0)
			code = run(&cu, &o);
	}
	cmd_user_close(&cu);
	return code;
}
