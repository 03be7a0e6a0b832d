/* SPDX-License-Identifier: Apache-2.0 */
/* Sign-in clients (stagedoor.login), and which of them opens what. */
#include "base.h"

#include "arena.h"
#include "settings_read.h"

const char *
login_provider_name(const struct login_settings *login)
{
	/* In the order of enum login_provider. */
	static const char *const names[] = { "oidc", "google", "aks" };

	return names[login->provider];
}

const struct login_settings *
settings_login(const struct settings *s, const char *provider,
    const char *name)
{
	size_t i;

	for (i = 0; i < s->nlogins; i++)
		if (strcmp(login_provider_name(&s->logins[i]), provider) == 0 &&
		    (s->logins[i].provider != LOGIN_OIDC ||
		    str_eq(s->logins[i].name, name)))
			return &s->logins[i];
	return NULL;
}

void
read_logins(struct settings *s, const struct node *list)
{
	const struct key *keys = keys_find(keys_find(keys_root,
	    "stagedoor")->keys, "login")->keys;
	size_t i;

	s->logins = read_room(s->arena, list, sizeof(*s->logins), &s->nlogins);
	for (i = 0; i < s->nlogins; i++) {
		const struct node *n = list->items[i];

		read_keys(s->arena, keys, n, &s->logins[i]);
		s->logins[i].where = arena_printf(s->arena, "%s:%u",
		    n->source->name, n->line);
	}
}
