/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of exec share: a plug-in that exists only in the test, and
 * as much of a cache as its rules need: a value is kept until it ends or is
 * dropped.
 */
#ifndef STAGEDOOR_TEST_EXEC_RIG_H
#define STAGEDOOR_TEST_EXEC_RIG_H

#include <setjmp.h>
#include <cmocka.h>

#include "arena.h"
#include "err.h"
#include "strbuf.h"
#include "../../providers/provider.h"

#define RIG_NOW INT64_C(1741964966000)	/* 2025-03-14T15:09:26Z */
#define RIG_V1 "client.authentication.k8s.io/v1"

static struct {
	struct cluster cluster;
	struct arena *arena;
	int64_t now;
	const char *stdout_text, *stderr_text;
	int status, failure;	/* of the run */
	unsigned runs;
	struct strbuf argv, env, inputs;	/* of the last one */
	struct source_value kept;
	bool have;

	enum provider_verdict verdict;
	struct credential cred;
	struct err err;
} rig;

static void
rig_join(struct strbuf *sb, const char *const *strings)
{
	strbuf_reset(sb);
	for (; *strings != NULL; strings++)
		strbuf_addf(sb, "%s\n", *strings);
}

static int
rig_run(const struct provider_call *call UNUSED, const struct process *p,
    struct process_result *out, struct err *err)
{
	rig.runs++;
	rig_join(&rig.argv, p->argv);
	rig_join(&rig.env, p->env);
	*out = (struct process_result)PROCESS_RESULT_INIT;
	snprintf(out->errors, sizeof(out->errors), "%s",
	    rig.stderr_text ? rig.stderr_text : "");
	if (rig.failure != 0)
		return err_set(err, rig.failure, "'%s' did not run",
		    p->argv[0]);
	out->status = rig.status;
	secret_set(&out->output, rig.stdout_text, strlen(rig.stdout_text));
	return 0;
}

static int
rig_source(const struct provider_call *call, const struct source *source,
    struct source_value *out, struct err *err)
{
	int r;

	assert_string_equal(source->kind, "exec");
	rig_join(&rig.inputs, source->inputs);
	if (!rig.have || (rig.kept.expires != 0 &&
	    call->now >= rig.kept.expires)) {
		source_value_release(&rig.kept);
		if ((r = source->make(call, source->ctx, &rig.kept, err)) != 0)
			return r;
		rig.have = true;
	}
	*out = (struct source_value)SOURCE_VALUE_INIT;
	source_value_copy(out, &rig.kept);
	return 0;
}

static inline void
rig_drop(void)
{
	source_value_release(&rig.kept);
	rig.have = false;
}

static const char *
rig_getenv(const char *name)
{
	if (strcmp(name, "PATH") == 0)
		return "/usr/bin";
	if (strcmp(name, "AWS_SECRET_ACCESS_KEY") == 0)
		return "aws-secret-key";
	return strcmp(name, "UNRELATED") == 0 ? "x" : NULL;
}

static int
rig_read_file(const char *path, struct secret *out, struct err *err)
{
	if (strcmp(path, "/k/ca.crt") != 0)
		return err_set(err, E_SYSTEM, "cannot read '%s'", path);
	secret_set(out, "CA", 2);
	return 0;
}

static inline void
rig_obtain(void)
{
	const struct provider_call call = { .cluster = &rig.cluster,
	    .scratch = rig.arena, .now = rig.now, .run = rig_run,
	    .source = rig_source, .getenv = rig_getenv,
	    .read_file = rig_read_file };

	credential_release(&rig.cred);
	rig.cred = (struct credential)CREDENTIAL_INIT;
	memset(&rig.err, 0, sizeof(rig.err));
	rig.verdict = provider_find("exec")->obtain(NULL, &call, &rig.cred,
	    &rig.err);
}

static int
rig_setup(void **state UNUSED)
{
	memset(&rig, 0, sizeof(rig));
	rig.arena = arena_new();
	rig.now = RIG_NOW;
	rig.stdout_text = "";
	strbuf_init(&rig.argv, STRBUF_UNLIMITED);
	strbuf_init(&rig.env, STRBUF_UNLIMITED);
	strbuf_init(&rig.inputs, STRBUF_UNLIMITED);
	rig.cluster.name = "one";
	rig.cluster.url = "https://one.example";
	rig.cluster.auth_provider = "exec";
	rig.cluster.exec.command = "plugin";
	rig.cluster.exec.api_version = RIG_V1;
	rig.cluster.exec.timeout = 10;
	return 0;
}

static int
rig_teardown(void **state UNUSED)
{
	rig_drop();
	credential_release(&rig.cred);
	strbuf_release(&rig.argv);
	strbuf_release(&rig.env);
	strbuf_release(&rig.inputs);
	arena_free(rig.arena);
	return 0;
}

#endif
