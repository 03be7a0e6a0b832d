/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads under a schedule of chance: many ask for the same lists with several
 * credentials at once, some leave, some write, and the cluster is slow, fails
 * or hangs up as it likes. No answer may be another credential's or older
 * than a write that was over when it was asked for, and where nobody leaves or
 * writes, no list may be read twice at a time. STAGEDOOR_SEED=N begins with N,
 * STAGEDOOR_LONG=1 goes on for longer.
 */
#include "base.h"

#include <pthread.h>
#include <setjmp.h>
#include <cmocka.h>

#include "reads_rig.h"

#define ASKERS 10
#define WHO 4			/* credentials */
#define PATHS 3
#define STEPS 60

/* What may happen, of a hundred. */
struct chances {
	unsigned leaving, writing, failing, cutting;
	double fresh;
};

struct asker {
	pthread_t thread;
	unsigned seed;
	unsigned answers, failures, asked;
	const char *wrong;
};

static const char *const acting[][2] = { { "Impersonate-User: carol", NULL },
    { "Impersonate-User: dave", NULL } };
static const char *const words[WHO] = { "Bearer alice/", "Bearer bob/",
    "Bearer alice/carol", "Bearer alice/dave" };
static const char *const paths[PATHS] = { "/a", "/b", "/c" };
static const struct chances *chances;
static struct rig rig;
static struct reads *reads;
static struct upstream *up;
static struct credential creds[WHO];
static unsigned seed;
static unsigned truth, told;	/* writes; those that are over */
static unsigned busy[WHO][PATHS], twice;

/* ---- the cluster ---- */

static bool
happens(unsigned *s, unsigned percent)
{
	return (unsigned)rand_r(s) / 7 % 100 < percent;
}

static unsigned
who_asks(const char *word)
{
	unsigned i = 0;

	while (i < WHO - 1 && strcmp(word, words[i]) != 0)
		i++;
	return i;
}

static bool
answer(struct server_request *rq, const char *word, unsigned *b, unsigned *s)
{
	unsigned now = __atomic_load_n(&truth, __ATOMIC_SEQ_CST);
	char body[256];

	usleep((unsigned)rand_r(s) % 8000);
	/* Before the answer is out: others may ask then. */
	__atomic_sub_fetch(b, 1, __ATOMIC_SEQ_CST);
	if (happens(s, chances->cutting))
		return false;
	if (happens(s, chances->failing))
		return server_answer(rq, 500, "{}");
	snprintf(body, sizeof(body), "{\"items\":[\"%s %.9s\",%u]}", word,
	    rq->target, now);
	return server_answer(rq, 200, body);
}

static bool
cluster(struct server_request *rq)
{
	const char *auth = server_header(rq, "authorization");
	char bearer[24], word[64];
	const char *as;
	unsigned *b, n, s;

	snprintf(bearer, sizeof(bearer), "%s", auth != NULL ? auth : "");
	as = server_header(rq, "impersonate-user");
	snprintf(word, sizeof(word), "%s/%.30s", bearer, as != NULL ? as : "");
	b = &busy[who_asks(word)][rq->target[1] - 'a'];
	n = __atomic_fetch_add(b, 1, __ATOMIC_SEQ_CST);
	if (n > 0)
		__atomic_add_fetch(&twice, 1, __ATOMIC_SEQ_CST);
	s = seed ^ __atomic_load_n(&rq->server->requests, __ATOMIC_SEQ_CST);
	return answer(rq, word, b, &s);
}

/* ---- the askers ---- */

static void
write_something(void)
{
	unsigned n = __atomic_add_fetch(&truth, 1, __ATOMIC_SEQ_CST);
	unsigned old = __atomic_load_n(&told, __ATOMIC_SEQ_CST);

	upstream_wrote(up);
	while (old < n && !__atomic_compare_exchange_n(&told, &old, n, false,
	    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		;
}

static void
check(struct asker *a, struct ask *q, size_t i, unsigned who, unsigned since)
{
	struct fetch *f = &q->fetches[i];
	char *items, want[80];

	if (f->err.code != 0 || f->status == 500) {
		a->failures++;
		return;
	}
	items = ask_items(q, i);
	snprintf(want, sizeof(want), "[\"%s %s\",", words[who], f->path);
	if (items == NULL)
		a->wrong = "an answer that cannot be read";
	else if (strncmp(items, want, strlen(want)) != 0)
		a->wrong = "somebody else's answer";
	else if (strtoul(items + strlen(want), NULL, 10) < since)
		a->wrong = "an answer from before a write";
	free(items);
	a->answers++;
}

static void
step(struct asker *a)
{
	unsigned who = (unsigned)rand_r(&a->seed) / 7 % WHO, since;
	unsigned first = (unsigned)rand_r(&a->seed) / 7 % PATHS;
	struct ask q = { .batch = NULL };
	size_t i, n = 1 + (unsigned)rand_r(&a->seed) / 7 % PATHS;

	if (happens(&a->seed, chances->writing))
		write_something();
	for (i = 0; i < n; i++)
		ask_add(&q, up, &creds[who], paths[(first + i) % PATHS]);
	since = __atomic_load_n(&told, __ATOMIC_SEQ_CST);
	ask_submit(&q, &rig, reads, chances->fresh);
	a->asked += (unsigned)n;
	if (happens(&a->seed, chances->leaving)) {
		usleep((unsigned)rand_r(&a->seed) % 4000);
	} else {
		if (batch_wait(q.batch, NULL) != &q.group)
			a->wrong = "no group";
		for (i = 0; i < n; i++)
			check(a, &q, i, who, since);
	}
	ask_release(&q);
}

static void *
asker_main(void *arg)
{
	struct asker *a = arg;
	int i, steps = getenv("STAGEDOOR_LONG") ? 50 * STEPS : STEPS;

	for (i = 0; i < steps && a->wrong == NULL; i++)
		step(a);
	return NULL;
}

static void
run(const struct chances *of)
{
	struct asker askers[ASKERS];
	struct reads_counts counts;
	unsigned i, asked = 0;

	memset(askers, 0, sizeof(askers));
	chances = of;
	for (i = 0; i < ASKERS; i++) {
		askers[i].seed = seed * 1000 + i;
		assert_int_equal(pthread_create(&askers[i].thread, NULL,
		    asker_main, &askers[i]), 0);
	}
	for (i = 0; i < ASKERS; i++)
		pthread_join(askers[i].thread, NULL);
	for (i = 0; i < ASKERS; i++) {
		if (askers[i].wrong != NULL)
			fail_msg("seed %u: %s", seed, askers[i].wrong);
		assert_true(askers[i].answers > 0);
		asked += askers[i].asked;
	}
	reads_count(reads, &counts);
	assert_int_equal(counts.reads + counts.joined + counts.reused, asked);
	assert_true(counts.reads < asked);
}

/* ---- the tests ---- */

static int
setup(void **state UNUSED)
{
	const char *given = getenv("STAGEDOOR_SEED");
	unsigned i;

	seed = given != NULL ? (unsigned)strtoul(given, NULL, 10) :
	    (unsigned)rig_ms() % 100000;
	rig_start(&rig, cluster);
	if (getenv("STAGEDOOR_LONG") != NULL)
		alarm(600);
	reads = reads_new();
	up = patient_upstream(&rig, 20);
	for (i = 0; i < WHO; i++) {
		rig_bearer(&creds[i], i == 1 ? "bob" : "alice");
		if (i >= 2)
			creds[i].acting = acting[i - 2];
	}
	truth = told = twice = 0;
	return 0;
}

static int
teardown(void **state UNUSED)
{
	unsigned i;

	reads_free(reads);
	upstream_put(up);
	for (i = 0; i < WHO; i++)
		credential_release(&creds[i]);
	rig_stop(&rig);
	return 0;
}

static void
reads_nothing_twice(void **state UNUSED)
{
	static const struct chances c = { .failing = 10 };
	struct reads_counts counts;

	run(&c);
	reads_count(reads, &counts);
	assert_int_equal(twice, 0);
	assert_int_equal(rig.server.requests, counts.reads);
	assert_int_equal(counts.reused, 0);
	assert_true(counts.joined > 0);
}

static void
lets_askers_come_and_go(void **state UNUSED)
{
	static const struct chances c = { .failing = 10, .cutting = 5,
	    .leaving = 30 };

	run(&c);
}

static void
shows_what_was_written(void **state UNUSED)
{
	static const struct chances c = { .failing = 5, .leaving = 10,
	    .writing = 10 };

	run(&c);
}

static void
uses_nothing_again_that_was_changed(void **state UNUSED)
{
	static const struct chances c = { .failing = 10, .leaving = 10,
	    .cutting = 5, .writing = 10, .fresh = 0.05 };

	run(&c);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(reads_nothing_twice),
		TEST(lets_askers_come_and_go),
		TEST(shows_what_was_written),
		TEST(uses_nothing_again_that_was_changed),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
