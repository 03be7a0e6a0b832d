/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a provider is: one file that turns (cluster, who asks) into a
 * credential. It may use only what provider_call hands it, so that it can be
 * tested without a network, a file system or a clock. State is constant
 * after init, so no thread needs a lock. It does not cache, store, seal or
 * log: the core does.
 */
#ifndef STAGEDOOR_PROVIDER_H
#define STAGEDOOR_PROVIDER_H

#include "cluster.h"
#include "credential.h"
#include "err.h"
#include "http.h"
#include "process.h"
#include "source.h"

struct arena;
struct identity;
struct json_object;
struct settings;
struct user_token;

enum provider_verdict {
	PROVIDER_OK,
	PROVIDER_NEEDS_USER,	/* this user must sign in first */
	PROVIDER_REFUSED,	/* this user may not */
	PROVIDER_FAILED,	/* it is broken: err says what */
};

enum provider_flags {
	PROVIDER_SERVER_SIDE = 1,	/* everyone gets the same */
	PROVIDER_USER_TOKEN = 2,	/* the user's own token is used */
	PROVIDER_CACHEABLE = 4,
	PROVIDER_NETWORK = 8,		/* obtaining may take seconds */
	/* /proxy without the user's token goes out without any, as in
	   Backstage, and the cluster answers 401 */
	PROVIDER_BARE_PROXY = 16,
	/* what stands before the cluster adds a credential of its own */
	PROVIDER_ADDS_OWN = 32,
	/* obtaining only reads files: check and start try whether it works */
	PROVIDER_FILES = 64,
};

/* Where a cluster is, when it is not where the settings say. */
struct location {
	const char *url;	/* in scratch */
	const char *ca_pem;	/* in scratch; NULL: the system's roots */
};

/* A file may hold this much: tokens and certificates are far smaller. */
#define PROVIDER_FILE_MAX 65536

struct provider_call {
	const struct cluster *cluster;
	const struct identity *who;
	/* The tokens the client brought: body "auth" or headers; or NULL. */
	struct json_object *auth;
	bool auth_lower;	/* from headers: names came lower-cased */
	struct arena *scratch;	/* wiped after the call */
	int64_t now;		/* wall ms */
	/* Bounded read, one trailing newline trimmed; err names the file. */
	int (*read_file)(const char *path, struct secret *out,
	    struct err *err);
	const char *(*getenv)(const char *name);
	/*
	 * What follows blocks, and may be called in a source's make only.
	 * http_exchange and process_run, with what is left of this call's
	 * time as a further bound; sleep before another try, 0 or E_TIMEOUT
	 * when so much time is not left.
	 */
	int (*http)(const struct provider_call *call,
	    const struct http_request *rq, struct http_answer *out,
	    struct err *err);
	int (*run)(const struct provider_call *call, const struct process *p,
	    struct process_result *out, struct err *err);
	int (*sleep)(const struct provider_call *call, int64_t ms,
	    struct err *err);
	/*
	 * A copy of the source's value, from memory, or made now. On 0 the
	 * caller releases out. E_PENDING: others make it; return at once with
	 * that error, and obtain is called anew when it is there. Else why it
	 * cannot be had, in the words of make.
	 */
	int (*source)(const struct provider_call *call,
	    const struct source *source, struct source_value *out,
	    struct err *err);
	/*
	 * With the token that this user's sign-in left with us (signIn =
	 * "stagedoor") for call->cluster: session_token.
	 */
	int (*user_token)(const struct provider_call *call,
	    struct user_token *out, struct err *err);
	/* One step of the way, for `stagedoor explain`: what was looked at and
	   what came of it. Never a secret. */
	void (*note)(const struct provider_call *call, const char *fmt, ...)
	    PRINTF_LIKE(2, 3);
	void *core;		/* the core's own */
};

struct provider_ops {
	const char *name;	/* the authProvider of a cluster */
	unsigned flags;
	size_t state_size;	/* the core allocates, zeroes and frees it */
	/* This cluster's settings; 0 or E_CONFIG. Optional. */
	int (*check)(const struct cluster *cluster, struct err *err);
	/*
	 * The settings' URL and CA may give way to others, asked for each
	 * request. True and out filled if they do. Optional.
	 */
	bool (*locate)(const struct provider_call *call,
	    struct location *out);
	int (*init)(void *state, const struct settings *settings,
	    struct err *err);	/* optional */
	enum provider_verdict (*obtain)(const void *state,
	    const struct provider_call *call, struct credential *out,
	    struct err *err);
	void (*wipe)(void *state);	/* optional */
};

/* variable.c: of the environment, by call->getenv; NULL if it is not set, or
   empty. */
const char *provider_variable(const struct provider_call *call,
    const char *name);

/* registry.c: the one table. NULL if there is none of that name. */
const struct provider_ops *provider_find(const char *name);
/* The names, NULL-terminated, for messages and suggestions. */
const char *const *provider_names(void);

#endif
