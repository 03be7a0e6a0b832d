/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sessions of kubectl as requests see them. A table of a fixed size, by id,
 * whose ways are few, so that looking is short; no lock is held while the
 * store is asked.
 */
#include "base.h"

#include <pthread.h>

#include "arena.h"
#include "clock.h"
#include "err.h"
#include "portal.h"
#include "portal_pace.h"
#include "runtime.h"
#include "settings.h"

#define SETS 256
#define WAYS 4

struct kept {
	char id[PORTAL_ID];		/* "": free */
	int64_t looked;			/* mono ms, before the store was */
	struct secret text;		/* empty: there is no such session */
};

struct portal {
	pthread_mutex_t lock;
	struct kept kept[SETS][WAYS];
	struct portal_pace asks, polls;
};

struct portal *
portal_new(void)
{
	struct portal *p = xcalloc(1, sizeof(*p));

	pthread_mutex_init(&p->lock, NULL);
	portal_pace_init(&p->asks);
	portal_pace_init(&p->polls);
	return p;
}

void
portal_free(struct portal *p)
{
	size_t i, j;

	if (p == NULL)
		return;
	for (i = 0; i < SETS; i++)
		for (j = 0; j < WAYS; j++)
			secret_release(&p->kept[i][j].text);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

/* ---- is it on, and where ---- */

static bool
on_loopback(const char *url)
{
	static const char *const hosts[] = { "127.0.0.1", "localhost",
	    "[::1]" };
	size_t i, len;

	if (strncasecmp(url, "http://", 7) != 0)
		return false;
	for (i = 0; i < ARRAY_LEN(hosts); i++) {
		len = strlen(hosts[i]);
		if (strncasecmp(url + 7, hosts[i], len) == 0 &&
		    strchr(":/", url[7 + len]) != NULL)
			return true;
	}
	return false;
}

int
portal_ready(const struct runtime *rt, struct err *err)
{
	const struct settings *s = rt->settings;

	if (rt->portal == NULL || rt->store == NULL || s->store.type == NULL)
		return err_set(err, E_CONFIG, "kubectl through the portal is "
		    "off: it needs stagedoor.store");
	if (s->public_url == NULL)
		return err_set(err, E_CONFIG, "kubectl through the portal is "
		    "off: it needs stagedoor.publicUrl");
	if (strncasecmp(s->public_url, "https://", 8) != 0 &&
	    !on_loopback(s->public_url))
		return err_set(err, E_CONFIG, "kubectl through the portal is "
		    "off: stagedoor.publicUrl is not https");
	return 0;
}

const char *
portal_audience(const struct runtime *rt, struct arena *arena)
{
	const char *url = rt->settings->public_url;
	const char *base = rt->settings->base_path;
	size_t len = strlen(url), blen = strlen(base);

	while (len > 0 && url[len - 1] == '/')
		len--;
	while (blen > 0 && base[blen - 1] == '/')
		blen--;
	return arena_printf(arena, "%.*s%.*s", (int)len, url, (int)blen, base);
}

const char *
portal_path(const struct runtime *rt, struct arena *arena)
{
	const char *url = portal_audience(rt, arena);
	const char *host = strstr(url, "://");

	return host == NULL ? url : host + 3 + strcspn(host + 3, "/");
}

/* ---- what was looked up a moment ago ---- */

static struct kept *
set_of(struct portal *p, const char *id)
{
	static const char hex[] = "0123456789abcdef";
	const char *a = strchr(hex, id[0]), *b = strchr(hex, id[1]);

	/* It is out of a token that we sealed. */
	if (id[0] == '\0' || id[1] == '\0' || a == NULL || b == NULL)
		return p->kept[0];
	return p->kept[(a - hex) * 16 + (b - hex)];
}

/* Under the lock: its entry, or NULL. */
static struct kept *
entry_of(struct portal *p, const char *id)
{
	struct kept *set = set_of(p, id);
	size_t i;

	for (i = 0; i < WAYS; i++)
		if (strcmp(set[i].id, id) == 0)
			return &set[i];
	return NULL;
}

/* *text is the arena's; NULL: there is no such session. False: nobody has
   looked of late. */
static bool
look_up(struct portal *p, struct arena *arena, const char *id,
    const char **text)
{
	const struct kept *k;
	bool known;

	pthread_mutex_lock(&p->lock);
	k = entry_of(p, id);
	known = k != NULL && clock_mono_ms() - k->looked < PORTAL_STALE_MS;
	*text = known && k->text.len > 0 ? arena_strndup(arena, k->text.ptr,
	    k->text.len) : NULL;
	pthread_mutex_unlock(&p->lock);
	return known;
}

/* In its own place, or that of the one looked at longest ago. */
static void
keep(struct portal *p, const char *id, int64_t looked, const char *text)
{
	struct kept *set = set_of(p, id), *k;
	size_t i;

	pthread_mutex_lock(&p->lock);
	if ((k = entry_of(p, id)) == NULL)
		for (i = 1, k = &set[0]; i < WAYS; i++)
			if (set[i].looked < k->looked)
				k = &set[i];
	if (strcmp(k->id, id) != 0 || k->looked < looked) {
		memcpy(k->id, id, PORTAL_ID);
		k->looked = looked;
		secret_set(&k->text, text, text != NULL ? strlen(text) : 0);
	}
	pthread_mutex_unlock(&p->lock);
}

void
portal_forget(const struct runtime *rt, const char *id)
{
	if (rt->portal != NULL)
		keep(rt->portal, id, clock_mono_ms() + 1, NULL);
}

/* ---- who shows a token ---- */

/* Its session's text, as the store has it. */
static int
ask_store(const struct runtime *rt, struct arena *arena,
    const struct portal_token *t, const char **text, struct err *err)
{
	struct secret value = SECRET_INIT;
	int64_t now = clock_mono_ms();
	int r = portal_session_read(rt->store, t->user, t->slot, &value, err);

	*text = NULL;
	if (r != 0 && r != E_NOTFOUND) {
		err_set(err, E_BUSY, "the session of this token cannot be "
		    "looked up now");
		return E_BUSY;
	}
	if (r == 0 && value.len > 0)
		*text = arena_strndup(arena, value.ptr, value.len);
	secret_release(&value);
	keep(rt->portal, t->id, now, *text);
	return 0;
}

static int
refuse(struct err *err)
{
	return err_set(err, E_AUTH, "the token of stagedoor login is not good "
	    "here, or its session has ended");
}

int
portal_find(const struct runtime *rt, struct arena *arena,
    const char *token, struct portal_session *out, struct err *err)
{
	struct portal_token t;
	const char *text;
	int r;

	if ((r = portal_ready(rt, err)) != 0)
		return r;
	if (portal_token_open(rt->store, arena, portal_audience(rt, arena),
	    token, &t) != 0)
		return refuse(err);
	if (!look_up(rt->portal, arena, t.id, &text) &&
	    (r = ask_store(rt, arena, &t, &text, err)) != 0)
		return r;
	if (text == NULL || !portal_session_parse(arena, text, out) ||
	    strcmp(out->id, t.id) != 0 || strcmp(out->user, t.user) != 0 ||
	    out->expires <= clock_wall_ms())
		return refuse(err);
	return 0;
}

/* ---- how often ---- */

bool
portal_may_ask(struct portal *p, const char *address)
{
	static const struct portal_pace_rule rule = { .every = 1000,
	    .burst = 30 };

	return portal_pace_take(&p->asks, address, &rule);
}

bool
portal_may_poll(struct portal *p, const char *nonce)
{
	/* Half a second less: clocks and networks are not exact. */
	static const struct portal_pace_rule rule = {
	    .every = PORTAL_INTERVAL * 1000 - 500, .burst = 1 };

	return portal_pace_take(&p->polls, nonce, &rule);
}
