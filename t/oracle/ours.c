/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Our side of the comparisons with other people's libraries: one JSON value a
 * line comes in, with the clock and all else that the result is made from,
 * and one goes out. The tests in this folder tell the fields of each "op".
 */
#include "base.h"

#include "arena.h"
#include "aws_token.h"
#include "azure_assertion.h"
#include "google_private.h"
#include "sigv4.h"
#include "strbuf.h"

static struct arena *arena;

static const char *
need(struct json_object *in, const char *key)
{
	const char *value = jsonx_str(in, key);

	if (value == NULL) {
		fprintf(stderr, "ours: no '%s' in the case\n", key);
		exit(2);
	}
	return value;
}

static void
set(struct secret *s, const char *value)
{
	if (value != NULL)
		secret_set(s, value, strlen(value));
}

static int64_t
now_of(struct json_object *in)
{
	return json_object_get_int64(jsonx_get(in, "now")) * 1000;
}

/* --- AWS ------------------------------------------------------------------ */

static void
keys_of(struct json_object *in, struct aws_credentials *keys)
{
	keys->access_key_id = need(in, "accessKeyId");
	set(&keys->secret, need(in, "secret"));
	set(&keys->session_token, jsonx_str(in, "sessionToken"));
}

static void
eks_token(struct json_object *in, struct strbuf *out)
{
	struct aws_credentials keys = AWS_CREDENTIALS_INIT;
	const char *region = need(in, "region");
	const struct aws_token_request req = {
		.credentials = &keys,
		.host = aws_sts_host(arena, region),
		.region = region,
		.cluster_id = need(in, "cluster"),
		.expires = AWS_TOKEN_EXPIRES,
		.now = now_of(in),
	};

	keys_of(in, &keys);
	jsonx_add_pair(out, "token", aws_token(arena, &req));
	jsonx_add_pair(out, "url", aws_token_url(arena, &req));
	aws_credentials_release(&keys);
}

/* url is https://host[:port]/; the body is signed as it is. */
static void
sts_call(struct json_object *in, struct strbuf *out)
{
	struct aws_credentials keys = AWS_CREDENTIALS_INIT;
	struct pair headers[3] = {
		{ "content-type", need(in, "contentType") },
		{ "x-amz-date", NULL },
		{ "x-amz-security-token", jsonx_str(in, "sessionToken") },
	};
	char date[SIGV4_DATE];
	struct sigv4_request req = {
		.method = "POST",
		.host = need(in, "host"),
		.headers = headers,
		.nheaders = headers[2].value != NULL ? 3 : 2,
		.body = need(in, "body"),
		.body_len = strlen(need(in, "body")),
	};
	struct sigv4_signer signer = {
		.secret = &keys.secret,
		.session_token = &keys.session_token,
		.region = need(in, "region"),
		.service = "sts",
		.now = now_of(in),
	};

	keys_of(in, &keys);
	signer.access_key_id = keys.access_key_id;
	sigv4_date(signer.now, date);
	headers[1].value = date;
	jsonx_add_pair(out, "authorization",
	    sigv4_authorization(arena, &signer, &req));
	jsonx_add_pair(out, "date", date);
	aws_credentials_release(&keys);
}

/* --- Azure ---------------------------------------------------------------- */

static void
azure(struct json_object *in, struct strbuf *out)
{
	struct secret pem = SECRET_INIT;
	struct err err = ERR_INIT;
	const struct azure_assertion a = {
		.pem = &pem,
		.passphrase = jsonx_str(in, "passphrase"),
		.chain = jsonx_truthy(jsonx_get(in, "chain")),
		.algorithm = strcmp(need(in, "algorithm"), "RS256") == 0 ?
		    JWT_RS256 : JWT_PS256,
		.client_id = need(in, "clientId"),
		.token_url = need(in, "tokenUrl"),
		.now = now_of(in),
	};
	char *token;

	set(&pem, need(in, "pem"));
	if (azure_assertion(arena, &a, &token, &err) == 0)
		jsonx_add_pair(out, "token", token);
	else
		jsonx_add_pair(out, "error", err.text);
	secret_release(&pem);
}

/* --- Google --------------------------------------------------------------- */

static void
google(struct json_object *in, struct strbuf *out)
{
	struct secret key = SECRET_INIT;
	struct err err = ERR_INIT;
	const struct google_assertion a = {
		.email = need(in, "email"),
		.key_id = need(in, "keyId"),
		.scopes = need(in, "scopes"),
		.subject = jsonx_str(in, "subject"),
		.key = &key,
		.now = now_of(in),
	};
	char *token;

	set(&key, need(in, "key"));
	token = google_assertion(arena, &a, &err);
	if (token != NULL)
		jsonx_add_pair(out, "token", token);
	else
		jsonx_add_pair(out, "error", err.text);
	secret_release(&key);
}

static struct json_object *environment;

static const char *
environment_get(const char *name)
{
	return jsonx_str(environment, name);
}

static void
no_note(const struct provider_call *call UNUSED, const char *fmt UNUSED, ...)
{
}

static void
google_aws(struct json_object *in, struct strbuf *out)
{
	const struct provider_call call = { .scratch = arena,
	    .getenv = environment_get, .note = no_note };
	struct google_work work = { .call = &call, .clock = now_of(in) };
	struct err err = ERR_INIT;
	const char *subject;

	environment = jsonx_get(in, "environment");
	subject = google_aws_subject(&work, jsonx_get(in, "source"),
	    need(in, "audience"), &err);
	if (subject != NULL)
		jsonx_add_pair(out, "subject", subject);
	else
		jsonx_add_pair(out, "error", err.text);
}

/* --- Lines ---------------------------------------------------------------- */

static const struct {
	const char *op;
	void (*run)(struct json_object *in, struct strbuf *out);
} ops[] = {
	{ "azure_assertion", azure },
	{ "eks_token", eks_token },
	{ "google_assertion", google },
	{ "google_aws_subject", google_aws },
	{ "sts_call", sts_call },
};

static void
answer(struct json_object *in)
{
	struct strbuf out = STRBUF_INIT(STRBUF_UNLIMITED);
	const char *op = need(in, "op");
	size_t i;

	for (i = 0; i < ARRAY_LEN(ops); i++)
		if (strcmp(ops[i].op, op) == 0)
			break;
	if (i == ARRAY_LEN(ops)) {
		fprintf(stderr, "ours: no op '%s'\n", op);
		exit(2);
	}
	arena = arena_new();
	strbuf_addstr(&out, "{");
	ops[i].run(in, &out);
	printf("%s}\n", out.buf);
	strbuf_release(&out);
	arena_free(arena);
}

int
main(void)
{
	struct json_object *in;
	struct err err = ERR_INIT;
	char *line = NULL;
	size_t size = 0;
	ssize_t len;

	while ((len = getline(&line, &size, stdin)) > 0) {
		if (jsonx_parse(line, (size_t)len, &in, &err) != 0) {
			fprintf(stderr, "ours: %s\n", err.text);
			return 2;
		}
		answer(in);
		json_object_put(in);
	}
	free(line);
	return 0;
}
