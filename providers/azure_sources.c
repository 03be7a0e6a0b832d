/* SPDX-License-Identifier: Apache-2.0 */
/* The sources of Azure tokens, tried in order. */
#include "base.h"

#include "arena.h"
#include "azure_assertion.h"
#include "azure_cli.h"
#include "azure_entra.h"
#include "azure_managed.h"
#include "azure_sources.h"

#define TENANT_MAX 253
#define CLIENT_MAX 256
#define CERTIFICATE_PATH "AZURE_CLIENT_CERTIFICATE_PATH"
#define SKEW_LEAST 60000	/* ms that could break an assertion */

/* How one is looked for. */
struct search {
	const struct provider_call *call;
	const char *entra_host;
	bool only;		/* it is the only one that may be tried */
};

/* 0 with out filled, AZURE_NEXT with err saying why, or E_*. */
typedef int source(const struct search *s, struct source_value *out,
    struct err *err);

bool
azure_tenant_ok(const char *tenant)
{
	size_t len = strspn(tenant, "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-");

	return len > 0 && len <= TENANT_MAX && tenant[len] == '\0' &&
	    *tenant != '.' && *tenant != '-';
}

/* --- The environment ----------------------------------------------------- */

/* Who asks and where; E_CONFIG. */
static int
application(const struct search *s, struct azure_application *app,
    struct err *err)
{
	app->client_id = provider_variable(s->call, "AZURE_CLIENT_ID");
	if (strlen(app->client_id) > CLIENT_MAX)
		return err_set(err, E_CONFIG, "AZURE_CLIENT_ID is longer than "
		    "%d bytes", CLIENT_MAX);
	return azure_token_url(s->call, s->entra_host, app, err);
}

/* A file that a variable names; its name is for the log only. */
static int
read_named(const struct search *s, const char *variable, struct secret *out,
    struct err *err)
{
	struct err why = ERR_INIT;
	int r = s->call->read_file(s->call->getenv(variable), out, &why);

	if (r != 0) {
		err_set(err, r, "the file that %s names cannot be read",
		    variable);
		err_detail(err, "%s", why.text);
	}
	return r;
}

static bool
says_yes(const char *value)
{
	return value != NULL && (strcmp(value, "1") == 0 ||
	    strcasecmp(value, "true") == 0);
}

/* One that was refused may have been of another time than Entra's: it is made
   once more, by the clock that Entra showed. */
static int
ask_with_assertion(const struct search *s, struct azure_assertion *a,
    struct azure_application *app, struct source_value *out, struct err *err)
{
	struct err why = ERR_INIT;
	char *assertion;
	int r, tries;

	for (tries = 0; ; tries++) {
		a->now = s->call->now + app->skew;
		r = azure_assertion(s->call->scratch, a, &assertion, &why);
		if (r != 0)
			return err_set(err, r, "the file that %s names: %s",
			    CERTIFICATE_PATH, why.text);
		app->assertion = assertion;
		r = azure_entra(s->call, app, out, err);
		if (r != E_DENIED || tries > 0 || (app->skew < SKEW_LEAST &&
		    app->skew > -SKEW_LEAST))
			return r;
		s->call->note(s->call, "its clock is %lld s off ours: once "
		    "more, by its own", (long long)(app->skew / 1000));
	}
}

static int
by_certificate(const struct search *s, struct source_value *out,
    struct err *err)
{
	struct azure_application app = { .secret = NULL };
	struct secret pem = SECRET_INIT;
	struct azure_assertion a = {
		.pem = &pem,
		.passphrase = provider_variable(s->call,
		    "AZURE_CLIENT_CERTIFICATE_PASSWORD"),
		.chain = says_yes(provider_variable(s->call,
		    "AZURE_CLIENT_SEND_CERTIFICATE_CHAIN")),
		.algorithm = JWT_PS256,
	};
	int r = application(s, &app, err);

	if (r == 0)
		r = read_named(s, CERTIFICATE_PATH, &pem, err);
	a.client_id = app.client_id;
	a.token_url = app.token_url;
	if (r == 0)
		r = ask_with_assertion(s, &a, &app, out, err);
	secret_release(&pem);
	return r;
}

static int
from_environment(const struct search *s, struct source_value *out,
    struct err *err)
{
	const struct provider_call *call = s->call;
	const char *secret = provider_variable(call, "AZURE_CLIENT_SECRET");
	bool certificate = provider_variable(call, CERTIFICATE_PATH) != NULL;
	struct azure_application app = { .secret = secret };
	int r;

	if (provider_variable(call, "AZURE_TENANT_ID") == NULL)
		return azure_next(err, "AZURE_TENANT_ID is not set");
	if (provider_variable(call, "AZURE_CLIENT_ID") == NULL)
		return azure_next(err, "AZURE_CLIENT_ID is not set");
	if (secret == NULL && certificate)
		return by_certificate(s, out, err);
	if (secret == NULL)
		return azure_next(err, provider_variable(call, "AZURE_PASSWORD")
		    != NULL ? "passwords of users (AZURE_PASSWORD) are not "
		    "used" : "neither AZURE_CLIENT_SECRET nor "
		    "AZURE_CLIENT_CERTIFICATE_PATH is set");
	if ((r = application(s, &app, err)) != 0)
		return r;
	return azure_entra(call, &app, out, err);
}

/* --- Workload identity --------------------------------------------------- */

/* The platform writes the file anew: it is read each time. */
static int
read_token(const struct search *s, const char *variable, const char **out,
    struct err *err)
{
	struct secret file = SECRET_INIT;
	int r = read_named(s, variable, &file, err);
	const char *text = r == 0 && file.len > 0 ? file.ptr : "";
	size_t len;

	text += strspn(text, " \t\r\n");
	for (len = strlen(text); len > 0 &&
	    strchr(" \t\r\n", text[len - 1]) != NULL; len--)
		;
	if (r == 0 && !credential_token_ok(text, len))
		r = err_set(err, E_CONFIG, "the file that %s names holds no "
		    "token", variable);
	else if (r == 0)
		*out = arena_strndup(s->call->scratch, text, len);
	secret_release(&file);
	return r;
}

static int
from_workload(const struct search *s, struct source_value *out,
    struct err *err)
{
	static const char *const needed[] = { "AZURE_TENANT_ID",
	    "AZURE_CLIENT_ID", "AZURE_FEDERATED_TOKEN_FILE" };
	struct azure_application app = { .secret = NULL };
	size_t i;
	int r;

	for (i = 0; i < ARRAY_LEN(needed); i++)
		if (provider_variable(s->call, needed[i]) == NULL)
			return azure_next(err, "%s is not set", needed[i]);
	if ((r = application(s, &app, err)) != 0 ||
	    (r = read_token(s, needed[2], &app.assertion, err)) != 0)
		return r;
	return azure_entra(s->call, &app, out, err);
}

/* --- The rest ------------------------------------------------------------ */

static int
from_managed(const struct search *s, struct source_value *out,
    struct err *err)
{
	return azure_managed(s->call, s->only, out, err);
}

static int
from_cli(const struct search *s, struct source_value *out, struct err *err)
{
	return azure_cli(s->call, out, err);
}

static int
from_nothing(const struct search *s UNUSED,
    struct source_value *out UNUSED, struct err *err)
{
	return azure_next(err, "not a source for a server: it is not used");
}

/* --- Choosing ------------------------------------------------------------ */

#define PROD 1
#define DEV 2

static const struct {
	const char *name;	/* as AZURE_TOKEN_CREDENTIALS has it */
	const char *what;	/* for messages */
	unsigned group;
	source *get;
} chain[] = {
	{ "EnvironmentCredential", "environment", PROD, from_environment },
	{ "WorkloadIdentityCredential", "workload identity", PROD,
	    from_workload },
	{ "ManagedIdentityCredential", "managed identity", PROD,
	    from_managed },
	{ "VisualStudioCodeCredential", "Visual Studio Code", DEV,
	    from_nothing },
	{ "AzureCliCredential", "Azure CLI", DEV, from_cli },
	{ "AzurePowerShellCredential", "PowerShell", DEV, from_nothing },
	{ "AzureDeveloperCliCredential", "azd", DEV, from_nothing },
};

/* Which of them may be tried, a bit each; 0: the pin names none. */
static unsigned
picked(const char *pin)
{
	unsigned all = 0, i;

	for (i = 0; i < ARRAY_LEN(chain); i++)
		if (pin == NULL || strcasecmp(pin, chain[i].name) == 0 ||
		    (strcasecmp(pin, "prod") == 0 && chain[i].group == PROD) ||
		    (strcasecmp(pin, "dev") == 0 && chain[i].group == DEV))
			all |= 1u << i;
	return all;
}

static const char *
pin_of(const struct provider_call *call, const struct azure_search *search)
{
	const char *value = search->pin ? search->pin :
	    provider_variable(call, "AZURE_TOKEN_CREDENTIALS");
	char *pin;
	size_t len;

	if (value == NULL)
		return NULL;
	value += strspn(value, " \t\r\n");
	pin = arena_strdup(call->scratch, value);
	for (len = strlen(pin); len > 0 &&
	    strchr(" \t\r\n", pin[len - 1]) != NULL; len--)
		pin[len - 1] = '\0';
	return *pin != '\0' ? pin : NULL;
}

/* Try those that are picked; what each says gathers in told. */
static int
from_chain(const struct search *s, unsigned all, struct source_value *out,
    struct err *err)
{
	char *told = arena_strdup(s->call->scratch, "");
	size_t i;
	int r;

	for (i = 0; i < ARRAY_LEN(chain); i++) {
		struct err why = ERR_INIT;

		if ((all & 1u << i) == 0)
			continue;
		r = chain[i].get(s, out, &why);
		s->call->note(s->call, "%s: %s", chain[i].what,
		    r == 0 ? "has a token" : why.text);
		if (r == 0)
			return 0;
		if (r != AZURE_NEXT) {
			err_set(err, r, "cannot get an Azure token (%s): %s",
			    chain[i].what, why.text);
			err_detail(err, "%s", why.detail);
			return r;
		}
		if (chain[i].get != from_nothing || s->only)
			told = arena_printf(s->call->scratch, "%s%s%s: %s",
			    told, *told != '\0' ? "; " : "", chain[i].what,
			    why.text);
	}
	return err_set(err, E_CONFIG, "no source has an Azure token: %s",
	    told);
}

int
azure_sources_make(const struct provider_call *call, const void *ctx,
    struct source_value *out, struct err *err)
{
	const struct azure_search *search = ctx;
	const char *pin = pin_of(call, search);
	const char *where = search->pin ? "stagedoor.cloud.azureCredential" :
	    "AZURE_TOKEN_CREDENTIALS";
	unsigned all = picked(pin);
	struct search s = { .call = call, .entra_host = search->entra_host,
	    .only = all != 0 && (all & (all - 1)) == 0 };

	if (pin != NULL)
		call->note(call, "%s is '%s'", where,
		    azure_words(call, pin, NULL));
	if (all == 0)
		return err_set(err, E_CONFIG, "%s is '%s': it must be prod, "
		    "dev or a name such as ManagedIdentityCredential or "
		    "AzureCliCredential", where,
		    azure_words(call, pin, NULL));
	return from_chain(&s, all, out, err);
}

/* --- Inputs -------------------------------------------------------------- */

static const char *const own_variables[] = { "AZURE_TOKEN_CREDENTIALS",
    "AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET",
    "AZURE_CLIENT_CERTIFICATE_PATH", "AZURE_CLIENT_CERTIFICATE_PASSWORD",
    "AZURE_CLIENT_SEND_CERTIFICATE_CHAIN", "AZURE_AUTHORITY_HOST",
    "AZURE_FEDERATED_TOKEN_FILE", NULL };

const char *const *
azure_sources_inputs(const struct provider_call *call,
    const struct azure_search *search)
{
	const char *const *const lists[] = { own_variables,
	    azure_managed_variables, azure_cli_variables };
	const char **out, *value;
	size_t i, k, n = 0, total = 3;

	for (i = 0; i < ARRAY_LEN(lists); i++)
		for (k = 0; lists[i][k] != NULL; k++)
			total++;
	out = arena_alloc(call->scratch, total * sizeof(*out));
	out[n++] = search->entra_host != NULL ? search->entra_host : "";
	out[n++] = search->pin != NULL ? search->pin : "";
	for (i = 0; i < ARRAY_LEN(lists); i++)
		for (k = 0; lists[i][k] != NULL; k++) {
			value = provider_variable(call, lists[i][k]);
			out[n++] = value != NULL ? value : "";
		}
	out[n] = NULL;
	return out;
}
