/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files of settings_rules.h. */
#ifndef STAGEDOOR_RULES_PRIVATE_H
#define STAGEDOOR_RULES_PRIVATE_H

#include "tree.h"

#define META_OIDC "kubernetes.io/oidc-token-provider"

struct rules {
	struct tree *tree;
	const struct node *root;
	struct strbuf path;
	size_t settled;		/* errors whose element is marked as wrong */
};

/* A problem with a key (or "") of the current path. */
void rule_problem(struct rules *r, bool warning, const struct node *at,
    const char *key, const char *what);
/* Call rule for each element of a list, with the path of the element. */
void rule_each(struct rules *r, const struct node *object, const char *key,
    void (*rule)(struct rules *, const struct node *element));

void rule_aws(struct rules *r);		/* rules_accounts.c */
void rule_access(struct rules *r);
/* rules_login.c */
void rule_logins(struct rules *r, const struct node *stagedoor);
void rule_sign_in(struct rules *r, const struct node *cluster);

#endif
