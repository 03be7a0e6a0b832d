/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of AWS, Azure and Google share: doubles of all that a
 * provider may use. Environment, files and cloud exist only in the test;
 * what is asked of the cloud is written down, and nobody sleeps.
 */
#ifndef STAGEDOOR_TEST_CLOUD_RIG_H
#define STAGEDOOR_TEST_CLOUD_RIG_H

#include <setjmp.h>
#include <cmocka.h>

#include "arena.h"
#include "err.h"
#include "provider.h"
#include "settings.h"

#define RIG_PAIRS 32
#define RIG_NOW INT64_C(1741964966000)	/* 2025-03-14T15:09:26Z */

struct rig_asked {
	char *method, *url;
	char *headers;		/* each with "\n" behind; "": none */
	char *body;		/* "": none */
	double timeout;
	size_t limit;
};

struct rig_answer {
	const char *url;	/* how the URL must begin; NULL: any */
	int fails;		/* E_*, in place of an answer */
	int status;
	const char *body, *head;	/* NULL: none */
	int64_t skew, retry_after;
};

/* What the cloud answers: into out. 0 or E_*. */
typedef int rig_cloud(const struct rig_asked *rq, struct http_answer *out);

static struct {
	struct pair variables[RIG_PAIRS], files[RIG_PAIRS];
	size_t nvariables, nfiles;
	struct settings settings;
	struct cluster cluster;
	struct arena *arena;

	rig_cloud *cloud;	/* NULL: nobody is there */
	struct rig_asked asked[RIG_PAIRS];
	size_t nasked;
	int64_t slept[RIG_PAIRS];	/* ms */
	size_t nslept;
	int64_t patience, left;	/* ms that may be slept: in all, now */
	char notes[8192];	/* lines */
	char kinds[256];	/* of sources not local: "aws role, " */
	char inputs[16384];	/* of the last source, in lines */

	int r;			/* of the last rig_get */
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

/* A file of "!" is there and cannot be read. */
static int
rig_read_file(const char *path, struct secret *out, struct err *err)
{
	const char *text = rig_find(rig.files, rig.nfiles, path);

	if (text == NULL || strcmp(text, "!") == 0)
		return err_set(err, text != NULL ? E_SYSTEM : E_NOTFOUND,
		    "cannot read '%s'", path);
	secret_set(out, text, strlen(text));
	return 0;
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

/* --- The cloud ----------------------------------------------------------- */

static inline int
rig_answers(const struct rig_answer *a, struct http_answer *out)
{
	if (a->fails != 0)
		return a->fails;
	out->status = a->status;
	out->skew = a->skew;
	out->retry_after = a->retry_after;
	if (a->body != NULL)
		secret_set(&out->body, a->body, strlen(a->body));
	if (a->head != NULL)
		secret_set(&out->head, a->head, strlen(a->head));
	return 0;
}

static inline void
rig_say(struct http_answer *out, int status, const char *body)
{
	rig_answers(&(struct rig_answer){ .status = status, .body = body },
	    out);
}

/* The value of a header that was sent; NULL: none. In the rig's arena. */
static inline const char *
rig_header(const struct rig_asked *rq, const char *name)
{
	const char *p = rq->headers;
	size_t len = strlen(name);

	for (; p != NULL && *p != '\0'; p = strchr(p, '\n') + 1)
		if (strncasecmp(p, name, len) == 0 && p[len] == ':')
			return arena_strndup(rig.arena, p + len + 2,
			    strcspn(p + len + 2, "\n"));
	return NULL;
}

/* Each with that behind it; NULL is an empty list. */
static inline char *
rig_joined(const char *const *list, const char *end)
{
	char *out = arena_strdup(rig.arena, "");

	for (; list != NULL && *list != NULL; list++)
		out = arena_printf(rig.arena, "%s%s%s", out, *list, end);
	return out;
}

static int
rig_http(const struct provider_call *call UNUSED,
    const struct http_request *rq, struct http_answer *out, struct err *err)
{
	struct rig_asked *asked = &rig.asked[rig.nasked];
	int r;

	*out = (struct http_answer)HTTP_ANSWER_INIT;
	assert_true(rig.nasked < RIG_PAIRS);
	rig.nasked++;
	*asked = (struct rig_asked){
		.method = arena_strdup(rig.arena,
		    rq->method != NULL ? rq->method : "GET"),
		.url = arena_strdup(rig.arena, rq->url),
		.headers = rig_joined(rq->headers, "\n"),
		.body = arena_strndup(rig.arena,
		    rq->body != NULL ? rq->body : "", rq->body_len),
		.timeout = rq->timeout, .limit = rq->limit,
	};
	r = rig.cloud != NULL ? rig.cloud(asked, out) : E_CONNECT;
	return r == 0 ? 0 : err_set(err, r, "no answer");
}

static int
rig_sleep(const struct provider_call *call UNUSED, int64_t ms,
    struct err *err)
{
	if (ms > rig.left)
		return err_set(err, E_TIMEOUT, "no time is left");
	rig.left -= ms;
	assert_true(rig.nslept < RIG_PAIRS);
	rig.slept[rig.nslept++] = ms;
	return 0;
}

/* In all: ms. */
static inline int64_t
rig_slept(void)
{
	int64_t ms = 0;
	size_t i;

	for (i = 0; i < rig.nslept; i++)
		ms += rig.slept[i];
	return ms;
}

/* As on a thread of the pool: made at once, and kept by nobody. */
static int
rig_source(const struct provider_call *call, const struct source *source,
    struct source_value *out, struct err *err)
{
	size_t len = strlen(rig.kinds);

	if (!source->local)
		snprintf(rig.kinds + len, sizeof(rig.kinds) - len, "%s, ",
		    source->kind);
	snprintf(rig.inputs, sizeof(rig.inputs), "%s",
	    rig_joined(source->inputs, "\n"));
	return source->make(call, source->ctx, out, err);
}

static void rig_note(const struct provider_call *call, const char *fmt, ...)
    PRINTF_LIKE(2, 3);

static void
rig_note(const struct provider_call *call UNUSED, const char *fmt, ...)
{
	size_t len = strlen(rig.notes);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(rig.notes + len, sizeof(rig.notes) - len, fmt, ap);
	va_end(ap);
	len = strlen(rig.notes);
	snprintf(rig.notes + len, sizeof(rig.notes) - len, "\n");
}

/* --- Calls --------------------------------------------------------------- */

static inline struct provider_call
rig_call(void)
{
	return (struct provider_call){ .cluster = &rig.cluster,
	    .scratch = rig.arena, .now = RIG_NOW,
	    .read_file = rig_read_file, .getenv = rig_getenv,
	    .http = rig_http, .sleep = rig_sleep, .source = rig_source,
	    .note = rig_note };
}

/* Nothing has been asked yet. */
static inline void
rig_forget(void)
{
	memset(&rig.err, 0, sizeof(rig.err));
	rig.nasked = rig.nslept = 0;
	rig.left = rig.patience;
	rig.notes[0] = rig.kinds[0] = rig.inputs[0] = '\0';
}

static inline void
rig_begin(const char *cluster, const char *provider)
{
	memset(&rig, 0, sizeof(rig));
	rig.arena = arena_new();
	rig.cluster.name = cluster;
	rig.cluster.auth_provider = provider;
	rig.patience = 60000;
	rig_forget();
}

#endif
