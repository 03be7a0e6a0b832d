/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Credentials from endpoints next to us: a container's (ECS, EKS Pod
 * Identity), and an instance's, by version 2 of its metadata service only:
 * version 1 gives them to whoever makes us fetch a URL.
 */
#include "base.h"

#include "arena.h"
#include "aws_origin.h"
#include "aws_text.h"
#include "aws_value.h"
#include "jsonx.h"

#define TRIES 3
#define PAUSE 1000		/* ms between two of them */
#define PAUSE_MAX 20000
#define LIMIT 65536		/* bytes of an answer */
#define TOKEN_LIFE "21600"	/* s; as the SDKs ask for */
#define ROLES "/latest/meta-data/iam/security-credentials/"
#define STALE_LEAST (5 * 60 * 1000)	/* ms, see use_stale */

struct asking {
	struct http_request rq;
	const char *what;	/* for messages: who is asked */
	bool patient;		/* try again when there is no connection */
	const struct secret *secret;	/* that was sent: cut from messages */
	int64_t skew;		/* of the answer */
};

/* --- Asking -------------------------------------------------------------- */

/* "404 Code: Message", as far as the answer has them. */
static int
refused(const struct provider_call *call, const struct asking *a,
    const struct http_answer *answer, struct err *err)
{
	struct json_object *obj = NULL;
	const char *code, *message;
	bool later = answer->status >= 500 || answer->status == 429;

	if (answer->body.len > 0)
		jsonx_parse(answer->body.ptr, answer->body.len, &obj, NULL);
	code = jsonx_str(obj, "Code");
	message = jsonx_str(obj, "Message");
	err_set(err, later ? E_BUSY : E_DENIED, "%s answered %d%s%s%s%s",
	    a->what, answer->status, code != NULL ? " " : "",
	    code != NULL ? aws_said(call->scratch, code, &a->secret,
	    a->secret != NULL) : "", message != NULL ? ": " : "",
	    message != NULL ? aws_said(call->scratch, message, &a->secret,
	    a->secret != NULL) : "");
	jsonx_wipe(obj);
	return later ? E_BUSY : E_DENIED;
}

static int
try_once(const struct provider_call *call, const struct asking *a,
    struct http_answer *answer, struct err *err)
{
	struct err why = ERR_INIT;
	int r;

	http_answer_release(answer);
	if ((r = call->http(call, &a->rq, answer, &why)) != 0)
		return err_set(err, r, "%s cannot be asked: %s", a->what,
		    why.text);
	if (answer->status != 200)
		return refused(call, a, answer, err);
	return 0;
}

static int
ask(const struct provider_call *call, const struct asking *a,
    struct http_answer *answer, struct source_value *out, struct err *err)
{
	int64_t ms;
	int n, r;

	for (n = 1; ; n++) {
		r = try_once(call, a, answer, err);
		out->retry_after = answer->retry_after;
		ms = SD_MAX((int64_t)PAUSE, answer->retry_after);
		if (r == 0 || r == E_DENIED || r == E_CONFIG || r == E_INPUT ||
		    r == E_TOOLARGE || (r != E_BUSY && !a->patient) ||
		    n == TRIES || ms > PAUSE_MAX ||
		    call->sleep(call, ms, NULL) != 0)
			return r;
	}
}

/* --- Containers ---------------------------------------------------------- */

static bool
is_loopback(const char *host, size_t len)
{
	char copy[16], *p = copy, *end;
	int i;

	if (len >= sizeof(copy))
		return false;
	memcpy(copy, host, len);
	copy[len] = '\0';
	for (i = 0; i < 4; i++) {
		if (*p < '0' || *p > '9' || strtoul(p, &end, 10) > 255 ||
		    (i == 0 && strtoul(p, NULL, 10) != 127) ||
		    *end != (i < 3 ? '.' : '\0'))
			return false;
		p = end + 1;
	}
	return true;
}

bool
aws_container_url_ok(const char *url)
{
	static const char *const hosts[] = { "localhost", "169.254.170.2",
	    "169.254.170.23", "[fd00:ec2::23]", "[::1]" };
	bool plain = strncasecmp(url, "http://", 7) == 0;
	const char *host = url + (plain ? 7 : 8);
	size_t i, len;

	if (!plain && strncasecmp(url, "https://", 8) != 0)
		return false;
	len = strcspn(host, "/?#");
	if (len == 0 || memchr(host, '@', len) != NULL ||
	    strpbrk(url, " \\\"<>#\r\n") != NULL)
		return false;
	if (!plain)
		return true;
	len = *host == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":/?#");
	for (i = 0; i < ARRAY_LEN(hosts); i++)
		if (strlen(hosts[i]) == len &&
		    strncasecmp(host, hosts[i], len) == 0)
			return true;
	return is_loopback(host, len);
}

/* The whole Authorization value; empty: none is wanted. */
static int
container_token(const struct provider_call *call, const struct aws_origin *o,
    struct secret *out, struct err *err)
{
	struct err why = ERR_INIT;
	size_t i;

	if (o->token_file != NULL) {
		if (call->read_file(o->token_file, out, &why) != 0) {
			err_set(err, E_SYSTEM, "the container's credentials: "
			    "the file of the token cannot be read");
			err_detail(err, "%s", why.text);
			return E_SYSTEM;
		}
	} else if (o->token != NULL) {
		secret_set(out, o->token, strlen(o->token));
	} else {
		return 0;
	}
	if (out->len > 0 && out->ptr[out->len - 1] == '\r')
		out->ptr[--out->len] = '\0';
	for (i = 0; i < out->len; i++)
		if (out->ptr[i] < ' ' || out->ptr[i] > '~')
			break;
	if (i < out->len || out->len == 0)
		return err_set(err, E_CONFIG, "the container's credentials: "
		    "the token that opens them is empty, or not one line");
	return 0;
}

int
aws_container_make(const struct provider_call *call,
    const struct aws_origin *o, struct source_value *out, struct err *err)
{
	struct http_answer answer = HTTP_ANSWER_INIT;
	struct secret token = SECRET_INIT;
	const char *lines[2] = { NULL };
	const struct asking a = {
		.rq = { .url = o->url, .headers = lines, .limit = LIMIT,
		    .connect_timeout = 1.0, .timeout = 2.0 },
		.what = "the container's endpoint of credentials",
		.patient = true, .secret = &token,
	};
	struct err why = ERR_INIT;
	int r;

	if ((r = container_token(call, o, &token, err)) != 0)
		goto out;
	if (token.len > 0)
		lines[0] = arena_printf(call->scratch, "Authorization: %s",
		    token.ptr);
	if ((r = ask(call, &a, &answer, out, err)) != 0)
		goto out;
	r = aws_value_parse(call, &(struct aws_json){ .metadata = true,
	    .text = &answer.body, .skew = answer.skew }, out, &why);
	if (r != 0)
		err_set(err, r, "%s answered %s", a.what, why.text);
 out:
	http_answer_release(&answer);
	secret_release(&token);
	return r;
}

/* --- Instances ----------------------------------------------------------- */

/* One exchange with the service; line is its header, in scratch. */
static int
ask_instance(const struct provider_call *call, const struct aws_origin *o,
    struct asking *a, struct source_value *out, struct secret *body)
{
	struct http_answer answer = HTTP_ANSWER_INIT;
	struct err why = ERR_INIT;
	int r;

	a->what = "the instance's metadata service (IMDSv2)";
	a->rq.limit = LIMIT;
	a->rq.connect_timeout = a->rq.timeout = 1.0;
	a->rq.url = arena_printf(call->scratch, "%s%s", o->url, a->rq.url);
	r = ask(call, a, &answer, out, &why);
	a->skew = answer.skew;
	if (r == 0)
		secret_move(body, &answer.body);
	else
		a->what = arena_strdup(call->scratch, why.text);
	http_answer_release(&answer);
	return r;
}

/* The role that is attached: the first line, in scratch; NULL: none. */
static const char *
first_line(const struct provider_call *call, const struct secret *text)
{
	size_t len;

	if (text->len == 0)
		return NULL;
	len = strcspn(text->ptr, "\r\n");
	if (len == 0 || strspn(text->ptr, "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+=,.@-") < len)
		return NULL;
	return arena_strndup(call->scratch, text->ptr, len);
}

/*
 * When the service cannot renew credentials it hands out the old ones, which
 * AWS goes on accepting: they are used, and asked for again in 5 to 10
 * minutes.
 */
static void
use_stale(const struct provider_call *call, struct source_value *out)
{
	uint32_t chance;

	secret_random(&chance, sizeof(chance));
	out->expires = call->now + STALE_LEAST + (int64_t)(chance %
	    STALE_LEAST);
	out->margin = 1000;
	call->note(call, "the instance's credentials have expired; they are "
	    "used on, as AWS accepts them while it cannot renew them");
}

static int
read_instance(const struct provider_call *call, const struct aws_json *json,
    struct source_value *out, struct err *err)
{
	struct err why = ERR_INIT;
	int r;

	if ((r = aws_value_parse(call, json, out, &why)) == 0)
		return 0;
	if (out->expires != 0 && out->expires <= call->now) {
		use_stale(call, out);
		return 0;
	}
	return err_set(err, r, "the instance's metadata service (IMDSv2) "
	    "answered %s", why.text);
}

static int
ask_in_turn(const struct provider_call *call, const struct aws_origin *o,
    struct source_value *out, struct secret bodies[3], struct asking *a)
{
	const char *lines[3] = { "x-aws-ec2-metadata-token-ttl-seconds: "
	    TOKEN_LIFE };
	const char *role;
	int r;

	*a = (struct asking){ .rq = { .method = "PUT", .headers = lines,
	    .url = "/latest/api/token" } };
	if ((r = ask_instance(call, o, a, out, &bodies[0])) != 0)
		return r;
	if (!credential_token_ok(bodies[0].ptr, bodies[0].len)) {
		a->what = "the instance's metadata service (IMDSv2) gave no "
		    "token";
		return E_PROTOCOL;
	}
	lines[0] = arena_printf(call->scratch, "x-aws-ec2-metadata-token: %s",
	    bodies[0].ptr);
	*a = (struct asking){ .rq = { .headers = lines, .url = ROLES },
	    .secret = &bodies[0] };
	if ((r = ask_instance(call, o, a, out, &bodies[1])) != 0)
		return r;
	if ((role = first_line(call, &bodies[1])) == NULL) {
		a->what = "the instance's metadata service (IMDSv2) names no "
		    "role; attach one to the instance";
		return E_DENIED;
	}
	*a = (struct asking){ .rq = { .headers = lines, .url =
	    arena_printf(call->scratch, ROLES "%s", role) },
	    .secret = &bodies[0] };
	return ask_instance(call, o, a, out, &bodies[2]);
}

int
aws_instance_make(const struct provider_call *call,
    const struct aws_origin *o, struct source_value *out, struct err *err)
{
	struct secret bodies[3] = { SECRET_INIT, SECRET_INIT, SECRET_INIT };
	struct asking a;
	size_t i;
	int r;

	if ((r = ask_in_turn(call, o, out, bodies, &a)) != 0)
		err_set(err, r, "%s%s", o->last ? "there are no AWS "
		    "credentials in aws.mainAccount, the environment, a "
		    "profile, a web identity or a container, and " : "",
		    a.what);
	else
		r = read_instance(call, &(struct aws_json){ .metadata = true,
		    .text = &bodies[2], .skew = a.skew }, out, err);
	for (i = 0; i < ARRAY_LEN(bodies); i++)
		secret_release(&bodies[i]);
	return r;
}
