/* SPDX-License-Identifier: Apache-2.0 */
/* Asking the Azure CLI for a token. */
#include "base.h"

#include "arena.h"
#include "azure_cli.h"
#include "azure_sources.h"
#include "jsonx.h"

#define TIMEOUT 10.0		/* s, as the SDKs */
#define DEFAULT_PATH "PATH=/usr/local/bin:/usr/bin:/bin"
#define HOUR 3600		/* s */

/* Where it finds itself, its login, its proxy and its roots; TZ, for it
   prints local time. */
const char *const azure_cli_variables[] = { "PATH", "HOME", "USER", "LOGNAME",
    "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "AZURE_CONFIG_DIR",
    "AZURE_EXTENSION_DIR", "AZURE_CLOUD_NAME", "AZURE_CORE_COLLECT_TELEMETRY",
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy",
    "no_proxy", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR", NULL };

#define VARIABLES ARRAY_LEN(azure_cli_variables)

/* --- Reading ------------------------------------------------------------- */

/*
 * Local time to s, 0 if it is none. An hour comes twice when the clocks are
 * set back: the first one counts unless it is over.
 */
static int64_t
local_seconds(const char *text, int64_t now)
{
	struct tm tm = { .tm_isdst = -1 }, other;
	time_t at, earlier;

	if (text == NULL || strptime(text, "%Y-%m-%d %H:%M:%S", &tm) == NULL)
		return 0;
	tm.tm_isdst = -1;
	at = mktime(&tm);
	for (earlier = at - HOUR; earlier <= at + HOUR; earlier += HOUR)
		if (earlier > now / 1000 && localtime_r(&earlier, &other) &&
		    other.tm_hour == tm.tm_hour && other.tm_mday == tm.tm_mday)
			return (int64_t)earlier;
	return (int64_t)at;
}

int
azure_cli_take(const struct provider_call *call, const struct secret *printed,
    struct source_value *out, struct err *err)
{
	struct json_object *obj = NULL;
	struct err why = ERR_INIT;
	int64_t at;
	int r = 0;

	if (printed->len > 0)
		jsonx_parse(printed->ptr, printed->len, &obj, NULL);
	at = azure_seconds(jsonx_get(obj, "expires_on"));
	if (at == 0)
		at = local_seconds(jsonx_str(obj, "expiresOn"), call->now);
	if (azure_keep(call, jsonx_str(obj, "accessToken"), at * 1000, out,
	    &why) != 0)
		r = err_set(err, E_PROTOCOL, "az: %s", why.text);
	if (obj != NULL)
		jsonx_wipe(obj);
	return r;
}

/* --- Running ------------------------------------------------------------- */

static void
fill_environment(const struct provider_call *call, const char *env[VARIABLES])
{
	const char *value;
	size_t i, n = 0;

	for (i = 0; azure_cli_variables[i] != NULL; i++) {
		value = provider_variable(call, azure_cli_variables[i]);
		if (value != NULL)
			env[n++] = arena_printf(call->scratch, "%s=%s",
			    azure_cli_variables[i], value);
		else if (i == 0)
			env[n++] = DEFAULT_PATH;
	}
	env[n] = NULL;
}

/* It names the command that would help, unless it is Entra that refused. */
static bool
not_logged_in(const char *errors)
{
	return strstr(errors, "AADSTS") == NULL &&
	    (strstr(errors, "az login") != NULL ||
	    strstr(errors, "az account set") != NULL);
}

static int
judge(const struct provider_call *call, const struct process_result *result,
    struct source_value *out, struct err *err)
{
	const char *words;

	if (result->status == 127)
		return azure_next(err, "az cannot be run: install the Azure "
		    "CLI");
	if (result->status == 0)
		return azure_cli_take(call, &result->output, out, err);
	if (not_logged_in(result->errors))
		return azure_next(err, "nobody is logged in to az: run 'az "
		    "login' as the user and with the HOME of the server");
	words = azure_words(call, result->errors, NULL);
	return err_set(err, E_PROTOCOL, "az ended with %d%s%s",
	    result->status, *words != '\0' ? ": " : "", words);
}

int
azure_cli(const struct provider_call *call, struct source_value *out,
    struct err *err)
{
	const char *tenant = provider_variable(call, "AZURE_TENANT_ID");
	const char *argv[] = { "az", "account", "get-access-token",
	    "--output", "json", "--resource", AZURE_AKS,
	    tenant != NULL ? "--tenant" : NULL, tenant, NULL };
	const char *env[VARIABLES];
	struct process p = { .argv = argv, .env = env, .timeout = TIMEOUT };
	struct process_result result = PROCESS_RESULT_INIT;
	int r;

	if (tenant != NULL && !azure_tenant_ok(tenant))
		return err_set(err, E_CONFIG, AZURE_TENANT_FLAW);
	fill_environment(call, env);
	r = call->run(call, &p, &result, err);
	if (r == 0)
		r = judge(call, &result, out, err);
	else if (r == E_NOTFOUND)
		r = azure_next(err, "there is no az in PATH");
	process_result_release(&result);
	return r;
}
