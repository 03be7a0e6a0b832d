/* SPDX-License-Identifier: Apache-2.0 */
/* STS: the request, the tries, the answer. */
#include "base.h"

#include "arena.h"
#include "aws_sts.h"
#include "aws_text.h"
#include "aws_value.h"
#include "aws_xml.h"
#include "sigv4.h"
#include "strbuf.h"

#define TRIES 3
#define PAUSE_MAX 20000			/* ms between two of them */
#define SKEW_LEAST 60000		/* ms that could break a signature */
#define PARAMS_MAX 8
#define ANSWER_MAX 65536		/* bytes */
#define BODY_MAX (4 * PROVIDER_FILE_MAX)	/* a token in full, encoded */
#define CONTENT_TYPE "application/x-www-form-urlencoded; charset=utf-8"

struct ask {
	const char *action;
	const char *what;		/* for messages: "assume role 'x'" */
	const struct aws_sts *sts;
	const struct aws_credentials *keys;	/* NULL: unsigned */
	struct pair params[PARAMS_MAX];
	size_t nparams;
	const char *token_file;		/* NULL: no web identity */
	struct secret token;		/* what it held */
	/* What STS answered. */
	struct aws_xml_want *wants;
	size_t nwants;
	int64_t skew;			/* of its clock, ms */
	/* Where we are in the tries. */
	unsigned tries;
	int64_t slept;			/* ms */
	int64_t ahead;			/* to add to our clock: ms */
	bool read_again, signed_again;
};

/* What to do after a try that failed. */
enum next { GIVE_UP, AT_ONCE, LATER };

/* --- The request --------------------------------------------------------- */

static void
add(struct ask *a, const char *name, const char *value)
{
	if (value == NULL)
		return;
	if (a->nparams == PARAMS_MAX)
		BUG("too many parameters");
	a->params[a->nparams++] = (struct pair){ name, value };
}

static const char *
body_of(struct arena *arena, const struct ask *a)
{
	struct strbuf sb = STRBUF_INIT(BODY_MAX);
	const char *body;
	size_t i;

	strbuf_room(&sb, 3 * a->token.len + 4096);	/* never moved */
	strbuf_addf(&sb, "Action=%s&Version=2011-06-15", a->action);
	for (i = 0; i < a->nparams; i++) {
		strbuf_addf(&sb, "&%s=", a->params[i].key);
		strbuf_add_percent(&sb, a->params[i].value, "");
	}
	if (a->token.len > 0) {
		strbuf_addstr(&sb, "&WebIdentityToken=");
		strbuf_add_percent(&sb, a->token.ptr, "");
	}
	body = sb.overflow ? NULL : arena_strndup(arena, sb.buf, sb.len);
	strbuf_wipe(&sb);
	return body;
}

/*
 * The host to sign for, with its port if that is not the scheme's own. An
 * endpoint is scheme and host, and "/" at most: what we sign is "/".
 */
static int
find_host(const struct provider_call *call, const struct ask *a,
    const char **url, const char **host, struct err *err)
{
	const char *endpoint = a->sts->endpoint, *name;
	bool plain;
	size_t len;

	if (endpoint == NULL) {
		if (!aws_region_ok(a->sts->region))
			return err_set(err, E_CONFIG, "cannot %s: its region "
			    "is none: lower-case letters, digits and '-' only",
			    a->what);
		*host = aws_sts_host(call->scratch, a->sts->region);
		*url = arena_printf(call->scratch, "https://%s/", *host);
		return 0;
	}
	plain = strncasecmp(endpoint, "http://", 7) == 0;
	name = endpoint + (plain ? 7 : 8);
	if (!plain && strncasecmp(endpoint, "https://", 8) != 0)
		name = "/";
	len = strcspn(name, "/?#@\\ ");
	if (len == 0 || (name[len] != '\0' && strcmp(name + len, "/") != 0))
		return err_set(err, E_CONFIG, "cannot %s: the address of STS "
		    "that is set is no http or https URL of a host alone",
		    a->what);
	*url = arena_printf(call->scratch, "http%s://%.*s/",
	    plain ? "" : "s", (int)len, name);
	if (len > 4 && plain && strncmp(name + len - 3, ":80", 3) == 0)
		len -= 3;
	else if (len > 4 && !plain && strncmp(name + len - 4, ":443", 4) == 0)
		len -= 4;
	*host = arena_strndup(call->scratch, name, len);
	return 0;
}

/* Signed for the time by the clock of AWS, as far as we know it. */
static void
sign(const struct provider_call *call, const struct ask *a,
    const char *host, const char *body, const char *lines[5])
{
	struct pair headers[3] = { { "content-type", CONTENT_TYPE } };
	const struct sigv4_signer signer = {
		.access_key_id = a->keys->access_key_id,
		.secret = &a->keys->secret,
		.session_token = &a->keys->session_token,
		.region = a->sts->region, .service = "sts",
		.now = call->now + a->slept + a->ahead,
	};
	struct sigv4_request req = { .method = "POST", .host = host,
	    .headers = headers, .nheaders = 2, .body = body,
	    .body_len = strlen(body) };
	char date[SIGV4_DATE];

	sigv4_date(signer.now, date);
	headers[1] = (struct pair){ "x-amz-date", date };
	lines[1] = arena_printf(call->scratch, "X-Amz-Date: %s", date);
	if (a->keys->session_token.len > 0) {
		headers[2] = (struct pair){ "x-amz-security-token",
		    a->keys->session_token.ptr };
		req.nheaders = 3;
		lines[3] = arena_printf(call->scratch,
		    "X-Amz-Security-Token: %s", a->keys->session_token.ptr);
	}
	lines[2] = arena_printf(call->scratch, "Authorization: %s",
	    sigv4_authorization(call->scratch, &signer, &req));
}

/* The token may be another by now. */
static int
read_token(const struct provider_call *call, struct ask *a, struct err *err)
{
	struct err why = ERR_INIT;

	if (call->read_file(a->token_file, &a->token, &why) != 0) {
		/* Who sees the row need not know our paths. */
		err_set(err, E_SYSTEM, "cannot %s: the file of the web "
		    "identity's token cannot be read", a->what);
		err_detail(err, "%s", why.text);
		return E_SYSTEM;
	}
	while (a->token.len > 0 && strchr(" \t\r\n",
	    a->token.ptr[a->token.len - 1]) != NULL)
		a->token.ptr[--a->token.len] = '\0';
	if (!credential_token_ok(a->token.ptr, a->token.len)) {
		err_set(err, E_CONFIG, "cannot %s: the file of the web "
		    "identity's token holds no token", a->what);
		err_detail(err, "%s", a->token_file);
		return E_CONFIG;
	}
	return 0;
}

/* --- One try ------------------------------------------------------------- */

static bool
is_one_of(const char *code, const char *const *codes)
{
	while (*codes != NULL && strcmp(code, *codes) != 0)
		codes++;
	return *codes != NULL;
}

/* What an answer that is none of success means. */
static enum next
judge(struct ask *a, const struct http_answer *answer, const char *code)
{
	static const char *const busy[] = { "Throttling",
	    "ThrottlingException", "ThrottledException",
	    "RequestThrottled", "RequestThrottledException",
	    "RequestLimitExceeded", "TooManyRequestsException", "SlowDown",
	    "PriorRequestNotComplete", "IDPCommunicationError", NULL };
	static const char *const stale[] = { "ExpiredToken",
	    "ExpiredTokenException", "InvalidIdentityToken", NULL };
	static const char *const clock[] = { "RequestExpired",
	    "RequestInTheFuture", "RequestTimeTooSkewed",
	    "SignatureDoesNotMatch", "InvalidSignatureException", NULL };
	int64_t off = answer->skew - a->ahead;

	if (is_one_of(code, busy) || answer->status == 429 ||
	    answer->status >= 500)
		return LATER;
	if (a->token_file != NULL && !a->read_again &&
	    is_one_of(code, stale)) {
		a->read_again = true;
		return AT_ONCE;
	}
	if (a->keys != NULL && !a->signed_again && is_one_of(code, clock) &&
	    (off > SKEW_LEAST || off < -SKEW_LEAST)) {
		a->signed_again = true;
		a->ahead = answer->skew;
		return AT_ONCE;
	}
	return GIVE_UP;
}

/* err for an answer that is an error, with its code and message. */
static enum next
refused(const struct provider_call *call, struct ask *a,
    const struct http_answer *answer, struct err *err)
{
	struct secret code = SECRET_INIT, message = SECRET_INIT;
	const struct aws_xml_want wants[] = {
		{ "ErrorResponse/Error/Code", &code },
		{ "ErrorResponse/Error/Message", &message },
	};
	const struct secret none = SECRET_INIT;
	const struct secret *const secrets[] = { &a->token,
	    a->keys != NULL ? &a->keys->secret : &none,
	    a->keys != NULL ? &a->keys->session_token : &none };
	enum next next;

	aws_xml_read(&answer->body, wants, ARRAY_LEN(wants), NULL);
	next = judge(a, answer, code.len > 0 ? code.ptr : "");
	err_set(err, next == LATER ? E_BUSY : E_DENIED,
	    "cannot %s: STS answered %d%s%s%s%s", a->what, answer->status,
	    code.len > 0 ? " " : "", code.len > 0 ? aws_said(call->scratch,
	    code.ptr, secrets, ARRAY_LEN(secrets)) : "",
	    message.len > 0 ? ": " : "", message.len > 0 ?
	    aws_said(call->scratch, message.ptr, secrets,
	    ARRAY_LEN(secrets)) : "");
	secret_release(&code);
	secret_release(&message);
	return next;
}

static int
try_once(const struct provider_call *call, struct ask *a,
    struct http_answer *answer, enum next *next, struct err *err)
{
	const char *lines[5] = { "Content-Type: " CONTENT_TYPE };
	struct http_request rq = { .method = "POST", .headers = lines,
	    .limit = ANSWER_MAX };
	const char *host = NULL;
	int r;

	*next = GIVE_UP;
	if (a->token_file != NULL && (r = read_token(call, a, err)) != 0)
		return r;
	if ((r = find_host(call, a, &rq.url, &host, err)) != 0)
		return r;
	if ((rq.body = body_of(call->scratch, a)) == NULL)
		return err_set(err, E_TOOLARGE, "cannot %s: what is to be "
		    "sent is too large", a->what);
	rq.body_len = strlen(rq.body);
	if (a->keys != NULL)
		sign(call, a, host, rq.body, lines);
	if ((r = call->http(call, &rq, answer, err)) == 0)
		return 0;
	*next = r == E_CONFIG || r == E_INPUT || r == E_TOOLARGE ?
	    GIVE_UP : LATER;
	if (err != NULL)
		err_set(err, r, "cannot %s: STS at %s: %s", a->what, host,
		    arena_strdup(call->scratch, err->text));
	return r;
}

/* --- All tries ----------------------------------------------------------- */

/* A random part of 1, 2, 4... s, and not before the time that STS named. */
static int
pause_for(const struct provider_call *call, struct ask *a,
    int64_t retry_after)
{
	uint32_t chance;
	int64_t ms;

	if (retry_after > PAUSE_MAX)
		return E_BUSY;
	secret_random(&chance, sizeof(chance));
	ms = (int64_t)(chance % (1000u << (a->tries - 1)));
	ms = SD_MIN(SD_MAX(ms, retry_after), (int64_t)PAUSE_MAX);
	a->slept += ms;
	return call->sleep(call, ms, NULL);
}

static int
exchange(const struct provider_call *call, struct ask *a,
    struct source_value *out, struct err *err)
{
	struct http_answer answer = HTTP_ANSWER_INIT;
	enum next next = GIVE_UP;
	int r;

	do {
		http_answer_release(&answer);
		a->tries++;
		r = try_once(call, a, &answer, &next, err);
		out->retry_after = answer.retry_after;
		if (r == 0 && answer.status == 200)
			break;
		if (r == 0) {
			next = refused(call, a, &answer, err);
			r = next == LATER ? E_BUSY : E_DENIED;
		}
		/* Another reading or signing does not count as a try. */
		if (next == AT_ONCE)
			a->tries--;
	} while (next != GIVE_UP && a->tries < TRIES &&
	    (next == AT_ONCE || pause_for(call, a, answer.retry_after) == 0));

	a->skew = answer.skew;
	if (r == 0 && aws_xml_read(&answer.body, a->wants, a->nwants,
	    NULL) != 0)
		r = err_set(err, E_PROTOCOL, "cannot %s: STS answered "
		    "something that is not its XML", a->what);
	http_answer_release(&answer);
	return r;
}

/* --- Roles --------------------------------------------------------------- */

static int
ask_for_role(const struct provider_call *call, struct ask *a,
    const struct aws_role *role, struct source_value *out, struct err *err)
{
	const char *at = arena_printf(call->scratch,
	    "%sResponse/%sResult/Credentials", a->action, a->action);
	struct secret time = SECRET_INIT;
	struct aws_xml_want wants[] = {
		{ arena_printf(call->scratch, "%s/AccessKeyId", at),
		    &out->part[0] },
		{ arena_printf(call->scratch, "%s/SecretAccessKey", at),
		    &out->part[1] },
		{ arena_printf(call->scratch, "%s/SessionToken", at),
		    &out->part[2] },
		{ arena_printf(call->scratch, "%s/Expiration", at), &time },
	};
	struct err why = ERR_INIT;
	int r;

	a->what = arena_printf(call->scratch, "assume role '%.200s'%s",
	    role->arn, a->token_file != NULL ? " with a web identity" : "");
	a->sts = &role->sts;
	a->wants = wants;
	a->nwants = ARRAY_LEN(wants);
	if ((r = exchange(call, a, out, err)) != 0)
		goto out;
	if (time.len == 0 || out->part[2].len == 0)
		r = err_set(&why, E_PROTOCOL, "without a session token or the "
		    "time of its end");
	else
		r = aws_value_expires(call, time.ptr, a->skew, out, &why);
	if (r != 0)
		err_set(err, r, "cannot %s: STS answered %s", a->what,
		    why.text);
 out:
	secret_release(&time);
	return r;
}

static void
add_role(const struct provider_call *call, struct ask *a,
    const struct aws_role *role)
{
	const char *session = role->session;

	if (session == NULL)
		session = arena_printf(call->scratch, "aws-sdk-js-%s%lld",
		    a->token_file != NULL ? "session-" : "",
		    (long long)call->now);
	add(a, "RoleArn", role->arn);
	add(a, "RoleSessionName", session);
	add(a, "ExternalId", role->external_id);
	add(a, "DurationSeconds", role->duration);
}

int
aws_sts_assume(const struct provider_call *call, const struct aws_role *role,
    const struct aws_credentials *keys, struct source_value *out,
    struct err *err)
{
	struct ask a = { .action = "AssumeRole", .keys = keys };

	a.ahead = keys->skew;
	add_role(call, &a, role);
	return ask_for_role(call, &a, role, out, err);
}

int
aws_sts_web_identity(const struct provider_call *call,
    const struct aws_role *role, const char *token_file,
    struct source_value *out, struct err *err)
{
	struct ask a = { .action = "AssumeRoleWithWebIdentity",
	    .token_file = token_file };
	int r;

	add_role(call, &a, role);
	r = ask_for_role(call, &a, role, out, err);
	secret_release(&a.token);
	return r;
}

/* --- Who we are ---------------------------------------------------------- */

/* "arn:aws-cn:iam::111111111111:user/x" to "aws-cn"; "" if it is none. */
static size_t
partition_of(const char *arn)
{
	size_t len;

	if (!str_starts(arn, "arn:"))
		return 0;
	len = strspn(arn + 4, "abcdefghijklmnopqrstuvwxyz-");
	return arn[4 + len] == ':' ? len : 0;
}

int
aws_sts_caller(const struct provider_call *call, const struct aws_sts *sts,
    const struct aws_credentials *keys, struct source_value *out,
    struct err *err)
{
	struct secret arn = SECRET_INIT;
	struct aws_xml_want wants[] = {
		{ "GetCallerIdentityResponse/GetCallerIdentityResult/Account",
		    &out->part[0] },
		{ "GetCallerIdentityResponse/GetCallerIdentityResult/Arn",
		    &arn },
	};
	struct ask a = { .action = "GetCallerIdentity", .sts = sts,
	    .what = "find the account of the AWS credentials", .keys = keys,
	    .wants = wants, .nwants = ARRAY_LEN(wants) };
	const struct secret *account = &out->part[0];
	size_t len;
	int r;

	a.ahead = keys->skew;
	if ((r = exchange(call, &a, out, err)) != 0)
		goto out;
	len = arn.len > 0 ? partition_of(arn.ptr) : 0;
	if (len == 0 || account->len == 0 ||
	    strspn(account->ptr, "0123456789") != account->len) {
		r = err_set(err, E_PROTOCOL, "cannot %s: STS answered without "
		    "an account and its ARN", a.what);
		goto out;
	}
	secret_set(&out->part[1], arn.ptr + 4, len);
 out:
	secret_release(&arn);
	return r;
}
