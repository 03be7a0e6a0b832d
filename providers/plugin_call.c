/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One call of a provider in a shared object: the functions that it is handed,
 * and what becomes of its answer. obtain runs as the making of a source, so
 * it may block, and what it gave is kept.
 */
#include "base.h"

#include "arena.h"
#include "clock.h"
#include "exec_credential.h"
#include "identity.h"
#include "jsonscan.h"
#include "keypair.h"
#include "plugin.h"
#include "redact.h"
#include "stagedoor/provider.h"

#define SHOWN 200		/* bytes of what it says went wrong */
#define TIMEOUT 10.0		/* seconds */

struct stagedoor_call {
	const struct provider_call *call;
	const struct plugin *plugin;
	bool blocking;			/* http and run are to be had */
	struct source_value value;	/* the answer */
	struct err why;			/* what failed last */
	const char *said;		/* by fail */
};

static const struct plugin *
plugin_of(const struct cluster *c)
{
	return (const struct plugin *)(const void *)c->provider;
}

/* --- The question ----------------------------------------------------------*/

static const char *
cluster_name(struct stagedoor_call *c)
{
	return c->call->cluster->name;
}

static const char *
cluster_url(struct stagedoor_call *c)
{
	return c->call->cluster->url;
}

static const char *
metadata(struct stagedoor_call *c, const char *key)
{
	const struct cluster *cluster = c->call->cluster;
	size_t i;

	for (i = 0; i < cluster->nmetadata; i++)
		if (strcmp(cluster->metadata[i].key, key) == 0)
			return cluster->metadata[i].value;
	return NULL;
}

static const char *
settings(struct stagedoor_call *c)
{
	return c->plugin->settings;
}

/* Only those who make a credential for one user may know which. */
static const char *
user_of(const struct plugin *p, const struct provider_call *call)
{
	return p->v1->flags & STAGEDOOR_PER_USER && call->who != NULL ?
	    call->who->user : NULL;
}

static const char *
user(struct stagedoor_call *c)
{
	return user_of(c->plugin, c->call);
}

static double
now(struct stagedoor_call *c)
{
	return (double)c->call->now / 1000;
}

/* --- The world -------------------------------------------------------------*/

static const char *
environment(struct stagedoor_call *c, const char *name)
{
	return c->call->getenv != NULL ? c->call->getenv(name) : NULL;
}

static const char *
read_file(struct stagedoor_call *c, const char *path, size_t *len)
{
	struct secret content = SECRET_INIT;
	char *copy;

	c->why = (struct err)ERR_INIT;
	*len = 0;
	if (c->call->read_file == NULL) {
		err_set(&c->why, E_CONFIG, "no file can be read here");
		return NULL;
	}
	if (c->call->read_file(path, &content, &c->why) != 0)
		return NULL;
	*len = content.len;
	copy = arena_strndup(c->call->scratch, content.ptr != NULL ?
	    content.ptr : "", content.len);
	secret_release(&content);
	return copy;
}

/* Not where only the settings are looked at; and a struct of version 1. */
static int
may_block(struct stagedoor_call *c, size_t size, size_t need)
{
	c->why = (struct err)ERR_INIT;
	if (!c->blocking)
		return err_set(&c->why, E_CONFIG, "check can neither call nor "
		    "run anything");
	return size >= need ? 0 : err_set(&c->why, E_CONFIG, "a struct has "
	    "no size, or a smaller one than version 1 has");
}

static const char *
keep(const struct stagedoor_call *c, const struct secret *s)
{
	return arena_strndup(c->call->scratch, s->ptr != NULL ? s->ptr : "",
	    s->len);
}

static int
http(struct stagedoor_call *c, const struct stagedoor_request *request,
    struct stagedoor_answer *out)
{
	const struct http_request rq = {
		.method = request->method,
		.url = request->url,
		.headers = request->headers,
		.body = request->body,
		.body_len = request->body_len,
		.timeout = request->timeout,
	};
	struct http_answer answer = HTTP_ANSWER_INIT;
	int r = may_block(c, request->size, sizeof(*request));

	if (r == 0)
		r = may_block(c, out->size, sizeof(*out));
	if (r == 0 && rq.url == NULL)
		r = err_set(&c->why, E_CONFIG, "a request has no url");
	if (r == 0)
		r = c->call->http(c->call, &rq, &answer, &c->why);
	if (r == 0) {
		out->status = answer.status;
		out->body = keep(c, &answer.body);
		out->body_len = answer.body.len;
		http_answer_release(&answer);
	}
	return r;
}

static int
run(struct stagedoor_call *c, const struct stagedoor_program *program,
    struct stagedoor_output *out)
{
	static const char *const nothing[] = { NULL };
	const struct process p = {
		.argv = program->argv,
		.env = program->env != NULL ? program->env : nothing,
		.timeout = program->timeout > 0 ? program->timeout : TIMEOUT,
	};
	struct process_result result = PROCESS_RESULT_INIT;
	int r = may_block(c, program->size, sizeof(*program));

	if (r == 0)
		r = may_block(c, out->size, sizeof(*out));
	if (r == 0 && (p.argv == NULL || p.argv[0] == NULL))
		r = err_set(&c->why, E_CONFIG, "a program has no argv");
	if (r == 0)
		r = c->call->run(c->call, &p, &result, &c->why);
	if (r == 0) {
		out->status = result.status;
		out->text = keep(c, &result.output);
		out->text_len = result.output.len;
		out->errors = arena_strdup(c->call->scratch, result.errors);
	}
	process_result_release(&result);
	return r;
}

static const char *
why(struct stagedoor_call *c)
{
	return c->why.text;
}

/* Another's words: bounded, printable, without what looks like a secret or is
   the one that it gave. */
static const char *
printable(const struct stagedoor_call *c, const char *text)
{
	const struct secret *token = &c->value.part[EXEC_TOKEN];
	char *copy = arena_strndup(c->call->scratch, text,
	    strnlen(text, 8 * SHOWN)), *at;
	size_t n, left;

	for (at = copy; *at != '\0'; at += n) {
		n = jsonscan_utf8(at, strlen(at));
		if (n == 0 || (unsigned char)*at < ' ' || *at == 0x7f)
			*at = n == 0 ? '?' : ' ';
		n = SD_MAX(n, (size_t)1);
	}
	if (token->len > 0)
		redact_value(copy, token->ptr);
	redact(copy);
	for (at = copy, left = SHOWN; *at != '\0'; at += n, left -= n)
		if ((n = jsonscan_utf8(at, strlen(at))) == 0 || n > left)
			break;
	*at = '\0';
	return copy;
}

static void
note(struct stagedoor_call *c, const char *text)
{
	if (c->call->note != NULL)
		c->call->note(c->call, "%s: %s", c->plugin->ops.name,
		    printable(c, text));
}

/* --- The answer ------------------------------------------------------------*/

static void
bearer(struct stagedoor_call *c, const char *token)
{
	secret_set(&c->value.part[EXEC_TOKEN], token, strlen(token));
}

static void
certificate(struct stagedoor_call *c, const char *pem, const char *key)
{
	secret_set(&c->value.part[EXEC_CERTIFICATE], pem, strlen(pem));
	secret_set(&c->value.part[EXEC_KEY], key, strlen(key));
}

/* Not a number, or past all clocks: it ended. */
static void
expires(struct stagedoor_call *c, double when)
{
	c->value.expires = when > 0 && when < 1e15 ? (int64_t)(when * 1000) : 1;
}

static void
fail(struct stagedoor_call *c, const char *text)
{
	c->said = printable(c, text);
}

static const struct stagedoor_core core = {
	.size = sizeof(core),
	.cluster_name = cluster_name,
	.cluster_url = cluster_url,
	.metadata = metadata,
	.settings = settings,
	.user = user,
	.now = now,
	.environment = environment,
	.read_file = read_file,
	.http = http,
	.run = run,
	.why = why,
	.note = note,
	.bearer = bearer,
	.certificate = certificate,
	.expires = expires,
	.fail = fail,
};

/* --- Checking the answer ---------------------------------------------------*/

static int
wrong(const struct stagedoor_call *c, struct err *err, const char *what)
{
	return err_set(err, E_PROTOCOL, "provider '%s' for cluster '%s' %s",
	    c->plugin->ops.name, c->call->cluster->name, what);
}

static int
check_certificate(struct stagedoor_call *c, struct err *err)
{
	struct source_value *v = &c->value;
	const char *flaw;
	int64_t ends;

	if (v->part[EXEC_CERTIFICATE].len == 0 && v->part[EXEC_KEY].len == 0)
		return 0;
	if (strncasecmp(c->call->cluster->url, "https://", 8) != 0)
		return wrong(c, err, "gave a client certificate, which needs "
		    "an https url");
	flaw = keypair_flaw(&v->part[EXEC_CERTIFICATE], &v->part[EXEC_KEY],
	    &ends);
	if (flaw != NULL)
		return wrong(c, err, flaw);
	if (v->expires == 0 || ends < v->expires)
		v->expires = ends;
	return 0;
}

static int
check_value(struct stagedoor_call *c, struct err *err)
{
	const struct secret *token = &c->value.part[EXEC_TOKEN];
	struct source_value *v = &c->value;
	int r;

	if (token->len == 0 && v->part[EXEC_CERTIFICATE].len == 0)
		return wrong(c, err, "said that all is well, and gave neither "
		    "a token nor a certificate");
	if (token->len > 0 && !credential_token_ok(token->ptr, token->len))
		return wrong(c, err, "gave a token with characters that no "
		    "token has");
	if ((r = check_certificate(c, err)) != 0)
		return r;
	if (v->expires != 0 && v->expires <= c->call->now)
		return wrong(c, err, "gave a credential that has expired");
	if (v->expires != 0)
		v->margin = SD_MIN((int64_t)EXEC_MARGIN_MS,
		    (v->expires - c->call->now) / 2);
	return 0;
}

/* The verdict as a code, and in words. */
static int
failed(const struct stagedoor_call *c, int verdict, struct err *err)
{
	static const struct {
		int code;
		const char *text;
	} kinds[] = {
		[STAGEDOOR_NEEDS_USER] = { E_SIGNIN, "sign in first" },
		[STAGEDOOR_REFUSED] = { E_DENIED, "it is refused" },
		[STAGEDOOR_FAILED] = { E_SYSTEM, "it failed" },
	};
	size_t i = verdict == STAGEDOOR_NEEDS_USER ||
	    verdict == STAGEDOOR_REFUSED ? (size_t)verdict : STAGEDOOR_FAILED;

	return err_set(err, kinds[i].code, "provider '%s' for cluster '%s': "
	    "%s", c->plugin->ops.name, c->call->cluster->name,
	    c->said != NULL ? c->said : c->why.text[0] != '\0' ?
	    printable(c, c->why.text) : kinds[i].text);
}

/* --- As a provider ---------------------------------------------------------*/

int
plugin_check(const struct cluster *cluster, struct err *err)
{
	const struct plugin *p = plugin_of(cluster);
	struct provider_call call = { .cluster = cluster,
	    .now = clock_wall_ms() };
	struct stagedoor_call c = { .call = &call, .plugin = p };
	int r = 0;

	if (p->v1 == NULL) {
		err_set(err, E_CONFIG, "its provider '%s' could not be loaded: "
		    "the log says why", p->ops.name);
		err_detail(err, "'%s' %s", p->path, p->why.text);
		return E_CONFIG;
	}
	if (p->v1->check == NULL)
		return 0;
	call.scratch = arena_new();
	if (p->v1->check(&core, &c) != STAGEDOOR_OK)
		r = failed(&c, STAGEDOOR_FAILED, err);
	source_value_release(&c.value);
	arena_free(call.scratch);
	return r != 0 ? E_CONFIG : 0;
}

static int
make(const struct provider_call *call, const void *ctx,
    struct source_value *out, struct err *err)
{
	struct stagedoor_call c = { .call = call, .plugin = ctx,
	    .blocking = true };
	int verdict = c.plugin->v1->obtain(&core, &c);
	int r = verdict == STAGEDOOR_OK ? check_value(&c, err) :
	    failed(&c, verdict, err);

	if (r == 0)
		*out = c.value;		/* taken */
	else
		source_value_release(&c.value);
	return r;
}

/* All that a provider can ask the core about the cluster and the user. */
static const char *const *
inputs_of(const struct provider_call *call, const struct plugin *p)
{
	const struct cluster *c = call->cluster;
	const char *who = user_of(p, call);
	const char **inputs = arena_alloc(call->scratch, (2 * c->nmetadata +
	    7) * sizeof(*inputs));
	size_t n = 0, i;

	inputs[n++] = p->ops.name;
	inputs[n++] = p->path;
	inputs[n++] = p->settings;
	inputs[n++] = c->name;
	inputs[n++] = c->url;
	inputs[n++] = who != NULL ? who : "";
	for (i = 0; i < c->nmetadata; i++) {
		inputs[n++] = c->metadata[i].key;
		inputs[n++] = c->metadata[i].value;
	}
	return inputs;
}

enum provider_verdict
plugin_obtain(const void *state UNUSED, const struct provider_call *call,
    struct credential *out, struct err *err)
{
	const struct plugin *p = plugin_of(call->cluster);
	struct source_value value = SOURCE_VALUE_INIT;
	int r = call->source(call, &(struct source) { .kind = "plugin",
	    .inputs = inputs_of(call, p), .make = make, .ctx = p },
	    &value, err);

	if (r == E_SIGNIN)
		return PROVIDER_NEEDS_USER;
	if (r == E_DENIED)
		return PROVIDER_REFUSED;
	if (r != 0)
		return PROVIDER_FAILED;
	exec_credential_take(&value, out);
	source_value_release(&value);
	return PROVIDER_OK;
}
