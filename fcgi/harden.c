/* SPDX-License-Identifier: Apache-2.0 */
/* No core, not dumpable, no end by a signal of writing. */
#include "base.h"

#include <malloc.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "harden.h"

void
harden(void)
{
	struct rlimit none = { 0, 0 }, files;

	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	/* Connections to a hundred clusters need more than the usual 1024. */
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = SD_MIN(files.rlim_max, (rlim_t)65536);
		setrlimit(RLIMIT_NOFILE, &files);
	}
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);	/* a full store is an error */
	/* Ignored by who started us, programs' ends could not be waited for. */
	signal(SIGCHLD, SIG_DFL);
	mallopt(M_ARENA_MAX, 4);
}
