/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Renewing one user's tokens. Issuers that rotate refresh tokens take a
 * second use of an old one for theft and end the session, so:
 *
 * - One at a time: under a lease of the store, kept alive meanwhile. Whoever
 *   does not get it waits and takes what the other one brought.
 * - The set is read again under the lease; another generation means that it
 *   was done.
 * - Before anything is sent, the try is marked in the store, durably: a store
 *   that cannot be written is found while nothing is spent.
 * - The issuer is waited for longer than any request would.
 * - The new set is durable before anybody uses it.
 * - A signal that ends the process waits for that.
 *
 * A process that is killed in between leaves the old token behind, and its
 * successor tries that: an issuer that refuses it ends the session, and the
 * user is asked to sign in.
 */
#include "base.h"

#include "arena.h"
#include "audit.h"
#include "clock.h"
#include "ending.h"
#include "leases.h"
#include "log.h"
#include "login.h"
#include "runtime.h"
#include "session_private.h"
#include "settings.h"
#include "../providers/provider.h"

#define LEASE_KIND "refresh"
#define LOOK_MS 100		/* between looks at what another one does */
#define LOOKS 8			/* before the lease is asked for again: that
				   writes, and many may be waiting */
#define SETTLE_MS 3000		/* for one who may still have to write */
#define INSIST_MS 300000	/* what the issuer gave must be written down:
				   so long, if the store fails */
#define INSIST_PAUSE_MS 250

static struct store_item
lease_item(const struct token_key *key)
{
	struct store_item item = tokens_item(key);

	item.kind = LEASE_KIND;
	return item;
}

static void
pause_ms(int64_t ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000 };

	while (nanosleep(&ts, &ts) != 0 && errno == EINTR)
		continue;
}

/*
 * The set as it is now. 0: it is the one to renew; 1: it was renewed by
 * somebody, out has it; else E_*. ts is the caller's in the first two cases.
 */
static int
look(const struct session_ask *ask, struct token_set *ts,
    struct source_value *out, struct err *err)
{
	int r = tokens_get(ask->rt->store, &ask->key, ts, err);

	if (r == E_NOTFOUND)
		return err_set(err, E_SIGNIN, "you have signed out");
	if (r != 0)
		return r;
	if (ts->ended != NULL)
		r = err_set(err, E_SIGNIN, "%s", ts->ended);
	else if (strcmp(ts->generation, ask->generation) != 0)
		r = 1;
	else if (ts->refresh_token.len == 0)
		r = err_set(err, E_SIGNIN, "your sign-in has run out");
	if (r == 1)
		session_print(ask->login, ts, out);
	if (r < 0)
		token_set_release(ts);
	return r;
}

/*
 * As look, after one who began and was not seen to end. He was killed; or the
 * store was away for so long that his lease ran out, and he has yet to write
 * what the issuer gave him: that takes a moment, now that it is back.
 */
static int
look_settled(const struct session_ask *ask, struct token_set *ts,
    struct source_value *out, struct err *err)
{
	int64_t until = clock_mono_ms() + SETTLE_MS;
	int r = look(ask, ts, out, err);

	while (r == 0 && ts->tries > 0 && clock_mono_ms() < until) {
		token_set_release(ts);
		pause_ms(LOOK_MS);
		r = look(ask, ts, out, err);
	}
	return r;
}

/*
 * The old refresh token is spent, so this must not be lost: a store that
 * fails is tried for minutes. 0; E_NOTFOUND: the user signed out meanwhile;
 * E_BUSY: signed in anew, or somebody else renewed it; E_STORE.
 */
static int
insist(const struct session_ask *ask, const struct token_set *ts,
    struct err *err)
{
	int64_t until = clock_mono_ms() + INSIST_MS;
	bool said = false;
	int r;

	for (;;) {
		r = tokens_swap(ask->rt->store, ts, ask->generation, err);
		if (r != E_STORE || clock_mono_ms() >= until)
			break;
		if (!said)
			log_error("renewed tokens of %s cannot be stored, and "
			    "are lost if this process ends: %s%s%s", ts->user,
			    err->text, err->detail[0] != '\0' ? ": " : "",
			    err->detail);
		said = true;
		pause_ms(INSIST_PAUSE_MS);
	}
	if (said)
		log_info("renewed tokens of %s are %s", ts->user,
		    r == E_STORE ? "lost" : "stored now");
	return r;
}

/* The issuer has no more use for them either. */
static void
drop(const struct login_client *client, const struct token_set *ts)
{
	struct err err = ERR_INIT;
	int r = oauth_revoke(&client->oauth, ts, &err);

	if (r != 0 && r != E_NOTFOUND)
		log_warn("tokens of %s, who signed out, were not revoked: %s",
		    ts->user, err.text);
}

/* What is there in place of what we renewed. */
static int
take_other(const struct session_ask *ask, struct source_value *out,
    struct err *err)
{
	struct token_set ts;
	int r = look(ask, &ts, out, err);

	if (r >= 0)
		token_set_release(&ts);
	return r == 1 ? 0 : r == 0 ? E_BUSY : r;
}

static int
keep_new(const struct session_ask *ask, const struct login_client *client,
    struct token_set *new, struct source_value *out, struct err *err)
{
	int r;

	new->tries = 0;
	new->refreshed = clock_wall_ms();
	token_set_renew(new);
	r = insist(ask, new, err);
	if (r == 0)
		session_print(ask->login, new, out);
	if (r == E_BUSY)
		return take_other(ask, out, err);
	if (r != E_NOTFOUND)
		return r;
	drop(client, new);
	return err_set(err, E_SIGNIN, "you have signed out");
}

/*
 * What the issuer gave cannot be used, but the old refresh token is spent for
 * it: the new one is what the next try needs. The generation stays, and with
 * it the time to wait before that.
 */
static void
keep_spent(const struct session_ask *ask, const struct login_client *client,
    struct token_set *new)
{
	struct err why = ERR_INIT;

	new->tries = 0;
	if (insist(ask, new, &why) == E_NOTFOUND)
		drop(client, new);
}

/* A refusal for good: only who it was and why stays. */
static void
end_session(const struct session_ask *ask, struct token_set *old,
    const struct err *err)
{
	struct err why = ERR_INIT;

	token_set_end(old, err->text);
	if (tokens_swap(ask->rt->store, old, ask->generation, &why) ==
	    E_STORE)
		log_error("the end of %s's sign-in cannot be stored: %s",
		    old->user, why.text);
}

/* Whoever comes next need not wonder: this try was answered. */
static void
unmark(const struct session_ask *ask, struct token_set *old)
{
	old->tries--;
	tokens_swap(ask->rt->store, old, ask->generation, NULL);
}

static void
report(const char *event, const struct token_set *ts, const char *result,
    int64_t since)
{
	const struct audit_event e = {
		.event = event,
		.user = ts->user,
		.provider = ts->provider,
		.name = *ts->name != '\0' ? ts->name : NULL,
		.account = ts->account,
		.issuer = ts->issuer,
		.result = result,
		.ms = clock_mono_ms() - since,
	};

	audit(&e);
}

static bool
is_unclear(int r)
{
	return r != E_SIGNIN && r != E_CONNECT && r != E_TLS &&
	    r != E_CONFIG && r != E_BUSY && r != E_DENIED;
}

static int
exchange(const struct session_ask *ask, struct token_set *old,
    struct source_value *out, struct err *err)
{
	struct arena *scratch = arena_new();
	struct login_client client;
	struct token_set new = { .user = NULL };
	int64_t since = clock_mono_ms();
	int r;

	login_client_init(&client, ask->rt, ask->login, scratch);
	r = oauth_refresh(&client.oauth, old, &new, err);
	if (r == 0)
		r = keep_new(ask, &client, &new, out, err);
	else if (r == E_SIGNIN)
		end_session(ask, old, err);
	else if (r == E_AUTH)
		keep_spent(ask, &client, &new);
	else if (!is_unclear(r))
		unmark(ask, old);
	/* It refuses us, not this user. */
	if (r == E_DENIED)
		r = err->code = E_CONFIG;
	report(r == 0 ? "refresh" : "refresh-failed", old, r == 0 ? "ok" :
	    err->text, since);
	token_set_release(&new);
	arena_free(scratch);
	return r;
}

/* With the lease. */
static int
refresh(const struct session_ask *ask, struct lease *lease,
    struct source_value *out, struct err *err)
{
	struct token_set old;
	int r = look_settled(ask, &old, out, err);

	if (r != 0) {
		if (r == 1)
			token_set_release(&old);
		return r == 1 ? 0 : r;
	}
	old.tries++;
	r = tokens_swap(ask->rt->store, &old, ask->generation, err);
	if (r == E_NOTFOUND)
		r = err_set(err, E_SIGNIN, "you have signed out");
	if (r == E_BUSY) {		/* signed in anew, this moment */
		r = take_other(ask, out, err);
		goto out;
	}
	if (r != 0)
		goto out;
	if (!lease_holds(lease)) {	/* we were stopped for long */
		r = err_set(err, E_BUSY, "the token was not renewed in time: "
		    "try again");
		goto out;
	}
	r = exchange(ask, &old, out, err);
 out:
	token_set_release(&old);
	return r;
}

/* While another one is at it: 1 when it is done, and out has the outcome. */
static int
wait_for_other(const struct provider_call *call,
    const struct session_ask *ask, struct source_value *out, struct err *err)
{
	struct token_set ts;
	int i, r = 0;

	for (i = 0; i < LOOKS && r == 0; i++) {
		if ((r = call->sleep(call, LOOK_MS, err)) != 0)
			return r;
		r = look(ask, &ts, out, err);
		if (r >= 0)
			token_set_release(&ts);
	}
	return r;
}

int
session_refresh(const struct provider_call *call, const void *ctx,
    struct source_value *out, struct err *err)
{
	const struct session_ask *ask = ctx;
	struct store_item item = lease_item(&ask->key);
	struct lease *lease;
	int r;

	while ((r = lease_begin(ask->rt->leases, &item, &lease, err)) ==
	    E_BUSY) {
		r = wait_for_other(call, ask, out, err);
		if (r != 0)
			return r == 1 ? 0 : r;
	}
	if (r != 0)
		return r;
	ending_hold();
	r = refresh(ask, lease, out, err);
	lease_end(lease);
	ending_let();
	return r;
}

/* ---- signing out ---- */

/* ts: what was there; NULL: it could not be read. */
static void
report_sign_out(const struct token_key *key, const struct token_set *ts,
    const struct session_end *end)
{
	const struct audit_event e = {
		.event = end->by != NULL ? "revoke" : "sign-out",
		.by = end->by,
		.id = end->id,
		.user = key->user,
		.provider = key->provider,
		.name = *key->name != '\0' ? key->name : NULL,
		.account = ts != NULL ? ts->account : NULL,
		.issuer = ts != NULL ? ts->issuer : NULL,
		.result = "ok",
	};

	audit(&e);
}

/*
 * What cannot be read goes all the same: if only its key is away (that is
 * E_NOTFOUND), it would be back with it.
 */
static int
revoke_unread(struct runtime *rt, const struct token_key *key,
    const struct session_end *end, int why, struct err *err)
{
	int r = tokens_del(rt->store, key, err);

	if (r != 0)
		return r;
	session_forget(rt, key);
	if (why != E_STORE)
		return why;
	log_warn("the issuer was not told that %s signed out: what was stored "
	    "could not be read", key->user);
	report_sign_out(key, NULL, end);
	return 0;
}

int
session_revoke(struct runtime *rt, const struct token_key *key,
    const struct session_end *end, struct err *err)
{
	const struct login_settings *login = settings_login(rt->settings,
	    key->provider, key->name);
	struct arena *scratch = arena_new();
	struct login_client client;
	struct token_set ts;
	int r;

	if ((r = tokens_get(rt->store, key, &ts, err)) != 0) {
		r = revoke_unread(rt, key, end, r, err);
		goto out;
	}
	if ((r = tokens_del(rt->store, key, err)) == 0) {
		session_forget(rt, key);
		report_sign_out(key, &ts, end);
	}
	if (r == 0 && login != NULL && ts.ended == NULL) {
		login_client_init(&client, rt, login, scratch);
		drop(&client, &ts);
	}
	token_set_release(&ts);
 out:
	arena_free(scratch);
	return r;
}
