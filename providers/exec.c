/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exec: whatever a credential plug-in of kubectl prints. It runs without a
 * shell or a terminal, and of our environment sees only what is listed here:
 * what programs need to run at all, and what the clouds' own plug-ins read.
 * The settings' env comes on top.
 */
#include "base.h"

#include "arena.h"
#include "base64.h"
#include "exec_credential.h"
#include "provider.h"
#include "redact.h"

#define SHOWN 200	/* bytes of what it wrote to standard error */
#define NAME_SHOWN 100
#define INFO "KUBERNETES_EXEC_INFO"

static const char *const passed[] = {
	"PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "LC_CTYPE", "TZ",
	"TMPDIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME",
	"SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE",
	"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY",
	"http_proxy", "https_proxy", "no_proxy",
	/* aws eks get-token, aws-iam-authenticator */
	"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
	"AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_REGION",
	"AWS_DEFAULT_REGION", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE",
	"AWS_SDK_LOAD_CONFIG", "AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME",
	"AWS_WEB_IDENTITY_TOKEN_FILE",
	"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
	"AWS_CONTAINER_CREDENTIALS_FULL_URI",
	"AWS_CONTAINER_AUTHORIZATION_TOKEN",
	"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "AWS_EC2_METADATA_DISABLED",
	"AWS_EC2_METADATA_SERVICE_ENDPOINT", "AWS_CA_BUNDLE",
	"AWS_STS_REGIONAL_ENDPOINTS", "AWS_ENDPOINT_URL",
	"AWS_ENDPOINT_URL_STS", "AWS_USE_FIPS_ENDPOINT",
	"AWS_USE_DUALSTACK_ENDPOINT",
	/* kubelogin, az */
	"AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET", "AZURE_TENANT_ID",
	"AZURE_CLIENT_CERTIFICATE_PATH", "AZURE_CLIENT_CERTIFICATE_PASSWORD",
	"AZURE_FEDERATED_TOKEN_FILE", "AZURE_AUTHORITY_HOST",
	"AZURE_CONFIG_DIR", "AZURE_SUBSCRIPTION_ID", "AAD_LOGIN_METHOD",
	"AAD_SERVICE_PRINCIPAL_CLIENT_ID",
	"AAD_SERVICE_PRINCIPAL_CLIENT_SECRET",
	"AAD_SERVICE_PRINCIPAL_CLIENT_CERTIFICATE",
	"IDENTITY_ENDPOINT", "IDENTITY_HEADER", "MSI_ENDPOINT", "MSI_SECRET",
	/* gke-gcloud-auth-plugin, gcloud */
	"GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CLOUD_PROJECT",
	"GCE_METADATA_HOST", "CLOUDSDK_CONFIG", "CLOUDSDK_PYTHON",
	"CLOUDSDK_ACTIVE_CONFIG_NAME", "CLOUDSDK_CORE_ACCOUNT",
	"CLOUDSDK_CORE_PROJECT", "CLOUDSDK_AUTH_ACCESS_TOKEN_FILE",
	"CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE",
	"USE_GKE_GCLOUD_AUTH_PLUGIN",
};

/* One run, made ready; all in scratch memory. */
struct run {
	const char **argv;
	const char **env;
	size_t nenv;
};

static int
check(const struct cluster *c, struct err *err)
{
	const struct exec_plugin *x = &c->exec;
	size_t i;

	if (x->command == NULL || *x->command == '\0')
		return err_set(err, E_CONFIG, "authProvider 'exec' needs "
		    "exec.command: the credential plug-in to run");
	if (!exec_version_ok(x->api_version))
		return err_set(err, E_CONFIG, "plug-ins of version '%.64s' "
		    "are not supported: client.authentication.k8s.io/v1 and "
		    "v1beta1 are", x->api_version);
	for (i = 0; i < x->nenv; i++)
		if (x->env[i].key[0] == '\0' ||
		    strchr(x->env[i].key, '=') != NULL)
			return err_set(err, E_CONFIG, "exec.env: '%.64s' is no "
			    "name of a variable", x->env[i].key);
	return 0;
}

/* --- What it gets ----------------------------------------------------------*/

static bool
is_set_by(const struct exec_plugin *x, const char *name)
{
	size_t i;

	for (i = 0; i < x->nenv; i++)
		if (strcmp(x->env[i].key, name) == 0)
			return true;
	return strcmp(name, INFO) == 0;
}

static void
add_variable(const struct provider_call *call, struct run *run,
    const char *name, const char *value)
{
	run->env[run->nenv++] = arena_printf(call->scratch, "%s=%s", name,
	    value);
}

/* The settings beat ours, and of two of one name the last counts. */
static void
fill_env(const struct provider_call *call, const char *info, struct run *run)
{
	const struct exec_plugin *x = &call->cluster->exec;
	const char *value;
	size_t i, k;

	run->env = arena_alloc(call->scratch, (ARRAY_LEN(passed) + x->nenv +
	    2) * sizeof(*run->env));
	for (i = 0; i < ARRAY_LEN(passed); i++)
		if (!is_set_by(x, passed[i]) &&
		    (value = call->getenv(passed[i])) != NULL)
			add_variable(call, run, passed[i], value);
	for (i = 0; i < x->nenv; i++) {
		for (k = i + 1; k < x->nenv; k++)
			if (strcmp(x->env[i].key, x->env[k].key) == 0)
				break;
		if (k == x->nenv && strcmp(x->env[i].key, INFO) != 0)
			add_variable(call, run, x->env[i].key,
			    x->env[i].value);
	}
	add_variable(call, run, INFO, info);
}

static void
fill_argv(const struct provider_call *call, struct run *run)
{
	const struct exec_plugin *x = &call->cluster->exec;
	size_t i;

	run->argv = arena_alloc(call->scratch, (x->args.n + 2) *
	    sizeof(*run->argv));
	run->argv[0] = x->command;
	for (i = 0; i < x->args.n; i++)
		run->argv[i + 1] = x->args.items[i];
}

/* The cluster's CA as PEM; the file beats the data. */
static int
read_ca(const struct provider_call *call, struct secret *ca, struct err *err)
{
	const struct cluster *c = call->cluster;
	struct err why = ERR_INIT;

	if (!c->exec.cluster_info || c->skip_tls_verify)
		return 0;
	if (c->ca_file != NULL && call->read_file(c->ca_file, ca, &why) != 0) {
		err_set(err, E_SYSTEM, "the CA of cluster '%s', for its "
		    "plug-in, cannot be read: the log says why", c->name);
		err_detail(err, "%s", why.text);
		return E_SYSTEM;
	}
	if (c->ca_file == NULL && c->ca_data != NULL)
		base64_decode(c->ca_data, ca);
	return 0;
}

static int
run_init(const struct provider_call *call, struct run *run, struct err *err)
{
	struct secret ca = SECRET_INIT;
	int r = read_ca(call, &ca, err);

	memset(run, 0, sizeof(*run));
	if (r == 0) {
		fill_argv(call, run);
		fill_env(call, exec_info(call->scratch, call->cluster, &ca),
		    run);
	}
	secret_release(&ca);
	return r;
}

/* --- Running it ------------------------------------------------------------*/

static bool
has_word(const char *name, size_t len)
{
	static const char *const words[] = { "SECRET", "TOKEN", "KEY",
	    "PASSWORD", "PASS", "CREDENTIAL" };
	size_t i, k, n;

	for (i = 0; i < ARRAY_LEN(words); i++) {
		n = strlen(words[i]);
		for (k = 0; k + n <= len; k++)
			if (strncasecmp(name + k, words[i], n) == 0)
				return true;
	}
	return false;
}

/* The end of what it said went wrong, without what we gave it to keep. */
static const char *
errors_shown(const struct provider_call *call, const struct run *run,
    const char *errors)
{
	char *text = arena_strdup(call->scratch, errors);
	const char *value;
	size_t i, len;

	for (i = 0; i < run->nenv; i++) {
		value = strchr(run->env[i], '=') + 1;
		if (has_word(run->env[i], (size_t)(value - run->env[i]) - 1))
			redact_value(text, value);
	}
	redact(text);
	/* The first word may be the end of a longer one. */
	if (strlen(errors) == PROCESS_ERRORS_MAX - 1)
		text += strcspn(text, " ");
	len = strlen(text);
	if (len > SHOWN)
		text += len - SHOWN;
	while (((unsigned char)*text & 0xc0) == 0x80)
		text++;
	return text;
}

static int
ended_badly(const struct provider_call *call, const struct run *run,
    const struct process_result *result, struct err *err)
{
	const char *errors = errors_shown(call, run, result->errors);
	bool signalled = result->status > 128;

	return err_set(err, E_SYSTEM, "credential plug-in '%.*s' ended with "
	    "%s %d%s%s", NAME_SHOWN, run->argv[0],
	    signalled ? "signal" : "exit code",
	    signalled ? result->status - 128 : result->status,
	    *errors != '\0' ? ": " : "", errors);
}

static int
not_run(const struct provider_call *call, const struct run *run,
    const struct process_result *result, const struct err *why,
    struct err *err)
{
	const char *errors = errors_shown(call, run, result->errors);

	return err_set(err, why->code, "credential plug-in: %s%s%s", why->text,
	    *errors != '\0' ? ": " : "", errors);
}

static int
read_answer(const struct provider_call *call, const struct run *run,
    const struct process_result *result, struct source_value *out,
    struct err *err)
{
	struct err why = ERR_INIT;
	int r = exec_credential_parse(&result->output,
	    call->cluster->exec.api_version, call->now, out, &why);

	return r == 0 ? 0 : err_set(err, r, "credential plug-in '%.*s': %s",
	    NAME_SHOWN, run->argv[0], why.text);
}

static int
make(const struct provider_call *call, const void *ctx,
    struct source_value *out, struct err *err)
{
	struct process_result result = PROCESS_RESULT_INIT;
	const struct run *run = ctx;
	const struct process p = {
		.argv = run->argv,
		.env = run->env,
		.timeout = call->cluster->exec.timeout,
	};
	struct err why = ERR_INIT;
	int r = call->run(call, &p, &result, &why);

	if (r != 0)
		r = not_run(call, run, &result, &why, err);
	else if (result.status != 0)
		r = ended_badly(call, run, &result, err);
	else
		r = read_answer(call, run, &result, out, err);
	process_result_release(&result);
	return r;
}

/* --- As a source -----------------------------------------------------------*/

/* The version is in the environment, in INFO. */
static const char *const *
inputs_of(const struct provider_call *call, const struct run *run)
{
	size_t argc = call->cluster->exec.args.n + 1, n = 0, i;
	const char **inputs = arena_alloc(call->scratch, (argc + run->nenv +
	    2) * sizeof(*inputs));

	for (i = 0; i < argc; i++)
		inputs[n++] = run->argv[i];
	inputs[n++] = "in the environment";
	for (i = 0; i < run->nenv; i++)
		inputs[n++] = run->env[i];
	return inputs;
}

/* Not in make: clusters with the same plug-in share what it gives. */
static int
check_use(const struct cluster *c, const struct source_value *value,
    struct err *err)
{
	if (value->part[EXEC_CERTIFICATE].len == 0 ||
	    strncasecmp(c->url, "https://", 8) == 0)
		return 0;
	return err_set(err, E_CONFIG, "credential plug-in '%.*s': its answer "
	    "has a client certificate, which needs an https url", NAME_SHOWN,
	    c->exec.command);
}

/* What it says of itself is said of each cluster that wants it. */
static enum provider_verdict
failed(const struct cluster *c, struct err *err)
{
	struct err why = *err;

	if (why.code == E_PENDING)
		return PROVIDER_FAILED;
	err_set(err, why.code, "cluster '%s': %s", c->name, why.text);
	if (why.detail[0] != '\0')
		err_detail(err, "%s", why.detail);
	return PROVIDER_FAILED;
}

static enum provider_verdict
obtain(const void *state UNUSED, const struct provider_call *call,
    struct credential *out, struct err *err)
{
	struct source_value value = SOURCE_VALUE_INIT;
	struct run run;
	int r;

	if (run_init(call, &run, err) != 0)
		return PROVIDER_FAILED;
	if (call->note != NULL)
		call->note(call, "exec: credential plug-in '%.*s', %s",
		    NAME_SHOWN, run.argv[0], call->cluster->exec.api_version);
	r = call->source(call, &(struct source) { .kind = "exec",
	    .inputs = inputs_of(call, &run), .make = make, .ctx = &run },
	    &value, err);
	if (r == 0)
		r = check_use(call->cluster, &value, err);
	if (r == 0)
		exec_credential_take(&value, out);
	source_value_release(&value);
	return r == 0 ? PROVIDER_OK : failed(call->cluster, err);
}

extern const struct provider_ops provider_exec;
const struct provider_ops provider_exec = {
	.name = "exec",
	.flags = PROVIDER_SERVER_SIDE | PROVIDER_CACHEABLE | PROVIDER_NETWORK,
	.check = check,
	.obtain = obtain,
};
