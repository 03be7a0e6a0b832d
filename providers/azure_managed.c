/* SPDX-License-Identifier: Apache-2.0 */
/* Managed identities of App Service, Arc and virtual machines. */
#include "base.h"

#include "arena.h"
#include "azure_managed.h"
#include "strbuf.h"

#define IMDS_HOST "http://169.254.169.254"
#define IMDS_PATH "/metadata/identity/oauth2/token"
#define IMDS_TRIES 6
#define PROBE_TIMEOUT 1.0	/* s; nothing answers where there is no Azure */
#define URL_MAX 8192

#define ARC_FOLDER "/var/opt/azcmagent/tokens/"
#define ARC_SUFFIX ".key"
#define ARC_KEY_MAX 4096	/* bytes */
#define CHALLENGE_MAX 1024

const char *const azure_managed_variables[] = { "IDENTITY_ENDPOINT",
    "IDENTITY_HEADER", "IDENTITY_SERVER_THUMBPRINT", "IMDS_ENDPOINT",
    "AZURE_POD_IDENTITY_AUTHORITY_HOST", NULL };

/* In scratch; the version and whose identity. */
static char *
url_of(const struct provider_call *call, const char *endpoint,
    const char *version)
{
	const char *id = provider_variable(call, "AZURE_CLIENT_ID");
	struct strbuf sb = STRBUF_INIT(URL_MAX);
	char *out;

	strbuf_addf(&sb, "%s?api-version=%s&resource=" AZURE_AKS, endpoint,
	    version);
	if (id != NULL) {
		strbuf_addstr(&sb, "&client_id=");
		strbuf_add_percent(&sb, id, "");
	}
	out = arena_strdup(call->scratch, sb.overflow ? "" : sb.buf);
	strbuf_release(&sb);
	return out;
}

/* For messages, what somebody set: without user info and query. */
static char *
shown(const struct provider_call *call, const char *endpoint)
{
	char *out = azure_words(call, endpoint, NULL);

	out[strcspn(out, "?#")] = '\0';
	return strchr(out, '@') == NULL ? out :
	    arena_strdup(call->scratch, "the endpoint");
}

/* --- App Service --------------------------------------------------------- */

static int
app_service(const struct provider_call *call, const char *endpoint,
    struct source_value *out, struct err *err)
{
	const char *secret = provider_variable(call, "IDENTITY_HEADER");
	const char *headers[] = { arena_printf(call->scratch,
	    "X-IDENTITY-HEADER: %s", secret), NULL };
	struct http_request http = { .headers = headers,
	    .url = url_of(call, endpoint, "2019-08-01") };
	struct azure_request rq = { .http = &http, .secret = secret,
	    .where = shown(call, endpoint), .tries = 3,
	    .again = azure_again };
	struct http_answer answer = HTTP_ANSWER_INIT;
	int r;

	if (!credential_token_ok(secret, strlen(secret)))
		return err_set(err, E_CONFIG, "IDENTITY_HEADER holds blanks "
		    "or control characters");
	if ((r = azure_ask(call, &rq, &answer, err)) == 0)
		r = azure_take(call, &rq, &answer, out, err);
	http_answer_release(&answer);
	return r;
}

/* --- Arc ----------------------------------------------------------------- */

/* "Basic realm=PATH": the path if it is one of the agent's keys. */
static const char *
challenge_path(const struct provider_call *call,
    const struct http_answer *answer)
{
	char text[CHALLENGE_MAX], *path;
	size_t len, folder = strlen(ARC_FOLDER);

	if (answer->status != 401 || !http_answer_header(answer,
	    "www-authenticate", text, sizeof(text)) ||
	    strncasecmp(text, "basic realm=", 12) != 0)
		return NULL;
	path = text + 12;
	if (*path == '"') {
		path++;
		path[strcspn(path, "\"")] = '\0';
	}
	len = strlen(path);
	if (!str_starts(path, ARC_FOLDER) || len < folder + 5 ||
	    strchr(path + folder, '/') != NULL ||
	    strcmp(path + len - strlen(ARC_SUFFIX), ARC_SUFFIX) != 0)
		return NULL;
	return arena_strdup(call->scratch, path);
}

static int
challenge_key(const struct provider_call *call, const char *path,
    const char **out, struct err *err)
{
	struct secret key = SECRET_INIT;
	struct err why = ERR_INIT;
	int r;

	if (path == NULL)
		return err_set(err, E_PROTOCOL, "the Arc agent does not name "
		    "a key of its own under " ARC_FOLDER);
	if ((r = call->read_file(path, &key, &why)) != 0) {
		err_set(err, r, "the Arc agent's key cannot be read: our user "
		    "must be in the group himds");
		err_detail(err, "%s", why.text);
		return r;
	}
	if (key.len > ARC_KEY_MAX || !credential_token_ok(key.ptr, key.len))
		r = err_set(err, E_PROTOCOL, "the Arc agent's key is none");
	else
		*out = arena_strdup(call->scratch, key.ptr);
	secret_release(&key);
	return r;
}

/* The agent names a file that only its own group can read. */
static int
arc(const struct provider_call *call, const char *endpoint,
    struct source_value *out, struct err *err)
{
	const char *headers[] = { "Metadata: true", NULL, NULL };
	struct http_request http = { .headers = headers,
	    .url = url_of(call, endpoint, "2020-06-01") };
	struct azure_request rq = { .http = &http, .tries = 3,
	    .where = shown(call, endpoint), .again = azure_again };
	struct http_answer answer = HTTP_ANSWER_INIT;
	int r;

	if (provider_variable(call, "AZURE_CLIENT_ID") != NULL)
		return err_set(err, E_CONFIG, "Azure Arc has one identity "
		    "only: unset AZURE_CLIENT_ID");
	if ((r = azure_ask(call, &rq, &answer, err)) == 0)
		r = challenge_key(call, challenge_path(call, &answer),
		    &rq.secret, err);
	http_answer_release(&answer);
	if (r != 0)
		return r;
	headers[1] = arena_printf(call->scratch, "Authorization: Basic %s",
	    rq.secret);
	if ((r = azure_ask(call, &rq, &answer, err)) == 0)
		r = azure_take(call, &rq, &answer, out, err);
	http_answer_release(&answer);
	return r;
}

/* --- Instance metadata --------------------------------------------------- */

/* It is known to answer 404 and 410 while it starts or is updated. */
static bool
imds_again(int status)
{
	return status == 404 || status == 410 || azure_again(status);
}

/* Docker Desktop answers for it, 403, where it is not. */
static bool
unreachable(const struct http_answer *answer)
{
	return answer->status == 403 && answer->body.len > 0 &&
	    strstr(answer->body.ptr, "unreachable") != NULL;
}

/* Amazon's and Google's services have the same address. */
static bool
another_cloud(const struct http_answer *answer)
{
	char value[64];

	return (http_answer_header(answer, "metadata-flavor", value,
	    sizeof(value)) && strcasecmp(value, "Google") == 0) ||
	    (http_answer_header(answer, "server", value, sizeof(value)) &&
	    strcasecmp(value, "EC2ws") == 0);
}

/* Without its header it must refuse, but it answers. */
static bool
imds_there(const struct provider_call *call, const char *url)
{
	struct http_request http = { .url = url,
	    .connect_timeout = PROBE_TIMEOUT, .timeout = PROBE_TIMEOUT };
	struct http_answer answer = HTTP_ANSWER_INIT;
	bool there = call->http(call, &http, &answer, NULL) == 0 &&
	    !unreachable(&answer) && !another_cloud(&answer);

	call->note(call, "the metadata service is %s",
	    there ? "there" : "not there");
	http_answer_release(&answer);
	return there;
}

static int
imds_take(const struct provider_call *call, const struct azure_request *rq,
    const struct http_answer *answer, struct source_value *out,
    struct err *err)
{
	if (unreachable(answer))
		return azure_next(err, "nothing answers at %s", rq->where);
	if (azure_take(call, rq, answer, out, err) == 0)
		return 0;
	/* "Identity not found": this machine has none, or not this one. */
	return answer->status == 400 ? AZURE_NEXT : err->code;
}

static int
imds(const struct provider_call *call, bool only, struct source_value *out,
    struct err *err)
{
	const char *set = provider_variable(call,
	    "AZURE_POD_IDENTITY_AUTHORITY_HOST");
	const char *host = set != NULL ? set : IMDS_HOST;
	const char *headers[] = { "Metadata: true", NULL };
	struct http_request http = { .headers = headers };
	struct azure_request rq = { .http = &http, .tries = IMDS_TRIES,
	    .where = shown(call, host), .again = imds_again,
	    .must_connect = true };
	struct http_answer answer = HTTP_ANSWER_INIT;
	size_t len = strlen(host);
	char *url;
	int r;

	while (len > 0 && host[len - 1] == '/')
		len--;
	url = arena_printf(call->scratch, "%.*s" IMDS_PATH, (int)len, host);
	if (!only && set == NULL && !imds_there(call, url))
		return azure_next(err, "nothing answers at %s", rq.where);
	http.url = url_of(call, url, "2018-02-01");
	r = azure_ask(call, &rq, &answer, err);
	if (r == 0)
		r = imds_take(call, &rq, &answer, out, err);
	else if (r == E_CONNECT)
		r = AZURE_NEXT;
	http_answer_release(&answer);
	return r;
}

int
azure_managed(const struct provider_call *call, bool only,
    struct source_value *out, struct err *err)
{
	const char *endpoint = provider_variable(call, "IDENTITY_ENDPOINT");

	if (endpoint == NULL)
		return imds(call, only, out, err);
	if (provider_variable(call, "IDENTITY_HEADER") != NULL) {
		if (provider_variable(call,
		    "IDENTITY_SERVER_THUMBPRINT") != NULL)
			return err_set(err, E_CONFIG, "identities of Service "
			    "Fabric (IDENTITY_SERVER_THUMBPRINT) are not "
			    "supported");
		call->note(call, "IDENTITY_ENDPOINT and IDENTITY_HEADER are "
		    "set: App Service");
		return app_service(call, endpoint, out, err);
	}
	if (provider_variable(call, "IMDS_ENDPOINT") != NULL) {
		call->note(call, "IDENTITY_ENDPOINT and IMDS_ENDPOINT are "
		    "set: Azure Arc");
		return arc(call, endpoint, out, err);
	}
	return imds(call, only, out, err);
}
