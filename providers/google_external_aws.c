/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The subject token of a workload on AWS: the question "who am I?" to AWS's
 * STS, signed with the workload's keys and not sent, but given to Google,
 * which asks it. Keys and region come from the environment, else from the
 * instance's metadata at the URLs that the credentials name.
 */
#include "base.h"

#include "arena.h"
#include "aws_token.h"
#include "google_private.h"
#include "sigv4.h"

#define VERIFY_URL "https://sts.{region}.amazonaws.com" \
	"?Action=GetCallerIdentity&Version=2011-06-15"
#define QUERY_MAX 8

struct aws {
	struct google_work *w;
	struct json_object *source;	/* credential_source */
	const char *session;		/* header of IMDSv2; NULL: none yet */
	const char *id, *secret, *token;	/* keys; token may be NULL */
	const char *region;
};

/* --- The instance's metadata --------------------------------------------- */

static char *
fetch(struct aws *a, const struct http_request *rq, struct err *err)
{
	struct http_answer answer;
	char *out, *end;

	if (!google_url_ok(rq->url, GOOGLE_ANYWHERE)) {
		err_set(err, E_CONFIG, "a url of its credential_source is "
		    "none");
		return NULL;
	}
	if (google_fetch(a->w, rq, &answer, err) != 0)
		return NULL;
	out = arena_strdup(a->w->call->scratch, answer.body.len > 0 ?
	    answer.body.ptr : "");
	http_answer_release(&answer);
	for (end = out + strlen(out); end > out && end[-1] <= ' '; end--)
		end[-1] = '\0';
	return out;
}

/* False: it should be had, and cannot. */
static bool
begin_session(struct aws *a, struct err *err)
{
	const char *url = jsonx_str(a->source, "imdsv2_session_token_url");
	const char *const headers[] = {
		"X-aws-ec2-metadata-token-ttl-seconds: 300", NULL };
	char *token;

	if (url == NULL || a->session != NULL)
		return true;
	token = fetch(a, &(struct http_request){ .method = "PUT", .url = url,
	    .headers = headers, .timeout = 3, .limit = GOOGLE_TOKEN_MAX },
	    err);
	if (token == NULL)
		return false;
	if (!credential_token_ok(token, strlen(token))) {
		err_set(err, E_PROTOCOL, "the instance's metadata gave no "
		    "session token");
		return false;
	}
	google_hide(a->w, token);
	a->session = arena_printf(a->w->call->scratch,
	    "X-aws-ec2-metadata-token: %s", token);
	return true;
}

static char *
ask_instance(struct aws *a, const char *url, struct err *err)
{
	const char *headers[2] = { NULL };

	if (!begin_session(a, err))
		return NULL;
	headers[0] = a->session;
	return fetch(a, &(struct http_request){ .url = url,
	    .headers = headers, .timeout = 3, .limit = GOOGLE_TOKEN_MAX },
	    err);
}

/* It says the zone: the region and a letter. */
static bool
find_region(struct aws *a, struct err *err)
{
	const char *url = jsonx_str(a->source, "region_url");
	char *zone;

	a->region = provider_variable(a->w->call, "AWS_REGION");
	if (a->region == NULL)
		a->region = provider_variable(a->w->call, "AWS_DEFAULT_REGION");
	if (a->region == NULL && url == NULL)
		err_set(err, E_CONFIG, "the AWS region is not known: neither "
		    "AWS_REGION nor a region_url is set");
	if (a->region == NULL && url != NULL) {
		if ((zone = ask_instance(a, url, err)) == NULL)
			return false;
		if (*zone != '\0')
			zone[strlen(zone) - 1] = '\0';
		a->region = zone;
	}
	if (a->region == NULL || aws_region_ok(a->region))
		return a->region != NULL;
	err_set(err, E_CONFIG, "the AWS region is none: lower-case letters, "
	    "digits and '-' only");
	return false;
}

static bool
read_keys(struct aws *a, const char *text, struct err *err)
{
	struct arena *arena = a->w->call->scratch;
	struct json_object *tree = NULL;

	jsonx_parse(text, strlen(text), &tree, NULL);
	a->id = arena_strdup(arena, jsonx_str(tree, "AccessKeyId"));
	a->secret = arena_strdup(arena, jsonx_str(tree, "SecretAccessKey"));
	a->token = arena_strdup(arena, jsonx_str(tree, "Token"));
	jsonx_wipe(tree);
	if (a->id != NULL && a->secret != NULL)
		return true;
	err_set(err, E_PROTOCOL, "the instance's metadata gave no keys");
	return false;
}

static bool
find_keys(struct aws *a, struct err *err)
{
	const char *url = jsonx_str(a->source, "url");
	char *role, *text;

	a->id = provider_variable(a->w->call, "AWS_ACCESS_KEY_ID");
	a->secret = provider_variable(a->w->call, "AWS_SECRET_ACCESS_KEY");
	a->token = provider_variable(a->w->call, "AWS_SESSION_TOKEN");
	if (a->id != NULL && a->secret != NULL) {
		a->w->call->note(a->w->call, "AWS keys of the environment");
		return true;
	}
	a->w->call->note(a->w->call, "AWS_ACCESS_KEY_ID is not set");
	if (url == NULL) {
		err_set(err, E_CONFIG, "there are no AWS keys: neither "
		    "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY nor a url "
		    "of the instance's is set");
		return false;
	}
	if ((role = ask_instance(a, url, err)) == NULL)
		return false;
	if (*role == '\0' || strpbrk(role, "/?#%\\ \r\n") != NULL) {
		err_set(err, E_PROTOCOL, "the instance's metadata gave no "
		    "name of a role");
		return false;
	}
	text = ask_instance(a, arena_printf(a->w->call->scratch, "%s%s%s", url,
	    url[strlen(url) - 1] == '/' ? "" : "/", role), err);
	return text != NULL && read_keys(a, text, err);
}

/* --- The question -------------------------------------------------------- */

static char *
verify_url(struct aws *a)
{
	static const char word[] = "{region}";
	const char *url = jsonx_str(a->source,
	    "regional_cred_verification_url"), *p;

	if (url == NULL)
		url = VERIFY_URL;
	if ((p = strstr(url, word)) == NULL)
		return arena_strdup(a->w->call->scratch, url);
	return arena_printf(a->w->call->scratch, "%.*s%s%s", (int)(p - url),
	    url, a->region, p + sizeof(word) - 1);
}

/* The parameters of a URL without path. False: it has more than that. */
static bool
read_query(struct arena *arena, const char *url, struct pair *out, size_t *n)
{
	const char *p = url + strlen("https://");

	*n = 0;
	p += strcspn(p, "/?#");
	if (*p == '/')
		p++;
	if (strpbrk(p, "%+#/") != NULL || (*p != '?' && *p != '\0'))
		return false;
	while (*p != '\0') {
		size_t len = strcspn(++p, "&"), name = strcspn(p, "=&");

		if (name >= len || *n == QUERY_MAX)
			return false;
		out[*n].key = arena_strndup(arena, p, name);
		out[(*n)++].value = arena_strndup(arena, p + name + 1,
		    len - name - 1);
		p += len;
	}
	return true;
}

static char *
add_header(struct arena *arena, char *to, const char *name, const char *value)
{
	if (value == NULL)
		return to;
	return arena_printf(arena, "%s%s{\"key\":%s,\"value\":%s}", to,
	    *to != '\0' ? "," : "", google_quote(arena, name),
	    google_quote(arena, value));
}

/* The headers of the signed request, as members of a JSON list. */
static char *
sign(struct aws *a, const char *host, const struct pair *query, size_t nquery)
{
	struct arena *arena = a->w->call->scratch;
	struct secret secret = SECRET_INIT, token = SECRET_INIT;
	char date[SIGV4_DATE], *list, *authorization;
	const struct pair headers[] = { { "x-amz-date", date },
	    { "x-amz-security-token", a->token } };
	const struct sigv4_signer signer = { a->id, &secret, &token,
	    a->region, "sts", a->w->clock };
	const struct sigv4_request rq = { .method = "POST", .host = host,
	    .query = query, .nquery = nquery, .headers = headers,
	    .nheaders = a->token != NULL ? 2 : 1 };

	sigv4_date(a->w->clock, date);
	a->w->is_signed = true;
	secret_set(&secret, a->secret, strlen(a->secret));
	authorization = sigv4_authorization(arena, &signer, &rq);
	secret_release(&secret);
	list = add_header(arena, arena_strdup(arena, ""), "Authorization",
	    authorization);
	list = add_header(arena, list, "host", host);
	list = add_header(arena, list, "x-amz-date", date);
	return add_header(arena, list, "x-amz-security-token", a->token);
}

char *
google_aws_subject(struct google_work *w, struct json_object *source,
    const char *audience, struct err *err)
{
	struct aws a = { .w = w, .source = source };
	struct arena *arena = w->call->scratch;
	struct pair query[QUERY_MAX];
	char *list, *url;
	size_t nquery;

	if (strcmp(jsonx_str(source, "environment_id"), "aws1") != 0) {
		err_set(err, E_CONFIG, "its environment_id is not aws1, the "
		    "only one that is known");
		return NULL;
	}
	if (!find_region(&a, err) || !find_keys(&a, err))
		return NULL;
	google_hide(w, a.secret);
	google_hide(w, a.token);
	url = verify_url(&a);
	if (!str_starts(url, "https://") ||
	    !google_url_ok(url, GOOGLE_ANYWHERE) ||
	    !read_query(arena, url, query, &nquery)) {
		err_set(err, E_CONFIG, "its regional_cred_verification_url is "
		    "not https, or has a path");
		return NULL;
	}
	list = sign(&a, google_host(arena, url), query, nquery);
	list = add_header(arena, list, "x-goog-cloud-target-resource",
	    audience);
	return google_encode(arena, arena_printf(arena, "{\"url\":%s,"
	    "\"method\":\"POST\",\"headers\":[%s]}",
	    google_quote(arena, url), list));
}
