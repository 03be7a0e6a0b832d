/* SPDX-License-Identifier: Apache-2.0 */
/* Portal tokens, printed and opened. */
#include "base.h"

#include <openssl/sha.h>

#include "arena.h"
#include "err.h"
#include "portal_text.h"
#include "portal_token.h"
#include "sealed_cookie.h"
#include "strbuf.h"

#define KIND "portal-token"
#define PREFIX "sdp"
#define FORMAT "1"		/* of the form without and within */
#define FIELDS 4

struct store_item
portal_item(const char *kind, const char *audience)
{
	struct store_item item = { .kind = kind };

	SHA256((const unsigned char *)audience, strlen(audience), item.key);
	return item;
}

void
portal_id_new(char out[PORTAL_ID])
{
	unsigned char bytes[(PORTAL_ID - 1) / 2];
	size_t i;

	secret_random(bytes, sizeof(bytes));
	for (i = 0; i < sizeof(bytes); i++)
		snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}

const char *
portal_id_short(struct arena *arena, const char *id)
{
	return id == NULL ? NULL : arena_strndup(arena, id,
	    strnlen(id, PORTAL_ID_SHORT));
}

bool
portal_token_looks(const char *text)
{
	size_t digits;

	if (!str_starts(text, PREFIX))
		return false;
	text += strlen(PREFIX);
	digits = strspn(text, "0123456789");
	return digits > 0 && text[digits] == '.';
}

int
portal_token_print(struct store *st, struct arena *arena,
    const char *audience, const struct portal_token *t, const char **out)
{
	const struct store_item item = portal_item(KIND, audience);
	struct strbuf text = STRBUF_INIT(STRBUF_UNLIMITED);
	struct sealed_cookie sealed = { .item = &item,
	    .expires = t->expires };
	const char *value;
	int r;

	portal_text_add(&text, FORMAT);
	portal_text_add(&text, t->id);
	portal_text_add_number(&text, t->slot);
	portal_text_add(&text, t->user);
	sealed.text = text.buf;
	r = sealed_cookie_print(st, arena, &sealed, &value);
	*out = arena_printf(arena, PREFIX FORMAT ".%s", value);
	strbuf_wipe(&text);
	return r;
}

static bool
take(const char *const *field, struct portal_token *out)
{
	int64_t slot;

	if (strcmp(field[0], FORMAT) != 0 ||
	    strlen(field[1]) != PORTAL_ID - 1 ||
	    !portal_text_number(field[2], &slot) || slot > UINT_MAX)
		return false;
	memcpy(out->id, field[1], PORTAL_ID);
	out->slot = (unsigned)slot;
	out->user = field[3];
	return true;
}

int
portal_token_open(struct store *st, struct arena *arena,
    const char *audience, const char *text, struct portal_token *out)
{
	const struct store_item item = portal_item(KIND, audience);
	const char *plain, *field[FIELDS];

	memset(out, 0, sizeof(*out));
	if (!str_starts(text, PREFIX FORMAT ".") ||
	    strlen(text) > PORTAL_TOKEN_MAX)
		return E_AUTH;
	text += strlen(PREFIX FORMAT ".");
	if (sealed_cookie_open(st, arena, &item, text, &plain) != 0 ||
	    portal_text_split(arena, plain, field, FIELDS) != FIELDS ||
	    !take(field, out))
		return E_AUTH;
	out->expires = strtoll(text, NULL, 10);	/* it is sealed for that */
	return 0;
}
