/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of Azure share: endpoints that answer in turn, and an az. */
#ifndef STAGEDOOR_TEST_AZURE_RIG_H
#define STAGEDOOR_TEST_AZURE_RIG_H

#include "cloud_rig.h"
#include "azure_sources.h"
#include "azure_token.h"

#define RIG_SECONDS (RIG_NOW / 1000)

struct rig_process {
	int fails;		/* E_*: it does not run */
	int status;
	const char *output, *errors;
};

static struct {
	const char *entra_host, *pin;
	/* Of the endpoints, in turn, the last one for ever. */
	const struct rig_answer *answers;
	size_t nanswers;
	struct rig_process process;
	char *argv, *env;	/* of the last run: each with a blank, a
				   line end behind */
	size_t runs;
	struct source_value got;	/* of the last rig_get */
} azure;

static int
rig_endpoints(const struct rig_asked *rq UNUSED, struct http_answer *out)
{
	if (azure.nanswers == 0)
		return E_CONNECT;
	return rig_answers(&azure.answers[SD_MIN(rig.nasked,
	    azure.nanswers) - 1], out);
}

static int
rig_run(const struct provider_call *call UNUSED, const struct process *p,
    struct process_result *out, struct err *err)
{
	azure.runs++;
	azure.argv = rig_joined(p->argv, " ");
	azure.env = rig_joined(p->env, "\n");
	if (azure.process.fails != 0)
		return err_set(err, azure.process.fails, "cannot run '%s'",
		    p->argv[0]);
	out->status = azure.process.status;
	if (azure.process.output != NULL)
		secret_set(&out->output, azure.process.output,
		    strlen(azure.process.output));
	snprintf(out->errors, sizeof(out->errors), "%s",
	    azure.process.errors != NULL ? azure.process.errors : "");
	return 0;
}

/* "METHOD URL" that was asked. */
static inline char *
rig_line(size_t which)
{
	return arena_printf(rig.arena, "%s %s", rig.asked[which].method,
	    rig.asked[which].url);
}

/* Make a token anew. */
static inline void
rig_get(void)
{
	const struct azure_search search = { .entra_host = azure.entra_host,
		.pin = azure.pin };
	struct provider_call call = rig_call();

	call.run = rig_run;
	source_value_release(&azure.got);
	rig_forget();
	azure.runs = 0;
	rig.r = azure_sources_make(&call, &search, &azure.got, &rig.err);
}

static inline int
rig_setup(void **state UNUSED)
{
	rig_begin("aks", "azure");
	memset(&azure, 0, sizeof(azure));
	azure.process.fails = E_NOTFOUND;
	rig.cloud = rig_endpoints;
	return 0;
}

static inline int
rig_teardown(void **state UNUSED)
{
	source_value_release(&azure.got);
	arena_free(rig.arena);
	return 0;
}

#endif
