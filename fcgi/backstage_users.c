/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tokens verified, and what is kept of that: sets of four slots by the hash
 * of the token, of which the one used longest ago makes way. What is kept is
 * counted, for its slot may be given away while some still copy, or while
 * one asks for the groups and others wait for the answer.
 */
#include "base.h"

#include <openssl/sha.h>
#include <pthread.h>

#include "arena.h"
#include "backstage.h"
#include "backstage_token.h"
#include "backstage_users.h"
#include "clock.h"
#include "documents.h"
#include "err.h"
#include "identity.h"
#include "log.h"
#include "settings.h"
#include "strbuf.h"
#include "userinfo.h"
#include "../providers/jwk.h"

#define WAYS 4
#define SETS (BACKSTAGE_USERS_KEPT / WAYS)

struct keys {			/* one version of the key set */
	uint64_t version;
	struct jwk_set *set;
	unsigned refs;
};

struct kept {			/* of one token */
	unsigned char key[SHA256_DIGEST_LENGTH];
	uint64_t version;	/* of the keys that it was verified with */
	int64_t expires;	/* wall ms */
	int64_t used;		/* mono ms */
	unsigned refs;
	bool limited;
	struct arena *arena;
	const char *user;

	bool known;		/* the groups are */
	bool asking;		/* somebody asks for them */
	int64_t retry;		/* mono ms: nobody asks before */
	struct arena *groups_arena;
	const char **groups;
	size_t ngroups;
};

struct backstage_users {
	const struct settings *settings;
	struct documents *documents;
	struct userinfo *userinfo;
	char *jwks_url;
	struct backstage_token_rules rules;

	pthread_mutex_t lock;	/* of what follows */
	pthread_cond_t done;	/* somebody has asked for groups */
	struct keys *keys;	/* the last; NULL: none yet */
	struct kept *slots[SETS][WAYS];
};

static char *
jwks_address(const struct settings *s)
{
	struct strbuf sb = STRBUF_INIT(STRBUF_UNLIMITED);

	if (s->backstage.jwks_url != NULL)
		return xstrdup(s->backstage.jwks_url);
	backstage_base(s, "auth", &sb);
	if (sb.len > 0)
		strbuf_addstr(&sb, "/.well-known/jwks.json");
	return strbuf_detach(&sb, NULL);
}

static struct backstage_token_rules
rules_of(const struct backstage_identity *b)
{
	struct backstage_token_rules rules = {
		.audience = b->audience != NULL ? b->audience : "backstage",
		.issuer = b->issuer,
		.algorithms = jwt_allowed(b->algorithms.items,
		    b->algorithms.n),
	};

	/* Backstage's own does not look; whoever set another wants that. */
	rules.audience_always = strcmp(rules.audience, "backstage") != 0;
	if (b->algorithms.n == 0)
		rules.algorithms = JWT_ALLOW(JWT_ES256);
	return rules;
}

struct backstage_users *
backstage_users_new(const struct settings *settings,
    struct transport *transport, struct documents *documents)
{
	struct backstage_users *bu = xcalloc(1, sizeof(*bu));

	pthread_mutex_init(&bu->lock, NULL);
	pthread_cond_init(&bu->done, NULL);
	bu->settings = settings;
	bu->documents = documents;
	bu->userinfo = userinfo_new(settings, transport);
	bu->jwks_url = jwks_address(settings);
	bu->rules = rules_of(&settings->backstage);
	return bu;
}

/* With the lock held, as with kept_put. */
static void
keys_put(struct keys *keys)
{
	if (keys == NULL || --keys->refs > 0)
		return;
	jwk_set_free(keys->set);
	free(keys);
}

static void
kept_put(struct kept *k)
{
	if (k == NULL || --k->refs > 0)
		return;
	arena_free(k->arena);
	arena_free(k->groups_arena);
	free(k);
}

void
backstage_users_free(struct backstage_users *bu)
{
	size_t i;

	if (bu == NULL)
		return;
	for (i = 0; i < BACKSTAGE_USERS_KEPT; i++)
		kept_put(bu->slots[i / WAYS][i % WAYS]);
	keys_put(bu->keys);
	userinfo_free(bu->userinfo);
	free(bu->jwks_url);
	pthread_cond_destroy(&bu->done);
	pthread_mutex_destroy(&bu->lock);
	free(bu);
}

/* ---- keys ---- */

static int
no_keys(struct err *err, int code, const struct err *why)
{
	err_set(err, code, "cannot check user tokens: the keys of Backstage's "
	    "auth back end cannot be had%s", code == E_BUSY ?
	    "; try again later" : "");
	err_detail(err, "%s", why->text);
	return code;
}

/* The keys of this document; a reference. */
static int
keys_of(struct backstage_users *bu, const struct document *doc,
    struct keys **out, struct err *err)
{
	struct keys *keys = NULL;
	struct jwk_set *set;
	struct err why = ERR_INIT;

	pthread_mutex_lock(&bu->lock);
	if (bu->keys != NULL && bu->keys->version == doc->version)
		keys = bu->keys;
	if (keys == NULL && jwk_set_parse(doc->text, doc->len, &set,
	    &why) == 0) {
		keys_put(bu->keys);
		keys = bu->keys = xcalloc(1, sizeof(*keys));
		*keys = (struct keys){ doc->version, set, 1 };
	}
	if (keys != NULL)
		keys->refs++;
	pthread_mutex_unlock(&bu->lock);
	*out = keys;
	return keys != NULL ? 0 : no_keys(err, E_BUSY, &why);
}

static int
keys_get(struct backstage_users *bu, bool force, struct keys **out,
    struct err *err)
{
	const struct document_want want = { .url = bu->jwks_url,
	    .max_age = JWKS_AGE_MS, .force = force, .plain_http = true };
	const struct document *doc;
	struct err why = ERR_INIT;
	int r;

	if (bu->documents == NULL || *bu->jwks_url == '\0') {
		err_set(&why, E_CONFIG, "%s", bu->documents == NULL ?
		    "nothing is fetched here" : "set backend.baseUrl, "
		    "discovery.endpoints or identity.backstage.jwksUrl");
		return no_keys(err, E_CONFIG, &why);
	}
	if ((r = documents_get(bu->documents, &want, &doc, &why)) != 0)
		return no_keys(err, r == E_CONFIG ? E_CONFIG : E_BUSY, &why);
	r = keys_of(bu, doc, out, err);
	document_put(doc);
	return r;
}

static void
keys_done(struct backstage_users *bu, struct keys *keys)
{
	pthread_mutex_lock(&bu->lock);
	keys_put(keys);
	pthread_mutex_unlock(&bu->lock);
}

/* ---- what is kept ---- */

static struct kept **
set_of(struct backstage_users *bu, const unsigned char *key)
{
	return bu->slots[((size_t)key[0] << 8 | key[1]) % SETS];
}

/* With the lock held. A reference, or NULL. */
static struct kept *
look_up(struct backstage_users *bu, const unsigned char *key,
    uint64_t version)
{
	struct kept **set = set_of(bu, key);
	int64_t now = clock_wall_ms();
	size_t i;

	for (i = 0; i < WAYS; i++) {
		struct kept *k = set[i];

		if (k == NULL || k->version != version || k->expires <= now ||
		    memcmp(k->key, key, sizeof(k->key)) != 0)
			continue;
		k->refs++;
		k->used = clock_mono_ms();
		return k;
	}
	return NULL;
}

static struct kept *
kept_find(struct backstage_users *bu, const unsigned char *key,
    uint64_t version)
{
	struct kept *k;

	pthread_mutex_lock(&bu->lock);
	k = look_up(bu, key, version);
	pthread_mutex_unlock(&bu->lock);
	return k;
}

/* Is a worse to keep than b? */
static bool
goes_before(const struct kept *a, const struct kept *b)
{
	return a == NULL || (b != NULL && a->used < b->used);
}

static void
put_in_slot(struct backstage_users *bu, struct kept *k)
{
	struct kept **set = set_of(bu, k->key);
	size_t i, at = 0;

	for (i = 1; i < WAYS; i++)
		if (goes_before(set[i], set[at]))
			at = i;
	kept_put(set[at]);
	set[at] = k;
	k->refs++;
}

/* Takes k; gives a reference to that or to what another thread has made of
   the same token meanwhile. */
static struct kept *
kept_add(struct backstage_users *bu, struct kept *k)
{
	struct kept *there;

	pthread_mutex_lock(&bu->lock);
	if ((there = look_up(bu, k->key, k->version)) == NULL)
		put_in_slot(bu, k);
	else
		kept_put(k);
	pthread_mutex_unlock(&bu->lock);
	return there != NULL ? there : k;
}

/* ---- who it is ---- */

/* A whole ref, lower-cased; NULL: it is none. A comma would make two of it
   where refs are listed. */
static const char *
whole_ref(struct arena *arena, const char *text)
{
	if (strchr(text, ':') == NULL || strchr(text, '/') == NULL ||
	    strchr(text, ',') != NULL)
		return NULL;
	return identity_ref(arena, text, "user");
}

static void
take_groups(struct kept *k, struct arena *arena,
    const struct string_list *refs)
{
	const char **groups = arena_alloc(arena, (refs->n + 1) *
	    sizeof(*groups));
	size_t i, ngroups = 0, bytes = 0;

	for (i = 0; i < refs->n; i++) {
		const char *ref = whole_ref(arena, refs->items[i]);

		if (ref == NULL)
			continue;
		bytes += strlen(ref) + 1;
		if (bytes > BACKSTAGE_GROUPS_MAX) {
			log_warn("%s is in more groups than are looked at: "
			    "only %zu of %zu count", k->user, ngroups, refs->n);
			break;
		}
		groups[ngroups++] = ref;
	}
	k->groups = groups;
	k->ngroups = ngroups;
	k->known = true;
}

static int
kept_new(const struct backstage_token *t, struct kept **out, struct err *err)
{
	struct arena *arena = arena_new();
	const char *user = whole_ref(arena, t->user);
	struct string_list refs;
	struct kept *k;

	if (user == NULL) {
		arena_free(arena);
		return err_set(err, E_AUTH, "the user token names no user: "
		    "sub is no whole entity ref");
	}
	*out = k = xcalloc(1, sizeof(*k));
	k->arena = arena;
	k->user = user;
	k->refs = 1;
	k->expires = t->expires;
	k->used = clock_mono_ms();
	k->limited = t->kind == BACKSTAGE_TOKEN_LIMITED;
	if (backstage_token_ownership(t, arena, &refs))
		take_groups(k, arena, &refs);
	return 0;
}

static int
verify_with(const struct backstage_users *bu, const char *token,
    const struct keys *keys, struct kept **out, struct err *err)
{
	struct backstage_token_rules rules = bu->rules;
	struct backstage_token t;
	int r;

	rules.now = clock_wall_ms();
	if ((r = backstage_token_check(token, &rules, keys->set, &t,
	    err)) != 0)
		return r;
	if ((r = kept_new(&t, out, err)) == 0)
		(*out)->version = keys->version;
	backstage_token_release(&t);
	return r;
}

/* With *keys, or those that are there now where it is signed by another. */
static int
verify(struct backstage_users *bu, const char *token, struct keys **keys,
    struct kept **out, struct err *err)
{
	struct keys *newer;
	struct err why = ERR_INIT;
	int r = verify_with(bu, token, *keys, out, &why);

	if (r == E_NOTFOUND) {
		if ((r = keys_get(bu, true, &newer, err)) != 0)
			return r;
		keys_done(bu, *keys);
		*keys = newer;
		r = verify_with(bu, token, *keys, out, &why);
	}
	if (r == 0)
		return 0;
	err_set(err, E_AUTH, "Failed user token verification");
	err_detail(err, "%s", why.text);
	return E_AUTH;
}

/* ---- groups ---- */

/* With the lock held, which is let go of meanwhile. */
static void
ask_for_groups(struct backstage_users *bu, struct kept *k, const char *token)
{
	struct arena *arena = arena_new();
	struct string_list refs = { NULL, 0 };
	struct err err = ERR_INIT;
	int r;

	k->asking = true;
	pthread_mutex_unlock(&bu->lock);
	r = userinfo_ask(bu->userinfo, token, arena, &refs, &err);
	if (r != 0)
		log_warn("cannot learn the groups of %s: userinfo: %s; for "
		    "%d s there are none", k->user, err.text,
		    USERINFO_RETRY_MS / 1000);
	pthread_mutex_lock(&bu->lock);
	if (r == 0)
		take_groups(k, arena, &refs);
	k->groups_arena = r == 0 ? arena : NULL;
	if (r != 0)
		arena_free(arena);
	k->retry = clock_mono_ms() + USERINFO_RETRY_MS;
	k->asking = false;
	pthread_cond_broadcast(&bu->done);
}

/* With the lock held. Groups are asked for once, for all who come with that
   token. */
static void
give(struct backstage_users *bu, struct kept *k, const char *token,
    struct arena *arena, struct backstage_user *out)
{
	size_t i;

	while (k->asking)
		pthread_cond_wait(&bu->done, &bu->lock);
	if (!k->known && clock_mono_ms() >= k->retry)
		ask_for_groups(bu, k, token);
	out->user = arena_strdup(arena, k->user);
	out->limited = k->limited;
	out->ngroups = k->ngroups;
	out->groups = arena_alloc(arena, (k->ngroups + 1) *
	    sizeof(*out->groups));
	for (i = 0; i < k->ngroups; i++)
		out->groups[i] = arena_strdup(arena, k->groups[i]);
}

/* Takes k. Who may not come in is not asked about either. */
static int
answer(struct backstage_users *bu, struct kept *k,
    const struct backstage_question *q, struct arena *arena,
    struct backstage_user *out)
{
	bool refused = k->limited && !q->limited_ok;

	pthread_mutex_lock(&bu->lock);
	if (!refused)
		give(bu, k, q->token, arena, out);
	kept_put(k);
	pthread_mutex_unlock(&bu->lock);
	return refused ? E_AUTH : 0;
}

int
backstage_users_find(struct backstage_users *bu,
    const struct backstage_question *q, struct arena *arena,
    struct backstage_user *out, struct err *err)
{
	const char *token = q->token;
	unsigned char key[SHA256_DIGEST_LENGTH];
	struct keys *keys;
	struct kept *k;
	int r;

	if (backstage_token_kind(token, bu->rules.audience) ==
	    BACKSTAGE_TOKEN_NONE)
		return err_set(err, E_NOTFOUND, "this is no user token");
	if ((r = keys_get(bu, false, &keys, err)) != 0)
		return r;
	SHA256((const unsigned char *)token, strlen(token), key);
	if ((k = kept_find(bu, key, keys->version)) == NULL &&
	    (r = verify(bu, token, &keys, &k, err)) == 0) {
		memcpy(k->key, key, sizeof(k->key));
		k = kept_add(bu, k);
	}
	keys_done(bu, keys);
	if (r == 0 && (r = answer(bu, k, q, arena, out)) != 0)
		err_set(err, r, "Illegal limited user token");
	return r;
}
