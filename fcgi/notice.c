/* SPDX-License-Identifier: Apache-2.0 */
/* What is said after a redirect, and how it gets there. */
#include "base.h"

#include <openssl/sha.h>

#include "arena.h"
#include "connect_list.h"
#include "err.h"
#include "form.h"
#include "notice.h"
#include "redact.h"
#include "runtime.h"
#include "sealed_cookie.h"
#include "settings.h"

#define SEALED_KIND "signin-words"
#define LOGIN_MAX 80		/* "oidc/" and 64 letters */

/* In the order of enum notice_code. Each %s is the issuer's name. */
static const struct {
	const char *word, *title, *text;
} notices[] = {
	[NOTICE_CONNECTED] = { "connected", "You are connected",
	    "You signed in with your account at %s." },
	[NOTICE_DISCONNECTED] = { "disconnected", "You are disconnected",
	    "What your sign-in at %s left here has been deleted." },
	[NOTICE_ENDED] = { "ended", "The session of kubectl has ended",
	    "Its token opens nothing any more." },
	[NOTICE_STRANGE] = { "strange", "The sign-in could not be completed",
	    "It was not begun in this browser, or took longer than ten "
	    "minutes. Please begin again." },
	[NOTICE_USED] = { "used", "The sign-in was over already",
	    "It can be completed once only. If you are not connected now, "
	    "please begin again." },
	[NOTICE_OTHER_USER] = { "other-user",
	    "The sign-in could not be completed",
	    "Another user of the portal began it in this browser. Please "
	    "begin again." },
	[NOTICE_DENIED] = { "denied", "You were not let in at %s",
	    "The sign-in was cancelled there, or %s does not let you in." },
	[NOTICE_REFUSED] = { "refused", "The sign-in at %s failed",
	    "%s refused to complete it, or what it sent did not pass our "
	    "checks. Nothing of it was used." },
	[NOTICE_AWAY] = { "away", "%s does not answer",
	    "It could not be reached, or broke off. Please try again in a "
	    "while." },
	[NOTICE_NOT_KEPT] = { "not-kept", "The sign-in could not be kept",
	    "Our store of sign-ins does not work now. Please try again in a "
	    "while." },
	[NOTICE_SETUP] = { "setup", "The sign-in at %s is not set up right",
	    "Please tell those who run this portal." },
	[NOTICE_GARBLED] = { "garbled", "The sign-in could not be completed",
	    "Its answer could not be read. Please begin again." },
};

bool
notice_failed(enum notice_code code)
{
	return code >= NOTICE_STRANGE;
}

const char *
notice_query(struct arena *arena, const struct notice *n)
{
	return arena_printf(arena, "%s=%s%s%s",
	    notice_failed(n->code) ? "failed" : "done",
	    notices[n->code].word, n->login != NULL ? "&login=" : "",
	    n->login != NULL ? connect_login_path(n->login, arena) : "");
}

static enum notice_code
code_of(const char *word, bool failed)
{
	size_t i;

	for (i = NOTICE_CONNECTED; word != NULL && i < ARRAY_LEN(notices); i++)
		if (strcmp(notices[i].word, word) == 0 &&
		    notice_failed((enum notice_code)i) == failed)
			return (enum notice_code)i;
	return NOTICE_NONE;
}

static const struct login_settings *
login_at(const struct settings *s, struct arena *arena, const char *path)
{
	size_t i;

	for (i = 0; path != NULL && i < s->nlogins; i++)
		if (strcmp(connect_login_path(&s->logins[i], arena),
		    path) == 0)
			return &s->logins[i];
	return NULL;
}

void
notice_parse(const struct runtime *rt, struct arena *arena,
    const char *query, struct notice *out)
{
	const struct form_want failed = { .name = "failed", .max = 32 };
	const struct form_want done = { .name = "done", .max = 32 };
	const struct form_want login = { .name = "login", .max = LOGIN_MAX };
	const char *word;

	memset(out, 0, sizeof(*out));
	if (form_field(arena, query, &failed, &word, NULL) == 0)
		out->code = code_of(word, true);
	if (out->code == NOTICE_NONE &&
	    form_field(arena, query, &done, &word, NULL) == 0)
		out->code = code_of(word, false);
	if (form_field(arena, query, &login, &word, NULL) == 0)
		out->login = login_at(rt->settings, arena, word);
}

/* The text with the name for its %s; at its start, "the issuer" is "The". */
static const char *
fill(struct arena *arena, const char *text, const char *where)
{
	const char *at = strstr(text, "%s");
	char *out;

	if (at == NULL)
		return text;
	out = arena_printf(arena, "%.*s%s%s", (int)(at - text), text, where,
	    at + 2);
	if (at == text && str_starts(out, "the "))
		*out = 'T';
	return out;
}

const char *
notice_title(struct arena *arena, enum notice_code code, const char *where)
{
	return fill(arena, notices[code].title, where);
}

const char *
notice_text(struct arena *arena, enum notice_code code, const char *where)
{
	return fill(arena, notices[code].text, where);
}

enum notice_code
notice_of(int code)
{
	switch (code) {
	case E_AUTH:
	case E_SIGNIN:
		return NOTICE_REFUSED;
	case E_STORE:
		return NOTICE_NOT_KEPT;
	case E_CONFIG:
	case E_DENIED:
	case E_NOTBUILT:
		return NOTICE_SETUP;
	default:
		return NOTICE_AWAY;
	}
}

/* ---- the words of others ---- */

static struct store_item
item_of(struct arena *arena, const char *user, enum notice_code code)
{
	struct store_item item = { .kind = SEALED_KIND };
	const char *name = arena_printf(arena, "%s\n%s", notices[code].word,
	    user);

	SHA256((const unsigned char *)name, strlen(name), item.key);
	return item;
}

const char *
notice_seal(const struct runtime *rt, struct arena *arena,
    const struct notice *n, const char *user, int64_t now)
{
	struct store_item item = item_of(arena, user, n->code);
	struct sealed_cookie cookie = { .item = &item,
	    .expires = now + NOTICE_MS };
	const char *value;
	char *words;

	if (n->words == NULL || *n->words == '\0' || rt->store == NULL)
		return NULL;
	words = arena_strndup(arena, n->words,
	    strnlen(n->words, NOTICE_WORDS_MAX));
	redact(words);
	cookie.text = words;
	return sealed_cookie_print(rt->store, arena, &cookie, &value) == 0 ?
	    value : NULL;
}

void
notice_open(const struct runtime *rt, struct arena *arena,
    struct notice *n, const char *user, const char *value)
{
	const struct store_item item = item_of(arena, user, n->code);

	if (rt->store == NULL || !notice_failed(n->code) || sealed_cookie_open(
	    rt->store, arena, &item, value, &n->words) != 0)
		n->words = NULL;
}
