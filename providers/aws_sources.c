/* SPDX-License-Identifier: Apache-2.0 */
/* Backstage's aws settings, and what a cluster's role needs of them. */
#include "base.h"

#include "arena.h"
#include "aws_chain.h"
#include "aws_sources.h"
#include "settings.h"

#define SESSION "backstage"	/* as Backstage names its sessions */
#define BLANKS " \t\r\n"

struct choosing {
	struct aws_scene scene;
	const struct aws_settings *aws;
	const char *region;	/* to sign the token for */
};

/* --- Accounts ------------------------------------------------------------ */

static bool
has_keys(const struct aws_account *a)
{
	return a->access_key_id != NULL && a->secret_access_key.len > 0;
}

/* Backstage trims the secret. */
static const struct aws_origin *
keys_of(const struct provider_call *call, const struct aws_account *a)
{
	struct aws_origin *o = arena_alloc(call->scratch, sizeof(*o));
	const char *s = a->secret_access_key.ptr;
	size_t len = a->secret_access_key.len, skip = strspn(s, BLANKS);

	while (len > skip && strchr(BLANKS, s[len - 1]) != NULL)
		len--;
	o->kind = AWS_AT_HAND;
	o->id = a->access_key_id;
	o->secret = arena_strndup(call->scratch, s + skip, len - skip);
	return o;
}

/* Without its role: keys, a profile, or the chain. */
static int
from_account(struct choosing *c, const struct aws_account *a,
    const struct aws_origin **out, struct err *err)
{
	const struct provider_call *call = c->scene.call;
	struct aws_scene scene = c->scene;

	scene.region = a->region;
	if (has_keys(a)) {
		call->note(call, "the settings have keys");
		*out = keys_of(call, a);
		return 0;
	}
	if (a->profile == NULL)
		return aws_chain_origin(&scene, out, err);
	call->note(call, "the settings name profile '%s'", a->profile);
	return aws_chain_named(&scene, a->profile, out, err);
}

/* A role that the settings name, at the STS of its region. */
static struct aws_origin *
role_of(struct choosing *c, const struct aws_account *a, const char *account,
    const char *partition)
{
	const struct provider_call *call = c->scene.call;
	struct aws_origin *o = arena_alloc(call->scratch, sizeof(*o));
	struct aws_scene scene = c->scene;

	scene.region = a->region != NULL ? a->region : "us-east-1";
	if (a->partition != NULL)
		partition = a->partition;
	o->kind = AWS_ROLE;
	aws_profile_sts(&scene, NULL, &o->role.sts);
	if (partition == NULL)
		partition = aws_partition(o->role.sts.region);
	o->role.arn = arena_printf(call->scratch, "arn:%s:iam::%s:role/%s",
	    partition, account, a->role_name);
	o->role.session = SESSION;
	o->role.external_id = a->external_id;
	call->note(call, "the settings name role '%s'", o->role.arn);
	return o;
}

/* --- The main account ---------------------------------------------------- */

/*
 * Backstage's documentation shows an empty main account beside one account
 * with keys and a region and no role. Its own back end refuses that, so the
 * account can only be meant for the clusters that name no role.
 */
static const struct aws_account *
documented_account(const struct aws_settings *aws)
{
	const struct aws_account *a = aws->accounts;

	if (has_keys(&aws->main) || aws->main.profile != NULL ||
	    aws->main.role_name != NULL || aws->naccounts != 1 ||
	    a->region == NULL || a->role_name != NULL || !has_keys(a))
		return NULL;
	return a;
}

/*
 * It also shows a main account with a role and a region: that role is in the
 * account of whoever we are without it.
 */
static int
main_role(struct choosing *c, const struct aws_origin *base,
    const struct aws_origin **out, struct err *err)
{
	const struct aws_account *own = &c->aws->main;
	struct aws_scene scene = c->scene;
	struct pair account;
	struct aws_origin *o;
	struct aws_sts sts;
	int r;

	if (own->web_identity_token_file != NULL)
		return err_set(err, E_CONFIG, "aws.mainAccount has a "
		    "webIdentityTokenFile, but no account for its role; put "
		    "both into aws.accounts");
	scene.region = own->region;
	aws_profile_sts(&scene, NULL, &sts);
	if ((r = aws_origin_account(scene.call, base, &sts, &account,
	    err)) != 0)
		return r;
	o = role_of(c, own, account.key, account.value);
	o->role.sts = sts;
	o->base = base;
	*out = o;
	if (own->region != NULL)
		c->region = own->region;
	return 0;
}

static int
from_main(struct choosing *c, const struct aws_origin **out, struct err *err)
{
	const struct aws_account *only = documented_account(c->aws);
	const struct provider_call *call = c->scene.call;
	const struct aws_origin *base;
	int r;

	if (only != NULL) {
		call->note(call, "aws.accounts has one account, with keys and "
		    "a region and no role, and aws.mainAccount is empty: it "
		    "signs");
		c->region = only->region;
		*out = keys_of(call, only);
		return 0;
	}
	if ((r = from_account(c, &c->aws->main, &base, err)) != 0)
		return r;
	*out = base;
	return c->aws->main.role_name == NULL ? 0 :
	    main_role(c, base, out, err);
}

/* --- The account of a role ----------------------------------------------- */

static int
listed(struct choosing *c, const struct aws_account *a, const char *id,
    const struct aws_origin **out, struct err *err)
{
	struct aws_origin *o;

	if (a->role_name == NULL) {
		if (a->region != NULL)
			c->region = a->region;
		return from_account(c, a, out, err);
	}
	*out = o = role_of(c, a, id, NULL);
	if (a->web_identity_token_file != NULL) {
		o->kind = AWS_WEB_IDENTITY;
		o->token_file = a->web_identity_token_file;
		o->role.external_id = NULL;
		return 0;
	}
	if (!has_keys(a))
		return from_main(c, &o->base, err);
	o->base = keys_of(c->scene.call, a);
	return 0;
}

/* "arn:aws:iam::222222222222:role/k8s" to the number; NULL: it is no ARN. */
static const char *
account_in(struct arena *arena, const char *arn)
{
	const char *p = arn;
	int i;

	if (!str_starts(arn, "arn:"))
		return NULL;
	for (i = 0; i < 4 && p != NULL; i++)
		if ((p = strchr(p, ':')) != NULL)
			p++;
	if (p == NULL || strchr(p, ':') == NULL)
		return NULL;
	return arena_strndup(arena, p, strcspn(p, ":"));
}

/*
 * Whose credentials assume the cluster's role. Backstage would ask STS here
 * for main's account; it takes main then, whatever the answer is.
 */
static int
for_role(struct choosing *c, const char *arn, const struct aws_origin **out,
    struct err *err)
{
	const struct provider_call *call = c->scene.call;
	const struct aws_settings *aws = c->aws;
	const char *id = account_in(call->scratch, arn);
	size_t i;

	if (id == NULL)
		return err_set(err, E_CONFIG, "the assumeRole of cluster '%s' "
		    "is no ARN: 'arn:aws:iam::ACCOUNT:role/NAME'",
		    call->cluster->name);
	for (i = 0; i < aws->naccounts && *id != '\0'; i++)
		if (strcmp(aws->accounts[i].id, id) == 0) {
			call->note(call, "account %s is in aws.accounts", id);
			return listed(c, &aws->accounts[i], id, out, err);
		}
	if (aws->defaults.role_name != NULL && *id != '\0') {
		call->note(call, "account %s is reached by "
		    "aws.accountDefaults", id);
		return listed(c, &aws->defaults, id, out, err);
	}
	call->note(call, "account %s is not in aws.accounts: the main account "
	    "is used", id);
	return from_main(c, out, err);
}

/* --- Choosing ------------------------------------------------------------ */

static int
choose(struct choosing *c, const struct aws_origin **out, struct err *err)
{
	const struct provider_call *call = c->scene.call;
	const struct cluster *cluster = call->cluster;
	struct aws_scene scene = c->scene;
	struct aws_origin *o;
	int r;

	if (cluster->assume_role == NULL)
		return from_main(c, out, err);
	o = arena_alloc(call->scratch, sizeof(*o));
	if ((r = for_role(c, cluster->assume_role, &o->base, err)) != 0)
		return r;
	call->note(call, "the cluster names role '%s'", cluster->assume_role);
	o->kind = AWS_ROLE;
	o->role.arn = cluster->assume_role;
	o->role.external_id = cluster->external_id;
	scene.region = c->region;
	aws_profile_sts(&scene, NULL, &o->role.sts);
	*out = o;
	return 0;
}

int
aws_sources_get(const struct provider_call *call, const struct settings *s,
    struct aws_credentials *out, const char **region, struct err *err)
{
	struct choosing c = {
		.scene = { .call = call, .endpoint = s->cloud.sts_endpoint },
		.aws = &s->aws,
		.region = provider_variable(call, "AWS_REGION"),
	};
	const struct aws_origin *origin;
	int r;

	if (c.region == NULL)
		c.region = "us-east-1";
	aws_files_read(call, &c.scene.files);
	if ((r = choose(&c, &origin, err)) != 0)
		return r;
	if (!aws_region_ok(c.region))
		return err_set(err, E_CONFIG, "the AWS region for cluster '%s' "
		    "is none: lower-case letters, digits and '-' only",
		    call->cluster->name);
	*region = c.region;
	return aws_origin_get(call, origin, out, err);
}
