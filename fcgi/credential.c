/* SPDX-License-Identifier: Apache-2.0 */
/* A credential's lifetime, and what may stand in a header as a token. */
#include "base.h"

#include "credential.h"

void
credential_take_bearer(struct credential *c, struct secret *token)
{
	secret_move(&c->value, token);
	c->kind = CREDENTIAL_BEARER;
}

bool
credential_token_ok(const char *token, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (token[i] <= 0x20 || token[i] >= 0x7f)
			return false;
	return len > 0;
}

void
credential_release(struct credential *c)
{
	secret_release(&c->value);
	secret_release(&c->certificate);
	secret_release(&c->key);
	*c = (struct credential)CREDENTIAL_INIT;
}
