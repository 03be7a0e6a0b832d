/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stagedoor explain: clusters are asked at the same time, a few at once, and
 * told of in the order of the settings, each as soon as those before it are
 * done: so one that hangs costs its own time-out and no more.
 */
#include "base.h"

#include <pthread.h>

#include "cmd.h"
#include "cmd_user.h"
#include "ending.h"
#include "explain.h"
#include "harden.h"

#define THREADS_MAX 16
#define TEXT_MAX (1 << 20)	/* bytes on one cluster */

static const char usage[] =
    "usage: stagedoor explain [-c FILE]... --user USER [--cluster NAME]\n"
    "                         [--groups GROUP,...] [--email ADDRESS]\n"
    "\n"
    "Tells for each cluster, or the one that is named, which credential USER\n"
    "has there, where it comes from, step by step, until when it is good, for\n"
    "whom it acts, and whom the cluster takes it for. Never what it is.\n"
    "USER is an entity ref or a name, as in STAGEDOOR_USER; '' is the guest.\n"
    "Exit code 0: each of these clusters can be used; 1: not so (also where\n"
    "the user must sign in first); 2: the settings or the options are wrong.\n"
    "Without -c: $STAGEDOOR_CONFIG, else\n"
    SYSCONFDIR "/stagedoor/stagedoor.conf.\n";

struct told {
	const struct cluster *cluster;
	struct strbuf text;
	bool ok, done;
};

struct explaining {
	const struct cmd_user *cu;
	struct told *told;
	size_t n;

	pthread_mutex_t lock;	/* of what follows, and of `done` */
	pthread_cond_t done;
	size_t next;
};

static void *
thread_main(void *arg)
{
	struct explaining *ex = arg;
	struct told *t;

	pthread_mutex_lock(&ex->lock);
	while (ex->next < ex->n) {
		t = &ex->told[ex->next++];
		pthread_mutex_unlock(&ex->lock);
		t->ok = explain_cluster(ex->cu->rt, &ex->cu->req.who,
		    t->cluster, &t->text);
		pthread_mutex_lock(&ex->lock);
		t->done = true;
		pthread_cond_broadcast(&ex->done);
	}
	pthread_mutex_unlock(&ex->lock);
	return NULL;
}

/* Whether each can be used. */
static bool
print_all(struct explaining *ex)
{
	bool ok = ex->n > 0;
	size_t i;

	for (i = 0; i < ex->n; i++) {
		struct told *t = &ex->told[i];

		pthread_mutex_lock(&ex->lock);
		while (!t->done)
			pthread_cond_wait(&ex->done, &ex->lock);
		pthread_mutex_unlock(&ex->lock);
		printf("\n%s", t->text.buf);
		fflush(stdout);
		strbuf_release(&t->text);
		ok = ok && t->ok;
	}
	return ok;
}

static bool
ask_all(struct explaining *ex)
{
	pthread_t threads[THREADS_MAX];
	size_t i, n;
	bool ok;

	for (n = 0; n < SD_MIN(ex->n, (size_t)THREADS_MAX); n++)
		if (pthread_create(&threads[n], NULL, thread_main, ex) != 0)
			break;
	if (n == 0)
		thread_main(ex);
	ok = print_all(ex);
	for (i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
	return ok;
}

static void
choose(struct explaining *ex)
{
	const struct clusters *cs = &ex->cu->rt->clusters;
	size_t i;

	ex->n = ex->cu->cluster != NULL ? 1 : cs->n;
	ex->told = xcalloc(ex->n + 1, sizeof(*ex->told));
	for (i = 0; i < ex->n; i++) {
		ex->told[i].cluster = ex->cu->cluster != NULL ?
		    ex->cu->cluster : cs->items[i];
		strbuf_init(&ex->told[i].text, TEXT_MAX);
	}
}

static int
run(const struct cmd_user *cu)
{
	struct explaining ex = { .cu = cu,
	    .lock = PTHREAD_MUTEX_INITIALIZER,
	    .done = PTHREAD_COND_INITIALIZER };
	struct strbuf who = STRBUF_INIT(TEXT_MAX);
	bool ok;

	cmd_user_warn(cu);
	explain_user(&cu->req.who, &who);
	fputs(who.buf, stdout);
	strbuf_release(&who);
	choose(&ex);
	if (ex.n == 0)
		fputs("stagedoor: the settings have no cluster\n", stderr);
	ok = ask_all(&ex);
	free(ex.told);
	return ok && fflush(stdout) == 0 && !ferror(stdout) ? 0 : 1;
}

int
cmd_explain(int argc, char **argv)
{
	struct cmd_user cu = { .usage = usage };
	int code = cmd_user_options(&cu, argc, argv) - 1;

	if (code < 0) {
		harden();
		ending_catch();
		code = cmd_user_open(&cu);
		if (code == 0)
			code = run(&cu);
	}
	cmd_user_close(&cu);
	return code;
}
