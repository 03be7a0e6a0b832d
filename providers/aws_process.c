/* SPDX-License-Identifier: Apache-2.0 */
/*
 * credential_process of a profile. Its words are split as a shell would
 * split them, but there is no shell: nothing else in them means anything.
 */
#include "base.h"

#include "arena.h"
#include "aws_origin.h"
#include "aws_text.h"
#include "aws_value.h"
#include "redact.h"

#define WORDS_MAX 64
#define TIMEOUT 30.0	/* s: it may ask a directory that is far away */

/*
 * What a tool of AWS needs to do its work. The rest of our environment may
 * hold secrets that are none of its business.
 */
static const char *const passed[] = {
	"PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "TMPDIR",
	"XDG_CONFIG_HOME", "XDG_CACHE_HOME", "SSL_CERT_FILE", "SSL_CERT_DIR",
	"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy",
	"no_proxy", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY",
	"AWS_SESSION_TOKEN", "AWS_CREDENTIAL_EXPIRATION", "AWS_PROFILE",
	"AWS_DEFAULT_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION",
	"AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_CA_BUNDLE",
	"AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME",
	"AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ENDPOINT_URL",
	"AWS_ENDPOINT_URL_STS", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
	"AWS_STS_REGIONAL_ENDPOINTS", "AWS_USE_FIPS_ENDPOINT",
	"AWS_USE_DUALSTACK_ENDPOINT", "AWS_EC2_METADATA_DISABLED",
	"AWS_EC2_METADATA_SERVICE_ENDPOINT",
	"AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE",
	"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
	"AWS_CONTAINER_CREDENTIALS_FULL_URI",
	"AWS_CONTAINER_AUTHORIZATION_TOKEN",
	"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "AWS_SDK_LOAD_CONFIG",
};

const char *const *
aws_process_environment(const struct provider_call *call)
{
	const char **env = arena_alloc(call->scratch,
	    (ARRAY_LEN(passed) + 1) * sizeof(*env));
	const char *value;
	size_t i, n = 0;

	for (i = 0; i < ARRAY_LEN(passed); i++) {
		value = call->getenv(passed[i]);
		if (value != NULL)
			env[n++] = arena_printf(call->scratch, "%s=%s",
			    passed[i], value);
	}
	return env;
}

/* --- Words --------------------------------------------------------------- */

/*
 * One word from *in to *out, which is not longer. Quotes and backslashes as
 * in a POSIX shell. False if a quote is not closed.
 */
static bool
read_word(const char **in, char **out)
{
	const char *p = *in;
	char *to = *out;
	char quote = '\0';

	for (; *p != '\0' && (quote != '\0' || strchr(" \t", *p) == NULL);
	    p++) {
		if (quote == '\0' && (*p == '\'' || *p == '"')) {
			quote = *p;
		} else if (quote != '\0' && *p == quote) {
			quote = '\0';
		} else if (*p == '\\' && p[1] != '\0' && (quote == '\0' ||
		    (quote == '"' && strchr("\"\\$`", p[1]) != NULL))) {
			*to++ = *++p;
		} else {
			*to++ = *p;
		}
	}
	*to++ = '\0';
	*in = p;
	*out = to;
	return quote == '\0';
}

/* argv in scratch; NULL: no words, too many, or a quote that is not closed. */
static const char *const *
split(const struct provider_call *call, const char *command)
{
	const char **argv = arena_alloc(call->scratch,
	    (WORDS_MAX + 1) * sizeof(*argv));
	char *room = arena_alloc(call->scratch, strlen(command) + 2);
	size_t n = 0;

	for (;;) {
		command += strspn(command, " \t");
		if (*command == '\0')
			return n > 0 ? argv : NULL;
		if (n == WORDS_MAX)
			return NULL;
		argv[n++] = room;
		if (!read_word(&command, &room))
			return NULL;
	}
}

/* --- Running ------------------------------------------------------------- */

static int
read_output(const struct provider_call *call, const struct aws_origin *o,
    struct process_result *result, struct source_value *out,
    struct err *err)
{
	struct err why = ERR_INIT;
	int r;

	redact(result->errors);
	if (result->status != 0)
		return err_set(err, E_SYSTEM, "the credential_process of the "
		    "AWS profile '%s' ended with exit code %d%s%s",
		    o->profile, result->status,
		    result->errors[0] != '\0' ? ": " : "",
		    aws_said(call->scratch, result->errors, NULL, 0));
	r = aws_value_parse(call, &(struct aws_json){
	    .text = &result->output }, out, &why);
	if (r != 0)
		err_set(err, r, "the credential_process of the AWS profile "
		    "'%s' printed %s", o->profile, why.text);
	return r;
}

int
aws_process_make(const struct provider_call *call,
    const struct aws_origin *o, struct source_value *out, struct err *err)
{
	struct process_result result = PROCESS_RESULT_INIT;
	struct process process = {
		.argv = split(call, o->command),
		.env = aws_process_environment(call),
		.timeout = TIMEOUT,
	};
	struct err why = ERR_INIT;
	int r;

	if (process.argv == NULL)
		return err_set(err, E_CONFIG, "the credential_process of the "
		    "AWS profile '%s' is no command: a quote that is not "
		    "closed, or more than %d words", o->profile, WORDS_MAX);
	if ((r = call->run(call, &process, &result, &why)) != 0) {
		/* Who sees the row need not know our paths. */
		err_set(err, r, "the credential_process of the AWS profile "
		    "'%s' %s", o->profile, r == E_NOTFOUND ? "is not there" :
		    r == E_TIMEOUT ? "took too long" : r == E_TOOLARGE ?
		    "printed too much" : "could not be run");
		err_detail(err, "%s", why.text);
	} else {
		r = read_output(call, o, &result, out, err);
	}
	process_result_release(&result);
	return r;
}
