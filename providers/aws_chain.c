/* SPDX-License-Identifier: Apache-2.0 */
/* The links of the default chain, tried in order. */
#include "base.h"

#include "arena.h"
#include "aws_chain.h"
#include "rfc3339.h"

#define CONTAINER "http://169.254.170.2"
#define INSTANCE "http://169.254.169.254"
#define INSTANCE_6 "http://[fd00:ec2::254]"

/* --- The environment ----------------------------------------------------- */

int
aws_origin_environment(const struct provider_call *call,
    struct aws_origin *out, struct err *err)
{
	const char *id = provider_variable(call, "AWS_ACCESS_KEY_ID");
	const char *secret = provider_variable(call, "AWS_SECRET_ACCESS_KEY");
	const char *time = provider_variable(call, "AWS_CREDENTIAL_EXPIRATION");

	if (id == NULL || secret == NULL) {
		call->note(call, "%s is not set", id == NULL ?
		    "AWS_ACCESS_KEY_ID" : "AWS_SECRET_ACCESS_KEY");
		return AWS_NEXT;
	}
	out->kind = AWS_AT_HAND;
	out->id = id;
	out->secret = secret;
	out->session = provider_variable(call, "AWS_SESSION_TOKEN");
	out->expires = 0;
	call->note(call, "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are "
	    "set");
	if (time == NULL || !rfc3339_parse(time, &out->expires))
		return 0;
	if (out->expires > call->now)
		return 0;
	return err_set(err, E_CONFIG, "the AWS credentials in the "
	    "environment, for cluster '%s', have expired",
	    call->cluster->name);
}

static int
link_environment(const struct aws_scene *scene, struct aws_origin *out,
    struct err *err)
{
	const struct provider_call *call = scene->call;

	if (provider_variable(call, "AWS_PROFILE") == NULL)
		return aws_origin_environment(call, out, err);
	call->note(call, "AWS_PROFILE is set: keys in the environment do not "
	    "count");
	return AWS_NEXT;
}

/* --- Profiles ------------------------------------------------------------ */

int
aws_chain_named(const struct aws_scene *scene, const char *name,
    const struct aws_origin **out, struct err *err)
{
	const struct provider_call *call = scene->call;
	struct aws_profile p;
	int r = aws_profile_origin(scene, name, out, err);

	if (r != AWS_NEXT)
		return r;
	aws_files_profile(call, &scene->files, name, &p);
	err_set(err, E_CONFIG, p.found ? "the AWS profile '%s', for cluster "
	    "'%s', has no credentials that work: it needs keys, a role_arn "
	    "with one of source_profile, credential_source and "
	    "web_identity_token_file, or a credential_process" :
	    "there is no AWS profile '%s', for cluster '%s'", name,
	    call->cluster->name);
	err_detail(err, "%s", scene->files.why.text);
	return E_CONFIG;
}

static int
link_profile(const struct aws_scene *scene, struct aws_origin *out,
    struct err *err)
{
	const char *name = provider_variable(scene->call, "AWS_PROFILE");
	const struct aws_origin *found;
	int r;

	if (name != NULL)
		r = aws_chain_named(scene, name, &found, err);
	else
		r = aws_profile_origin(scene, "default", &found, err);
	if (r == 0)
		*out = *found;
	return r;
}

/* --- What needs a network ------------------------------------------------ */

static int
link_web_identity(const struct aws_scene *scene, struct aws_origin *out,
    struct err *err UNUSED)
{
	const struct provider_call *call = scene->call;

	out->token_file = provider_variable(call,
	    "AWS_WEB_IDENTITY_TOKEN_FILE");
	out->role.arn = provider_variable(call, "AWS_ROLE_ARN");
	if (out->token_file == NULL || out->role.arn == NULL) {
		call->note(call, "%s is not set", out->token_file == NULL ?
		    "AWS_WEB_IDENTITY_TOKEN_FILE" : "AWS_ROLE_ARN");
		return AWS_NEXT;
	}
	call->note(call, "AWS_WEB_IDENTITY_TOKEN_FILE is set: assumes role "
	    "'%s'", out->role.arn);
	out->kind = AWS_WEB_IDENTITY;
	out->role.session = provider_variable(call, "AWS_ROLE_SESSION_NAME");
	aws_profile_sts(scene, NULL, &out->role.sts);
	return 0;
}

int
aws_origin_container(const struct provider_call *call,
    struct aws_origin *out, struct err *err)
{
	const char *relative = provider_variable(call,
	    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
	const char *full = provider_variable(call,
	    "AWS_CONTAINER_CREDENTIALS_FULL_URI");

	if (relative == NULL && full == NULL) {
		call->note(call, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI and "
		    "AWS_CONTAINER_CREDENTIALS_FULL_URI are not set");
		return AWS_NEXT;
	}
	call->note(call, "AWS_CONTAINER_CREDENTIALS_%s_URI is set",
	    relative != NULL ? "RELATIVE" : "FULL");
	out->kind = AWS_CONTAINER;
	out->url = relative == NULL ? full : arena_printf(call->scratch,
	    "%s%s", CONTAINER, relative);
	out->token_file = provider_variable(call,
	    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
	if (out->token_file == NULL)
		out->token = provider_variable(call,
		    "AWS_CONTAINER_AUTHORIZATION_TOKEN");
	if ((relative == NULL || *relative == '/') &&
	    aws_container_url_ok(out->url))
		return 0;
	return err_set(err, E_CONFIG, "AWS_CONTAINER_CREDENTIALS_%s_URI, for "
	    "cluster '%s', cannot be used: it must be https, or http to this "
	    "machine or to where ECS and EKS answer", relative != NULL ?
	    "RELATIVE" : "FULL", call->cluster->name);
}

static int
link_container(const struct aws_scene *scene, struct aws_origin *out,
    struct err *err)
{
	return aws_origin_container(scene->call, out, err);
}

int
aws_origin_instance(const struct provider_call *call,
    struct aws_origin *out, struct err *err)
{
	const char *url = provider_variable(call,
	    "AWS_EC2_METADATA_SERVICE_ENDPOINT");
	const char *mode = provider_variable(call,
	    "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE");
	size_t len;

	if (url == NULL)
		url = mode != NULL && strcasecmp(mode, "IPv6") == 0 ?
		    INSTANCE_6 : INSTANCE;
	len = strlen(url);
	while (len > 0 && url[len - 1] == '/')
		len--;
	out->kind = AWS_INSTANCE;
	out->url = arena_strndup(call->scratch, url, len);
	if ((strncasecmp(url, "http://", 7) == 0 ||
	    strncasecmp(url, "https://", 8) == 0) &&
	    strpbrk(url, " @?#\\\"<>") == NULL)
		return 0;
	return err_set(err, E_CONFIG, "AWS_EC2_METADATA_SERVICE_ENDPOINT, "
	    "for cluster '%s', is no http or https URL",
	    call->cluster->name);
}

static int
link_instance(const struct aws_scene *scene, struct aws_origin *out,
    struct err *err)
{
	const struct provider_call *call = scene->call;
	const char *off = provider_variable(call, "AWS_EC2_METADATA_DISABLED");

	if (off != NULL && strcasecmp(off, "false") != 0) {
		call->note(call, "AWS_EC2_METADATA_DISABLED is set");
		return AWS_NEXT;
	}
	call->note(call, "the instance's metadata are what is left");
	out->last = true;
	return aws_origin_instance(call, out, err);
}

/* --- In order ------------------------------------------------------------ */

static int (*const links[])(const struct aws_scene *scene,
    struct aws_origin *out, struct err *err) = {
	link_environment, link_profile, link_web_identity, link_container,
	link_instance,
};

int
aws_chain_origin(const struct aws_scene *scene,
    const struct aws_origin **out, struct err *err)
{
	const struct provider_call *call = scene->call;
	struct aws_origin *o = arena_alloc(call->scratch, sizeof(*o));
	size_t i;
	int r;

	*out = o;
	for (i = 0; i < ARRAY_LEN(links); i++) {
		memset(o, 0, sizeof(*o));
		if ((r = links[i](scene, o, err)) != AWS_NEXT)
			return r;
	}
	return err_set(err, E_CONFIG, "there are no AWS credentials for "
	    "cluster '%s': none in aws.mainAccount, the environment, a "
	    "profile, a web identity or a container, and the instance's "
	    "metadata are off", call->cluster->name);
}
