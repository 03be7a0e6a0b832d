/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What tests of the credential cache share: a provider that does as planned
 * and counts, and requests that ask for its credential.
 */
#ifndef STAGEDOOR_TEST_SOURCES_RIG_H
#define STAGEDOOR_TEST_SOURCES_RIG_H

#include <pthread.h>
#include <setjmp.h>
#include <cmocka.h>

#include "clock.h"
#include "cluster.h"
#include "obtain.h"
#include "provider_call.h"
#include "runtime.h"
#include "transport.h"

#define FOREVER 3600000		/* ms */

/* What the provider does next, and what it did. */
static struct {
	unsigned made, base_made;	/* atomic */
	int64_t takes;			/* ms */
	int64_t lives, margin;		/* ms; lives 0: for ever */
	int64_t retry_after;
	int fails;			/* E_* or 0 */
	bool same;			/* gives the same each time */
	bool on_base;			/* made of another source */
	bool never;			/* obtain fails before it asks */
	bool unshared;
} plan;

static struct transport *transport;
static struct runtime rt;
static struct cluster one = { .name = "one" };

static unsigned
made(void)
{
	return __atomic_load_n(&plan.made, __ATOMIC_SEQ_CST);
}

static int
make_base(const struct provider_call *call, const void *ctx UNUSED,
    struct source_value *out, struct err *err UNUSED)
{
	struct err later = ERR_INIT;

	call->sleep(call, plan.takes, &later);
	__atomic_add_fetch(&plan.base_made, 1, __ATOMIC_SEQ_CST);
	secret_set(&out->part[0], "base", 4);
	return 0;
}

static int
ask_base(const struct provider_call *call, struct err *err)
{
	static const char *const inputs[] = { "base", NULL };
	const struct source source = { .kind = "base", .inputs = inputs,
	    .make = make_base };
	struct source_value v;
	int r = call->source(call, &source, &v, err);

	source_value_release(&v);
	return r;
}

static int
make(const struct provider_call *call, const void *ctx,
    struct source_value *out, struct err *err)
{
	unsigned n = __atomic_add_fetch(&plan.made, 1, __ATOMIC_SEQ_CST);
	char text[64];
	int r;

	if (plan.on_base && (r = ask_base(call, err)) != 0)
		return r;
	call->sleep(call, plan.takes, err);
	out->retry_after = plan.retry_after;
	if (plan.fails != 0)
		return err_set(err, plan.fails, "the cloud said no to try %u",
		    n);
	snprintf(text, sizeof(text), "%s-%u", (const char *)ctx,
	    plan.same ? 0 : n);
	secret_set(&out->part[0], text, strlen(text));
	out->expires = plan.lives ? clock_wall_ms() + plan.lives : 0;
	out->margin = plan.margin;
	return 0;
}

static enum provider_verdict
obtain(const void *state UNUSED, const struct provider_call *call,
    struct credential *out, struct err *err)
{
	const char *name = call->cluster->auth_provider;
	const char *inputs[] = { "x", name, NULL };
	const struct source source = { .kind = "test", .inputs = inputs,
	    .make = make, .ctx = name, .unshared = plan.unshared };
	struct source_value v;
	const struct source_asker *asker = call->core;

	if (plan.never && asker->blocking) {
		err_set(err, E_CONFIG, "the file is gone");
		return PROVIDER_FAILED;
	}
	if (call->source(call, &source, &v, err) != 0)
		return PROVIDER_FAILED;
	credential_take_bearer(out, &v.part[0]);
	source_value_release(&v);
	return PROVIDER_OK;
}

static const struct provider_ops ops = { .name = "test", .obtain = obtain };

static inline struct runtime
runtime_with(struct sources *sources)
{
	return (struct runtime){ .transport = transport, .refs = 1000,
	    .sources = sources };
}

static inline void
plan_reset(void)
{
	memset(&plan, 0, sizeof(plan));
	plan.lives = FOREVER;
	one.auth_provider = "key";
	one.provider = &ops;
}

/* ---- asking ---- */

struct ask {
	struct runtime *rt;	/* NULL: the first */
	const struct cluster *cluster;	/* NULL: one */
	const struct identity *who;	/* NULL: nobody */
	struct source_uses used, refused;
	struct err err;
	char token[64];
	int64_t waits;		/* ms at most; 0: not at all */
	bool late;
};

static struct runtime *
ask_runtime(const struct ask *a)
{
	return a->rt != NULL ? a->rt : &rt;
}

/* As a request does. 0 or E_*. */
static int
ask_once(struct ask *a, unsigned char pending[SOURCE_KEY])
{
	struct source_asker asker = { .rt = ask_runtime(a),
		.refused = a->refused };
	struct credential cred = CREDENTIAL_INIT;
	const struct cluster *c = a->cluster != NULL ? a->cluster : &one;
	struct provider_call call;
	int r = 0;

	provider_call_begin(&call, &asker, c, a->who);
	a->err = (struct err)ERR_INIT;
	if (c->provider->obtain(NULL, &call, &cred, &a->err) != PROVIDER_OK)
		r = a->err.code;
	else
		snprintf(a->token, sizeof(a->token), "%s", cred.value.ptr);
	a->used = asker.used;
	memcpy(pending, asker.pending, SOURCE_KEY);
	credential_release(&cred);
	provider_call_end(&call);
	return r;
}

static int
ask(struct ask *a)
{
	struct source_wait wait = { .sources = ask_runtime(a)->sources };
	struct fetch_group group = { .n = 0 };
	int64_t until = clock_mono_ms() + a->waits;
	struct batch *b;
	int r;

	while ((r = ask_once(a, wait.key)) == E_PENDING &&
	    clock_mono_ms() < until) {
		b = batch_new(transport, -1);
		if (sources_await(&wait, b, &group, until))
			assert_ptr_equal(batch_wait(b, NULL), &group);
		a->late = group.late;
		batch_free(b);
	}
	return r;
}

static inline void *
ask_thread(void *arg)
{
	struct ask *a = arg;

	return ask(a) == 0 ? arg : NULL;
}

/* n at once; how many got something. */
static inline unsigned
ask_many(unsigned n, const struct ask *like)
{
	pthread_t threads[64];
	struct ask asks[64];
	unsigned i, got = 0;
	void *ok;

	for (i = 0; i < n; i++) {
		asks[i] = *like;
		pthread_create(&threads[i], NULL, ask_thread, &asks[i]);
	}
	for (i = 0; i < n; i++) {
		pthread_join(threads[i], &ok);
		got += ok != NULL;
	}
	return got;
}

static inline void
wait_made(unsigned n)
{
	int i;

	for (i = 0; i < 500 && made() < n; i++)
		usleep(10000);
	assert_int_equal(made(), n);
}

#endif
