/* SPDX-License-Identifier: Apache-2.0 */
/* Sealed values of cookies, written and read. */
#include "base.h"

#include "../providers/jwt.h"
#include "arena.h"
#include "base64.h"
#include "sealed_cookie.h"
#include "strbuf.h"

int
sealed_cookie_print(struct store *st, struct arena *arena,
    const struct sealed_cookie *c, const char **out)
{
	struct strbuf sealed = STRBUF_INIT(STRBUF_UNLIMITED);
	struct secret plain = SECRET_INIT;

	secret_set(&plain, c->text, strlen(c->text));
	store_seal(st, c->item, c->expires, &plain, &sealed);
	*out = arena_printf(arena, "%lld.%s", (long long)c->expires,
	    jwt_base64url(arena, sealed.buf, sealed.len));
	secret_release(&plain);
	strbuf_release(&sealed);
	return strlen(*out) > SEALED_COOKIE_MAX ? E_TOOLARGE : 0;
}

/* The value's two parts; false: it has no such parts. */
static bool
value_parse(const char *value, int64_t *expires, struct strbuf *sealed)
{
	size_t len;
	char *end;
	ssize_t n;

	errno = 0;
	*expires = strtoll(value, &end, 10);
	if (*value < '1' || *value > '9' || errno != 0 || *end != '.')
		return false;
	len = strlen(++end);
	if (len > SEALED_COOKIE_MAX)
		return false;
	n = base64url_decode(end, len,
	    strbuf_room(sealed, BASE64URL_ROOM(len)));
	if (n <= 0)
		return false;
	sealed->len = (size_t)n;
	return true;
}

int
sealed_cookie_open(struct store *st, struct arena *arena,
    const struct store_item *item, const char *value, const char **out)
{
	struct strbuf bytes = STRBUF_INIT(STRBUF_UNLIMITED);
	struct store_sealed sealed = { .item = item, .bytes = &bytes };
	struct secret plain = SECRET_INIT;
	int r = E_STORE;

	if (value_parse(value, &sealed.expires, &bytes))
		r = store_unseal(st, &sealed, &plain, NULL);
	if (r == 0)
		*out = plain.len == 0 ? "" :
		    arena_strndup(arena, plain.ptr, plain.len);
	secret_release(&plain);
	strbuf_release(&bytes);
	return r;
}
