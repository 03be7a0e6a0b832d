/* SPDX-License-Identifier: Apache-2.0 */
/* Rules for AWS accounts and for the tokens of programs. */
#include "base.h"

#include "rules_private.h"

/* --- aws ----------------------------------------------------------------- */

enum { MAIN = 1, ACCOUNT = 2, DEFAULTS = 4 };

/* Backstage's rules, in its order. */
static const struct aws_rule {
	const char *key;
	bool needs;		/* the other; else it excludes it */
	const char *other;
	unsigned where;
} aws_rules[] = {
	{ "accessKeyId", true, "secretAccessKey", MAIN | ACCOUNT },
	{ "secretAccessKey", true, "accessKeyId", MAIN | ACCOUNT },
	{ "profile", false, "accessKeyId", MAIN | ACCOUNT },
	{ "profile", false, "roleName", ACCOUNT },
	{ "externalId", true, "roleName", ACCOUNT | DEFAULTS },
	{ "region", true, "roleName", ACCOUNT | DEFAULTS },
	{ "partition", true, "roleName", ACCOUNT | DEFAULTS },
	{ "webIdentityTokenFile", false, "accessKeyId", ACCOUNT },
	{ "webIdentityTokenFile", false, "profile", ACCOUNT },
	{ "webIdentityTokenFile", true, "roleName", ACCOUNT | DEFAULTS },
	{ "webIdentityTokenFile", false, "externalId", ACCOUNT | DEFAULTS },
};

/*
 * Backstage's documentation shows accounts with a key and a region and no
 * role; its own back end refuses them. Here the key signs in that region.
 */
static bool
is_documented_block(const struct node *n, const struct aws_rule *rule)
{
	return strcmp(rule->key, "region") == 0 &&
	    node_get(n, "accessKeyId") != NULL;
}

static void
check_account(struct rules *r, const struct node *n, unsigned where)
{
	const struct aws_rule *rule;
	char what[128];
	size_t i;

	for (i = 0; i < ARRAY_LEN(aws_rules); i++) {
		rule = &aws_rules[i];
		if (!(rule->where & where) || node_get(n, rule->key) == NULL ||
		    (node_get(n, rule->other) != NULL) == rule->needs ||
		    is_documented_block(n, rule))
			continue;
		snprintf(what, sizeof(what), rule->needs ?
		    "needs %s beside it; add that, or take this out" :
		    "does not go with %s; keep one of them", rule->other);
		rule_problem(r, false, node_get(n, rule->key), rule->key,
		    what);
	}
}

static void
rule_account(struct rules *r, const struct node *n)
{
	check_account(r, n, ACCOUNT);
}

void
rule_aws(struct rules *r)
{
	const struct node *aws = node_get(r->root, "aws");
	size_t len = path_key(&r->path, "aws"), inner;

	inner = path_key(&r->path, "mainAccount");
	check_account(r, node_get(aws, "mainAccount"), MAIN);
	path_cut(&r->path, inner);
	rule_each(r, aws, "accounts", rule_account);
	inner = path_key(&r->path, "accountDefaults");
	check_account(r, node_get(aws, "accountDefaults"), DEFAULTS);
	path_cut(&r->path, inner);
	path_cut(&r->path, len);
}

/* --- backend.auth.externalAccess ----------------------------------------- */

#define TOKEN_MIN 8	/* Backstage's least */
#define COMPARED_MAX 1000	/* each with each */

static void
need_word(struct rules *r, const struct node *options, const char *key,
    size_t least)
{
	const struct node *n = node_get(options, key);

	if (n == NULL)
		rule_problem(r, false, options, key, "this key is missing; "
		    "add it");
	else if (n->type != NODE_STRING || !n->final || *n->string == '\0')
		return;		/* reported, or not known yet */
	else if (strpbrk(n->string, " \t\r\n\v\f") != NULL)
		rule_problem(r, false, n, key, "must have no blanks");
	else if (strlen(n->string) < least)
		rule_problem(r, false, n, key, "must have at least 8 "
		    "characters");
}

static void
rule_options(struct rules *r, const struct node *entry, const char *type)
{
	const struct node *options = node_get(entry, "options");
	size_t len;

	if (options == NULL || options->type != NODE_OBJECT)
		return;
	len = path_key(&r->path, "options");
	if (strcmp(type, "static") == 0) {
		need_word(r, options, "token", TOKEN_MIN);
		need_word(r, options, "subject", 1);
	} else if (strcmp(type, "legacy") == 0) {
		need_word(r, options, "secret", 1);
		need_word(r, options, "subject", 1);
	} else if (strcmp(type, "jwks") == 0) {
		need_word(r, options, "url", 1);
	}
	path_cut(&r->path, len);
}

static void
rule_plugins(struct rules *r, const struct node *entry)
{
	const struct node *list = node_get(entry, "accessRestrictions");
	size_t i, k;

	if (list == NULL || list->type != NODE_LIST)
		return;
	for (i = 0; i < SD_MIN(list->n, (size_t)COMPARED_MAX); i++)
		for (k = 0; k < i; k++) {
			const char *plugin = node_string(list->items[i],
			    "plugin");

			if (plugin != NULL && str_eq(plugin, node_string(
			    list->items[k], "plugin")))
				rule_problem(r, false, list->items[i],
				    "accessRestrictions", "one plug-in stands "
				    "here twice; put its permissions together");
		}
}

static void
rule_entry(struct rules *r, const struct node *entry)
{
	const char *type = node_string(entry, "type");

	if (type == NULL)
		return;
	rule_options(r, entry, type);
	rule_plugins(r, entry);
	if (strcmp(type, "legacy") == 0 || strcmp(type, "jwks") == 0)
		rule_problem(r, true, entry, "type", "tokens of this type are "
		    "not accepted here: they get 401");
}

static void
rule_token_once(struct rules *r, const struct node *list)
{
	size_t i, k;

	for (i = 0; i < SD_MIN(list->n, (size_t)COMPARED_MAX); i++)
		for (k = 0; k < i; k++) {
			const char *token = node_string(node_get(
			    list->items[i], "options"), "token");

			if (token != NULL && str_eq(token, node_string(
			    node_get(list->items[k], "options"), "token")))
				rule_problem(r, false, list->items[i],
				    "externalAccess", "one token stands here "
				    "twice; give each program its own");
		}
}

void
rule_access(struct rules *r)
{
	const struct node *auth = node_get(node_get(r->root, "backend"),
	    "auth");
	const struct node *list = node_get(auth, "externalAccess");
	size_t len = path_key(&r->path, "backend.auth");

	rule_each(r, auth, "externalAccess", rule_entry);
	if (list != NULL && list->type == NODE_LIST)
		rule_token_once(r, list);
	path_cut(&r->path, len);
}
