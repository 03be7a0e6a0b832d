/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of AWS share: an environment, files and a cloud that exist
 * only in the test. What is asked of the cloud is written down.
 */
#ifndef STAGEDOOR_TEST_AWS_RIG_H
#define STAGEDOOR_TEST_AWS_RIG_H

#include <setjmp.h>
#include <cmocka.h>

#include "arena.h"
#include "aws_sources.h"
#include "err.h"
#include "settings.h"

#define RIG_PAIRS 32
#define RIG_ASKED 16
#define RIG_NOW INT64_C(1741964966000)	/* 2025-03-14T15:09:26Z */

struct rig_asked {
	char *method, *url, *headers, *body;
};

/* What the cloud answers: body of out, and its status. 0 or E_*. */
typedef int rig_cloud(const struct rig_asked *rq, struct http_answer *out);

static struct {
	struct pair variables[RIG_PAIRS], files[RIG_PAIRS];
	size_t nvariables, nfiles;
	struct settings settings;
	struct cluster cluster;
	struct arena *arena;
	rig_cloud *cloud;		/* NULL: nobody is there */
	struct rig_asked asked[RIG_ASKED];
	size_t nasked;
	int64_t slept;			/* ms, in all */
	unsigned sleeps;
	char notes[8192];		/* lines */
	unsigned made;			/* sources that are not local */
	char kinds[256];		/* theirs: "aws role, " */

	int r;			/* of the last rig_get */
	struct aws_credentials got;
	const char *region;
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

static inline void
rig_say(struct http_answer *out, int status, const char *body)
{
	out->status = status;
	secret_set(&out->body, body, strlen(body));
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

/* The path and query of a URL. */
static inline const char *
rig_path(const struct rig_asked *rq)
{
	const char *host = strstr(rq->url, "://");
	const char *path = host != NULL ? strchr(host + 3, '/') : NULL;

	return path != NULL ? path : "/";
}

static int
rig_http(const struct provider_call *call UNUSED,
    const struct http_request *rq, struct http_answer *out, struct err *err)
{
	struct rig_asked *asked = &rig.asked[rig.nasked];
	const char *const *line;
	int r;

	*out = (struct http_answer)HTTP_ANSWER_INIT;
	assert_true(rig.nasked < RIG_ASKED);
	rig.nasked++;
	asked->method = arena_strdup(rig.arena,
	    rq->method != NULL ? rq->method : "GET");
	asked->url = arena_strdup(rig.arena, rq->url);
	asked->headers = arena_strdup(rig.arena, "");
	for (line = rq->headers; line != NULL && *line != NULL; line++)
		asked->headers = arena_printf(rig.arena, "%s%s\n",
		    asked->headers, *line);
	asked->body = arena_strndup(rig.arena,
	    rq->body != NULL ? rq->body : "", rq->body_len);
	r = rig.cloud != NULL ? rig.cloud(asked, out) : E_CONNECT;
	return r == 0 ? 0 : err_set(err, r, "no connection");
}

static int
rig_sleep(const struct provider_call *call UNUSED, int64_t ms,
    struct err *err UNUSED)
{
	rig.slept += ms;
	rig.sleeps++;
	return 0;
}

/* As on a thread of the pool: made at once, and kept by nobody. */
static int
rig_source(const struct provider_call *call, const struct source *source,
    struct source_value *out, struct err *err)
{
	size_t len = strlen(rig.kinds);

	if (!source->local) {
		rig.made++;
		snprintf(rig.kinds + len, sizeof(rig.kinds) - len, "%s, ",
		    source->kind);
	}
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
	    .http = rig_http, .run = NULL, .sleep = rig_sleep,
	    .source = rig_source, .note = rig_note };
}

static inline void
rig_get_with(const struct provider_call *call)
{
	aws_credentials_release(&rig.got);
	memset(&rig.err, 0, sizeof(rig.err));
	rig.nasked = rig.sleeps = rig.made = 0;
	rig.slept = 0;
	rig.notes[0] = rig.kinds[0] = '\0';
	rig.r = aws_sources_get(call, &rig.settings, &rig.got, &rig.region,
	    &rig.err);
}

static inline void
rig_get(void)
{
	struct provider_call call = rig_call();

	rig_get_with(&call);
}

static int
rig_setup(void **state UNUSED)
{
	memset(&rig, 0, sizeof(rig));
	rig.arena = arena_new();
	rig.cluster.name = "eks";
	rig.cluster.auth_provider = "aws";
	return 0;
}

static int
rig_teardown(void **state UNUSED)
{
	aws_credentials_release(&rig.got);
	arena_free(rig.arena);
	return 0;
}

#endif
