/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A user's token as a provider asks for it: two sources of the credential
 * cache. `session` reads the token store and is good for a second, so that
 * what another process did (a sign-in, a sign-out, a refresh) is seen soon.
 * `refresh` is asked for when the token is about to end; its name holds the
 * generation, so that each set of tokens is renewed once. How that is done
 * is in session_refresh.c.
 */
#include "base.h"

#include "arena.h"
#include "clock.h"
#include "identity.h"
#include "log.h"
#include "login.h"
#include "runtime.h"
#include "session_private.h"
#include "settings.h"
#include "sources.h"
#include "strbuf.h"
#include "../providers/provider.h"

#define MARGIN_MS 180000	/* Backstage's front end renews then */
#define SPARE_MS 1000		/* a token that ends so soon has ended */
#define GUESS_MS 300000		/* of a token that does not say its end */

void
user_token_release(struct user_token *ut)
{
	secret_release(&ut->token);
}

/* ---- what is known of a session, as a source's value ---- */

/* Parts of the value. */
enum { PART_TOKEN, PART_FACTS, PART_WHY };

const struct secret *
session_pick(const struct login_settings *login, const struct token_set *ts,
    int64_t *expires)
{
	bool id = login->provider == LOGIN_OIDC;

	*expires = id ? ts->id_expires : ts->access_expires;
	if (*expires == 0)
		*expires = ts->refreshed + GUESS_MS;
	return id ? &ts->id_token : &ts->access_token;
}

/* From when on to renew: a quarter of a short life before it is not used any
   more. */
static int64_t
due_of(const struct token_set *ts, int64_t expires)
{
	int64_t life = SD_MAX(expires - ts->refreshed, (int64_t)0);

	return expires - SD_MIN((int64_t)MARGIN_MS, SPARE_MS + life / 4);
}

static void
set_text(struct secret *part, const char *text)
{
	secret_set(part, text, strlen(text));
}

void
session_print(const struct login_settings *login, const struct token_set *ts,
    struct source_value *out)
{
	struct strbuf sb = STRBUF_INIT(256);
	const struct secret *token;
	int64_t expires;

	out->expires = clock_wall_ms();	/* what was made just now is good for
					   a second: see sources.h */
	token = session_pick(login, ts, &expires);
	strbuf_addf(&sb, "%lld %lld %d %s", (long long)expires,
	    (long long)due_of(ts, expires), ts->refresh_token.len > 0,
	    ts->generation);
	secret_set(&out->part[PART_TOKEN], token->ptr, token->len);
	secret_set(&out->part[PART_FACTS], sb.buf, sb.len);
	if (ts->ended != NULL)
		set_text(&out->part[PART_WHY], ts->ended);
	strbuf_release(&sb);
}

struct session_view {
	long long expires, due;
	int refreshes;
	char generation[TOKEN_SET_GENERATION];
};

static bool
view_parse(const struct source_value *v, struct session_view *out)
{
	const char *facts = v->part[PART_FACTS].ptr;

	memset(out, 0, sizeof(*out));
	return facts != NULL && sscanf(facts, "%lld %lld %d %32s",
	    &out->expires, &out->due, &out->refreshes, out->generation) == 4;
}

/* ---- the source `session` ---- */

/* The store may be away for long and asked often: a line a minute. */
static void
report_store(const struct err *err)
{
	static int64_t last;
	int64_t now = clock_mono_ms();
	int64_t before = __atomic_load_n(&last, __ATOMIC_RELAXED);

	if ((before == 0 || now - before > 60000) &&
	    __atomic_compare_exchange_n(&last, &before, now, false,
	    __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		log_error("sign-ins cannot be read: %s%s%s", err->text,
		    err->detail[0] != '\0' ? ": " : "", err->detail);
}

/*
 * A store that fails gives a value too: a failure would be remembered for up
 * to a minute, and the store may be back in a moment.
 */
static int
session_make(const struct provider_call *call UNUSED, const void *ctx,
    struct source_value *out, struct err *err UNUSED)
{
	const struct session_ask *ask = ctx;
	struct token_set ts;
	struct err why = ERR_INIT;
	int r = tokens_get(ask->rt->store, &ask->key, &ts, &why);

	out->expires = clock_wall_ms();
	if (r == 0) {
		session_print(ask->login, &ts, out);
		token_set_release(&ts);
	} else if (r != E_NOTFOUND) {
		report_store(&why);
		set_text(&out->part[PART_WHY], why.text);
	}
	return 0;
}

/* ---- what becomes of it ---- */

static int
needs_sign_in(const struct provider_call *call, const struct session_ask *ask,
    const char *why, struct err *err)
{
	return err_set(err, E_SIGNIN, "%s%ssign in at %s to use cluster '%s'",
	    why, *why != '\0' ? ": " : "",
	    login_page(ask->rt->settings, call->scratch),
	    call->cluster->name);
}

static int
give(const struct source_value *v, const struct session_view *view,
    struct user_token *out)
{
	const struct secret *token = &v->part[PART_TOKEN];

	*out = (struct user_token){ .expires = view->expires,
	    .refreshes = view->refreshes != 0 };
	secret_set(&out->token, token->ptr, token->len);
	return 0;
}

static bool
is_good(const struct session_view *view)
{
	return clock_wall_ms() + SPARE_MS < view->expires;
}

/* A token that is over, or soon will be. */
static int
renew(const struct provider_call *call, struct session_ask *ask,
    struct source_value *v, struct session_view *view, struct err *err)
{
	const char *inputs[] = { ask->key.user, ask->key.provider,
	    ask->key.name, view->generation, NULL };
	const struct source source = {
		.kind = "refresh",
		.inputs = inputs,
		.unshared = true,
		.lane = ask->login->issuer != NULL ? ask->login->issuer :
		    ask->key.provider,
		.make = session_refresh,
		.ctx = ask,
	};
	struct source_value fresh;
	struct err why = ERR_INIT;
	bool same;
	int r;

	ask->generation = view->generation;
	r = call->source(call, &source, &fresh, &why);
	if (r != 0) {
		if (is_good(view))	/* the old one does meanwhile */
			return 0;
		if (r == E_SIGNIN)
			return needs_sign_in(call, ask, why.text, err);
		if (err != NULL)
			*err = why;
		return r;
	}
	same = secret_equal(&v->part[PART_TOKEN], fresh.part[PART_TOKEN].ptr,
	    fresh.part[PART_TOKEN].len);
	source_value_release(v);
	*v = fresh;			/* taken */
	if (!view_parse(v, view))
		BUG("a refreshed session cannot be read");
	/* No use for the cluster, which would say nothing but 401. */
	if (same && !is_good(view))
		return err_set(err, E_BUSY, "the issuer renewed the sign-in, "
		    "but with no id token that can be checked now; try again "
		    "later");
	return 0;
}

/* v is what is known of the session. */
static int
use(const struct provider_call *call, struct session_ask *ask,
    struct source_value *v, struct user_token *out, struct err *err)
{
	const char *why = v->part[PART_WHY].ptr;
	struct session_view view;
	bool known = view_parse(v, &view), renewed = false;
	int r;

	if (!known && why != NULL)
		return err_set(err, E_STORE, "your sign-in cannot be read now: "
		    "%s", why);
	if (!known || why != NULL)
		return needs_sign_in(call, ask, why != NULL ? why : "", err);
	if (view.refreshes && clock_wall_ms() >= view.due) {
		if ((r = renew(call, ask, v, &view, err)) != 0)
			return r;
		renewed = true;
	}
	if (v->part[PART_TOKEN].len == 0)
		return needs_sign_in(call, ask, "your sign-in brought no "
		    "token for this cluster", err);
	/* What the issuer gave just now is for the cluster to judge. */
	if (!renewed && !is_good(&view))
		return needs_sign_in(call, ask, "your sign-in has run out",
		    err);
	return give(v, &view, out);
}

static int
ask_init(const struct provider_call *call, struct session_ask *ask,
    struct err *err)
{
	const struct source_asker *asker = call->core;
	const struct identity *who = call->who;

	ask->rt = asker->rt;
	ask->login = login_of(ask->rt->settings, call->cluster);
	if (ask->login == NULL || ask->rt->store == NULL)
		return err_set(err, E_SIGNIN, "nobody can sign in for cluster "
		    "'%s': stagedoor.login has no entry for it",
		    call->cluster->name);
	if (who != NULL && who->kind == IDENTITY_SERVICE)
		return err_set(err, E_DENIED, "cluster '%s' is for people who "
		    "sign in: a service has no token of its own there",
		    call->cluster->name);
	if (who == NULL || who->kind != IDENTITY_USER)
		return needs_sign_in(call, ask, "nobody is signed in to the "
		    "portal", err);
	ask->key = login_key(ask->login, who->user);
	return 0;
}

#define INPUTS 4

static struct source
session_source(const struct session_ask *ask, const char *inputs[INPUTS])
{
	inputs[0] = ask->key.user;
	inputs[1] = ask->key.provider;
	inputs[2] = ask->key.name;
	inputs[3] = NULL;
	return (struct source){
		.kind = "session",
		.inputs = inputs,
		.unshared = true,
		.lane = "store",
		.brief = true,
		.make = session_make,
		.ctx = ask,
	};
}

void
session_forget(struct runtime *rt, const struct token_key *key)
{
	const struct session_ask ask = { .rt = rt, .key = *key };
	const char *inputs[INPUTS];
	const struct source source = session_source(&ask, inputs);

	if (rt->sources != NULL)
		sources_forget(rt->sources, &source);
}

int
session_token(const struct provider_call *call, struct user_token *out,
    struct err *err)
{
	struct session_ask ask = { 0 };
	const char *inputs[INPUTS];
	struct source source;
	struct source_value v;
	int r;

	*out = (struct user_token){ .expires = 0 };
	if ((r = ask_init(call, &ask, err)) != 0)
		return r;
	source = session_source(&ask, inputs);
	if ((r = call->source(call, &source, &v, err)) != 0)
		return r;
	r = use(call, &ask, &v, out, err);
	source_value_release(&v);
	return r;
}
