/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stagedoor check and stagedoor import: settings for people to look at.
 * Neither talks to a cluster.
 */
#include "base.h"

#include <getopt.h>

#include "cmd.h"
#include "runtime.h"
#include "serve_checks.h"
#include "settings.h"
#include "strbuf.h"
#include "transport.h"
#include "../providers/plugin.h"

#define OUTPUT_MAX (64 * 1024 * 1024)

static const char check_usage[] =
    "usage: stagedoor check [-c FILE]... [--keys]\n"
    "\n"
    "Reads the settings, the later file over the earlier, and prints each\n"
    "error with file, line and key. Exit code 0: serve would start, and every\n"
    "cluster can be used; 2: not so. Without -c: $STAGEDOOR_CONFIG, else\n"
    SYSCONFDIR "/stagedoor/stagedoor.conf.\n"
    "--keys prints every key with its type, default and meaning.\n";

static const char import_usage[] =
    "usage: stagedoor import FILE...\n"
    "\n"
    "Prints the settings of app-config.yaml files, the later over the\n"
    "earlier, in libconfig's syntax. ${VARIABLES} stay as they are; sections\n"
    "of other plug-ins are left out.\n";

struct check {
	const char **files;
	size_t nfiles;
	bool keys;
	struct problems problems;
};

/* Errors as compilers write them; warnings say that they are no more. */
static void
print_problems(const struct problems *p)
{
	size_t i;

	for (i = 0; i < p->n; i++)
		fprintf(stderr, "%s%s\n", p->items[i].warning ? "warning: " :
		    "", p->items[i].text);
	if (p->nerrors > 0)
		fprintf(stderr, "stagedoor: %zu error%s\n", p->nerrors,
		    p->nerrors == 1 ? "" : "s");
}

static void
print_keys(void)
{
	struct strbuf out = STRBUF_INIT(OUTPUT_MAX);

	settings_print_keys(&out);
	fputs(out.buf, stdout);
	strbuf_release(&out);
}

/* Does the text say why a cluster or a provider cannot be used? */
static bool
says_unusable(const struct runtime *rt, const char *text)
{
	size_t i;

	for (i = 0; i < rt->clusters.n; i++) {
		const struct cluster *c = rt->clusters.items[i];
		const char *why = c->broken ? c->broken : c->doubt;

		if (why != NULL && strstr(text, why) != NULL)
			return true;
	}
	return plugins_say(rt->settings->plugins, text);
}

/*
 * The runtime warns of what is broken; here it is an error. Of settings
 * that are wrong only these are said: the rest may follow from what is wrong.
 */
static void
check_clusters(struct check *ck, struct settings *s)
{
	struct transport *transport = transport_new(
	    &(struct transport_options){ .threads = 1 });
	struct problems found = { 0 };
	struct services services = { .transport = transport };
	struct runtime *rt = runtime_new(s, &services, &found);
	bool whole = ck->problems.nerrors == 0;
	size_t i;

	for (i = 0; i < found.n; i++) {
		bool broken = says_unusable(rt, found.items[i].text);

		if (broken || whole)
			problems_add(&ck->problems, !broken, "%s",
			    found.items[i].text);
	}
	serve_check(rt->settings, &ck->problems);
	if (ck->problems.nerrors == 0)
		printf("the settings are good: %zu cluster%s\n",
		    rt->clusters.n, rt->clusters.n == 1 ? "" : "s");
	problems_release(&found);
	runtime_put(rt);
	transport_free(transport);
}

static int
check_run(struct check *ck)
{
	struct settings *s;
	int code;

	if (ck->keys)
		print_keys();
	if (ck->keys && ck->nfiles == 0)
		return 0;
	if (ck->nfiles == 0)
		ARRAY_PUSH(ck->files, ck->nfiles) = cmd_default_file();
	settings_check(ck->files, ck->nfiles, &s, &ck->problems);
	if (s != NULL)
		check_clusters(ck, s);
	print_problems(&ck->problems);
	code = ck->problems.nerrors > 0 ? 2 : 0;
	problems_release(&ck->problems);
	return code;
}

int
cmd_check(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "keys", no_argument, NULL, 'k' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	struct check ck = { .keys = false };
	int c, code = -1;

	optind = 1;
	while (code < 0 && (c = getopt_long(argc, argv, "c:h", longs,
	    NULL)) != -1) {
		if (c == 'c') {
			ARRAY_PUSH(ck.files, ck.nfiles) = optarg;
		} else if (c == 'k') {
			ck.keys = true;
		} else {
			fputs(check_usage, c == 'h' ? stdout : stderr);
			code = c == 'h' ? 0 : 2;
		}
	}
	if (code < 0 && optind < argc) {
		fputs(check_usage, stderr);
		code = 2;
	}
	if (code < 0)
		code = check_run(&ck);
	free(ck.files);
	return code;
}

static int
import_run(const char *const *files, size_t n)
{
	struct strbuf out = STRBUF_INIT(OUTPUT_MAX);
	struct problems problems = { 0 };
	int code = 0;

	if (settings_import(files, n, &out, &problems) != 0)
		code = 2;
	else if (fputs(out.buf, stdout) == EOF || fflush(stdout) == EOF)
		code = 1;
	print_problems(&problems);
	problems_release(&problems);
	strbuf_release(&out);
	return code;
}

int
cmd_import(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	optind = 1;
	c = getopt_long(argc, argv, "h", longs, NULL);
	if (c != -1 || optind == argc) {
		fputs(import_usage, c == 'h' ? stdout : stderr);
		return c == 'h' ? 0 : 2;
	}
	return import_run((const char *const *)argv + optind,
	    (size_t)(argc - optind));
}
