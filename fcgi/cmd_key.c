/* SPDX-License-Identifier: Apache-2.0 */
/* stagedoor key: a new line for the key file of the store. */
#include "base.h"

#include <getopt.h>

#include "cmd.h"
#include "harden.h"
#include "keyring.h"
#include "strbuf.h"

static const char usage[] =
    "usage: stagedoor key\n"
    "\n"
    "Prints one new line, id:base64 of 32 random bytes, for the file that\n"
    "stagedoor.store.keyFile names. The id is the day (UTC) and six random\n"
    "digits. To begin:\n"
    "\n"
    "  (umask 077; stagedoor key >store.keys)\n"
    "\n"
    "The first line seals, all lines open. To change the key, put a new line\n"
    "before the others and send the server SIGHUP: it seals all values anew\n"
    "and says in its log when the old line may go. Where several hosts have\n"
    "the file, put the new line behind the old one on all of them first, so\n"
    "that each can open what another seals. A file that others may read is\n"
    "refused; its group may read it (chmod 640).\n";

/* Written as it is, past stdio, which would keep a copy. */
static int
key_print(void)
{
	struct strbuf line = STRBUF_INIT(KEYRING_LINE);
	size_t done = 0;
	ssize_t n;

	keyring_add_line(&line);
	while (done < line.len) {
		n = write(STDOUT_FILENO, line.buf + done, line.len - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			fprintf(stderr, "stagedoor: cannot write the key: "
			    "%s\n", strerror(errno));
			break;
		}
		done += (size_t)n;
	}
	n = done == line.len ? 0 : 1;
	strbuf_wipe(&line);
	return (int)n;
}

int
cmd_key(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	optind = 1;
	c = getopt_long(argc, argv, "h", longs, NULL);
	if (c != -1 || optind < argc) {
		fputs(usage, c == 'h' ? stdout : stderr);
		return c == 'h' ? 0 : 2;
	}
	harden();
	return key_print();
}
