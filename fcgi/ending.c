/* SPDX-License-Identifier: Apache-2.0 */
/* Ends by signals, put off. */
#include "base.h"

#include <signal.h>

#include "ending.h"

static int held;	/* atomic: how many hold */
static int came;	/* atomic: the signal that waits; 0: none */

/* As if nobody had caught it. Safe in a handler. */
static void
end_by(int sig)
{
	signal(sig, SIG_DFL);
	kill(getpid(), sig);
}

/* Whichever comes second, this or the last ending_let, sees the other. */
static void
handle(int sig)
{
	int saved = errno;

	__atomic_store_n(&came, sig, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&held, __ATOMIC_SEQ_CST) == 0)
		end_by(sig);
	errno = saved;
}

void
ending_catch(void)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR1 };
	struct sigaction old, sa = { .sa_handler = handle,
		.sa_flags = SA_RESTART };
	size_t i;

	sigemptyset(&sa.sa_mask);
	for (i = 0; i < ARRAY_LEN(signals); i++)
		if (sigaction(signals[i], NULL, &old) == 0 &&
		    old.sa_handler != SIG_IGN)	/* nohup */
			sigaction(signals[i], &sa, NULL);
}

void
ending_hold(void)
{
	__atomic_add_fetch(&held, 1, __ATOMIC_SEQ_CST);
}

void
ending_let(void)
{
	int sig;

	if (__atomic_sub_fetch(&held, 1, __ATOMIC_SEQ_CST) == 0 &&
	    (sig = __atomic_load_n(&came, __ATOMIC_SEQ_CST)) != 0)
		end_by(sig);
}
