/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sign-ins that have begun: sealed, opened, used up. The cookie's text are
 * lines, for nothing in it may hold a control character.
 */
#include "base.h"

#include <openssl/sha.h>

#include "arena.h"
#include "sealed_cookie.h"
#include "signin.h"

#define SEALED_KIND "signin"
#define USED_KIND "signin-used"
#define USED_MS (SIGNIN_MS + 60000)	/* longer than any cookie lives */
#define FORMAT "1"
#define FIELDS 7

bool
signin_local(const char *path)
{
	const char *p;

	if (path[0] != '/' || path[1] == '/' ||
	    strlen(path) > SIGNIN_RETURN_MAX)
		return false;
	for (p = path; *p != '\0'; p++)
		if (*p <= ' ' || *p >= 0x7f || strchr("\\\"<>", *p) != NULL)
			return false;
	return true;
}

static struct store_item
item_of(const char *kind, const char *state)
{
	struct store_item item = { .kind = kind };

	SHA256((const unsigned char *)state, strlen(state), item.key);
	return item;
}

void
signin_cookie(const char *state, bool secure, char out[SIGNIN_COOKIE_NAME])
{
	const struct store_item item = item_of(SEALED_KIND, state);
	const char *prefix = secure ? SIGNIN_SECURE SIGNIN_COOKIE :
	    SIGNIN_COOKIE;
	size_t i, len = strlen(prefix);

	memcpy(out, prefix, len + 1);
	for (i = 0; i < 8; i++)
		snprintf(out + len + 2 * i, 3, "%02x", item.key[i]);
}

int
signin_seal(struct store *st, struct arena *arena,
    const struct signin *s, int64_t now, const char **out)
{
	const struct store_item item = item_of(SEALED_KIND, s->begun.state);
	const struct sealed_cookie cookie = {
		.item = &item,
		.expires = now + SIGNIN_MS,
		.text = arena_printf(arena, FORMAT "\n%s\n%s\n%s\n%s\n%s\n%s",
		    s->begun.nonce, s->begun.verifier, s->user, s->provider,
		    s->name, s->after),
	};

	return sealed_cookie_print(st, arena, &cookie, out);
}

/* A line to each field; false if there are more or fewer. */
static bool
split(struct arena *arena, const char *text, const char *field[FIELDS])
{
	char *p = arena_strdup(arena, text);
	size_t i;

	for (i = 0; i < FIELDS && p != NULL; i++)
		field[i] = strsep(&p, "\n");
	return i == FIELDS && p == NULL;
}

static bool
take(char out[OAUTH_RANDOM], const char *from)
{
	size_t len = strlen(from);

	if (len >= OAUTH_RANDOM)
		return false;
	memcpy(out, from, len + 1);
	return true;
}

int
signin_open(struct store *st, struct arena *arena,
    const char *state, const char *value, struct signin *out)
{
	const struct store_item item = item_of(SEALED_KIND, state);
	const char *text, *field[FIELDS];
	int r;

	memset(out, 0, sizeof(*out));
	r = sealed_cookie_open(st, arena, &item, value, &text);
	if (r != 0)
		return r;
	if (!split(arena, text, field) || strcmp(field[0], FORMAT) != 0 ||
	    !take(out->begun.state, state) ||
	    !take(out->begun.nonce, field[1]) ||
	    !take(out->begun.verifier, field[2]))
		return E_STORE;
	out->user = field[3];
	out->provider = field[4];
	out->name = field[5];
	out->after = field[6];
	return 0;
}

int
signin_use(struct store *st, const char *state, struct err *err)
{
	const struct store_item item = item_of(USED_KIND, state);
	struct store_lease lease;

	return store_lease(st, &item, USED_MS, &lease, err);
}
