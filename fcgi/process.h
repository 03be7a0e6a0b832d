/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Running another program for what it prints: a credential plug-in, az. No
 * shell, nothing to read on standard input, no terminal, a session and
 * process group of its own, none of our descriptors, no signal masked or
 * ignored, and exactly the environment that is given. Who is left of the
 * group when the program ends, or at the time-out, is killed; only one that
 * makes a group of its own gets away.
 */
#ifndef STAGEDOOR_PROCESS_H
#define STAGEDOOR_PROCESS_H

#include "err.h"
#include "secret.h"

#define PROCESS_OUTPUT_MAX (1 << 20)
#define PROCESS_ERRORS_MAX 1024

struct process {
	/* argv[0] with a slash is a path, from dir if it is relative; else it
	   is looked up in the PATH of env. NULL at the end. */
	const char *const *argv;
	const char *const *env;		/* "NAME=value", NULL at the end */
	const char *dir;		/* to run in; NULL: "/" */
	double timeout;			/* seconds */
	size_t limit;			/* bytes of output; 0: as above */
};

struct process_result {
	int status;		/* exit code; 128 + n: ended by signal n */
	struct secret output;	/* what it printed; NULL if nothing */
	/* The end of what it wrote to standard error, one line, control
	   characters blanked. It may hold secrets: whoever shows it cuts
	   them. */
	char errors[PROCESS_ERRORS_MAX];
};

#define PROCESS_RESULT_INIT { 0, SECRET_INIT, "" }

/*
 * 0 when it ended by itself, whatever its exit code; the caller releases
 * out. Output counts up to the program's end: nobody who holds the pipe
 * longer is waited for. E_NOTFOUND (no such program), E_TIMEOUT, E_TOOLARGE,
 * E_SYSTEM; err names the program, out->errors says what it wrote, and
 * nothing is to be released. Blocks; safe from any thread.
 */
int process_run(const struct process *p, struct process_result *out,
    struct err *err);
void process_result_release(struct process_result *r);

#endif
