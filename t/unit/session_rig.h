/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What tests of sessions share: an issuer that rotates refresh tokens and ends
 * the session of who shows an old one, in memory that processes share; users
 * that are signed in there; and requests for their tokens.
 */
#ifndef STAGEDOOR_TEST_SESSION_RIG_H
#define STAGEDOOR_TEST_SESSION_RIG_H

#include <signal.h>
#include <sqlite3.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "identity.h"
#include "leases.h"
#include "login.h"
#include "session.h"
#include "settings.h"
#include "sources_rig.h"
#include "store_rig.h"

#define USERS 4

enum death { LIVE, DIE_BEFORE, DIE_AFTER };

/* One user's session at the issuer. */
struct fake_session {
	unsigned token;		/* number of the one that is good */
	bool ended;
	unsigned rotations, reuses, refused, revoked;
	unsigned inside, most;	/* refreshes at once */
	enum death death;	/* of the process that asks next */
};

/* In shared memory; the lock is the processes'. */
static struct fake_issuer {
	pthread_mutex_t lock;
	struct fake_session of[USERS];
	unsigned calls, deaths;
	int64_t delay;		/* ms, before it does anything */
	int64_t lives;		/* ms: an id token */
	int fails;		/* E_*: answers that and rotates nothing */
	bool lies;		/* rotates, and gives a forged id token */
	void (*meanwhile)(void);	/* of the process that asks */
	/* What those who ask got. */
	unsigned asked, got, sign_in[USERS], late, failed;
	char said[512];
	bool stop, held;
} *issuer;

static struct login_settings login = { .provider = LOGIN_OIDC,
	.name = "corp", .issuer = "https://issuer.example" };
static struct settings settings = { .logins = &login, .nlogins = 1,
	.base_path = "/api/kubernetes", .public_url = "https://portal.example",
};
static struct identity people[USERS];
static char people_names[USERS][32];

/* ---- the issuer ---- */

static inline void
fake_lock(void)
{
	pthread_mutex_lock(&issuer->lock);
}

static inline void
fake_unlock(void)
{
	pthread_mutex_unlock(&issuer->lock);
}

/* Under the lock. */
static inline void
fake_die(enum death which, struct fake_session *s)
{
	if (s->death != which)
		return;
	s->death = LIVE;
	s->inside--;
	issuer->deaths++;
	fake_unlock();
	raise(SIGKILL);
}

static inline void
fake_tokens(struct token_set *ts, unsigned user, unsigned number)
{
	char text[64];

	snprintf(text, sizeof(text), "id-%u-%u", user, number);
	secret_set(&ts->id_token, text, strlen(text));
	snprintf(text, sizeof(text), "refresh-%u-%u", user, number);
	secret_set(&ts->refresh_token, text, strlen(text));
	ts->id_expires = clock_wall_ms() + issuer->lives;
}

/* Under the lock: 0 or E_SIGNIN. */
static inline int
fake_rotate(struct fake_session *s, unsigned number, struct err *err)
{
	if (s->ended || number != s->token) {
		s->refused++;
		s->reuses += !s->ended;
		s->ended = true;
		return err_set(err, E_SIGNIN, "invalid_grant: the refresh "
		    "token is not good any more");
	}
	s->token++;
	s->rotations++;
	return 0;
}

/* Linked in place of oauth_refresh and oauth_revoke (Makefile.am). */
int __wrap_oauth_refresh(const struct oauth *o, const struct token_set *old,
    struct token_set *out, struct err *err);
int __wrap_oauth_revoke(const struct oauth *o, const struct token_set *ts,
    struct err *err);

int
__wrap_oauth_refresh(const struct oauth *o, const struct token_set *old,
    struct token_set *out, struct err *err)
{
	unsigned user, number;
	struct fake_session *s;
	int r;

	assert_string_equal(o->login->name, "corp");
	assert_int_equal(sscanf(old->refresh_token.ptr, "refresh-%u-%u", &user,
	    &number), 2);
	s = &issuer->of[user];
	fake_lock();
	issuer->calls++;
	s->inside++;
	s->most = SD_MAX(s->most, s->inside);
	fake_die(DIE_BEFORE, s);
	fake_unlock();
	usleep((useconds_t)issuer->delay * 1000);
	if (issuer->meanwhile != NULL)
		issuer->meanwhile();
	fake_lock();
	r = issuer->fails ? err_set(err, issuer->fails, "the issuer is ill") :
	    fake_rotate(s, number, err);
	fake_die(DIE_AFTER, s);
	s->inside--;
	number = s->token;
	fake_unlock();
	if (r != 0)
		return r;
	token_set_copy(out, old);
	fake_tokens(out, user, number);
	if (!issuer->lies)
		return 0;
	secret_set(&out->id_token, old->id_token.ptr, old->id_token.len);
	out->id_expires = old->id_expires;
	return err_set(err, E_AUTH, "the id token is not signed by its issuer");
}

int
__wrap_oauth_revoke(const struct oauth *o UNUSED, const struct token_set *ts,
    struct err *err UNUSED)
{
	unsigned user, number;

	assert_int_equal(sscanf(ts->refresh_token.ptr, "refresh-%u-%u", &user,
	    &number), 2);
	fake_lock();
	issuer->of[user].revoked++;
	issuer->of[user].ended = true;
	fake_unlock();
	return 0;
}

/* ---- this process ---- */

static enum provider_verdict
obtain_session(const void *state UNUSED, const struct provider_call *call,
    struct credential *out, struct err *err)
{
	struct user_token ut;
	int r = session_token(call, &ut, err);

	if (r != 0)
		return r == E_SIGNIN ? PROVIDER_NEEDS_USER : PROVIDER_FAILED;
	credential_take_bearer(out, &ut.token);
	user_token_release(&ut);
	return PROVIDER_OK;
}

static const struct provider_ops session_ops = { .name = "oidc",
	.obtain = obtain_session };

static inline void
process_begin(void)
{
	transport = transport_new(&(struct transport_options){ .threads = 1 });
	rt = (struct runtime){ .transport = transport, .refs = 100000,
		.settings = &settings, .store = rig_open() };
	rt.leases = leases_new(rt.store);
	rt.sources = sources_new(rt.store);
	one = (struct cluster){ .name = "one", .auth_provider = "oidc",
		.oidc_token_provider = "corp", .provider = &session_ops };
}

static inline void
process_end(void)
{
	sources_free(rt.sources);
	leases_free(rt.leases);
	store_close(rt.store);
	transport_free(transport);
}

static inline struct token_key
key_of(unsigned user)
{
	return (struct token_key){ people_names[user], "oidc", "corp" };
}

/* A sign-in: the first tokens, which are good for so long (ms). */
static inline void
sign_in(struct store *st, unsigned user, int64_t lives)
{
	struct token_set ts = { .user = xstrdup(people_names[user]),
		.provider = xstrdup("oidc"), .name = xstrdup("corp"),
		.signed_in = clock_wall_ms(), .refreshed = clock_wall_ms() };

	fake_tokens(&ts, user, issuer->of[user].token);
	ts.id_expires = clock_wall_ms() + lives;
	token_set_renew(&ts);
	assert_int_equal(tokens_put(st, &ts, NULL), 0);
	token_set_release(&ts);
}

/* ---- another one who holds the database ---- */

static sqlite3 *holder;
static int64_t holder_ms;

static inline void
hold(void)
{
	assert_int_equal(sqlite3_open(rig_db, &holder), SQLITE_OK);
	sqlite3_busy_timeout(holder, 2000);
	assert_int_equal(sqlite3_exec(holder, "BEGIN IMMEDIATE", NULL, NULL,
	    NULL), SQLITE_OK);
}

static inline void
let_go(void)
{
	sqlite3_exec(holder, "COMMIT", NULL, NULL, NULL);
	sqlite3_close(holder);
}

static inline void *
let_go_later(void *arg UNUSED)
{
	usleep((useconds_t)holder_ms * 1000);
	let_go();
	return NULL;
}

static inline void
hold_for(int64_t ms)
{
	pthread_t thread;

	holder_ms = ms;
	hold();
	pthread_create(&thread, NULL, let_go_later, NULL);
	pthread_detach(thread);
}

/* ---- setting up ---- */

static inline int
session_set_up(void **state)
{
	pthread_mutexattr_t attr;
	unsigned i;

	if (rig_set_up(state) != 0)
		return -1;
	issuer = mmap(NULL, sizeof(*issuer), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (issuer == MAP_FAILED)
		return -1;
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutex_init(&issuer->lock, &attr);
	pthread_mutexattr_destroy(&attr);
	issuer->lives = 60000;
	for (i = 0; i < USERS; i++) {
		snprintf(people_names[i], sizeof(people_names[i]),
		    "user:default/u%u", i);
		people[i] = (struct identity){ .kind = IDENTITY_USER,
			.user = people_names[i] };
	}
	return 0;
}

static inline int
session_tear_down(void **state)
{
	munmap(issuer, sizeof(*issuer));
	return rig_tear_down(state);
}

#endif
