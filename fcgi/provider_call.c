/* SPDX-License-Identifier: Apache-2.0 */
/* The functions that a provider is handed. */
#include "base.h"

#include "arena.h"
#include "cgi.h"
#include "clock.h"
#include "files.h"
#include "provider_call.h"
#include "runtime.h"
#include "session.h"
#include "strbuf.h"

#define NOTE_MAX 1024

static int
read_small_file(const char *path, struct secret *out, struct err *err)
{
	return file_read(path, PROVIDER_FILE_MAX, out, err);
}

/*
 * Of a CGI program, what begins with HTTP_ is a header of the client's (RFC
 * 3875, section 4.1.18): HTTP_PROXY would send our programs to its proxy.
 */
static const char *
read_environment(const char *name)
{
	if (str_starts(name, "HTTP_") && cgi_started())
		return NULL;
	return getenv(name);
}

/* Milliseconds of the call's time that are left; blocking calls only. */
static int64_t
time_left(const struct provider_call *call)
{
	const struct source_asker *asker = call->core;

	if (!asker->blocking)
		BUG("a provider blocks outside of a source's make");
	return asker->deadline - clock_mono_ms();
}

static int
no_time(struct err *err)
{
	return err_set(err, E_TIMEOUT,
	    "there was no time left to get the credential");
}

/* seconds, but not more than is left; 0: what is meant by it. */
static double
at_most(double seconds, double fallback, int64_t left)
{
	if (seconds <= 0)
		seconds = fallback;
	return SD_MIN(seconds, (double)left / 1000);
}

static int
exchange(const struct provider_call *call, const struct http_request *rq,
    struct http_answer *out, struct err *err)
{
	const struct source_asker *asker = call->core;
	struct http_request bounded = *rq;
	int64_t left = time_left(call);

	*out = (struct http_answer)HTTP_ANSWER_INIT;
	if (left <= 0)
		return no_time(err);
	bounded.timeout = at_most(rq->timeout, HTTP_TIMEOUT, left);
	bounded.connect_timeout = at_most(rq->connect_timeout,
	    HTTP_CONNECT_TIMEOUT, left);
	return http_exchange(asker->rt->transport, &bounded, out, err);
}

static int
run(const struct provider_call *call, const struct process *p,
    struct process_result *out, struct err *err)
{
	struct process bounded = *p;
	int64_t left = time_left(call);

	*out = (struct process_result)PROCESS_RESULT_INIT;
	if (left <= 0)
		return no_time(err);
	bounded.timeout = at_most(p->timeout, HTTP_TIMEOUT, left);
	return process_run(&bounded, out, err);
}

static int
pause_for(const struct provider_call *call, int64_t ms, struct err *err)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000 };

	if (time_left(call) <= ms)
		return no_time(err);
	while (nanosleep(&ts, &ts) != 0 && errno == EINTR)
		continue;
	return 0;
}

static int
get_source(const struct provider_call *call, const struct source *source,
    struct source_value *out, struct err *err)
{
	const struct source_asker *asker = call->core;

	*out = (struct source_value)SOURCE_VALUE_INIT;
	if (asker->rt->sources == NULL)
		return err_set(err, E_CONFIG, "%s: nothing is asked for here",
		    source->kind);
	return sources_get(asker->rt->sources, call, source, out, err);
}

static void
note(const struct provider_call *call, const char *fmt, ...)
{
	const struct source_asker *asker = call->core;
	char line[NOTE_MAX];
	va_list ap;

	if (asker->note == NULL)
		return;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	asker->note(asker->note_ctx, line);
}

void
provider_call_begin(struct provider_call *call, struct source_asker *asker,
    const struct cluster *cluster, const struct identity *who)
{
	*call = (struct provider_call){
		.cluster = cluster,
		.who = who,
		.scratch = arena_new(),
		.now = clock_wall_ms(),
		.read_file = read_small_file,
		.getenv = read_environment,
		.http = exchange,
		.run = run,
		.sleep = pause_for,
		.source = get_source,
		.user_token = session_token,
		.note = note,
		.core = asker,
	};
}

void
provider_call_end(struct provider_call *call)
{
	arena_free(call->scratch);
	call->scratch = NULL;
}
