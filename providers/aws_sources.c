/* SPDX-License-Identifier: Apache-2.0 */
/* The sources of AWS credentials, tried in order. */
#include "base.h"

#include "arena.h"
#include "aws_files.h"
#include "aws_sources.h"
#include "settings.h"

#define NEXT 1		/* this source has none: try the one after it */

/* 0 with out filled, NEXT, or E_*. */
typedef int source(const struct provider_call *call,
    struct aws_credentials *out, struct err *err);

static const char *
variable(const struct provider_call *call, const char *name)
{
	const char *value = call->getenv(name);

	return value != NULL && *value != '\0' ? value : NULL;
}

static int
not_built(const struct provider_call *call, struct err *err, const char *what)
{
	return err_set(err, E_NOTBUILT, "AWS credentials of cluster '%s' from "
	    "%s: this source is not built in yet", call->cluster->name, what);
}

/* session may be NULL. */
static int
keep(const struct provider_call *call, struct aws_credentials *out,
    const char *id, const char *secret, const char *session)
{
	out->access_key_id = arena_strdup(call->scratch, id);
	secret_set(&out->secret, secret, strlen(secret));
	if (session != NULL)
		secret_set(&out->session_token, session, strlen(session));
	return 0;
}

/* --- The environment ----------------------------------------------------- */

/* AWS_CREDENTIAL_EXPIRATION, wall ms; 0 if it is not set or no time. */
static int64_t
expiration(const struct provider_call *call)
{
	const char *text = variable(call, "AWS_CREDENTIAL_EXPIRATION");
	struct tm tm = { 0 };

	if (text == NULL || strptime(text, "%Y-%m-%dT%H:%M:%S", &tm) == NULL)
		return 0;
	return (int64_t)timegm(&tm) * 1000;
}

static int
from_environment(const struct provider_call *call,
    struct aws_credentials *out, struct err *err)
{
	const char *id = variable(call, "AWS_ACCESS_KEY_ID");
	const char *secret = variable(call, "AWS_SECRET_ACCESS_KEY");

	if (variable(call, "AWS_PROFILE") != NULL || id == NULL ||
	    secret == NULL)
		return NEXT;
	out->expires = expiration(call);
	if (out->expires != 0 && out->expires <= call->now)
		return err_set(err, E_CONFIG, "the AWS credentials in the "
		    "environment, for cluster '%s', have expired",
		    call->cluster->name);
	return keep(call, out, id, secret,
	    variable(call, "AWS_SESSION_TOKEN"));
}

/* --- Profiles ------------------------------------------------------------ */

/* What a profile says, in the order in which the SDK looks. */
static int
from_values(const struct provider_call *call, const struct aws_profile *p,
    struct aws_credentials *out, struct err *err)
{
	const char *const *v = p->values;
	bool profile = v[AWS_KEY_SOURCE_PROFILE] != NULL;
	bool place = v[AWS_KEY_CREDENTIAL_SOURCE] != NULL;

	if (v[AWS_KEY_ROLE] != NULL && profile != place)
		return not_built(call, err, "a profile with role_arn");
	if (v[AWS_KEY_ID] != NULL && v[AWS_KEY_SECRET] != NULL)
		return keep(call, out, v[AWS_KEY_ID], v[AWS_KEY_SECRET],
		    v[AWS_KEY_SESSION]);
	if (v[AWS_KEY_ROLE] != NULL && v[AWS_KEY_WEB_IDENTITY] != NULL)
		return not_built(call, err,
		    "a profile with web_identity_token_file");
	if (v[AWS_KEY_PROCESS] != NULL)
		return not_built(call, err,
		    "a profile with credential_process");
	if (v[AWS_KEY_SSO_URL] != NULL || v[AWS_KEY_SSO_SESSION] != NULL)
		return not_built(call, err, "a profile with sso_session");
	return NEXT;
}

/* A profile that somebody named. */
static int
from_named(const struct provider_call *call, const char *name,
    struct aws_credentials *out, struct err *err)
{
	struct err why = ERR_INIT;
	struct aws_profile p;
	int r;

	aws_profile_read(call, name, &p, &why);
	r = from_values(call, &p, out, err);
	if (r != NEXT)
		return r;
	err_set(err, E_CONFIG, p.found ? "the AWS profile '%s', for cluster "
	    "'%s', has no credentials that work" : "there is no AWS profile "
	    "'%s', for cluster '%s'", name, call->cluster->name);
	err_detail(err, "%s", why.text);
	return E_CONFIG;
}

static int
from_files(const struct provider_call *call, struct aws_credentials *out,
    struct err *err)
{
	const char *name = variable(call, "AWS_PROFILE");
	struct aws_profile p;

	if (name != NULL)
		return from_named(call, name, out, err);
	aws_profile_read(call, "default", &p, NULL);
	return from_values(call, &p, out, err);
}

/* --- What needs a network ------------------------------------------------ */

static int
from_web_identity(const struct provider_call *call,
    struct aws_credentials *out UNUSED, struct err *err)
{
	if (variable(call, "AWS_WEB_IDENTITY_TOKEN_FILE") == NULL ||
	    variable(call, "AWS_ROLE_ARN") == NULL)
		return NEXT;
	return not_built(call, err, "a web identity "
	    "(AWS_WEB_IDENTITY_TOKEN_FILE)");
}

static int
from_container(const struct provider_call *call,
    struct aws_credentials *out UNUSED, struct err *err)
{
	if (variable(call, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") == NULL &&
	    variable(call, "AWS_CONTAINER_CREDENTIALS_FULL_URI") == NULL)
		return NEXT;
	return not_built(call, err, "the container's endpoint "
	    "(AWS_CONTAINER_CREDENTIALS_*)");
}

static int
from_instance(const struct provider_call *call,
    struct aws_credentials *out UNUSED, struct err *err)
{
	const char *off = variable(call, "AWS_EC2_METADATA_DISABLED");

	if (off != NULL && strcasecmp(off, "true") == 0)
		return NEXT;
	return not_built(call, err, "the instance's metadata (IMDS), for no "
	    "other source has any");
}

/* --- Choosing ------------------------------------------------------------ */

static source *const chain[] = { from_environment, from_files,
    from_web_identity, from_container, from_instance };

static int
from_chain(const struct provider_call *call, struct aws_credentials *out,
    struct err *err)
{
	size_t i;
	int r;

	for (i = 0; i < ARRAY_LEN(chain); i++)
		if ((r = chain[i](call, out, err)) != NEXT)
			return r;
	return err_set(err, E_CONFIG, "there are no AWS credentials for "
	    "cluster '%s': none in aws.mainAccount, the environment, a "
	    "profile, a web identity or a container, and the instance's "
	    "metadata are off", call->cluster->name);
}

/* Keys of the settings; Backstage trims the secret. */
static int
from_account(const struct provider_call *call, const struct aws_account *a,
    struct aws_credentials *out)
{
	const char *s = a->secret_access_key.ptr;
	size_t len = a->secret_access_key.len, skip;

	skip = strspn(s, " \t\r\n");
	while (len > skip && strchr(" \t\r\n", s[len - 1]) != NULL)
		len--;
	out->access_key_id = arena_strdup(call->scratch, a->access_key_id);
	secret_set(&out->secret, s + skip, len - skip);
	return 0;
}

static bool
has_keys(const struct aws_account *a)
{
	return a->access_key_id != NULL && a->secret_access_key.len > 0;
}

/*
 * Backstage's documentation shows an empty main account beside one account
 * with keys and a region and no role. Its own back end refuses that, so the
 * account can only be meant for the clusters that name no role.
 */
static const struct aws_account *
documented_account(const struct aws_settings *aws)
{
	const struct aws_account *a = aws->accounts;

	if (aws->main.profile != NULL || aws->naccounts != 1 ||
	    a->region == NULL || a->role_name != NULL || !has_keys(a))
		return NULL;
	return a;
}

static int
from_main(const struct provider_call *call, const struct aws_settings *aws,
    struct aws_credentials *out, const char **region, struct err *err)
{
	const struct aws_account *own = &aws->main, *only;

	if (own->role_name != NULL)
		return not_built(call, err, "aws.mainAccount.roleName");
	if (has_keys(own))
		return from_account(call, own, out);
	if ((only = documented_account(aws)) != NULL) {
		*region = only->region;
		return from_account(call, only, out);
	}
	if (own->profile != NULL)
		return from_named(call, own->profile, out, err);
	return from_chain(call, out, err);
}

int
aws_sources_get(const struct provider_call *call, const struct settings *s,
    struct aws_credentials *out, const char **region, struct err *err)
{
	int r;

	*region = variable(call, "AWS_REGION");
	if (*region == NULL)
		*region = "us-east-1";
	if (call->cluster->assume_role != NULL)
		return not_built(call, err, "its assumeRole");
	r = from_main(call, &s->aws, out, region, err);
	if (r == 0 && !aws_region_ok(*region)) {
		aws_credentials_release(out);
		return err_set(err, E_CONFIG, "the AWS region for cluster '%s' "
		    "is none: lower-case letters, digits and '-' only",
		    call->cluster->name);
	}
	return r;
}
