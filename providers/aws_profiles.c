/* SPDX-License-Identifier: Apache-2.0 */
/* What a profile says, followed to where it leads. */
#include "base.h"

#include "arena.h"
#include "aws_profiles.h"
#include "aws_text.h"

#define DEPTH_MAX 32	/* of source_profiles: each is a call to STS */
#define DURATION "3600"	/* what the SDK for JavaScript always asks for */

/* The way so far, from the last profile back to the first. */
struct visit {
	const char *name;
	const struct visit *before;
	size_t depth;
};

struct looking {
	const struct aws_scene *scene;
	const char *first;	/* the profile that was asked for */
	struct aws_sts sts;	/* its */
};

static int follow(const struct looking *l, const char *name,
    const struct visit *visit, const struct aws_origin **out,
    struct err *err);

/* --- Where STS is -------------------------------------------------------- */

static bool
is_ignoring(const struct provider_call *call)
{
	const char *value = provider_variable(call,
	    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS");

	return value != NULL && strcasecmp(value, "true") == 0;
}

static const char *
endpoint_of(const struct aws_scene *scene, const struct aws_profile *p)
{
	const struct provider_call *call = scene->call;
	const char *services = p->values[AWS_KEY_SERVICES], *url = NULL;

	if (scene->endpoint != NULL)
		return scene->endpoint;
	if (is_ignoring(call))
		return NULL;
	if ((url = provider_variable(call, "AWS_ENDPOINT_URL_STS")) != NULL ||
	    (url = provider_variable(call, "AWS_ENDPOINT_URL")) != NULL)
		return url;
	if (services != NULL)
		url = aws_files_sts_endpoint(call, &scene->files, services);
	return url != NULL ? url : p->values[AWS_KEY_ENDPOINT];
}

void
aws_profile_sts(const struct aws_scene *scene, const char *profile,
    struct aws_sts *out)
{
	const char *region = provider_variable(scene->call, "AWS_REGION");
	bool named = profile != NULL;
	struct aws_profile p;

	if (!named)
		profile = provider_variable(scene->call, "AWS_PROFILE");
	aws_files_profile(scene->call, &scene->files,
	    profile != NULL ? profile : "default", &p);
	out->endpoint = endpoint_of(scene, &p);
	out->region = scene->region;
	if (out->region == NULL)
		out->region = named || region == NULL ?
		    p.values[AWS_KEY_REGION] : region;
	if (out->region == NULL)
		out->region = region;
	if (out->region == NULL)
		out->region = "us-east-1";
}

/* --- Roles --------------------------------------------------------------- */

static const char *
name_of(const struct looking *l, const struct visit *visit)
{
	return visit != NULL ? visit->name : l->first;
}

static int
refuse(const struct looking *l, const char *name, struct err *err,
    const char *why)
{
	return err_set(err, E_CONFIG, "the AWS profile '%s', for cluster "
	    "'%s', cannot work: %s", name, l->scene->call->cluster->name, why);
}

static bool
is_session_name(const char *s)
{
	size_t len = strlen(s);

	return len >= 2 && len <= 64 && strspn(s, "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+=,.@-") == len;
}

static bool
is_duration(const char *s)
{
	size_t len = strspn(s, "0123456789");
	long seconds = len > 0 && len < 6 ? strtol(s, NULL, 10) : 0;

	return s[len] == '\0' && seconds >= 900 && seconds <= 43200;
}

static int
fill_role(const struct looking *l, const char *name,
    const struct aws_profile *p, struct aws_role *out, struct err *err)
{
	const char *const *v = p->values;

	*out = (struct aws_role){
		.arn = v[AWS_KEY_ROLE],
		.session = v[AWS_KEY_SESSION_NAME],
		.external_id = v[AWS_KEY_EXTERNAL_ID],
		.duration = v[AWS_KEY_DURATION],
		.sts = l->sts,
	};
	if (out->session != NULL && !is_session_name(out->session))
		return refuse(l, name, err, "role_session_name must have 2 to "
		    "64 letters, digits or characters of _+=,.@-");
	if (out->duration != NULL && !is_duration(out->duration))
		return refuse(l, name, err, "duration_seconds must be 900 to "
		    "43200");
	return 0;
}

static int
from_place(const struct looking *l, const char *name, const char *place,
    const struct aws_origin **out, struct err *err)
{
	static const struct {
		const char *name;
		int (*get)(const struct provider_call *call,
		    struct aws_origin *out, struct err *err);
	} places[] = {
		{ "Environment", aws_origin_environment },
		{ "Ec2InstanceMetadata", aws_origin_instance },
		{ "EcsContainer", aws_origin_container },
	};
	const struct provider_call *call = l->scene->call;
	struct aws_origin *o = arena_alloc(call->scratch, sizeof(*o));
	size_t i = 0;
	int r;

	while (i < ARRAY_LEN(places) && strcmp(place, places[i].name) != 0)
		i++;
	if (i == ARRAY_LEN(places))
		return refuse(l, name, err, "credential_source must be "
		    "Environment, Ec2InstanceMetadata or EcsContainer");
	call->note(call, "profile '%s': credential_source %s", name, place);
	*out = o;
	r = places[i].get(call, o, err);
	return r != AWS_NEXT ? r : refuse(l, name, err, "its "
	    "credential_source has no credentials: the variables for it are "
	    "not set");
}

static int
from_source_profile(const struct looking *l, const struct visit *before,
    const char *source, const struct aws_origin **out, struct err *err)
{
	const char *name = name_of(l, before);
	struct visit visit = { .name = source, .before = before,
	    .depth = before != NULL ? before->depth + 1 : 1 };
	const struct visit *v;
	int r;

	for (v = before; v != NULL; v = v->before)
		if (strcmp(v->name, source) == 0)
			return refuse(l, name, err, "its source_profiles go "
			    "round in a circle");
	if (visit.depth > DEPTH_MAX)
		return refuse(l, name, err, "it has more source_profiles one "
		    "after the other than 32");
	r = follow(l, source, &visit, out, err);
	return r != AWS_NEXT ? r : refuse(l, name, err, arena_printf(
	    l->scene->call->scratch, "its source_profile '%s' has no "
	    "credentials, or is not there", source));
}

/* The first profile itself may stand in the circle, once more. */
static int
from_role(const struct looking *l, const struct visit *visit,
    const struct aws_profile *p, const struct aws_origin **out,
    struct err *err)
{
	const char *const *v = p->values;
	const char *name = name_of(l, visit);
	const struct provider_call *call = l->scene->call;
	struct aws_origin *o = arena_alloc(call->scratch, sizeof(*o));
	int r;

	if (v[AWS_KEY_MFA] != NULL)
		return refuse(l, name, err, "mfa_serial needs somebody who "
		    "types a code");
	call->note(call, "profile '%s': assumes role '%s'", name,
	    v[AWS_KEY_ROLE]);
	o->kind = AWS_ROLE;
	*out = o;
	if ((r = fill_role(l, name, p, &o->role, err)) != 0)
		return r;
	if (o->role.duration == NULL)
		o->role.duration = DURATION;
	if (v[AWS_KEY_SOURCE_PROFILE] != NULL)
		return from_source_profile(l, visit, v[AWS_KEY_SOURCE_PROFILE],
		    &o->base, err);
	return from_place(l, name, v[AWS_KEY_CREDENTIAL_SOURCE], &o->base,
	    err);
}

/* --- The others ---------------------------------------------------------- */

static int
from_keys(const struct looking *l, const char *name,
    const struct aws_profile *p, const struct aws_origin **out)
{
	const struct provider_call *call = l->scene->call;
	struct aws_origin *o = arena_alloc(call->scratch, sizeof(*o));

	call->note(call, "profile '%s': has static keys", name);
	o->kind = AWS_AT_HAND;
	o->id = p->values[AWS_KEY_ID];
	o->secret = p->values[AWS_KEY_SECRET];
	o->session = p->values[AWS_KEY_SESSION];
	*out = o;
	return 0;
}

static int
from_web_identity(const struct looking *l, const char *name,
    const struct aws_profile *p, const struct aws_origin **out,
    struct err *err)
{
	const struct provider_call *call = l->scene->call;
	struct aws_origin *o = arena_alloc(call->scratch, sizeof(*o));
	int r;

	call->note(call, "profile '%s': assumes role '%s' with a web identity",
	    name, p->values[AWS_KEY_ROLE]);
	o->kind = AWS_WEB_IDENTITY;
	o->token_file = p->values[AWS_KEY_WEB_IDENTITY];
	*out = o;
	r = fill_role(l, name, p, &o->role, err);
	/* The SDK sends neither of these. */
	o->role.duration = o->role.external_id = NULL;
	return r;
}

static int
from_process(const struct looking *l, const char *name,
    const struct aws_profile *p, const struct aws_origin **out)
{
	const struct provider_call *call = l->scene->call;
	struct aws_origin *o = arena_alloc(call->scratch, sizeof(*o));

	call->note(call, "profile '%s': has a credential_process", name);
	o->kind = AWS_PROCESS;
	o->profile = name;
	o->command = p->values[AWS_KEY_PROCESS];
	*out = o;
	return 0;
}

static bool
has_keys(const struct aws_profile *p)
{
	return p->values[AWS_KEY_ID] != NULL &&
	    p->values[AWS_KEY_SECRET] != NULL;
}

static bool
has_sso(const struct aws_profile *p)
{
	size_t i;

	for (i = AWS_KEY_SSO_URL; i <= AWS_KEY_SSO_ROLE; i++)
		if (p->values[i] != NULL)
			return true;
	return false;
}

/* visit is the profile's own; NULL for the first. */
static int
follow(const struct looking *l, const char *name, const struct visit *visit,
    const struct aws_origin **out, struct err *err)
{
	const struct provider_call *call = l->scene->call;
	struct aws_profile p;
	const char *const *v = p.values;
	bool profile, place;

	aws_files_profile(call, &l->scene->files, name, &p);
	profile = v[AWS_KEY_SOURCE_PROFILE] != NULL;
	place = v[AWS_KEY_CREDENTIAL_SOURCE] != NULL;
	if (visit != NULL && has_keys(&p))
		return from_keys(l, name, &p, out);
	if (visit != NULL && v[AWS_KEY_ROLE] == NULL && place)
		return from_place(l, name, v[AWS_KEY_CREDENTIAL_SOURCE], out,
		    err);
	if (v[AWS_KEY_ROLE] != NULL && profile != place)
		return from_role(l, visit, &p, out, err);
	if (has_keys(&p))
		return from_keys(l, name, &p, out);
	if (v[AWS_KEY_WEB_IDENTITY] != NULL && v[AWS_KEY_ROLE] != NULL)
		return from_web_identity(l, name, &p, out, err);
	if (v[AWS_KEY_PROCESS] != NULL)
		return from_process(l, name, &p, out);
	if (has_sso(&p))
		return refuse(l, name, err, "sso_session and its like need "
		    "somebody who signs in");
	call->note(call, "profile '%s': %s", name, !p.found ? "is not there" :
	    v[AWS_KEY_ROLE] != NULL ? "role_arn needs one of source_profile, "
	    "credential_source and web_identity_token_file" :
	    "has no credentials");
	return AWS_NEXT;
}

int
aws_profile_origin(const struct aws_scene *scene, const char *name,
    const struct aws_origin **out, struct err *err)
{
	struct looking l = { .scene = scene, .first = name };

	aws_profile_sts(scene, name, &l.sts);
	return follow(&l, name, NULL, out, err);
}
