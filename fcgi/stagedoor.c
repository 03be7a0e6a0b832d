/* SPDX-License-Identifier: Apache-2.0 */
/*
 * main: finds the subcommand. Started without one (by a web server) it
 * serves.
 */
#include "base.h"

#include "cgi.h"
#include "cmd.h"

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *what;
} commands[] = {
	{ "serve", cmd_serve, "answer requests (FastCGI, CGI)" },
	{ "check", cmd_check, "read the settings and print each error" },
	{ "explain", cmd_explain, "tell which credential a user has, and why" },
	{ "credential", cmd_credential, "print it for kubectl" },
	{ "connect", cmd_connect, "sign a user in from this terminal" },
	{ "tokens", cmd_tokens, "list users' sign-ins, or end them" },
	{ "nginx", cmd_nginx, "print nginx's configuration of the clusters" },
	{ "login", cmd_login, "let kubectl on your machine in by a portal" },
	{ "import", cmd_import, "print an app-config.yaml as libconfig" },
	{ "key", cmd_key, "print a new line for the store's key file" },
};

static void
print_help(FILE *to)
{
	size_t i;

	fputs("usage: stagedoor SUBCOMMAND [OPTION]...\n\n", to);
	for (i = 0; i < ARRAY_LEN(commands); i++)
		fprintf(to, "  %-11s %s\n", commands[i].name,
		    commands[i].what);
	fputs("\nstagedoor SUBCOMMAND --help says more. Without a subcommand: "
	    "serve.\n", to);
}

/*
 * A web server passes a query without "=" as arguments of a CGI program
 * (RFC 3875, section 4.4): they are the client's words, never ours to obey.
 */
static bool
words_are_the_clients(void)
{
	return cgi_started() && getenv("REQUEST_METHOD") != NULL;
}

int
main(int argc, char **argv)
{
	size_t i;

	if (words_are_the_clients())
		argc = 1;
	if (argc < 2 || strcmp(argv[1], "-c") == 0)
		return cmd_serve(argc, argv);
	for (i = 0; i < ARRAY_LEN(commands); i++)
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	if (strcmp(argv[1], "--version") == 0) {
		puts("stagedoor " PACKAGE_VERSION);
		return 0;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		print_help(stdout);
		return 0;
	}
	fprintf(stderr, "stagedoor: unknown subcommand '%s'\n", argv[1]);
	print_help(stderr);
	return 2;
}
