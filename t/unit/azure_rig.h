/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of Azure share: an environment, files, endpoints and an az
 * that exist only in the test, and what was asked of them.
 */
#ifndef STAGEDOOR_TEST_AZURE_RIG_H
#define STAGEDOOR_TEST_AZURE_RIG_H

#include <setjmp.h>
#include <cmocka.h>

#include "arena.h"
#include "azure_sources.h"
#include "azure_token.h"
#include "err.h"

#define RIG_PAIRS 32
#define RIG_ASKED 16
#define RIG_NOW INT64_C(1741964966000)	/* 2025-03-14T15:09:26Z */
#define RIG_SECONDS (RIG_NOW / 1000)

struct rig_answer {
	int r;			/* E_*: there is none */
	int status;
	const char *body, *head;
	int64_t skew, retry_after;
};

struct rig_process {
	int r, status;
	const char *output, *errors;
};

static struct {
	struct pair variables[RIG_PAIRS], files[RIG_PAIRS];
	size_t nvariables, nfiles;
	struct cluster cluster;
	struct arena *arena;
	const char *entra_host, *pin;

	/* Endpoints: answers in turn, the last one for ever. */
	const struct rig_answer *answers;
	size_t nanswers;
	/* What was asked: "METHOD URL", headers, body. */
	struct {
		char *line, *headers, *body;
		double timeout;
	} asked[RIG_ASKED];
	size_t nasked;
	int64_t slept[RIG_ASKED];
	size_t nslept;
	int64_t left;		/* ms that may be slept */

	struct rig_process process;
	char *argv, *env;	/* of the last one, with blanks between */
	size_t runs;

	char *notes;
	int r;			/* of the last rig_get */
	struct source_value got;
	struct err err;
} rig;

static const char *
rig_find(const struct pair *pairs, size_t n, const char *name)
{
	while (n-- > 0)		/* the last one wins */
		if (strcmp(pairs[n].key, name) == 0)
			return pairs[n].value;
	return NULL;
}

static const char *
rig_getenv(const char *name)
{
	return rig_find(rig.variables, rig.nvariables, name);
}

static int
rig_read_file(const char *path, struct secret *out, struct err *err)
{
	const char *text = rig_find(rig.files, rig.nfiles, path);

	if (text == NULL)
		return err_set(err, E_SYSTEM, "cannot read '%s'", path);
	secret_set(out, text, strlen(text));
	return 0;
}

static char *
rig_joined(const char *const *list, const char *between)
{
	char *out = arena_strdup(rig.arena, "");

	for (; list != NULL && *list != NULL; list++)
		out = arena_printf(rig.arena, "%s%s%s", out, *list,
		    list[1] != NULL ? between : "");
	return out;
}

static int
rig_http(const struct provider_call *call UNUSED,
    const struct http_request *rq, struct http_answer *out, struct err *err)
{
	const struct rig_answer *a = rig.answers;
	size_t i = rig.nasked++;

	assert_true(i < RIG_ASKED);
	rig.asked[i].line = arena_printf(rig.arena, "%s %s",
	    rq->method != NULL ? rq->method : "GET", rq->url);
	rig.asked[i].headers = rig_joined(rq->headers, "\n");
	rig.asked[i].body = arena_strndup(rig.arena,
	    rq->body != NULL ? rq->body : "", rq->body_len);
	rig.asked[i].timeout = rq->timeout;
	if (rig.nanswers == 0)
		return err_set(err, E_CONNECT, "connection refused");
	a += SD_MIN(i, rig.nanswers - 1);
	if (a->r != 0)
		return err_set(err, a->r, "no answer");
	out->status = a->status;
	out->skew = a->skew;
	out->retry_after = a->retry_after;
	if (a->body != NULL)
		secret_set(&out->body, a->body, strlen(a->body));
	if (a->head != NULL)
		secret_set(&out->head, a->head, strlen(a->head));
	return 0;
}

static int
rig_run(const struct provider_call *call UNUSED, const struct process *p,
    struct process_result *out, struct err *err)
{
	const struct rig_process *is = &rig.process;

	rig.runs++;
	rig.argv = rig_joined(p->argv, " ");
	rig.env = rig_joined(p->env, "\n");
	if (is->r != 0)
		return err_set(err, is->r, "cannot run '%s'", p->argv[0]);
	out->status = is->status;
	if (is->output != NULL)
		secret_set(&out->output, is->output, strlen(is->output));
	snprintf(out->errors, sizeof(out->errors), "%s",
	    is->errors != NULL ? is->errors : "");
	return 0;
}

static int
rig_sleep(const struct provider_call *call UNUSED, int64_t ms,
    struct err *err)
{
	if (ms > rig.left)
		return err_set(err, E_TIMEOUT, "too late");
	rig.left -= ms;
	assert_true(rig.nslept < RIG_ASKED);
	rig.slept[rig.nslept++] = ms;
	return 0;
}

static void PRINTF_LIKE(2, 3)
rig_note(const struct provider_call *call UNUSED, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	rig.notes = arena_printf(rig.arena, "%s%s\n", rig.notes, text);
}

static inline void
rig_variable(const char *name, const char *value)
{
	assert_true(rig.nvariables < RIG_PAIRS);
	rig.variables[rig.nvariables++] = (struct pair){ name, value };
}

static inline void
rig_file(const char *path, const char *text)
{
	assert_true(rig.nfiles < RIG_PAIRS);
	rig.files[rig.nfiles++] = (struct pair){ path, text };
}

static inline struct provider_call
rig_call(void)
{
	return (struct provider_call){ .cluster = &rig.cluster,
	    .scratch = rig.arena, .now = RIG_NOW,
	    .read_file = rig_read_file, .getenv = rig_getenv,
	    .http = rig_http, .run = rig_run, .sleep = rig_sleep,
	    .note = rig_note };
}

static inline void
rig_drop(void)
{
	size_t i;

	for (i = 0; i < SOURCE_PARTS; i++)
		secret_release(&rig.got.part[i]);
	memset(&rig.got, 0, sizeof(rig.got));
}

/* Make a token anew. */
static inline void
rig_get(void)
{
	const struct azure_search search = { .entra_host = rig.entra_host,
		.pin = rig.pin };
	struct provider_call call = rig_call();

	rig_drop();
	memset(&rig.err, 0, sizeof(rig.err));
	rig.nasked = rig.nslept = rig.runs = 0;
	rig.left = 60000;
	rig.notes = arena_strdup(rig.arena, "");
	rig.r = azure_sources_make(&call, &search, &rig.got, &rig.err);
}

static inline int
rig_setup(void **state UNUSED)
{
	memset(&rig, 0, sizeof(rig));
	rig.arena = arena_new();
	rig.cluster.name = "aks";
	rig.cluster.auth_provider = "azure";
	rig.process.r = E_NOTFOUND;
	return 0;
}

static inline int
rig_teardown(void **state UNUSED)
{
	rig_drop();
	arena_free(rig.arena);
	return 0;
}

#endif
