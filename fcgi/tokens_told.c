/* SPDX-License-Identifier: Apache-2.0 */
/* Kept sign-ins as a table and as lines of JSON. */
#include "base.h"

#include "arena.h"
#include "clock.h"
#include "jsonx.h"
#include "portal_session.h"
#include "session.h"
#include "settings.h"
#include "shown.h"
#include "strbuf.h"
#include "tokens_told.h"

static const char *
copy(struct arena *arena, const char *text)
{
	return text != NULL ? arena_strdup(arena, text) : NULL;
}

/* Of a login that the settings no longer have: what lasts longer. */
static int64_t
end_of(const struct settings *s, const struct token_set *ts)
{
	const struct login_settings *login = settings_login(s, ts->provider,
	    ts->name);
	int64_t expires = SD_MAX(ts->id_expires, ts->access_expires);

	if (ts->ended == NULL && login != NULL)
		session_pick(login, ts, &expires);
	return ts->ended != NULL ? 0 : expires;
}

void
tokens_told_add(struct tokens_told *told, const struct settings *s,
    const struct token_set *ts)
{
	struct arena *a = told->arena;

	ARRAY_PUSH(told->items, told->n) = (struct token_told){
		.user = copy(a, ts->user),
		.provider = copy(a, ts->provider),
		.name = copy(a, ts->name),
		.account = copy(a, ts->account),
		.issuer = copy(a, ts->issuer),
		.subject = copy(a, ts->subject),
		.ended = copy(a, ts->ended),
		.signed_in = ts->signed_in,
		.refreshed = ts->refreshed,
		.expires = end_of(s, ts),
		.renews = ts->refresh_token.len > 0,
	};
}

void
tokens_told_add_portal(struct tokens_told *told,
    const struct portal_session *s)
{
	struct arena *a = told->arena;

	ARRAY_PUSH(told->items, told->n) = (struct token_told){
		.user = copy(a, s->user),
		.provider = "portal",
		.name = portal_id_short(a, s->id),
		.account = *s->device != '\0' ? copy(a, s->device) : NULL,
		.session = copy(a, s->id),
		.signed_in = s->issued,
		.refreshed = s->issued,
		.expires = s->expires,
	};
}

static int
compare(const void *va, const void *vb)
{
	const struct token_told *a = va, *b = vb;
	int r = strcmp(a->user, b->user);

	if (r == 0)
		r = strcmp(a->provider, b->provider);
	return r != 0 ? r : strcmp(a->name, b->name);
}

void
tokens_told_sort(struct tokens_told *told)
{
	if (told->n > 1)
		qsort(told->items, told->n, sizeof(*told->items), compare);
}

void
tokens_told_release(struct tokens_told *told)
{
	free(told->items);
	told->items = NULL;
	told->n = 0;
}

/* ---- for people ---- */

const char *
tokens_told_time(struct arena *arena, int64_t wall_ms)
{
	time_t seconds = (time_t)(wall_ms / 1000);
	char when[64] = "?";
	struct tm tm;

	if (wall_ms == 0)
		return "-";
	if (localtime_r(&seconds, &tm) != NULL)
		strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &tm);
	return arena_strdup(arena, when);
}

const char *
token_told_state(struct arena *arena, const struct token_told *t)
{
	if (t->ended != NULL)
		return arena_printf(arena, "ended: %s", t->ended);
	if (t->renews)
		return "renewed by itself";
	return t->expires != 0 && t->expires < clock_wall_ms() ?
	    "has run out" : "until then";
}

#define COLUMNS 8
#define WIDTH_MAX 60		/* of a column that is not the last */

static void
fill(struct arena *arena, const struct token_told *t,
    const char *cells[COLUMNS])
{
	size_t i;

	cells[0] = t->user;
	cells[1] = t->provider;
	cells[2] = *t->name != '\0' ? t->name : "-";
	cells[3] = t->account != NULL ? t->account : "-";
	cells[4] = tokens_told_time(arena, t->signed_in);
	cells[5] = tokens_told_time(arena, t->refreshed);
	cells[6] = tokens_told_time(arena, t->expires);
	cells[7] = token_told_state(arena, t);
	for (i = 0; i < COLUMNS; i++)
		cells[i] = shown(arena, cells[i], NULL);
}

/* Characters, not bytes: good enough for a terminal. */
static size_t
width_of(const char *text)
{
	size_t n = 0;

	for (; *text != '\0'; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

static void
add_row(struct strbuf *out, const char *const cells[COLUMNS],
    const size_t widths[COLUMNS])
{
	size_t i, pad;

	for (i = 0; i < COLUMNS; i++) {
		strbuf_addstr(out, cells[i]);
		if (i + 1 == COLUMNS)
			break;
		pad = widths[i] - SD_MIN(width_of(cells[i]), widths[i]) + 2;
		strbuf_addf(out, "%*s", (int)pad, "");
	}
	strbuf_addch(out, '\n');
}

void
tokens_told_table(const struct tokens_told *told, struct strbuf *out)
{
	static const char *const heads[COLUMNS] = { "USER", "PROVIDER",
	    "NAME", "ACCOUNT", "SIGNED IN", "RENEWED", "UNTIL", "STATE" };
	const char *(*cells)[COLUMNS] = xcalloc(told->n + 1, sizeof(*cells));
	size_t widths[COLUMNS], i, j;

	for (j = 0; j < COLUMNS; j++)
		widths[j] = strlen(heads[j]);
	for (i = 0; i < told->n; i++) {
		fill(told->arena, &told->items[i], cells[i]);
		for (j = 0; j < COLUMNS; j++)
			widths[j] = SD_MIN(SD_MAX(widths[j],
			    width_of(cells[i][j])), (size_t)WIDTH_MAX);
	}
	for (i = 0; i < told->n; i++) {
		if (i == 0)
			add_row(out, heads, widths);
		add_row(out, cells[i], widths);
	}
	free(cells);
}

void
tokens_told_print(const struct token_told *t, const char *what, FILE *to)
{
	struct arena *arena = arena_new();
	const char *line = arena_printf(arena, "%s: %s, %s%s%s%s%s", what,
	    t->user, t->provider, *t->name != '\0' ? " " : "", t->name,
	    t->account != NULL ? ", " : "", t->account != NULL ? t->account :
	    "");

	fprintf(to, "%s\n", shown(arena, line, NULL));
	arena_free(arena);
}

/* ---- for scripts ---- */

static void
add_text(struct strbuf *out, const char *key, const char *text)
{
	if (text != NULL && *text != '\0')
		jsonx_add_pair(out, key, text);
}

static void
add_time(struct strbuf *out, const char *key, int64_t wall_ms)
{
	char stamp[CLOCK_STAMP_LEN];

	if (wall_ms != 0)
		jsonx_add_pair(out, key, clock_stamp(wall_ms, stamp));
}

static void
add_object(struct strbuf *out, const struct token_told *t)
{
	strbuf_addch(out, '{');
	jsonx_add_pair(out, "user", t->user);
	jsonx_add_pair(out, "provider", t->provider);
	add_text(out, "name", t->name);
	add_text(out, "account", t->account);
	add_text(out, "issuer", t->issuer);
	add_text(out, "subject", t->subject);
	add_time(out, "signedIn", t->signed_in);
	add_time(out, "renewed", t->refreshed);
	add_time(out, "expires", t->expires);
	strbuf_addf(out, ",\"renews\":%s", t->renews ? "true" : "false");
	add_text(out, "ended", t->ended);
	strbuf_addch(out, '}');
}

void
tokens_told_json(const struct tokens_told *told, struct strbuf *out)
{
	struct strbuf one = STRBUF_INIT(STRBUF_UNLIMITED);
	size_t i;

	for (i = 0; i < told->n; i++) {
		strbuf_reset(&one);
		add_object(&one, &told->items[i]);
		strbuf_add(out, one.buf, one.len);
		strbuf_addch(out, '\n');
	}
	strbuf_release(&one);
}
