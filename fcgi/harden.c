/* SPDX-License-Identifier: Apache-2.0 */
/* No core, not dumpable. */
#include "base.h"

#include <malloc.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "harden.h"

void
harden(void)
{
	struct rlimit none = { 0, 0 };

	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	signal(SIGPIPE, SIG_IGN);
	mallopt(M_ARENA_MAX, 4);
}
