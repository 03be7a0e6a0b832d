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
credential_copy(struct credential *to, const struct credential *from)
{
	*to = (struct credential){
		.kind = from->kind,
		.from_client = from->from_client,
		.expires = from->expires,
	};
	secret_set(&to->value, from->value.ptr, from->value.len);
	secret_set(&to->certificate, from->certificate.ptr,
	    from->certificate.len);
	secret_set(&to->key, from->key.ptr, from->key.len);
}

static bool
secret_same(const struct secret *a, const struct secret *b)
{
	return a->len == b->len && (a->len == 0 ||
	    secret_equal(a, b->ptr, b->len));
}

bool
credential_same(const struct credential *a, const struct credential *b)
{
	return a->kind == b->kind && secret_same(&a->value, &b->value) &&
	    secret_same(&a->certificate, &b->certificate) &&
	    secret_same(&a->key, &b->key);
}

void
credential_release(struct credential *c)
{
	secret_release(&c->value);
	secret_release(&c->certificate);
	secret_release(&c->key);
	*c = (struct credential)CREDENTIAL_INIT;
}
