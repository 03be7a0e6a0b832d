/* SPDX-License-Identifier: Apache-2.0 */
/* The two codes of a device, made and read. What becomes of them is
   portal_request.c's. */
#include "base.h"

#include "arena.h"
#include "err.h"
#include "portal_code.h"
#include "portal_text.h"
#include "sealed_cookie.h"
#include "strbuf.h"

#define DEVICE_KIND "portal-device"
#define FORMAT "1"
#define FIELDS 6
#define DASH 4			/* it stands behind so many letters */

static const char letters[] = "BCDFGHJKLMNPQRSTVWXZ";

/* Every letter is as likely as any other. */
static char
letter_by_chance(void)
{
	const unsigned n = sizeof(letters) - 1;
	unsigned char byte;

	do
		secret_random(&byte, 1);
	while (byte >= 256 / n * n);
	return letters[byte % n];
}

void
portal_code_new(char out[PORTAL_CODE])
{
	size_t i;

	for (i = 0; i < PORTAL_CODE - 1; i++)
		out[i] = i == DASH ? '-' : letter_by_chance();
	out[i] = '\0';
}

bool
portal_code_parse(const char *text, char out[PORTAL_CODE])
{
	size_t n = 0;
	char c;

	for (; *text != '\0'; text++) {
		c = *text >= 'a' && *text <= 'z' ? (char)(*text - 'a' + 'A') :
		    *text;
		if (c == '-' || c == ' ' || c == '.')
			continue;
		if (strchr(letters, c) == NULL || n == PORTAL_CODE - 1)
			return false;
		if (n == DASH)
			out[n++] = '-';
		out[n++] = c;
	}
	out[SD_MIN(n, (size_t)PORTAL_CODE - 1)] = '\0';
	return n == PORTAL_CODE - 1;
}

int
portal_device_print(struct store *st, struct arena *arena,
    const char *audience, const struct portal_device *d, const char **out)
{
	const struct store_item item = portal_item(DEVICE_KIND, audience);
	struct strbuf text = STRBUF_INIT(STRBUF_UNLIMITED);
	struct sealed_cookie sealed = { .item = &item,
	    .expires = d->expires };
	int r;

	portal_text_add(&text, FORMAT);
	portal_text_add(&text, d->nonce);
	portal_text_add(&text, d->code);
	portal_text_add_number(&text, d->asked);
	portal_text_add(&text, d->from);
	portal_text_add(&text, d->name);
	sealed.text = text.buf;
	r = sealed_cookie_print(st, arena, &sealed, out);
	strbuf_wipe(&text);
	return r;
}

static bool
take(const char *const *field, struct portal_device *out)
{
	if (strcmp(field[0], FORMAT) != 0 ||
	    strlen(field[1]) != PORTAL_ID - 1 ||
	    !portal_code_parse(field[2], out->code) ||
	    !portal_text_number(field[3], &out->asked))
		return false;
	memcpy(out->nonce, field[1], PORTAL_ID);
	out->from = field[4];
	out->name = field[5];
	return true;
}

int
portal_device_open(struct store *st, struct arena *arena,
    const char *audience, const char *text, struct portal_device *out)
{
	const struct store_item item = portal_item(DEVICE_KIND, audience);
	const char *plain, *field[FIELDS];
	int r;

	memset(out, 0, sizeof(*out));
	r = sealed_cookie_open(st, arena, &item, text, &plain);
	if (r != 0)
		return r == E_NOTFOUND ? r : E_INPUT;
	if (portal_text_split(arena, plain, field, FIELDS) != FIELDS ||
	    !take(field, out))
		return E_INPUT;
	out->expires = strtoll(text, NULL, 10);
	return 0;
}
